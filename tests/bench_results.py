"""Results of `gpucheck bench` as they would come out of a machine with planted truths: no machine, no clock, seeded."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Union

from gpucheck.bench.judging.verdict import figures, verdict
from gpucheck.facts.bench import (
    SCHEMA,
    Aside,
    Block,
    Doctor,
    Failure,
    Learning,
    Leg,
    Part,
    Phase,
    Result,
    Sample,
    SeedLine,
    Settings,
    Trial,
    Work,
)
from gpucheck.facts.gap import Gap

H100 = "NVIDIA H100 80GB HBM3"
BLOCK = 2.0  # seconds of a timed block
_CANARY = 0.050


def settings(**changes: object) -> Settings:
    """mnist-cnn on TensorFlow, float32, as it runs unless told otherwise."""
    return Settings(
        workload="mnist-cnn",
        workload_hash="5f0c" * 16,
        backend="tensorflow",
        precision="float32",
        jit=False,
        tf32=False,
        input="resident",
        optimizer="momentum",
        data="sample",
        seed=66478,
        time=30.0,
    )._replace(**changes)


def work(batch_size: int = 64) -> Work:
    """About what mnist-cnn takes."""
    return Work(1_663_370, 72.9e6 * batch_size, 40e6 + 0.35e6 * batch_size, 60e6 + 2.6e6 * batch_size)


def blocks(
    step: float,
    noise: float,
    rounds: int,
    *,
    source: random.Random,
    gpu: bool = False,
    begin: float = 20.0,
    left_out: Union[Mapping[int, tuple[str, ...]], None] = None,
    watts: float = 210.0,
    shared: Union[tuple[float, ...], None] = None,
) -> tuple[Block, ...]:
    """Blocks whose mean is `step` with relative normal noise; `shared`: factors on whole rounds (a busy machine)."""
    made = []
    steps = max(2, round(BLOCK / step) + 1)
    for number in range(rounds):
        reasons = (left_out or {}).get(number, ())
        factor = (shared[number] if shared else 1.0) * (1.4 if reasons else 1.0)
        mean = step * factor * max(0.05, source.gauss(1.0, noise))
        start = begin + number * (2 * BLOCK + 1.0) + (BLOCK + 0.4 if gpu else 0.2)
        made.append(
            Block(
                round=number,
                steps=steps,
                seconds=mean * steps,
                singles=tuple(mean * max(0.05, source.gauss(1.03, noise + 0.02)) for _ in range(10)),
                begin=start,
                end=start + mean * steps,
                foreign_cpu=0.35 if "foreign-cpu" in reasons else 0.02,
                canary=_CANARY * (1.2 if "canary" in reasons else max(0.97, min(1.03, source.gauss(1.0, 0.005)))),
                clock_reasons=(("hw-thermal-slowdown",) if "clocks" in reasons else ()) if gpu else None,
                gpu_processes=(1 if "gpu-process" in reasons else 0) if gpu else None,
                energy=watts * mean * steps if gpu else None,
                left_out=tuple(reasons),
            )
        )
    return tuple(made)


def losses(source: random.Random, *, off: float = 0.0, steps: int = 20) -> tuple[float, ...]:
    """Falling losses; `off`: the relative difference that has grown by the last step."""
    falling = [0.3 + 2.3 * 0.86**step for step in range(steps)]
    return tuple(
        loss * (1 + off * (step + 1) / steps + source.uniform(-1e-6, 1e-6)) for step, loss in enumerate(falling)
    )


def leg(device: str, step: float, batch_size: int, *, source: random.Random, **changes: object) -> Leg:
    """A device that works; its figures are left to `finished`."""
    gpu = device != "cpu"
    parts = (Part("tensorflow", "2.21.0"), Part("keras", "3.15.1"), Part("numpy", "2.3.1"))
    own = (Part("compute capability", "9.0"), Part("cuDNN", "9.3.0")) if gpu else (Part("threads", "16"),)
    return Leg(
        device=device,
        name=H100 if gpu else "AMD EPYC 9334 32-Core Processor",
        parts=(*parts, *own),
        phases=(
            Phase("import", 3.4),
            Phase("data", 0.1),
            Phase("build", 0.6),
            Phase("first-step", 4.2 if gpu else 0.9),
        ),
        failure=None,
        learning=Learning(100, 0.17, 0.084),
        losses=losses(source, off=2e-4 if gpu else 0.0),
        floor=0.12e-3 if gpu else 0.30e-3,
        product_gflops=48_000.0 if gpu else 1_150.0,
        memory=1_450 << 20 if gpu else 763 << 20,
        warmup=tuple(step * factor for factor in (1.9, 1.2, 1.02, 1.0)),
        blocks=(),
        asides=(
            Aside(True, False, "resident", step * (0.82 if gpu else 1.4)),
            *((Aside(False, True, "resident", step * 0.93),) if gpu else ()),
            Aside(False, False, "host", step + 0.1e-3),
        ),
        figures=None,
    )._replace(**changes)


def failed(device: str, kind: str = "memory", message: str = "out of memory", phase: str = "first-step") -> Leg:
    """A device without a figure."""
    source = random.Random(0)
    failure = Failure(kind, message, phase, ("2026-11-23: E tensorflow: failed to allocate 2.00GiB",))
    empty: dict[str, object] = {"learning": None, "losses": (), "warmup": (), "asides": (), "memory": None}
    gaps = {"floor": Gap("it had failed before", "crashed"), "product_gflops": Gap("it had failed before", "crashed")}
    return leg(device, 1e-3, 64, source=source, failure=failure, **empty, **gaps)


def samples(until: float, devices: tuple[str, ...], source: random.Random) -> tuple[Sample, ...]:
    """Telemetry every half second."""
    made = []
    for tick in range(int(until * 2)):
        for device in devices:
            load = max(0.0, min(1.0, source.gauss(0.9 if tick > 30 else 0.3, 0.05)))
            if device == "cpu":
                made.append(Sample(tick / 2, "cpu", load, 9 << 30, clock=source.gauss(3400.0, 30.0)))
            else:
                made.append(
                    Sample(
                        time=tick / 2,
                        device=device,
                        utilization=load,
                        memory=1_450 << 20,
                        power=70 + 150 * load,
                        temperature=35 + min(25.0, tick / 4) + source.uniform(-1, 1),
                        clock=1980.0 if load > 0.5 else 345.0,
                        memory_clock=2619.0,
                        processes=0,
                        pcie_generation=5,
                        pcie_width=16,
                    )
                )
    return tuple(made)


def result(
    speedup: Union[float, tuple[float, ...]] = 9.2,
    noise: float = 0.01,
    rounds: int = 8,
    batch_sizes: tuple[int, ...] = (64,),
    gpu: Union[str, None] = H100,
    *,
    cpu_step: float = 3.8e-3,
    left_out: Union[Mapping[int, tuple[str, ...]], None] = None,
    off: float = 2e-4,
    gpu_leg: Union[Leg, None] = None,
    seed: int = 1,
    interrupted: bool = False,
    **changes: object,
) -> Result:
    """A whole run with a planted speed-up.

    Parameters
    ----------
    speedup: CPU's step over GPU's, one for each batch size (one alone grows with the square root of the batch size).
    noise: relative standard deviation of a block's mean step.
    gpu: its name; None: there is none here.
    cpu_step: seconds at batch size 64; it grows in proportion.
    left_out: reasons by round, for the GPU's blocks.
    off: relative difference of the losses at the last step.
    gpu_leg: in place of one that works.
    changes: fields of Settings by name, the others of Result.
    """
    wanted = repr(sorted(locals().items()))  # the same always comes of the same, and its intervals take a while
    if wanted in _MADE:
        return _MADE[wanted]
    source = random.Random(seed)
    chosen = settings(**{name: changes.pop(name) for name in Settings._fields if name in changes})
    trials, begin = [], 20.0
    for number, batch_size in enumerate(batch_sizes):
        step = cpu_step * batch_size / 64
        factor = speedup[number] if isinstance(speedup, tuple) else speedup * (batch_size / batch_sizes[0]) ** 0.5
        legs = [
            leg("cpu", step, batch_size, source=source, blocks=blocks(step, noise, rounds, source=source, begin=begin))
        ]
        if gpu is not None:
            there = blocks(step / factor, noise, rounds, source=source, gpu=True, begin=begin, left_out=left_out)
            mine = leg("gpu:0", step / factor, batch_size, source=source, name=gpu, losses=losses(source, off=off))
            legs.append(gpu_leg or mine._replace(blocks=there))
        trials.append(Trial(batch_size, work(batch_size), tuple(legs), ()))
        begin += rounds * (2 * BLOCK + 1.0) + 5.0
    canaries = tuple(block.canary for trial in trials for one in trial.legs for block in one.blocks)
    devices = ("cpu",) if gpu is None else ("cpu", "gpu:0")
    raw = Result(
        schema=SCHEMA,
        version="0.3.0",
        taken="2026-11-23T11:30:00Z",
        arguments=("bench",),
        settings=chosen,
        environment=(
            Part("system", "Ubuntu 24.04.1 LTS"),
            Part("CPU", "AMD EPYC 9334 32-Core Processor"),
            Part("CPUs usable", "16"),
            Part("Python", "3.12.4"),
            *((Part("driver version", "580.126.09"),) if gpu else ()),
        ),
        doctor=Doctor("ok", "TensorFlow should see this GPU.", ()) if gpu else Doctor("warning", "No GPU is here.", ()),
        trials=tuple(trials),
        samples=samples(begin, devices, source),
        canaries=tuple(one for one in canaries if not isinstance(one, Gap)),
        seed_lines=(SeedLine("cpu", "Step 100 (epoch 0.12), 4.6 ms", 4.6e-3, 3.8e-3, 0.078),),
        comparison=None,
        no_gpu="no NVIDIA GPU was found" if gpu is None else None,
        interrupted=interrupted,
        seconds=begin,
        exit_code=0,
        facts=Gap("not collected in this test", "not-collected"),
    )
    _MADE[wanted] = finished(raw._replace(**changes))
    return _MADE[wanted]


_MADE: dict[str, Result] = {}


def finished(raw: Result, idle_watts: float = 70.0) -> Result:
    """With figures and verdicts, as run.py gives them. The marks of blocks stay as they were planted."""
    trials = []
    for trial in raw.trials:
        legs = tuple(
            one._replace(
                figures=figures(one, trial.batch_size, trial.work, None if one.device == "cpu" else idle_watts)
            )
            for one in trial.legs
        )
        verdicts = tuple(
            verdict(legs[0], one, samples=raw.samples, settings=raw.settings, doctor=raw.doctor) for one in legs[1:]
        )
        trials.append(trial._replace(legs=legs, verdicts=verdicts))
    return raw._replace(trials=tuple(trials))
