"""The verdict finds what was planted, claims nothing that was not, and says why."""

from __future__ import annotations

import math
import random

import bench_results as planted
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as some

from gpucheck.bench.judging.figures import figures, joules_per_step
from gpucheck.bench.judging.gates import gated
from gpucheck.bench.judging.reasons import TOLERANCES
from gpucheck.bench.judging.verdict import (
    crossover,
    crossover_sentence,
    exit_code,
    fail_under,
    learns,
    losses_agree,
    settled,
    verdict,
)
from gpucheck.bench.judging.words import milliseconds
from gpucheck.facts.bench import (
    Aside,
    Block,
    Comparison,
    Difference,
    Doctor,
    Interval,
    Learning,
    Leg,
    Result,
    Sample,
    Trial,
    Verdict,
)
from gpucheck.facts.gap import Gap

_GAP = Gap("not looked", "not-collected")
_SETTINGS = planted.settings()


def _judged(cpu: Leg, gpu: Leg, **others: object) -> Verdict:
    asked: dict[str, object] = {"samples": (), "settings": _SETTINGS, "doctor": _GAP, **others}
    return verdict(cpu, gpu, **asked)  # type: ignore[arg-type]


def _legs(
    speedup: float,
    noise: float,
    rounds: int,
    seed: object,
    step: float = 3.8e-3,
    shared: tuple[float, ...] | None = None,
) -> tuple[Leg, Leg]:
    """Two devices with next to no floor."""
    source = random.Random(repr(seed))
    both = []
    for device, own in (("cpu", step), ("gpu:0", step / speedup)):
        blocks = planted.blocks(own, noise, rounds, source=source, gpu=device != "cpu", shared=shared)
        both.append(planted.leg(device, own, 64, source=source, blocks=blocks, floor=1e-6, asides=()))
    return both[0], both[1]


def _names(one: Verdict) -> list[str]:
    return [reason.name for reason in one.reasons]


def _only(result: Result) -> Verdict:
    ((one,),) = (trial.verdicts for trial in result.trials)
    return one


def _with(result: Result, gpu: dict[str, object] | None = None, cpu: dict[str, object] | None = None) -> Result:
    """With other facts in the legs, judged anew."""
    trials = tuple(
        trial._replace(legs=tuple(leg._replace(**((cpu if leg.device == "cpu" else gpu) or {})) for leg in trial.legs))
        for trial in result.trials
    )
    return planted.finished(result._replace(trials=trials))


# What is said


def test_the_sentence_of_a_gpu_that_wins() -> None:
    one = _only(planted.result(noise=0.0))
    assert one.word == "faster"
    assert one.sentence == (
        "The GPU (gpu:0, NVIDIA H100 80GB HBM3) is 9.2 (9.2 to 9.2) times faster than the CPU: "
        "0.41 ms a step against 3.80 ms."
    )


def test_the_sentence_of_a_gpu_that_loses_says_why() -> None:
    one = _only(_with(planted.result(0.5, cpu_step=0.2e-3), gpu={"floor": 0.15e-3}, cpu={"floor": 0.01e-3}))
    assert one.word == "slower"
    assert "times slower than the CPU, 0.40 ms a step against 0.20 ms, because a step on gpu:0" in one.sentence
    assert "launch-bound" in _names(one)
    assert "try a larger batch" in one.sentence


def test_a_gpu_that_loses_for_no_known_reason_says_so() -> None:
    assert _only(planted.result(0.5)).sentence.endswith("nothing that was measured says why.")


def test_equal_devices_are_the_same() -> None:
    one = _only(planted.result(1.0, noise=0.002))
    assert (one.word, "equally fast" in one.sentence) == ("same", True)


def test_a_simulation_is_said_to_be_one() -> None:
    assert _only(planted.result(simulated="speedup=9.2")).sentence.startswith("SIMULATED: ")


def test_every_cannot_tell_says_because() -> None:
    for one in (
        _only(planted.result(1.0, noise=0.3)),
        _only(planted.result(rounds=3)),
        _only(planted.result(gpu_leg=planted.failed("gpu:0"))),
        _only(planted.result(off=0.5)),
    ):
        assert one.word == "cannot-tell"
        assert ", because " in one.sentence


