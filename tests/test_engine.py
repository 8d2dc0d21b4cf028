"""How findings are named, linked, sorted and counted. The rules themselves are tested by machines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from gpucheck.facts.gap import Gap, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Evidence, Finding, Report, Severity, Skipped
from gpucheck.rules.engine import Found, Rule, found, judge_all, name_of


def _report(*severities: Severity, skipped: tuple[Skipped, ...] = ()) -> Report:
    findings = tuple(Finding(f"f{at}", severity, "", ()) for at, severity in enumerate(severities))
    return Report("0", findings, (), skipped, (), None)  # type: ignore[arg-type]


_DECISIVE, _MINOR = Skipped("a", "denied", True), Skipped("b", "denied", False)


@pytest.mark.parametrize(
    ("report", "verdict", "code", "strict"),
    [
        (_report(), "ok", 0, 0),
        (_report(Severity.INFO), "ok", 0, 0),
        (_report(Severity.WARNING), "warning", 0, 1),
        (_report(Severity.INFO, Severity.ERROR, Severity.WARNING), "error", 1, 1),
        (_report(skipped=(_MINOR,)), "ok", 0, 0),
        (_report(skipped=(_DECISIVE,)), "unknown", 3, 3),
        (_report(Severity.WARNING, skipped=(_DECISIVE,)), "unknown", 3, 1),
        (_report(Severity.ERROR, skipped=(_DECISIVE,)), "error", 1, 1),
    ],
)
def test_the_exit_code_says_found_fine_or_could_not_tell(report: Report, verdict: str, code: int, strict: int):
    assert report.verdict == verdict
    assert report.exit_code() == code
    assert report.exit_code(strict=True) == strict


def _rule(
    name: str, severity: Severity, *cases: Found | Gap, decisive: bool = False, explains: tuple[str, ...] = ()
) -> Rule:
    def judge(_snapshot: Snapshot) -> Iterator[Found]:
        for case in cases:
            yield need(case)

    return Rule(name, severity, decisive, explains, "", judge)


def _judged(*rules: Rule, ignore: tuple[str, ...] = ()) -> Report:
    snapshot = Snapshot("", "0", "", *[Gap("not looked")] * 7, None, ())  # type: ignore[arg-type]
    return judge_all(snapshot, ignore, {rule.name: rule for rule in rules})


def test_causes_come_before_what_they_explain_and_errors_before_warnings():
    report = _judged(
        _rule("follower", Severity.ERROR, found("f", [])),
        _rule("remark", Severity.WARNING, found("r", [])),
        _rule("cause", Severity.ERROR, found("c", []), explains=("follower", "absent-one")),
    )
    assert [finding.name for finding in report.findings] == ["cause", "follower", "remark"]
    assert report.findings[0].explains == ("follower",), "only what was really found is explained"


def test_a_case_may_differ_from_its_rule_in_severity_and_in_what_it_explains():
    report = _judged(
        _rule("a", Severity.ERROR, found("1", [], severity=Severity.INFO), found("2", [], explains=("b",))),
        _rule("b", Severity.WARNING, found("3", [])),
    )
    assert [(one.name, one.severity.value, one.explains) for one in report.findings] == [
        ("a", "error", ("b",)),
        ("b", "warning", ()),
        ("a", "info", ()),
    ]


def test_a_gap_skips_the_rule_with_its_reason_and_takes_no_other_rule_along():
    report = _judged(
        _rule("blind", Severity.ERROR, found("half", []), Gap("permission denied: /dev", "denied"), decisive=True),
        _rule("seeing", Severity.WARNING, found("s", [])),
    )
    assert [finding.name for finding in report.findings] == ["seeing"]
    assert report.skipped == (Skipped("blind", "permission denied: /dev", True),)
    assert report.checked == ("seeing",)
    assert report.verdict == "unknown"


def test_an_ignored_rule_is_not_judged_and_is_named():
    report = _judged(_rule("a", Severity.ERROR, found("1", [])), ignore=("a",))
    assert report.findings == ()
    assert report.ignored == ("a",)
    assert report.verdict == "ok"


def test_evidence_of_an_absent_fact_reads_none():
    assert found("m", [("driver.module_version", None, "/proc")]).evidence == (
        Evidence("driver.module_version", "none", "/proc"),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "load"),
    [
        ("gpucheck.rules.kernel", "from gpucheck.rules import load; load()"),
        ("gpucheck.fleet.rules.drift", "from gpucheck.fleet.rules import engine; engine.load()"),
        ("gpucheck.containers.rules.fitting", "from gpucheck.containers.rules import load; load()"),
    ],
)
def test_rules_whose_import_was_cut_off_are_imported_again(module: str, load: str):
    """As after a signal in the middle of it: registered, and not in sys.modules."""
    code = f"import sys, {module}; del sys.modules['{module}']; {load}; print('loaded')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("loaded\n", "")


def test_two_rules_of_one_name_are_a_mistake():
    def rule(snapshot: Snapshot) -> Iterator[Found]:
        yield from ()

    of_another_module = Rule("rule", Severity.ERROR, False, (), "", judge_all)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="rule"):
        name_of(rule, {"rule": of_another_module})
    assert name_of(rule, {"rule": of_another_module._replace(judge=rule)}) == "rule"
