"""When a difference is an exception, and when another kind of machine. No rule lives here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar, Union

T = TypeVar("T")


def few(others: int, of: int) -> bool:
    """Is it an exception? Up to a quarter; one of two or three is one, too. others: all that are not of the majority,
    those of which nothing is known included, so that hiding one cannot make the rest few."""
    return 0 < others <= max(1, of // 4)


class Below(NamedTuple):
    """usual: the value of the majority; at: places of those that are lower; of: of how many."""

    usual: float
    at: tuple[int, ...]
    of: int


def below(values: Sequence[Union[float, None]], unknown: int = 0) -> Union[Below, None]:
    """Those that are lower than what more than half of all have, if they are an exception.

    Parameters
    ----------
    values: None: a value that is not known.
    unknown: how many more there may be, of which nothing is known.
    """
    counts = Counter(one for one in values if one is not None)
    if not counts:
        return None
    of = len(values) + unknown
    usual, number = counts.most_common(1)[0]
    if 2 * number <= of or not few(of - number, of):
        return None
    lower = tuple(at for at, one in enumerate(values) if one is not None and one < usual)
    return Below(usual, lower, of) if lower else None
