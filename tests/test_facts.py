"""Versions, gaps and the codec."""

from __future__ import annotations

import json

import pytest

from gpucheck.facts.codec import BadFacts, decode, encode
from gpucheck.facts.driver import Nvml
from gpucheck.facts.gap import Gap, Unknown, known, need
from gpucheck.facts.system import Disk, System
from gpucheck.facts.versions import (
    ComputeCapability,
    CudaVersion,
    DriverVersion,
    PackageVersion,
    Version,
)


def test_versions_are_ordered_by_number_not_by_text():
    assert DriverVersion("580.126.09") > DriverVersion("580.65.06")
    assert PackageVersion("2.9.3") < PackageVersion("2.10.0")
    assert CudaVersion("12.5") == CudaVersion("12.5.0")
    assert hash(CudaVersion("12.5")) == hash(CudaVersion("12.5.0"))


def test_a_release_candidate_comes_before_its_release_and_a_local_part_changes_nothing():
    assert PackageVersion("2.22.0rc0") < PackageVersion("2.22.0")
    assert PackageVersion("2.22.0.dev20261026") < PackageVersion("2.22.0")
    assert PackageVersion("2.15.0.post1") >= PackageVersion("2.15.0")
    assert PackageVersion("2.6.0+cu124") == PackageVersion("2.6.0")


def test_comparing_a_driver_with_cuda_is_a_type_error():
    with pytest.raises(TypeError, match="DriverVersion with CudaVersion"):
        _ = DriverVersion("580.65.06") >= CudaVersion("13.0")
    with pytest.raises(TypeError):
        _ = DriverVersion("13.0") == CudaVersion("13.0")


def test_compute_capabilities_are_read_in_all_their_spellings():
    assert str(ComputeCapability("sm_89")) == "8.9"
    assert str(ComputeCapability("compute_120")) == "12.0"
    assert str(ComputeCapability("sm_90a")) == "9.0"
    assert ComputeCapability("10.0") > ComputeCapability("9.0")


def test_cuda_counts_in_thousands():
    assert CudaVersion.of_number(12050) == CudaVersion("12.5")
    assert CudaVersion.of_number(13000).short == "13.0"


@pytest.mark.parametrize("text", ["", "v", "..", "one.two", "\x00", "٣.٤"])
def test_text_without_a_number_is_no_version(text: str):
    assert Version.parse(text) is None


def test_a_gap_is_neither_true_nor_false_and_need_raises():
    gap = Gap("permission denied: /dev/nvidia0", "denied")
    with pytest.raises(TypeError):
        bool(gap)
    with pytest.raises(Unknown, match="permission denied"):
        need(gap)
    assert need(None) is None
    assert known(gap, "?") == "?"


def _system(**changed: object) -> System:
    values = dict.fromkeys(System._fields)
    values.update(os="linux", kernel="6.1", machine="x86_64", uid=0, groups=(0, 44), cpu=Gap("no /proc"), disks=())
    return System(**{**values, **changed})  # type: ignore[arg-type]


def test_facts_survive_the_way_to_json_and_back():
    system = _system(disks=(Disk("temp", "/tmp", 1, 2),), libc=Gap("unreadable"), wsl=2)
    assert decode(System, json.loads(json.dumps(encode(system)))) == system


def test_bytes_that_are_no_utf8_become_visible_escapes():
    raw = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert encode(raw) == "caf\\xe9"


def test_a_field_that_an_older_gpucheck_did_not_record_is_a_gap_not_an_absence():
    data = encode(_system())
    del data["secure_boot"]
    assert decode(System, data).secure_boot == Gap("secure_boot was not recorded", "not-collected")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"uid": "root"}, "$.uid"),
        ({"os": "plan9"}, "$.os"),
        ({"disks": {}}, "$.disks"),
        ({"groups": [1, "a"]}, r"\[1\]"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place(change: dict[str, object], place: str):
    with pytest.raises(BadFacts, match=place.replace("$", r"\$")):
        decode(System, {**encode(_system()), **change})


def test_a_version_of_the_wrong_type_in_a_file_is_refused():
    data = encode(Nvml("ok", 0, None, None, None, DriverVersion("580.65.06"), "13", CudaVersion("13.0"), 1))
    with pytest.raises(BadFacts):
        decode(Nvml, {**data, "driver_version": 580})


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udce9\ud800"])
def test_a_lone_surrogate_becomes_a_visible_escape(text: str):
    encode(text).encode("utf-8")
    json.dumps(encode(text), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    "change",
    [
        {"libc": {"gap": "x", "kind": "y"}},
        {"libc": {"gap": "x", "kind": []}},
        {"wsl": True},
        {"memory_bytes": 10**400},
        {"uid": -(10**30)},
    ],
)
def test_what_our_own_schema_would_refuse_is_refused(change: dict[str, object]):
    with pytest.raises(BadFacts):
        decode(System, {**encode(_system()), **change})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300])
def test_a_number_that_is_none_is_refused(number: float):
    with pytest.raises(BadFacts):
        decode(float, number)
