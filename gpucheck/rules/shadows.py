"""Files that LD_LIBRARY_PATH or LD_PRELOAD puts before TensorFlow's wheels. No rules: environment.py judges."""

from __future__ import annotations

from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.libraries import Libraries, LibraryCopy, Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import LibraryVersion
from gpucheck.rules.missing import is_bundled

# What is loaded, and the wheel's copy that it hides.
Pair = tuple[Wanted, LibraryCopy]


def shadows(snapshot: Snapshot) -> tuple[list[Pair], list[Pair]]:
    """Files in front with the wheel's copies that they hide: those that are worse, and those of unknown version."""
    worse: list[Pair] = []
    untold: list[Pair] = []
    libraries = need(snapshot.libraries)
    build = need(need(snapshot.python).tensorflow)
    wanted = need(libraries.wanted) if build else None
    for one in wanted or ():
        path = need(one.path)
        forced = (one.via or "").startswith(("LD_LIBRARY_PATH", "LD_PRELOAD"))
        if build is None or path is None or not forced or is_bundled(path, build):
            continue
        own = next((copy for copy in _copies(libraries, one.hides) if is_bundled(copy.path, build)), None)
        if own is None:
            continue
        if _untold(one) and need(own.defect) is None:
            untold.append((one, own))
        elif _worse(one, own):
            worse.append((one, own))
    return worse, untold


def _copies(libraries: Libraries, paths: tuple[str, ...]) -> list[LibraryCopy]:
    return [copy for copy in need(libraries.copies) if copy.path in paths] if paths else []


def _worse(one: Wanted, own: LibraryCopy) -> bool:
    """The file in front is broken, or older than the wheel's sound copy. An untold version accuses nobody."""
    if need(own.defect) is not None:
        return False
    if need(one.defect) is not None:
        return True
    mine, theirs = need(one.version), need(own.version)
    return mine is not None and theirs is not None and mine < theirs


def _untold(one: Wanted) -> bool:
    """Sound, and nothing beside the file tells its version. (A version that was not asked for accuses nobody.)"""
    return need(one.defect) is None and isinstance(one.version, Gap) and one.version.kind == "unsupported"


def costs_the_gpu(one: Wanted, own: LibraryCopy) -> bool:
    """nvJitLink names the minor in its symbols (__nvJitLinkAddData_12_5): a lower one than the wheel's lacks those that
    cuSOLVER and cuSPARSE were linked with, and they do not open."""
    mine, theirs = known(one.version, None), known(own.version, None)
    if one.library != "nvjitlink" or mine is None or theirs is None:
        return False
    return LibraryVersion(_minor(mine)) < LibraryVersion(_minor(theirs))


def _minor(version: LibraryVersion) -> str:
    return ".".join(version.text.split(".")[:2])


def state(one: Wanted | LibraryCopy) -> str:
    return str(known(one.defect, None) or known(one.version, None) or "version not known")
