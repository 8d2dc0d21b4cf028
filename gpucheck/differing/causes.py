"""Which changes explain a finding: they are put back, the rules judge again, and the finding is there or is not.

Putting back one change at a time comes first. Where none is enough by itself, the smallest set that is: what need not
be put back is taken out again, the unlikeliest first (delta debugging: Zeller, "Yesterday, my program worked. Today,
it does not. Why?", 1999). Pure, and bounded: by the number of judgements, not by a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Union

from gpucheck.differing.changes import Compared
from gpucheck.differing.difference import Case, Change, Explanation, How
from gpucheck.differing.links import links
from gpucheck.differing.matching import matched
from gpucheck.differing.tree import Leaf, mixed
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Evidence, Finding, Report, Severity
from gpucheck.rules.engine import RULES, judge_all

MOST_JUDGEMENTS = 4000
_ONE_BY_ONE, _GROUP = 24, 16
_WEIGHT = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}
_WORTH = {"cause": 0, "answer": 1, "minor": 2, "volatile": 3}


class Trial(NamedTuple):
    """How a mixture was judged. checked: rules that could be judged. away: findings of the base that it lacks."""

    checked: frozenset[str]
    away: frozenset[Finding]


class Trials:
    """Mixtures of both sides, judged.

    base: the side that has the findings in question, `now` or before. names: their rules, which alone are judged.
    """

    def __init__(self, compared: Compared, base: Report, names: Iterable[str], now: bool) -> None:
        self.compared, self.now = compared, now
        self.rules = {name: RULES[name] for name in names if name in RULES}
        self.findings = [one for one in base.findings if one.name in self.rules]
        self.places = {change.name: change.places for change in compared.changes}
        # What the base alone does not know may be filled in from the other side; the other way round would be to hide.
        self.fill = frozenset(leaf.place for leaf in compared.unknown if leaf.unknown_before is not now)
        self.hide = tuple(leaf for leaf in compared.unknown if leaf.unknown_before is now)
        self.filled: set[Finding] = set()  # those that could be judged with that alone
        self.left = MOST_JUDGEMENTS // (1 + len(self.findings) // 16)
        self._told: dict[tuple[frozenset[str], frozenset[str]], Union[Trial, None]] = {}

    def trial(self, changes: Iterable[str], unknown: Iterable[str] = ()) -> Union[Trial, None]:
        """With these changes taken back, and these facts as the other side (does not) know them. None: no answer."""
        key = (frozenset(changes), frozenset(unknown))
        if key not in self._told:
            if self.left <= 0:
                return None
            self.left -= 1
            self._told[key] = self._judged(*key)
        return self._told[key]

    def _judged(self, changes: frozenset[str], unknown: frozenset[str]) -> Union[Trial, None]:
        places = {place for name in changes for place in self.places[name]} | unknown
        try:
            report = judge_all(mixed(self.compared.tree, places, self.now), (), self.rules)
        except Exception:
            return None  # a mixture need not make sense: it proves nothing then
        pairs = matched(report.findings, self.findings)
        away = (one for twin, one in pairs if one is not None and _milder(twin, one))
        return Trial(frozenset(report.checked), frozenset(away))

    def without(self, finding: Finding, changes: Iterable[str]) -> Union[bool, None]:
        """Is the finding away (or milder) then, and its rule judged all the same? None: it cannot be judged."""
        chosen = tuple(changes)
        trial = self.trial(chosen)
        if trial is not None and finding.name in trial.checked:
            return finding in trial.away
        trial = self.trial(chosen, self.fill) if self.fill else None
        if trial is None or finding.name not in trial.checked:
            return None
        if finding in trial.away:
            self.filled.add(finding)
        return finding in trial.away

    def hidden_by(self, finding: Finding) -> Union[Leaf, None]:
        """A fact that the other side does not know, and without which nobody could have seen the finding there."""
        every = tuple(self.places)
        for leaf in self.hide:
            trial = self.trial(every, (leaf.place,))
            if trial is not None and finding in trial.away:
                return leaf
        return None


def _milder(twin: Union[Finding, None], finding: Finding) -> bool:
    return twin is None or _WEIGHT[twin.severity] < _WEIGHT[finding.severity]


def explained(case: Case, trials: Trials, sides: tuple[Snapshot, Snapshot]) -> Explanation:
    """Which changes account for a case.

    Parameters
    ----------
    trials: on the side that has the finding.
    sides: before, now.
    """
    finding = case.finding if case.state in ("new", "worse", "gone") else case.before
    assert finding is not None
    ranked = _ranked(trials.compared.changes, finding)
    names = [change.name for change in ranked]
    if not trials.without(finding, names):
        how: How = "open" if trials.left <= 0 else "unseen"
        return Explanation(how, (), (), (), _still(finding, trials.compared), _unseen(case, trials, finding))
    singles = list(_singles(names, lambda those: trials.without(finding, those)))
    chosen = singles or _smallest(names, lambda those: bool(trials.without(finding, those)))
    how = "explained" if singles else "open" if trials.left <= 0 else "together"
    if how == "explained":
        chosen = _rooted(chosen, {change.name: _WORTH[change.weight] for change in ranked})
    touched = tuple(name for name in chosen if _touches(_change(ranked, name), finding))
    named = {change.name for change in ranked if change.weight == "cause" and _touches(change, finding)}
    found = links([_change(ranked, name) for name in chosen], trials.compared.changes, *sides, named)
    return Explanation(
        how,
        tuple(chosen),
        found,
        touched,
        _still(finding, trials.compared),
        _proof(case, how, len(chosen), finding in trials.filled),
    )


def _singles(names: list[str], away: Callable[[list[str]], Union[bool, None]]) -> Iterator[str]:
    """Each change that is enough by itself.

    The likeliest are tried one by one; of the others a whole group first: where all of it together leaves the finding
    standing, none of it is tried alone.
    """
    for name in names[:_ONE_BY_ONE]:
        if away([name]):
            yield name
    groups = [names[at : at + _GROUP] for at in range(_ONE_BY_ONE, len(names), _GROUP)]
    while groups:
        group = groups.pop(0)
        told = away(group)
        if len(group) == 1:
            yield from group if told else ()
        elif told is not False:
            half = len(group) // 2
            groups[:0] = [group[:half], group[half:]]


def _rooted(chosen: list[str], worth: dict[str, int]) -> list[str]:
    """Where undoing what somebody did is enough, what was seen in consequence need not be named beside it."""
    least = min(worth[name] for name in chosen)
    return [name for name in chosen if worth[name] == least]


def _change(changes: Iterable[Change], name: str) -> Change:
    return next(change for change in changes if change.name == name)


def _ranked(changes: Sequence[Change], finding: Finding) -> list[Change]:
    """The likeliest first: what somebody did before what was seen, what the evidence names before the rest."""
    return sorted(changes, key=lambda one: (_WORTH[one.weight] // 2, not _touches(one, finding), _WORTH[one.weight]))


def _touches(change: Change, finding: Finding) -> bool:
    """Does the finding's evidence name a fact of this change, a part of it or what it is part of?"""
    return any(
        _within(place, evidence.fact) and _speaks_of(place, finding, evidence)
        for place in change.places
        for evidence in finding.evidence
    )


