"""One pasted line, explained: what it means, whether it is harmless, what to look at, which cause it settles."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from gpucheck.facts.log import Clue
from gpucheck.findings import OPEN, Finding, Report
from gpucheck.logs.messages import by_name
from gpucheck.render.page import hang, painted
from gpucheck.render.text import plain, shorten

_COLUMN = 10
_OWN = ("ok-harmless-log-line", OPEN)  # said beside the line itself


def render(report: Report, width: int = 80, color: bool = False) -> str:
    """What gpucheck knows of the lines of a report's log, one after the other, and what follows from all of them."""
    return painted(lambda console: _paint(console, report), width, color)


def _paint(console: Console, report: Report) -> None:
    clues = report.snapshot.log.clues if report.snapshot.log is not None else ()
    for text in dict.fromkeys(clue.text for clue in clues):
        hang(console, "", "", shorten(plain(text)), column=0, style="dim")
        for clue in clues:
            if clue.text == text:
                _paint_clue(console, clue)
        console.print()
    findings = [finding for finding in report.findings if finding.name not in _OWN]
    for finding in findings:
        _paint_finding(console, finding)
    if not findings:
        harmless = all(by_name()[clue.message].harmless for clue in clues)
        says = "no cause of anything" if harmless else "by itself no cause; the lines around it say more"
        hang(console, "cause", "dim", says, column=_COLUMN)


def _paint_clue(console: Console, clue: Clue) -> None:
    message = by_name()[clue.message]
    hang(console, "means", "dim", message.meaning, column=_COLUMN)
    if message.harmless:
        hang(console, "harmless", "bold green", message.harmless, column=_COLUMN)
    for at, (name, value) in enumerate(clue.values):
        hang(console, "" if at else "says", "dim", f"{name}: {value}", column=_COLUMN)
    for at, line in enumerate(message.look):
        front = "look at" if at == 0 else ""
        console.print(Text.assemble((f"{front:{_COLUMN}}", "dim"), (plain(line), "green")), soft_wrap=True)
    if message.source:
        hang(console, "known as", "dim", f"{message.name} ({message.source})", column=_COLUMN, style="dim")


def _paint_finding(console: Console, finding: Finding) -> None:
    title = "possible" if finding.remaining else "cause"
    hang(console, title, "bold", f"{finding.name}: {finding.message}", column=_COLUMN)
    for line in finding.fix:
        style = "dim" if line.startswith("#") else "green"
        console.print(Text.assemble(" " * _COLUMN, (plain(line), style)), soft_wrap=True)
    hang(console, "more", "dim", f"gpucheck explain {finding.name}", column=_COLUMN)
