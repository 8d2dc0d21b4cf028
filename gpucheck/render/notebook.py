"""HTML for Jupyter: self-contained, no script, everything escaped, readable on light and on dark.

Of the pieces of all pages (gpucheck/render/web), but without their style sheet: it would style the whole notebook.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from gpucheck.findings import Finding, Report, Severity
from gpucheck.render.causes import MARK, Cause, causes, decisive, headline, rehearsal, verdict
from gpucheck.render.details import skipped_block
from gpucheck.render.summary import Block, blocks
from gpucheck.render.text import plain, shorten
from gpucheck.render.web.pieces import add, commands, element, folding, text_of, words

# Colours of the middle: enough contrast on white and on near-black; text keeps the notebook's own colour.
_COLOR = {"ok": "#2e9e4f", "warning": "#c07a00", "error": "#d9534f", "unknown": "#a05cc5"}
_SEVERITY = {Severity.ERROR: _COLOR["error"], Severity.WARNING: _COLOR["warning"], Severity.INFO: "#3b8eb8"}
_PRE = "white-space:pre-wrap;overflow-wrap:anywhere;margin:.4em 0;padding:.4em .6em;background:rgba(128,128,128,.15)"
_LOUD = "font-weight:bold;padding:.4em .6em;border:3px dashed #a05cc5"


def render(report: Report) -> str:
    """The report as one ``<div>``."""
    color = f"color:{_COLOR[report.verdict]}"
    page = element("div", style="max-width:60em;line-height:1.4;color:inherit")
    if report.simulated:
        add(page, "p", rehearsal(report), style=_LOUD)
    said = add(page, "p")
    add(said, "strong", report.verdict.upper(), style=color)
    words(said, f" {headline(report)}")
    for cause in causes(report):
        _cause(page, cause)
    for one in decisive(report):
        add(page, "p", f"Could not judge {one.name}: {one.reason}")
    _table(folding(page, "Facts"), (*blocks(report.snapshot), skipped_block(report)))
    add(page, "p", verdict(report), style=color)
    return text_of(page)


def _cause(parent: Element, cause: Cause) -> None:
    finding = cause.finding
    edge = f"border-left:4px solid {_SEVERITY[finding.severity]};padding-left:.8em;margin:.8em 0"
    made = add(parent, "div", style=edge)
    add(made, "b", f"{MARK[finding.severity]}: {finding.name}")
    for one in (finding, *cause.same):
        add(made, "br")
        words(made, one.message)
    listed = add(made, "ul", style="margin:.3em 0")
    _evidence(listed, finding)
    for one in cause.follows:
        line = add(listed, "li", "explains ")
        add(line, "b", one.name)
        words(line, f": {one.message}")
    commands(made, finding.fix, _PRE)


def _evidence(parent: Element, finding: Finding) -> None:
    for one in finding.evidence:
        line = add(parent, "li", f"{one.fact}: ")
        add(line, "code", shorten(plain(one.value)))
        words(line, f" ({one.source})")


def _table(parent: Element, shown: tuple[Block, ...]) -> None:
    made = add(parent, "table")
    for block in shown:
        if block.rows:
            line = add(made, "tr")
            add(line, "th", block.title, style="text-align:left;vertical-align:top")
            cell = add(line, "td", style="text-align:left")
            for at, one in enumerate(block.rows):
                if at:
                    add(cell, "br")
                words(cell, shorten(plain(one), 400))
