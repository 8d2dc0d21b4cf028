"""Which folders TensorFlow needs on its way to the libraries, and which are in the way. Pure; no system's own form."""

from __future__ import annotations

from typing import NamedTuple

from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.facts.paths import key, parent
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.windows import PathEntry
from gpucheck.findings import Finding, Report
from gpucheck.rules.environment import in_the_way
from gpucheck.rules.missing import is_bundled, missing
from gpucheck.rules.windows import better_copy

_WSL = "/usr/lib/wsl/lib"

# Findings that a folder more, or one less, cures.
CURED_BY_MORE = (
    *("pip-cuda-wheels-not-found", "cuda-libs-not-on-loader-path", "wsl-libcuda-not-on-path"),
    *("zlibwapi-missing", "windows-path-shadows-cuda"),
)
CURED_BY_LESS = ("ld-library-path-shadows-bundled-cuda", "ld-library-path-stubs", "ld-library-path-other-cuda")
_SHADOWED, _QUOTED = "windows-path-shadows-cuda", "windows-path-quoted-entry"


class Wish(NamedTuple):
    """What would cure.

    add: folders, the most wanted first. drop: entries of LD_LIBRARY_PATH, as they stand there. causes: the findings.
    unquote: folders that stand in quotes on Windows' PATH.
    """

    add: tuple[str, ...]
    drop: tuple[str, ...]
    causes: tuple[Finding, ...]
    unquote: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return not self.add and not self.drop and not self.unquote


def wish(report: Report) -> Wish:
    """What the findings of a report ask for."""
    snapshot = report.snapshot
    found = {one.name: one for one in report.findings}
    add: dict[str, str] = {}
    if "wsl-libcuda-not-on-path" in found:
        add[key(_WSL)] = _WSL
    if not found.keys().isdisjoint(CURED_BY_MORE):
        hidden = _hidden(snapshot) if _SHADOWED in found else ()
        for folder in (*_wanted(snapshot), *hidden, *_zlibwapi(snapshot)):
            add.setdefault(key(folder), folder)
    drop = () if found.keys().isdisjoint(CURED_BY_LESS) else _in_the_way(snapshot)
    unquote = _in_quotes(snapshot) if _QUOTED in found else ()
    causes = [one for one in report.findings if one.name in (*CURED_BY_MORE, *CURED_BY_LESS, _QUOTED)]
    return Wish(tuple(add.values()), drop, tuple(causes) if add or drop or unquote else (), unquote)


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


def _hidden(snapshot: Snapshot) -> tuple[str, ...]:
    """Folders of the better copies that Windows' search passes over."""
    libraries = snapshot.libraries
    if isinstance(libraries, Gap):
        return ()
    try:
        better = [better_copy(snapshot, libraries, one) for one in known(libraries.wanted, None) or () if one.hides]
    except Unknown:
        return ()
    return tuple(parent(copy.path) for copy in better if copy is not None)


def _zlibwapi(snapshot: Snapshot) -> tuple[str, ...]:
    """Where Windows' zlibwapi.dll lies beside the way. On it and yet not taken, it is no good (of 32 bits, say)."""
    windows = snapshot.windows
    one = None if windows is None or isinstance(windows, Gap) else known(windows.zlibwapi, None)
    if one is None or known(one.path, "") is not None:
        return ()
    searched = {key(known(entry.expanded, entry.text)) for entry in _entries(snapshot, "path_process")}
    return tuple(parent(path) for path in one.ignored if key(parent(path)) not in searched)[:1]


def _in_quotes(snapshot: Snapshot) -> tuple[str, ...]:
    """Folders of CUDA's that stand in quotes on the user's own PATH."""
    quoted = [one.text.strip() for one in _entries(snapshot, "path_user") if '"' in one.text]
    named = [one.strip('"') for one in quoted if any(word in one.lower() for word in ("cuda", "cudnn", "tensorrt"))]
    return tuple(one for one in named if '"' not in one and ";" not in one)


def _entries(snapshot: Snapshot, which: str) -> tuple[PathEntry, ...]:
    windows = snapshot.windows
    path = None if windows is None or isinstance(windows, Gap) else known(getattr(windows, which), None)
    return path.entries if path else ()


def _in_the_way(snapshot: Snapshot) -> tuple[str, ...]:
    """Entries as they stand: the rules tell them without a slash at their end."""
    environment = snapshot.environment
    value = "" if isinstance(environment, Gap) else environment.get("LD_LIBRARY_PATH") or ""
    bad = in_the_way(snapshot)
    entries = value.replace(";", ":").split(":")
    return tuple(dict.fromkeys(one for one in entries if one and one.rstrip("/") in bad))