# What is claimed


@examples(25)
@given(some.floats(1.3, 500), some.floats(0, 0.02), some.integers(4, 12), some.integers(0, 10**6), some.booleans())
def test_a_clear_difference_is_found_whichever_side_it_is_on(
    speedup: float, noise: float, rounds: int, seed: int, gpu_wins: bool
) -> None:
    cpu, gpu = _legs(speedup if gpu_wins else 1 / speedup, noise, rounds, seed, step=1.0)
    one = _judged(cpu, gpu)
    assert one.word == ("faster" if gpu_wins else "slower")
    assert one.ratio is not None
    assert one.ratio.value == pytest.approx(speedup if gpu_wins else 1 / speedup, rel=0.1)


@examples(25)
@given(some.floats(0.2, 5), some.floats(0, 0.4), some.integers(4, 12), some.integers(0, 10**6))
def test_nothing_is_claimed_within_the_runs_own_noise(speedup: float, noise: float, rounds: int, seed: int) -> None:
    one = _judged(*_legs(speedup, noise, rounds, seed, step=1.0))
    if one.word in ("faster", "slower"):
        assert one.ratio is not None
        assert one.noise is not None
        nearest = one.ratio.low if one.word == "faster" else 1 / one.ratio.high
        assert nearest > 1 + max(one.noise, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.01, 0.1, 0.3])
def test_faster_is_hardly_ever_claimed_of_the_same_process(noise: float) -> None:
    """400 trials of 8 rounds: fewer than 2 % claim a difference that is not there."""
    words = [_judged(*_legs(1.0, noise, 8, (noise, seed))).word for seed in range(400)]
    assert sum(word in ("faster", "slower") for word in words) < 8


@pytest.mark.slow
def test_stopping_early_claims_no_more_of_the_same_process() -> None:
    """150 runs of up to 20 rounds: fewer than 4 % claim a difference that is not there."""
    wrong = 0
    for seed in range(150):
        cpu, gpu = _legs(1.0, 0.1, 20, ("stop", seed))
        for rounds in range(6, 21):
            early = cpu._replace(blocks=cpu.blocks[:rounds]), gpu._replace(blocks=gpu.blocks[:rounds])
            if settled(early[0], early[1:]):
                break
        wrong += _judged(*early).word in ("faster", "slower")
    assert wrong < 6


def test_weather_that_slows_whole_rounds_does_not_hide_a_speed_up() -> None:
    weather = (1.0, 1.9, 1.2, 3.0, 1.0, 1.5, 2.2, 1.1)
    one = _judged(*_legs(4.0, 0.005, 8, 1, shared=weather))
    assert one.word == "faster"
    assert one.ratio is not None
    assert one.ratio.value == pytest.approx(4.0, rel=0.02)


def test_a_difference_smaller_than_the_floor_is_not_claimed() -> None:
    fast = planted.result(1.5, noise=0.001, cpu_step=0.6e-3)  # 0.4 against 0.6 ms
    assert _only(_with(fast, cpu={"floor": 0.19e-3}, gpu={"floor": 0.01e-3})).word == "faster"
    below = _only(_with(fast, cpu={"floor": 0.21e-3}, gpu={"floor": 0.01e-3}))
    assert below.word == "cannot-tell"
    assert "differ by less than an empty step costs (0.21 ms)" in below.sentence
    assert _only(_with(fast, cpu={"floor": _GAP}, gpu={"floor": _GAP})).word == "faster"


def test_under_four_clean_rounds_nothing_is_claimed_and_what_spoiled_them_is_counted() -> None:
    spoiled = {0: ("clocks",), 1: ("clocks", "foreign-cpu"), 2: ("gpu-process",), 3: ("clocks",), 4: ("foreign-cpu",)}
    one = _only(planted.result(left_out=spoiled))
    assert one.word == "cannot-tell"
    assert "only 3 rounds of the 4 needed were clean: the GPU lowered its clocks in 3 of 8 rounds" in one.sentence
    assert {"throttled", "foreign-cpu", "gpu-process"} <= set(_names(one))
    assert _only(planted.result(left_out={0: ("clocks",)})).word == "faster"


