"""`gpucheck smoke`: its parts, its formats, its time and its ends. The speed test here is a real one, on the CPU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import looked
import pytest
from fake_driver import FakeDriver
from real_environments import environment
from test_render import closed

from gpucheck import api, benching, smoking
from gpucheck.facts.bench import Result
from gpucheck.facts.codec import decode
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.interruption import TimeIsUp, listen, time_limit
from gpucheck.output import WrongUsage
from gpucheck.render.smoke import json as smoke_json
from gpucheck.render.smoke import junit, nagios, terminal
from gpucheck.smoke import judging
from gpucheck.smoke.result import Smoke, SmokePart

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: its signals are not POSIX's")


def rehearsed(name: str, **words: Any) -> Smoke:
    """What `gpucheck smoke --simulate NAME` knows."""
    run = smoking.Run(smoking.Words(simulate=name, **words), None, 300.0)
    run.rehearse(name)
    return run.known()


@cache
def schema() -> jsonschema.Draft202012Validator:
    text = (Path(smoke_json.__file__).parent / "smoke.schema.json").read_text()
    return jsonschema.Draft202012Validator(closed(json.loads(text)))


def outcomes(smoke: Smoke) -> list[str]:
    return [part.outcome for part in smoke.parts]


# What follows from what


def test_a_gpu_that_computes_is_fine_and_a_machine_without_one_is_not() -> None:
    fine, without = rehearsed("fine"), rehearsed("ok-cpu-expected")
    assert (fine.verdict, fine.exit_code, outcomes(fine)) == ("ok", 0, ["ok", "ok", "not-run"])
    assert without.report is not None
    assert without.report.exit_code() == 0  # nothing is wrong with it, doctor says
    assert (without.verdict, without.exit_code, outcomes(without)) == ("error", 1, ["ok", "error", "not-run"])


def test_a_warning_passes_unless_it_is_strict_and_what_is_not_known_does_not_pass() -> None:
    assert (rehearsed("gpu-throttling").exit_code, rehearsed("gpu-throttling", strict=True).exit_code) == (0, 1)
    assert (rehearsed("unknown").verdict, rehearsed("unknown").exit_code) == ("unknown", 3)


@pytest.mark.parametrize(
    ("name", "strict", "code"),
    [("fine", False, 0), ("gpu-throttling", False, 1), ("gpu-throttling", True, 2), ("unknown", False, 3)]
    + [("driver-library-version-mismatch", False, 2), ("ok-cpu-expected", False, 2)],
)
def test_nagios_gets_the_codes_of_its_plugins(name: str, strict: bool, code: int) -> None:
    smoke = rehearsed(name, strict=strict)
    assert smoke.nagios_code == code
    assert nagios.render(smoke).startswith(f"GPUCHECK {nagios.STATES[code]} - SIMULATED {name}: ")


def test_a_gpu_that_computes_wrong_numbers_or_nothing_is_an_error_in_words() -> None:
    said = {name: rehearsed(name).part("operation") for name in ("deep-wrong-numbers", "deep-operation-failed")}
    assert {part.outcome for part in said.values()} == {"error"}
    assert "gave wrong numbers" in said["deep-wrong-numbers"].said
    assert "GPU:0: a convolution failed" in said["deep-operation-failed"].said


def test_a_gpu_on_which_nothing_was_computed_is_no_success() -> None:
    proven = looked.snapshot("deep-rtx4090-proven")
    assert judging.operation(proven, 0.0).outcome == "ok"
    deep = proven.deep
    assert deep is not None
    assert not isinstance(deep, Gap)
    assert judging.operation(proven._replace(deep=deep._replace(operations=())), 0.0).outcome == "error"
    assert judging.operation(proven._replace(deep=Gap("who knows")), 0.0).outcome == "unknown"
    assert judging.operation(proven._replace(deep=deep._replace(devices=Gap("who knows"))), 0.0).outcome == "unknown"


@cache
def measured(name: str) -> Result:
    """A result of bench that its own tests have made."""
    import bench_results

    made = getattr(bench_results, name)()
    assert isinstance(made, Result)
    return made


# How it is told


@pytest.mark.parametrize("name", ["fine", "driver-library-version-mismatch", "ok-cpu-expected", "unknown"])
def test_the_document_is_what_its_schema_describes(name: str) -> None:
    smoke = rehearsed(name)
    data = json.loads(smoke_json.render(smoke, smoke.exit_code))
    schema().validate(data)
    assert (data["schema"], data["simulated"], data["exit_code"]) == ("gpucheck.smoke/1", name, smoke.exit_code)


def test_a_document_of_nothing_but_its_beginning_fits_the_schema_too() -> None:
    run = smoking.Run(smoking.Words(), None, 300.0)
    run.stopped = "SIGTERM"
    smoke = run.known()
    assert (smoke.verdict, smoke.exit_code) == ("unknown", 3)
    schema().validate(json.loads(smoke_json.render(smoke, 143)))
    assert junit.render(smoke).count("<error") == 3
    assert "ended by SIGTERM" in terminal.render(smoke)


def test_every_format_says_that_it_is_a_rehearsal() -> None:
    smoke = rehearsed("fine")
    assert terminal.render(smoke).startswith("SIMULATED: fine")
    assert "SIMULATED fine" in nagios.render(smoke).splitlines()[0]
    names = [suite.get("name") or "" for suite in ET.fromstring(junit.render(smoke))]
    assert len(names) == 2
    assert all("SIMULATED fine" in name for name in names)


def test_junit_has_doctors_rules_and_the_other_parts_as_cases() -> None:
    root = ET.fromstring(junit.render(rehearsed("ok-cpu-expected")))
    failed = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert failed == ["operation on each GPU"]
    assert root.get("failures") == "1"
    assert len(list(root.iter("testcase"))) > 50


def test_a_plugins_first_line_has_one_bar_and_figures_in_the_guidelines_form() -> None:
    import re

    smoke = rehearsed("gpu-throttling")
    parts = (smoke.parts[0]._replace(said="a|b\nc"), *smoke.parts[1:])
    first, *rest = nagios.render(smoke._replace(parts=parts)).splitlines()
    assert first.count("|") == 1
    assert not any("|" in line for line in rest)
    for figure in first.partition("|")[2].split():
        assert re.fullmatch(r"'[^'=]+'=-?[\d.]+(s|%|B|c)?(;[^;]*){0,4}", figure), figure
    assert first.isascii()


# The command


def gpucheck(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "VIRTUAL_ENV")}
    command = [sys.executable, "-m", "gpucheck", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**kept, **environ}, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [["--timeout", "soon"], ["--bogus"], ["--expect", "no/such.toml"], ["--timeout", "0"]])
def test_wrong_usage_is_unknown_to_nagios_and_2_to_others(wrong: list[str]) -> None:
    told = gpucheck("smoke", "--exit-codes", "nagios", *wrong)
    assert told.returncode == 3
    assert told.stdout.startswith("GPUCHECK UNKNOWN - ")
    assert gpucheck("smoke", *wrong).returncode == 2


@pytest.mark.slow
def test_with_a_file_for_programs_people_still_read_a_summary(tmp_path: Path) -> None:
    file = tmp_path / "smoke.xml"
    told = gpucheck("smoke", "--simulate", "gpu-lost", "--format", "junit", "--output", str(file))
    assert told.returncode == 1
    assert "gpu-lost" in told.stdout
    assert ET.fromstring(file.read_text()).tag == "testsuites"


@pytest.mark.slow
def test_a_file_that_cannot_be_written_costs_the_file_and_not_the_answer(tmp_path: Path) -> None:
    told = gpucheck("smoke", "--simulate", "fine", "--format", "json", "--output", "/dev/full")
    assert told.returncode == 2
    assert "the GPU works" in told.stdout
    assert gpucheck("smoke", "--simulate", "fine", "--output", str(tmp_path / "no" / "file")).returncode == 2


# Time


@LINUX
@pytest.mark.slow
def test_a_time_limit_wakes_a_wait_and_leaves_no_signal_behind() -> None:
    code = """
import queue, time
from gpucheck.interruption import TimeIsUp, listen, time_limit
listen()
try:
    with time_limit(0.2):
        queue.Queue().get()
except TimeIsUp as up:
    print("woken", up.exit_code)
with time_limit(5):
    pass
time.sleep(0.3)
print("quiet")
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert told.stdout.split("\n") == ["woken 124", "quiet", ""], told.stderr
