"""DLLs that belong to neither CUDA nor TensorFlow: Visual C++'s runtime, and zlibwapi.dll for cuDNN 8.3 to 8.9."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.dlls import ZLIB, needs_zlib
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries
from gpucheck.facts.python import Python, SharedObject
from gpucheck.facts.versions import CudnnVersion, LibraryVersion
from gpucheck.facts.windows import RuntimeDll
from gpucheck.host import Pe
from gpucheck.probes.tensorflow import read_build_info
from gpucheck.probes.windows.loader import Hit, Loader

# Of Visual C++ 2015 and later; vcruntime140_1.dll and msvcp140_1.dll came with 2019.
_OF_VISUAL_C = ("vcruntime140", "msvcp140", "concrt140")
_CHECK = "self_check.py"


def probe(loader: Loader, examined: Union[Python, Gap]) -> Union[tuple[RuntimeDll, ...], None, Gap]:
    """What TensorFlow's extension module needs of Visual C++'s runtime; None where no TensorFlow is examined."""
    build = examined if isinstance(examined, Gap) else examined.tensorflow
    if build is None or isinstance(build, Gap):
        return build
    if isinstance(build.objects, Gap):
        return build.objects
    found: dict[str, RuntimeDll] = {}
    for module in build.objects:
        for name in module.needed:
            if name.lower().startswith(_OF_VISUAL_C) and name.lower() not in found:
                found[name.lower()] = _imported(loader, name, module, examined)
    checked = _checked(loader, build.root)
    if isinstance(checked, Gap):
        return checked
    for name in checked:
        if name.lower() not in found:
            found[name.lower()] = _found(loader, name, _CHECK, loader.module_dirs("", _minor(examined))[1:])
    return tuple(found.values())


def _checked(loader: Loader, root: str) -> Union[list[str], Gap]:
    """What TensorFlow itself loads by ctypes before its module, and gives up without: it names them in build_info."""
    data = loader.host.read(paths.join(root, "python", "platform", "build_info.py"))
    info = read_build_info(data) if isinstance(data, bytes) else data
    names = info.get("msvcp_dll_names") if isinstance(info, dict) else None
    listed = [one.strip() for one in names.split(",")] if isinstance(names, str) else []
    return info if isinstance(info, Gap) else [one for one in listed if one.lower().startswith(_OF_VISUAL_C)]


def _minor(examined: Union[Python, Gap]) -> Union[tuple[int, int], None]:
    version = None if isinstance(examined, Gap) or isinstance(examined.version, Gap) else examined.version
    return (version.major, version.minor) if version else None


def _imported(loader: Loader, name: str, module: SharedObject, examined: Union[Python, Gap]) -> RuntimeDll:
    dirs = loader.module_dirs(paths.parent(module.path), _minor(examined))
    return _found(loader, name, paths.base(module.path), dirs)


def _found(loader: Loader, name: str, wanted_by: str, dirs: tuple[tuple[str, str], ...]) -> RuntimeDll:
    hits = loader.hits(name, dirs)
    reached = {paths.key(hit.path) for hit in hits if isinstance(hit, Hit)}
    others = [hit.path for hit in loader.hits(name) if isinstance(hit, Hit) and paths.key(hit.path) not in reached]
    first = hits[0] if hits else None
    if first is None or isinstance(first, Gap):
        return RuntimeDll(name, wanted_by, first, None, None, tuple(others))
    header = loader.header(first.path)
    version = LibraryVersion.parse(header.file_version or "") if isinstance(header, Pe) else None
    usable = first.path if first.defect is None else None
    ignored = (*others, *(() if usable else (f"{first.path} ({first.defect})",)))
    return RuntimeDll(name, wanted_by, usable, version, first.via, ignored)


def zlib(loader: Loader, libraries: Union[Libraries, Gap]) -> Union[RuntimeDll, None, Gap]:
    """What the cuDNN that TensorFlow would get finds; None where it does not look for it."""
    if isinstance(libraries, Gap):
        return libraries
    if isinstance(libraries.wanted, Gap):
        return libraries.wanted
    for one in libraries.wanted or ():
        if one.library != "cudnn" or not one.needed_for_gpu or one.path is None:
            continue
        if isinstance(one.version, Gap):
            return one.version
        if isinstance(one.path, Gap):
            return one.path
        if one.version is None or not needs_zlib(CudnnVersion(one.version.text)):
            return None
        return _found(loader, ZLIB, one.soname, loader.dirs())
    return None
