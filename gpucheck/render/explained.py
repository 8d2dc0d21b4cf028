"""One pasted line, explained: what it means, whether it is harmless, what to look at, which cause it settles."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from gpucheck.compat.codes import Code
from gpucheck.facts.log import Clue
from gpucheck.findings import OPEN, Finding, Report
from gpucheck.logs.messages import by_name
from gpucheck.render.page import hang, painted
from gpucheck.render.text import plain, shorten

_COLUMN = 10
_OWN = ("ok-harmless-log-line", OPEN)  # said beside the line itself


def render(report: Report, codes: Sequence[Code] = (), width: int = 80, color: bool = False) -> str:
    """What gpucheck knows of the lines of a report's log, one after the other, and what follows from all of them."""
    return painted(lambda console: _paint(console, report, codes), width, color)


def _paint(console: Console, report: Report, codes: Sequence[Code]) -> None:
    clues = report.snapshot.log.clues if report.snapshot.log is not None else ()
    for text in dict.fromkeys(clue.text for clue in clues):
        hang(console, "", "", shorten(plain(text)), column=0, style="dim")
        for clue in clues:
            if clue.text == text:
                _paint_clue(console, clue)
        console.print()
    for code in codes:
        _paint_code(console, code)
        console.print()
    findings = [finding for finding in report.findings if finding.name not in _OWN]
    for finding in findings:
        _paint_finding(console, finding)
    if clues and not findings:
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
    _paint_lines(console, "look at", message.look)
    if message.source:
        hang(console, "known as", "dim", f"{message.name} ({message.source})", column=_COLUMN, style="dim")


def _paint_code(console: Console, code: Code) -> None:
    hang(console, "code", "bold", f"{code.name} ({code.number}): {code.meaning}", column=_COLUMN)
    hang(console, "usually", "dim", code.advice.causes, column=_COLUMN)
    _paint_lines(console, "look at", code.advice.check)


def _paint_lines(console: Console, title: str, lines: Sequence[str]) -> None:
    """Commands, whole, as they are typed."""
    for at, line in enumerate(lines):
        style = "dim" if line.startswith("#") else "green"
        console.print(Text.assemble((f"{'' if at else title:{_COLUMN}}", "dim"), (plain(line), style)), soft_wrap=True)


def _paint_finding(console: Console, finding: Finding) -> None:
    title = "possible" if finding.remaining else "cause"
    hang(console, title, "bold", f"{finding.name}: {finding.message}", column=_COLUMN)
    _paint_lines(console, "to decide" if finding.remaining else "fix", finding.fix)
    hang(console, "more", "dim", f"gpucheck explain {finding.name}", column=_COLUMN)
