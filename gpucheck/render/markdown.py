"""To paste into an issue on GitHub: short, the facts folded away. No value can act as Markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence

from gpucheck.findings import Evidence, Report, Severity
from gpucheck.render.causes import MARK, Cause, causes, decisive, headline, rehearsal, verdict
from gpucheck.render.details import detail_blocks, skipped_block
from gpucheck.render.formats import Asked, Named
from gpucheck.render.summary import Block, blocks
from gpucheck.render.text import count, plain, shorten, whole

_SPECIAL = {**{sign: f"\\{sign}" for sign in "\\`*_{}[]|~$"}, "&": "&amp;", "<": "&lt;", ">": "&gt;"}
# An empty comment keeps "@name" from calling someone and "#12" from linking an issue.
_SPECIAL |= {"@": "@<!-- -->", "#": "#<!-- -->"}


def escape(text: str) -> str:
    """Prose: every sign that GitHub's Markdown or HTML acts on, made a sign again."""
    return "".join(_SPECIAL.get(sign, sign) for sign in plain(text)).replace("://", ":<!-- -->//")


def code(text: str) -> str:
    """A code span, fenced by more backticks than the text has in a row."""
    line = plain(text)
    fence = _fence(line, 1)
    pad = " " if line[:1] in ("`", "") or line[-1:] in ("`", " ") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _fence(text: str, least: int) -> str:
    longest = run = 0
    for sign in text:
        run = run + 1 if sign == "`" else 0
        longest = max(longest, run)
    return "`" * max(least, longest + 1)


def fenced(lines: list[str], language: str) -> list[str]:
    """Plain lines as a block of code that none of them can end."""
    fence = _fence("\n".join(lines), 3)
    return [f"{fence}{language}", *lines, fence]


def render(report: Report, verbose: bool = False) -> str:
    """The report, findings first. Evidence is folded away, but for the first finding's; so are notes, and the facts."""
    lines = [f"> **{escape(rehearsal(report))}**", ""] if report.simulated else []
    lines += [f"**gpucheck {escape(report.version)}: {report.verdict}** ({escape(verdict(report).partition(': ')[2])})"]
    every = causes(report)
    notes = [one for one in every if one.finding.severity is Severity.INFO and not one.finding.remaining]
    told = [one for one in every if one not in notes]
    if not told or report.verdict == "unknown":
        lines[-1] += f": {escape(headline(report))}"
    lines.append("")
    for cause in told:
        lines += _finding(cause, _SHOWN if cause is told[0] else 0)
    lines += _notes(notes)
    unjudged = decisive(report)
    lines += [f"- could not judge {code(one.name)}: {_prose(one.reason)}" for one in unjudged[:_MOST_UNJUDGED]]
    if len(unjudged) > _MOST_UNJUDGED:
        lines.append(f"- and {count(len(unjudged) - _MOST_UNJUDGED, 'more rule')}")
    shown = (*blocks(report.snapshot), *(detail_blocks(report) if verbose else (skipped_block(report),)))
    return "\n".join([*lines, *([""] if lines[-1] else []), *_folded("Facts", _facts(shown))])


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """Each report under its file's name, where there are several."""
    if len(reports) == 1:
        return render(reports[0][1], asked.verbose)
    return "\n".join(f"# {code(file)}\n\n{render(report, asked.verbose)}" for file, report in reports)


_SHOWN = 4  # pieces of evidence
_MOST_UNJUDGED = 10
_MOST_WORDS = 2000  # characters of a message
_MOST_FACTS = 40_000  # characters: GitHub takes an issue of 65,536


def _finding(cause: Cause, shown: int) -> list[str]:
    finding = cause.finding
    mark = "possible" if finding.remaining else MARK[finding.severity]
    lines = [f"### {mark}: {escape(finding.name)}", ""]
    for case in (finding, *cause.same):
        lines += [_prose(case.message), ""]
    evidence = [_evidence(one) for one in finding.evidence]
    shown = len(evidence) if len(evidence) == shown + 1 else shown
    lines += [*evidence[:shown], ""] if evidence[:shown] else []
    if evidence[shown:]:
        lines += _folded(count(len(evidence) - shown, "more fact") if shown else "Evidence", evidence[shown:])
    if finding.fix:
        lines += [*fenced([whole(line) for line in finding.fix], "sh"), ""]
    lines += [f"- explains {code(one.name)}: {_prose(one.message)}" for one in cause.follows]
    return [*lines, ""] if cause.follows else lines


def _evidence(one: Evidence) -> str:
    source = f" ({code(shorten(plain(one.source)))})" if one.source else ""
    return f"- {escape(one.fact)}: {code(shorten(plain(one.value)))}{source}"


def _notes(notes: list[Cause]) -> list[str]:
    lines = [line for cause in notes for line in _finding(cause, len(cause.finding.evidence))]
    return _folded(count(len(notes), "note"), lines) if notes else []


def _prose(text: str) -> str:
    return escape(shorten(plain(text), _MOST_WORDS))


def _folded(title: str, lines: list[str]) -> list[str]:
    """Blank lines around, or what is inside is not read as Markdown."""
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _facts(shown: tuple[Block, ...]) -> list[str]:
    rows = [f"{block.title if at == 0 else '':10} {plain(row)}" for block in shown for at, row in enumerate(block.rows)]
    rows = [shorten(row, 1000) for row in rows]
    size = 0
    for at, row in enumerate(rows):
        size += len(row) + 1
        if size > _MOST_FACTS:
            rows[at:] = [f"... and {count(len(rows) - at, 'line')} more (--format json)"]
            break
    return fenced(rows, "text")
