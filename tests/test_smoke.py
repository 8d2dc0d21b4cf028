"""`gpucheck smoke`: its parts, its formats, its time and its ends. The speed test here is a real one, on the CPU."""

from __future__ import annotations

import contextlib
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

import bench_results
import jsonschema
import looked
import psutil
import pytest
from fake_driver import FakeDriver
from real_environments import environment
from test_formats import read_by_jenkins
from test_render import closed

from gpucheck.commands import bench, smoke
from gpucheck.facts.bench import Result
from gpucheck.facts.gap import Gap
from gpucheck.render.smoke import json as smoke_json
from gpucheck.render.smoke import junit, nagios, terminal
from gpucheck.smoke import judging
from gpucheck.smoke.result import Smoke, SmokePart

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: its signals are not POSIX's")


def rehearsed(name: str, **words: Any) -> Smoke:
    """What `gpucheck smoke --simulate NAME` knows."""
    run = smoke.Run(smoke.Words(simulate=name, **words), None, 300.0)
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
    [
        *(("fine", False, 0), ("gpu-throttling", False, 1), ("gpu-throttling", True, 2), ("unknown", False, 3)),
        *(("driver-library-version-mismatch", False, 2), ("ok-cpu-expected", False, 2)),
    ],
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


# The speed test, on results that bench_results makes


def bench_part(result: Result, fail_under: float | None = None) -> SmokePart:
    gate = None if fail_under is None else bench.gate(result, fail_under)
    return judging.bench(result, gate, fail_under, 1.0)


def test_a_speed_up_that_was_asked_for_is_reached_or_not_or_cannot_be_told() -> None:
    fast, unclear = bench_results.result(9.2), bench_results.result(1.02, noise=0.1, rounds=4)
    assert [bench_part(fast, wanted).outcome for wanted in (5.0, 20.0)] == ["ok", "error"]
    assert bench_part(unclear, 5.0).outcome == "unknown"
    assert "--fail-under is 20." in bench_part(fast, 20.0).said


def test_without_a_speed_up_to_reach_a_slow_gpu_passes_and_a_broken_one_does_not() -> None:
    assert bench_part(bench_results.result(0.5)).outcome == "ok"
    assert bench_part(bench_results.result(1.02, noise=0.1, rounds=4)).outcome == "ok"
    assert bench_part(bench_results.result(off=0.5)).outcome == "error"  # other losses than the CPU's
    lost = bench_results.failed("gpu:0", "crash", "killed by SIGSEGV")
    assert bench_part(bench_results.result(gpu_leg=lost)).outcome == "error"
    assert bench_part(bench_results.result(gpu=None)).outcome == "error"


def test_what_was_measured_before_the_end_of_its_time_counts() -> None:
    enough = bench_part(bench_results.result(9.2, interrupted=True), 5.0)
    assert (enough.outcome, "before its time" in enough.said) == ("ok", True)
    assert bench_part(bench_results.result(9.2, rounds=2, interrupted=True), 5.0).outcome == "unknown"
    assert bench_part(bench_results.result(gpu=None, interrupted=True)).outcome == "unknown"


def test_the_speed_that_expectations_are_held_against_is_the_slowest_gpus() -> None:
    result = bench_results.result((9.2, 4.0), batch_sizes=(64, 256))
    speed = judging.speed(result)
    assert not isinstance(speed, Gap)
    assert 3.0 < speed[0] <= speed[1] < 5.0
    assert isinstance(judging.speed(bench_results.result(gpu=None)), Gap)
    assert isinstance(judging.speed(None), Gap)


def test_without_tensorflow_the_speed_tests_own_steps_are_the_operation() -> None:
    assert judging.operation_of_bench(bench_results.result(), "torch", 1.0).outcome == "ok"
    lost = bench_results.failed("gpu:0", "no-device", "PyTorch sees no GPU")
    told = judging.operation_of_bench(bench_results.result(gpu_leg=lost), "torch", 1.0)
    assert (told.outcome, told.said) == ("error", "gpu:0: PyTorch sees no GPU")
    assert judging.operation_of_bench(bench_results.result(gpu=None), "jax", 1.0).outcome == "error"
    assert judging.operation_of_bench(None, "jax", 1.0).outcome == "unknown"