def _speaks_of(place: str, finding: Finding, evidence: Evidence) -> bool:
    """Of a list's items the evidence names the list alone: which of them, its words tell."""
    section, bracket, rest = place.partition("[")
    if not bracket or section in ("gpus", "environment.variables", "toolkits.pointers"):
        return True
    key = rest.rpartition("]")[0].replace("\\", "/").rpartition("/")[2]
    return any(key in text for text in (evidence.value, evidence.source, finding.message))


def _within(place: str, fact: str) -> bool:
    plain = _plain(place)
    return plain == fact or plain.startswith(f"{fact}.") or fact.startswith(f"{plain}.")


def _plain(place: str) -> str:
    """A place as evidence has it: without the keys of lists' items, a variable by its name."""
    for front in ("environment.variables[", "toolkits.pointers["):
        if place.startswith(front):
            return f"{front.partition('.')[0]}{'.pointers' if 'pointers' in front else ''}.{place[len(front) :]}".split(
                "]", 1
            )[0]
    first, bracket, rest = place.partition("[")
    return first + rest.rpartition("]")[2] if bracket else place


def _smallest(names: list[str], enough: Callable[[list[str]], bool]) -> list[str]:
    """A set of which none can be left out: halves are tried first, then smaller pieces. The last names go first."""
    kept, size = list(names), max(1, len(names) // 2)
    while True:
        at = len(kept)
        while at > 0:
            fewer = kept[: max(0, at - size)] + kept[at:]
            if fewer and enough(fewer):
                kept = fewer
            at -= size
        if size == 1:
            return kept
        size = max(1, size // 2)


def _still(finding: Finding, compared: Compared) -> tuple[str, ...]:
    """Facts of the evidence that are what they were."""
    every = [_plain(leaf.place) for leaf in (*compared.leaves, *compared.unknown)]
    unmoved = (
        f"{one.fact}: {one.value}"
        for one in finding.evidence
        if not one.fact.startswith("compat.") and not any(_within(place, one.fact) for place in every)
    )
    return tuple(dict.fromkeys(unmoved))


def _proof(case: Case, how: How, number: int, filled: bool) -> str:
    """How it is known, in a sentence."""
    came = case.state in ("new", "worse")
    end = _ENDS[case.state]
    if how == "open":
        return f"With these {_undone(came, 2)}, {end}; whether fewer are enough was not tried: there are too many"
    those = "this change alone" if number == 1 else "either of these" if number == 2 else f"any one of these {number}"
    if how == "together":
        those = "both of these" if number == 2 else f"all {number}"
    side, other = ("now", "before") if came else ("before", "now")
    also = f" and what is not known {side} taken as it is {other}" if filled else ""
    less = ", with fewer of them it does not" if how == "together" else ""
    back = _undone(came, number if how == "together" else 1)
    return f"With {those} {back}{also}, {end}{less} (judged again by the same rules)"


_ENDS = {
    "new": "the finding vanishes",
    "worse": "the finding is as mild as it was",
    "gone": "the finding goes",
    "better": "the finding becomes milder",
}


def _undone(came: bool, number: int) -> str:
    if number > 1:
        return "as they were before" if came else "as they are now"
    return "as it was before" if came else "as it is now"


def _unseen(case: Case, trials: Trials, finding: Finding) -> str:
    if trials.left <= 0:
        return "There are too many changes to try"
    side = "now" if case.state in ("gone", "better") else "before"
    there = "it may still be there" if side == "now" else "it may have been there before"
    if case.not_judged is not None:
        return f"No known change explains it: {there}; the rule could not be judged {side} ({case.not_judged})"
    leaf = trials.hidden_by(finding)
    if leaf is None:
        return f"No known change explains it: {there}, unseen"
    value = leaf.before if leaf.unknown_before else leaf.now
    why = value.reason if isinstance(value, Gap) else "nobody asked"
    when = "was not known then" if side == "before" else "is not known now"
    return f"No known change explains it: {there}, for {leaf.place} {when} ({why})"


def by_name(changes: Iterable[Change], cases: Iterable[Case]) -> tuple[Change, ...]:
    """The changes with the findings that each accounts for; those that account for one first, in their order."""
    proven: dict[str, list[str]] = {}
    possible: dict[str, list[str]] = {}
    for case in cases:
        if case.explanation is not None:
            for name in case.explanation.changes:
                proven.setdefault(name, []).append(case.finding.name)
            for link in case.explanation.links:
                told = possible if link.sort == "possible" else proven
                told.setdefault(link.follows, []).append(case.finding.name)
    marked = [_marked(one, proven.get(one.name, ()), possible.get(one.name, ())) for one in changes]
    return tuple(sorted(marked, key=lambda one: 0 if one.explains else 1 if one.may_explain else 2))


def _marked(change: Change, explains: Iterable[str], may: Iterable[str]) -> Change:
    first = tuple(dict.fromkeys(explains))
    return change._replace(explains=first, may_explain=tuple(dict.fromkeys(one for one in may if one not in first)))
