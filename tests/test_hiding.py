"""Not knowing never accuses: whatever single fact of a machine is hidden, no finding appears that was not there."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import looked
import machines
import pytest

from gpucheck.facts.codec import hints
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.rules.engine import judge_all

HIDDEN = Gap("hidden by the test", "not-collected")
SAMPLE = 2  # facts a machine in the fast suite; the slow test hides every one

Place = tuple[Any, ...]  # names of fields and numbers of list items, from the snapshot down


def places(value: Any, kind: Any, at: Place = ()) -> Iterator[Place]:
    """Every fact that may be a gap by its annotation and is none yet, sections first."""
    options = get_args(kind) if get_origin(kind) not in (None, tuple) else (kind,)
    if Gap in options and not isinstance(value, Gap):
        yield at
    if isinstance(value, Gap) or value is None:
        return
    if hasattr(value, "_fields"):
        for name, hint in hints(type(value)).items():
            yield from places(getattr(value, name), hint, (*at, name))
    elif isinstance(value, tuple):
        item = next((get_args(one)[0] for one in options if get_origin(one) is tuple), None)
        for number, one in enumerate(value):
            yield from places(one, item, (*at, number))


def without(value: Any, at: Place) -> Any:
    """The same facts with a gap at that place."""
    if not at:
        return HIDDEN
    first, *rest = at
    if isinstance(first, str):
        return value._replace(**{first: without(getattr(value, first), tuple(rest))})
    return (*value[:first], without(value[first], tuple(rest)), *value[first + 1 :])


def added(snapshot: Snapshot, at: Place, before: Counter[str]) -> Counter[str]:
    """Findings that appear where the fact at that place is hidden."""
    return Counter(one.name for one in judge_all(without(snapshot, at)).findings) - before


def before(name: str) -> Counter[str]:
    return Counter(one.name for one in looked.report(name).findings)


@pytest.mark.slow
def test_hiding_some_facts_adds_no_finding() -> None:
    for name in machines.names()[::3]:  # all of them, and every fact, in the slow part
        snapshot, known = looked.snapshot(name), before(name)
        every = list(places(snapshot, Snapshot))
        # Another part of the facts on each machine, and the same part on each run.
        begin, step = zlib.crc32(name.encode()) % len(every), max(1, len(every) // SAMPLE)
        for at in (every * 2)[begin : begin + len(every) : step]:
            assert not added(snapshot, at, known), (name, at)


@pytest.mark.slow
@pytest.mark.parametrize("name", machines.names())
def test_hiding_any_fact_adds_no_finding(name: str) -> None:
    snapshot, known = looked.snapshot(name), before(name)
    guilty = {at: names for at in places(snapshot, Snapshot) if (names := added(snapshot, at, known))}
    assert not guilty


def test_the_walk_reaches_sections_fields_and_list_items() -> None:
    every = set(places(looked.snapshot("rtx4090-ubuntu"), Snapshot))
    assert {("driver",), ("driver", "nvml"), ("gpus",), ("gpus", 0, "memory_free"), ("system", "wsl")} <= every
    assert ("driver", "pci", 0, "driver") in every
    assert ("gpus", 0, "name") not in every


@pytest.mark.slow
@pytest.mark.parametrize("name", machines.names())
def test_hiding_any_fact_acquits_no_machine(name: str) -> None:
    # where the rule that spoke cannot be judged any more, the answer is "could not tell", not "fine"
    if looked.report(name).verdict != "error":
        return
    snapshot = looked.snapshot(name)
    verdicts = {at: judge_all(without(snapshot, at)).verdict for at in places(snapshot, Snapshot)}
    assert not {at: verdict for at, verdict in verdicts.items() if verdict not in ("error", "unknown")}
