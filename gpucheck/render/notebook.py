"""HTML for Jupyter: self-contained, no script, everything escaped, readable on light and on dark."""

from __future__ import annotations

from gpucheck.findings import Finding, Report, Severity
from gpucheck.render.causes import Cause, causes, decisive, headline, rehearsal, verdict
from gpucheck.render.details import skipped_block
from gpucheck.render.summary import Block, blocks
from gpucheck.render.text import plain, shorten

# Colours of the middle: enough contrast on white and on near-black; text keeps the notebook's own colour.
_COLOR = {"ok": "#2e9e4f", "warning": "#c07a00", "error": "#d9534f", "unknown": "#a05cc5"}
_SEVERITY = {Severity.ERROR: _COLOR["error"], Severity.WARNING: _COLOR["warning"], Severity.INFO: "#3b8eb8"}
_PRE = "white-space:pre-wrap;overflow-wrap:anywhere;margin:.4em 0;padding:.4em .6em;background:rgba(128,128,128,.15)"
_LOUD = "font-weight:bold;padding:.4em .6em;border:3px dashed #a05cc5"


def escape(text: object) -> str:
    """Text for HTML, in and out of attributes."""
    line = plain(text)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        line = line.replace(sign, entity)
    return line


def render(report: Report) -> str:
    """The report as one ``<div>``."""
    color = _COLOR[report.verdict]
    parts = [
        '<div style="max-width:60em;line-height:1.4;color:inherit">',
        *([f'<p style="{_LOUD}">{escape(rehearsal(report))}</p>'] if report.simulated else []),
        f'<p><strong style="color:{color}">{report.verdict.upper()}</strong> {escape(headline(report))}</p>',
        *(_cause(cause) for cause in causes(report)),
        *(f"<p>Could not judge {escape(one.name)}: {escape(one.reason)}</p>" for one in decisive(report)),
        f"<details><summary>Facts</summary>{_table((*blocks(report.snapshot), skipped_block(report)))}</details>",
        f'<p style="color:{color}">{escape(verdict(report))}</p></div>',
    ]
    return "\n".join(parts)


def _cause(cause: Cause) -> str:
    finding = cause.finding
    message = "<br>".join(escape(one.message) for one in (finding, *cause.same))
    follows = "".join(f"<li>explains <b>{escape(one.name)}</b>: {escape(one.message)}</li>" for one in cause.follows)
    return (
        f'<div style="border-left:4px solid {_SEVERITY[finding.severity]};padding-left:.8em;margin:.8em 0">'
        f"<b>{finding.severity.value}: {escape(finding.name)}</b><br>{message}"
        f'<ul style="margin:.3em 0">{_evidence(finding)}{follows}</ul>{_fix(finding)}</div>'
    )


def _evidence(finding: Finding) -> str:
    return "".join(
        f"<li>{escape(one.fact)}: <code>{escape(shorten(plain(one.value)))}</code> ({escape(one.source)})</li>"
        for one in finding.evidence
    )


def _fix(finding: Finding) -> str:
    lines = "\n".join(escape(line) for line in finding.fix)
    return f'<pre style="{_PRE}">{lines}</pre>' if lines else ""


def _table(shown: tuple[Block, ...]) -> str:
    rows = "".join(
        f'<tr><th style="text-align:left;vertical-align:top">{escape(block.title)}</th>'
        f'<td style="text-align:left">{"<br>".join(escape(shorten(plain(row), 400)) for row in block.rows)}</td></tr>'
        for block in shown
        if block.rows
    )
    return f"<table>{rows}</table>"