@pytest.mark.slow
def test_a_document_with_a_speed_test_fits_the_schema() -> None:
    result = bench_results.result()
    smoke = rehearsed("fine")._replace(bench=result)
    data = json.loads(smoke_json.render(smoke, 0))
    schema().validate(data)
    assert data["bench"]["trials"][0]["verdicts"][0]["word"] == "faster"
    assert "'gpu0_speedup'=9." in nagios.render(smoke).splitlines()[0]


# How it is told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fine", "driver-library-version-mismatch", "ok-cpu-expected", "unknown"])
def test_the_document_is_what_its_schema_describes(name: str) -> None:
    smoke = rehearsed(name)
    data = json.loads(smoke_json.render(smoke, smoke.exit_code))
    schema().validate(data)
    assert (data["schema"], data["simulated"], data["exit_code"]) == ("gpucheck.smoke/1", name, smoke.exit_code)


@pytest.mark.slow
def test_a_document_of_nothing_but_its_beginning_fits_the_schema_too() -> None:
    run = smoke.Run(smoke.Words(), None, 300.0)
    run.stopped = "SIGTERM"
    told = run.known()
    assert (told.verdict, told.exit_code) == ("unknown", 3)
    schema().validate(json.loads(smoke_json.render(told, 143)))
    assert junit.render(told).count("<error") == 3
    assert "ended by SIGTERM" in terminal.render(told)


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


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["fine", "driver-library-version-mismatch", "ok-cpu-expected", "unknown"])
def test_jenkins_schema_takes_a_smoke_test_whole_and_cut_short(name: str) -> None:
    root = read_by_jenkins(junit.render(rehearsed(name)))
    every = list(root.iter("testcase"))
    assert root.get("tests") == str(len(every))
    assert root.get("failures") == str(sum(case.find("failure") is not None for case in every))
    assert root.get("errors") == str(sum(case.find("error") is not None for case in every))
    stopped = smoke.Run(smoke.Words(), None, 300.0)
    stopped.stopped = "SIGTERM"
    assert read_by_jenkins(junit.render(stopped.known())).get("errors") == "3"


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
@pytest.mark.parametrize("wrong", ["--timeout soon", "--bogus", "--expect no/such.toml", "--timeout 0"])
def test_wrong_usage_is_unknown_to_nagios_and_2_to_others(wrong: str) -> None:
    told = gpucheck("smoke", "--exit-codes", "nagios", *wrong.split())
    assert told.returncode == 3
    assert told.stdout.startswith("GPUCHECK UNKNOWN - ")
    assert gpucheck("smoke", *wrong.split()).returncode == 2


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
    plugin = ("smoke", "--exit-codes", "nagios", "--format", "json", "--output", "/dev/full", "--simulate")
    fine, lost = gpucheck(*plugin, "fine"), gpucheck(*plugin, "gpu-lost")
    assert (fine.returncode, fine.stdout.split(" - ")[0]) == (3, "GPUCHECK UNKNOWN")
    assert (lost.returncode, lost.stdout.split(" - ")[0]) == (2, "GPUCHECK CRITICAL")


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


