"""To paste into an issue on GitHub: short, the facts folded away. No value can act as Markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence

from gpucheck.findings import Report, Severity
from gpucheck.render.causes import Cause, causes, decisive, headline, rehearsal, verdict
from gpucheck.render.details import detail_blocks, skipped_block
from gpucheck.render.formats import Asked, Named
from gpucheck.render.summary import Block, blocks
from gpucheck.render.text import plain, shorten

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
    """The report, findings first."""
    lines = [f"> **{escape(rehearsal(report))}**", ""] if report.simulated else []
    lines += [f"**gpucheck {escape(report.version)}: {report.verdict}**: {escape(headline(report))}", ""]
    for cause in causes(report):
        lines += _finding(cause)
        lines += [f"- explains {code(one.name)}: {escape(one.message)}" for one in cause.follows]
        lines.append("")
    lines += [f"- could not judge {code(one.name)}: {escape(one.reason)}" for one in decisive(report)]
    shown = (*blocks(report.snapshot), *(detail_blocks(report) if verbose else (skipped_block(report),)))
    lines += ["", "<details><summary>Facts</summary>", "", *_facts(shown), "", "</details>", ""]
    lines.append(escape(verdict(report)))
    return "\n".join(lines) + "\n"


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """Each report under its file's name, where there are several."""
    if len(reports) == 1:
        return render(reports[0][1], asked.verbose)
    return "\n".join(f"# {code(file)}\n\n{render(report, asked.verbose)}" for file, report in reports)


_MARK = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def _finding(cause: Cause) -> list[str]:
    finding = cause.finding
    mark = "possible" if finding.remaining else _MARK[finding.severity]
    lines = [f"### {mark}: {escape(finding.name)}", ""]
    for case in (finding, *cause.same):
        lines += [escape(case.message), ""]
    for one in finding.evidence:
        source = f" ({code(one.source)})" if one.source else ""
        lines.append(f"- {escape(one.fact)}: {code(shorten(plain(one.value)))}{source}")
    if finding.fix:
        lines += ["", *fenced([plain(line) for line in finding.fix], "sh"), ""]
    return lines


def _facts(shown: tuple[Block, ...]) -> list[str]:
    rows = [f"{block.title if at == 0 else '':10} {plain(row)}" for block in shown for at, row in enumerate(block.rows)]
    return fenced(rows, "text")
