"""Whole runs with scripted workers: what was planted is found, and what goes wrong with one device costs no other."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union

import jsonschema
import pytest
from fake_driver import FakeDriver
from planted import CPU_STEP, OUR_OWN, Ran, cpu, gpu, job, measure

from gpucheck.bench import seat as seat_module
from gpucheck.bench.devices import Device
from gpucheck.bench.job import Limits
from gpucheck.bench.judging.verdict import crossover, exit_code
from gpucheck.bench.run import Run, Unlike
from gpucheck.bench.watching.load import Load
from gpucheck.facts.gap import Gap
from gpucheck.render.bench import json as json_format
from gpucheck.render.bench import markdown, terminal

pytestmark = pytest.mark.slow  # its processes, or its many rounds
FIRST = "GPU-00000000-0000-4000-8000-000000000000"
SCHEMA = json.loads((Path(json_format.__file__).parent / "bench.schema.json").read_text())
slow = pytest.mark.slow
PATIENT = Limits(20, 20, 20, 20, 20)


def told_whole(ran: Ran) -> None:
    """Every format takes it, the file is as its schema says, and no process is left."""
    text = json_format.render(ran.result)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))
    assert json_format.render(json_format.read(text)) == text
    assert terminal.render(ran.result, 80, False, True)
    assert markdown.render(ran.result)
    assert ran.left == []


# What was planted is found


@pytest.mark.parametrize(
    ("speedup", "word"),
    [(9.2, "faster"), *(pytest.param(one, word, marks=slow) for one, word in ((1.0, "same"), (0.4, "slower")))],
)
def test_a_planted_speedup_is_found(speedup: float, word: str) -> None:
    ran = measure(job(cpu(), gpu(speedup)))
    ratio = ran.verdict().ratio
    assert ratio is not None
    assert (ran.verdict().word, ratio.value) == (word, pytest.approx(speedup))
    figures = ran.leg("gpu:0").figures
    assert figures is not None
    assert figures.step.value == pytest.approx(CPU_STEP / speedup)
    told_whole(ran)


@slow
@pytest.mark.parametrize("seed", range(4))
def test_a_speedup_under_noise_is_within_its_interval(seed: int) -> None:
    ran = measure(job(cpu(noise=0.05, seed=100 + seed), gpu(3.0, noise=0.05, seed=200 + seed), time=1.0))
    ratio, noise = ran.verdict().ratio, ran.verdict().noise
    assert ratio is not None
    assert noise is not None
    assert ran.verdict().word == "faster"
    assert ratio.low * 0.97 < 3.0 < ratio.high * 1.03
    assert noise > 0.001


def test_rounds_pair_the_devices_and_alternate_their_order() -> None:
    ran = measure(job(cpu(), gpu(), gpu(2.0, number=1)))
    order = [one.removeprefix("measuring ") for one in ran.told if one.startswith("measuring")]
    there = ["cpu", "gpu:0", "gpu:1"]
    assert order[:12] == there + there[::-1] + there + there[::-1]
    assert [one.round for one in ran.blocks("cpu")] == list(range(len(ran.blocks("cpu"))))
    assert [one.round for one in ran.blocks("gpu:1")] == [one.round for one in ran.blocks("cpu")]
    assert [one.ratio.value for one in ran.result.trials[0].verdicts if one.ratio] == pytest.approx([4.0, 2.0])


def test_drift_that_both_devices_share_is_not_in_the_ratio() -> None:
    """A canary that rises by 4 % is within its gate; blocks beyond 5 % of its median are left out."""
    fixed = iter([0.004] * 6 + [0.0043] * 2 + [0.004] * 1000)
    ran = measure(job(cpu(), gpu()), canary=lambda: next(fixed))
    marks = [one.left_out for one in (*ran.blocks("cpu"), *ran.blocks("gpu:0"))]
    assert marks.count(("canary",)) == 2
    assert ran.verdict().word == "faster"
    assert ran.leg("cpu").figures is not None
    assert ran.leg("cpu").figures.left_out == 1  # type: ignore[union-attr]


def test_warming_up_ends_when_windows_agree() -> None:
    ran = measure(job(cpu(cold=[4.0, 2.0, 1.5, 1.2]), gpu(cold=[9.0])))
    warm = ran.leg("cpu").warmup
    assert warm == pytest.approx([CPU_STEP * one for one in (4.0, 2.0, 1.5, 1.2, 1.0, 1.0)])
    assert ran.verdict().ratio is not None
    assert ran.verdict().ratio.value == pytest.approx(4.0)  # type: ignore[union-attr]


@pytest.mark.slow
def test_warming_up_that_never_settles_ends_all_the_same() -> None:
    ran = measure(job(cpu(cold=[1.0, 2.0] * 20), gpu()))
    assert 3 <= len(ran.leg("cpu").warmup) <= 30
    assert ran.leg("cpu").figures is not None


def test_measuring_stops_when_the_interval_is_narrow() -> None:
    begin = time.perf_counter()
    ran = measure(job(cpu(), gpu(), time=600.0))
    assert len(ran.blocks("cpu")) == 6
    assert time.perf_counter() - begin < 5.0


@slow
def test_measuring_stops_when_its_time_is_up() -> None:
    begin = time.perf_counter()
    ran = measure(job(cpu(noise=0.5), gpu(noise=0.5), time=1.0))
    blocks = ran.blocks("cpu")
    assert len(blocks) > 6
    assert 0.9 < time.perf_counter() - begin < 5.0


@slow
def test_a_slow_device_gets_its_four_rounds() -> None:
    ran = measure(job(cpu(step=0.08, sleep=True), gpu(2.0, sleep=True), time=2.0))
    assert len(ran.blocks("cpu")) >= 4
    assert ran.verdict().word == "faster"


@pytest.mark.slow
def test_a_sweep_shows_from_which_batch_on_the_gpu_wins() -> None:
    steps = {"64": 0.01, "256": 0.04, "1024": 0.16}
    theirs = {"64": 0.02, "256": 0.021, "1024": 0.03}
    ran = measure(job(cpu(step=steps), gpu(step=theirs), batch_sizes=(64, 1024, 256)))
    assert [one.batch_size for one in ran.result.trials] == [64, 1024, 256]
    assert [ran.verdict(at).word for at in range(3)] == ["slower", "faster", "faster"]
    assert crossover(ran.result.trials, "gpu:0") == 256
    assert ran.leg("gpu:0", 1).learning is not None  # it was seen at the first and holds for all
    told_whole(ran)


def test_a_step_below_three_floors_is_launch_bound() -> None:
    ran = measure(job(cpu(step=0.0008), gpu(step=0.002, floor=0.0009)))
    assert ran.verdict().word == "slower"
    assert "launch-bound" in ran.reasons()
    assert "try a larger batch" in ran.verdict().sentence


def test_steps_that_differ_by_less_than_the_floor_are_not_told_apart() -> None:
    ran = measure(job(cpu(step=0.0020), gpu(step=0.0015, floor=0.0014)))
    assert ran.verdict().word == "cannot-tell"
    assert "empty step" in ran.verdict().sentence


def test_a_gpu_that_waits_for_its_batches_is_input_bound() -> None:
    ran = measure(job(cpu(), gpu(0.8, inputs={"resident": 0.4}), input="host"))
    assert ran.verdict().word == "slower"
    assert "input-bound" in ran.reasons()
    assert {aside.input for aside in ran.leg("gpu:0").asides} == {"host", "resident", "fit"}


@pytest.mark.slow
@pytest.mark.parametrize("losses", [[2.3, 1.5, 1.3], [2.3, math.nan, math.nan], [2.3, math.inf, 1.0]])
def test_wrong_arithmetic_is_found_and_no_ratio_is_claimed(losses: list[float]) -> None:
    ran = measure(job(cpu(), gpu(losses=losses)))
    assert (ran.verdict().word, ran.verdict().ratio) == ("cannot-tell", None)
    assert "wrong-numbers" in ran.reasons()
    assert exit_code(ran.result) == 3
    told_whole(ran)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [{"loss": 2.3, "error": 0.9}, {"loss": math.nan}, {"error": math.nan}, {"error": 0.2}])
def test_a_network_that_does_not_learn_has_no_figure(plan: dict[str, float]) -> None:
    ran = measure(job(cpu(), gpu(**plan)))
    failure = ran.leg("gpu:0").failure
    assert failure is not None
    assert (failure.kind, ran.leg("gpu:0").figures) == ("not-learning", None)
    assert ran.verdict().word == "cannot-tell"
    assert ran.leg("cpu").figures is not None
    assert exit_code(ran.result) == 1
    told_whole(ran)


def test_one_device_alone_is_measured_and_not_checked_against_anybody() -> None:
    ran = measure(job(cpu()))
    assert (ran.result.trials[0].verdicts, ran.leg("cpu").losses) == ((), ())
    assert len(ran.blocks("cpu")) == 6
    assert exit_code(ran.result) == 0
    told_whole(ran)


def test_the_seed_line_is_what_the_old_script_printed() -> None:
    ran = measure(job(cpu(), seed_line=True))
    (line,) = ran.result.seed_lines
    assert line.step == pytest.approx(CPU_STEP)
    assert line.printed == pytest.approx(CPU_STEP * (100 + 80 / 3) / 100)
    assert line.text == "Step 100 (epoch 0.12), 58.3 ms"
    told_whole(ran)


# What goes wrong with one device

# (command, of which network, how often it goes well before)
PHASES = {
    "open": ("open", None, 0),
    "load": ("load", None, 0),
    "build": ("build", "main", 0),
    "learn": ("learn", None, 0),
    "check": ("check", None, 0),
    "floor": ("time", "empty", 2),
    "warm": ("time", "main", 1),
    "block": ("time", "main", 3),
    "memory": ("memory", None, 1),
}
HOWS = {
    "exit": ("crash", "exit code 7"),
    "close": ("crash", "closed its pipe"),
    "SIGKILL": ("crash", "SIGKILL"),
    "SIGSEGV": ("crash", "SIGSEGV"),
    "nonsense": ("crash", "answer"),
    "memory": ("memory", "planted: memory"),
    "unheard-of": ("framework", "planted: unheard-of"),
    "hang": ("hang", "no answer within"),
}
FAST = {("open", "exit"), ("learn", "SIGSEGV"), ("block", "nonsense")}
CASES = [
    pytest.param(phase, how, id=f"{phase}-{how}", marks=[] if (phase, how) in FAST else slow)
    for phase in PHASES
    for how in HOWS
    if (phase in ("open", "block") or how in ("SIGSEGV", "memory", "nonsense")) and (phase, how) != ("memory", "memory")
]


def fault(phase: str, how: str) -> dict[str, Any]:
    do, model, after = PHASES[phase]
    return {"do": do, "model": model, "how": how, "after": after}


@pytest.mark.parametrize(("phase", "how"), CASES)
def test_a_gpu_that_fails_leaves_the_cpus_result_intact(phase: str, how: str) -> None:
    limits = PATIENT if how != "hang" else Limits(20, 1.5, 1.5, 1.5, 1.5, 0.0)
    ran = measure(job(cpu(), gpu(fault=fault(phase, how)), limits=limits))
    failure, (kind, words) = ran.leg("gpu:0").failure, HOWS[how]
    assert failure is not None
    assert (failure.kind, failure.phase) == (kind, PHASES[phase][0])
    assert words in failure.message
    if how == "exit":
        assert failure.detail == ("the last word",)
    assert ran.verdict().word == "cannot-tell"
    assert "failed" in ran.reasons()
    figures = ran.leg("cpu").figures
    assert figures is not None
    assert figures.blocks == 6
    assert figures.step.value == pytest.approx(CPU_STEP)
    assert exit_code(ran.result) == 3
    assert exit_code(ran.result, ["gpu:0"]) == (3 if ran.leg("gpu:0").blocks else 1)
    told_whole(ran)


@pytest.mark.parametrize("phase", ["open", *(pytest.param(one, marks=slow) for one in ("learn", "block"))])
def test_a_cpu_that_fails_leaves_the_gpus_result_intact(phase: str) -> None:
    ran = measure(job(cpu(fault=fault(phase, "SIGABRT")), gpu()))
    figures = ran.leg("gpu:0").figures
    assert figures is not None
    assert figures.step.value == pytest.approx(CPU_STEP / 4)
    assert ran.verdict().word == "cannot-tell"
    assert exit_code(ran.result) == 1
    told_whole(ran)


@slow
@pytest.mark.parametrize("phase", [one for one in PHASES if one != "memory"])  # that is no failure
def test_both_may_fail(phase: str) -> None:
    limits = PATIENT
    ran = measure(job(cpu(fault=fault(phase, "exit")), gpu(fault=fault(phase, "framework")), limits=limits))
    assert ran.verdict().word == "cannot-tell"
    assert exit_code(ran.result) == 1
    told_whole(ran)


def test_a_matrix_product_that_cannot_be_had_costs_only_that() -> None:
    ran = measure(job(cpu(), gpu(fault={"do": "product", "how": "memory"})))
    assert ran.leg("gpu:0").product_gflops == Gap("planted: memory")
    assert ran.verdict().word == "faster"
    told_whole(ran)


def test_memory_that_cannot_be_had_costs_only_that() -> None:
    ran = measure(job(cpu(), gpu(fault={"do": "memory", "how": "framework"})))
    assert isinstance(ran.leg("gpu:0").memory, Gap)
    assert ran.verdict().word == "faster"


def test_other_settings_that_cannot_be_had_cost_only_that() -> None:
    ran = measure(job(cpu(), gpu(fault={"do": "build", "model": "aside", "how": "unsupported"})))
    asides = ran.leg("gpu:0").asides
    assert asides
    assert {aside.step for aside in asides} == {Gap("planted: unsupported", "unsupported")}
    assert ran.leg("gpu:0").failure is None


@slow
def test_a_gpu_that_dies_after_enough_rounds_has_told_enough() -> None:
    ran = measure(job(cpu(), gpu(fault={"do": "time", "model": "main", "how": "SIGSEGV", "after": 2 + 5})))
    assert len(ran.blocks("gpu:0")) == 5
    assert ran.leg("gpu:0").failure is not None
    assert ran.verdict().word == "faster"
    assert "failed" in ran.reasons()
    told_whole(ran)


@slow
def test_a_gpu_that_dies_beside_the_figure_keeps_the_figure() -> None:
    ran = measure(job(cpu(), gpu(fault={"do": "build", "model": "aside", "how": "SIGSEGV"}), batch_sizes=(64, 256)))
    assert [ran.verdict(at).word for at in range(2)] == ["faster", "faster"]
    assert "SIGSEGV" in str(ran.leg("gpu:0").asides[0].step)
    assert (ran.leg("gpu:0").failure, ran.leg("gpu:0", 1).failure) == (None, None)
    told_whole(ran)


def test_noise_between_answers_is_not_an_answer() -> None:
    ran = measure(job(cpu(), gpu(fault={"do": "time", "model": "main", "how": "noise"})))
    assert ran.verdict().word == "faster"


@pytest.mark.slow
@pytest.mark.parametrize("plan", [{"step": 0}, {"step": -1.0}, {"step": math.nan}, {"step": math.inf}])
def test_a_time_that_cannot_be_is_no_time(plan: dict[str, float]) -> None:
    ran = measure(job(cpu(), gpu(**plan)))
    assert ran.leg("gpu:0").failure is not None
    assert ran.leg("cpu").figures is not None
    told_whole(ran)


# Refused, interrupted


def test_a_saved_result_of_another_environment_is_refused_before_measuring() -> None:
    seen = []

    def acceptable(result: Any) -> tuple[str, ...]:
        seen.append(result.trials[0].legs[1].parts)
        return ("torch 2.12 is not 2.13",)

    kept: list[Run] = []
    with pytest.raises(Unlike, match=r"2\.12") as caught:
        measure(job(cpu(), gpu(parts={"torch": "2.13"})), acceptable=acceptable, meanwhile=kept.append)
    assert caught.value.lines == ("torch 2.12 is not 2.13",)
    assert seen == [(seat_module.Part("torch", "2.13"),)]
    (run,) = kept
    assert all(seat.blocks == [] and not seat.worker.alive for seat in run.seats)
    assert not any(one.startswith("begin batch") for one in run.progress.words)  # type: ignore[attr-defined]


INTERRUPTED = {
    "begin set-up": (0, 0),
    "gpu:0: importing": (0, 0),
    "gpu:0: reading": (0, 0),
    "gpu:0: building": (0, 0),
    "gpu:0: 100 steps": (0, 0),
    "gpu:0: the same steps": (0, 0),
    "gpu:0: the loop": (0, 0),
    "gpu:0: warming": (0, 0),
    "measuring gpu:0": (1, 0),
    "round 3": (3, 3),
    "gpu:0: beside": (6, 6),
    "as the 2017 script": (6, 6),
}


@pytest.mark.parametrize(
    "where", [pytest.param(one, marks=[] if one in ("gpu:0: importing", "round 3") else slow) for one in INTERRUPTED]
)
def test_an_interruption_in_any_phase_tells_what_is_known(where: str) -> None:
    ran = measure(job(cpu(), gpu(), seed_line=True), stop_at=where)
    assert ran.result.interrupted
    assert (len(ran.blocks("cpu")), len(ran.blocks("gpu:0"))) == INTERRUPTED[where]
    if "reading" in where:
        assert ran.leg("gpu:0").parts != ()
    if INTERRUPTED[where] == (6, 6):
        assert ran.verdict().word == "faster"
    told_whole(ran)


@slow
def test_an_interruption_while_a_worker_is_silent_ends_at_once() -> None:
    """A real signal, while the parent waits for an answer."""

    def soon(run: Run) -> None:
        subprocess.Popen(["/bin/sh", "-c", f"sleep 1; kill -INT {os.getpid()}"])

    begin = time.perf_counter()
    ran = measure(job(cpu(), gpu(fault={"do": "learn", "how": "hang"})), meanwhile=soon)
    assert 0.9 < time.perf_counter() - begin < 4.0
    assert ran.result.interrupted
    assert ran.leg("cpu").learning is not None
    told_whole(ran)


# With this machine's real load


@contextmanager
def strangers(count: int) -> Iterator[None]:
    """Processes that are no children of this one, and busy."""
    spin = "import os\nwhile os.getppid() >= 0: pass"
    twice = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-S', '-c', sys.argv[1]], stdout=2).pid)"
    argv, quiet = [sys.executable, "-c", twice, spin], {"stderr": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    pids = [int(subprocess.run(argv, check=True, **quiet).stdout) for _ in range(count)]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


@slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: others' load is planted on Linux")
def test_blocks_beside_a_busy_stranger_are_left_out() -> None:
    with strangers(max(1, (os.cpu_count() or 1) // 2)):
        ran = measure(job(cpu(sleep=True), gpu(2.0, sleep=True), time=4.0), load=Load())
    assert all("foreign-cpu" in one.left_out for one in ran.blocks("cpu")), ran.blocks("cpu")
    assert (ran.verdict().word, ran.verdict().ratio) == ("cannot-tell", None)
    assert "other programs used the CPU" in ran.verdict().sentence
    assert exit_code(ran.result, ["cpu", "gpu:0"]) == 3
    told_whole(ran)


@slow
def test_a_stopped_worker_counts_as_hung() -> None:
    def stop(run: Run) -> None:
        old = run.seats[1].block

        def block(seconds: float) -> dict[str, Any]:
            os.kill(run.seats[1].worker.pid or 0, signal.SIGSTOP)
            return old(seconds)

        run.seats[1].block = block  # type: ignore[method-assign]

    ran = measure(job(cpu(), gpu(), limits=PATIENT._replace(work=1.5, patience=0.0)), meanwhile=stop)
    failure = ran.leg("gpu:0").failure
    assert failure is not None
    assert failure.kind == "hang"
    assert ran.leg("cpu").figures is not None
    told_whole(ran)


# Over the planted driver: real telemetry, real nvidia-ml-py

native = pytest.mark.native


def over(driver: FakeDriver, *, plan: Union[dict[str, Any], None] = None, **settings: str) -> Ran:
    """settings: of the planted driver (tests/native/profiles.h); plan: of the worker that poses as its GPU."""
    told = {"sleep": True, **(plan or {})}
    devices: tuple[Device, ...] = (cpu(**told), gpu(2.0, nvml=FIRST, **told))
    asked = job(*devices, environ=driver.environ(**settings), time=1.0, **({"input": "host"} if plan else {}))
    return measure(asked, sampler=OUR_OWN)


@native
@slow
def test_planted_throttling_leaves_blocks_out_and_is_named(fake_driver: FakeDriver) -> None:
    ran = over(fake_driver, FAKE_REASONS="64")
    assert all(one.clock_reasons == ("hw-thermal-slowdown",) for one in ran.blocks("gpu:0")), ran.blocks("gpu:0")
    assert all("clocks" in one.left_out for one in ran.blocks("gpu:0"))
    assert all("clocks" not in one.left_out for one in ran.blocks("cpu"))
    assert ran.verdict().word == "cannot-tell"
    assert "throttled" in ran.reasons()
    told_whole(ran)


@native
@slow
def test_another_process_on_the_gpu_leaves_blocks_out_and_is_named(fake_driver: FakeDriver) -> None:
    ran = over(fake_driver, FAKE_PID=str(os.getppid()), FAKE_REASONS="0")
    seen = {one.gpu_processes for one in ran.blocks("gpu:0")}
    assert seen == {1}
    assert "gpu-process" in ran.reasons()
    assert ran.verdict().word == "cannot-tell"
    told_whole(ran)


@native
@slow
def test_four_lanes_are_named_where_batches_cross_them(fake_driver: FakeDriver) -> None:
    ran = over(fake_driver, plan={"inputs": {}}, FAKE_PCIE_WIDTH="4", FAKE_UTILIZATION="95", FAKE_REASONS="0")
    assert "pcie" in ran.reasons()
    told_whole(ran)


@native
@slow
def test_energy_of_a_step_is_the_planted_watts_less_those_at_rest(fake_driver: FakeDriver, tmp_path: Path) -> None:
    """50 W at rest, 250 while the GPU works, so 200 W of the step's time."""
    live = tmp_path / "live"
    live.write_text("FAKE_WATTS=50\nFAKE_REASONS=0\n")

    def rise(run: Run) -> None:
        old = run._rounds

        def rounds() -> None:
            live.with_suffix(".new").write_text("FAKE_WATTS=250\nFAKE_REASONS=0\n")
            live.with_suffix(".new").rename(live)
            time.sleep(0.2)
            old()

        run._rounds = rounds  # type: ignore[method-assign]

    environ = fake_driver.environ(FAKE_LIVE=str(live))
    asked = job(gpu(1.0, nvml=FIRST, sleep=True), environ=environ, time=8.5)
    ran = measure(asked, meanwhile=rise, sampler=OUR_OWN)
    figures = ran.leg("gpu:0").figures
    assert figures is not None
    assert figures.idle_watts == pytest.approx(50.0, rel=0.1)
    assert figures.joules_per_step == pytest.approx(200.0 * CPU_STEP, rel=0.1)
    told_whole(ran)