def test_a_short_time_is_the_reason_where_nothing_spoiled_a_round() -> None:
    assert "and no more were measured" in _only(planted.result(rounds=3)).sentence


# Why


def _sampled(width: int, load: float) -> tuple[Sample, ...]:
    return tuple(Sample(float(at), "gpu:0", load, pcie_width=width) for at in range(5))


def test_launching_is_told_of_a_gpu_that_wins_too() -> None:
    one = _only(_with(planted.result(), gpu={"floor": 0.2e-3}))
    assert (one.word, "launch-bound" in _names(one)) == ("faster", True)


def test_waiting_for_batches_is_seen_beside_resident_input() -> None:
    waits = (Aside(False, False, "resident", 3e-3),)
    fed = _only(_with(planted.result(0.5, input="host"), gpu={"asides": waits}))
    assert "because with input resident a step on gpu:0 takes 3.00 ms" in fed.sentence
    other = (
        Aside(True, False, "resident", 3e-3),
        Aside(False, True, "resident", 3e-3),
        Aside(False, False, "fit", _GAP),
    )
    assert "input-bound" not in _names(_only(_with(planted.result(0.5, input="host"), gpu={"asides": other})))
    near = (Aside(False, False, "resident", 6e-3),)
    assert "input-bound" not in _names(_only(_with(planted.result(0.5, input="host"), gpu={"asides": near})))


def test_what_feeding_would_cost_is_told_and_blames_nothing() -> None:
    one = _only(_with(planted.result(0.5), gpu={"asides": (Aside(False, False, "host", 30e-3),)}))
    assert "input-cost" in _names(one)
    assert one.sentence.endswith("nothing that was measured says why.")


def test_a_call_of_fit_costs_time_of_its_own_which_is_not_the_batches() -> None:
    one = _only(_with(planted.result(0.5), gpu={"asides": (Aside(False, False, "fit", 30e-3),)}))
    assert "input-cost" not in _names(one)


@pytest.mark.parametrize(("width", "load", "named"), [(4, 0.9, True), (1, 0.9, True), (8, 0.9, False), (1, 0.1, False)])
def test_a_narrow_link_counts_under_load_only(width: int, load: float, named: bool) -> None:
    cpu, gpu = _legs(0.5, 0.0, 8, 0)
    host = _judged(cpu, gpu, samples=_sampled(width, load), settings=planted.settings(input="host"))
    assert ("pcie" in _names(host)) is named
    assert ("because gpu:0 is connected by PCIe" in host.sentence) is named
    resident = _judged(cpu, gpu, samples=_sampled(width, load))
    assert resident.sentence.endswith("nothing that was measured says why.")


def test_a_link_that_doctor_calls_degraded_blames_no_gpu_for_doctor_does_not_say_whose_it_is() -> None:
    doctor = Doctor("warning", "", ("pcie-link-degraded",))
    assert "pcie" not in _names(_judged(*_legs(3.0, 0.0, 8, 0), doctor=doctor))


def test_a_gpu_that_waits_for_the_host_is_launch_bound_however_cheap_the_empty_step_is() -> None:
    cpu, gpu = _legs(0.5, 0.0, 8, 0)
    times = [(block.begin + block.end) / 2 for block in gpu.blocks]
    idle = tuple(Sample(time, "gpu:0", utilization=0.2) for time in times)
    one = _judged(cpu, gpu, samples=idle)
    assert "launch-bound" in _names(one)
    assert "computed in 20% of the time" in one.sentence
    busy = tuple(sample._replace(utilization=0.9) for sample in idle)
    assert "launch-bound" not in _names(_judged(cpu, gpu, samples=busy))


def test_throttling_in_most_blocks_explains_a_slow_gpu() -> None:
    one = _only(planted.result(0.5, left_out=dict.fromkeys(range(4), ("clocks",))))
    assert one.word == "slower"
    assert "because gpu:0 lowered its clocks (hw-thermal-slowdown) in 4 of 8 blocks" in one.sentence


