"""The tables of TensorFlow, cuDNN and Keras: what must hold in every row, not the rows against themselves."""

from __future__ import annotations

import pytest

from gpucheck.compat import cudnn, keras, tensorflow
from gpucheck.compat.libraries import soname
from gpucheck.compat.tensorflow_windows import WINDOWS
from gpucheck.facts.python import capability_codes
from gpucheck.facts.versions import ComputeCapability, CudaVersion, CudnnVersion, LibcVersion, PackageVersion
from gpucheck.rules.choice import TURING
from gpucheck.rules.installed import broken_clause

ROWS = tensorflow.RELEASES


def test_each_release_stands_once_and_in_order() -> None:
    for rows in (ROWS, tensorflow.AARCH64):
        versions = [PackageVersion(row.version) for row in rows]
        assert len({row.version for row in rows}) == len(rows)
        assert versions == sorted(versions)


def test_a_row_holds_versions_and_a_source() -> None:
    for row in ROWS:
        assert row.source, row.version
        assert row.package in ("tensorflow", "tensorflow-gpu"), row.version
        assert all(python.replace(".", "").isdigit() and "." in python for python in row.pythons.split()), row.version
        assert CudaVersion(row.cuda).parts[1:], row.version
        assert LibcVersion.parse(row.glibc), row.version
        assert CudnnVersion.parse(row.cudnn), row.version


def test_requirements_can_be_judged() -> None:
    for row in ROWS:
        for requirement in (row.numpy, row.protobuf, row.cudnn_wheel):
            broken_clause(requirement, PackageVersion("1.26.4"))
        lower = next(clause for clause in row.protobuf.split(",") if clause.startswith(">="))
        assert broken_clause(row.protobuf, PackageVersion(lower[2:])) is None, row.version


def test_the_pinned_cudnn_is_one_that_the_release_takes() -> None:
    for row in (row for row in ROWS if row.cudnn_wheel):
        least = row.cudnn_wheel.split(",")[0][2:]
        assert CudnnVersion(least).major == CudnnVersion(row.cudnn).major, row.version
        assert CudnnVersion(least) >= CudnnVersion(row.cudnn), row.version


def test_capabilities_rise_and_end_with_ptx() -> None:
    for row in (row for row in ROWS if row.capabilities):
        codes = capability_codes(row.capabilities)
        assert [code for code, _ in codes] == sorted(code for code, _ in codes), row.version
        assert [ptx for _, ptx in codes] == [False] * (len(codes) - 1) + [True], row.version


def test_the_sonames_of_a_build_are_in_the_table_of_libraries() -> None:
    for row in ROWS:
        cuda, cudnn_version = CudaVersion(row.cuda), CudnnVersion(row.cudnn)
        assert soname("cudart", cuda), row.version
        assert soname("cudnn", cuda, cudnn_version) == f"libcudnn.so.{row.cudnn.split('.')[0]}", row.version


def test_every_issue_is_described_and_belongs_to_a_release() -> None:
    described = {issue.name for issue in tensorflow.ISSUES}
    named = {name for row in (*ROWS, *WINDOWS, *tensorflow.AARCH64) for name in row.issues.split()}
    assert named == described
    assert all(issue.source for issue in tensorflow.ISSUES)


def test_releases_without_a_sound_numpy_bound_are_marked_as_such() -> None:
    for row in ROWS:
        unbounded = broken_clause(row.numpy, PackageVersion("2.0.0")) is None
        built_for_1 = PackageVersion("2.7") <= PackageVersion(row.version) < PackageVersion("2.18")
        assert (unbounded and built_for_1) == ("K03" in row.issues.split()), row.version


def test_releases_without_a_protobuf_bound_below_2_12_are_marked_as_such() -> None:
    for row in ROWS:
        unbounded = broken_clause(row.protobuf, PackageVersion("4.21.0")) is None
        old = PackageVersion(row.version) < PackageVersion("2.12")
        assert (unbounded and old) == ("K04" in row.issues.split()), row.version


def test_aarch64_has_the_pythons_of_x86_64() -> None:
    for row in tensorflow.AARCH64:
        same = tensorflow.find(row.version)
        assert same is not None
        assert (same.pythons, same.glibc) == (row.pythons, row.glibc)


def test_a_release_is_found_by_its_exact_version_only() -> None:
    row = tensorflow.find("2.21.0")
    assert row is not None
    assert row.glibc == "2.27"
    assert tensorflow.find("2.21") is None
    assert tensorflow.has_issue("2.16.1", "K06")
    assert not tensorflow.has_issue("2.16.2", "K06")


def test_final_releases_are_told_from_candidates() -> None:
    assert not tensorflow.final(next(row for row in ROWS if row.version == "2.22.0rc0"))
    assert tensorflow.final(next(row for row in ROWS if row.version == "2.15.0.post1"))


def test_cudnn_rows_rise() -> None:
    versions = [CudnnVersion(row.version) for row in cudnn.RELEASES]
    assert versions == sorted(versions)
    assert all(row.source and row.soname == f"libcudnn.so.{CudnnVersion(row.version).major}" for row in cudnn.RELEASES)


def test_cudnn_dropped_what_is_older_than_turing_with_9_11() -> None:
    assert cudnn.least_capability(CudnnVersion("9.11.0")) == TURING
    assert cudnn.least_capability(CudnnVersion("9.28.0.42")) == TURING
    assert cudnn.least_capability(CudnnVersion(cudnn.LAST_BEFORE_TURING)) == ComputeCapability("5.0")
    assert cudnn.least_capability(CudnnVersion("8.6.0")) is None  # no source was read
    assert cudnn.least_capability(CudnnVersion("4.0")) is None


def test_releases_with_an_open_cudnn_take_the_last_one_for_older_gpus() -> None:
    for row in ROWS:
        if "K10" in row.issues.split():
            assert broken_clause(row.cudnn_wheel, PackageVersion(cudnn.LAST_BEFORE_TURING)) is None


def test_keras_rows_follow_each_other_and_3_begins_at_2_16() -> None:
    versions = [PackageVersion(row.tensorflow) for row in keras.PAIRS]
    assert versions == sorted(versions)
    assert all(row.source for row in keras.PAIRS)
    for row in keras.PAIRS:
        if row.keras:
            three = broken_clause(row.keras, PackageVersion("3.12.4")) is None
            assert three == (PackageVersion(row.tensorflow) >= keras.FIRST_WITH_KERAS_3), row.tensorflow


def test_keras_is_looked_up_by_minor() -> None:
    row = keras.find(PackageVersion("2.20.0"))
    assert row is not None
    assert row.keras == ">=3.10.0"
    assert keras.find(PackageVersion("3.0.0")) is None


@pytest.mark.parametrize(
    ("requirement", "version", "clause"),
    [
        (">=1.26.0", "1.26.0", None),
        (">=1.26.0,<2.2.0", "2.2.0", "<2.2.0"),
        (">=1.22,<=1.24.3", "1.24.4", "<=1.24.3"),
        ("~=1.19.2", "1.19.5", None),
        ("~=1.19.2", "1.20.0", "~=1.19.2"),
        (">=3.20.3,!=4.21.0,<5.0.0dev", "4.21.0", "!=4.21.0"),
        (">=3.20.3,!=4.21.0,<5.0.0dev", "5.26.0", "<5.0.0dev"),
        ("==9.3.0.75", "9.3.0.75", None),
        ("", "1.0", None),
    ],
)
def test_a_requirement_names_the_clause_that_a_version_breaks(requirement: str, version: str, clause: str) -> None:
    assert broken_clause(requirement, PackageVersion(version)) == clause
