"""Which finding of one side is which of the other: eight GPUs give eight findings of one name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Union

from gpucheck.findings import Finding

Match = tuple[Union[Finding, None], Union[Finding, None]]

_NUMBER = re.compile(r"\d+")
# What a message is about, where a rule may speak of several.
_ABOUT = re.compile(r"GPU \d+|\blib[\w+-]+\.so[.\d]*|\b[\w-]+\.dll", re.IGNORECASE)


def matched(before: Sequence[Finding], now: Sequence[Finding]) -> tuple[Match, ...]:
    """Each finding of both sides once, beside its counterpart or None: now's in their order, then what is gone."""
    left = list(before)
    found: dict[int, Finding] = {}
    # First those that say the same, then those that rest on the same facts, then what is left of that name.
    for alike in (_equal, _same_message, _same_words, _same_name):
        for at, finding in enumerate(now):
            if at not in found:
                rest = (one for one in left if one.name == finding.name and _same_subject(one, finding))
                twin = next((one for one in rest if alike(one, finding)), None)
                if twin is not None:
                    left.remove(twin)
                    found[at] = twin
    return (*((found.get(at), finding) for at, finding in enumerate(now)), *((one, None) for one in left))


def _same_subject(one: Finding, other: Finding) -> bool:
    mine, theirs = (set(_ABOUT.findall(each.message)) for each in (one, other))
    return not (mine and theirs and mine.isdisjoint(theirs))


def _equal(one: Finding, other: Finding) -> bool:
    return one == other


def _same_message(one: Finding, other: Finding) -> bool:
    return one.message == other.message


def _same_words(one: Finding, other: Finding) -> bool:
    """The same but for numbers, about the same thing."""
    mine, theirs = (_NUMBER.sub("0", each.message) for each in (one, other))
    return mine == theirs and {each.source for each in one.evidence} == {each.source for each in other.evidence}


def _same_name(one: Finding, other: Finding) -> bool:
    return True
