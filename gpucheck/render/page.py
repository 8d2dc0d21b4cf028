"""A page of plain lines, painted by rich: what the terminal formats are written on."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich.console import Console
from rich.text import Text

from gpucheck.render.text import plain

TITLE = 11  # width of the column of titles
_NARROW = 60  # below, titles stand above their text


def painted(paint: Callable[[Console], None], width: int, color: bool) -> str:
    """Text of a page that `paint` prints on.

    Parameters
    ----------
    width: columns, at least 20.
    color: with ANSI colours.
    """
    page = StringIO()
    console = Console(
        file=page,
        width=max(width, 20),
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    paint(console)
    return "\n".join(line.rstrip() for line in page.getvalue().split("\n"))


def hang(
    console: Console, title: str, title_style: str, text: str, *, indent: int = 0, style: str = "", column: int = TITLE
) -> None:
    """A title in its column and a text beside it, wrapped under itself; on a narrow screen under the title.

    Blanks in front of the text are kept, in front of every line.
    """
    narrow = console.width < _NARROW and column > 0
    column = 2 if narrow else column
    pad = " " * indent
    if narrow and title:
        console.print(Text(pad + title, style=title_style), soft_wrap=True)
    inner = " " * (len(text) - len(text.lstrip(" ")))
    room = max(10, console.width - indent - column - len(inner))
    for at, line in enumerate(Text(plain(text.strip(" ")), style=style).wrap(console, room)):
        front = title if at == 0 and not narrow else ""
        line.rstrip()
        gap = " " * max(1, column - len(front)) if column else ""
        console.print(Text.assemble(pad, (front, title_style), gap, inner, line), soft_wrap=True)
