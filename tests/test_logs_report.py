"""One report of a log and a machine: what settles, what stays open, and that what was measured is never overruled."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import sample
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from gpucheck import api
from gpucheck.facts.driver import CudaDriver, Driver
from gpucheck.facts.environment import Environment, Variable
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import System
from gpucheck.facts.versions import ComputeCapability, DriverVersion, PackageVersion
from gpucheck.findings import OPEN, Report, Severity
from gpucheck.logs.judging import CAUSES, documented, load
from gpucheck.logs.messages import messages
from gpucheck.logs.stack import stack_of
from gpucheck.render import markdown, rules, terminal
from gpucheck.rules.engine import RULES

NO_DEVICE = "failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"
CUDNN = "Loaded runtime CuDNN library: 8.0.4 but source was compiled with: 8.1.0.  CuDNN library needs to have"
HARMLESS = "W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: Could not find TensorRT"
CREATED = (
    "I tensorflow/core/common_runtime/gpu/gpu_device.cc:1616] Created device /job:localhost/replica:0/task:0/device:"
    "GPU:0 with 22000 MB memory:  -> device: 0, name: NVIDIA GeForce RTX 4090, pci bus id: 0000:01:00.0, "
    "compute capability: 8.9"
)


def judged(*lines: str, facts: Snapshot | None = None, ignore: tuple[str, ...] = ()) -> Report:
    return api.judge_logs(api.log_of("\n".join(lines)), facts, ignore)


def names(report: Report) -> list[str]:
    return [finding.name for finding in report.findings]


def driver_of(facts: Snapshot) -> Driver:
    assert isinstance(facts.driver, Driver)
    return facts.driver


def test_a_question_is_a_note_and_the_verdict_is_unknown() -> None:
    report = judged(NO_DEVICE)
    (note,) = report.findings
    assert (report.verdict, report.exit_code(), note.severity) == ("unknown", 3, Severity.INFO)
    assert [skipped.name for skipped in report.skipped] == [OPEN]
    assert note.remaining
    assert all(name in note.message and name in report.skipped[0].reason for name in (note.name, *note.remaining))
    assert note.fix[0] in report.skipped[0].reason


def test_a_machine_that_shows_the_cause_closes_the_question_with_both_evidences() -> None:
    facts = sample.fine().snapshot
    cuda = CudaDriver("error", 100, "CUDA_ERROR_NO_DEVICE", None, "libcuda.so.1", None, None)
    facts = facts._replace(
        driver=driver_of(facts)._replace(cuda=cuda),
        environment=Environment((Variable("CUDA_VISIBLE_DEVICES", "-1"),)),
    )
    report = judged(NO_DEVICE, facts=facts)
    first = report.findings[0]
    assert (first.name, first.severity, first.remaining) == ("cuda-visible-devices-hides-gpu", Severity.ERROR, ())
    assert {"log.cuinit-failed", "environment.CUDA_VISIBLE_DEVICES"} <= {one.fact for one in first.evidence}
    assert OPEN not in {skipped.name for skipped in report.skipped}


def test_what_the_machine_rules_out_does_not_remain() -> None:
    facts = sample.fine().snapshot
    facts = facts._replace(environment=Gap("not recorded", "not-collected"))  # all others were looked for
    note = next(finding for finding in judged(NO_DEVICE, facts=facts).findings if finding.remaining)
    assert (note.name, note.remaining) == ("cuda-visible-devices-hides-gpu", (OPEN,))


def test_a_machine_that_shows_none_of_the_causes_leaves_them_and_says_so() -> None:
    alone, here = judged(NO_DEVICE), judged(NO_DEVICE, facts=sample.fine().snapshot)
    note = next(finding for finding in here.findings if finding.remaining)
    assert note.remaining == alone.findings[0].remaining
    assert ("shows none of them" in note.message, "shows none of them" in alone.findings[0].message) == (True, False)


def test_what_a_log_leaves_open_comes_before_what_only_the_machine_warns_of() -> None:
    facts = sample.fine().snapshot
    for machine in (facts, sample.mismatch().snapshot, sample.unknown().snapshot):
        report = judged(NO_DEVICE, facts=machine)
        at = next((at for at, one in enumerate(report.findings) if one.remaining), None)
        before = report.findings[:at] if at is not None else ()
        assert {one.severity for one in before} <= {Severity.ERROR}
    later = judged(NO_DEVICE, "Driver Version: 390.12    CUDA Version: 9.1", facts=facts)
    assert names(later).index("log-of-another-machine") > names(later).index("cuda-visible-devices-hides-gpu")


def test_the_facts_of_another_machine_rule_nothing_out() -> None:
    alone = judged(NO_DEVICE)
    facts = sample.fine().snapshot._replace(environment=Gap("not recorded", "not-collected"))
    strange = judged(NO_DEVICE, "Driver Version: 390.12    CUDA Version: 9.1", facts=facts)
    note = next(finding for finding in strange.findings if finding.remaining)
    assert (note.name, note.remaining) == (alone.findings[0].name, alone.findings[0].remaining)
    assert "log-of-another-machine" in names(strange)


def test_the_log_of_another_machine_and_the_measured_facts_are_told_side_by_side() -> None:
    facts = sample.mismatch().snapshot
    line = (
        "kernel version 470.1.0 does not match DSO version 535.2.0 -- cannot find working devices in this configuration"
    )
    strange = judged(line, "Driver Version: 390.12    CUDA Version: 9.1", facts=facts)
    same = [one for one in strange.findings if one.name == "driver-library-version-mismatch"]
    assert len(same) == 2
    assert [{one.fact.startswith("log.") for one in finding.evidence} for finding in same] == [{True}, {False}]


def test_an_error_further_up_closes_what_stands_below() -> None:
    report = judged(
        "kernel version 470.1.0 does not match DSO version 535.2.0 -- cannot find working devices", NO_DEVICE
    )
    assert names(report)[0] == "driver-library-version-mismatch"
    assert not [finding for finding in report.findings if finding.remaining]


def test_what_one_line_says_twice_is_said_once() -> None:
    line = "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown."
    assert names(judged(line)).count("driver-library-version-mismatch") == 1


def test_a_log_adds_to_the_measured_and_takes_nothing_away() -> None:
    for machine in (sample.fine(), sample.mismatch()):
        alone = api.judge(machine.snapshot)
        together = judged(CUDNN, HARMLESS, facts=machine.snapshot)
        kept = {finding.name: finding.severity for finding in together.findings}
        weight = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}
        assert all(weight[kept[one.name]] >= weight[one.severity] for one in alone.findings)
        assert set(alone.skipped) <= set(together.skipped)
        assert together.snapshot._replace(log=None) == machine.snapshot


def test_findings_of_several_gpus_stay_as_many() -> None:
    facts = sample.fine().snapshot
    assert not isinstance(facts.gpus, Gap)
    hot = facts.gpus[0]._replace(temperature_c=99, slowdown_c=90)
    facts = facts._replace(gpus=(hot, hot._replace(number=1), hot._replace(number=2)))
    assert names(judged(CUDNN, facts=facts)).count("gpu-too-hot") == names(api.judge(facts)).count("gpu-too-hot") == 3


def test_without_a_log_there_is_none_in_the_report() -> None:
    assert api.judge(sample.fine().snapshot).snapshot.log is None


def test_a_report_with_a_log_is_judged_again_the_same() -> None:
    from gpucheck.render import json

    report = judged(CUDNN, HARMLESS)
    again = api.judge(api.read_data(json.document(report)))
    assert tuple(again) == tuple(report)


def test_an_ignored_cause_is_not_found() -> None:
    assert "cudnn-wrong-version" in names(judged(CUDNN))
    report = judged(CUDNN, ignore=("cudnn-wrong-version",))
    assert "cudnn-wrong-version" not in names(report)
    assert report.verdict == "unknown"
    only_of_logs = judged(HARMLESS, ignore=("ok-harmless-log-line",))
    assert (only_of_logs.ignored, names(only_of_logs)) == (("ok-harmless-log-line",), [])


def test_what_a_log_says_of_its_machine_is_said_twice_alike_or_not_at_all() -> None:
    said = api.log_of(f"{CREATED}\nDriver Version: 535.104.05   CUDA Version: 12.2\ntensorflow==2.16.1\n")
    stack = stack_of(said)
    assert (stack.driver, stack.tensorflow) == (DriverVersion("535.104.05"), PackageVersion("2.16.1"))
    assert [(gpu.name, gpu.capability) for gpu in stack.gpus] == [("NVIDIA GeForce RTX 4090", ComputeCapability("8.9"))]
    twice = stack_of(api.log_of("Driver Version: 535.104.05\nDriver Version: 550.54.14\n"))
    assert twice.driver is None


def test_a_log_gives_no_fact_that_it_does_not_say() -> None:
    report = judged(CREATED)
    facts = report.snapshot
    assert isinstance(facts.system, (Gap, System))
    assert isinstance(facts.libraries, Gap)
    assert isinstance(facts.environment, Gap)
    assert facts.gpus[0].memory_total == Gap("the log does not say", "not-collected")  # type: ignore[index]
    assert (report.verdict, report.exit_code()) == ("ok", 0)


def test_the_machines_rules_judge_what_a_log_says() -> None:
    lines = ("C:\\Users\\ada> python -c 'import tensorflow'", "tensorflow 2.16.1")
    smi = "| NVIDIA-SMI 535.104.05   Driver Version: 535.104.05   CUDA Version: 12.2 |"
    report = judged(
        *lines, smi, "Found device 0 with properties: name: GeForce RTX 3080 major: 8 minor: 6 memoryClockRate"
    )
    assert "tf-windows-native-no-gpu" in names(report)


def test_every_cause_has_a_page_and_every_open_one_is_a_name() -> None:
    load()
    every = rules.every()
    assert {one.name for one in CAUSES} <= set(every)
    for name, rule in documented().items():
        assert name not in RULES
        page = rules.document(rule)
        assert all(f"\n## {part}\n" in page for part in ("What it means", "Why it matters", "How to fix")), name


def test_what_only_a_log_shows_is_in_the_formats_for_people() -> None:
    report = judged(NO_DEVICE, HARMLESS)
    for page in (
        terminal.render(report),
        markdown.render(report),
        terminal.render(report, 40),
        terminal.render(report, verbose=True),
    ):
        assert "standard input" in page
        assert "the log does not say" not in page
    assert "POSSIBLE" in terminal.render(report)
    assert "### possible: " in markdown.render(report)


def test_no_harmless_line_is_a_cause() -> None:
    """All of them together: notes, no error, no question."""
    needles = [message.needles[0] for message in messages() if message.harmless]
    assert len(needles) > 10
    report = judged(*needles)
    assert {finding.severity for finding in report.findings} == {Severity.INFO}
    assert not [finding for finding in report.findings if finding.remaining]


@functools.cache
def quoted() -> tuple[str, ...]:
    """Every line that a real report quotes, cut short too, as a terminal or a mail may leave it."""
    folder = Path(__file__).parent / "data" / "logs"
    lines = {line for file in folder.rglob("*.log") for line in file.read_text().splitlines() if line[:1] != "#"}
    return tuple(
        sorted({*lines, *(line[: len(line) // 2] for line in lines), *(line[len(line) // 3 :] for line in lines)})
    )


@pytest.mark.slow
@given(st.data())
@examples(300)
def test_any_mixture_of_real_lines_gets_an_answer(data: st.DataObject) -> None:
    """Of lines that never stood together: an answer that keeps the house's rules."""
    lines = data.draw(st.lists(st.sampled_from(quoted()), min_size=1, max_size=60))
    for facts in (None, sample.mismatch().snapshot):
        report = judged(*lines, facts=facts)
        assert set(names(report)) <= set(rules.every())
        for finding in report.findings:
            assert (bool(finding.message), bool(finding.evidence)) == (True, True), finding
            assert set(finding.remaining) <= set(rules.every())
        assert terminal.render(report).strip().endswith("checked") or report.skipped
        assert report.version in markdown.render(report)


