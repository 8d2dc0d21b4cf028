"""For people at a terminal: the sentence, the table, the distributions, then what it rests on.

Every string of the machine passes `plain` and is laid out as `rich.text.Text`, so it is never read as markup.
"""

from __future__ import annotations

from functools import partial
from typing import Union

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from gpucheck.facts.bench import Result
from gpucheck.render.bench.amounts import time
from gpucheck.render.bench.answer import answer
from gpucheck.render.bench.figures import ABSENT, Table, batches, devices
from gpucheck.render.bench.sections import blocks
from gpucheck.render.bench.strip import Axis, Strip, strips
from gpucheck.render.page import hang, painted
from gpucheck.render.summary import Block
from gpucheck.render.text import plain, shorten

_STYLE = {
    "faster": "bold green",
    "same": "bold cyan",
    "slower": "bold red",
    "cannot-tell": "bold magenta",
    "loud": "bold reverse yellow",
    "failed": "bold red",
    "cpu": "bold cyan",
    "reason": "",
}
_NARROW = 60  # below, tables are stacked, as titles stand above their text
_hang = partial(hang, column=14)
_MEDIAN = 10  # room for a strip's median behind it


def render(result: Result, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """The whole answer.

    Parameters
    ----------
    width: columns.
    color: with ANSI colours.
    verbose: every block of steps, reading and setting.
    """
    return painted(lambda console: paint(console, result, verbose), width, color)


def paint(console: Console, result: Result, verbose: bool = False) -> None:
    """Print the result on any console."""
    for said in answer(result):
        _hang(console, said.title, _STYLE[said.kind], said.text, style="" if said.kind == "reason" else "bold")
    if result.trials and result.trials[0].legs:
        console.print()
        _paint_table(console, devices(result.trials[0]))
        _paint_strips(console, result)
    sweep = batches(result)
    if sweep is not None:
        console.print()
        _paint_table(console, sweep)
    console.print()
    for block in blocks(result, verbose, "" if verbose else "; --verbose tells more"):
        _paint_block(console, block, verbose)


def _paint_block(console: Console, block: Block, verbose: bool) -> None:
    for at, row in enumerate(block.rows):
        text = row if verbose else shorten(row, 600)
        _hang(console, block.title if at == 0 else "", "bold", text)


def _paint_table(console: Console, table: Table) -> None:
    gap = _gap(table, console.width)
    if gap is None or console.width < _NARROW:
        _paint_stack(console, table)
        return
    grid = Grid(box=None, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    for at, column in enumerate(table.columns):
        heading = Text(plain_lines(column.short), style="bold")
        grid.add_column(heading, justify="left" if at == 0 else "right", vertical="bottom", no_wrap=True)
    for row in table.rows:
        grid.add_row(*(Text(plain(cell), style="" if at else "bold") for at, cell in enumerate(row)))
    console.print(grid)


def _gap(table: Table, width: int) -> Union[int, None]:
    """Columns between columns; None where the table does not fit."""
    widest = [
        max(len(plain(text)) for text in (*column.short.split("\n"), *(row[at] for row in table.rows)))
        for at, column in enumerate(table.columns)
    ]
    return next((gap for gap in (2, 1) if sum(widest) + gap * (len(widest) - 1) <= width), None)


def plain_lines(text: str) -> str:
    """A heading may have two lines; each is plain."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _paint_stack(console: Console, table: Table) -> None:
    for heading, *cells in table.rows:
        console.print(Text(f"{plain(table.columns[0].short)} {plain(heading)}".strip(), style="bold"), soft_wrap=True)
        for column, cell in zip(table.columns[1:], cells, strict=True):
            if cell != ABSENT:
                name = plain(column.short.replace("/\n", "/").replace("\n/", "/").replace("\n", " "))
                _hang(console, "", "", f"{name.split(' (')[0]}: {cell}", column=2)


def _paint_strips(console: Console, result: Result) -> None:
    legs = result.trials[0].legs
    label = max((len(plain(leg.device)) for leg in legs), default=0)
    found = strips(legs, console.width - label - 3 - _MEDIAN)
    if found is None:
        return
    axis, drawn = found
    what = "single steps" if all(one.single for one in drawn) else "blocks' means"
    console.print()
    _hang(console, "", "", f"{what}{_scale(axis)}, | median: {_numbers(drawn)}", style="dim", column=0)
    for one in drawn:
        line = Text.assemble(
            (plain(one.device).ljust(label), "bold"), " [", (one.line, "cyan"), "]", f" {time(one.median)}"
        )
        console.print(line, soft_wrap=True)
    low, high = time(axis.low), time(axis.high)
    room = len(drawn[0].line) - len(low)
    console.print(Text(" " * (label + 2) + low + high.rjust(max(room, len(high) + 1)), style="dim"), soft_wrap=True)


def _scale(axis: Axis) -> str:
    return " on a logarithmic axis" if axis.logarithmic else ""


def _numbers(drawn: tuple[Strip, ...]) -> str:
    return ", ".join(f"{plain(one.device)} {one.times}" for one in drawn)
