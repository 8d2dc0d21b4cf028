"""Which folders TensorFlow needs on its way to the libraries, and which are in the way. Pure; no system's own form."""

from __future__ import annotations

from typing import NamedTuple

from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.facts.paths import key, parent
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Finding, Report
from gpucheck.rules.environment import in_the_way
from gpucheck.rules.missing import is_bundled, missing

_WSL = "/usr/lib/wsl/lib"

# Findings that a folder more, or one less, cures.
CURED_BY_MORE = (
    *("pip-cuda-wheels-not-found", "cuda-libs-not-on-loader-path", "wsl-libcuda-not-on-path"),
    *("zlibwapi-missing",),
)
CURED_BY_LESS = ("ld-library-path-shadows-bundled-cuda", "ld-library-path-stubs", "ld-library-path-other-cuda")


class Wish(NamedTuple):
    """add: folders, the most wanted first. drop: entries of LD_LIBRARY_PATH, as they stand there. causes: findings."""

    add: tuple[str, ...]
    drop: tuple[str, ...]
    causes: tuple[Finding, ...]


def wish(report: Report) -> Wish:
    """What the findings of a report ask for."""
    snapshot = report.snapshot
    found = {one.name: one for one in report.findings}
    add: dict[str, str] = {}
    if "wsl-libcuda-not-on-path" in found:
        add[key(_WSL)] = _WSL
    if not found.keys().isdisjoint(CURED_BY_MORE):
        for folder in (*_wanted(snapshot), *_zlibwapi(snapshot)):
            add.setdefault(key(folder), folder)
    drop = () if found.keys().isdisjoint(CURED_BY_LESS) else _in_the_way(snapshot)
    causes = [one for one in report.findings if one.name in (*CURED_BY_MORE, *CURED_BY_LESS)]
    return Wish(tuple(add.values()), drop, tuple(causes) if add or drop else ())


def _wanted(snapshot: Snapshot) -> tuple[str, ...]:
    """One folder for each library that is here and will not load; as few folders as do."""
    try:
        lacking = missing(snapshot)
    except Unknown:
        return ()
    if lacking is None or isinstance(snapshot.python, Gap) or isinstance(snapshot.libraries, Gap):
        return ()
    build = known(snapshot.python.tensorflow, None)
    copies = known(snapshot.libraries.copies, ())
    wanted = (*lacking.bundled, *lacking.elsewhere)
    if build is None:
        return ()
    chosen: dict[str, str] = {}
    for one in wanted:
        folders = _best(one, copies, build)
        if not any(key(folder) in chosen for folder in folders):
            chosen[key(folders[0])] = folders[0]
    return tuple(chosen.values())


def _best(one: Wanted, copies: tuple[LibraryCopy, ...], build: TensorFlowBuild) -> list[str]:
    """Folders that are equally good: with a sound copy, in TensorFlow's own site-packages, of its CUDA."""
    by_path = {copy.path: copy for copy in copies}

    def rank(path: str) -> tuple[bool, bool, bool]:
        copy = by_path.get(path)
        broken = copy is not None and known(copy.defect, None) is not None
        return broken, not is_bundled(path, build), not _of_build(path, build)

    best = min(map(rank, one.elsewhere))
    return [parent(path) for path in one.elsewhere if rank(path) == best]


def _of_build(path: str, build: TensorFlowBuild) -> bool:
    """Does the path name the CUDA that TensorFlow was built with (v11.2, cuda-11.2)?"""
    cuda = known(build.cuda_version, None)
    return cuda is not None and f"{cuda.major}.{cuda.minor}" in path


def _zlibwapi(snapshot: Snapshot) -> tuple[str, ...]:
    """Where Windows' zlibwapi.dll lies beside the way."""
    windows = snapshot.windows
    one = None if windows is None or isinstance(windows, Gap) else known(windows.zlibwapi, None)
    if one is None or known(one.path, "") is not None:
        return ()
    return tuple(parent(path) for path in one.ignored[:1])


def _in_the_way(snapshot: Snapshot) -> tuple[str, ...]:
    """Entries as they stand: the rules tell them without a slash at their end."""
    environment = snapshot.environment
    value = "" if isinstance(environment, Gap) else environment.get("LD_LIBRARY_PATH") or ""
    bad = in_the_way(snapshot)
    entries = value.replace(";", ":").split(":")
    return tuple(dict.fromkeys(one for one in entries if one and one.rstrip("/") in bad))
