"""Sentences that all formats share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gpucheck.differing.difference import Case, Change, Difference, Explanation, State
from gpucheck.findings import Severity, Verdict
from gpucheck.render.causes import MARK
from gpucheck.render.text import count, listed

_SAID: dict[State, str] = {
    "new": "new",
    "worse": "worse",
    "gone": "gone",
    "better": "milder",
    "changed": "still there, changed",
    "same": "still there",
}
_NONE = {"variables": "not set", "packages": "not installed", "GPUs": "not there", "libraries": "not there"}
MOST_CHANGES = 3  # that explain one finding, and stand with it


class Asked(NamedTuple):
    """How to tell it.

    strict: a new warning counts as an error. any_change: so does any difference. verbose: everything. width, color:
    of a terminal.
    """

    strict: bool = False
    any_change: bool = False
    verbose: bool = False
    width: int = 80
    color: bool = False


class Line(NamedTuple):
    """A title and its text; under it lines of the same."""

    title: str
    text: str
    more: tuple[str, ...] = ()


def verdict(told: Difference, asked: Asked) -> Verdict:
    """In doctor's words, so that it has their colours."""
    code = told.exit_code(asked.strict)
    if code:
        return "error" if code == 1 else "unknown"
    worse = any(case.finding.severity is Severity.WARNING for case in told.of("new", "worse"))
    return "warning" if worse else "ok"


def state(case: Case) -> str:
    """``new error``, ``note gone``"""
    if case.state in ("worse", "better") and case.before is not None:
        return f"{MARK[case.before.severity]} → {MARK[case.finding.severity]}"
    mark = MARK[case.finding.severity]
    if unseen(case):
        return f"{mark} not seen {'now' if case.state == 'gone' else 'before'}"
    return f"new {mark}" if case.state == "new" else f"{_SAID[case.state]}: {mark}"


def unseen(case: Case) -> bool:
    """The other side could not see it: whether it was there (or is there still) is not known."""
    return case.explanation is not None and case.explanation.how == "unseen"


def headline(told: Difference) -> str:
    """What a reader must know who reads no further."""
    parts = []
    for severity in Severity:
        came = [case for case in told.of("new", "worse") if case.finding.severity is severity]
        number, doubtful = sum(not unseen(case) for case in came), sum(map(unseen, came))
        parts += [count(number, f"new {MARK[severity]}")] if number else []
        parts += [f"{count(doubtful, MARK[severity])} not seen before"] if doubtful else []
    found = ", ".join(parts) or "no new finding"
    gone = len(told.of("gone", "better"))
    found += f", {gone} gone or milder" if gone else ""
    whole = (case for case in moved(told) if case.state in ("new", "worse"))
    first = next((case for case in whole if case.explanation and case.explanation.changes), None)
    if first is not None and first.explanation is not None:
        name = root(first.explanation)
        return f"{found}; {first.finding.name} comes with: {sentence(told.change(name))}"
    return f"{found}; {changed(told)}"


def root(explanation: Explanation) -> str:
    """The change that a reader should hear of first: what the first one follows from, where that is certain."""
    first = explanation.changes[0]
    named = (link for link in explanation.links if link.change == first)
    return next((link.follows for link in named if link.sort != "possible"), first)


def changed(told: Difference) -> str:
    """``12 changes, 3 of them explain findings``"""
    matter = [change for change in told.changes if change.weight != "volatile"]
    if not matter:
        known = "nothing that both sides know differs" if told.unknown else "nothing differs"
        return f"{known} but what moves by itself" if told.changes else known
    explaining = sum(bool(change.explains) for change in matter)
    return count(len(matter), "change") + (f", {explaining} explain findings" if explaining > 1 else "")


def sentence(change: Change) -> str:
    """A change in one line."""
    return f"{change.name}: {what(change)}"


def what(change: Change) -> str:
    """Of a change, what it was and what it is."""
    if change.same:
        rest = len(change.details) - MOST_CHANGES
        return "; ".join(change.details[:MOST_CHANGES]) + (f" and {rest} more" if rest > 0 else "")
    return f"{value(change, change.before)} → {value(change, change.now)}"


def value(change: Change, of_side: str | None) -> str:
    """Before or now of a change, in words where there is none."""
    return _NONE.get(change.subject, "none") if of_side is None else of_side


def moved(told: Difference) -> tuple[Case, ...]:
    """Findings that stand by themselves: new and worse ones, then those that are gone; what follows comes with them."""
    present = {(case.state, case.finding.name) for case in told.cases}
    return tuple(
        case
        for case in told.of("new", "worse", "gone", "better")
        if case.follows is None or (case.state, case.follows) not in present
    )


def followers(told: Difference, of: Case) -> Iterator[Case]:
    """What follows from a case, directly or through others."""
    names, seen = [of.finding.name], {of.finding.name}
    while names:
        name = names.pop(0)
        for case in told.cases:
            if case.state == of.state and case.follows == name and case.finding.name not in seen:
                seen.add(case.finding.name)
                names.append(case.finding.name)
                yield case


