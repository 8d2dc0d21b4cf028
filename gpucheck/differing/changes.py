"""All that differs, as changes that a user would name; and what one side does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from gpucheck.differing.difference import Change, Subject, Unknown, Weight
from gpucheck.differing.tree import Fields as Tree
from gpucheck.differing.tree import Leaf, leaves, tree
from gpucheck.differing.units import Assigning, Unit
from gpucheck.differing.words import words
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot

_SUBJECTS: tuple[Subject, ...] = get_args(Subject)
_WEIGHTS: tuple[Weight, ...] = get_args(Weight)
# Packages that decide whether TensorFlow runs on a GPU come first.
_FIRST = ("package keras", "package tf-keras", "package tensorflow", "package nvidia-", "package torch", "package jax")


class Compared(NamedTuple):
    """What differs. unknown: leaves that one side does not know."""

    tree: Tree
    changes: tuple[Change, ...]
    leaves: tuple[Leaf, ...]
    unknown: tuple[Leaf, ...]


def compared(before: Snapshot, now: Snapshot) -> Compared:
    """Every change once, the weightiest first."""
    whole = tree(before, now)
    every = tuple(leaves(whole))
    assign = Assigning(before, now, every)
    gathered: dict[str, tuple[Unit, list[Leaf]]] = {}
    for leaf in every:
        if not leaf.unknown:
            unit = assign.unit(leaf)
            found = gathered.setdefault(unit.name, (unit, []))
            if _WEIGHTS.index(unit.weight) < _WEIGHTS.index(found[0].weight):
                gathered[unit.name] = (unit, found[1])  # as heavy as its heaviest part
            gathered[unit.name][1].append(leaf)
    made = [_change(unit, those, before, now) for unit, those in gathered.values()]
    known = tuple(leaf for leaf in every if not leaf.unknown)
    return Compared(whole, tuple(sorted(made, key=_order)), known, tuple(leaf for leaf in every if leaf.unknown))


def _change(unit: Unit, those: Sequence[Leaf], before: Snapshot, now: Snapshot) -> Change:
    told = words(unit, those, before, now)
    places = tuple(leaf.place for leaf in those)
    return Change(unit.name, unit.subject, unit.weight, told.before, told.now, told.details, places, same=told.same)


def _order(change: Change) -> tuple[int, int, int, str]:
    first = next((at for at, name in enumerate(_FIRST) if change.name.startswith(name)), len(_FIRST))
    return _WEIGHTS.index(change.weight), _SUBJECTS.index(change.subject), first, change.name


def unknowns(those: Iterable[Leaf]) -> tuple[Unknown, ...]:
    """Facts that one side does not know, gathered by the reason."""
    gathered: dict[tuple[Literal["before", "now"], str, bool], list[str]] = {}
    for leaf in those:
        side: Literal["before", "now"] = "before" if leaf.unknown_before else "now"
        value = leaf.before if leaf.unknown_before else leaf.now
        reason = value.reason if isinstance(value, Gap) else "it was not asked for"
        collected = isinstance(value, Gap) and value.kind != "not-collected"
        gathered.setdefault((side, reason, collected), []).append(leaf.place)
    return tuple(
        Unknown(side, tuple(places), reason, collected) for (side, reason, collected), places in gathered.items()
    )
