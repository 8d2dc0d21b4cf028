"""Which finding of one side is which of the other: eight GPUs give eight findings of one name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Union

from gpucheck.findings import Finding

Match = tuple[Union[Finding, None], Union[Finding, None]]

_NUMBER = re.compile(r"\d+")
# What a message is about, where a rule may speak of several.
_ABOUT = re.compile(r"GPU \d+|\blib[\w+-]+\.so[.\d]*|\b[\w-]+\.dll", re.IGNORECASE)


def matched(before: Sequence[Finding], now: Sequence[Finding]) -> tuple[Match, ...]:
    """Each finding of both sides once, beside its counterpart or None: now's in their order, then what is gone."""
    pairs: dict[int, int] = {}  # now -> before
    left, right = dict(enumerate(before)), dict(enumerate(now))
    # First those that say the same, then those that do but for numbers, then what is left of that name.
    for alike in (_whole, _message, _words):
        places: dict[Any, list[int]] = {}
        for at, finding in left.items():
            places.setdefault(alike(finding), []).append(at)
        for at, finding in list(right.items()):
            found = places.get(alike(finding))
            if found:
                pairs[at] = found.pop(0)
                del right[at], left[pairs[at]]
    _match_by_name(left, right, pairs)
    both = ((before[pairs[at]] if at in pairs else None, finding) for at, finding in enumerate(now))
    return (*both, *((finding, None) for finding in left.values()))


def _match_by_name(left: dict[int, Finding], right: dict[int, Finding], pairs: dict[int, int]) -> None:
    """Those that are left, where they do not speak of different things."""
    names: dict[str, list[int]] = {}
    for at, finding in left.items():
        names.setdefault(finding.name, []).append(at)
    about = {at: _about(finding) for at, finding in left.items()}
    for at, finding in right.items():
        mine = _about(finding)
        rest = names.get(finding.name, [])[:_MOST_LEFT]
        twin = next((one for one in rest if not (mine and about[one] and mine.isdisjoint(about[one]))), None)
        if twin is not None:
            pairs[at] = twin
            names[finding.name].remove(twin)
            del left[twin]


_MOST_LEFT = 100  # of one name that are compared with each other


def _whole(finding: Finding) -> Any:
    return finding


def _message(finding: Finding) -> Any:
    return finding.name, finding.message


def _words(finding: Finding) -> Any:
    """What it says but for numbers, and what it is about."""
    sources = frozenset(one.source for one in finding.evidence)
    return finding.name, _NUMBER.sub("0", finding.message), _about(finding), sources


def _about(finding: Finding) -> frozenset[str]:
    return frozenset(_ABOUT.findall(finding.message))
