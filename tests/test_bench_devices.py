"""Which devices are measured, what was planted by --simulate, and what else the command line must make sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

import pytest

from gpucheck.bench.devices import BadDevices, Device, Visible, choose, visible
from gpucheck.bench.simulation import BadSimulation, Simulation, parse
from gpucheck.commands import arguments
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.output import WrongUsage

UNKNOWN = Gap("NVML hangs", "deadline")
ONE, TWO = "GPU-11111111-0000", "GPU-22222222-0000"


def card(number: int, uuid: Union[str, None], name: str = "Tesla T4", **more: Any) -> Gpu:
    values: dict[str, Any] = dict.fromkeys(Gpu._fields)
    return Gpu(**{**values, "number": number, "name": name, "uuid": uuid, "source": "NVML", **more})


TWINS = (card(0, ONE), card(1, TWO))
MIXED = (card(0, ONE), card(1, TWO, "NVIDIA H100 80GB HBM3"))
SPLIT = (card(0, ONE, mig_devices=("MIG-aaaa", "MIG-bbbb")), card(1, TWO, mig_devices=()))


def entries(gpus: Union[tuple[Gpu, ...], Gap], **environ: str) -> list[tuple[str, Union[str, None]]]:
    return [(one.entry, one.nvml) for one in visible(gpus, environ)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", [("0", ONE)]),
        ("1,0", [("1", TWO), ("0", ONE)]),
        (" 1 , 0 ", [("1", TWO), ("0", ONE)]),
        (TWO, [(TWO, TWO)]),
        ("GPU-2", [("GPU-2", TWO)]),
        ("GPU-", []),  # fits both
        ("", []),
        ("-1", []),
        ("1,-1,0", [("1", TWO)]),
        ("0,7,1", [("0", ONE)]),
        ("all", []),
        ("NoDevFiles", []),
        ("²", []),
        ("MIG-aaaa", []),
    ],
)
def test_the_variable_leaves_a_program_what_it_names_up_to_the_first_that_is_nothing(
    value: str, expected: list[tuple[str, str]]
) -> None:
    assert entries(TWINS, CUDA_VISIBLE_DEVICES=value) == expected


def test_without_the_variable_all_are_there() -> None:
    assert entries(TWINS) == [(ONE, ONE), (TWO, TWO)]
    assert entries(MIXED) == [(ONE, ONE), (TWO, TWO)]
    assert entries((card(0, None),)) == [("0", "0")]
    assert entries(()) == []
    assert entries(UNKNOWN) == []
    assert entries(UNKNOWN, CUDA_VISIBLE_DEVICES="0") == []


def test_a_number_among_gpus_of_several_kinds_is_not_nvmls() -> None:
    """CUDA counts the fastest first, NVML along the bus."""
    assert visible(MIXED, {"CUDA_VISIBLE_DEVICES": "0"}) == [Visible("0", "GPU", None)]
    assert entries(MIXED, CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID") == [("1", TWO)]
    assert entries(MIXED, CUDA_VISIBLE_DEVICES=TWO) == [(TWO, TWO)]


def test_instances_of_a_divided_gpu_are_the_devices() -> None:
    assert entries(SPLIT) == [("MIG-aaaa", "MIG-aaaa"), ("MIG-bbbb", "MIG-bbbb"), (TWO, TWO)]
    assert entries(SPLIT, CUDA_VISIBLE_DEVICES="MIG-bbbb") == [("MIG-bbbb", "MIG-bbbb")]


def chosen(asked: Union[str, None], gpus: Union[tuple[Gpu, ...], Gap] = TWINS, **environ: str) -> tuple[Device, ...]:
    return choose(asked, gpus, environ, "EPYC")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (None, ["cpu", "gpu:0"]),
        ("cpu", ["cpu"]),
        ("gpu", ["gpu:0"]),
        ("gpu:1", ["gpu:1"]),
        ("gpu:1,cpu,gpu:0,gpu:1", ["cpu", "gpu:0", "gpu:1"]),
        ("all", ["cpu", "gpu:0", "gpu:1"]),
        (" ALL , gpu:7 ", ["cpu", "gpu:0", "gpu:1"]),
        ("gpu:7", []),
        ("cpu,gpu:7", ["cpu"]),
        ("gpu:00", ["gpu:0"]),
    ],
)
def test_devices_are_chosen_by_their_names(asked: Union[str, None], names: list[str]) -> None:
    assert [one.name for one in chosen(asked)] == names


@pytest.mark.parametrize("asked", ["", " , ", "cpu,tpu", "gpu:-1", "gpu:", "gpu:one", "gpu0", "cuda:0", "gpu:²"])
def test_devices_that_are_none_are_refused(asked: str) -> None:
    with pytest.raises(BadDevices, match="gpu:0"):
        chosen(asked)


def test_without_a_gpu_the_cpu_alone_is_measured() -> None:
    assert [one.name for one in chosen(None, ())] == ["cpu"]
    assert [one.name for one in chosen(None, UNKNOWN)] == ["cpu"]
    assert [one.name for one in chosen("all", ())] == ["cpu"]
    assert chosen("gpu", ()) == ()
    assert [one.name for one in chosen(None, TWINS, CUDA_VISIBLE_DEVICES="-1")] == ["cpu"]


def environment(device: Device, base: Mapping[str, str]) -> dict[str, str]:
    found = dict(base)
    for name, value in device.environ:
        if value is not None:
            found[name] = value
    return found


def test_each_worker_sees_its_device_alone() -> None:
    processor, first, second = chosen("all")
    assert environment(processor, {})["CUDA_VISIBLE_DEVICES"] == "-1"
    assert environment(processor, {})["JAX_PLATFORMS"] == "cpu"
    assert (environment(first, {})["CUDA_VISIBLE_DEVICES"], first.nvml) == (ONE, ONE)
    assert (environment(second, {})["CUDA_VISIBLE_DEVICES"], second.kind) == (TWO, "gpu")
    assert environment(first, {})["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_the_users_numbers_keep_the_users_order() -> None:
    base = {"CUDA_VISIBLE_DEVICES": "1"}
    _processor, first = chosen("all", TWINS, **base)
    assert environment(first, base) == {**environment(first, {}), "CUDA_VISIBLE_DEVICES": "1"}
    assert "CUDA_DEVICE_ORDER" not in environment(first, base)
    (first,) = chosen("gpu", (card(0, None),))
    assert environment(first, {})["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"  # number 0 is NVML's


# --simulate


def test_what_is_planted_is_told_to_the_worker_whom_it_concerns() -> None:
    planted = parse("speedup=4, noise=0.02,wrong=0.1,fault=crash,at=learn")
    assert planted.of("cpu") == {"slower": 4.0, "noise": 0.02}
    assert planted.of("gpu") == {"slower": 1.0, "noise": 0.02, "wrong": 0.1, "fault": "crash", "at": "learn"}
    assert parse("speedup=0.5").of("gpu") == {"slower": 2.0}
    assert parse("speedup=0.5").of("cpu") == {"slower": 1.0}
    assert parse("fault=exit,on=cpu").of("cpu") == {"slower": 1.0, "fault": "exit", "at": "time"}


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "speedup", "speedup=", "speedup=fast", "speedup=0", "speedup=-1", "speedup=nan", "speedup=inf"),
        *("speedup=1e9", "noise=-0.1", "fault=fire", "at=noon", "on=tpu", "speed=2", "speedup=2,x", "wrong=11"),
        *("speedup=2,speedup=3", "at=learn", "speedup=2,on=cpu"),
    ],
)
def test_what_cannot_be_planted_is_refused(text: str) -> None:
    with pytest.raises(BadSimulation):
        parse(text)


def test_the_simulated_gpu_is_one_and_hides_the_real_ones() -> None:
    planted = Simulation("speedup=2", 2.0)
    devices = choose(None, (), {}, "EPYC", planted)
    assert [(one.name, one.title, one.nvml) for one in devices] == [("cpu", "EPYC", None), ("gpu:0", "simulated", None)]
    assert all(environment(one, {})["CUDA_VISIBLE_DEVICES"] == "-1" for one in devices)
    assert [one.name for one in choose("all", TWINS, {}, "EPYC", planted)] == ["cpu", "gpu:0"]
    assert choose("gpu:0", TWINS, {}, "EPYC", planted)[0].nvml == ONE
    assert choose("gpu:1", TWINS, {}, "EPYC", planted) == ()


# Numbers on the command line


def test_batch_sizes_are_each_once_and_in_order() -> None:
    assert arguments.batch_sizes(None) == ()
    assert arguments.batch_sizes("64") == (64,)
    assert arguments.batch_sizes("1024, 64,256,64") == (1024, 64, 256)


@pytest.mark.parametrize("text", ["", "0", "-1", "64,", "64;256", "1e3", "64.0", "²", "٣", "9" * 30, "1048577", "big"])
def test_batch_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="--batch-size"):
        arguments.batch_sizes(text)


def test_times_and_thresholds_have_bounds() -> None:
    assert arguments.measuring_time(1.0) == 1.0
    assert arguments.positive("--fail-under", None) is None
    assert arguments.positive("--fail-under", 1.5) == 1.5
    for seconds in (0.0, 0.5, -1.0, 1e9, float("nan"), float("inf")):
        with pytest.raises(WrongUsage, match="--time"):
            arguments.measuring_time(seconds)
    for number in (0.0, -1.0, 1e9, float("nan"), float("inf")):
        with pytest.raises(WrongUsage, match="--fail-slower"):
            arguments.positive("--fail-slower", number)
