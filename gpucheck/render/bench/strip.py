"""Distributions in one line each, for a terminal: the denser, the darker the sign. ASCII only."""

from __future__ import annotations

import math
from typing import NamedTuple

from gpucheck.facts.bench import Leg

_SIGNS = ".:-=+*#%@"
_FAR = 4.0  # from this ratio of the greatest to the least time on, the axis is logarithmic


class Strip(NamedTuple):
    """The times of one device; line is as wide as asked for."""

    device: str
    line: str
    median: float
    times: int
    single: bool  # steps, each waited for; otherwise the means of blocks (Keras' fit cannot be stopped at a step)


class Axis(NamedTuple):
    low: float
    high: float
    logarithmic: bool


def times(leg: Leg) -> tuple[float, ...]:
    """Single steps of the blocks that count, each waited for; where there are none, the blocks' means."""
    counted = [block for block in leg.blocks if not block.left_out]
    singles = [one for block in counted for one in block.singles if _is_time(one)]
    means = [block.seconds / block.steps for block in counted if block.steps > 0]
    return tuple(singles or [one for one in means if _is_time(one)])


def _is_time(value: float) -> bool:
    return math.isfinite(value) and value > 0


def strips(legs: tuple[Leg, ...], width: int) -> tuple[Axis, tuple[Strip, ...]] | None:
    """All devices on one axis; None where nothing was timed."""
    found = [(leg, times(leg)) for leg in legs]
    every = [one for _, mine in found for one in mine]
    if not every:
        return None
    low, high = min(every), max(every)
    axis = Axis(low, high, high / low > _FAR)
    return axis, tuple(_strip(leg, mine, axis, max(10, width)) for leg, mine in found if mine)


def _strip(leg: Leg, mine: tuple[float, ...], axis: Axis, width: int) -> Strip:
    counts = [0] * width
    for one in mine:
        counts[_place(one, axis, width)] += 1
    most = max(counts)
    signs = [" " if n == 0 else _SIGNS[(n * len(_SIGNS) - 1) // most] for n in counts]
    ordered = sorted(mine)
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    signs[_place(median, axis, width)] = "|"
    single = any(block.singles for block in leg.blocks if not block.left_out)
    return Strip(leg.device, "".join(signs), median, len(mine), single)


def _place(value: float, axis: Axis, width: int) -> int:
    if axis.high <= axis.low:
        return width // 2
    low, high, at = axis.low, axis.high, value
    if axis.logarithmic:
        low, high, at = math.log(low), math.log(high), math.log(value)
    return min(width - 1, max(0, int((at - low) / (high - low) * width)))
