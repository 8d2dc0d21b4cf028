"""Which file the dynamic loader would take for a soname, without loading anything.

glibc's rules, ld.so(8): LD_PRELOAD, DT_RPATH (only where the asking object has no DT_RUNPATH), LD_LIBRARY_PATH, the
asking object's DT_RUNPATH, ld.so.cache, the default folders. What is asked for by dlopen() is searched with the RUNPATH
of the object that calls dlopen(), not of the program (elf/dl-load.c, _dl_map_object). musl has no cache.

Nothing of CUDA or TensorFlow belongs here: those names are in compat.libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import SearchDir
from gpucheck.host import Elf, Host
from gpucheck.probes.cache import LibraryCache, read_cache
from gpucheck.probes.search_paths import split_path

LIBRARY_PATH = "LD_LIBRARY_PATH"
CACHE = "ld.so.cache"
DEFAULT = "default folder"
PRELOAD = "LD_PRELOAD"

# glibc: sysdeps/unix/sysv/linux/*/dl-cache.h and Debian's multiarch patch; ld.so(8) names /lib and /usr/lib.
_TRIPLETS = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu", "ppc64le": "powerpc64le-linux-gnu"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "i686": "i386", "i586": "i386"}


class Asker(NamedTuple):
    """The object that asks for a library, $ORIGIN resolved. rpath: its own and those of the objects that loaded it."""

    name: str
    runpath: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()


class Hit(NamedTuple):
    """A file that the search reaches. defect: the loader stops here with an error; None: it would load."""

    path: str
    via: str
    defect: Union[str, None]


class Loader:
    """The search of one process in this host's environment. Lists each folder once, reads each header once.

    Parameters
    ----------
    machine: architecture of the program that loads (x86_64, aarch64, i386); None: the system's.
    """

    def __init__(self, host: Host, machine: Union[str, None] = None) -> None:
        self.host = host
        self.machine = machine or normal_machine(host.about().machine)
        self._listings: dict[str, Union[frozenset[str], None, Gap]] = {}
        self._elves: dict[str, Union[Elf, None, Gap]] = {}
        self._real_dirs: dict[str, str] = {}
        self._cache: Union[LibraryCache, None, Gap] = None
        self._cache_read = False
        self.library_path = split_path(host.env("LD_LIBRARY_PATH") or "")
        self.preload = tuple(item for item in (host.env("LD_PRELOAD") or "").replace(":", " ").split(" ") if item)

    def cache(self) -> Union[LibraryCache, None, Gap]:
        """ld.so.cache; None where there is none."""
        if not self._cache_read:
            self._cache_read = True
            self._cache = read_cache(self.host, self.machine)
        return self._cache

    def default_dirs(self) -> tuple[str, ...]:
        """Where glibc (or musl) looks last."""
        triplet = _TRIPLETS.get(self.machine)
        if self.cache() is None and isinstance(self.host.stat(f"/lib/ld-musl-{self.machine}.so.1"), tuple):
            return ("/lib", "/usr/local/lib", "/usr/lib")
        multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
        wide = () if self.machine in ("i386", "arm") else ("/lib64", "/usr/lib64")
        return (*multiarch, *wide, "/lib", "/usr/lib")

    def listing(self, folder: str) -> Union[frozenset[str], None, Gap]:
        """The names in a folder, asked once."""
        if folder not in self._listings:
            names = self.host.names(folder)
            self._listings[folder] = frozenset(names) if isinstance(names, tuple) else names
        return self._listings[folder]

    def elf(self, path: str) -> Union[Elf, None, Gap]:
        """A file's ELF header, read once."""
        if path not in self._elves:
            self._elves[path] = self.host.elf(path)
        return self._elves[path]

    def search_dirs(self, asker: Union[Asker, None] = None) -> tuple[SearchDir, ...]:
        """The folders in the loader's order. ld.so.cache is one step, named by its file."""
        steps = [*self._before_cache(asker), ("/etc/ld.so.cache", CACHE)]
        steps += [(folder, DEFAULT) for folder in self.default_dirs()]
        return tuple(SearchDir(path, via, self._exists(path, via)) for path, via in steps)

    def _before_cache(self, asker: Union[Asker, None]) -> list[tuple[str, str]]:
        steps: list[tuple[str, str]] = []
        if asker and not asker.runpath:
            steps += [(folder, f"RPATH of {asker.name}") for folder in asker.rpath]
        steps += [(folder, LIBRARY_PATH) for folder in self.library_path]
        if asker:
            steps += [(folder, f"RUNPATH of {asker.name}") for folder in asker.runpath]
        return steps

    def _exists(self, path: str, via: str) -> Union[bool, Gap]:
        if via == CACHE:
            cache = self.cache()
            return cache if isinstance(cache, Gap) else cache is not None
        listing = self.listing(path)
        if isinstance(listing, Gap):
            # The loader opens files by name: a folder that may be entered but not listed is searched all the same.
            status = self.host.stat(path)
            return status if isinstance(status, Gap) else status is not None
        return listing is not None

    def hits(self, soname: str, asker: Union[Asker, None] = None) -> tuple[Union[Hit, Gap], ...]:
        """All files of that name that the search meets, in its order: the first one is loaded (or fails to load).

        A gap stands where the search could not be followed: what comes after it may or may not be reached.
        Files of another architecture are passed over as the loader does; broken ones stop it.
        """
        found: list[Union[Hit, Gap]] = []
        seen: set[str] = set()
        for path, via in self._candidates(soname, asker):
            folder, _, name = path.rpartition("/")
            # /lib is a link to /usr/lib on most systems: one file, two names.
            place = f"{self.real_dir(folder)}/{name}"
            if place in seen:
                continue
            seen.add(place)
            hit = self._look(path, via)
            if hit is not None:
                found.append(hit)
        return tuple(found)

    def resolve(self, soname: str, asker: Union[Asker, None] = None) -> Union[Hit, None, Gap]:
        """The file that the loader takes; None: it finds none."""
        for path, via in self._candidates(soname, asker):
            hit = self._look(path, via)
            if hit is not None:
                return hit
        return None

    def _candidates(self, soname: str, asker: Union[Asker, None]) -> Iterator[tuple[str, str]]:
        if "/" in soname:
            yield soname, "path"
            return
        for item in self.preload:
            # What is loaded already under this soname is what dlopen() gives.
            elf = self.elf(item) if item.startswith("/") else None
            if isinstance(elf, Elf) and (elf.soname or item.rpartition("/")[2]) == soname:
                yield item, PRELOAD
        for folder, via in self._before_cache(asker):
            yield from self._in_folder(folder, soname, via)
        cache = self.cache()
        if isinstance(cache, LibraryCache):
            for path in cache.find(soname):
                yield path, CACHE
        for folder in self.default_dirs():
            yield from self._in_folder(folder, soname, DEFAULT)

    def _in_folder(self, folder: str, soname: str, via: str) -> Iterator[tuple[str, str]]:
        listing = self.listing(folder)
        if listing is None:
            return
        base = "" if folder == "/" else folder
        if isinstance(listing, Gap):
            yield f"{base}/{soname}", via
            return
        if "glibc-hwcaps" in listing and "/glibc-hwcaps" not in folder:
            # Only those that the CPU supports are searched (ld.so --help lists them); which, is not asked here.
            for level in sorted(self._levels(f"{base}/glibc-hwcaps"), reverse=True):
                yield from self._in_folder(f"{base}/glibc-hwcaps/{level}", soname, f"{via} (glibc-hwcaps {level})")
        if soname in listing:
            yield f"{base}/{soname}", via

    def real_dir(self, folder: str) -> str:
        """A folder's real path where that is known, asked once."""
        if folder not in self._real_dirs:
            real = self.host.real(folder or "/")
            self._real_dirs[folder] = real if isinstance(real, str) else folder
        return self._real_dirs[folder]

    def _levels(self, folder: str) -> frozenset[str]:
        listing = self.listing(folder)
        return listing if isinstance(listing, frozenset) else frozenset()

    def _look(self, path: str, via: str) -> Union[Hit, None, Gap]:
        elf = self.elf(path)
        if elf is None:
            return None  # a dangling link: open() fails and the search goes on
        if isinstance(elf, Gap):
            # The program runs as this user, so what is denied here is denied to it too, and it searches on.
            return None if elf.kind == "denied" else elf
        if elf.defect is None and elf.machine != self.machine:
            return None
        return Hit(path, via, elf.defect)


def normal_machine(machine: str) -> str:
    """The ELF name of an architecture that uname or Windows names otherwise."""
    return _MACHINES.get(machine.lower(), machine)


def search_dirs(host: Host) -> tuple[SearchDir, ...]:
    """The loader's folders for a program in this environment, without any RUNPATH."""
    return Loader(host).search_dirs()


def copies(host: Host, soname: str) -> tuple[tuple[str, str], ...]:
    """(path, via) of every file of that name that the loader would meet, in its order; the first is the one it takes.

    Broken files are among them (the loader stops there), files of another architecture are not.
    """
    return tuple((hit.path, hit.via) for hit in Loader(host).hits(soname) if isinstance(hit, Hit))
