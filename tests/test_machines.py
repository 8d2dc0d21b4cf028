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


@pytest.mark.slow
def test_a_snapshot_comes_back_from_json_as_it_went() -> None:
    for name in machines.names():
        written = json.loads(json.dumps(encode(looked.snapshot(name))))
        assert encode(decode(Snapshot, written)) == written, name


def test_a_machine_says_what_it_is_and_where_it_was_seen() -> None:
    for name in machines.names():
        machine = json.loads((machines.FOLDER / f"{name}.json").read_text())
        assert machine["note"], name
        assert machine["source"], name


@pytest.mark.slow
def test_no_probe_fails_on_a_machine() -> None:
    # "probe failed" is a bug of ours that the other probes outlived
    failed = {
        (name, probe.name): probe.outcome
        for name in machines.names()
        for probe in looked.snapshot(name).probes
        if "probe failed" in probe.outcome
    }
    assert failed == {}


def test_a_finding_carries_evidence_a_sentence_and_known_followers() -> None:
    for name in machines.names():
        for finding in looked.report(name).findings:
            where = (name, finding.name, finding.message)
            assert finding.evidence, where
            assert "Gap(" not in finding.message, where
            assert "None" not in finding.message, where
            assert set(finding.explains) <= set(RULES), where


def test_a_rule_fires_on_one_machine_at_least() -> None:
    found = {finding.name for name in machines.names() for finding in looked.report(name).findings}
    assert sorted(set(RULES) - found) == []


def test_a_rule_is_judged_and_silent_on_one_machine_at_least() -> None:
    silent: set[str] = set()
    for name in machines.names():
        report = looked.report(name)
        silent |= set(report.checked) - {finding.name for finding in report.findings}
    assert sorted(set(RULES) - silent) == []


def test_a_rule_explains_only_rules_that_there_are() -> None:
    for rule in RULES:
        assert set(RULES[rule].explains) <= set(RULES), rule


def test_a_rule_is_documented_under_its_four_headings() -> None:
    for rule in RULES:
        text = RULES[rule].documentation
        headings = [line.strip() for line in text.splitlines() if line.strip().startswith("## ")]
        assert [heading.removesuffix(" it") for heading in headings] == [
            "## What it means",
            "## Why it matters",
            "## How to fix",
            "## References",
        ], rule
        assert "https://" in text.partition("## References")[2], rule


def test_a_readable_machine_without_a_gpu_leaves_nothing_decisive_open() -> None:
    report = looked.report("no-gpu-vm")
    assert not [one for one in report.skipped if one.decisive]
    assert report.exit_code() == 0


def test_one_cause_stands_first_and_what_follows_from_it_under_it() -> None:
    report = looked.report("azure-secure-boot")
    assert report.findings[0].name == "secure-boot-unsigned-module"
    assert set(report.findings[0].explains) == {"nvidia-kernel-module-not-loaded", "cuda-init-failed"}
