"""One report of a log: what its causes settle, what it leaves open, and what the rules say of the machine's facts.

The facts are those that were measured, or those that the log says of its machine. What was measured is never overruled:
it closes questions and is evidence beside the log's, unless the log contradicts it and so is of another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Union

from gpucheck.facts.log import Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import OPEN, Finding, Report, Severity, Skipped
from gpucheck.logs.judging import Open, Place, documented, findings_of, questions_of
from gpucheck.logs.snapshot import contradictions, snapshot_of
from gpucheck.rules.engine import RULES, judge_all, linked

_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_LAST = max(Place) + 1  # what the machine alone says comes after what the log says


class _Placed(NamedTuple):
    """A finding and where it stands in the order of reading."""

    finding: Finding
    place: int


def judge(facts: Snapshot, ignore: Iterable[str] = ()) -> Report:
    """Judge a snapshot that holds a log: measured facts beside it, or those that the log says (no probe ran)."""
    assert facts.log is not None
    ignored = set(ignore)
    machine = judge_all(facts, ignored)
    elsewhere = None if facts.of_log_alone else contradictions(facts.log, facts)
    if elsewhere is not None:
        return _apart(judge(snapshot_of(facts.log, facts.version), ignored), elsewhere, machine)
    settled = [one for one in _settled(facts.log, facts) if one.finding.name not in ignored]
    looked = () if facts.of_log_alone else machine.checked
    placed, skipped = _opened(facts.log, facts, _together(settled, machine.findings), set(looked))
    if not facts.of_log_alone:
        skipped += machine.skipped
    elif not placed:
        skipped = [Skipped(OPEN, _nothing(facts.log), True)]
    return machine._replace(
        findings=tuple(_ordered(placed)),
        checked=_checked(machine, ignored),
        skipped=tuple(skipped),
        ignored=(*machine.ignored, *(name for name in documented() if name in ignored)),
    )


def _checked(machine: Report, ignored: set[str]) -> tuple[str, ...]:
    """The machine's rules that were judged, and the causes that no rule stands for."""
    return (*machine.checked, *(name for name in documented() if name not in ignored))


def _apart(alone: Report, elsewhere: Finding, machine: Report) -> Report:
    """The log of one machine and the facts of another: neither says anything of the other."""
    findings = sorted((*alone.findings, elsewhere, *machine.findings), key=_weight)
    return machine._replace(findings=tuple(findings), skipped=(*alone.skipped, *machine.skipped))


def _settled(log: Log, facts: Snapshot) -> Iterator[_Placed]:
    for cause, found in findings_of(log, facts):
        explains = dict.fromkeys((*cause.explains, *found.explains))
        severity = found.severity or cause.severity
        finding = Finding(cause.name, severity, found.message, found.evidence, found.fix, tuple(explains))
        yield _Placed(finding, cause.place)


def _together(settled: Iterable[_Placed], machine: Iterable[Finding]) -> list[_Placed]:
    """What log and machine both say is one finding, with the evidence of both; so is what one line says twice."""
    placed: list[_Placed] = []
    for new in (*settled, *(_Placed(finding, _LAST) for finding in machine)):
        at = next((at for at, said in enumerate(placed) if _same(said, new)), None)
        if at is None:
            placed.append(new)
        else:
            placed[at] = _Placed(_joined(placed[at].finding, new.finding, new.place == _LAST), placed[at].place)
    return placed


def _same(said: _Placed, new: _Placed) -> bool:
    """Whether a finding says what one of the log's says already."""
    if said.finding.name != new.finding.name or said.place == _LAST:
        return False
    return new.place == _LAST or bool(_lines(said.finding) & _lines(new.finding))


def _lines(finding: Finding) -> set[tuple[str, str]]:
    return {(one.value, one.source) for one in finding.evidence}


def _joined(said: Finding, other: Finding, measured: bool) -> Finding:
    """The log's words, the evidence of both, and the cure of what was measured."""
    return said._replace(
        severity=min(said.severity, other.severity, key=lambda one: _WEIGHT[one]),
        evidence=tuple(dict.fromkeys((*said.evidence, *other.evidence))),
        fix=(other.fix if measured else ()) or said.fix or other.fix,
        explains=tuple(dict.fromkeys((*said.explains, *other.explains))),
    )


def _opened(log: Log, facts: Snapshot, placed: list[_Placed], looked: set[str]) -> tuple[list[_Placed], list[Skipped]]:
    """Ask the questions; those that are not closed become a note and a reason why the verdict is open.

    looked: rules that looked for their cause on this very machine.
    """
    skipped: list[Skipped] = []
    for place, question in questions_of(log, facts):
        closed_by = _answer(question, placed)
        if closed_by is not None:
            at = placed.index(closed_by)
            evidence = tuple(dict.fromkeys((*closed_by.finding.evidence, *question.evidence)))
            placed[at] = _Placed(closed_by.finding._replace(evidence=evidence), min(closed_by.place, place))
        elif not any(one.place <= place and one.finding.severity is Severity.ERROR for one in placed):
            note, reason = _note(question, looked)
            placed.append(_Placed(note, place))
            skipped.append(reason)
    return placed, skipped


def _answer(question: Open, placed: list[_Placed]) -> Union[_Placed, None]:
    names = {name for name, _ in question.remaining}
    settled = (one for one in placed if one.finding.severity is not Severity.INFO and not one.finding.remaining)
    return next((one for one in settled if one.finding.name in names), None)


def _note(question: Open, looked: set[str]) -> tuple[Finding, Skipped]:
    """A question as a finding. What was looked for and not found remains no longer."""
    left = tuple(one for one in question.remaining if one[0] not in looked)
    gone = "" if left else " The machine, as it is now, shows none of them."
    left = left or question.remaining
    names = [name for name, _ in left]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    order = ", likeliest first" if len(names) > 1 else ""
    message = f"{question.message} The log does not settle why; what remains{order}: {listed}.{gone}"
    fix = (question.decide, *(f"# {name}: {how}" for name, how in left))
    note = Finding(names[0], Severity.INFO, message, question.evidence, fix, (), tuple(names[1:]) or (OPEN,))
    return note, Skipped(OPEN, f"the log leaves {listed}; this decides: {question.decide}", True)


def _nothing(log: Log) -> str:
    if not any(file.bytes for file in log.files):
        return "the log is empty"
    if not log.clues:
        return "the log holds no line that gpucheck knows"
    return f"the log names no cause; of what gpucheck knows it says: {', '.join(_said(log)[:5])}"


def _said(log: Log) -> list[str]:
    return list(dict.fromkeys(clue.message for clue in log.clues))


def _ordered(placed: list[_Placed]) -> Iterator[Finding]:
    """Errors first; among equals what explains others, the order of reading, what the machine alone shows."""
    findings = list(linked([one.finding for one in placed], {**RULES, **documented()}))
    explained = {name for finding in findings for name in finding.explains}
    rank = [(_weight(one), one.name in explained, place) for one, (_, place) in zip(findings, placed, strict=True)]
    for at in sorted(range(len(findings)), key=lambda at: (*rank[at], at)):
        yield findings[at]


def _weight(finding: Finding) -> int:
    return _WEIGHT[Severity.WARNING if finding.remaining else finding.severity]
