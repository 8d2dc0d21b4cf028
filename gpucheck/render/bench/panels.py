"""What the pictures show, drawn on figures that are handed in. matplotlib's parts are loaded on use."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any, NamedTuple, Union

from gpucheck.facts.bench import Block, Leg, Result, Sample, Trial
from gpucheck.render.bench.amounts import interval, number, step, time, unit
from gpucheck.render.bench.strip import times
from gpucheck.render.text import plain

_COLORS = ("#2f86c9", "#e0701a", "#1f9e78", "#c768a8", "#b98d00", "#8a7bd8")  # readable on white and on near-black
_OUT, _HELD = "#808080", "#d62728"
_MOST_ROWS = 16
_MANY = 1500  # dots; more become one picture inside an SVG, or a browser has to draw each
_FAR = 4.0


def _color(result: Result, device: str) -> str:
    return _COLORS[_devices(result).index(device) % len(_COLORS)]


def _devices(result: Result) -> list[str]:
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
        if _is_time(_mean(block)) and 0 <= block.begin <= block.end < 1e9
    ]
    sound = leg.figures is not None and all(_is_time(one) for one in leg.figures.step)
    return leg._replace(blocks=tuple(blocks), figures=leg.figures if sound else None)


def _is_time(value: float) -> bool:
    return 1e-12 < value < 1e9


def _numbers(sample: Sample) -> list[float]:
    return [value for value in sample if isinstance(value, (int, float))]


def _mean(block: Block) -> float:
    return block.seconds / block.steps if block.steps > 0 else math.nan


def _scale(axis: Any, values: Sequence[float]) -> None:
    """Logarithmic where times are far apart; ticks as plain numbers with their unit."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = min(values), max(values)
    if high / low > _FAR:
        axis._set_axes_scale("log")
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


# Step time by device


class _Row(NamedTuple):
    label: str
    leg: Leg
    several: bool  # batch sizes: the label holds this one's


def _rows(result: Result) -> list[_Row]:
    several = len(result.trials) > 1
    rows = [
        _Row(_label(leg, trial) if several else _named(leg), leg, several)
        for trial in result.trials
        for leg in trial.legs
        if leg.blocks
    ]
    return rows[:_MOST_ROWS]


def _named(leg: Leg) -> str:
    return "\n".join([plain(leg.device), *wrap(plain(leg.name), 24)[:3]])


def _label(leg: Leg, trial: Trial) -> str:
    return f"{plain(leg.device)}, batch {trial.batch_size}"


def steps_height(result: Result) -> float:
    rows = len(_rows(result))
    return 0.95 + 0.62 * rows if rows else 0.0


def steps(figure: Any, result: Result) -> None:
    """Every single step and every block, the median marked; what was left out is grey."""
    axes = figure.subplots()
    rows = _rows(result)
    shown = [value for row in rows for block in row.leg.blocks for value in (*block.singles, _mean(block))]
    for at, row in enumerate(rows):
        color = _color(result, row.leg.device)
        _dots(axes, at, row.leg, color)
        figures, single = row.leg.figures, times(row.leg)
        middle = figures.step.value if figures else sorted(single)[len(single) // 2] if single else None
        if middle is not None:
            axes.plot([middle, middle], [at - 0.34, at + 0.34], color=color, linewidth=2)
            axes.annotate(time(middle), (middle, at - 0.36), ha="center", va="bottom", fontsize=8.5, fontweight="bold")
    _scale(axes.xaxis, shown)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.75)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", linewidth=0.6)
    axes.set_axisbelow(True)
    out = ", grey: left out" if any(block.left_out for row in rows for block in row.leg.blocks) else ""
    axes.set_xlabel(f"one step (dots: single steps, diamonds: blocks, line: median{out})")


def _dots(axes: Any, at: int, leg: Leg, color: str) -> None:
    for out in (True, False):
        blocks = [block for block in leg.blocks if bool(block.left_out) is out]
        singles = [value for block in blocks for value in block.singles]
        means = [_mean(block) for block in blocks]
        paint = _OUT if out else color
        # Spread by the golden ratio: as even as chance would have it be, and the same each time.
        heights = [at + 0.28 * (2 * ((place * 0.6180339887) % 1) - 1) for place in range(len(singles))]
        many = len(singles) > _MANY
        axes.scatter(singles, heights, s=9, color=paint, alpha=0.45, linewidths=0, rasterized=many)
        axes.scatter(means, [at] * len(means), s=26, marker="D", facecolors="none", edgecolors=paint, linewidths=1.1)


