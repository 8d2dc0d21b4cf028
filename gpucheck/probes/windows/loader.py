"""Which file Windows takes for the name of a DLL, without loading anything.

TensorFlow opens CUDA by LoadLibraryExW(name, LOAD_WITH_ALTERED_SEARCH_PATH) (tensorflow/core/platform/windows/
load_library.cc, 1.x to 2.10), which for a bare name is Windows' standard search: the program's own folder, System32,
Windows' folder, PATH. The Microsoft Store's Python is a packaged program: for those Windows leaves PATH out (Microsoft,
"Dynamic-link library search order").

An extension module that ``import`` loads is another matter: from Python 3.8 on its DLLs are looked for in its own
folder, the program's, System32 and what os.add_dll_directory() named, never in PATH.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import SearchDir
from gpucheck.facts.windows import PathEntry
from gpucheck.host import Host, Pe
from gpucheck.probes.windows import search_path

PROGRAM, SYSTEM, WINDOWS, PATH = "the program's folder", "System32", "Windows' folder", "PATH"
ACTIVATION = "conda activate"
# What `conda activate` puts before PATH (conda/activate.py, _get_path_dirs), in that order.
_CONDA_FOLDERS = ("", "Library\\mingw-w64\\bin", "Library\\usr\\bin", "Library\\bin", "Scripts", "bin")


class Program(NamedTuple):
    """The interpreter that loads. machine: of its executable. store: the Microsoft Store's.

    folder: where the program lies that really runs (a virtual environment's python.exe starts the base's); None: not
    known. activated: folders that the environment's activation puts before PATH.
    """

    machine: str = "x86_64"
    folder: Union[str, None] = None
    store: bool = False
    activated: tuple[str, ...] = ()


def conda_folders(prefix: str) -> tuple[str, ...]:
    """What activating a conda environment puts before PATH."""
    return tuple(paths.join(prefix, one) if one else prefix for one in _CONDA_FOLDERS)


class Hit(NamedTuple):
    """A file that the search reaches. defect: the loader stops here with an error; None: it would load."""

    path: str
    via: str
    defect: Union[str, None]


class Loader:
    """The search of one program in this host's environment. Lists each folder once, reads each header once."""

    def __init__(self, host: Host, program: Program) -> None:
        self.host = host
        self.program = program
        self._listings: dict[str, Union[dict[str, str], None, Gap]] = {}
        self._headers: dict[str, Union[Pe, None, Gap]] = {}
        own = search_path.of_process(host)
        self.entries: tuple[PathEntry, ...] = own.entries if own else ()

    def root(self) -> str:
        return self.host.env("SYSTEMROOT") or "C:\\Windows"

    def dirs(self) -> tuple[tuple[str, str], ...]:
        """(folder, via) in the order of the search for a DLL that a program opens by name."""
        found = [(self.program.folder, PROGRAM)] if self.program.folder else []
        found += [(paths.join(self.root(), "System32"), SYSTEM)]
        if not self.program.store:
            found += [(self.root(), WINDOWS)]
            found += [(folder, ACTIVATION) for folder in self.program.activated]
            found += [(one.expanded, PATH) for one in self.entries if isinstance(one.expanded, str)]
        once: dict[str, tuple[str, str]] = {}
        for folder, via in found:
            once.setdefault(paths.key(str(folder)), (str(folder), via))
        return tuple(once.values())

    def module_dirs(self, folder: str, version: Union[tuple[int, int], None]) -> tuple[tuple[str, str], ...]:
        """The same for the DLLs of an extension module in `folder`, by the rules of that Python's ``import``."""
        own = [(folder, "beside the module")]
        if version is not None and version < (3, 8):
            return (*own, *self.dirs())
        return (*own, *(pair for pair in self.dirs() if pair[1] in (PROGRAM, SYSTEM)))

    def search_dirs(self) -> tuple[SearchDir, ...]:
        """All folders in their order, those that do not exist too."""
        return tuple(SearchDir(folder, via, self._exists(folder)) for folder, via in self.dirs())

    def _exists(self, folder: str) -> Union[bool, Gap]:
        listing = self.listing(folder)
        return listing if isinstance(listing, Gap) and listing.kind != "denied" else isinstance(listing, dict)

    def listing(self, folder: str) -> Union[dict[str, str], None, Gap]:
        """The names in a folder, under their lower-case forms; None: there is no such folder."""
        key = paths.key(folder)
        if key not in self._listings:
            names = self.host.names(folder)
            self._listings[key] = {one.lower(): one for one in names} if isinstance(names, tuple) else names
        return self._listings[key]

    def header(self, path: str) -> Union[Pe, None, Gap]:
        key = paths.key(path)
        if key not in self._headers:
            self._headers[key] = self.host.pe(path)
        return self._headers[key]

    def defect(self, path: str) -> Union[str, None, Gap]:
        """Why this file would not load, from its header."""
        header = self.header(path)
        if header is None:
            return "dangling"
        if isinstance(header, Gap):
            return "unreadable" if header.kind == "denied" else header
        if header.defect:
            return header.defect
        return "wrong-architecture" if header.machine != self.program.machine else None

    def hits(self, name: str, dirs: Union[tuple[tuple[str, str], ...], None] = None) -> list[Union[Hit, Gap]]:
        """Every file of that name in the order of the search; a gap where a folder before could not be looked into."""
        found: list[Union[Hit, Gap]] = []
        for folder, via in self.dirs() if dirs is None else dirs:
            listing = self.listing(folder)
            if isinstance(listing, Gap):
                if listing.kind != "denied":
                    found.append(listing)
                continue
            if listing and name.lower() in listing:
                path = paths.join(folder, listing[name.lower()])
                defect = self.defect(path)
                found.append(defect if isinstance(defect, Gap) else Hit(path, via, defect))
        return found
