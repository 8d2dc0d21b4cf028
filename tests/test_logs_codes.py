"""The tables of error codes: complete, against the headers of NVIDIA's own wheels, and each with advice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from real_environments import environment

from gpucheck.compat import codes, cuda_errors, errors
from gpucheck.compat.codes import cudart, cudnn, nvml, xids

EVERY = [(table, code) for table in codes.TABLES for code in codes.table(table)]


@pytest.mark.parametrize("table", codes.TABLES)
def test_each_code_says_what_it_means_why_it_comes_and_what_to_check(table: str) -> None:
    for code in codes.table(table):
        assert code.meaning
        assert not code.meaning.endswith(".")
        assert code.advice.causes
        assert code.advice.check or code.advice.causes == "nothing is wrong"


def test_a_name_stands_in_one_table_once_and_is_found_by_itself() -> None:
    names = [code.name for _, code in EVERY]
    assert len(names) == len(set(names))
    for _, code in EVERY:
        assert codes.find(code.name) == code
    assert codes.find("CUDA_ERROR_OF_TOMORROW") is None


def test_codes_that_doctor_knows_by_name_are_all_explained() -> None:
    assert {code.number: code.name for code in codes.table("cuda")} == cuda_errors.NAMES
    assert {code.number: code.name for code in codes.table("nvml")} == errors.NVML_NAMES
    assert set(nvml.WORDS.values()) <= set(errors.NVML_NAMES)


def test_a_number_of_both_apis_means_the_same_in_both() -> None:
    same = codes.numbered("cudart", 100)
    assert same is not None
    assert same.name == "cudaErrorNoDevice"
    assert same.meaning == codes.find("CUDA_ERROR_NO_DEVICE").meaning  # type: ignore[union-attr]
    assert codes.numbered("cudart", 35).name == "cudaErrorInsufficientDriver"  # type: ignore[union-attr]


def test_old_numbers_lead_to_names_of_today() -> None:
    for name in (*cudart.BEFORE_10_1.values(), *cudnn.BEFORE_9.values()):
        assert codes.find(name) is not None, name
    assert cudart.BEFORE_10_1[38] == "cudaErrorNoDevice"
    assert cudnn.BEFORE_9[8] == "CUDNN_STATUS_EXECUTION_FAILED"


def test_every_xid_of_the_catalogue_is_there_and_only_known_ones_accuse() -> None:
    assert [code.number for code in codes.table("xids")] == list(range(1, 173))
    assert xids.verdict_on(79) == "gone"
    assert xids.verdict_on(119) == "reset"
    assert xids.verdict_on(31) == "program"
    assert xids.verdict_on(9999) == "note"


HEADERS = {
    "cuda": ("cuda_runtime/include/cuda.h", r"^\s+(CUDA_(?:SUCCESS|ERROR_[A-Z0-9_]+))\s*=\s*(\d+)"),
    "cudart": ("cuda_runtime/include/driver_types.h", r"^\s+(cuda(?:Success|Error[A-Za-z0-9]+))\s*=\s*(\d+)"),
    "cublas": ("cublas/include/cublas_api.h", r"^\s+(CUBLAS_STATUS_[A-Z_]+)\s*=\s*(\d+)"),
    "cudnn": ("cudnn/include/{cudnn}", r"^\s+(CUDNN_STATUS_[A-Z_]+)(?: CUDNN_DEPRECATED_ENUM)?\s*=\s*(\d+)"),
    "nccl": (
        "nccl/include/nccl.h",
        r"^[a-z {]*?(nccl(?:Success|[A-Z][A-Za-z]*(?:Error|Argument|Usage|Progress|Timeout)))\s*=\s*(\d+),",
    ),
}


@pytest.mark.real
@pytest.mark.parametrize("name", ["tf221", "tf2181", "tf2161"])
@pytest.mark.parametrize("table", HEADERS)
def test_the_real_headers_have_no_code_that_is_not_in_the_table(name: str, table: str) -> None:
    wheels = next((environment(name) / "lib").glob("python3*/site-packages/nvidia"))
    path, pattern = HEADERS[table]
    header = "cudnn_ops_infer.h" if name == "tf2161" else "cudnn_graph.h"
    text = (wheels / path.format(cudnn=header)).read_text(errors="replace")
    said = {(match[1], int(match[2])) for match in re.finditer(pattern, text, re.MULTILINE)}
    known = {(code.name, code.number) for code in codes.table(table)}
    if table == "cudnn" and name == "tf2161":
        known = {(one, number) for number, one in cudnn.BEFORE_9.items()}
    assert len(said) > 7
    assert said <= known


def test_no_plain_doctor_loads_the_texts() -> None:
    """They are for logs; doctor's start-up needs names alone."""
    for module in Path(codes.__file__).parent.parent.parent.glob("rules/*.py"):
        assert "compat.codes" not in module.read_text()
