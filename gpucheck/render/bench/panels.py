"""Step times by device and by batch size, drawn on figures that are handed in. matplotlib's parts are loaded on use."""

from __future__ import annotations

from textwrap import wrap
from typing import Any, NamedTuple

from gpucheck.facts.bench import Leg, Result, Trial
from gpucheck.render.bench.amounts import interval, number, step, time
from gpucheck.render.bench.axes import MANY, OUT, color_of, mean, scale
from gpucheck.render.bench.strip import times
from gpucheck.render.text import plain

_MOST_ROWS = 16


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
    shown = [value for row in rows for block in row.leg.blocks for value in (*block.singles, mean(block))]
    for at, row in enumerate(rows):
        color = color_of(result, row.leg.device)
        _dots(axes, at, row.leg, color)
        figures, single = row.leg.figures, times(row.leg)
        middle = figures.step.value if figures else sorted(single)[len(single) // 2] if single else None
        if middle is not None:
            axes.plot([middle, middle], [at - 0.34, at + 0.34], color=color, linewidth=2)
            axes.annotate(time(middle), (middle, at - 0.36), ha="center", va="bottom", fontsize=8.5, fontweight="bold")
    scale(axes, "x", shown)
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
        means = [mean(block) for block in blocks]
        paint = OUT if out else color
        # Spread by the golden ratio: as even as chance would have it be, and the same each time.
        heights = [at + 0.28 * (2 * ((place * 0.6180339887) % 1) - 1) for place in range(len(singles))]
        many = len(singles) > MANY
        axes.scatter(singles, heights, s=9, color=paint, alpha=0.45, linewidths=0, rasterized=many)
        axes.scatter(means, [at] * len(means), s=26, marker="D", facecolors="none", edgecolors=paint, linewidths=1.1)


def steps_alt(result: Result) -> str:
    said = [
        f"{row.label if row.several else f'{row.leg.device}, {row.leg.name}'}: {step(row.leg.figures.step)}"
        for row in _rows(result)
        if row.leg.figures is not None
    ]
    return f"Dots on a time axis, one row a device. Medians: {'; '.join(said) or 'none'}."


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
        axes.errorbar(sizes, middle, error, color=color_of(result, device), marker="o", capsize=3, label=plain(device))
        values += middle
    axes.set_xscale("log", base=2)
    axes.margins(x=0.09)
    ticks = sorted({trial.batch_size for trial in result.trials})
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [_tick(result, size) for size in ticks])
    scale(axes, "y", values)
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
