"""Every copy of CUDA's DLLs on this machine: on each PATH, in toolkits, cuDNN's own folders, conda, and pip's wheels.

Which of them TensorFlow gets is judged by libraries.py with loader.py. Files are looked at, never loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.dlls import library_of
from gpucheck.compat.places import (
    CONDA_LIBRARY,
    WINDOWS_BIN,
    WINDOWS_CUDNN,
    WINDOWS_CUPTI,
    WINDOWS_UNPACKED,
    WINDOWS_WHEELS,
)
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Defect, LibraryCopy
from gpucheck.facts.python import Python
from gpucheck.facts.toolkits import Toolkit, Toolkits
from gpucheck.facts.versions import CudaVersion, LibraryVersion
from gpucheck.host import Host, Stat
from gpucheck.probes.windows import search_path
from gpucheck.probes.windows.dll_versions import Versions
from gpucheck.probes.windows.loader import Loader
from gpucheck.probes.windows.toolkits import program_files

_MOST_LETTERS = 40  # a DLL's name


class Collection:
    """Copies by place, each with all the ways that lead to it."""

    def __init__(self, loader: Loader, versions: Versions) -> None:
        self.loader = loader
        self.host = loader.host
        self.versions = versions
        self.found: dict[str, LibraryCopy] = {}
        self.unread: Union[Gap, None] = None

    def add_folder(self, folder: str, via: str) -> None:
        """All CUDA libraries of a folder."""
        listing = self.loader.listing(folder)
        if isinstance(listing, Gap):
            # Denied to us is denied to the program; anything else is a place that was not seen.
            if self.unread is None and listing.kind != "denied":
                self.unread = listing
            return
        for low in sorted(listing or {}):
            if low.endswith(".dll") and len(low) <= _MOST_LETTERS:
                self.add_file(paths.join(folder, (listing or {})[low]), via)

    def add_file(self, path: str, via: str) -> None:
        """One library."""
        named = library_of(paths.base(path))
        if named is None:
            return
        key = paths.key(path)
        known = self.found.get(key)
        if known:
            if via not in known.found_via:
                self.found[key] = known._replace(found_via=(*known.found_via, via))
            return
        header = self.loader.header(path)
        version, source = self.versions.of(named[0], path, header)
        real = self.host.real(path) if self.host.is_link(path) else path
        defect = _defect(self.loader.defect(path))
        self.found[key] = LibraryCopy(named[0], named[1], path, real, version, source, (via,), defect, False)

    def add_other(self, library: str, path: str, via: str, kit: Toolkit) -> None:
        """A file that is no DLL: ptxas, libdevice."""
        status = self.host.stat(path)
        if isinstance(status, Stat):
            version = LibraryVersion(kit.version.text) if isinstance(kit.version, CudaVersion) else None
            defect: Union[Defect, None] = "empty" if status.size == 0 else None
            copy = LibraryCopy(
                library, paths.base(path), path, path, version, kit.version_source, (via,), defect, False
            )
            self.found.setdefault(paths.key(path), copy)


def _defect(words: Union[str, None, Gap]) -> Union[Defect, None, Gap]:
    return words  # type: ignore[return-value]  # the loader's words are those of Defect


def collect(loader: Loader, examined: Union[Python, Gap], kits: Union[Toolkits, Gap]) -> Collection:
    """Look everywhere, where the loader looks first."""
    installed = () if isinstance(examined, Gap) or isinstance(examined.distributions, Gap) else examined.distributions
    found = Collection(loader, Versions(loader.host, installed))
    for folder, via in (*loader.dirs(), *_everywhere(loader, examined, kits)):
        found.add_folder(folder, via)
    for kit in kits.found if isinstance(kits, Toolkits) else ():
        for library, path in (("ptxas", kit.ptxas), ("libdevice", kit.libdevice)):
            if isinstance(path, str):
                found.add_other(library, path, f"toolkit {kit.root}", kit)
    return found


def _everywhere(loader: Loader, examined: Union[Python, Gap], kits: Union[Toolkits, Gap]) -> Iterator[tuple[str, str]]:
    yield from _later(loader.host)
    for entry in loader.entries:  # that the Store's Python does not search
        if isinstance(entry.expanded, str):
            yield entry.expanded, "PATH"
    for kit in kits.found if isinstance(kits, Toolkits) else ():
        for folder in (*WINDOWS_BIN, *WINDOWS_CUPTI):
            yield paths.join(kit.root, folder), f"toolkit {kit.root}"
    yield from _cudnn(loader.host)
    if isinstance(examined, Python):
        yield from _of_python(loader.host, examined)


def _later(host: Host) -> Iterator[tuple[str, str]]:
    """What a new shell would have on PATH."""
    for scope in ("machine", "user"):
        path = search_path.of_registry(host, scope)
        for entry in path.entries if path is not None and not isinstance(path, Gap) else ():
            if isinstance(entry.expanded, str) and entry.exists is True:
                yield entry.expanded, f"PATH of the {scope}"


def _cudnn(host: Host) -> Iterator[tuple[str, str]]:
    r"""cuDNN 9's …\CUDNN\v9.x\bin\<cuda>[\x64], and where older ones were unpacked."""
    root = paths.join(program_files(host), WINDOWS_CUDNN.folder)
    for version in _names(host, root):
        place = paths.join(root, version, "bin")
        yield place, f"cuDNN {version}"
        for cuda in _names(host, place):
            if cuda[:1].isdecimal():
                yield paths.join(place, cuda), f"cuDNN {version} for CUDA {cuda}"
                yield paths.join(place, cuda, "x64"), f"cuDNN {version} for CUDA {cuda}"
    for folder in WINDOWS_UNPACKED:
        yield paths.join(folder, "bin"), folder


def _of_python(host: Host, examined: Python) -> Iterator[tuple[str, str]]:
    if examined.environment == "conda" and isinstance(examined.prefix, str):
        yield paths.join(examined.prefix, CONDA_LIBRARY, "bin"), f"conda {examined.prefix}"
    for site in () if isinstance(examined.site_dirs, Gap) else examined.site_dirs:
        for name in _names(host, paths.join(site, "nvidia")):
            for folder in WINDOWS_WHEELS:
                yield paths.join(site, "nvidia", name, folder), f"wheels in {site}"
        yield paths.join(site, "torch", "lib"), f"wheels in {site}"


def _names(host: Host, folder: str) -> tuple[str, ...]:
    names = host.names(folder)
    return names if isinstance(names, tuple) else ()
