"""Every copy of CUDA's libraries on this machine: in the loader's folders, toolkits, conda, and pip's wheels.

Which of them a program gets is judged by probes.libraries with probes.loader. Files are looked at (name, ELF header,
what lies beside them), never loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.libraries import BY_NAME, LIBRARIES, OTHER_FILES, library_of
from gpucheck.compat.places import CUDNN_HEADERS, CUPTI_FOLDER, LIBRARY_FOLDERS, STUBS
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Defect, LibraryCopy
from gpucheck.facts.python import Distribution, Python
from gpucheck.facts.toolkits import Toolkit, Toolkits
from gpucheck.facts.versions import CudaVersion, LibraryVersion
from gpucheck.host import Elf
from gpucheck.probes.cache import LibraryCache
from gpucheck.probes.loader import CACHE, LIBRARY_PATH, Loader
from gpucheck.probes.toolkits import read_header

_PARTS = tuple(dict.fromkeys(row.stem for row in LIBRARIES))


class Collection:
    """Copies by path, each with all the ways that lead to it."""

    def __init__(self, loader: Loader, installed: tuple[Distribution, ...]) -> None:
        self.loader = loader
        self.host = loader.host
        self.installed = {one.name: one for one in installed}
        self.versions = {(one.location, one.name): one.version.text for one in installed}
        self.found: dict[str, LibraryCopy] = {}
        self.unread: Union[Gap, None] = None
        self._records: dict[str, list[bytes]] = {}

    def add_folder(self, folder: str, via: str, owner: Union[str, None] = None) -> None:
        """All libraries of a folder. owner: the site-packages that it lies in, for the wheels' versions."""
        listing = self.loader.listing(folder)
        if isinstance(listing, Gap):
            # Denied to us is denied to the program; anything else is a place that was not seen.
            if self.unread is None and listing.kind != "denied":
                self.unread = listing
            return
        for name in _sonames(listing or frozenset()):
            self.add_file(f"{folder}/{name}", via, owner)

    def add_file(self, path: str, via: str, owner: Union[str, None] = None) -> None:
        """One library."""
        folder, _, name = path.rpartition("/")
        library = library_of(name)
        if library is None:
            return
        key = f"{self.loader.real_dir(folder)}/{name}"
        known = self.found.get(key)
        if known:
            if via not in known.found_via:
                self.found[key] = known._replace(found_via=(*known.found_via, via))
            return
        real = self.host.real(path) if self.host.is_link(path) else key
        elf = self.loader.elf(path)
        soname = elf.soname if isinstance(elf, Elf) and elf.soname else name
        version, source = self._version(library, path, real, soname, owner)
        stub = folder.endswith("/" + STUBS)
        self.found[key] = LibraryCopy(library, soname, path, real, version, source, (via,), self._defect(elf), stub)

    def _defect(self, elf: Union[Elf, None, Gap]) -> Union[Defect, None, Gap]:
        if elf is None:
            return "dangling"
        if isinstance(elf, Gap):
            return "unreadable" if elf.kind == "denied" else elf
        if elf.defect is None and elf.machine != self.loader.machine:
            return "wrong-architecture"
        return elf.defect

    def _version(
        self, library: str, path: str, real: Union[str, None, Gap], soname: str, owner: Union[str, None]
    ) -> tuple[Union[LibraryVersion, None, Gap], Union[str, None]]:
        """From the real file's name, the header beside it, the wheel's or conda's record."""
        name = (real if isinstance(real, str) else path).rpartition("/")[2]
        ending = name.partition(".so.")[2]
        if ending and name != soname and ending.count("."):
            version = LibraryVersion.parse(ending)
            if version:
                return version, "file name"
        found = self._record(library, path, owner) or self._header(library, path)
        return found or (Gap(f"neither its name nor anything beside it tells: {path}", "unsupported"), None)

    def _header(self, library: str, path: str) -> Union[tuple[LibraryVersion, str], None]:
        """From the header beside it: cuDNN's, and CUDA's own for its runtime."""
        if library not in _HEADERS:
            return None
        name, reader = _HEADERS[library]
        folder = path.rpartition("/")[0]
        beside = f"{folder.rpartition('/')[0]}/include"
        for place in (beside, *(CUDNN_HEADERS if folder.startswith(("/usr/lib", "/lib")) else ())):
            data = self.host.read(f"{place}/{name}", 32768)
            version = reader(data) if isinstance(data, bytes) else None
            if version:
                return LibraryVersion(version.text), f"{place}/{name}"
        return None

    def _record(self, library: str, path: str, owner: Union[str, None]) -> Union[tuple[LibraryVersion, str], None]:
        if owner is None:
            return self._conda_record(library, path)
        stem = BY_NAME[library].wheel if library in BY_NAME else "nvidia-cuda-nvcc"
        # "nvidia-cublas-cu12" owns nvidia/cublas; CUDA 13's wheels share nvidia/cu13, but for cuDNN's and NCCL's.
        endings = ("",) if "/nvidia/cu13/" in path else ("-cu12", "-cu11", "-cu13")
        names = [f"{stem}{ending}" for ending in endings]
        if library == "tensorrt":
            names = ["tensorrt-libs", "tensorrt-cu12-libs", "tensorrt-cu13-libs", "tensorrt"]
        here = [name for name in names if (owner, name) in self.versions]
        if len(here) > 1:
            here = self._by_size(path, owner, here)
        return (LibraryVersion(self.versions[owner, here[0]]), f"dist-info {here[0]}") if len(here) == 1 else None

    def _by_size(self, path: str, owner: str, names: list[str]) -> list[str]:
        """Two wheels write into one folder (nvidia-cudnn-cu12 and -cu13): the file's size tells whose it is."""
        status = self.host.stat(path)
        if isinstance(status, Gap) or status is None:
            return []
        end = f",{status.size}".encode()
        start = path[len(owner) + 1 :].encode("utf-8", "surrogateescape") + b","
        return [
            name
            for name in names
            if any(line.startswith(start) and line.rstrip().endswith(end) for line in self._lines(owner, name))
        ]

    def _lines(self, owner: str, name: str) -> list[bytes]:
        if name not in self._records:
            folder = f"{owner}/{name.replace('-', '_')}-{self.versions[owner, name]}.dist-info"
            data = self.host.read(f"{folder}/RECORD", 1 << 18)
            self._records[name] = data.splitlines() if isinstance(data, bytes) else []
        return self._records[name]

    def _conda_record(self, library: str, path: str) -> Union[tuple[LibraryVersion, str], None]:
        for name in (f"lib{library.lower()}", library, BY_NAME[library].wheel.removeprefix("nvidia-")):
            one = self.installed.get(name)
            if one and one.location.endswith("/conda-meta") and path.startswith(one.location[: -len("conda-meta")]):
                return LibraryVersion(one.version.text), f"conda-meta {name}"
        return None

    def add_other(
        self, library: str, path: str, via: str, owner: Union[str, None] = None, kit: Union[Toolkit, None] = None
    ) -> None:
        """A file that is no shared object: ptxas, libdevice."""
        status = self.host.stat(path)
        if isinstance(status, Gap) or status is None:
            return
        record = self._record(library, path, owner) if owner else None
        if record is None and kit and isinstance(kit.version, CudaVersion):
            record = LibraryVersion(kit.version.text), str(kit.version_source)
        version: Union[LibraryVersion, None] = record[0] if record else None
        defect: Union[Defect, None] = "empty" if status.size == 0 else None
        name = path.rpartition("/")[2]
        source = record[1] if record else None
        self.found.setdefault(
            path, LibraryCopy(library, name, path, self.host.real(path), version, source, (via,), defect, False)
        )