class Started:
    """A smoke test under way, and every process that it was seen to start."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        self.seen: set[psutil.Process] = set()

    def watch(self, until: str) -> None:
        """Until a process of its own has that word in its command line."""
        own = psutil.Process(self.program.pid)
        while self.program.poll() is None:
            with contextlib.suppress(psutil.Error):
                self.seen |= set(own.children(recursive=True))
                if any(until in " ".join(one.cmdline()) for one in self.seen if one.is_running()):
                    return
            time.sleep(0.02)
        raise AssertionError(self.program.communicate())

    def ended(self) -> tuple[int, str]:
        output, _ = self.program.communicate(timeout=120)
        _, alive = psutil.wait_procs(self.seen, timeout=10)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
        return self.program.returncode, output


@LINUX
@pytest.mark.real
@pytest.mark.parametrize("plugin", [False, True])
def test_ended_from_outside_it_tells_what_it_knows_and_leaves_nothing_behind(plugin: bool) -> None:
    python = str(environment("tfcpu") / "bin" / "python")
    words = ["--exit-codes", "nagios"] if plugin else ["--format", "json"]
    command = [sys.executable, "-m", "gpucheck", "smoke", "--python", python, *words]
    started = Started(command, dict(os.environ))
    started.watch("deep.py")
    time.sleep(0.3)
    started.program.send_signal(signal.SIGTERM)
    code, output = started.ended()
    if plugin:
        assert code == 3
        assert output.startswith("GPUCHECK UNKNOWN - operation on each GPU: ended by SIGTERM | ")
        return
    data = json.loads(output)
    schema().validate(data)
    assert (code, data["exit_code"], data["stopped"]) == (143, 143, "SIGTERM")
    assert [part["outcome"] for part in data["parts"][1:]] == ["unknown", "unknown"]
    assert data["report"]["facts"]["python"]["executable"] == python


@LINUX
@pytest.mark.slow
def test_killed_outright_it_leaves_no_import_behind_that_hangs(tmp_path: Path) -> None:
    """As Slurm and CI runners do in the end; a process that is stopped is no exception."""
    (tmp_path / "tensorflow.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(smoke.__file__).parents[2])))}
    command = [sys.executable, "-m", "gpucheck", "smoke", "--no-bench", "--python", sys.executable]
    started = Started(command, environ)
    started.watch("deep.py")
    (child,) = [one for one in started.seen if one.is_running() and "deep.py" in " ".join(one.cmdline())]
    while child.status() != psutil.STATUS_STOPPED:
        time.sleep(0.02)
    started.program.kill()
    assert started.ended()[0] == -signal.SIGKILL


@LINUX
@pytest.mark.real
@pytest.mark.native
@pytest.mark.parametrize("fault", [{}, {"FAKE_HANG": "cuInit"}])
def test_a_listed_gpu_that_does_not_compute_and_a_driver_that_hangs_are_red_in_time(
    fake_driver: FakeDriver, fault: dict[str, str]
) -> None:
    folder = environment("tf221")
    (copy,) = folder.glob("lib/python3*/site-packages/nvidia/cusolver/lib/libcusolver.so.11")
    environ = {**os.environ, **fake_driver.environ(**fault)}
    environ["LD_LIBRARY_PATH"] = f"{fake_driver.folder}:{copy.parent}"
    python = str(folder / "bin" / "python")
    command = [sys.executable, "-m", "gpucheck", "smoke", "--python", python, "--timeout", "30", "--format", "json"]
    started = Started(command, environ)
    started.watch("deep.py")
    code, output = started.ended()
    data = json.loads(output)
    schema().validate(data)
    assert (code, data["parts"][1]["outcome"], data["parts"][2]["outcome"]) == (1, "error", "not-run")
    assert data["seconds"] <= 30


@LINUX
@pytest.mark.slow
def test_with_a_second_for_all_of_it_there_is_an_answer(tmp_path: Path) -> None:
    told = gpucheck("smoke", "--python", sys.executable, "--timeout", "1", "--format", "json")
    data = json.loads(told.stdout)
    schema().validate(data)
    assert told.returncode in (1, 3)
    assert data["report"] is not None


class Planted(smoke.Run):
    """TensorFlow computed on a GPU, and a second worker on the CPU poses as it for the speed test."""

    def _compute(self) -> None:
        super()._compute()
        assert self.snapshot is not None
        self.snapshot = self.snapshot._replace(deep=looked.snapshot("deep-rtx4090-proven").deep)
        self.parts["operation"] = judging.operation(self.snapshot, 1.0)

    def visible(self) -> bool:
        return True

    def speed_test(self, framework: str) -> bench.Words:
        return super().speed_test(framework)._replace(simulate="speedup=3", devices=None)


@LINUX
@pytest.mark.real
def test_a_real_speed_test_ends_with_the_time_of_all_of_it_and_its_workers_too() -> None:
    python = str(environment("kjax") / "bin" / "python")
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_smoke import Planted
from gpucheck.commands import smoke
from gpucheck.interruption import listen
run = Planted(smoke.Words(python={python!r}, timeout=15, fail_under=1.5, format="json"), None, 15.0)
listen()
run.conduct({python!r})
sys.exit(run.tell())
"""
    started = Started([sys.executable, "-c", code], dict(os.environ))
    started.watch("worker.py")
    ended, output = started.ended()
    data = json.loads(output)
    schema().validate(data)
    assert data["bench"] is not None
    assert data["seconds"] <= 20
    assert ended in (0, 3)  # a fast machine has its four rounds by then
    assert data["parts"][2]["outcome"] == ("ok" if ended == 0 else "unknown")