def test_a_log_with_a_loaded_driver_is_not_of_a_machine_without_a_card() -> None:
    """A driver may be gone since the log was written, and come back; where there is no card, none ever was."""
    line = "libcuda reported version is: 535.2.0", "kernel reported version is: 535.2.0"
    facts = sample.fine().snapshot
    assert not isinstance(facts.driver, Gap)
    assert not isinstance(facts.driver.nvml, Gap)
    gone = facts.driver._replace(module_version=None, nvml=facts.driver.nvml._replace(driver_version=None))
    assert facts.driver.pci
    without = facts._replace(driver=gone._replace(pci=()))

    assert "log-of-another-machine" not in names(judged(*line, facts=facts._replace(driver=gone)))
    assert "log-of-another-machine" in names(judged(*line, facts=without))


def test_where_nvidia_smi_answered_no_gpu_does_not_remain() -> None:
    smi = "| NVIDIA-SMI 535.113.01   Driver Version: 535.113.01   CUDA Version: 12.2 |"
    libcuda = "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory"
    drivers = "Could not find cuda drivers on your machine, GPU will not be used."
    for line in (libcuda, drivers):
        assert "ok-cpu-expected" in judged(line).findings[0].remaining
        assert "ok-cpu-expected" not in judged(line, smi).findings[0].remaining
    asked = judged("$ python3 -m pip install 'tensorflow[and-cuda]'", smi, drivers)
    assert names(asked)[0] == "pip-cuda-wheels-not-found"
