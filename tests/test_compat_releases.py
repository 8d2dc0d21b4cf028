"""The tables of `gpucheck install`: releases of every system, names that are refused, names behind --with."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gpucheck.compat import architectures, drivers, extras, refused, tensorflow
from gpucheck.compat.releases import cpu_package, least_unrecorded, minor_of, of_version, releases
from gpucheck.compat.tensorflow import RELEASES, Release, final
from gpucheck.compat.tensorflow_windows import NOT_ON_WINDOWS, WINDOWS
from gpucheck.facts.versions import ComputeCapability, CudaVersion, CudnnVersion, PackageVersion
from gpucheck.install.choosing.naming import exactly, newest_patch

SYSTEMS = (("linux", "x86_64"), ("linux", "aarch64"), ("windows", "x86_64"))
EVERY = [row for system in SYSTEMS for row in releases(*system)]


def version(row: Release) -> PackageVersion:
    return PackageVersion(row.version)


def test_every_row_has_a_source_a_day_and_pythons() -> None:
    for row in EVERY:
        assert row.source, row.version
        assert date.fromisoformat(row.uploaded), row.version
        assert row.pythons, row.version
        assert bool(row.cuda) == bool(row.cudnn), row.version


def test_rows_of_a_system_rise_and_none_stands_twice() -> None:
    for system in SYSTEMS:
        rows = releases(*system)
        assert [version(row) for row in rows] == sorted(version(row) for row in rows)
        assert len({row.version for row in rows}) == len(rows)


def test_a_patch_is_not_older_than_the_one_before_it() -> None:
    for system in SYSTEMS:
        rows = releases(*system)
        for before, after in pairwise(rows):
            if version(before).parts[:2] == version(after).parts[:2]:
                assert before.uploaded <= after.uploaded, after.version


def test_other_systems_have_no_rows() -> None:
    assert releases("windows", "aarch64") == ()
    assert releases("linux", "ppc64le") == ()
    assert releases("darwin", "x86_64") == ()


def test_windows_has_cuda_up_to_2_10_and_none_after() -> None:
    for row in WINDOWS:
        assert bool(row.cuda) == (version(row) < PackageVersion("2.11")), row.version
        assert ("K12" in row.issues.split()) == (not row.cuda), row.version
        assert not row.cudnn_wheel, row.version
        assert not row.glibc, row.version


def test_windows_has_the_releases_of_linux_but_three() -> None:
    """K21, K22."""
    linux, windows = ({row.version for row in rows} for rows in (RELEASES, WINDOWS))
    assert linux - windows == set(NOT_ON_WINDOWS)
    assert windows <= linux


def test_windows_has_the_cuda_of_linux() -> None:
    linux = {row.version: row for row in RELEASES}
    for row in WINDOWS:
        same = linux[row.version]
        assert set(row.pythons.split()) <= set(same.pythons.split()), row.version
        if row.cuda:
            assert (row.cuda, row.package, row.capabilities) == (same.cuda, same.package, same.capabilities)
            assert CudnnVersion(row.cudnn).major == CudnnVersion(same.cudnn).major
            assert abs(date.fromisoformat(row.uploaded) - date.fromisoformat(same.uploaded)) < timedelta(days=7)


def test_a_shim_has_no_more_pythons_than_what_it_pulls_in() -> None:
    """tensorflow-intel 2.13.1 has no wheel for 3.8, and tensorflow-cpu-aws 2.11.1 for none that its shim is for."""
    intel, aws = of_version("windows", "x86_64", "2.13.1"), of_version("linux", "aarch64", "2.11.1")
    assert intel is not None
    assert aws is not None
    assert "3.8" not in intel.pythons.split()
    assert "Q02" in aws.issues.split()


def test_the_guides_rows() -> None:
    """CUDA 8.0 and cuDNN 5.1 with Python 3.5: tensorflow-gpu 1.0.0 to 1.2.1, and no other."""
    of_the_guide = [
        row.version for row in WINDOWS if (row.cuda, row.cudnn) == ("8.0", "5.1") and "3.5" in row.pythons.split()
    ]
    assert of_the_guide == ["1.0.0", "1.0.1", "1.1.0", "1.2.0", "1.2.1"]


def test_aarch64_is_a_cpu_build_without_the_defects_of_cuda() -> None:
    for row in releases("linux", "aarch64"):
        assert (row.cuda, row.cudnn, row.cudnn_wheel, row.package) == ("", "", "", "tensorflow")
        assert not {"K01", "K02", "K06", "K07", "K10", "Q01"} & set(row.issues.split())
    kept = next(row for row in releases("linux", "aarch64") if row.version == "2.14.0")
    assert kept.issues == "K03"


def test_every_cuda_of_a_row_has_a_driver_and_a_reach() -> None:
    for row in (*EVERY, tensorflow.NIGHTLY):
        if row.cuda:
            assert drivers.floor_for(CudaVersion(row.cuda)), row.version
            assert architectures.reach_of(CudaVersion(row.cuda)), row.version


def test_a_build_has_no_code_beyond_the_reach_of_its_cuda() -> None:
    for row in (one for one in EVERY if one.capabilities):
        reach = architectures.reach_of(CudaVersion(row.cuda))
        assert reach is not None
        assert ComputeCapability(row.capabilities[-1]).major <= reach.newest, row.version


def test_the_reach_of_cuda_grows() -> None:
    rows = architectures.REACHES
    assert [CudaVersion(row.cuda) for row in rows] == sorted(CudaVersion(row.cuda) for row in rows)
    assert [row.newest for row in rows] == sorted({row.newest for row in rows})
    assert all(row.source for row in rows)
    assert architectures.reach_of(CudaVersion("7.5")) is None
    assert architectures.REACHES[-1].cuda == architectures.BLACKWELL_TOOLKIT.text


def test_a_version_is_found_as_pep_440_compares_it() -> None:
    found = of_version("linux", "x86_64", "2.18")
    assert found is not None
    assert found.version == "2.18.0"
    assert of_version("windows", "x86_64", "1.4.1") is None
    for text in ("2.15.0", "2.15.0.post1"):
        row = exactly(RELEASES, text)
        assert row is not None
        assert row.version == text


@pytest.mark.parametrize(
    ("text", "minor"),
    [("2.21", (2, 21)), ("2.21.*", (2, 21)), (" 2.9.x ", (2, 9)), ("2.21.0", None), ("2", None), ("two", None)],
)  # fmt: skip
def test_a_minor_is_told_from_a_version(text: str, minor: tuple[int, int] | None) -> None:
    assert minor_of(text) == minor


def test_the_newest_patch_is_a_final_one() -> None:
    row = newest_patch(RELEASES, "2.15")
    assert row is not None
    assert row.version == "2.15.1"
    only = newest_patch(RELEASES, "2.22")
    assert only is not None
    assert not final(only)
    assert newest_patch(RELEASES, "3.0") is None


@pytest.mark.parametrize(
    ("system", "release", "package"),
    [
        (("linux", "x86_64"), "2.21.0", "tensorflow-cpu"),
        (("linux", "x86_64"), "2.0.4", "tensorflow"),
        (("linux", "x86_64"), "1.15.0", "tensorflow-cpu"),
        (("linux", "x86_64"), "1.15.5", "tensorflow"),
        (("linux", "aarch64"), "2.21.0", "tensorflow"),
        (("windows", "x86_64"), "2.21.0", "tensorflow"),
        (("windows", "x86_64"), "2.10.1", "tensorflow-cpu"),
        (("windows", "x86_64"), "2.2.3", "tensorflow"),
    ],
)
def test_the_cpu_build_of_a_release_is_in_this_distribution(
    system: tuple[str, str], release: str, package: str
) -> None:
    assert cpu_package(*system, release) == package


def test_what_is_not_recorded_has_a_least_capability() -> None:
    first = RELEASES[0]
    assert least_unrecorded("linux", first) == ComputeCapability("3.0")
    assert least_unrecorded("windows", first) == ComputeCapability("3.5")
    assert least_unrecorded("linux", next(row for row in RELEASES if row.version == "1.5.0")) == ComputeCapability(
        "3.5"
    )


# --- names


def test_a_refused_name_says_why_what_instead_and_how_that_is_known() -> None:
    for row in refused.REFUSED:
        assert row.name == canonicalize_name(row.name)
        assert row.why, row.name
        assert row.instead, row.name
        assert row.source, row.name
        assert refused.find(row.name) is row


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("tensorflow-gpu", "stub"),
        ("tensorflow-cuda13", "placeholder"),
        ("nvidia-pyindex", "global pip.conf"),
        ("nvidia-tensorflow", "only warns"),
        ("nvidia-cublas-cu112", "only warns"),
        ("theano", "Keras dropped it"),
        ("gpucheck", "another project"),
        ("cudnn", "TensorFlow brings itself"),
    ],
)
def test_known_traps_on_the_index_are_refused(name: str, word: str) -> None:
    row = refused.find(name)
    assert row is not None
    assert word in row.why


@pytest.mark.parametrize(
    "name",
    ["nvidia-cudnn-cu12", "nvidia-cublas-cu11", "nvidia-cudnn-cu13", "scipy", "keras", "tensorflow", "tensorflow-cpu"],
)
def test_real_packages_are_not(name: str) -> None:
    assert refused.find(name) is None


def test_theano_is_told_what_replaced_it() -> None:
    row = refused.find("theano")
    assert row is not None
    assert "pytensor" in row.instead
    assert "TensorFlow, JAX and PyTorch" in row.instead


def test_an_extra_is_a_list_of_requirements_that_none_refuses() -> None:
    for row in extras.EXTRAS:
        assert row.name == canonicalize_name(row.name)
        assert row.requirements or row.note, row.name
        for text in row.requirements:
            name = canonicalize_name(Requirement(text).name)
            assert refused.find(name) is None, row.name
            assert name not in ("tensorflow", "keras"), row.name  # matched to Python and TensorFlow, never asked for
        assert refused.find(row.name) is None, row.name


def test_jupyter_brings_what_a_kernel_needs() -> None:
    row = extras.find("jupyter")
    assert row is not None
    assert row.requirements == ("jupyterlab", "ipykernel")
    assert set(extras.WITH_KERNEL) >= {one.name for one in extras.EXTRAS if "ipykernel" in one.requirements}
    assert extras.find("no-such-extra") is None
