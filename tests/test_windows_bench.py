"""`gpucheck bench` on Windows: on the CPU with TensorFlow 2.10.1 and its Keras 2, by a real Windows Python.

Under Wine the numbers are not Windows'; that they are made, judged and told is.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from windows_lab import Lab

pytestmark = [pytest.mark.windows, pytest.mark.real]


@pytest.fixture(scope="module")
def python(lab: Lab) -> str:
    """Shared with other tests: not to be changed. With the dependencies of its time: later ones (numpy 1.24, h5py 3.8)
    need a function of the C runtime that Wine 8 lacks."""
    made = lab.environment("tf210era", "3.10", "tensorflow==2.10.1", "--exclude-newer", "2022-12-14T00:00:00Z")
    return lab.path(made / "Scripts" / "python.exe")


def test_tensorflow_2_10_1_trains_is_timed_and_told_on_windows(lab: Lab, python: str, tmp_path: Path) -> None:
    """On a busy machine there is no figure (exit code 3), but all that it is made of."""
    saved = tmp_path / "bench.json"
    words = ("--workload", "mlp", "--devices", "cpu", "--time", "2", "--save", lab.path(saved))
    done = lab.gpucheck("bench", "--python", python, *words, seconds=400)
    assert done.code in (0, 3), f"{done.out}{done.err[-3000:]}"
    told = json.loads(saved.read_text(encoding="utf-8"))
    (leg,) = told["trials"][0]["legs"]
    assert leg["failure"] is None
    assert leg["learning"]["loss"] < 0.6
    assert {part["name"]: part["value"] for part in leg["parts"]}["tensorflow"] == "2.10.1"
    assert leg["blocks"]
    assert all(block["steps"] > 0 and block["canary"] > 0 for block in leg["blocks"])
    assert leg["memory"] > 100 << 20, "Windows tells how much RAM the worker held"
    fit = [aside for aside in leg["asides"] if aside["input"] == "fit"]
    assert isinstance(fit[0]["step"], float), "Keras 2"
    environment = {part["name"]: part["value"] for part in told["environment"]}
    assert environment["system"].startswith("Windows 10.")
    assert int(environment["CPUs usable"].split()[0]) >= 1
    assert any(sample["device"] == "cpu" for sample in told["samples"]), "the sampler runs"
    assert "mlp" in done.out


def test_a_worker_that_crashes_is_told_in_windows_words_and_ends_nothing_else(lab: Lab, python: str) -> None:
    """The process that computes dies at its first command; the CPU's figures are its own."""
    words = ("--devices", "cpu,gpu", "--simulate", "speedup=2,fault=crash,at=open", "--time", "1", "--format", "json")
    done = lab.gpucheck("bench", "--python", python, "--workload", "mlp", *words, seconds=400)
    legs = {leg["device"]: leg for leg in json.loads(done.out)["trials"][0]["legs"]}
    assert legs["cpu"]["failure"] is None
    assert legs["gpu:0"]["failure"]["kind"] == "crash"
    assert legs["gpu:0"]["failure"]["message"].startswith("it ended with exit code"), legs["gpu:0"]["failure"]


def test_an_interpreter_without_a_framework_is_wrong_usage(lab: Lab) -> None:
    done = lab.gpucheck("bench", "--python", lab.python("3.11"))
    assert done.code == 2, done.err
    assert "has no TensorFlow, JAX or PyTorch" in done.err
