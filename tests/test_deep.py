"""`--deep`: the child that computes, the probe that reads its lines, the rules, and the proof that outranks them."""

from __future__ import annotations

import ast
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import sample

from gpucheck.facts.deep import Deep, Operation
from gpucheck.facts.gap import Gap, need
from gpucheck.findings import Report, Severity
from gpucheck.host.local import LocalHost
from gpucheck.host.recorded import RecordedHost
from gpucheck.probes import deep as deep_probe
from gpucheck.rules import load
from gpucheck.rules.engine import RULES, Rule, found, judge_all

load()
pytestmark = pytest.mark.slow  # its processes, or its many rounds
PRETEND = str(Path(__file__).parent / "pretend")
SCRIPT = Path(deep_probe.__file__).parent / "children" / "deep.py"


class Examined:
    """As much of facts.python.Python as the probe asks."""

    executable = sys.executable


def look(timeout: float = 20.0, path: str = PRETEND, **environ: str) -> Deep:
    """Run the real child with the pretended TensorFlow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PRETEND", "TF_"))}
    host = LocalHost(timeout, {**kept, "PYTHONPATH": path, **environ})
    deep_probe.start(host, Examined())  # type: ignore[arg-type]
    answer = deep_probe.probe(host, Examined())  # type: ignore[arg-type]
    assert isinstance(answer, Deep), answer
    return answer


def states(deep: Deep) -> list[tuple[str, str, str]]:
    assert isinstance(deep.operations, tuple)
    return [(one.device, one.operation, one.status) for one in deep.operations]


def test_a_healthy_gpu_is_proven_by_numbers() -> None:
    deep = look(PRETEND_GPUS="2")
    assert (deep.status, deep.tensorflow_version, deep.built_with_cuda) == ("ok", "2.99.0", True)
    assert deep.devices == ("GPU:0", "GPU:1")
    assert states(deep) == [(gpu, what, "ok") for gpu in ("GPU:0", "GPU:1") for what in ("matmul", "conv2d")]
    assert isinstance(deep.operations, tuple)
    assert all(one.relative_error == 0 and one.seconds is not None for one in deep.operations)


def test_the_libraries_that_would_not_open_are_named() -> None:
    deep = look()
    assert deep.failed_libraries == ("libcudnn.so.9",)
    assert any("libcudnn.so.9" in line for line in deep.log)


def test_no_gpu_is_an_empty_list_and_not_a_gap() -> None:
    deep = look(PRETEND_GPUS="0")
    assert (deep.status, deep.devices, deep.operations) == ("ok", (), ())


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("wrong", "wrong-numbers", None),
        ("nan", "wrong-numbers", "the result holds NaN or infinity"),
        ("raise", "error", "RuntimeError: pretended trouble in GPU:0/matmul"),
        ("cpu", "error", "RuntimeError: the result lies on /job:localhost/replica:0/task:0/device:CPU:0"),
    ],
)
def test_what_goes_wrong_in_one_operation_leaves_the_next(fault: str, status: str, words: str | None) -> None:
    deep = look(PRETEND=f"GPU:0/matmul={fault}")
    assert states(deep) == [("GPU:0", "matmul", status), ("GPU:0", "conv2d", "ok")]
    assert isinstance(deep.operations, tuple)
    assert deep.operations[0].error == words


def test_a_crash_on_one_gpu_leaves_the_others_to_be_tried() -> None:
    deep = look(PRETEND="GPU:0/conv2d=crash GPU:1/matmul=crash", PRETEND_GPUS="3")
    assert states(deep) == [
        ("GPU:0", "matmul", "ok"),
        ("GPU:0", "conv2d", "crashed"),
        ("GPU:1", "matmul", "crashed"),
        ("GPU:1", "conv2d", "ok"),
        ("GPU:2", "matmul", "ok"),
        ("GPU:2", "conv2d", "ok"),
    ]
    assert isinstance(deep.operations, tuple)
    assert deep.operations[1].error == "killed by SIGSEGV while computing"


@pytest.mark.slow
def test_a_hang_in_an_operation_ends_at_the_deadline_and_keeps_what_came_before() -> None:
    begin = time.monotonic()
    deep = look(timeout=2.0, PRETEND="GPU:0/conv2d=hang")
    assert time.monotonic() - begin < 2.5
    assert states(deep) == [("GPU:0", "matmul", "ok"), ("GPU:0", "conv2d", "hung")]


@pytest.mark.parametrize(
    ("pretend", "status", "error"),
    [
        ("import=raise", "import-failed", "RuntimeError: pretended trouble in import"),
        ("import=crash", "crashed", "killed by SIGSEGV while importing TensorFlow"),
        pytest.param(
            *("import=hang", "hung", "no answer before the deadline, while importing TensorFlow"),
            marks=pytest.mark.slow,
        ),
        ("devices=crash", "crashed", "killed by SIGSEGV while listing devices"),
        pytest.param(
            *("devices=hang", "hung", "no answer before the deadline, while listing devices"), marks=pytest.mark.slow
        ),
    ],
)
def test_what_goes_wrong_before_any_operation_has_a_name(pretend: str, status: str, error: str) -> None:
    deep = look(timeout=1.5 if "hang" in pretend else 20.0, PRETEND=pretend)
    assert (deep.status, deep.error) == (status, error)
    assert isinstance(deep.devices, Gap)
    assert isinstance(deep.operations, Gap)


def test_devices_that_cannot_be_listed_are_a_gap_with_the_reason() -> None:
    deep = look(PRETEND="devices=raise")
    assert deep.status == "ok"
    assert isinstance(deep.devices, Gap)
    assert "pretended trouble in devices" in deep.devices.reason
    assert isinstance(deep.operations, Gap)


def test_a_python_without_tensorflow_has_none(tmp_path: Path) -> None:
    assert look(path=str(tmp_path)).status == "not-installed"


def test_an_empty_folder_called_tensorflow_is_no_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "tensorflow").mkdir()
    deep = look(path=str(tmp_path))
    assert deep.status == "import-failed"
    assert deep.error is not None


def test_an_interpreter_that_does_not_start_in_time_is_no_tensorflow_that_hangs(tmp_path: Path) -> None:
    """A slow disk below it, or a file of its site-packages that waits."""
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(60)")
    host = LocalHost(1.0, {"PYTHONPATH": str(tmp_path)})
    deep_probe.start(host, Examined())  # type: ignore[arg-type]
    gap = deep_probe.probe(host, Examined())  # type: ignore[arg-type]
    assert gap == Gap("the examined Python did not come to the script before the deadline", "deadline")


def test_an_interpreter_that_does_not_run_is_a_gap() -> None:
    class Nowhere:
        executable = "/nowhere/python"

    class NoPython:
        executable = "/bin/false"

    for one in (Nowhere(), NoPython()):
        host = LocalHost(5.0, {})
        deep_probe.start(host, one)  # type: ignore[arg-type]
        assert isinstance(deep_probe.probe(host, one), Gap)  # type: ignore[arg-type]


def test_the_child_is_understood_by_old_pythons() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


def machine(lines: list[dict[str, Any]], ended: str = "exit", code: int = 0, errors: str = "") -> RecordedHost:
    deep = {"ended": ended, "code": code, "lines": lines, "errors": errors}
    return RecordedHost({"schema": "gpucheck.machine/1", "children": {"deep": deep}})


def test_lines_of_nonsense_are_passed_over() -> None:
    host = machine([{"stage": 7}, {"no": 1}, {"stage": "import", "ok": True, "version": 3, "built_with_cuda": None}])
    deep = deep_probe.probe(host, Gap("x"))
    assert isinstance(deep, Deep)
    assert deep.tensorflow_version is None


def test_a_machine_that_recorded_no_child_is_a_gap() -> None:
    host = RecordedHost({"schema": "gpucheck.machine/1"})
    gap = deep_probe.probe(host, Gap("x"))
    assert isinstance(gap, Gap)
    assert gap.kind == "not-collected"


def test_at_most_forty_lines_of_log_about_gpus_are_kept() -> None:
    errors = "\n".join(["hello", *(f"cuda line {at} " + "x" * 999 for at in range(90))])
    deep = deep_probe.probe(machine([{"stage": "begin", "what": "import"}], "signal", 4, errors), Gap("x"))
    assert isinstance(deep, Deep)
    assert (deep.status, deep.error) == ("crashed", "killed by SIGILL while importing TensorFlow")
    assert len(deep.log) == 40
    assert max(map(len, deep.log)) <= 400


HARMLESS = """\
E0000 00:00:1 1 cuda_fft.cc:477] Unable to register cuFFT factory: Attempting to register factory for plugin cuFFT when
E0000 00:00:1 1 cuda_dnn.cc:8310] Unable to register cuDNN factory: Attempting to register factory for plugin cuDNN when
E0000 00:00:1 1 cuda_blas.cc:1418] Unable to register cuBLAS factory: Attempting to register factory for plugin cuBLAS
W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: Could not find TensorRT
W dso_loader.cc:64] Could not load dynamic library 'libnvinfer.so.7'; dlerror: libnvinfer.so.7: cannot open shared
I cuda_gpu_executor.cc:981] could not open file to read NUMA node: /sys/bus/pci/devices/0000:01:00.0/numa_node
I gpu_device.cc:1700] Adding visible gpu devices: 0
I dso_loader.cc:53] Successfully opened dynamic library libcudart.so.11.0
"""
MISMATCH = "E cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.3.0."


def test_lines_of_healthy_runs_are_not_shown_as_a_cause() -> None:
    errors = HARMLESS + MISMATCH + "\nI gpu_device.cc:2022] Created device GPU:0 with 13775 MB memory: Tesla T4\n"
    deep = deep_probe.probe(machine([{"stage": "begin", "what": "import"}], "signal", 4, errors), Gap("x"))
    assert isinstance(deep, Deep)
    assert [line.split("]")[0] for line in deep.log] == ["E cuda_dnn.cc:522", "I gpu_device.cc:2022"]


def test_of_a_long_log_both_ends_are_kept() -> None:
    errors = "\n".join(f"cuda line {at}" for at in range(90))
    deep = deep_probe.probe(machine([{"stage": "begin", "what": "import"}], "signal", 4, errors), Gap("x"))
    assert isinstance(deep, Deep)
    assert (deep.log[0], deep.log[-1]) == ("cuda line 0", "cuda line 89")


@pytest.mark.parametrize(
    ("error", "log", "line"),
    [
        ("DNN library is not found", MISMATCH, "gpucheck explain cudnn-wrong-version"),
        ("ResourceExhaustedError: OOM when allocating tensor", "", "export TF_FORCE_GPU_ALLOW_GROWTH=true"),
        ("CUDA_ERROR_INVALID_PTX", "", "gpucheck explain gpu-arch-too-new-for-build"),
        ("CUBLAS_STATUS_NOT_INITIALIZED", "", "export TF_FORCE_GPU_ALLOW_GROWTH=true"),
        (
            "killed by SIGABRT",
            "Could not load library libcudnn_ops.so.9",
            "gpucheck explain cuda-libs-not-on-loader-path",
        ),
        ("something new", "", "export TF_FORCE_GPU_ALLOW_GROWTH=true"),
    ],
)
def test_a_failed_operation_is_told_with_what_helps(error: str, log: str, line: str) -> None:
    (finding,) = judged(proof(operation(status="error", error=error), log=(log,) if log else ())).findings
    assert line in finding.fix
    names = [one.removeprefix("gpucheck explain ") for one in finding.fix if one.startswith("gpucheck explain ")]
    assert set(names) <= set(RULES)


def test_lines_that_tell_of_a_failure_are_shown_before_company() -> None:
    company = tuple(f"I gpu_device.cc:{at}] Created device GPU:0" for at in range(20))
    deep = proof(operation(status="error", error="x"), log=(MISMATCH, *company))
    (finding,) = judged(deep).findings
    assert [one.value for one in finding.evidence if one.fact == "deep.log"] == [MISMATCH]


def proof(*operations: Operation, **changes: Any) -> Deep:
    """What --deep saw: a GPU of TensorFlow 2.21.0, healthy unless changed."""
    devices = tuple(dict.fromkeys(one.device for one in operations))
    return Deep("ok", None, "2.21.0", True, 4.2, devices, operations, (), ())._replace(**changes)


def operation(device: str = "GPU:0", status: Any = "ok", what: Any = "matmul", error: str | None = None) -> Operation:
    return Operation(device, what, status, error, 1e-7 if status == "ok" else 0.5, 0.1)


INFERRED = Rule(
    *("inferred", Severity.ERROR, False, (), ""), lambda snapshot: [found("files say no", [("driver.x", 1, "here")])]
)
ONE_GPU = Rule(
    *("one-gpu-lost", Severity.ERROR, False, (), ""), lambda snapshot: [found("lost", [("gpus[1].error", 1, "NVML")])]
)


def judged(deep: Any, *others: Rule, **facts: Any) -> Report:
    rules = {name: rule for name, rule in RULES.items() if name.startswith("deep-")}
    return judge_all(sample.snapshot(deep=deep, **facts), rules={**rules, **{one.name: one for one in others}})


def errors(report: Report) -> list[str]:
    return [finding.name for finding in report.findings if finding.severity is Severity.ERROR]


def test_the_rules_are_silent_where_it_was_not_asked_for() -> None:
    report = judged(None)
    assert (report.findings, report.skipped) == ((), ())


def test_a_question_that_was_not_answered_stays_open() -> None:
    assert judged(Gap("the examined Python was not started", "crashed")).exit_code() == 3


@pytest.mark.parametrize(
    ("deep", "name"),
    [
        (proof(status="import-failed", error="ImportError: x"), "deep-import-failed"),
        (proof(status="crashed", error="killed by SIGILL"), "deep-import-failed"),
        (proof(status="not-installed", error="ModuleNotFoundError"), "deep-import-failed"),
        (proof(status="hung", error="no answer"), "deep-hung"),
        (proof(), "deep-no-gpu-listed"),
        (proof(operation(status="error", error="CUDNN_STATUS_NOT_INITIALIZED")), "deep-operation-failed"),
        (proof(operation(), operation(status="crashed", what="conv2d")), "deep-operation-failed"),
        (proof(operation(status="hung")), "deep-hung"),
        (proof(operation(status="wrong-numbers")), "deep-wrong-numbers"),
    ],
)
def test_what_was_measured_is_found_once_by_its_name(deep: Deep, name: str) -> None:
    report = judged(deep)
    assert [finding.name for finding in report.findings] == [name]
    assert report.exit_code() == 1


def test_no_gpu_listed_is_a_note_where_no_gpu_is_known_to_be() -> None:
    report = judged(proof(), gpus=(), driver=sample.driver(pci=()))
    assert [(one.name, one.severity) for one in report.findings] == [("deep-no-gpu-listed", Severity.INFO)]


def test_tensorrt_is_not_blamed_for_a_missing_gpu() -> None:
    deep = proof(failed_libraries=("libnvinfer.so.8.6.1", "libcudnn.so.9"))
    (finding,) = judged(deep).findings
    assert "libcudnn.so.9" in finding.message
    assert "nvinfer" not in finding.message


def test_a_gpu_that_tensorflow_leaves_out_is_told() -> None:
    two = (sample.gpu(0), sample.gpu(1))
    assert [one.name for one in judged(proof(operation()), gpus=two).findings] == ["deep-gpu-left-out"]
    assert judged(proof(operation(), operation("GPU:1")), gpus=two).findings == ()


def test_a_symptom_stands_under_the_error_that_explains_it() -> None:
    report = judged(proof(), INFERRED)
    assert [(one.name, one.explains) for one in report.findings] == [
        ("inferred", ("deep-no-gpu-listed",)),
        ("deep-no-gpu-listed", ()),
    ]


def test_a_proof_makes_a_note_of_an_inferred_error() -> None:
    report = judged(proof(operation()), INFERRED)
    (finding,) = report.findings
    assert (finding.name, finding.severity, report.exit_code()) == ("inferred", Severity.INFO, 0)
    assert finding.message == "files say no (yet TensorFlow computed correctly on GPU:0: --deep)"


def test_a_failed_operation_proves_nothing() -> None:
    report = judged(proof(operation(), operation(status="error", what="conv2d")), INFERRED)
    assert errors(report) == ["inferred", "deep-operation-failed"]


def test_a_proof_on_one_gpu_says_nothing_about_another() -> None:
    two = (sample.gpu(0), sample.gpu(1, error="GPU is lost"))
    assert errors(judged(proof(operation()), INFERRED, ONE_GPU, gpus=two)) == ["one-gpu-lost"]
    assert errors(judged(proof(operation()), ONE_GPU, gpus=Gap("hung"))) == ["one-gpu-lost"]
    everything = proof(operation(), operation("GPU:1"))
    assert errors(judged(everything, ONE_GPU, gpus=two)) == []


def test_a_proof_answers_what_rules_could_not_judge() -> None:
    def judge(snapshot: Any) -> Any:
        need(Gap("denied", "denied"))

    rule = Rule("unreadable", Severity.ERROR, True, (), "", judge)
    assert judged(None, rule).exit_code() == 3
    assert judged(proof(operation()), rule).exit_code() == 0
