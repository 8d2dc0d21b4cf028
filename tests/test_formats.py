"""Formats for CI and monitoring, each read as its consumer reads it: Jenkins' schema for JUnit and OASIS's for SARIF
(both out of the index: tests/published_schemas.py), what GitHub asks for beside it, the rules of GitHub's runner for
annotations, Prometheus' own parser for metrics.

Their golden files are those of tests/test_render.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import looked
import machines
import published_schemas
import pytest
import sample
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from gpucheck import api
from gpucheck.commands import explain
from gpucheck.facts.environment import Environment, Variable
from gpucheck.facts.gap import Gap
from gpucheck.findings import Evidence, Finding, Report, Severity, Skipped
from gpucheck.output import WrongUsage
from gpucheck.render import github, junit, markdown, prometheus, rules, sarif
from gpucheck.render.fleet import junit as fleet_junit
from gpucheck.render.fleet import prometheus as fleet_prometheus
from gpucheck.render.fleet import sarif as fleet_sarif
from gpucheck.render.formats import FORMATS as EVERY
from gpucheck.render.formats import Asked, Named, tell
from gpucheck.render.text import plain

ROOT = Path(__file__).parent.parent
FORMATS = ("junit", "sarif", "github", "prometheus")
NASTY = (
    "\x00\x1b[31m]]> &lt; <script>alert(1)</script> \"'`| \udcff \ud800 \u202e\u2028\r\n::error::pwned %0A::error::%25 "
    "##[error]x [[ATTACHMENT|/etc/passwd]] [click](http://evil.example) {0} \\n \\ \U0001f600\ufffe"
)


def named(report: Report, *more: Report) -> list[Named]:
    """One report of this machine, or several of files."""
    return [("", report)] if not more else [(f"nodes/{at}.json", one) for at, one in enumerate((report, *more))]


def found(name: str, severity: Severity, text: str = "It is so.", **more: Any) -> Finding:
    return Finding(name, severity, text, (Evidence("driver", text, text),), (f"ls {text}",), **more)


def hostile(text: str) -> Report:
    """Every string that a format shows is this one."""
    gpus = (sample.gpu(name=text, uuid=text, pci_address=text),)
    facts = sample.snapshot(system=sample.system(distribution=text, kernel=text), gpus=gpus, taken=text, version=text)
    finding = found("libcuda-missing", Severity.ERROR, text)
    skipped = (Skipped("libdevice-not-found", text, True), Skipped("gpu-throttling", text, False))
    return Report(text, (finding, found("a", Severity.WARNING, text)), ("a",), skipped, ("b",), facts)


def rehearsed(report: Report) -> Report:
    return report._replace(simulated="driver-version-mismatch")


REPORTS = {
    "fine": sample.fine(),
    "mismatch": sample.mismatch(),
    "unknown": sample.unknown(),
    "hostile": hostile(NASTY),
    "rehearsal": rehearsed(sample.mismatch()),
}


# --- all of them


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("machine", REPORTS)
def test_a_rehearsal_is_said_loudly_and_only_where_it_is_one(form: str, machine: str) -> None:
    text = tell(form, named(REPORTS[machine]), Asked())
    assert ("SIMULATED: driver-version-mismatch" in text) is (machine == "rehearsal")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_a_megabyte_in_every_string_makes_a_document_of_some_kilobytes(form: str) -> None:
    text = tell(form, named(hostile("x" * 1_000_000)), Asked())
    assert 100 < len(text) < 100_000


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_string_and_no_gpu_are_no_trouble(form: str) -> None:
    facts = sample.snapshot(gpus=(), probes=(), taken="", version="")
    nothing = Report("", (Finding("", Severity.ERROR, "", (Evidence("", "", ""),)),), (), (), (), facts)
    assert tell(form, named(nothing), Asked())
    assert tell(form, named(Report("", (), (), (), (), facts)), Asked())


def test_every_format_and_every_metric_is_told_of_in_the_documentation() -> None:
    page = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [one for one in EVERY if f"| `{one}` |" not in page or f"`{one}`" not in readme] == []
    metrics = re.findall(
        r"^# TYPE (\S+)", prometheus.tell(named(sample.mismatch(), sample.fine()), Asked()), re.MULTILINE
    )
    assert [one for one in metrics if f"`{one}`" not in page] == []


def test_rules_are_not_listed_as_what_was_found() -> None:
    for form in FORMATS:
        with pytest.raises(WrongUsage, match="--list-rules comes as terminal, json, markdown"):
            explain.list_rules(form, None)


# --- Markdown


def test_markdown_shows_the_first_findings_evidence_and_folds_the_others_and_all_notes() -> None:
    def many(name: str, severity: Severity) -> Finding:
        evidence = tuple(Evidence(f"{name}-{at}", "1", "") for at in range(6))
        return Finding(name, severity, f"{name} is so.", evidence, (f"cure {name}",))

    findings = (many("first", Severity.ERROR), many("second", Severity.WARNING), many("third", Severity.INFO))
    text = markdown.render(sample.fine()._replace(findings=findings))
    open_ = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert [at for at in range(6) if f"first-{at}" in open_] == [0, 1, 2, 3]
    assert "second-" not in open_
    assert "cure second" in open_
    assert "third" not in open_
    assert all(f"{name}-{at}" in text for name in ("first", "second", "third") for at in range(6))


def test_markdown_fits_an_issue_whatever_the_machine_says() -> None:
    variables = tuple(Variable(f"XLA_{at}", "x" * 200) for at in range(500))
    facts = sample.snapshot(environment=Environment(variables))
    skipped = tuple(Skipped(f"rule-{at}", "y" * 9000, True) for at in range(100))
    text = markdown.render(Report("1", (found("a", Severity.ERROR, "z" * 9000),), (), skipped, (), facts))
    assert len(text) < 65_536
    assert "- and 90 more rules" in text
    assert "more (--format json)" in text


# --- JUnit


@cache
def jenkins() -> Any:
    etree = pytest.importorskip("lxml.etree")
    return etree.XMLSchema(etree.parse(str(published_schemas.schema(published_schemas.JUNIT))))


def read_by_jenkins(text: str) -> ElementTree.Element:
    """The document, if Jenkins' schema takes it; for tests marked real."""
    schema = jenkins()
    from lxml import etree

    schema.assertValid(etree.fromstring(text.encode()))
    return ElementTree.fromstring(text)


