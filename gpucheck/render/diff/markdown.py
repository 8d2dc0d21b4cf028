"""To paste into an issue: what is new and what explains it; the other changes folded away."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.differing.difference import Case, Difference
from gpucheck.render.diff import words
from gpucheck.render.diff.words import Asked
from gpucheck.render.markdown import escape, fenced
from gpucheck.render.text import plain, shorten

_MOST = 400


def render(told: Difference, asked: Asked) -> str:
    verdict = words.verdict(told, asked)
    lines = [f"**gpucheck {escape(told.version)} diff: {verdict}**: {_cut(words.headline(told))}", ""]
    lines += [f"- {title}: {_cut(text)}" for title, text in words.sides(told)]
    lines += [f"- **{escape(remark)}**" for remark in told.remarks]
    lines.append("")
    for case in words.moved(told):
        lines += [*_case(told, case, asked), ""]
    shown, left = words.others(told, asked.verbose)
    rest = [*words.stayed(told), *words.unknown(told), *words.judging(told)]
    lines += ["<details><summary>Other changes, and what is not known</summary>", ""]
    for subject, changes in words.by_subject(shown).items():
        lines += [f"- {escape(subject)}: {_cut(words.sentence(change))}" for change in changes]
    lines += [f"- {escape(left)}"] if left else []
    lines += [f"- {_cut(row)}" for row in rest]
    lines += [] if shown or left or rest else ["Nothing."]
    lines += ["", "</details>", "", escape(words.closing(told, asked))]
    return "\n".join(lines) + "\n"


def _case(told: Difference, case: Case, asked: Asked) -> Iterator[str]:
    yield f"### {escape(words.state(case))}: {escape(case.finding.name)}"
    yield from ("", escape(case.finding.message), "")
    title = ""
    for line in words.why(told, case, asked.verbose):
        title = line.title or title
        more = f" {'; '.join(line.more)}" if line.more else ""
        yield f"- {escape(title)}: {_cut(line.text + more)}"
    with_it = [follower.finding.name for follower in words.followers(told, case)]
    if with_it:
        yield f"- with it: {escape(', '.join(with_it))}"
    if case.finding.fix and case.state in ("new", "worse"):
        yield from ("", *fenced([plain(line) for line in case.finding.fix], "sh"))


def _cut(text: str) -> str:
    return escape(shorten(plain(text), _MOST))