def test_a_power_cap_is_told_and_its_blocks_count() -> None:
    cpu, gpu = _legs(3.0, 0.0, 8, 0)
    capped = gpu._replace(blocks=tuple(block._replace(clock_reasons=("sw-power-cap",)) for block in gpu.blocks))
    cpu, capped = gated([cpu, capped], [0.05])
    one = _judged(cpu, capped)
    assert (one.word, "clocks-held" in _names(one)) == ("faster", True)


@pytest.mark.parametrize("rule", ["gpu-arch-too-old-for-build", "gpu-arch-too-new-for-build"])
def test_a_build_without_code_for_the_gpu_is_named_where_it_failed(rule: str) -> None:
    doctor = Doctor("error", "", (rule,))
    cpu, works = _legs(3.0, 0.0, 8, 0)
    one = _judged(cpu, planted.failed("gpu:0", "framework", "internal error"), doctor=doctor)
    assert "no-kernels" in _names(one)
    assert "no code for this GPU" in one.sentence
    assert "no-kernels" not in _names(_judged(cpu, works, doctor=doctor))


def test_a_framework_that_says_it_has_no_kernel_is_believed() -> None:
    cpu, _works = _legs(3.0, 0.0, 8, 0)
    one = _judged(cpu, planted.failed("gpu:0", "framework", "CUDA error: no kernel image is available for execution"))
    assert "no-kernels" in _names(one)


def test_a_device_that_fails_late_keeps_its_verdict_and_its_failure() -> None:
    late = planted.failed("gpu:0", "crash", "SIGKILL", "round 9").failure
    one = _only(_with(planted.result(), gpu={"failure": late}))
    assert (one.word, "failed" in _names(one)) == ("faster", True)


@examples(10)
@given(some.sampled_from(["foreign_cpu", "canary", "clock_reasons", "gpu_processes", "energy"]), some.integers(0, 99))
def test_hiding_what_was_around_the_blocks_adds_no_reason(hidden: str, seed: int) -> None:
    result = planted.result(0.5, seed=seed, left_out={0: ("clocks",), 1: ("clocks",), 2: ("gpu-process",)})
    legs = gated(result.trials[0].legs, result.canaries)
    blind = gated(
        (leg._replace(blocks=tuple(block._replace(**{hidden: _GAP}) for block in leg.blocks)) for leg in legs),
        result.canaries,
    )
    assert set(_names(_judged(*blind))) <= set(_names(_judged(*legs)))


# Is it right, does it learn


@examples(20)
@given(some.sampled_from(sorted(TOLERANCES)), some.floats(0, 2), some.integers(0, 1000))
def test_losses_agree_as_far_as_the_precision_goes(precision: str, share: float, seed: int) -> None:
    source = random.Random(seed)
    first, last = TOLERANCES[precision]
    cpu = planted.losses(source)
    gpu = tuple(loss * (1 + share * first * (last / first) ** (at / 19)) for at, loss in enumerate(cpu))
    agreement = losses_agree(cpu, gpu, "float32" if precision == "tf32" else precision, precision == "tf32")
    assert agreement is not None
    if abs(share - 1) > 1e-6:
        assert agreement.ok is (share < 1)
    assert agreement.worst == pytest.approx(share * last, rel=1e-6, abs=1e-12)


def test_a_first_step_that_differs_is_suspect_though_the_last_may() -> None:
    cpu = planted.losses(random.Random(0))
    assert losses_agree(cpu, (cpu[0] * 1.01, *cpu[1:]), "float32") == pytest.approx((0.01, 1, False))


def test_losses_that_are_no_numbers() -> None:
    cpu = (2.0, 1.0)
    assert losses_agree(cpu, (2.0, math.nan), "float32") == (math.inf, 2, False)
    assert losses_agree((2.0, math.nan), cpu, "float32") is None
    assert losses_agree((), cpu, "float32") is None


