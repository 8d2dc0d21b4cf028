"""For people at a terminal: what is new and what explains it, what is gone, then what else differs."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from gpucheck.differing.difference import Case, Difference
from gpucheck.findings import Severity
from gpucheck.render.diff import words
from gpucheck.render.diff.words import Asked
from gpucheck.render.page import hang, painted
from gpucheck.render.text import plain, shorten

_STYLE = {"ok": "bold green", "warning": "bold yellow", "error": "bold red", "unknown": "bold magenta"}
_SEVERITY = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
_MOST = 300


def render(told: Difference, asked: Asked) -> str:
    return painted(lambda console: _paint(console, told, asked), asked.width, asked.color)


def _paint(console: Console, told: Difference, asked: Asked) -> None:
    verdict = words.verdict(told, asked)
    headline = shorten(plain(words.headline(told)), _MOST)
    hang(console, verdict.upper(), _STYLE[verdict], headline, style="bold")
    console.print()
    for title, text in words.sides(told):
        hang(console, title, "bold", shorten(plain(text), _MOST))
    for remark in told.remarks:
        hang(console, "note", "bold yellow", remark)
    for case in words.moved(told):
        console.print()
        _case(console, told, case, asked)
    _others(console, told, asked)
    _rest(console, told, asked)
    console.print()
    console.print(Text(plain(words.closing(told, asked)), style=_STYLE[verdict]), soft_wrap=True)


def _case(console: Console, told: Difference, case: Case, asked: Asked) -> None:
    gone = case.state in ("gone", "better")
    style = "bold green" if gone else _SEVERITY[case.finding.severity]
    console.print(
        Text.assemble((words.state(case).upper(), style), "  ", (plain(case.finding.name), "bold")), soft_wrap=True
    )
    hang(console, "", "", case.finding.message, indent=2, column=0)
    for line in words.why(told, case, asked.verbose):
        hang(console, line.title, "dim", shorten(plain(line.text), _MOST), indent=2)
        for entry in line.more:
            hang(console, "", "", f"  {shorten(plain(entry), _MOST)}", indent=2)
    for at, follower in enumerate(words.followers(told, case)):
        hang(console, "" if at else "with it", "dim", f"{words.state(follower)}: {follower.finding.name}", indent=2)
    if not gone:
        _fix(console, case.finding.fix)
        more = Text.assemble(("  more       ", "dim"), f"gpucheck explain {plain(case.finding.name)}")
        console.print(more, soft_wrap=True)


def _fix(console: Console, fix: tuple[str, ...]) -> None:
    if fix:
        console.print(Text("  fix", style="dim"), soft_wrap=True)
    for line in fix:
        console.print(Text(f"    {plain(line)}", style="dim" if line.startswith("#") else "green"), soft_wrap=True)


def _others(console: Console, told: Difference, asked: Asked) -> None:
    shown, left = words.others(told, asked.verbose)
    if not shown and not left:
        return
    console.print()
    explaining = any(change.explains for change in told.changes)
    console.print(Text("Other changes" if explaining else "Changes", style="bold"), soft_wrap=True)
    for subject, changes in words.by_subject(shown).items():
        for at, change in enumerate(changes):
            title = subject if at == 0 else ""
            text = words.sentence(change) if not change.same or len(change.details) < 2 else f"{change.name}:"
            hang(console, title, "dim", shorten(plain(text), _MOST), column=14)
            for entry in change.details if (change.same and len(change.details) > 1) or asked.verbose else ():
                hang(
                    console, "", "", f"  {shorten(plain(entry), _MOST)}", column=14, style="" if change.same else "dim"
                )
    if left:
        hang(console, "", "", left, style="dim", column=2)


def _rest(console: Console, told: Difference, asked: Asked) -> None:
    rows = [*words.stayed(told), *words.unknown(told), *words.judging(told)]
    if rows:
        console.print()
        console.print(Text("Still there, and not known", style="bold"), soft_wrap=True)
    for row in rows:
        hang(console, "", "", shorten(plain(row), 10_000 if asked.verbose else _MOST), column=2)
