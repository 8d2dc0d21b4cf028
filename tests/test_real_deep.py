"""`--deep` with TensorFlow as the index gives it: without a driver, and over the fake one of tests/native."""

from __future__ import annotations

import os
import sys

import pytest
from fake_driver import FakeDriver
from real_environments import environment

from gpucheck.facts.deep import Deep
from gpucheck.facts.libraries import Libraries
from gpucheck.facts.snapshot import Snapshot
from gpucheck.host.local import LocalHost
from gpucheck.probes.look import look
from gpucheck.rules.deep import needed_libraries
from gpucheck.rules.engine import judge_all

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: wheels for Linux are examined"),
]
SECONDS = 180.0


def examine(name: str, **settings: str) -> tuple[Snapshot, Deep]:
    """Look with --deep; `settings` are the fake driver's, or nothing for this machine as it is."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    host = LocalHost(SECONDS, {**kept, **settings})
    try:
        snapshot = look(host, str(environment(name) / "bin" / "python"), True, SECONDS)
    finally:
        host.close()
    assert isinstance(snapshot.deep, Deep), snapshot.deep
    return snapshot, snapshot.deep


@pytest.mark.parametrize(
    ("name", "version", "cuda"), [("tfcpu", "2.20.0", False), ("tfnocuda", "2.21.0", True), ("tf221", "2.21.0", True)]
)
def test_a_machine_without_a_driver_has_a_tensorflow_that_lists_no_gpu(name: str, version: str, cuda: bool) -> None:
    _snapshot, deep = examine(name)
    assert (deep.status, deep.tensorflow_version, deep.built_with_cuda) == ("ok", version, cuda)
    if not os.path.exists("/dev/nvidiactl"):
        assert (deep.devices, deep.operations) == ((), ())


def test_tensorflow_2_10_with_numpy_2_does_not_import_and_the_cause_is_named() -> None:
    snapshot, deep = examine("tf210np2")
    assert deep.status == "import-failed"
    assert any("_ARRAY_API" in line for line in deep.log)
    report = judge_all(snapshot)
    cause = report.find("numpy2-abi-break")
    assert cause is not None
    assert "deep-import-failed" in cause.explains


@pytest.mark.native
@pytest.mark.parametrize(("name", "expected"), [("tf221", {"libcusolver.so.11"}), ("tf2161", None)])
def test_over_a_driver_the_libraries_that_tensorflow_misses_are_those_that_were_foretold(
    fake_driver: FakeDriver, name: str, expected: set[str] | None
) -> None:
    snapshot, deep = examine(name, LD_LIBRARY_PATH=fake_driver.folder)
    assert deep.devices == ()
    missed = set(needed_libraries(deep))
    assert missed
    assert expected is None or missed == expected
    assert isinstance(snapshot.libraries, Libraries)
    assert isinstance(snapshot.libraries.wanted, tuple)
    foretold = {one.soname for one in snapshot.libraries.wanted if one.needed_for_gpu and one.path is None}
    assert foretold == missed
    symptom = judge_all(snapshot).find("deep-no-gpu-listed")
    assert symptom is not None
    assert all(soname in symptom.message for soname in missed)


@pytest.mark.native
def test_the_cure_makes_the_real_tensorflow_list_the_gpu_and_a_listed_gpu_is_no_proof(fake_driver: FakeDriver) -> None:
    folder = environment("tf221")
    (copy,) = folder.glob("lib/python3*/site-packages/nvidia/cusolver/lib/libcusolver.so.11")
    snapshot, deep = examine("tf221", LD_LIBRARY_PATH=f"{fake_driver.folder}:{copy.parent}")
    assert deep.failed_libraries == ()
    assert deep.devices == ("GPU:0",)
    assert isinstance(deep.operations, tuple)
    # The fake driver knows no kernels.
    assert {one.status for one in deep.operations} <= {"error", "crashed"}
    report = judge_all(snapshot)
    assert report.find("pip-cuda-wheels-not-found") is None
    assert report.find("deep-operation-failed") is not None