def test_wrong_numbers_claim_no_speed_up() -> None:
    one = _only(planted.result(off=0.2))
    assert (one.word, one.ratio) == ("cannot-tell", None)
    assert "the GPU's arithmetic is suspect" in one.sentence


def test_training_that_does_not_train_has_no_verdict() -> None:
    result = _with(planted.result(), gpu={"learning": Learning(100, 2.3, 0.9)})
    one = _only(result)
    assert (one.word, one.ratio, "not-learning" in _names(one)) == ("cannot-tell", None, True)
    assert exit_code(result) == 1
    assert [learns(None), learns(Learning(100, 0.59, 0.149)), learns(Learning(100, 0.6, 0.1))] == [None, True, False]
    assert learns(Learning(100, math.nan, 0.1)) is False


# When to stop


@pytest.mark.parametrize(
    ("rounds", "noise", "stops"), [(5, 0.0, False), (6, 0.0, True), (8, 0.002, True), (8, 0.2, False)]
)
def test_measuring_stops_once_the_interval_is_narrow(rounds: int, noise: float, stops: bool) -> None:
    cpu, gpu = _legs(9.2, noise, rounds, 1)
    assert settled(cpu, (gpu,)) is stops
    assert settled(cpu, ()) is stops
    assert settled(None, (gpu,)) is stops


def test_a_device_that_failed_is_not_waited_for() -> None:
    cpu, gpu = _legs(9.2, 0.0, 8, 1)
    assert settled(cpu, (gpu, planted.failed("gpu:1")))
    noisy = _legs(9.2, 0.3, 8, 2)[1]
    assert not settled(cpu, (gpu, noisy))
    assert settled(planted.failed("cpu"), (gpu,))


# Figures


def test_figures_come_from_the_counted_blocks() -> None:
    result = planted.result(noise=0.0, left_out={0: ("clocks",), 5: ("clocks",)})
    found = result.trials[0].legs[1].figures
    assert found is not None
    assert (found.blocks, found.left_out, found.noise) == (6, 2, pytest.approx(0.0, abs=1e-12))
    assert found.step.value == pytest.approx(3.8e-3 / 9.2)
    assert found.images_per_second == pytest.approx(64 / found.step.value)
    assert found.gflops == pytest.approx(72.9e6 * 64 / found.step.value / 1e9)
    assert found.joules_per_step == pytest.approx((210 - 70) * found.step.value)
    assert found.p95 is not None
    assert found.p95 > found.step.value


def test_without_a_counted_block_there_are_no_figures() -> None:
    result = planted.result(rounds=2, left_out={0: ("clocks",), 1: ("clocks",)})
    assert result.trials[0].legs[1].figures is None
    assert exit_code(result) == 3


def test_few_single_steps_have_no_95th_percentile() -> None:
    block = Block(0, 10, 1.0, (0.1,) * 4, 0, 1, 0, 0.05, None, None, None)
    leg = planted.leg("cpu", 1, 64, source=random.Random(0), blocks=(block, block))
    found = figures(leg, 64, planted.work(), None)
    assert found is not None
    assert (found.p95, found.noise, found.joules_per_step) == (None, None, None)


def _joules(idle: object, *energies: object, seconds: float = 2.0) -> object:
    blocks = [Block(0, 100, seconds, (), 0, 2, 0, 0.05, (), 0, energy) for energy in energies]  # type: ignore[arg-type]
    return joules_per_step(tuple(blocks), idle)  # type: ignore[arg-type]


def test_energy_is_told_only_where_it_was_measured_well() -> None:
    assert _joules(50.0, 200.0, 300.0, _GAP) == pytest.approx(1.5)
    assert _joules(None, None) is None
    assert _joules(None, 200.0) == Gap("the power at rest was not read", "not-collected")
    assert _joules(_GAP, 200.0) == _GAP
    assert _joules(50.0, _GAP, _GAP) == _GAP
    for nothing in (_joules(50.0, 200.0, seconds=1.9), _joules(500.0, 200.0)):
        assert isinstance(nothing, Gap)


