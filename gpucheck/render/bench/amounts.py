"""Numbers in words: three significant digits and a unit that fits. No sentence is made here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from gpucheck.facts.bench import Interval


class Unit(NamedTuple):
    """A unit of time and how many of it make a second."""

    name: str
    per_second: float


SECONDS, MILLISECONDS, MICROSECONDS = Unit("s", 1.0), Unit("ms", 1e3), Unit("µs", 1e6)


def number(value: float) -> str:
    """``0.0412``, ``9.20``, ``65.3``, ``15,800``: three significant digits, never an exponent."""
    if not math.isfinite(value):
        return "not a number"
    if abs(value) < 1e-12:
        return "0"
    rounded = float(f"{value:.3g}")
    digits = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, digits)}f}"


def unit(times: Iterable[float]) -> Unit:
    """The unit in which all these times can be read side by side: the smallest decides."""
    positive = [one for one in times if math.isfinite(one) and one > 0]
    least = min(positive, default=1e-3)
    return SECONDS if least >= 1 else MILLISECONDS if least >= 0.95e-4 else MICROSECONDS


def time(seconds: float) -> str:
    """``65.3 ms``"""
    best = unit([seconds])
    return f"{number(seconds * best.per_second)} {best.name}"


def interval(found: Interval, factor: float = 1.0, to: str = " to ") -> str:
    """``65.3 (64.1 to 66.9)``"""
    return f"{number(found.value * factor)} ({number(found.low * factor)}{to}{number(found.high * factor)})"


def step(found: Interval) -> str:
    """``65.3 ms (64.1 to 66.9)``"""
    best = unit([found.value])
    return f"{number(found.value * best.per_second)} {best.name} ({_ends(found, best)})"


def _ends(found: Interval, best: Unit) -> str:
    return f"{number(found.low * best.per_second)} to {number(found.high * best.per_second)}"


def setup(seconds: float) -> str:
    """Of what is done once: ``0.9 s``, ``38 s``, ``2 min 05 s``."""
    if not math.isfinite(seconds) or seconds >= 59.5:
        return span(seconds)
    return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s" if seconds >= 0.095 else time(seconds)


def percent(share: float) -> str:
    """``0.02 %``, ``8.4 %``, ``66 %``"""
    if not math.isfinite(share):
        return "not a number"
    value = 100 * share
    return f"{value:.0f} %" if abs(value) >= 10 else f"{float(f'{value:.2g}'):.12g} %"


def mib(size: float) -> str:
    """``59.3 MiB``, ``1.42 GiB``"""
    return f"{number(size / 2**30)} GiB" if size >= 2**30 else f"{number(size / 2**20)} MiB"


def span(seconds: float) -> str:
    """Of waiting: ``8 s``, ``2 min 05 s``."""
    whole = max(0, round(seconds)) if math.isfinite(seconds) else 0
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"