def state(case: ElementTree.Element) -> str:
    return next((one.tag for one in case if one.tag != "system-out"), "passed")


def cases(report: Report, strict: bool = False) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(junit.tell(named(report), Asked(strict)))
    every = root.findall("testsuite/testcase")
    assert len({one.attrib["name"] for one in every}) == len(every)
    return {one.attrib["name"]: one for one in every}


@pytest.mark.real
@pytest.mark.parametrize("machine", REPORTS)
def test_jenkins_schema_takes_every_report(machine: str) -> None:
    read_by_jenkins(junit.tell(named(REPORTS[machine]), Asked(strict=True)))
    read_by_jenkins(junit.tell(named(REPORTS[machine]), Asked()))


@pytest.mark.real
def test_jenkins_schema_takes_several_files_and_any_text() -> None:
    read_by_jenkins(junit.tell(named(*REPORTS.values()), Asked()))
    read_by_jenkins(junit.tell(named(*map(hostile, NASTY)), Asked()))


@pytest.mark.real
def test_jenkins_schema_refuses_what_is_none() -> None:
    schema = jenkins()
    from lxml import etree

    assert not schema.validate(etree.fromstring("<testsuites><testcase/></testsuites>"))


def test_every_rule_is_a_case_and_its_state_is_what_became_of_it() -> None:
    report = sample.mismatch()
    told = cases(report)
    assert {name: state(case) for name, case in told.items()} == {
        "driver-library-version-mismatch": "failure",
        "libcuda-missing": "passed",
        "cudnn-wrong-version": "passed",
        "cuda-driver-error": "failure",
        "ld-library-path-shadows-bundled-cuda": "passed",
        "gpu-arch-too-new-for-build": "skipped",
        "pep668-externally-managed": "skipped",
    }
    failure = told["driver-library-version-mismatch"][0]
    assert failure.attrib["message"] == report.findings[0].message
    for words in (report.findings[0].message, *report.findings[0].fix, "/proc/driver/nvidia/version"):
        assert words in (failure.text or "")
    assert "unset LD_LIBRARY_PATH" in (told["ld-library-path-shadows-bundled-cuda"].findtext("system-out") or "")


def test_a_reason_stands_where_jenkins_and_where_gitlab_look() -> None:
    told = cases(sample.mismatch())
    for name, reason in (("gpu-arch-too-new-for-build", "NVML answers"), ("pep668-externally-managed", "ignored")):
        skipped = told[name][0]
        assert skipped.attrib["message"].startswith(reason)
        assert skipped.text == skipped.attrib["message"]