def test_milliseconds_keep_the_digits_that_mean_something() -> None:
    assert [milliseconds(one) for one in (0.37, 0.0674, 3.8e-3, 0.41e-3, 12.3e-6)] == [
        "370 ms",
        "67.4 ms",
        "3.80 ms",
        "0.41 ms",
        "0.0123 ms",
    ]


# Batch sizes and exit codes


def _trials(*words: str) -> tuple[Trial, ...]:
    return tuple(
        Trial(2**at, planted.work(), (), (Verdict("gpu:0", word, None, None, "", ()),))  # type: ignore[arg-type]
        for at, word in enumerate(words)
    )


@pytest.mark.parametrize(
    ("words", "start", "said"),
    [
        (("slower", "same", "faster", "faster"), 4, "From batch size 4 on gpu:0 is faster (1 to 8 tried)."),
        (("faster", "slower", "faster"), 4, "From batch size 4 on gpu:0 is faster (1 to 4 tried)."),
        (("faster", "faster"), 1, "gpu:0 is faster at every batch size tried (1 to 2)."),
        (
            ("faster", "cannot-tell"),
            None,
            "No batch size was found from which on gpu:0 is faster (1 to 2 tried).",
        ),
        (("cannot-tell", "cannot-tell"), None, None),
        (("faster",), 1, None),
        ((), None, None),
    ],
)
def test_from_where_on_the_gpu_wins(words: tuple[str, ...], start: int | None, said: str | None) -> None:
    trials = _trials(*words)
    assert crossover(trials[::-1], "gpu:0") == start
    assert crossover_sentence(trials, "gpu:0") == said
    assert crossover(trials, "gpu:1") is None


@pytest.mark.parametrize(("low", "high", "code"), [(3.0, 4.0, 0), (2.0, 2.9, 1), (2.9, 3.1, 3)])
def test_a_speed_up_is_reached_by_the_whole_interval(low: float, high: float, code: int) -> None:
    one = Verdict("gpu:0", "faster", Interval((low + high) / 2, low, high), 0.0, "", ())
    assert fail_under(one, 3.0) == code
    assert fail_under(one._replace(word="cannot-tell"), 3.0) == 3


def _compared(change: str) -> Comparison:
    return Comparison("a.json", (), (Difference("cpu", 64, change, None, 0.05, ""),))  # type: ignore[arg-type]


def test_exit_codes_put_faults_before_doubts() -> None:
    wins, doubt, alone = planted.result(), planted.result(1.0, noise=0.3), planted.result(gpu=None)
    assert exit_code(wins) == exit_code(alone) == exit_code(wins, ["cpu", "gpu"]) == exit_code(wins, ["gpu:0"]) == 0
    assert exit_code(doubt) == 3
    assert exit_code(alone, ["gpu"]) == exit_code(wins, ["gpu:1"]) == 1
    assert exit_code(wins, speedup=5.0) == 0
    assert exit_code(wins, speedup=20.0) == 1
    assert exit_code(alone, speedup=2.0) == 3
    assert exit_code(doubt, ["gpu:7"]) == 1
    slower = wins._replace(comparison=_compared("SLOWER"))
    assert [exit_code(slower), exit_code(slower, fail_slower=True)] == [0, 1]
    assert exit_code(doubt._replace(comparison=_compared("SLOWER")), fail_slower=True) == 1
    assert exit_code(wins._replace(comparison=_compared("CANNOT TELL"))) == 3
    assert exit_code(wins._replace(trials=())) == 3


def test_exit_codes_of_devices_that_fail() -> None:
    crashed = planted.result(gpu_leg=planted.failed("gpu:0", "crash"))
    unseen = planted.result(gpu_leg=planted.failed("gpu:0", "no-device"))
    assert [exit_code(crashed), exit_code(crashed, ["gpu"])] == [3, 1]
    assert [exit_code(unseen), exit_code(unseen, ["gpu"])] == [0, 1]
    assert exit_code(_with(planted.result(), cpu={"failure": planted.failed("cpu").failure})) == 1
    assert exit_code(planted.result(gpu_leg=planted.failed("gpu:0", "not-learning"))) == 1