def steps_alt(result: Result) -> str:
    said = [
        f"{row.label if row.several else f'{row.leg.device}, {row.leg.name}'}: {step(row.leg.figures.step)}"
        for row in _rows(result)
        if row.leg.figures is not None
    ]
    return f"Dots on a time axis, one row a device. Medians: {'; '.join(said) or 'none'}."


# The run over time


class _Reading(NamedTuple):
    label: str
    value: Callable[[Sample], Union[float, None]]


_READINGS = (
    _Reading("utilisation\n%", lambda one: None if one.utilization is None else 100 * one.utilization),
    _Reading("power\nW", lambda one: one.power),
    _Reading("temperature\n°C", lambda one: one.temperature),
    _Reading("clock\nMHz", lambda one: one.clock),
)


def _readings(result: Result) -> list[_Reading]:
    return [one for one in _READINGS if sum(one.value(sample) is not None for sample in result.samples) > 1]


def _timed(result: Result) -> list[tuple[Leg, Block]]:
    return [(leg, block) for trial in result.trials for leg in trial.legs for block in leg.blocks]


def timeline_height(result: Result) -> float:
    rows = len(_readings(result))
    timed = bool(_timed(result))
    return 0.75 + 1.7 * timed + 0.95 * rows if timed or rows else 0.0


def timeline(figure: Any, result: Result) -> None:
    """Step time and, on the same axis, what was read meanwhile."""
    readings, timed = _readings(result), _timed(result)
    ratios = [1.8] * bool(timed) + [1.0] * len(readings)
    rows = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    if timed:
        _paint_blocks(rows[0], result, timed)
    for axes, reading in zip(rows[len(rows) - len(readings) :], readings, strict=True):
        _paint_reading(axes, result, reading)
    for axes in rows:
        _paint_bands(axes, result, timed)
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
    rows[-1].set_xlabel("seconds since the run began")
    figure.align_ylabels(rows)
    _legend(figure, result, timed)


def _paint_blocks(axes: Any, result: Result, timed: list[tuple[Leg, Block]]) -> None:
    for device in dict.fromkeys(leg.device for leg, _ in timed):
        for out in (True, False):
            mine = [block for leg, block in timed if leg.device == device and bool(block.left_out) is out]
            color = _OUT if out else _color(result, device)
            axes.hlines(
                [_mean(one) for one in mine], [one.begin for one in mine], [one.end for one in mine], color, lw=3
            )
            dots = [dot for one in mine for dot in _after(one)]
            many = len(dots) > _MANY
            axes.scatter(
                *(zip(*dots, strict=True) if dots else ([], [])), s=5, color=color, linewidths=0, rasterized=many
            )
    _scale(axes.yaxis, [value for _, block in timed for value in (*block.singles, _mean(block))])
    axes.set_ylabel("step")
    axes.margins(y=0.12)


def _after(block: Block) -> list[tuple[float, float]]:
    """Single steps stand where they ran: one after another behind the block."""
    at, dots = block.end, []
    for value in block.singles:
        at += value
        dots.append((at, value))
    return dots


def _paint_reading(axes: Any, result: Result, reading: _Reading) -> None:
    for device in _devices(result):
        known = [(one.time, reading.value(one)) for one in result.samples if one.device == device]
        points = [(when, value) for when, value in known if value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=_color(result, device), linewidth=1)
    axes.set_ylabel(reading.label)
    axes.margins(y=0.15)
    if reading.label.startswith("utilisation"):
        axes.set_ylim(-5, 108)


def _paint_bands(axes: Any, result: Result, timed: list[tuple[Leg, Block]]) -> None:
    for _, block in timed:
        if block.left_out:
            axes.axvspan(block.begin, block.end, color=_OUT, alpha=0.22, linewidth=0)
    for begin, end in _held(result.samples):
        axes.axvspan(begin, end, color=_HELD, alpha=0.25, linewidth=0)


