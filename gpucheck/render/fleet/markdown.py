"""To paste into an issue: how many are fine, what differs, what was found; states folded away."""

from __future__ import annotations

from gpucheck.findings import Finding, Severity
from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet, Group
from gpucheck.render.causes import MARK
from gpucheck.render.fleet.words import closing, headline, share
from gpucheck.render.markdown import code, escape, fenced
from gpucheck.render.text import plain

_CASES = 5
_STATES = 100


def render(fleet: Fleet, strict: bool = False) -> str:
    lines = [f"**gpucheck {escape(fleet.version)} fleet: {fleet.verdict}**: {escape(headline(fleet))}", ""]
    for group in fleet.groups:
        if group.severity is not Severity.INFO:
            lines += _group(group, len(fleet.nodes))
    for one in fleet.over:
        if one.finding.severity is not Severity.INFO:
            lines += [f"### {MARK[one.finding.severity]}: {escape(one.finding.name)} ({escape(one.peers)})", ""]
            lines += [escape(one.finding.message), "", f"On {code(folded(one.nodes))}", *_fix(one.finding)]
    lines += ["<details><summary>States</summary>", "", "| nodes | verdict | what they have | found | which |"]
    lines.append("| ---: | --- | --- | --- | --- |")
    for state in fleet.states[:_STATES]:
        found = escape(", ".join(state.findings))
        what = escape("; ".join(state.words))
        lines.append(f"| {len(state.nodes):,} | {state.verdict} | {what} | {found} | {escape(folded(state.nodes))} |")
    if len(fleet.states) > _STATES:
        lines.append(f"| | | and {len(fleet.states) - _STATES} more | | |")
    lines += ["", "</details>", "", escape(closing(fleet))]
    return "\n".join(lines) + "\n"


def _group(group: Group, of: int) -> list[str]:
    lines = [f"### {MARK[group.severity]}: {escape(group.name)}, {share(len(group.nodes), of)}", ""]
    lines += [f"- {len(one.nodes):,} × {escape(one.message)} {code(folded(one.nodes))}" for one in group.cases[:_CASES]]
    if len(group.cases) > _CASES:
        lines.append(f"- and {len(group.cases) - _CASES} more forms")
    return lines + _fix(group.example)


def _fix(finding: Finding) -> list[str]:
    return ["", *fenced([plain(line) for line in finding.fix], "sh"), ""] if finding.fix else [""]
