"""Which blocks count: what accuses, what does not, and that not knowing never does."""

from __future__ import annotations

import random

import bench_results as planted
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as some

from gpucheck.bench.judging.gates import HOLDING, SLOWING, clean_pairs, gated, unknown_gates, unknown_of, why_left_out
from gpucheck.facts.bench import Block
from gpucheck.facts.gap import Gap
from gpucheck.probes.children.nvml_gpu import REASONS
from gpucheck.rules import health

_GAP = Gap("not asked", "not-collected")
_CLEAN = Block(0, 10, 1.0, (), 0.0, 1.0, 0.02, 0.05, (), 0, None)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, ()),
        ({"foreign_cpu": 0.10}, ()),
        ({"foreign_cpu": 0.11}, ("foreign-cpu",)),
        ({"canary": 0.052}, ()),
        ({"canary": 0.053}, ("canary",)),
        ({"canary": 0.047}, ("canary",)),
        ({"clock_reasons": ("gpu-idle", "applications-clocks-setting", "sw-power-cap")}, ()),
        ({"clock_reasons": ("sw-thermal-slowdown",)}, ("clocks",)),
        ({"clock_reasons": None, "gpu_processes": None}, ()),
        ({"gpu_processes": 2}, ("gpu-process",)),
        ({"foreign_cpu": 0.9, "canary": 0.1, "gpu_processes": 1}, ("foreign-cpu", "canary", "gpu-process")),
    ],
)
def test_a_block_is_left_out_for_what_was_seen_around_it(changes: dict[str, object], reasons: tuple[str, ...]) -> None:
    assert why_left_out(_CLEAN._replace(**changes), 0.05) == reasons


def test_each_of_nvmls_reasons_is_decided_and_slowing_means_what_doctor_means() -> None:
    assert set(SLOWING) == set(health._THROTTLES)
    assert set(REASONS) == {*SLOWING, *HOLDING, "gpu-idle", "applications-clocks-setting"}


def test_without_a_usual_canary_no_canary_accuses() -> None:
    assert why_left_out(_CLEAN._replace(canary=9.0), None) == ()


_FACTS = some.fixed_dictionaries(
    {
        "foreign_cpu": some.floats(0, 1),
        "canary": some.floats(0.01, 0.1),
        "clock_reasons": some.none() | some.lists(some.sampled_from(REASONS)).map(tuple),
        "gpu_processes": some.none() | some.integers(0, 3),
    }
)


@examples(40)
@given(_FACTS, some.sampled_from(["foreign_cpu", "canary", "clock_reasons", "gpu_processes"]))
def test_hiding_a_fact_never_leaves_a_block_out_and_is_told(facts: dict[str, object], hidden: str) -> None:
    block = _CLEAN._replace(**facts)
    blind = block._replace(**{hidden: _GAP})
    assert set(why_left_out(blind, 0.05)) <= set(why_left_out(block, 0.05))
    assert len(unknown_gates(blind)) == 1
    assert unknown_gates(block) == ()


def test_an_open_gate_is_told_once_a_device() -> None:
    blind = _CLEAN._replace(gpu_processes=Gap("no permission", "denied"))
    leg = planted.leg("gpu:0", 1e-3, 64, source=random.Random(0), blocks=(_CLEAN, blind, blind))
    assert unknown_of(leg) == (("gpu-process", "no permission"),)


def test_blocks_are_marked_anew_as_the_canaries_median_moves() -> None:
    leg = planted.leg("cpu", 1e-3, 64, source=random.Random(0), blocks=(_CLEAN, _CLEAN._replace(canary=0.06)))
    (first,) = gated([leg], [0.05, 0.05, 0.05])
    (second,) = gated([first], [0.06, 0.06, 0.06, float("nan"), 0.0])
    (third,) = gated([second], [])
    assert [block.left_out for block in first.blocks] == [(), ("canary",)]
    assert [block.left_out for block in second.blocks] == [("canary",), ()]
    assert [block.left_out for block in third.blocks] == [(), ()]


def test_a_round_counts_where_both_of_its_blocks_do() -> None:
    source = random.Random(0)
    blocks = [_CLEAN._replace(round=number, seconds=1.0 + number) for number in range(5)]
    bad = blocks[1]._replace(left_out=("clocks",))
    cpu = planted.leg("cpu", 1, 64, source=source, blocks=(blocks[0], bad, blocks[2], blocks[3]))
    gpu = planted.leg("gpu:0", 1, 64, source=source, blocks=(blocks[4], blocks[3], blocks[1], blocks[0]))
    assert clean_pairs(cpu, gpu) == ((0.1, 0.1), (0.4, 0.4))
    assert clean_pairs(cpu, gpu._replace(blocks=())) == ()


def test_a_block_without_time_or_steps_counts_nowhere() -> None:
    leg = planted.leg("cpu", 1, 64, source=random.Random(0), blocks=(_CLEAN._replace(seconds=0.0),))
    assert clean_pairs(leg, leg) == ()
    leg = leg._replace(blocks=(_CLEAN._replace(steps=0),))
    assert clean_pairs(leg, leg) == ()
