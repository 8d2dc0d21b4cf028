"""The pytest plugin, in real pytest runs; and what it makes of machines, in pure functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import machines
import pytest

from gpucheck import api
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import FrameworkBuild
from gpucheck.findings import Report
from gpucheck.testing.judging import lacking, summary
from gpucheck.testing.requirement import BadMarker, Requirement, read

pytest_plugins = ("pytester",)

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ("-p", "gpucheck.testing.plugin")
MARKED = """
    import pytest

    @pytest.mark.gpu_required
    def test_needs_one():
        pass

    @pytest.mark.gpu_required(count=2)
    def test_needs_two():
        pass

    def test_needs_none():
        pass
"""


@pytest.fixture
def tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose pytest loads this plugin and no other installed one."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("GPUCHECK_GPU_REQUIRED", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(MARKED)
    return pytester


@cache
def _report(name: str) -> Report:
    return api.judge(api.read_data(machines.load(name)))


def _reason(name: str, **words: Any) -> str:
    lack = lacking(_report(name), read((), words))
    return "" if lack is None else lack.reason


def test_a_marked_test_is_skipped_with_doctors_reason_and_says_that_it_was_a_rehearsal(tests: pytest.Pytester) -> None:
    run = tests.runpytest_inprocess(*PLUGIN, "-rs", "--gpu-simulate", "driver-version-mismatch")
    run.assert_outcomes(passed=1, skipped=2)
    run.stdout.fnmatch_lines(
        [
            "gpucheck: SIMULATED machine 'driver-version-mismatch', nothing about this one is judged",
            "gpucheck: SIMULATED*kernel module is*(driver-library-version-mismatch) (2 tests marked gpu_required)",
            "SKIPPED [[]2] *SIMULATED*(driver-library-version-mismatch)",
        ]
    )
    assert run.ret == 0


@pytest.mark.slow
def test_it_fails_with_the_fix_where_that_was_asked_for(tests: pytest.Pytester) -> None:
    run = tests.runpytest_inprocess(*PLUGIN, "--gpu-required=fail", "--gpu-simulate", "driver-version-mismatch")
    run.assert_outcomes(passed=1, errors=2)
    run.stdout.fnmatch_lines(["*sudo reboot*", "More: gpucheck explain driver-library-version-mismatch"])
    assert run.ret == 1


@pytest.mark.slow
def test_on_a_machine_that_is_fine_it_runs_and_lacks_only_what_is_not_there(tests: pytest.Pytester) -> None:
    run = tests.runpytest_inprocess(*PLUGIN, "-rs", "--gpu-simulate", "fine")
    run.assert_outcomes(passed=2, skipped=1)
    run.stdout.fnmatch_lines(["SKIPPED*This test needs 2 GPUs, and CUDA shows 1"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({}, ""),
        ({"count": 8}, ""),
        ({"count": 9}, "This test needs 9 GPUs, and CUDA shows 8"),
        ({"compute_capability": "9.0", "memory_gib": 79, "count": 8}, ""),
        ({"compute_capability": 9.0, "memory_gib": 79.5}, ""),
        ({"compute_capability": (10, 0)}, "needs 1 GPU of compute capability 10.0 or newer; this machine has NVIDIA H"),
        ({"memory_gib": 100}, "This test needs 1 GPU with 100 GiB or more; this machine has NVIDIA H100"),
        ({"framework": "cuda"}, ""),
        ({"framework": "torch"}, "PyTorch is not installed for"),
    ],
)
def test_what_a_marker_asks_for_is_compared_with_the_gpus(words: dict[str, Any], reason: str) -> None:
    assert reason in _reason("h100x8-ubuntu", **words)
    assert bool(_reason("h100x8-ubuntu", **words)) is bool(reason)


def test_what_is_wrong_with_tensorflow_alone_hinders_only_tests_of_tensorflow() -> None:
    assert "(cpu-only-package)" in _reason("tensorflow-cpu-on-a-gpu-machine")
    assert "(cpu-only-package)" in _reason("tensorflow-cpu-on-a-gpu-machine", framework="tensorflow")
    assert _reason("tensorflow-cpu-on-a-gpu-machine", framework="cuda") == ""
    # No TensorFlow: nobody wanted one, unless the test says so.
    assert _reason("ubuntu-system-python-without-tensorflow") == ""
    assert "(tensorflow-not-installed)" in _reason("ubuntu-system-python-without-tensorflow", framework="tensorflow")
    # A driver library that TensorFlow 2.21 alone needs is missing.
    assert "(libnvidia-ml-missing)" in _reason("docker-without-nvml-tf221", framework="tensorflow")
    assert _reason("docker-without-nvml-tf221", framework="cuda") == ""
    # The machine's own trouble hinders all.
    assert "(exclusive-compute-mode)" in _reason("exclusive-mode-taken", framework="cuda")
    assert "(ok-cpu-expected)" in _reason("tensorflow-cpu-without-gpu", framework="torch")


def test_a_torch_without_cuda_is_no_torch_for_a_gpu() -> None:
    report = _report("tensorflow-beside-torch-for-cuda-13")
    assert lacking(report, Requirement(framework="torch")) is None
    python = report.snapshot.python
    assert not isinstance(python, Gap)
    assert isinstance(python.torch, FrameworkBuild)
    for cuda, words in ((None, "is a build without CUDA"), (Gap("version.py was not read"), "version.py was not read")):
        other = python._replace(torch=python.torch._replace(cuda_version=cuda))
        lack = lacking(api.judge(report.snapshot._replace(python=other)), Requirement(framework="torch"))
        assert lack is not None
        assert words in lack.reason


def test_not_knowing_is_no_gpu_and_is_said_to_be_not_knowing() -> None:
    report = _report("rtx4090-ubuntu")
    driver = report.snapshot.driver
    assert not isinstance(driver, Gap)
    dark = driver._replace(cuda=Gap("permission denied: /dev/nvidia0", "denied"))
    hidden = api.judge(report.snapshot._replace(driver=dark))
    for framework in (None, "cuda", "tensorflow"):
        lack = lacking(hidden, Requirement(framework=framework))
        assert lack is not None
        assert "could not tell" in lack.reason
        assert "permission denied: /dev/nvidia0" in lack.reason


def test_which_gpus_a_variable_leaves_is_not_guessed() -> None:
    report = _report("h100x8-ubuntu")
    driver, gpus = report.snapshot.driver, report.snapshot.gpus
    assert not isinstance(driver, Gap)
    assert not isinstance(driver.cuda, Gap)
    assert not isinstance(gpus, Gap)
    small = [gpu._replace(memory_total=16 << 30) for gpu in gpus[:4]]
    left = report.snapshot._replace(
        driver=driver._replace(cuda=driver.cuda._replace(device_count=2)), gpus=(*small, *gpus[4:])
    )
    mixed = api.judge(left)
    lack = lacking(mixed, Requirement(memory_gib=40))
    assert lack is not None
    assert "could not tell whether CUDA shows as many" in lack.reason
    assert lacking(mixed, Requirement(memory_gib=10, number=2)) is None
    seven = left._replace(gpus=(*small[:1], *gpus[1:]))  # of two that are left, one must be large
    assert lacking(api.judge(seven), Requirement(memory_gib=40)) is None


def test_a_card_of_24_gb_has_24_gib_as_it_is_told() -> None:
    assert _reason("rtx4090-ubuntu", memory_gib=24) == ""  # 23.99
    assert "with 24.1 GiB or more" in _reason("rtx4090-ubuntu", memory_gib=24.1)


def test_an_instance_of_a_gpu_that_mig_divides_is_not_taken_for_the_whole() -> None:
    assert _reason("h100x8-mig") == ""
    assert "could not tell" in _reason("h100x8-mig", memory_gib=40)
    assert "needs 1 GPU with 200 GiB or more; this" in _reason("h100x8-mig", memory_gib=200)


@pytest.mark.parametrize(
    ("args", "words", "mistake"),
    [
        ((2,), {}, "have names"),
        ((), {"cout": 2}, "knows no cout, only count"),
        ((), {"count": 0}, "from 1 on"),
        ((), {"count": True}, "from 1 on"),
        ((), {"memory_gib": "16 GB"}, "GiB above 0"),
        ((), {"memory_gib": float("nan")}, "GiB above 0"),
        ((), {"framework": "mxnet"}, "one of tensorflow, torch"),
        ((), {"compute_capability": "Hopper"}, 'written as "8.0"'),
        ((), {"compute_capability": None, "count": "2"}, "from 1 on"),
    ],
)
def test_a_marker_that_cannot_be_understood_says_how(args: Any, words: Any, mistake: str) -> None:
    with pytest.raises(BadMarker, match=mistake):
        read(args, words)


@pytest.mark.parametrize("value", ["8.9", 8.9, (8, 9), "sm_89"])
def test_a_compute_capability_is_written_in_any_way(value: object) -> None:
    assert str(read((), {"compute_capability": value}).compute_capability) == "8.9"


# ---------------------------------------------------------------- real runs in processes of their own


def _run(tests: pytest.Pytester, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *PLUGIN, *words]
    return subprocess.run(command, cwd=tests.path, env={**os.environ, **environ}, capture_output=True, text=True)


@pytest.mark.slow
def test_a_run_without_marked_tests_loads_nothing_and_looks_at_nothing(tests: pytest.Pytester) -> None:
    tests.makepyfile(
        """
        import json, sys

        def test_what_is_loaded():
            print("LOADED", json.dumps(sorted(name for name in sys.modules if name.startswith("gpucheck"))))
        """
    )
    run = _run(tests, "-s")
    line = next(line for line in run.stdout.splitlines() if "LOADED" in line)
    assert json.loads(line.partition("LOADED ")[2].rstrip(".")) == [
        "gpucheck",
        "gpucheck.testing",
        "gpucheck.testing.plugin",
    ]
    assert "gpucheck:" not in run.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "looks"),
    [((), 1), (("--collect-only",), 0), (("-k", "needs_none"), 0), (("-q",), 1), (("-p", "no:terminal"), 1)],
)
def test_the_machine_is_looked_at_once_and_only_for_a_test_that_runs(
    tests: pytest.Pytester, words: tuple[str, ...], looks: int
) -> None:
    tests.makeconftest(
        """
        import sys

        opened = []

        def pytest_collection_modifyitems():  # after the option itself was checked
            sys.addaudithook(lambda name, args: "machines.json" in str(args) and opened.append(args))

        def pytest_unconfigure():
            sys.__stdout__.write(f"LOOKS {len(opened)}\\n")
        """
    )
    assert f"LOOKS {looks}" in _run(tests, *words, "--gpu-simulate", "fine").stdout


@pytest.mark.slow
def test_the_real_machine_is_judged_as_doctor_judges_it(tests: pytest.Pytester) -> None:
    doctor = subprocess.run(
        [sys.executable, "-m", "gpucheck", "doctor", "--python", sys.executable, "--format", "json"],
        capture_output=True,
        text=True,
    )
    names = [one["name"] for one in json.loads(doctor.stdout)["findings"]]
    run = _run(tests, "-rs")
    told = [line for line in run.stdout.splitlines() if line.startswith("gpucheck: ")]
    assert len(told) == 1
    assert told[0].endswith("(2 tests marked gpu_required)")
    assert "CUDA starts" in told[0] or any(f"({name})" in told[0] for name in names)
    assert "1 passed, 2 skipped" in run.stdout or "CUDA starts" in told[0]


@pytest.mark.slow
def test_a_mistaken_marker_is_an_error_in_every_mode(tests: pytest.Pytester) -> None:
    tests.makepyfile("import pytest\n\n@pytest.mark.gpu_required(cout=2)\ndef test_one():\n    pass\n")
    run = tests.runpytest_inprocess(*PLUGIN, "--gpu-simulate", "fine", "-k", "test_one")
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["gpu_required: it knows no cout, only count*"])


@pytest.mark.slow
def test_workers_of_xdist_judge_alike_and_the_run_says_that_it_is_a_rehearsal(tests: pytest.Pytester) -> None:
    run = _run(tests, "-p", "xdist", "-n", "2", "-rs", "--gpu-simulate", "nouveau-or-nova-bound")
    assert "1 passed, 2 skipped" in run.stdout
    assert "gpucheck: SIMULATED machine 'nouveau-or-nova-bound'" in run.stdout
    failed = _run(tests, "-p", "xdist", "-n", "2", "--gpu-simulate", "fine", GPUCHECK_GPU_REQUIRED="fail")
    assert "2 passed, 1 error" in failed.stdout
    assert "tests marked gpu_required fail where no GPU fits" in failed.stdout


@pytest.mark.slow
def test_option_variable_and_ini_file_decide_in_this_order(tests: pytest.Pytester) -> None:
    tests.makeini("[pytest]\ngpu_required = fail\n")
    mismatch = ("--gpu-simulate", "driver-version-mismatch")
    assert "1 passed, 2 errors" in _run(tests, *mismatch).stdout
    assert "1 passed, 2 skipped" in _run(tests, *mismatch, GPUCHECK_GPU_REQUIRED="skip").stdout
    assert "1 passed, 2 errors" in _run(tests, *mismatch, "--gpu-required=fail", GPUCHECK_GPU_REQUIRED="skip").stdout
    wrong = _run(tests, GPUCHECK_GPU_REQUIRED="Fail")
    assert (wrong.returncode, "says 'Fail': give skip or fail" in wrong.stderr) == (4, True)
    unknown = _run(tests, "--gpu-simulate", "fin")
    assert (unknown.returncode, "did you mean fine?" in unknown.stderr) == (4, True)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["gpucheck.api", "gpucheck.rules.kernel", "gpucheck.testing.judging", "psutil"])
def test_where_gpucheck_itself_fails_the_reason_says_so_and_the_other_tests_run(
    tests: pytest.Pytester, broken: str
) -> None:
    tests.makeconftest(f"import sys\nsys.modules[{broken!r}] = None\n")
    run = _run(tests, "-rs")
    assert "1 passed" in run.stdout
    assert "INTERNALERROR" not in run.stdout + run.stderr
    if broken != "psutil":  # doctor does without it
        assert "2 skipped" in run.stdout
        assert "gpucheck itself failed, so whether a GPU works is not known" in run.stdout
        assert broken in run.stdout


@pytest.mark.slow
def test_a_test_that_is_skipped_for_another_reason_keeps_it_and_classes_and_modules_can_be_marked(
    tests: pytest.Pytester,
) -> None:
    tests.makepyfile(
        """
        import unittest, pytest

        pytestmark = pytest.mark.gpu_required

        @pytest.mark.skip(reason="later")
        def test_skipped():
            pass

        @pytest.mark.gpu_required(count=2)
        class TestTwo:
            def test_in_a_class(self):
                pass

        class Old(unittest.TestCase):
            def test_old(self):
                pass

        @pytest.fixture
        def costly():
            raise AssertionError("built for nothing")

        def test_fixture(costly):
            pass
        """
    )
    run = _run(tests, "-rs", "--gpu-required=fail", "--gpu-simulate", "driver-version-mismatch")
    assert "1 skipped, 3 errors" in run.stdout
    assert "later" in run.stdout
    assert "built for nothing" not in run.stdout
    passed = _run(tests, "-rs", "--gpu-simulate", "fine", "-k", "in_a_class")
    assert "needs 2 GPUs" in passed.stdout


@pytest.mark.slow
def test_of_every_recorded_machine_there_is_a_word_and_only_working_gpus_run_tests() -> None:
    ran = 0
    for name in machines.names():
        report = _report(name)
        assert "\n" not in summary(report)
        for framework in (None, "tensorflow", "torch", "jax", "cuda"):
            lack = lacking(report, Requirement(framework=framework))
            if lack is not None:
                assert lack.reason.strip(), name
                continue
            ran += 1
            driver = report.snapshot.driver
            assert not isinstance(driver, Gap), name
            assert not isinstance(driver.cuda, Gap), name
            assert driver.cuda.status == "ok", name
            if framework == "tensorflow":
                assert report.verdict in ("ok", "warning"), name
    assert ran > 100