def _sonames(names: frozenset[str]) -> list[str]:
    """The names to look at: of libcudnn.so, .so.9 and .so.9.3.0 the one that a program asks for, .so.9."""
    wanted = sorted(name for name in names if name.startswith("lib") and ".so" in name and library_of(name))
    kept = []
    for name in wanted:
        longer = [other for other in wanted if other != name and other.startswith(name + ".")]
        shorter = [other for other in wanted if other != name and name.startswith(other + ".") and ".so." in other]
        if shorter or (name.endswith(".so") and longer):
            continue
        kept.append(name)
    return kept


def read_cudnn_header(data: bytes) -> Union[LibraryVersion, None]:
    """CUDNN_MAJOR, CUDNN_MINOR and CUDNN_PATCHLEVEL of cudnn_version.h."""
    numbers: dict[bytes, bytes] = {}
    for line in data.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == b"#define" and words[1].startswith(b"CUDNN_") and words[2].isdigit():
            numbers.setdefault(words[1][6:], words[2])
    parts = [numbers.get(name) for name in (b"MAJOR", b"MINOR", b"PATCHLEVEL")]
    return LibraryVersion(".".join(part.decode() for part in parts if part)) if all(parts) else None


_HEADERS = {"cudnn": ("cudnn_version.h", read_cudnn_header), "cudart": ("cuda_runtime_api.h", read_header)}