def why(told: Difference, case: Case, verbose: bool = False) -> Iterator[Line]:
    """The explanation of a case, line by line."""
    given = case.explanation
    if given is None:
        return
    titles = {"explained": "explained", "together": "contribute", "open": "among", "unseen": ""}
    changes = [told.change(name) for name in given.changes]
    shown = changes if verbose else changes[: MOST_CHANGES if len(changes) > MOST_CHANGES + 1 else MOST_CHANGES + 1]
    for at, change in enumerate(shown):
        yield Line(titles[given.how] if at == 0 else "", *_split(change))
    if len(changes) > len(shown):
        yield Line(
            "", f"and {len(changes) - len(shown)} more: {listed([one.name for one in changes[len(shown) :]], 5)}"
        )
    yield from _following(told, given)
    if given.still:
        yield Line("unchanged", "; ".join(given.still[:3]))
    if case.not_judged is not None and given.how != "unseen":
        side = "now" if case.state in ("gone", "better") else "before"
        yield Line("not judged", f"{side}: {case.not_judged}")
    yield Line("proof" if given.changes else "not shown", given.proof)


def _following(told: Difference, given: Explanation) -> Iterator[Line]:
    """Each change that the ones above follow from, once."""
    seen: list[str] = []
    for link in sorted(given.links, key=lambda one: one.sort == "possible"):
        if link.follows not in seen:
            seen.append(link.follows)
            change = told.change(link.follows)
            text, more = _split(change)
            if link.sort == "possible":
                yield Line("may follow", text, more)
            else:
                colon = ":" if more else ""
                yield Line("follows", f"{text.removesuffix(colon)} ({link.why}){colon}", more)


def _split(change: Change) -> tuple[str, tuple[str, ...]]:
    """A line, and for lists of folders one under it for each entry."""
    if change.same and len(change.details) > 1:
        return f"{change.name}:", change.details
    return sentence(change), ()


def others(told: Difference, verbose: bool) -> tuple[tuple[Change, ...], str]:
    """Changes that explain nothing, and in words how many are left out."""
    rest = [change for change in told.changes if not change.explains and not change.may_explain]
    shown = [change for change in rest if verbose or change.weight in ("cause", "answer")]
    minor = sum(change.weight == "minor" for change in rest)
    moving = sum(change.weight == "volatile" for change in rest)
    if verbose or not (minor or moving):
        return tuple(shown), ""
    by_itself = "1 that moves by itself" if moving == 1 else f"{moving} that move by themselves"
    parts = [count(minor, "small change") if minor else "", by_itself if moving else ""]
    return tuple(shown), " and ".join(part for part in parts if part) + " left out (--verbose)"


def unknown(told: Difference) -> Iterator[str]:
    """What one side does not know."""
    for side in ("before", "now"):
        those = [one for one in told.unknown if one.side == side]
        older = [place for one in those if one.reason.endswith(" was not recorded") for place in one.places]
        if older:
            yield f"not known {side}, for that gpucheck did not collect it: {listed(older, 8)}"
        for one in those:
            if not one.reason.endswith(" was not recorded"):
                asked = "" if one.collected else " (not collected)"
                yield f"not known {side}{asked}: {listed(list(one.places), 3)}: {one.reason}"


def judging(told: Difference) -> Iterator[str]:
    """Rules that only one side could judge, gathered by the reason."""
    gathered: dict[tuple[str, str], list[str]] = {}
    for one in told.judging:
        gathered.setdefault((one.side, one.skipped.reason), []).append(one.skipped.name)
    weighty = {one.skipped.name for one in told.judging if one.skipped.decisive}
    for (side, reason), names in gathered.items():
        names.sort(key=lambda name: name not in weighty)
        yield f"{count(len(names), 'rule')} not judged {side}: {listed(names, 3)}: {reason}"


def stayed(told: Difference) -> Iterator[str]:
    """Findings that are on both sides."""
    states: tuple[State, ...] = ("changed", "same")
    for which in states:
        names = [case.finding.name for case in told.of(which)]
        if names:
            yield f"{_SAID[which]}: {listed(list(dict.fromkeys(names)), 12)}"


def sides(told: Difference) -> Sequence[tuple[str, str]]:
    """Each side in a line."""
    return tuple(
        (title, f"{side.name}: {side.machine}; {side.verdict} (gpucheck {side.version}, {side.taken})")
        for title, side in (("before", told.before), ("now", told.now))
    )


def closing(told: Difference, asked: Asked) -> str:
    """The last line: the verdict and what it rests on."""
    code = told.exit_code(asked.strict, asked.any_change)
    means = {0: "no new error", 1: "a new error", 3: "could not tell"}
    if asked.strict:
        means |= {0: "no new error or warning", 1: "a new error or warning"}
    if asked.any_change and code == 1 and told.exit_code(asked.strict) != 1:
        means[1] = "something differs (--exit-code)"
    return f"{means[code]}; {headline_counts(told)}; exit code {code}"


def headline_counts(told: Difference) -> str:
    """How many of each."""
    tally = {
        "new or worse": len(told.of("new", "worse")),
        "gone or milder": len(told.of("gone", "better")),
        "still there": len(told.of("changed", "same")),
    }
    counted = [(number, words) for words, number in tally.items() if number]
    if not counted:
        return "no finding on either side"
    (number, words), *rest = counted
    return ", ".join([f"{count(number, 'finding')} {words}", *(f"{number} {words}" for number, words in rest)])


def by_subject(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """In the order in which they come."""
    made: dict[str, list[Change]] = {}
    for change in changes:
        made.setdefault(change.subject, []).append(change)
    return made
