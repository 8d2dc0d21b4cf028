"""CUDA toolkits on Windows and every name that leads to one. Nothing is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.places import CONDA_LIBRARY, LIBDEVICE, POINTERS, WINDOWS_BIN, WINDOWS_TOOLKITS
from gpucheck.compat.registry import TOOLKITS
from gpucheck.compat.variables import TOOLKITS as VARIABLES
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.toolkits import Pointer, Toolkit, Toolkits
from gpucheck.facts.versions import CudaVersion
from gpucheck.host import Host, Stat
from gpucheck.probes.toolkits import find_version
from gpucheck.probes.windows import dll_versions, keys, search_path

_MARKS = frozenset({"version.json", "version.txt", "nvvm", "nvcc.profile"})


def program_files(host: Host) -> str:
    """Where 64-bit programs are installed, whatever the bits of this process."""
    return host.env("PROGRAMW6432") or host.env("PROGRAMFILES") or "C:\\Program Files"


def probe(host: Host) -> Union[Toolkits, Gap]:
    """Find all toolkits; a gap where the folder of NVIDIA's installer or its key could not be looked at."""
    folder = paths.join(program_files(host), WINDOWS_TOOLKITS.folder)
    installed, keyed = host.names(folder), keys.below(host, TOOLKITS)
    for seen in (installed, keyed):
        if isinstance(seen, Gap) and seen.kind != "denied":
            return seen
    search = _Search(host)
    pointers = [
        Pointer(name, value, search.add(value, name)) for name in (*POINTERS, *VARIABLES) if (value := host.env(name))
    ]
    for tool in ("nvcc", "ptxas"):
        path = _on_path(host, f"{tool}.exe")
        if path:
            home = paths.parent(paths.parent(path))
            pointers.append(Pointer(f"{tool} on PATH", path, search.add(home, f"{tool} on PATH")))
    for name in installed if isinstance(installed, tuple) else ():
        if name.lower().startswith(WINDOWS_TOOLKITS.name[:-1]):
            search.add(paths.join(folder, name), folder)
    for name, place in _registered(host, keyed if isinstance(keyed, tuple) else ()):
        search.add(place, f"registry {name}")
    if host.env("CONDA_PREFIX"):
        search.add(paths.join(host.env("CONDA_PREFIX") or "", CONDA_LIBRARY), "CONDA_PREFIX")
    return Toolkits(tuple(search.toolkits()), tuple(pointers))


def _registered(host: Host, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        place = keys.value(host, f"{TOOLKITS}\\{name}", "InstallDir")
        if isinstance(place, str) and place:
            yield name, place


def _on_path(host: Host, file: str) -> Union[str, None]:
    own = search_path.of_process(host)
    for entry in own.entries if own else ():
        if isinstance(entry.expanded, str) and entry.exists is True:
            path = paths.join(entry.expanded, file)
            status = host.stat(path)
            if isinstance(status, Stat) and status.kind == "file":
                return path
    return None


class _Search:
    """Toolkits by real root, each with all the names that led to it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.via: dict[str, list[str]] = {}
        self.roots: dict[str, str] = {}

    def add(self, path: str, via: str) -> Union[str, None, Gap]:
        """Note a name that should lead to a toolkit, and say where it leads."""
        real = self.host.real(path.strip('"').rstrip("\\/"))
        if not isinstance(real, str):
            return real
        if "\\site-packages\\" in real.lower():
            return real  # pip's nvcc wheel: no toolkit
        looks = self._looks_like_one(real)
        if isinstance(looks, Gap):
            return looks
        if not looks:
            return None
        root = self.roots.setdefault(paths.key(real), real)
        names = self.via.setdefault(root, [])
        if via not in names:
            names.append(via)
        return root

    def _looks_like_one(self, root: str) -> Union[bool, Gap]:
        names = self.host.names(root)
        if isinstance(names, Gap):
            return names
        if names is None:
            return False
        if _MARKS & {name.lower() for name in names}:
            return True
        return any(
            isinstance(self.host.stat(paths.join(root, one)), Stat) for one in ("bin\\nvcc.exe", "include\\cuda.h")
        )

    def toolkits(self) -> Iterator[Toolkit]:
        for root, via in self.via.items():
            version, source = find_version(self.host, root)
            if version is None or isinstance(version, Gap):
                own = _of_runtime(self.host, root)
                version, source = own if own else (version, source)
            yield Toolkit(
                root,
                version,
                paths.own_separators(source) if source else None,
                tuple(via),
                self._tool(root, "bin\\nvcc.exe"),
                self._tool(root, "bin\\ptxas.exe"),
                self._file(root, tuple(f"{folder}/libdevice.10.bc" for folder in LIBDEVICE)),
            )

    def _file(self, root: str, names: tuple[str, ...]) -> Union[str, None, Gap]:
        unseen: Union[Gap, None] = None
        for name in names:
            path = paths.join(root, name)
            status = self.host.stat(path)
            if isinstance(status, Gap):
                unseen = status
            elif status is not None:
                return path
        return unseen

    def _tool(self, root: str, name: str) -> Union[str, None]:
        found = self._file(root, (name,))
        return found if isinstance(found, str) else None


def _of_runtime(host: Host, root: str) -> Union[tuple[CudaVersion, str], None]:
    """From the runtime DLL itself, where no version file and no header was installed."""
    for folder in WINDOWS_BIN:
        place = paths.join(root, folder)
        names = host.names(place)
        for name in names if isinstance(names, tuple) else ():
            if name.lower().startswith("cudart64_"):
                path = paths.join(place, name)
                header = host.pe(path)
                version = (
                    None if header is None or isinstance(header, Gap) else dll_versions.of_header("cudart", header)
                )
                if version:
                    return CudaVersion(".".join(version.text.split(".")[:2])), path
    return None
