"""A smoke test for people: the verdict, a line for each part, then doctor's causes with their fixes."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from gpucheck.render import terminal
from gpucheck.render.page import hang, painted
from gpucheck.render.smoke.words import closing, headline, loud, serious
from gpucheck.render.text import plain, shorten
from gpucheck.smoke.result import Smoke

_STYLE = {**terminal.STYLE, "not-run": "dim"}


def render(smoke: Smoke, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """verbose: doctor's whole report."""
    return painted(lambda console: _paint(console, smoke, verbose), width, color)


def _paint(console: Console, smoke: Smoke, verbose: bool) -> None:
    _paint_loud(console, smoke)
    said = headline(smoke)
    hang(console, smoke.verdict.upper(), _STYLE[smoke.verdict], shorten(plain(said), 300), style="bold")
    console.print()
    for part in smoke.parts:
        outcome = part.outcome.replace("not-run", "not run")
        seconds = f" ({part.seconds:.1f} s)" if part.seconds else ""
        words = "" if part.said in said else f": {shorten(plain(part.said), 400)}"  # the headline has said it
        hang(console, part.name, "bold", f"{outcome}{words}{seconds}")
    if smoke.report is not None and verbose:
        console.print()
        terminal.paint(console, smoke.report._replace(simulated=""), verbose)
    elif smoke.report is not None:
        for cause in serious(smoke):
            console.print()
            terminal.paint_cause(console, cause)
        _paint_expected(console, smoke)
    console.print()
    console.print(Text(closing(smoke), style=_STYLE[smoke.verdict]), soft_wrap=True)
    _paint_loud(console, smoke)


def _paint_expected(console: Console, smoke: Smoke) -> None:
    """That a file was read which decides with."""
    found = smoke.report.find("expectations-applied") if smoke.report else None
    if found is not None:
        console.print()
        hang(console, "expected", "bold", plain(found.message))


def _paint_loud(console: Console, smoke: Smoke) -> None:
    if smoke.simulated:
        hang(console, "", "", loud(smoke), style="bold reverse", column=0)
