"""How the rules on CUDA's libraries speak of Windows: PATH in place of LD_LIBRARY_PATH, DLLs in place of sonames.

The rules themselves are in libraries.py; those that only Windows has are in windows.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts import paths
from gpucheck.facts.gap import need
from gpucheck.facts.libraries import Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.windows import SearchPath, Windows
from gpucheck.rules import ways
from gpucheck.rules.engine import Found, found
from gpucheck.rules.missing import Missing, asked, is_bundled, names, title
from gpucheck.rules.missing import build_of as build
from gpucheck.rules.stakes import Stakes
from gpucheck.rules.systems import on_windows

STORE = "windows-dll-search-path"


def windows(snapshot: Snapshot) -> Windows | None:
    """What only Windows has; None elsewhere.

    Raises
    ------
    Unknown: it was not recorded.
    """
    return need(snapshot.windows) if on_windows(snapshot) else None


def keys_of(path: SearchPath | None) -> set[str]:
    return {paths.key(one.expanded) for one in (path.entries if path else ()) if isinstance(one.expanded, str)}


def ignored_by_store(snapshot: Snapshot, lacking: Missing) -> list[tuple[Wanted, str]]:
    """What lies in a folder of PATH that the Store's Python does not search, with the copy."""
    facts = windows(snapshot)
    if facts is None or not need(facts.store_python):
        return []
    own = need(facts.path_process)
    on_path = {paths.key(need(one.expanded)) for one in (own.entries if own else ())}
    pairs = [(one, path) for one in (*lacking.bundled, *lacking.elsewhere) for path in one.elsewhere]
    return [(one, path) for one, path in pairs if paths.key(paths.parent(path)) in on_path]


def wheels_not_found(snapshot: Snapshot, lacking: Missing, stake: Stakes) -> Iterator[Found]:
    """pip's wheels lie in site-packages, and nothing puts their folders on PATH."""
    own = [(one, next(path for path in one.elsewhere if is_bundled(path, build(snapshot)))) for one in lacking.bundled]
    yield found(
        f"{title(snapshot)} will not load {names(lacking.bundled)}: pip's copy is installed, but on Windows TensorFlow "
        f"looks into PATH, which does not name its folder{stake.remark}.",
        [asked(one, f"not found; a copy lies at {path}") for one, path in own],
        ways.on_path(ways.folders(path for _, path in own)),
        severity=stake.severity,
    )


def not_on_path(snapshot: Snapshot, lacking: Missing, stake: Stakes) -> Iterator[Found]:
    """The right DLLs are here, in folders that are not on PATH; or on one that this shell was not given."""
    facts = windows(snapshot)
    chosen = [(one, _best(snapshot, one)) for one in lacking.elsewhere]
    where = ways.folders(path for _, path in chosen)
    evidence = [asked(one, f"not found; a copy lies at {', '.join(one.elsewhere)}") for one, _ in chosen]
    later = {scope for folder in where for scope in _later(facts, folder)}
    everything = facts is not None and all(_later(facts, folder) for folder in where)
    one_only = len(chosen) == 1
    if everything:
        scopes = " and ".join(sorted(later))
        yield found(
            f"{title(snapshot)} will not load {names(lacking.elsewhere)}: {' and '.join(where)} is on PATH of the "
            f"{scopes}, but this shell was opened before and does not have it{stake.remark}.",
            [
                *evidence,
                *((f"windows.path_{scope}", folder, "registry") for scope in sorted(later) for folder in where),
            ],
            [
                "# Close this terminal (and the IDE or notebook server that it was started from) and open a new one.",
                "# or, for this PowerShell alone:",
                f'$env:Path = "{";".join(where)};" + $env:Path',
            ],
            severity=stake.severity,
        )
        return
    yield found(
        f"{title(snapshot)} will not load {names(lacking.elsewhere)}: {'it is' if one_only else 'they are'} in "
        f"{' and '.join(where)}, which {'is' if len(where) == 1 else 'are'} not on PATH{stake.remark}.",
        evidence,
        ways.on_path(where),
        severity=stake.severity,
    )


def _best(snapshot: Snapshot, one: Wanted) -> str:
    """Of several copies one that a new shell would find, else one of a toolkit, else the first."""
    facts = windows(snapshot)
    ranked = sorted(one.elsewhere, key=lambda path: (not _later(facts, paths.parent(path)), not _of_toolkit(path)))
    return ranked[0]


def _later(facts: Windows | None, folder: str) -> list[str]:
    """The stored PATHs that name a folder: a new shell has it."""
    stored = [("user", facts.path_user), ("machine", facts.path_machine)] if facts else []
    return [scope for scope, path in stored if isinstance(path, SearchPath) and paths.key(folder) in keys_of(path)]


def _of_toolkit(path: str) -> bool:
    return "\\nvidia gpu computing toolkit\\" in path.lower()
