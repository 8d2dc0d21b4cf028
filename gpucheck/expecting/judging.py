"""A report and what was expected -> the report with what is not met, and with what could not be measured.

Not met is an error. Not measurable is neither an error nor met: it keeps the verdict open, exit code 3, as a rule does
that decides and could not be judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar, Union

from gpucheck.expecting.answers import Answer, answers
from gpucheck.expecting.expectations import Expectations
from gpucheck.facts.gap import Gap
from gpucheck.findings import Evidence, Finding, Report, Severity, Skipped

NOT_MET, NOT_MEASURABLE, APPLIED = "expectation-not-met", "expectation-not-measurable", "expectations-applied"
_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
R = TypeVar("R", bound=Report)


def judge(
    report: R, wishes: Expectations, ignore: Iterable[str] = (), speed: Union[tuple[float, float], Gap, None] = None
) -> R:
    """The report with what was expected.

    Parameters
    ----------
    ignore: names of findings that are left out.
    speed: how many times as fast as the CPU the GPU was, from and to; a gap where it was to be measured and was not;
    None: it was not to be measured (`gpucheck doctor`), and is not judged.
    """
    left_out = set(ignore)
    told = list(answers(report, wishes, speed))
    found = [*_not_met(told, wishes), *_not_measurable(told, wishes), _applied(told, wishes, speed is not None)]
    findings = (*report.findings, *(one for one in found if one.name not in left_out))
    skipped = tuple(
        Skipped(NOT_MEASURABLE, f"{one.key} {one.wish} ({wishes.source}): {one.met.reason}", True)
        for one in told
        if isinstance(one.met, Gap) and NOT_MEASURABLE not in left_out
    )
    checked = [name for name in (NOT_MET, APPLIED, *(() if skipped else (NOT_MEASURABLE,))) if name not in left_out]
    return report._replace(
        findings=tuple(sorted(findings, key=lambda one: _WEIGHT[one.severity])),
        checked=(*report.checked, *checked),
        skipped=(*report.skipped, *skipped),
        ignored=(*report.ignored, *sorted(left_out & {NOT_MET, NOT_MEASURABLE, APPLIED})),
    )


def _not_met(told: list[Answer], wishes: Expectations) -> Iterator[Finding]:
    for one in told:
        if one.met is False:
            fix = f"# Change the machine, or {one.key} in {wishes.source}"
            yield Finding(NOT_MET, Severity.ERROR, f"{one.said}.", _evidence(one, wishes), (fix,))


def _not_measurable(told: list[Answer], wishes: Expectations) -> Iterator[Finding]:
    for one in told:
        if isinstance(one.met, Gap):
            message = f"{one.key} = {one.wish} could not be measured: {one.met.reason}."
            yield Finding(NOT_MEASURABLE, Severity.WARNING, message, _evidence(one, wishes))


def _evidence(one: Answer, wishes: Expectations) -> tuple[Evidence, ...]:
    measured = tuple(Evidence(*each) for each in one.evidence)
    return (*measured, Evidence("expected", one.wish, f"{wishes.source}: {one.key}"))


def _applied(told: list[Answer], wishes: Expectations, measured: bool) -> Finding:
    """That the file was read, which is said in every answer: an expectation in a folder above is easily overlooked."""
    met = [one for one in told if one.met is True]
    words = [f"{len(met)} of {len(told)} are met"] if told else []
    if wishes.speed_up is not None and not measured:
        words.append(f"a speed-up of {wishes.speed_up.text} is measured by gpucheck smoke")
    if wishes.strict:
        words.append("a warning counts as an error")
    if wishes.ignore:
        words.append(f"left out: {', '.join(wishes.ignore)}")
    if wishes.timeout is not None:
        words.append(f"{wishes.timeout:g} seconds at most")
    evidence = [Evidence("expected", f"{one.key} {one.wish}", _where(one)) for one in met]
    evidence.append(Evidence("read", wishes.source, "--expect, or the nearest pyproject.toml"))
    return Finding(
        APPLIED, Severity.INFO, f"Expectations of {wishes.source}: {'; '.join(words) or 'none'}.", tuple(evidence)
    )


def _where(one: Answer) -> str:
    return "; ".join(f"{value}, {source}" for _, value, source in one.evidence[:1]) or "judged"
