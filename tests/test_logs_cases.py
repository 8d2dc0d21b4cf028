"""Real reports: the lines that people quoted, and the cause that their threads settled.

tests/data/logs/cases.tsv names for each log the cause, where it comes from (the project's own sample of reports, a
thread that was looked for afterwards, or words of a release's sources), and for some the recorded machine whose facts
the report had beside its lines. A log's first line is its link.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import machines
import pytest

from gpucheck import api
from gpucheck.findings import OPEN, Severity
from gpucheck.logs.judging import CAUSES, documented
from gpucheck.logs.messages import by_name
from gpucheck.rules.engine import RULES

pytestmark = pytest.mark.slow  # a hundred logs, or all of them
FOLDER = Path(__file__).parent / "data" / "logs"


class Case(NamedTuple):
    log: str
    cause: str
    origin: str
    machine: str


@functools.cache
def cases() -> tuple[Case, ...]:
    rows = (FOLDER / "cases.tsv").read_text().splitlines()[1:]
    return tuple(Case(*row.split("\t")) for row in rows)


def text_of(case: Case) -> str:
    return (FOLDER / f"{case.log}.log").read_text()


@functools.cache
def report_of(case: Case) -> api.Report:
    """With the facts that the report had, where it had some that matter."""
    facts = None
    if case.machine:
        facts = api.read_data({"schema": "gpucheck.machine/1", **machines.load(case.machine)})
    return api.judge_logs(api.log_of(text_of(case)), facts)


def hits(origin: str) -> tuple[list[Case], list[Case]]:
    """The cases of an origin whose settled cause is the first finding, and the others."""
    right: list[Case] = []
    wrong: list[Case] = []
    for case in cases():
        if case.origin == origin:
            first = report_of(case).findings[:1]
            (right if first and first[0].name == case.cause else wrong).append(case)
    return right, wrong


def test_the_settled_cause_is_the_first_finding_in_95_of_100_reports_of_the_sample() -> None:
    right, wrong = hits("report")

    assert len(right) >= 0.95 * (len(right) + len(wrong)), [(case.log, case.cause) for case in wrong]


def test_the_settled_cause_is_the_first_finding_in_nine_of_ten_threads_that_were_found_later() -> None:
    right, wrong = hits("thread")

    assert len(right) + len(wrong) >= 60
    assert len(right) >= 0.9 * (len(right) + len(wrong)), [(case.log, case.cause) for case in wrong]


def test_logs_in_the_words_of_other_releases_are_judged_right() -> None:
    right, wrong = hits("written")

    assert len(right) >= 40
    assert not wrong, [(case.log, case.cause) for case in wrong]


def test_where_the_first_finding_is_another_one_the_settled_cause_is_among_what_remains() -> None:
    missed = [case for case in cases() if case.cause not in _named(case)]

    assert len(missed) <= 5, [(case.log, case.cause, _named(case)) for case in missed]


def _named(case: Case) -> set[str]:
    findings = report_of(case).findings
    return {finding.name for finding in findings} | {name for finding in findings for name in finding.remaining}


@pytest.mark.parametrize("case", [case for case in cases() if case.cause.startswith("ok-")], ids=lambda case: case.log)
def test_where_nothing_is_wrong_there_is_no_error(case: Case) -> None:
    assert Severity.ERROR not in {finding.severity for finding in report_of(case).findings}


def test_a_log_of_a_training_that_runs_is_fine_and_leaves_nothing_open() -> None:
    report = report_of(next(case for case in cases() if case.log == "tf-2-18-all-is-well"))

    assert report.exit_code(strict=True) == 0
    assert {finding.name for finding in report.findings} == {"ok-harmless-log-line", "ok-gpu-in-use-but-slow"}


def test_no_harmless_line_is_evidence_of_a_cause() -> None:
    innocent = {name for name, message in by_name().items() if message.harmless} - {"cudart-dlerror-ignorable"}
    named = {
        (case.log, finding.name)
        for case in cases()
        for finding in report_of(case).findings
        for evidence in finding.evidence
        if evidence.fact.removeprefix("log.") in innocent and not finding.name.startswith("ok-")
    }

    assert {name for _, name in named} <= {"ptx-jit-slow-start"}, named


def test_every_log_tells_where_it_comes_from() -> None:
    sources = {case.origin: text_of(case).partition("\n")[0] for case in cases()}

    assert sources["report"].startswith("# source: https://github.com/")
    assert all(text_of(case).startswith("# source: ") for case in cases())


def test_every_cause_that_remains_or_is_settled_is_documented() -> None:
    known = {**documented(), **RULES}
    named = {one.name for one in CAUSES} | set().union(*(_named(case) for case in cases())) - {OPEN}

    assert not {name for name in named if not known[name].documentation.strip()}
