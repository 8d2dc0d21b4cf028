"""Every copy of CUDA's libraries on this machine: in the loader's folders, toolkits, conda, and pip's wheels.

Which of them a program gets is judged by probes.libraries with probes.loader. Files are looked at (name, ELF header,
what lies beside them), never loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.libraries import LIBRARIES, OTHER_FILES, library_of
from gpucheck.compat.places import CUPTI_FOLDER, LIBRARY_FOLDERS, STUBS
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Defect, LibraryCopy
from gpucheck.facts.python import Distribution, Python
from gpucheck.facts.toolkits import Toolkit, Toolkits
from gpucheck.facts.versions import CudaVersion, LibraryVersion
from gpucheck.host import Elf
from gpucheck.probes.cache import LibraryCache
from gpucheck.probes.library_versions import Versions
from gpucheck.probes.loader import CACHE, LIBRARY_PATH, Loader

_PARTS = tuple(dict.fromkeys(row.stem for row in LIBRARIES))


class Collection:
    """Copies by path, each with all the ways that lead to it."""

    def __init__(self, loader: Loader, installed: tuple[Distribution, ...]) -> None:
        self.loader = loader
        self.host = loader.host
        self.versions = Versions(self.host, installed)
        self.found: dict[str, LibraryCopy] = {}
        self.unread: Union[Gap, None] = None

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
                known = known._replace(found_via=(*known.found_via, via))
            if owner and isinstance(known.version, Gap):  # met before its wheel was known, on LD_LIBRARY_PATH
                version, source = self.versions.of(library, path, known.real_path, known.soname, owner)
                known = known._replace(version=version, version_source=source)
            self.found[key] = known
            return
        real = self.host.real(path) if self.host.is_link(path) else key
        elf = self.loader.elf(path)
        soname = elf.soname if isinstance(elf, Elf) and elf.soname else name
        version, source = self.versions.of(library, path, real, soname, owner)
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

    def add_other(
        self, library: str, path: str, via: str, owner: Union[str, None] = None, kit: Union[Toolkit, None] = None
    ) -> None:
        """A file that is no shared object: ptxas, libdevice."""
        status = self.host.stat(path)
        if isinstance(status, Gap):
            self.unread = status if self.unread is None else self.unread
            return
        if status is None:
            return
        record = self.versions.record(library, path, owner) if owner else None
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
    # A system folder has thousands of names: the stems are asked first, in one call each.
    wanted = sorted(name for name in names if name.startswith(_PARTS) and library_of(name))
    kept = []
    for name in wanted:
        longer = [other for other in wanted if other != name and other.startswith(name + ".")]
        shorter = [other for other in wanted if other != name and name.startswith(other + ".") and ".so." in other]
        if shorter or (name.endswith(".so") and longer):
            continue
        kept.append(name)
    return kept


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
    for folder in dict.fromkeys(loader.real_dir(folder) for folder in loader.default_dirs()):
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
            if isinstance(path, str):
                found.add_other(library, path, via, kit=kit)


def _add_python(found: Collection, examined: Python) -> None:
    if examined.environment == "conda" and isinstance(examined.prefix, str):
        found.add_folder(f"{examined.prefix}/lib", f"conda {examined.prefix}")
    for folder in () if isinstance(examined.site_dirs, Gap) else examined.site_dirs:
        names = found.loader.listing(folder)
        if not isinstance(names, frozenset):
            continue
        if "nvidia" in names:
            listed = found.loader.listing(f"{folder}/nvidia")
            if isinstance(listed, Gap) and found.unread is None:
                found.unread = listed
            inside = listed if isinstance(listed, frozenset) else frozenset()
            for name in sorted(inside):
                if not name.startswith("_"):
                    found.add_folder(f"{folder}/nvidia/{name}/lib", f"wheels in {folder}", folder)
            for library, place, name, _ in OTHER_FILES:
                if place.split("/")[1] in inside:
                    found.add_other(library, f"{folder}/{place}/{name}", f"wheels in {folder}", folder)
        for package, place in (("torch", "torch/lib"), ("tensorrt_libs", "tensorrt_libs"), ("tensorrt", "tensorrt")):
            if package in names:
                found.add_folder(f"{folder}/{place}", f"wheels in {folder}", folder)