def test_a_warning_fails_where_it_is_asked_to() -> None:
    assert state(cases(sample.mismatch(), strict=True)["ld-library-path-shadows-bundled-cuda"]) == "failure"


def test_what_keeps_the_verdict_open_is_an_error_and_no_green_case() -> None:
    told = cases(sample.unknown())
    assert {name: state(case) for name, case in told.items()} == {"libcuda-missing": "error", "throttled": "skipped"}


def test_what_was_found_makes_no_case_green_that_is_left_open() -> None:
    name = "expectation-not-measurable"  # a warning and, where nothing is worse, why the verdict is open
    open_ = sample.fine()._replace(
        findings=(found(name, Severity.WARNING),),
        skipped=(Skipped(name, "no GPU was seen", True), Skipped(name, "no driver", True)),
    )
    case = cases(open_)[name]
    assert [one.tag for one in case] == ["error", "system-out"]
    assert case[0].attrib["message"] == "no GPU was seen; no driver"
    assert state(cases(open_, strict=True)[name]) == "failure"


def test_counts_are_those_of_the_cases() -> None:
    root = ElementTree.fromstring(junit.tell(named(sample.mismatch(), sample.unknown()), Asked()))
    shown = [{name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")} for suite in root]
    assert shown == [
        {"tests": 7, "failures": 2, "errors": 0, "skipped": 2},
        {"tests": 2, "failures": 0, "errors": 1, "skipped": 1},
    ]
    assert [root.attrib[name] for name in ("tests", "failures", "errors")] == ["9", "2", "1"]


def test_each_file_is_a_suite_and_a_class_of_its_own() -> None:
    root = ElementTree.fromstring(junit.tell(named(sample.fine(), sample.fine()), Asked()))
    assert [suite.attrib["name"] for suite in root] == ["gpucheck doctor nodes/0.json", "gpucheck doctor nodes/1.json"]
    keys = [(case.attrib["classname"], case.attrib["name"]) for case in root.iter("testcase")]
    assert len(set(keys)) == len(keys)
    assert keys[0][0] == "gpucheck.nodes/0_json"


def test_a_suite_tells_the_versions_and_the_gpus() -> None:
    root = ElementTree.fromstring(junit.tell(named(sample.fine()), Asked()))
    told = {one.attrib["name"]: one.attrib["value"] for one in root.iter("property")}
    assert told["verdict"] == "ok"
    assert told["gpu_0"] == "NVIDIA GeForce RTX 4090"
    assert (told["driver_version"], told["driver_cuda_version"], told["tensorflow_version"]) == (
        "580.126.09",
        "13.0",
        "2.21.0",
    )
    unknown = ElementTree.fromstring(junit.tell(named(sample.unknown()), Asked()))
    assert {one.attrib["value"] for one in unknown.iter("property") if "version" in one.attrib["name"]} == {
        "unknown",
        "0.1.0",
    }


def test_no_text_makes_jenkins_or_gitlab_fetch_a_file() -> None:
    text = junit.tell(named(hostile(NASTY)), Asked())
    assert "[ [ATTACHMENT|/etc/passwd]]" in text
    assert "[[ATTACHMENT" not in text


@given(st.text(max_size=40))
@examples(100, 5)
def test_whatever_a_machine_says_junit_is_read_back_as_it_was_shown(text: str) -> None:
    root = ElementTree.fromstring(junit.tell(named(hostile(text)), Asked()))
    assert [one.attrib["message"] for one in root.iter("failure")] == [plain(text)]
    assert {one.text or "" for one in root.iter("skipped")} == {plain(text), "ignored"}


# --- SARIF


@cache
def oasis() -> jsonschema.Draft4Validator:
    schema = json.loads(published_schemas.schema(published_schemas.SARIF).read_text(encoding="utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


def read_by_github(text: str) -> Any:
    """The run, if it has what GitHub asks for beside the schema.

    https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
    """
    log = json.loads(text)
    (run,) = log["runs"]
    (invoked,) = run["invocations"]
    assert invoked["executionSuccessful"]
    for rule in run["tool"]["driver"]["rules"]:
        if rules.find(rule["id"]):
            assert rule["help"]["text"]
            assert all(0 < len(rule[key]["text"]) <= 1024 for key in ("shortDescription", "fullDescription"))
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert "](" not in result["message"]["text"]
        (place,) = result["locations"]
        assert re.fullmatch(r"[\w.~%-][\w.~%/-]*", place["physicalLocation"]["artifactLocation"]["uri"])
        assert place["physicalLocation"]["region"]["startLine"] >= 1
        assert len(result.get("relatedLocations", ())) < 100
    marks = [one["partialFingerprints"]["primaryLocationLineHash"] for one in run["results"]]
    assert len(marks) == len(set(marks))
    return run


def run_of(*reports: Report, strict: bool = False) -> Any:
    return read_by_github(sarif.tell(named(*reports), Asked(strict)))


@pytest.mark.parametrize("machine", REPORTS)
def test_github_takes_every_report(machine: str) -> None:
    run_of(REPORTS[machine])


@pytest.mark.real
@pytest.mark.parametrize("machine", REPORTS)
def test_the_schema_of_oasis_takes_every_report(machine: str) -> None:
    for strict in (False, True):
        oasis().validate(json.loads(sarif.tell(named(REPORTS[machine]), Asked(strict))))


@pytest.mark.real
def test_the_schema_of_oasis_takes_several_files_and_any_text() -> None:
    oasis().validate(json.loads(sarif.tell(named(*REPORTS.values()), Asked())))
    oasis().validate(json.loads(sarif.tell(named(*map(hostile, NASTY)), Asked())))


@pytest.mark.real
def test_the_schema_of_oasis_refuses_what_is_none() -> None:
    log = json.loads(sarif.tell(named(sample.mismatch()), Asked()))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not oasis().is_valid(log)


def test_a_result_has_the_message_first_then_evidence_and_fix() -> None:
    report = sample.mismatch()
    (first, second, third) = run_of(report)["results"]
    assert [one["level"] for one in (first, second, third)] == ["error", "error", "warning"]
    lines = first["message"]["text"].splitlines()
    assert lines[0] == report.findings[0].message
    assert "- driver.module_version: kernel module 575.64.03 (/proc/driver/nvidia/version)" in lines
    assert lines[-len(report.findings[0].fix) :] == list(report.findings[0].fix)


def test_what_was_not_judged_is_a_notification_and_what_was_not_to_be_is_switched_off() -> None:
    run = run_of(sample.mismatch())
    (invoked,) = run["invocations"]
    (note,) = invoked["toolExecutionNotifications"]
    assert note["associatedRule"]["id"] == "gpu-arch-too-new-for-build"
    assert "NVML answers error 18" in note["message"]["text"]
    assert invoked["ruleConfigurationOverrides"] == [
        {"descriptor": {"id": "pep668-externally-managed"}, "configuration": {"enabled": False}}
    ]
    assert (invoked["exitCode"], invoked["exitCodeDescription"]) == (1, "an error was found")
    assert invoked["properties"]["driver_version"] == "575.64.03"


def test_not_knowing_is_an_open_result_and_not_an_empty_list() -> None:
    run = run_of(sample.unknown())
    (result,) = run["results"]
    assert (result["ruleId"], result["kind"], result["level"]) == ("libcuda-missing", "open", "none")
    assert run["invocations"][0]["exitCode"] == 3
    assert run_of(sample.fine())["results"] == []


def test_a_fingerprint_stays_when_a_value_changes_and_differs_between_results_and_files() -> None:
    def marks(*reports: Report) -> list[str]:
        return [one["partialFingerprints"]["primaryLocationLineHash"] for one in run_of(*reports)["results"]]

    def hot(degrees: int) -> Report:
        evidence = (Evidence("gpus.temperature_c", str(degrees), "NVML"),)
        gpus = [Finding("gpu-too-hot", Severity.WARNING, f"GPU {at} has {degrees} °C.", evidence) for at in (0, 1)]
        return sample.fine()._replace(findings=tuple(gpus))

    assert marks(hot(91)) == marks(hot(93))
    assert len(set(marks(hot(91)))) == 2
    assert len(set(marks(hot(91), hot(91)))) == 4
    assert not set(marks(rehearsed(hot(91)))) & set(marks(hot(91)))


def test_what_a_log_says_stands_at_its_line() -> None:
    evidence = (Evidence("log.cuinit-failed", "failed call to cuInit", "logs/train.log:17, 3 times"),)
    finding = Finding("cuda-init-failed", Severity.ERROR, "cuInit failed.", evidence)
    (result,) = run_of(sample.fine()._replace(findings=(finding,)))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("logs/train.log", 17)
    report = api.judge_logs(api.log_of("failed call to cuInit: CUDA_ERROR_NO_DEVICE"))
    assert places(report) == [sarif.HERE, sarif.HERE]


def places(report: Report) -> list[str]:
    results = run_of(report)["results"]
    return [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results]


def test_what_a_log_leaves_open_is_possible_and_stands_at_that_log(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("failed call to cuInit: CUDA_ERROR_NO_DEVICE\n")
    report = api.judge_logs(api.read_logs([str(log)]))
    assert set(places(report)) == {sarif.path_of(str(log))}
    assert [one[1]["title"] for one in annotations(report)] == [
        "gpucheck could not tell",
        "possible: cuda-visible-devices-hides-gpu",
    ]
    told = cases(report)
    assert state(told["log-does-not-settle"]) == "error"
    assert (told["cuda-visible-devices-hides-gpu"].findtext("system-out") or "").startswith("possible: ")


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("", sarif.HERE),
        ("nodes/gpu 1.json", "nodes/gpu%201.json"),
        ("/abs/olute.json", "abs/olute.json"),
        ("../../up/./x.json", "up/x.json"),
        ("C:\\nodes\\a.json", "C%3A/nodes/a.json"),
        ("https://x.example/a?b#c", "https%3A/x.example/a%3Fb%23c"),
        ("/", sarif.HERE),
        ("a\udcff\n.json", "a%5Cxff%5Cn.json".replace("%5C", "/")),
    ],
)
def test_a_place_is_a_relative_path_whatever_the_file_is_called(file: str, uri: str) -> None:
    assert sarif.path_of(file) == uri


@given(st.text(max_size=40))
@examples(60, 3)
def test_whatever_a_machine_says_sarif_is_valid(text: str) -> None:
    run_of(hostile(text))
    assert re.fullmatch(r"[\w.~%-][\w.~%/-]*", sarif.path_of(text), re.ASCII)


# --- GitHub's workflow


def runner(line: str) -> tuple[str, dict[str, str], str] | None:
    """What GitHub's runner makes of a line of output (its rules are in actions/runner, ActionCommand.cs)."""
    known = {"error", "warning", "notice", "debug", "group", "add-mask", "set-output", "stop-commands"}
    line = line.lstrip()
    if line.startswith("::") and (end := line.find("::", 2)) >= 0:
        command, _, rest = line[2:end].partition(" ")
        if command in known:
            pairs = (pair.split("=", 1) for pair in rest.strip().split(",") if "=" in pair)
            return command, {name: _undone(value, ":,") for name, value in pairs}, _undone(line[end + 2 :], "")
    if found := re.search(r"##\[([^\] ]+)[^\]]*\]", line):
        return (found[1], {}, line[found.end() :]) if found[1] in known else None
    return None


def _undone(text: str, signs: str) -> str:
    for sign in ("\r", "\n", *signs, "%"):
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


def annotations(*reports: Report, strict: bool = False) -> list[tuple[str, dict[str, str], str]]:
    """The annotations, and that nothing else is a command."""
    text = github.tell(named(*reports), Asked(strict))
    read = [(line, runner(line)) for line in re.split(r"\r\n|\r|\n", text)[:-1]]
    assert all(made or line.startswith("gpucheck: ") for line, made in read)
    return [made for _, made in read if made]


def test_annotations_come_back_as_they_were_meant_and_worst_first() -> None:
    report = sample.mismatch()
    (error, warning) = annotations(report)
    assert error[:2] == ("error", {"title": "driver-library-version-mismatch"})
    lines = error[2].split("\n")
    assert lines[0] == report.findings[0].message
    assert set(report.findings[0].fix) < set(lines)
    assert any(line.startswith("explains cuda-driver-error: ") for line in lines)
    assert warning[:2] == ("warning", {"title": "ld-library-path-shadows-bundled-cuda"})
    assert [one[0] for one in annotations(report, strict=True)] == ["error", "error"]


def test_a_machine_without_findings_makes_no_annotation_and_one_line() -> None:
    assert annotations(sample.fine()) == []
    assert github.tell(named(sample.fine()), Asked()) == "gpucheck: ok: nothing found; 3 rules checked\n"


def test_not_knowing_is_an_annotation_with_what_was_not_judged() -> None:
    (one,) = annotations(sample.unknown())
    assert one[0] == "error"
    assert one[1]["title"] == "gpucheck could not tell"
    assert "libcuda-missing: the driver probe gave no answer" in one[2]


@pytest.mark.parametrize(
    ("source", "properties"),
    [
        ("ci/Dockerfile:3", {"file": "ci/Dockerfile", "line": "3"}),
        ("C:\\logs\\a, b.log:17, 3 times", {"file": "C:\\logs\\a, b.log", "line": "17"}),
        ("a%0Ab.log:0", {"file": "a%0Ab.log", "line": "1"}),
        ("-:4", {}),
        ("NVML", {}),
        ("https://docs.nvidia.com/deploy/:17", {}),
        ("a\n::error::b:1", {}),
    ],
)
def test_an_annotation_stands_at_the_line_that_evidence_names(source: str, properties: dict[str, str]) -> None:
    finding = Finding("image-cuda-missing", Severity.ERROR, "It is so.", (Evidence("image", "1", source),))
    ((_, told, _),) = annotations(sample.fine()._replace(findings=(finding,)))
    assert told == {**properties, "title": "image-cuda-missing"}


def test_of_a_kind_ten_are_shown_and_the_tenth_counts_the_rest() -> None:
    many = tuple(found(f"rule-{at}", severity) for severity in Severity for at in range(25))
    made = annotations(sample.fine()._replace(findings=many))
    assert [one[0] for one in made] == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10
    assert [one[1]["title"] for one in made[:10]] == [*(f"rule-{at}" for at in range(9)), "and 16 more"]
    assert made[9][2].split("\n") == [f"rule-{at}" for at in range(9, 25)]
    exactly = sample.fine()._replace(findings=many[:10])
    assert [one[1]["title"] for one in annotations(exactly)] == [f"rule-{at}" for at in range(10)]


def test_a_rehearsal_is_the_first_annotation_and_takes_no_place_of_an_eleventh() -> None:
    many = tuple(found(f"rule-{at}", Severity.WARNING) for at in range(25))
    made = annotations(rehearsed(sample.fine()._replace(findings=(*many, found("worse", Severity.ERROR)))))
    assert made[0][1] == {"title": "SIMULATED"}
    assert [one[0] for one in made] == ["warning", "error", *["warning"] * 9]
    assert all(one[1]["title"].startswith(("SIMULATED", "and 17 more")) for one in made)


def test_hostile_words_make_no_command_of_their_own() -> None:
    made = annotations(hostile(NASTY), rehearsed(hostile(NASTY)))
    assert {one[0] for one in made} == {"error", "warning"}
    assert all(len(one[2].encode("utf-16-le")) // 2 <= github.MOST_TEXT for one in made)
    text = github.tell([(NASTY, hostile(NASTY)), ("##[error]x", hostile(NASTY))], Asked())
    assert [line for line in text.splitlines() if not line.startswith(("::error ", "::warning ", "gpucheck: "))] == []
    assert [runner(line) for line in text.splitlines() if line.startswith("gpucheck: ")] == [None, None]


@given(st.text(max_size=40))
@examples(200, 8)
def test_the_runner_reads_back_what_was_escaped(text: str) -> None:
    for made in (text, f"{text}%0A%25{text}", f"::{text},a=b"):
        line = f"::error title=t{github.property_of(made)}z::{github.data_of(made)}"
        assert runner(line) == ("error", {"title": f"t{made}z"}, made)
    assert not re.search("[\r\n]", line)
    annotations(hostile(text))


def test_long_lines_leave_whole_commands_and_the_count_of_what_is_left_out() -> None:
    finding = Finding("long", Severity.ERROR, "It is so.", (), tuple(f"echo {at} {'x' * 900}" for at in range(30)))
    ((_, _, text),) = annotations(sample.fine()._replace(findings=(finding,)))
    lines = text.split("\n")
    assert len(text) <= github.MOST_TEXT
    assert set(lines[2:-1]) <= set(finding.fix)
    assert re.fullmatch(r"… and \d+ more lines", lines[-1])


def test_the_summary_is_the_markdown_and_short_where_there_is_no_room() -> None:
    every = named(sample.mismatch())
    assert github.summary(every, Asked()).startswith("**gpucheck 0.1.0: error** (2 errors")
    short = github.summary(every, Asked(), 1000)
    assert "error: driver-library-version-mismatch" in short
    assert len(short.encode()) <= 1000
    assert github.summary(every, Asked(), 10) == ""


def command(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpucheck", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        timeout=60,
    )


@pytest.mark.slow
def test_the_command_adds_to_the_steps_summary_and_a_bad_one_changes_no_verdict(tmp_path: Path) -> None:
    words = ("doctor", "--simulate", "driver-version-mismatch", "--format", "github")
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    done = command(*words, GITHUB_STEP_SUMMARY=str(file))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("::warning title=SIMULATED::")
    assert file.read_text().startswith("before\n> **SIMULATED")
    for bad in (str(tmp_path), str(tmp_path / "no" / "file"), "/dev/full"):
        done = command(*words, GITHUB_STEP_SUMMARY=bad)
        assert done.returncode == 1
        assert done.stderr.startswith("gpucheck: GITHUB_STEP_SUMMARY: cannot write to ")
        assert done.stderr.count("\n") == 1
    assert command(*words, GITHUB_STEP_SUMMARY="").stderr == ""
    file.write_text("x" * (github.MOST_SUMMARY - 1000))  # of other steps' tools
    assert command(*words, GITHUB_STEP_SUMMARY=str(file)).returncode == 1
    assert github.MOST_SUMMARY - 1000 < file.stat().st_size <= github.MOST_SUMMARY


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_every_format_with_doctors_exit_code(form: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    done = command("doctor", "--simulate", "driver-version-mismatch", "--format", form, "--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert "driver-library-version-mismatch" in file.read_text(encoding="utf-8")


# --- Prometheus


def metrics(text: str) -> dict[str, Any]:
    """The families, as Prometheus' client reads them."""
    parser = pytest.importorskip("prometheus_client.parser")
    families = list(parser.text_string_to_metric_families(text))
    names = [one.name for one in families]
    assert len(names) == len(set(names))
    for one in families:
        assert re.fullmatch(r"gpucheck_[a-z_]+[a-z]", one.name)
        assert (one.type, bool(one.documentation)) == ("gauge", True)
        assert not one.name.endswith(("_total", "_count", "_sum", "_bucket", "_milliseconds", "_kilobytes", "_percent"))
        assert all(sample.timestamp is None for sample in one.samples)
        labels = [tuple(sorted(sample.labels.items())) for sample in one.samples]
        assert len(labels) == len(set(labels))
        assert len({tuple(sorted(sample.labels)) for sample in one.samples}) == 1
    return {one.name: one for one in families}


def of(*reports: Report, strict: bool = False) -> dict[str, Any]:
    return metrics(prometheus.tell(named(*reports), Asked(strict)))


def values(family: Any, label: str) -> dict[str, float]:
    return {one.labels[label]: one.value for one in family.samples}


@pytest.mark.parametrize("machine", REPORTS)
def test_prometheus_own_parser_reads_every_report(machine: str) -> None:
    told = of(REPORTS[machine])
    assert sum(values(told["gpucheck_verdict"], "verdict").values()) == 1


def test_metrics_are_the_verdict_the_findings_and_the_rules() -> None:
    told = of(sample.mismatch())
    assert values(told["gpucheck_verdict"], "verdict") == {"ok": 0, "warning": 0, "error": 1, "unknown": 0}
    assert values(told["gpucheck_findings"], "severity") == {"error": 2, "warning": 1, "info": 0}
    assert values(told["gpucheck_rules"], "state") == {"checked": 3, "skipped": 1, "ignored": 1}
    assert told["gpucheck_exit_code"].samples[0].value == 1
    assert values(told["gpucheck_rule_found"], "name")["driver-library-version-mismatch"] == 1
    assert values(told["gpucheck_rule_skipped"], "decisive") == {"true": 1}
    assert told["gpucheck_simulated"].samples[0].value == 0
    assert of(rehearsed(sample.mismatch()))["gpucheck_simulated"].samples[0].value == 1


def test_numbers_are_in_base_units_and_what_is_not_known_has_none() -> None:
    told = of(sample.fine())
    assert values(told["gpucheck_gpu_memory_total_bytes"], "gpu") == {"0": float(24 << 30)}
    assert values(told["gpucheck_gpu_temperature_celsius"], "gpu") == {"0": 34}
    assert values(told["gpucheck_probe_duration_seconds"], "probe")["driver"] == 0.041
    assert told["gpucheck_taken_timestamp_seconds"].samples[0].value == 1795420800
    lost = sample.gpu(temperature_c=Gap("lost", "error"), memory_total=None, power_w=float("nan"), error="lost")
    facts = sample.snapshot(gpus=(sample.gpu(), lost._replace(number=1)))
    told = of(sample.fine()._replace(snapshot=facts))
    assert set(values(told["gpucheck_gpu_temperature_celsius"], "gpu")) == {"0"}
    assert told["gpucheck_gpus"].samples[0].value == 1
    assert not {name for name in of(sample.unknown()) if name.startswith("gpucheck_gpu")}


def test_several_files_share_one_family_and_are_told_apart() -> None:
    told = of(sample.fine(), sample.mismatch())
    assert values(told["gpucheck_exit_code"], "file") == {"nodes/0.json": 0, "nodes/1.json": 1}


@given(st.text(max_size=40))
@examples(100, 5)
def test_whatever_a_machine_says_a_label_is_read_back_as_it_was_shown(text: str) -> None:
    (info,) = of(hostile(text))["gpucheck_gpu_info"].samples
    assert info.labels["name"] == (plain(text) or "unknown")


# --- fleets, whose formats are made of the same blocks; and all recorded machines


@cache
def small_fleet() -> Any:
    import fleets

    from gpucheck.fleet.grouping import fleet
    from gpucheck.fleet.trouble import node_of

    open_ = fleets.node("gpu05")._replace(verdict="unknown", skipped=(Skipped("libcuda-missing", NASTY, True),))
    nodes = [
        *(fleets.plainly(f"gpu{at}", "error", ("gpu-lost", Severity.ERROR, f"GPU {at} is lost.")) for at in range(4)),
        fleets.plainly(NASTY, "warning", ("gpu-throttling", Severity.WARNING, NASTY)),
        node_of("gpu09", "nodes/gpu09.json", "node-file-unreadable", "no JSON"),
        open_,
    ]
    return fleet(nodes, "1.0", ["driver-drift"])


@pytest.mark.real
def test_the_schemas_of_jenkins_and_oasis_take_a_fleet() -> None:
    read_by_jenkins(fleet_junit.render(small_fleet()))
    oasis().validate(json.loads(fleet_sarif.render(small_fleet())))


def test_a_node_is_a_case_of_junit() -> None:
    root = ElementTree.fromstring(fleet_junit.render(small_fleet()))
    states = {one.attrib["name"]: state(one) for one in root.iter("testcase")}
    assert [states[name] for name in ("gpu0", "gpu05", "gpu09", "driver-drift")] == [
        "failure",
        "error",
        "error",
        "skipped",
    ]


def test_github_takes_a_fleet() -> None:
    run = read_by_github(fleet_sarif.render(small_fleet()))
    assert {one["ruleId"]: one.get("kind") for one in run["results"]} == {
        "gpu-lost": None,
        "node-file-unreadable": None,
        "gpu-throttling": None,
        "libcuda-missing": "open",
    }
    assert run["invocations"][0]["exitCode"] == 1
    assert run["invocations"][0]["ruleConfigurationOverrides"][0]["descriptor"]["id"] == "driver-drift"


def test_prometheus_own_parser_reads_a_fleet() -> None:
    told = metrics(fleet_prometheus.render(small_fleet()))
    assert values(told["gpucheck_fleet_nodes"], "verdict") == {"ok": 0, "warning": 1, "error": 4, "unknown": 2}


@pytest.mark.slow
def test_more_results_than_github_takes_are_left_out_and_counted() -> None:
    some = [sarif.result("gpu-lost", "error", "Lost.", [sarif.location("a.json")], "") for _ in range(25_003)]
    (run,) = json.loads(sarif.document("1", some, sarif.invocation(1, [], [])))["runs"]
    assert len(run["results"]) == 25_000
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].startswith("3 more results")


@pytest.mark.real
@pytest.mark.slow
def test_the_schemas_of_jenkins_and_oasis_take_every_recorded_machine() -> None:
    for name in machines.names():
        report = looked.report(name)
        read_by_jenkins(junit.tell(named(report), Asked()))
        oasis().validate(json.loads(sarif.tell(named(report), Asked())))


@pytest.mark.slow
def test_every_recorded_machine_is_taken_by_every_consumer() -> None:
    for name in machines.names():
        report = looked.report(name)
        assert len(cases(report)) == len({*report.checked, *(one.name for one in report.skipped), *report.ignored})
        run_of(report)
        annotations(report)
        of(report)
