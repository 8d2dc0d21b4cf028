"""What is wrong: the tree of causes, each with what it explains below it, its evidence and its cure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from gpucheck.findings import Evidence, Finding, Report, Severity
from gpucheck.render.causes import MARK, Branch, decisive, tree
from gpucheck.render.text import count, plain, shorten
from gpucheck.render.web.pieces import add, badge, commands, folding, heading, words

_MOST_EVIDENCE = 4
_MOST_CASES = 20
_DEEPEST = 12  # levels that are drawn below each other; a longer chain goes on at that level


def causes(parent: Element, report: Report, level: int) -> None:
    """The section; without any finding it says so."""
    heading(parent, level, "Causes")
    found = tree(report)
    if found:
        _branches(parent, found, level + 1, 0)
    else:
        add(parent, "p", "No rule found anything.")
    _open(parent, report)


def _open(parent: Element, report: Report) -> None:
    """What keeps the main question open."""
    undecided = decisive(report)
    if not undecided:
        return
    reasons: dict[str, list[str]] = {}
    for one in undecided:
        reasons.setdefault(one.reason, []).append(one.name)
    box = add(parent, "div", "", "card unknown-edge")
    line = add(box, "p")
    badge(line, "unknown", "unknown")
    words(line, " Could not be judged" + (", so the question stays open" if report.verdict == "unknown" else ""))
    listed = add(box, "ul")
    for reason, names in reasons.items():
        add(listed, "li", f"{', '.join(names)}: {reason}")


def _branches(parent: Element, found: Sequence[Branch], level: int, depth: int) -> None:
    listed = add(parent, "ul", "", "tree follows" if depth else "tree")
    for one in found:
        mark = _mark(one.finding)
        item = add(listed, "li", "", f"branch {mark}-edge")
        body = add(item, "div", "", "card" if depth == 0 else "")
        _finding(body, one, level)
        if one.follows and depth < _DEEPEST:
            add(item if depth else body, "p", "This explains", "explains")
            _branches(item if depth else body, one.follows, level + 1, depth + 1)


def _mark(finding: Finding) -> str:
    return "unknown" if finding.remaining else MARK[finding.severity]


def _finding(parent: Element, branch: Branch, level: int) -> None:
    finding = branch.finding
    title = heading(parent, level, "", "name")
    badge(title, "possible" if finding.remaining else MARK[finding.severity], _mark(finding))
    words(title, f" {finding.name}")
    cases = (finding, *branch.same)
    for case in cases[:_MOST_CASES]:
        add(parent, "p", case.message)
    if len(cases) > _MOST_CASES:
        add(parent, "p", f"and {len(cases) - _MOST_CASES} more of the same kind (--format json has all)", "soft")
    _remaining(parent, finding)
    _cure(parent, finding)
    _evidence(parent, [one for case in cases for one in case.evidence], finding)


def _remaining(parent: Element, finding: Finding) -> None:
    if finding.remaining:
        line = add(parent, "p", "The log leaves open beside it: ", "soft")
        for at, name in enumerate(finding.remaining):
            words(line, ", " if at else "")
            add(line, "code", name)


def _cure(parent: Element, finding: Finding) -> None:
    if finding.fix:
        add(parent, "p", "To decide" if finding.remaining else "Fix", "label")
        commands(parent, finding.fix)


def _evidence(parent: Element, evidence: Sequence[Evidence], finding: Finding) -> None:
    if not evidence:
        return
    brief = finding.severity is Severity.INFO and not finding.remaining
    if not brief:
        add(parent, "p", "Evidence", "label")
        _listed(parent, evidence[:_MOST_EVIDENCE])
        evidence = evidence[_MOST_EVIDENCE:]
    if evidence:
        more = folding(parent, count(len(evidence), "fact") if brief else f"{len(evidence)} more", kind="printed")
        _listed(more, evidence[:200])


def _listed(parent: Element, evidence: Sequence[Evidence]) -> None:
    listed = add(parent, "ul", "", "evidence")
    for one in evidence:
        line = add(listed, "li", f"{one.fact}: ")
        add(line, "code", shorten(plain(one.value)))
        if one.source:
            words(line, f" ({shorten(plain(one.source))})")
