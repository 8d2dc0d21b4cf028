"""For people at a terminal: the verdict, one screen of facts, then causes with evidence and commands to copy.

Every string of the machine passes `plain` and is laid out as `rich.text.Text`, so it is never read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from gpucheck.findings import OPEN, Finding, Report, Severity
from gpucheck.render.causes import MARK, Cause, causes, decisive, headline, rehearsal, verdict
from gpucheck.render.details import detail_blocks, skipped_block
from gpucheck.render.formats import Asked, Named
from gpucheck.render.page import TITLE, hang, painted
from gpucheck.render.summary import Block, blocks
from gpucheck.render.text import count, plain, shorten

STYLE = {"ok": "bold green", "warning": "bold yellow", "error": "bold red", "unknown": "bold magenta"}
_SEVERITY = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
_MOST_EVIDENCE = 4


def render(report: Report, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """The whole answer.

    Parameters
    ----------
    width: columns; commands are never wrapped, so they may be longer.
    color: with ANSI colours.
    verbose: every copy, reading, probe and rule.
    """
    return painted(lambda console: paint(console, report, verbose), width, color)


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """Each report under its file's name, where there are several."""
    pages = [render(report, asked.width, asked.color, asked.verbose) for _, report in reports]
    if len(pages) == 1:
        return pages[0]
    return "\n".join(f"== {plain(file)}\n\n{page}" for (file, _), page in zip(reports, pages, strict=True))


def paint(console: Console, report: Report, verbose: bool = False) -> None:
    """Print the report on any console (the pictures of the documentation are made with this, too)."""
    if report.simulated:
        _paint_rehearsal(console, report)
        console.print()
    hang(console, report.verdict.upper(), STYLE[report.verdict], headline(report), style="bold")
    console.print()
    for block in (*blocks(report.snapshot), *(detail_blocks(report) if verbose else ())):
        _paint_block(console, block, verbose)
    for cause in causes(report):
        console.print()
        paint_cause(console, cause, verbose)
    _paint_skipped(console, report)
    console.print()
    console.print(Text(verdict(report), style=STYLE[report.verdict]), soft_wrap=True)
    if report.simulated:
        console.print()
        _paint_rehearsal(console, report)


def _paint_rehearsal(console: Console, report: Report) -> None:
    """First and last: of a long page only one end is seen."""
    hang(console, "", "", rehearsal(report), style="bold reverse", column=0)


def _paint_block(console: Console, block: Block, verbose: bool) -> None:
    for at, row in enumerate(block.rows):
        hang(console, block.title if at == 0 else "", "bold", plain(row) if verbose else shorten(plain(row), 400))


def paint_cause(console: Console, cause: Cause, verbose: bool = False) -> None:
    """One cause: what is wrong, how one knows, and the fix."""
    finding = cause.finding
    _paint_heading(console, finding)
    for case in (finding, *cause.same):
        hang(console, "", "", case.message, indent=2, column=0)
    every = [one for case in (finding, *cause.same) for one in case.evidence]
    shown = every if verbose else every[: min(_MOST_EVIDENCE, len(finding.evidence))]
    if finding.severity is Severity.INFO and not finding.remaining and not verbose:
        shown = []
    for at, one in enumerate(shown):
        source = f"  ({plain(one.source)})" if one.source else ""
        text = f"{plain(one.fact)}: {shorten(plain(one.value))}{source}"
        hang(console, "" if at else "evidence", "dim", text, indent=2)
    if 0 < len(shown) < len(every):
        hang(console, "", "", f"and {len(every) - len(shown)} more (--verbose)", indent=2, style="dim")
    _paint_fix(console, finding.fix, "to decide" if finding.remaining else "fix")
    for at, follower in enumerate(cause.follows):
        text = f"{plain(follower.name)}: {plain(follower.message)}"
        hang(console, "" if at else "explains", "dim", text, indent=2)
    more = Text.assemble(("  more       ", "dim"), f"gpucheck explain {plain(finding.name)}")
    console.print(more, soft_wrap=True)


def _paint_heading(console: Console, finding: Finding) -> None:
    severity = (MARK[finding.severity].upper(), _SEVERITY[finding.severity])
    if finding.remaining:
        severity = ("POSSIBLE", STYLE["unknown"])
    console.print(Text.assemble(severity, "  ", (plain(finding.name), "bold")), soft_wrap=True)


def _paint_fix(console: Console, fix: tuple[str, ...], title: str) -> None:
    """Each line alone on its own, unwrapped whatever its length: it is copied whole. A comment, too, for its second
    half would be run."""
    if fix:
        console.print(Text(f"  {title}", style="dim"), soft_wrap=True)
    for line in fix:
        console.print(Text(f"    {plain(line)}", style="dim" if line.startswith("#") else "green"), soft_wrap=True)


def _paint_skipped(console: Console, report: Report) -> None:
    if not report.skipped:
        return
    # What a log leaves open is a finding, and the first line says it.
    matter = report._replace(skipped=tuple(one for one in decisive(report) if one.name != OPEN))
    rest = sum(not one.decisive for one in report.skipped)
    if not matter.skipped and not rest:
        return
    console.print()
    if matter.skipped:
        console.print(Text("Could not be judged", style="bold magenta"), soft_wrap=True)
    for row in skipped_block(matter).rows:
        hang(console, "", "", shorten(plain(row), 600))
    if rest:
        less = f"{count(rest, 'rule')} of less weight could not be judged (--verbose tells why)"
        hang(console, "", "", less, style="dim", column=TITLE if matter.skipped else 0)
