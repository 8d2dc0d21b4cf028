"""What the pictures share: colours, axes of times, and which numbers can stand on an axis at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from gpucheck.facts.bench import Block, Leg, Result, Sample
from gpucheck.render.bench.amounts import unit

_COLORS = ("#2f86c9", "#e0701a", "#1f9e78", "#c768a8", "#b98d00", "#8a7bd8")  # readable on white and on near-black
OUT = "#808080"
MANY = 1500  # dots; more become one picture inside an SVG, or a browser has to draw each
_FAR = 4.0


def color_of(result: Result, device: str) -> str:
    return _COLORS[devices(result).index(device) % len(_COLORS)]


def devices(result: Result) -> list[str]:
    every = [leg.device for trial in result.trials for leg in trial.legs] + [one.device for one in result.samples]
    return list(dict.fromkeys(every))


def drawable(result: Result) -> Result:
    """The result without what stands on no axis: a file from somewhere else may hold any number."""
    trials = [
        trial._replace(legs=tuple(_drawable(leg) for leg in trial.legs))
        for trial in result.trials
        if 0 < trial.batch_size < 1e9
    ]
    samples = [one for one in result.samples if all(abs(value) < 1e15 for value in _numbers(one))]
    return result._replace(trials=tuple(trials), samples=tuple(samples))


def _drawable(leg: Leg) -> Leg:
    blocks = [
        block._replace(singles=tuple(one for one in block.singles if _is_time(one)))
        for block in leg.blocks
        if _is_time(mean(block)) and 0 <= block.begin <= block.end < 1e9
    ]
    sound = leg.figures is not None and all(_is_time(one) for one in leg.figures.step)
    return leg._replace(blocks=tuple(blocks), figures=leg.figures if sound else None)


def _is_time(value: float) -> bool:
    return 1e-12 < value < 1e9


def _numbers(sample: Sample) -> list[float]:
    return [value for value in sample if isinstance(value, (int, float))]


def mean(block: Block) -> float:
    return block.seconds / block.steps if block.steps > 0 else math.nan


def scale(axes: Any, which: Literal["x", "y"], values: Sequence[float]) -> None:
    """Logarithmic where times are far apart; ticks as plain numbers with their unit."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = min(values), max(values)
    axis = axes.xaxis if which == "x" else axes.yaxis
    if high / low > _FAR:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 60 else (1.0, 3.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(_tick_time))


def _tick_time(seconds: float, _place: object = None) -> str:
    """``0.5 ms``, ``62.5 ms``: ticks are round, so no noughts behind."""
    best = unit([seconds])
    return f"{seconds * best.per_second:.4g} {best.name}" if seconds > 0 else "0"
