"""A run against a saved one: changes that are there are found, those that are not are not, unlike things are named."""

from __future__ import annotations

import bench_results as planted
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as some

from gpucheck.bench.judging.compare import compare, compare_exit, unlike
from gpucheck.facts.bench import Part, Result


def _changes(old: Result, new: Result, threshold: float | None = None) -> list[str]:
    return [one.change for one in compare(old, new, "old.json", threshold).differences]


def _still(result: Result, canary: float = 0.05) -> Result:
    return result._replace(canaries=(canary,) * 16)


_OLD = _still(planted.result(noise=0.005))


@examples(20)
@given(some.floats(0.3, 3), some.integers(0, 10**6))
def test_a_planted_change_is_found(factor: float, seed: int) -> None:
    changes = _changes(_OLD, _still(planted.result(noise=0.005, cpu_step=3.8e-3 * factor, seed=seed)))
    if factor > 1.1:
        assert changes == ["SLOWER", "SLOWER"]
    if factor < 1 / 1.1:
        assert changes == ["FASTER", "FASTER"]
    if 0.98 < factor < 1.02:
        assert changes == ["SAME", "SAME"]


@examples(20)
@given(some.floats(0.8, 1.25), some.floats(0, 0.2), some.integers(0, 10**6))
def test_a_change_counts_only_beyond_threshold_and_noise_of_both(factor: float, noise: float, seed: int) -> None:
    new = _still(planted.result(noise=noise, cpu_step=3.8e-3 * factor, seed=seed))
    for one in compare(_OLD, new, "old.json").differences:
        noises = [
            leg.figures.noise or 0.0
            for run in (_OLD, new)
            for leg in run.trials[0].legs
            if leg.device == one.device and leg.figures is not None
        ]
        assert one.threshold == max(0.05, *noises)
        assert one.ratio is not None
        if one.change == "SLOWER":
            assert one.ratio.low > 1 + one.threshold
        if one.change == "FASTER":
            assert one.ratio.high < 1 / (1 + one.threshold)
        if one.change == "SAME":
            assert 1 / 1.05 <= one.ratio.low <= one.ratio.high <= 1.05


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.01, 0.1, 0.3])
def test_a_change_is_hardly_ever_claimed_of_the_same_process(noise: float) -> None:
    """300 comparisons of 8 blocks with 8, two devices each: fewer than 2 % claim a change that is not there."""
    wrong = 0
    for seed in range(150):
        old, new = (_still(planted.result(noise=noise, seed=2 * seed + at)) for at in (0, 1))
        wrong += sum(change in ("SLOWER", "FASTER") for change in _changes(old, new))
    assert wrong < 6


def test_the_sentence_tells_steps_ratio_and_what_would_count() -> None:
    new = _still(planted.result(noise=0.0, cpu_step=4.56e-3))
    first = compare(_still(planted.result(noise=0.0)), new, "old.json").differences[0]
    assert first.sentence == (
        "cpu at batch size 64: SLOWER, a step takes 1.20 (1.20 to 1.20) times as long: 4.56 ms now, 3.80 ms before. "
        "A change of 5.0% would count."
    )


def test_a_larger_threshold_forgives() -> None:
    new = _still(planted.result(noise=0.005, cpu_step=3.8e-3 * 1.1))
    assert _changes(_OLD, new) == ["SLOWER", "SLOWER"]
    assert _changes(_OLD, new, 0.2) == ["SAME", "SAME"]


def test_noise_is_no_proof_that_nothing_changed() -> None:
    assert set(_changes(_OLD, _still(planted.result(noise=0.2, seed=4)))) == {"CANNOT TELL"}


def test_a_machine_that_changed_is_not_the_programs_fault() -> None:
    slow = _still(planted.result(noise=0.005, cpu_step=3.8e-3 * 1.2), canary=0.06)
    comparison = compare(_OLD, slow, "old.json")
    assert [one.change for one in comparison.differences] == ["CANNOT TELL", "SLOWER"]
    assert "the canary's fixed work took 1.20 times as long too" in comparison.differences[0].sentence
    assert _changes(_OLD, _still(planted.result(noise=0.005), canary=0.06)) == ["SAME", "SAME"]


def test_few_blocks_tell_nothing() -> None:
    few = planted.result(rounds=3)
    assert _changes(few, _OLD) == _changes(_OLD, few) == ["CANNOT TELL", "CANNOT TELL"]
    failed = planted.result(gpu_leg=planted.failed("gpu:0"))
    assert _changes(_OLD, failed)[1] == "CANNOT TELL"


def test_only_what_both_have_is_compared() -> None:
    sweep = _still(planted.result(batch_sizes=(64, 256), noise=0.005))
    assert len(_changes(sweep, _OLD)) == 2
    nothing = compare(planted.result(batch_sizes=(256,)), _OLD, "old.json")
    assert nothing.differences == ()
    assert compare_exit(nothing, False) == 3
    assert len(_changes(_OLD, planted.result(gpu=None))) == 1


@pytest.mark.parametrize(
    ("changes", "fail_slower", "code"),
    [({}, True, 0), ({"cpu_step": 5e-3}, True, 1), ({"cpu_step": 5e-3}, False, 0), ({"rounds": 3}, True, 3)],
)
def test_exit_codes(changes: dict[str, float], fail_slower: bool, code: int) -> None:
    new = _still(planted.result(noise=0.005, **changes))  # type: ignore[arg-type]
    assert compare_exit(compare(_OLD, new, "old.json"), fail_slower) == code


# What may be compared


def test_the_same_environment_is_like_itself_whatever_the_time_and_data() -> None:
    other = planted.result(seed=9, time=5.0, data="synthetic", taken="2027-01-01T00:00:00Z", version="9")
    assert unlike(_OLD, other) == ()


def test_settings_that_differ_are_named() -> None:
    other = planted.result(jit=True, backend="jax", workload_hash="00" * 32, simulated="speedup=2", data="full")
    assert unlike(_OLD, other) == (
        "mnist-cnn has another hash: 5f0c5f0c5f0c before, 000000000000 now",
        "backend: tensorflow before, jax now",
        "jit: off before, on now",
        "simulated: nothing before, speedup=2 now",
    )
    assert unlike(_OLD, planted.result(workload="mlp", workload_hash="00" * 32)) == (
        "workload: mnist-cnn before, mlp now",
    )


def test_versions_and_devices_that_differ_are_named() -> None:
    new = planted.result(gpu="NVIDIA A100-SXM4-80GB")
    parts = tuple(Part(one.name, "570.12" if one.name == "driver version" else one.value) for one in new.environment)
    legs = tuple(leg._replace(parts=leg.parts[1:]) if leg.device == "cpu" else leg for leg in new.trials[0].legs)
    new = new._replace(environment=parts, trials=(new.trials[0]._replace(legs=legs),))
    assert unlike(_OLD, new) == (
        "driver version: 580.126.09 before, 570.12 now",
        "cpu: tensorflow: 2.21.0 before, not recorded now",
        f"gpu:0: name: {planted.H100} before, NVIDIA A100-SXM4-80GB now",
    )
    assert compare(_OLD, new, "old.json").unlike == unlike(_OLD, new)
