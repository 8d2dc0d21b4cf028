"""The whole comparison: two reports' facts in, a `Difference` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gpucheck.differing.causes import Trials, by_name, explained
from gpucheck.differing.changes import compared, unknowns
from gpucheck.differing.difference import Case, Difference, Explanation, Judging, Side, State
from gpucheck.differing.identity import machine, remarks
from gpucheck.differing.matching import matched
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Finding, Report, Severity
from gpucheck.rules.engine import judge_all

MOST_CASES = 100  # for which an explanation is sought
_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_STATES: tuple[State, ...] = ("new", "worse", "gone", "better", "changed", "same")


def difference(
    before: Snapshot, now: Snapshot, names: tuple[str, str] = ("before", "now"), version: str = ""
) -> Difference:
    """What differs, and which change explains the findings that came or went.

    Parameters
    ----------
    names: what a reader calls the two: their files.
    version: this gpucheck's.
    """
    before, now = (each._replace(log=None, containers=None) for each in (before, now))
    reports = judge_all(before), judge_all(now)
    found = compared(before, now)
    moved = list(_cases(*reports))
    trials = {
        True: Trials(found, reports[1], {one.finding.name for one in moved if one.state in ("new", "worse")}, True),
        False: Trials(found, reports[0], {one.finding.name for one in moved if one.state in ("gone", "better")}, False),
    }
    cases = list(_explained(moved, trials, (before, now)))
    return Difference(
        version,
        _side(names[0], reports[0]),
        _side(names[1], reports[1]),
        tuple(remarks(before, now, version)),
        tuple(cases),
        by_name(found.changes, cases),
        unknowns(found.unknown),
        tuple(_judging(*reports)),
    )


def _explained(
    cases: Iterable[Case], trials: Mapping[bool, Trials], sides: tuple[Snapshot, Snapshot]
) -> Iterator[Case]:
    """Those that came or went with what accounts for them."""
    tried = 0
    for case in cases:
        if case.state in ("changed", "same"):
            yield case
        elif tried < MOST_CASES:
            tried += 1
            yield case._replace(explanation=explained(case, trials[case.state in ("new", "worse")], sides))
        else:
            given = Explanation("open", (), (), (), (), "Not tried: too many findings came or went")
            yield case._replace(explanation=given)


def _side(name: str, report: Report) -> Side:
    facts = report.snapshot
    return Side(name, facts.taken, facts.version, machine(facts), report.verdict, report.exit_code())


def _cases(before: Report, now: Report) -> Iterator[Case]:
    pairs = matched(before.findings, now.findings)
    skipped = ({one.name: one.reason for one in report.skipped} for report in (before, now))
    not_then, not_now = skipped
    made = []
    for one, two in pairs:
        finding = two or one
        assert finding is not None
        state = _state(one, two)
        silent = not_then if two is not None and one is None else not_now if two is None else {}
        made.append(Case(state, finding, one if two is not None else None, None, silent.get(finding.name), None))
    # a case of one's own report stands under what accounts for it there, if that came or went as well
    for case in made:
        yield case._replace(follows=_above(case, made))


def _above(case: Case, cases: Iterable[Case]) -> str | None:
    names = (one.finding.name for one in cases if one.state == case.state and case.finding.name in one.finding.explains)
    return next((name for name in names if name != case.finding.name), None)


def _state(before: Finding | None, now: Finding | None) -> State:
    if before is None:
        return "new"
    if now is None:
        return "gone"
    if before.severity is not now.severity:
        return "worse" if _WEIGHT[now.severity] < _WEIGHT[before.severity] else "better"
    return "same" if (before.message, before.evidence) == (now.message, now.evidence) else "changed"


def _judging(before: Report, now: Report) -> Iterator[Judging]:
    for side, report, other in (("now", now, before), ("before", before, now)):
        judged = set(other.checked)
        for one in report.skipped:
            if one.name in judged:
                yield Judging("now" if side == "now" else "before", one)
