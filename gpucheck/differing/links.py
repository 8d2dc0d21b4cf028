"""What was seen in consequence of what: a library is found elsewhere because LD_LIBRARY_PATH names another folder.

The rules cannot prove these steps, for they judge what probes saw. Some are certain, because the probe noted which step
of its search found a file; the others are said to be possible.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Union

from gpucheck.differing.difference import Change, Link
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Wanted
from gpucheck.facts.snapshot import Snapshot

# Answers of the driver may follow from these; from variables only those that the driver reads.
_BELOW = ("driver", "system", "device files", "GPUs")
_READ = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "CUDA_DEVICE_ORDER", "LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES")
_MOST = 4


def links(
    chosen: Iterable[Change], every: Sequence[Change], before: Snapshot, now: Snapshot, named: Collection[str] = ()
) -> tuple[Link, ...]:
    """What the chosen changes follow from, where another change accounts for them.

    named: changes that the finding's own evidence names; where there are such, others are not guessed at.
    """
    names = {change.name for change in every}
    chosen = tuple(chosen)
    told = {change.name for change in chosen}
    found: list[Link] = []
    for change in chosen:
        if (
            change.weight != "answer"
            and change.subject not in ("libraries", "packages")
            and change.name != "TensorFlow"
        ):
            continue
        those = [one for one in _of(change, every, before, now) if one.follows in names - told]
        those = [_named(one) if one.sort == "possible" and one.follows in named else one for one in those]
        found += ([one for one in those if one.sort != "possible"] or those)[:_MOST]
    return tuple(dict.fromkeys(found))


def _named(link: Link) -> Link:
    return link._replace(sort="named", why="the finding's own evidence names it")


def _of(change: Change, every: Sequence[Change], before: Snapshot, now: Snapshot) -> Iterator[Link]:
    if change.name.startswith("library "):
        yield from _of_library(change, every, before, now)
    elif change.subject == "packages" or change.name == "TensorFlow":
        yield Link(change.name, "Python environment", "seen", "another environment is examined")
    elif change.subject in ("answers", "GPUs", "driver"):
        for one in every:
            variable = one.name.partition("variable ")[2]
            if one.weight == "cause" and (one.subject in _BELOW or variable in _READ) and one != change:
                yield Link(change.name, one.name, "possible", "it may follow from this")
    elif change.name == "loader's search":
        yield Link(change.name, "variable LD_LIBRARY_PATH", "seen", "the loader searches the folders that it names")
        yield Link(change.name, "variable PATH", "seen", "Windows' loader searches the folders that it names")


def _of_library(change: Change, every: Sequence[Change], before: Snapshot, now: Snapshot) -> Iterator[Link]:
    """From how the search found the file, now and before."""
    library = change.name[len("library ") :]
    own = {place.partition("[")[2].rpartition("]")[0] for place in change.places}
    for was, is_ in _both(library, own, before, now):
        for one, words in ((is_, "it is found there now"), (was, "it was found there before")):
            via = one.via if one is not None else None
            if via in ("LD_LIBRARY_PATH", "PATH"):
                for name in (f"variable {via}", "PATH of the machine", "PATH of the user"):
                    yield Link(change.name, name, "seen", f"{words} by {via}")
        for one, words in ((is_, "this brought the file"), (was, "this took the file away")):
            if one is not None and isinstance(one.path, str):
                yield from _brought(change, every, one.path, words)
    for name in ("TensorFlow", "Python environment"):
        yield Link(change.name, name, "possible", "TensorFlow's own search begins there")


def _brought(change: Change, every: Sequence[Change], path: str, words: str) -> Iterator[Link]:
    place = f"libraries.copies[{path}]"
    for one in every:
        if place in one.places:  # the whole file came or went
            yield Link(change.name, one.name, "seen", words)


def _both(
    library: str, sonames: set[str], before: Snapshot, now: Snapshot
) -> Iterator[tuple[Union[Wanted, None], Union[Wanted, None]]]:
    sides = [{one.soname: one for one in _wanted(snapshot)} for snapshot in (before, now)]
    for soname in dict.fromkeys((*sides[1], *sides[0])):
        one, two = sides[0].get(soname), sides[1].get(soname)
        if soname in sonames and library in (getattr(one, "library", None), getattr(two, "library", None)):
            yield one, two


def _wanted(snapshot: Snapshot) -> Any:
    libraries = snapshot.libraries
    return () if isinstance(libraries, Gap) or isinstance(libraries.wanted, Gap) else libraries.wanted or ()