def collect(loader: Loader, examined: Union[Python, Gap], kits: Union[Toolkits, Gap]) -> Collection:
    """Look everywhere, the loader's own places first."""
    installed = () if isinstance(examined, Gap) or isinstance(examined.distributions, Gap) else examined.distributions
    found = Collection(loader, installed)
    for folder in loader.library_path:
        found.add_folder(folder, LIBRARY_PATH)
    cache = loader.cache()
    if isinstance(cache, LibraryCache):
        for stem in _PARTS:
            for name in _by_folder(cache.paths(stem)):
                found.add_file(name, CACHE)
    if isinstance(kits, Toolkits):
        _add_toolkits(found, kits)
    if isinstance(examined, Python):
        _add_python(found, examined)
    for folder in loader.default_dirs():
        found.add_folder(folder, "default folder")
    return found


def _by_folder(paths: tuple[str, ...]) -> Iterator[str]:
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    for folder, names in folders.items():
        for name in _sonames(frozenset(names)):
            yield f"{folder}/{name}"


def _add_toolkits(found: Collection, kits: Toolkits) -> None:
    for kit in kits.found:
        via = f"toolkit {kit.root}"
        for folder in (*LIBRARY_FOLDERS, CUPTI_FOLDER, "nvvm/lib64"):
            if found.loader.listing(f"{kit.root}/{folder}") is not None:
                found.add_folder(f"{kit.root}/{folder}", via)
                found.add_folder(f"{kit.root}/{folder}/{STUBS}", f"{via}, stubs")
        for library, path in (("ptxas", kit.ptxas), ("libdevice", kit.libdevice)):
            if path:
                found.add_other(library, path, via, kit=kit)


def _add_python(found: Collection, examined: Python) -> None:
    if examined.environment == "conda" and isinstance(examined.prefix, str):
        found.add_folder(f"{examined.prefix}/lib", f"conda {examined.prefix}")
    for folder in () if isinstance(examined.site_dirs, Gap) else examined.site_dirs:
        names = found.loader.listing(folder)
        if not isinstance(names, frozenset):
            continue
        if "nvidia" in names:
            inside = found.loader.listing(f"{folder}/nvidia")
            for name in sorted(inside) if isinstance(inside, frozenset) else ():
                if not name.startswith("_"):
                    found.add_folder(f"{folder}/nvidia/{name}/lib", f"wheels in {folder}", folder)
            for library, place, name, _ in OTHER_FILES:
                if place.split("/")[1] in (inside or ()):  # type: ignore[operator]
                    found.add_other(library, f"{folder}/{place}/{name}", f"wheels in {folder}", folder)
        for package, place in (("torch", "torch/lib"), ("tensorrt_libs", "tensorrt_libs"), ("tensorrt", "tensorrt")):
            if package in names:
                found.add_folder(f"{folder}/{place}", f"wheels in {folder}", folder)