def _held(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """The times in which a clocks-event reason was set; idleness is none."""
    spans: list[tuple[float, float]] = []
    for device in dict.fromkeys(one.device for one in samples):
        mine = [one for one in samples if one.device == device]
        began: Union[float, None] = None
        for one in mine:
            held = bool(set(one.reasons) - {"gpu-idle"})
            if held and began is None:
                began = one.time
            if not held and began is not None:
                spans.append((began, one.time))
                began = None
        if began is not None:
            spans.append((began, max(mine[-1].time, began + 0.2)))
    return spans


def _legend(figure: Any, result: Result, timed: list[tuple[Leg, Block]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    signs: list[Any] = [
        Line2D([], [], color=_color(result, device), linewidth=3, label=plain(device)) for device in _devices(result)
    ]
    if any(block.left_out for _, block in timed):
        signs.append(Patch(color=_OUT, alpha=0.3, linewidth=0, label="left out"))
    if _held(result.samples):
        reasons = sorted({name for one in result.samples for name in one.reasons} - {"gpu-idle"})
        signs.append(Patch(color=_HELD, alpha=0.3, linewidth=0, label=f"clocks held down: {plain(', '.join(reasons))}"))
    figure.legend(handles=signs, loc="outside upper right", ncols=min(6, len(signs)), fontsize=8.5)


def timeline_alt(result: Result) -> str:
    timed = _timed(result)
    rows = [*(["step time"] if timed else []), *(one.label.replace("\n", " in ") for one in _readings(result))]
    out = sum(bool(block.left_out) for _, block in timed)
    held = " Red bands: clocks held down." if _held(result.samples) else ""
    return f"Over the run, one below the other: {', '.join(rows)}. {out} of {len(timed)} blocks were left out.{held}"


# Batch sizes


def _points(result: Result) -> dict[str, list[tuple[int, Leg]]]:
    found: dict[str, list[tuple[int, Leg]]] = {}
    for trial in sorted(result.trials, key=lambda one: one.batch_size):
        for leg in trial.legs:
            if leg.figures is not None:
                found.setdefault(leg.device, []).append((trial.batch_size, leg))
    return found


def batches_height(result: Result) -> float:
    sizes = {size for points in _points(result).values() for size, _ in points}
    return 3.3 if len(sizes) > 1 else 0.0


def batches(figure: Any, result: Result) -> None:
    """Step time and its interval against batch size; under each size, what the GPU gains."""
    from matplotlib.ticker import NullLocator

    axes = figure.subplots()
    values = []
    for device, points in _points(result).items():
        steps_ = [leg.figures.step for _, leg in points if leg.figures is not None]
        middle = [one.value for one in steps_]
        error = [[max(0.0, one.value - one.low) for one in steps_], [max(0.0, one.high - one.value) for one in steps_]]
        sizes = [size for size, _ in points]
        axes.errorbar(sizes, middle, error, color=_color(result, device), marker="o", capsize=3, label=plain(device))
        values += middle
    axes.set_xscale("log", base=2)
    axes.margins(x=0.09)
    ticks = sorted({trial.batch_size for trial in result.trials})
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [_tick(result, size) for size in ticks])
    _scale(axes.yaxis, values)
    axes.set_xlabel("batch size")
    axes.set_ylabel("one step")
    axes.grid(linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper right", ncols=6, fontsize=8.5)


def _tick(result: Result, size: int) -> str:
    verdicts = [one for trial in result.trials if trial.batch_size == size for one in trial.verdicts]
    ratios = [f"cpu / {plain(one.device)} = {number(one.ratio.value)}" for one in verdicts if one.ratio is not None]
    return "\n".join([str(size), *ratios[:3]])


def batches_alt(result: Result) -> str:
    said = [
        f"{device}: " + ", ".join(f"{time(leg.figures.step.value)} at {size}" for size, leg in points if leg.figures)
        for device, points in _points(result).items()
    ]
    ratios = [
        f"{one.device} at {trial.batch_size}: {interval(one.ratio)}"
        for trial in result.trials
        for one in trial.verdicts
        if one.ratio is not None
    ]
    return f"Step time against batch size. {'; '.join(said)}. CPU's step over the GPU's: {'; '.join(ratios) or 'none'}."
