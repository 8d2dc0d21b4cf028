"""A page of plain lines, painted by rich: what both terminal formats are written on."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich.console import Console


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
