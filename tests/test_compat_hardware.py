"""The hardware tables hold together: invariants, not a second copy of the numbers."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from gpucheck.compat import architectures, cuda_errors, drivers, errors
from gpucheck.facts.versions import ComputeCapability, CudaVersion, DriverVersion


def test_a_newer_cuda_never_needs_an_older_driver() -> None:
    rows = sorted(drivers.FLOORS, key=lambda row: CudaVersion(row.cuda))
    linux = [DriverVersion(row.linux) for row in rows]
    windows = [DriverVersion(row.windows) for row in rows if row.windows]
    assert linux == sorted(linux)
    assert windows == sorted(windows)


def test_one_row_covers_a_whole_major_release_from_cuda_11_on() -> None:
    for row in drivers.FLOORS:
        assert ("." in row.cuda) == (CudaVersion(row.cuda).major < 11), row


@pytest.mark.parametrize(("cuda", "floor"), [("12.5.1", "525.60.13"), ("12.0", "525.60.13"), ("13.5", "580.65.06")])
def test_a_build_needs_its_majors_driver_and_not_its_toolkits(cuda: str, floor: str) -> None:
    row = drivers.floor_for(CudaVersion(cuda))
    assert row
    assert drivers.lowest(row, windows=False) == DriverVersion(floor)


def test_an_old_toolkit_needs_its_very_own_driver() -> None:
    assert drivers.floor_for(CudaVersion("10.1.243")) != drivers.floor_for(CudaVersion("10.0.130"))


def test_a_cuda_that_no_table_tells_of_has_no_floor() -> None:
    assert drivers.floor_for(CudaVersion("14.0")) is None
    assert drivers.floor_for(CudaVersion("6.5")) is None


def test_every_row_names_its_source() -> None:
    assert all(row.source for row in (*drivers.FLOORS, *architectures.ROWS, *errors.CUDA_MEANINGS))


def test_capabilities_are_in_order_and_each_stands_once() -> None:
    capabilities = [ComputeCapability(row.capability) for row in architectures.ROWS]
    assert capabilities == sorted(set(capabilities))


def test_one_generation_after_the_other_loses_its_toolkit_and_its_driver() -> None:
    toolkits = [CudaVersion(row.last_toolkit or "99") for row in architectures.ROWS]
    branches = [row.last_driver for row in architectures.ROWS if "Jetson" not in row.examples]
    assert toolkits == sorted(toolkits)
    assert [branch or 9999 for branch in branches] == sorted(branch or 9999 for branch in branches)


def test_an_architecture_has_one_run_of_capabilities() -> None:
    names = [row.name for row in architectures.ROWS]
    runs = [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    assert len(runs) == len(set(runs))


def test_blackwell_begins_with_its_first_toolkit() -> None:
    blackwell = [
        row for row in architectures.ROWS if ComputeCapability(row.capability).major >= architectures.BLACKWELL
    ]
    assert {row.name for row in blackwell} == {"Blackwell"}
    assert all(CudaVersion(row.first_toolkit or "0") >= architectures.BLACKWELL_TOOLKIT for row in blackwell)


def test_a_capability_that_nobody_wrote_down_has_no_name() -> None:
    assert architectures.name_of(ComputeCapability("8.9")) == "Ada Lovelace"
    assert architectures.name_of(ComputeCapability("42.0")) == ""


def test_nvmls_codes_have_the_names_that_nvidia_ml_py_gives_them() -> None:
    pynvml: ModuleType = importlib.import_module("pynvml")
    theirs = {
        getattr(pynvml, name): name for name in dir(pynvml) if name.startswith("NVML_ERROR_") or name == "NVML_SUCCESS"
    }
    assert {code: errors.NVML_NAMES.get(code) for code in theirs} == theirs


def test_a_code_of_a_newer_driver_is_told_by_its_number() -> None:
    assert errors.nvml_name(777) == "NVML error 777"
    assert errors.cuda_meaning(777) is None


def test_every_meaning_is_of_a_code_that_cuda_has() -> None:
    assert {row.code for row in errors.CUDA_MEANINGS} <= set(cuda_errors.NAMES)
