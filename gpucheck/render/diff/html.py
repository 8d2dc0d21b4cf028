"""One page: what is new and what explains it, side by side with what it was; then all other changes in tables.

Frame, style and pieces are those of all pages, gpucheck/render/web.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element

from gpucheck.differing.difference import Case, Change, Difference
from gpucheck.render.causes import MARK
from gpucheck.render.diff import words
from gpucheck.render.diff.words import Asked
from gpucheck.render.text import count
from gpucheck.render.web import frame
from gpucheck.render.web.pieces import add, badge, commands, facts, folding, heading, row, table, wide
from gpucheck.render.web.pieces import words as text_after

_STYLE = """
.case { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  margin: .8rem 0; }
.case h3 { margin: 0 0 .4rem; } .case h3 .badge { margin-right: .5rem; }
.case .facts { grid-template-columns: 7rem minmax(0, 1fr); gap: .3rem 1rem; }
.remark { border-left: 4px solid var(--warning); padding: .2rem .8rem; }
td p { margin: 0; }
.wide table { overflow-wrap: break-word; }
.wide tbody th, td.names { min-width: 9rem; } td.value { min-width: 13rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { .case .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .stacked td::before { color: var(--soft); } .stacked th + td::before { content: "before: "; }
  .stacked td.value + td.value::before { content: "now: "; } .stacked td.names::before { content: "explains: "; } }
"""
_COLOUR = {"error": "error", "warning": "warning", "note": "note"}


def render(told: Difference, asked: Asked) -> str:
    verdict = words.verdict(told, asked)
    made = frame.page(f"gpucheck diff: {verdict}", _STYLE)
    add(made.main, "h1", "gpucheck diff: what changed")
    said = add(made.main, "p", "", f"said verdict {verdict}")
    add(said, "strong", verdict.upper(), verdict)
    text_after(said, f" {words.headline(told)}")
    facts(made.main, [(title, (text,)) for title, text in words.sides(told)])
    for remark in told.remarks:
        add(made.main, "p", remark, "remark")
    _cases(made.main, told, asked)
    _changes(made.main, told)
    _rest(made.main, told)
    add(made.foot, "p", f"{words.closing(told, asked)}. gpucheck {told.version}. This page loads nothing.")
    return frame.render(made)


def _cases(parent: Element, told: Difference, asked: Asked) -> None:
    came = [case for case in words.moved(told) if case.state in ("new", "worse")]
    went = [case for case in words.moved(told) if case.state in ("gone", "better")]
    for title, cases in (("New findings", came), ("Gone findings", went)):
        heading(parent, 2, title)
        for case in cases:
            _case(parent, told, case, asked)
        if not cases:
            add(parent, "p", "None.", "soft")


def _case(parent: Element, told: Difference, case: Case, asked: Asked) -> None:
    made = add(parent, "section", "", "case")
    head = heading(made, 3, "")
    mark: Any = "ok" if case.state in ("gone", "better") else MARK[case.finding.severity]
    badge(head, words.state(case), mark)
    text_after(head, f" {case.finding.name}")
    add(made, "p", case.finding.message)
    listed: list[tuple[str, list[str]]] = []
    for line in words.why(told, case, verbose=True):
        if line.title or not listed:
            listed.append((line.title, []))
        listed[-1][1].extend((line.text, *(f"  {entry}" for entry in line.more)))
    with_it = [f"{words.state(one)}: {one.finding.name}" for one in words.followers(told, case)]
    facts(made, [*listed, ("with it", with_it)])
    if case.state in ("new", "worse") and case.finding.fix:
        heading(made, 4, "Fix")
        commands(made, case.finding.fix)


def _changes(parent: Element, told: Difference) -> None:
    heading(parent, 2, "All changes")
    heavy = [one for one in told.changes if one.explains or one.may_explain or one.weight in ("cause", "answer")]
    light = [change for change in told.changes if change not in heavy]
    if not told.changes:
        add(parent, "p", "Nothing differs.", "soft")
    if heavy:
        _table(parent, "Those that explain a finding come first", heavy)
    if light:
        title = f"{count(len(light), 'change')} of little weight"
        _table(folding(parent, title), "Small ones, and what moves by itself", light)


def _table(parent: Element, caption: str, changes: Iterable[Change]) -> None:
    body = table(wide(parent, caption), caption, ("what", "before", "now", "explains"), "stacked")
    for change in changes:
        made = row(body, change.name, ())
        before, now = (add(made, "td", "", "value") for _ in range(2))
        if change.same:
            for entry in change.details:
                add(before if entry.startswith("- ") else now, "p", entry)
        else:
            for cell, side in ((before, change.before), (now, change.now)):
                text_after(cell, words.value(change, side))
        add(made, "td", _explains(change), "names")


def _explains(change: Change) -> str:
    may = f"perhaps {', '.join(change.may_explain)}" if change.may_explain else ""
    return "; ".join(part for part in (", ".join(change.explains), may) if part)


def _rest(parent: Element, told: Difference) -> None:
    rows = [
        ("findings", list(words.stayed(told))),
        ("facts", list(words.unknown(told))),
        ("rules", list(words.judging(told))),
    ]
    if any(those for _, those in rows):
        heading(parent, 2, "Still there, and not known")
        facts(parent, rows, 1000)
