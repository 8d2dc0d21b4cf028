"""The table machine -> findings: each file of tests/machines is looked at and judged as a user's machine would be."""

from __future__ import annotations

import json

import looked
import machines
import pytest

from gpucheck.facts.codec import decode, encode
from gpucheck.facts.snapshot import Snapshot
from gpucheck.rules import load
from gpucheck.rules.engine import RULES

load()


@pytest.mark.parametrize("name", machines.names())
def test_a_machine_gets_exactly_the_findings_that_it_expects(name: str) -> None:
    machine, report = looked.machine(name), looked.report(name)
    told = "\n".join(f"{one.severity.value} {one.name}: {one.message}" for one in report.findings)
    open_ = "\n".join(f"skipped {one.name}: {one.reason}" for one in report.skipped if one.decisive)
    assert sorted(one.name for one in report.findings) == sorted(machine["expect"]), f"{told}\n{open_}"
    assert report.verdict == machine["verdict"], f"{told}\n{open_}"


@pytest.mark.parametrize("name", machines.names())
def test_a_snapshot_comes_back_from_json_as_it_went(name: str) -> None:
    snapshot = looked.snapshot(name)
    text = json.dumps(encode(snapshot))
    assert encode(decode(Snapshot, json.loads(text))) == json.loads(text)


@pytest.mark.parametrize("name", machines.names())
def test_a_machine_says_what_it_is_and_where_it_was_seen(name: str) -> None:
    machine = json.loads((machines.FOLDER / f"{name}.json").read_text())
    assert machine["note"]
    assert machine["source"]


@pytest.mark.parametrize("name", machines.names())
def test_no_probe_fails_on_a_machine(name: str) -> None:
    # "probe failed" is a bug of ours that the other probes outlived
    assert not [one for one in looked.snapshot(name).probes if "probe failed" in one.outcome]


@pytest.mark.parametrize("name", machines.names())
def test_a_finding_carries_evidence_a_sentence_and_known_followers(name: str) -> None:
    for finding in looked.report(name).findings:
        assert finding.evidence, finding.name
        assert "Gap(" not in finding.message
        assert "None" not in finding.message, finding.message
        assert set(finding.explains) <= set(RULES), finding.name


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_fires_on_one_machine_at_least(rule: str) -> None:
    assert any(looked.report(name).find(rule) for name in machines.names()), f"no machine shows {rule}"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_is_judged_and_silent_on_one_machine_at_least(rule: str) -> None:
    reports = map(looked.report, machines.names())
    assert any(rule in report.checked and not report.find(rule) for report in reports)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_explains_only_rules_that_there_are(rule: str) -> None:
    assert set(RULES[rule].explains) <= set(RULES), set(RULES[rule].explains) - set(RULES)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_is_documented_under_its_four_headings(rule: str) -> None:
    text = RULES[rule].documentation
    headings = [line.strip() for line in text.splitlines() if line.strip().startswith("## ")]
    assert [heading.removesuffix(" it") for heading in headings] == [
        "## What it means",
        "## Why it matters",
        "## How to fix",
        "## References",
    ]
    assert "https://" in text.partition("## References")[2]


def test_a_readable_machine_without_a_gpu_leaves_nothing_decisive_open() -> None:
    report = looked.report("no-gpu-vm")
    assert not [one for one in report.skipped if one.decisive]
    assert report.exit_code() == 0


def test_one_cause_stands_first_and_what_follows_from_it_under_it() -> None:
    report = looked.report("azure-secure-boot")
    assert report.findings[0].name == "secure-boot-unsigned-module"
    assert set(report.findings[0].explains) == {"nvidia-kernel-module-not-loaded", "cuda-init-failed"}
