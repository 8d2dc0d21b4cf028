"""The run over time: step times and, on the same axis, what was read meanwhile. Drawn on a figure that is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Union

from gpucheck.facts.bench import Block, Leg, Result, Sample
from gpucheck.render.bench.axes import MANY, OUT, color_of, devices, mean, scale
from gpucheck.render.text import plain

_HELD = "#d62728"


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
            color = OUT if out else color_of(result, device)
            axes.hlines(
                [mean(one) for one in mine], [one.begin for one in mine], [one.end for one in mine], color, lw=3
            )
            dots = [dot for one in mine for dot in _after(one)]
            many = len(dots) > MANY
            axes.scatter(
                *(zip(*dots, strict=True) if dots else ([], [])), s=5, color=color, linewidths=0, rasterized=many
            )
    scale(axes, "y", [value for _, block in timed for value in (*block.singles, mean(block))])
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
    for device in devices(result):
        known = [(one.time, reading.value(one)) for one in result.samples if one.device == device]
        points = [(when, value) for when, value in known if value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=color_of(result, device), linewidth=1)
    axes.set_ylabel(reading.label)
    axes.margins(y=0.15)
    if reading.label.startswith("utilisation"):
        axes.set_ylim(-5, 108)


def _paint_bands(axes: Any, result: Result, timed: list[tuple[Leg, Block]]) -> None:
    for _, block in timed:
        if block.left_out:
            axes.axvspan(block.begin, block.end, color=OUT, alpha=0.22, linewidth=0)
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
        Line2D([], [], color=color_of(result, device), linewidth=3, label=plain(device)) for device in devices(result)
    ]
    if any(block.left_out for _, block in timed):
        signs.append(Patch(color=OUT, alpha=0.3, linewidth=0, label="left out"))
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
