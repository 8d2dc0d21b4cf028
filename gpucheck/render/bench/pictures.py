"""Pictures of a result, by matplotlib: PNG or SVG. The only module that loads it, and without its global state.

What is in a picture: panels.py, timeline.py. Colours of text and grid can be left to the page that a picture stands on.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union

from gpucheck.facts.bench import Result
from gpucheck.render.bench import panels, timeline
from gpucheck.render.bench.answer import answer
from gpucheck.render.bench.axes import drawable
from gpucheck.render.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

WIDTH = 9.0  # inches
_DPI = 150
# Stand for the page's own colours in an SVG that becomes part of it.
INK, GRID = "#010203", "#040506"


class NoPictures(Exception):
    """matplotlib is not there; the message says what brings it."""


class Picture(NamedTuple):
    """One drawing for a page. alt: what it shows, in words; svg: with `INK` and `GRID` where the page has a say."""

    name: str
    title: str
    alt: str
    svg: str


class _Kind(NamedTuple):
    title: str
    height: Callable[[Result], float]  # inches; 0: there is nothing to draw
    paint: Callable[[Any, Result], None]
    alt: Callable[[Result], str]


_KINDS = {
    "steps": _Kind("Step time by device", panels.steps_height, panels.steps, panels.steps_alt),
    "timeline": _Kind("Over the run", timeline.timeline_height, timeline.timeline, timeline.timeline_alt),
    "batches": _Kind("Step time by batch size", panels.batches_height, panels.batches, panels.batches_alt),
}


def draw(result: Result, form: Literal["png", "svg"]) -> bytes:
    """All that there is to see, one below the other, under the answer.

    Raises
    ------
    NoPictures: matplotlib is not installed.
    """
    result = drawable(result)
    with _drawing("#1a1a1a", "#d8d8d8", "path") as make:
        kinds = [(kind, height) for kind in _KINDS.values() if (height := kind.height(result)) > 0]
        head = _headline(result)
        top = 0.3 + 0.22 * len(head)
        heights = [top, *(height for _, height in kinds)]
        figure = make(sum(heights), "white")
        parts = _split(figure, heights)
        parts[0].text(0.02, 0.55, "\n".join(head), fontsize=11, va="center", color="#1a1a1a")
        for part, (kind, _) in zip(parts[1:], kinds, strict=True):
            _titled(part, kind, result)
        return _saved(figure, form)


def separate(result: Result) -> tuple[Picture, ...]:
    """Each picture alone, for a page. Raises `NoPictures`."""
    made = []
    result = drawable(result)
    with _drawing(INK, GRID, "none") as make:
        for name, kind in _KINDS.items():
            height = kind.height(result)
            if height > 0:
                figure = make(height, "none")
                kind.paint(figure, result)
                made.append(Picture(name, kind.title, plain(kind.alt(result)), _saved(figure, "svg").decode("utf-8")))
    return tuple(made)


@contextmanager
def _drawing(ink: str, grid: str, font: str) -> Iterator[Callable[[float, str], Figure]]:
    log = logging.getLogger("matplotlib")
    loud = log.level
    log.setLevel(logging.ERROR)  # a home that cannot be written, a missing font: nothing that a reader could use
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError as error:
        log.setLevel(loud)
        raise NoPictures(f"pictures need matplotlib, which the extra gpucheck-cli[plot] brings ({error})") from error
    settings: Any = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
        "font.size": 9,
        "text.parse_math": False,  # a device's name is no formula
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": grid,
        "axes.titlecolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "grid.color": grid,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": "none",
        "svg.fonttype": font,
        "svg.hashsalt": "gpucheck",
        "legend.frameon": False,
    }

    def make(height: float, ground: str) -> Figure:
        return Figure(figsize=(WIDTH, height), dpi=_DPI, facecolor=ground, layout="constrained")

    # The user's own matplotlibrc (usetex, another font) counts for nothing here.
    with warnings.catch_warnings(), style.context(["default", settings]):
        warnings.simplefilter("ignore")  # a sign that the font lacks becomes a box, not a line on standard error
        try:
            yield make
        finally:
            log.setLevel(loud)


def _split(figure: Figure, heights: list[float]) -> list[SubFigure]:
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    return [row[0] for row in parts]


def _titled(part: SubFigure, kind: _Kind, result: Result) -> None:
    part.set_facecolor("none")
    part.suptitle(kind.title, x=0.02, ha="left", fontsize=10, fontweight="bold")
    kind.paint(part, result)


def _headline(result: Result) -> list[str]:
    """The answer in lines that fit."""
    said = [f"{one.title}: {one.text}" for one in answer(result) if one.kind != "reason"]
    lines = [line for text in said for line in wrap(plain(text), 98)]
    return lines[:12] or ["Nothing was measured."]


def _saved(figure: Figure, form: str) -> bytes:
    page = BytesIO()
    metadata: dict[str, Union[str, None]] = {"Date": None} if form == "svg" else {"Software": "gpucheck"}
    figure.savefig(page, format=form, metadata=metadata, dpi=_DPI)
    return page.getvalue()
