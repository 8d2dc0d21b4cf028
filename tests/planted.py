"""Runs of the speed test whose workers are scripted (tests/pretend/worker.py): what they tell is planted."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

import psutil

from gpucheck.bench.data import Data
from gpucheck.bench.devices import Device
from gpucheck.bench.job import Job, Limits
from gpucheck.bench.run import Run
from gpucheck.bench.watching.load import Load
from gpucheck.bench.workloads import load
from gpucheck.facts.bench import Block, Leg, Result, Settings, Verdict
from gpucheck.facts.gap import Gap

SCRIPT = str(Path(__file__).parent / "pretend" / "worker.py")
CPU_STEP = 0.046
OUR_OWN: tuple[str, ...] = ()  # the real sampler


class ScriptedJob(Job):
    """A job whose workers are the script."""

    def command(self) -> list[str]:
        return [sys.executable, "-S", "-I", SCRIPT]


class Quiet(Load):
    """A machine on which nobody else does anything."""

    def begin(self, pids: Iterable[int]) -> None:
        pass

    def end(self, pids: Iterable[int]) -> Union[float, Gap]:
        return 0.01


class Told(NamedTuple):
    """What progress was told, in order."""

    words: list[str]
    stop_at: Union[str, None] = None

    def _hear(self, text: str) -> None:
        self.words.append(text)
        if self.stop_at is not None and self.stop_at in text:
            raise KeyboardInterrupt

    def begin(self, what: str) -> None:
        self._hear(f"begin {what}")

    def phase(self, text: str) -> None:
        self._hear(text)

    def round(self, n: int, of: Union[int, None], eta_seconds: Union[float, None], so_far: str) -> None:
        self._hear(f"round {n}")

    def note(self, text: str) -> None:
        self.words.append(text)


def device(name: str, nvml: Union[str, None] = None, **plan: Any) -> Device:
    return Device(name, name.upper(), (("PLAN", json.dumps(plan)),), nvml)


def cpu(**plan: Any) -> Device:
    return device("cpu", **{"step": CPU_STEP, **plan})


def gpu(speedup: float = 4.0, *, number: int = 0, nvml: Union[str, None] = None, **plan: Any) -> Device:
    return device(f"gpu:{number}", nvml, **{"step": CPU_STEP / speedup, "seed": 2 + number, **plan})


def job(*devices: Device, batch_sizes: tuple[int, ...] = (64,), limits: Union[Limits, None] = None, **more: Any) -> Job:
    """more: settings, seed_line, environ."""
    settings = Settings(
        "mnist-cnn", "0" * 64, "torch", "float32", False, False, "resident", "momentum", "sample", 1, 0.4
    )
    changed = {name: more.pop(name) for name in list(more) if name in Settings._fields}
    images = Data("synthetic", None, None, "synthetic")
    chosen = settings._replace(**changed)
    environ = more.pop("environ", {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ})
    return ScriptedJob(
        *(sys.executable, environ, devices, load("mnist-cnn"), "momentum", batch_sizes, images, chosen),
        limits=limits or Limits(20, 20, 20, 20, 20),
        **more,
    )


class Ran(NamedTuple):
    """A run that is over."""

    result: Result
    told: list[str]
    left: list[psutil.Process]  # its processes that are still there

    def leg(self, name: str, at: int = 0) -> Leg:
        return next(leg for leg in self.result.trials[at].legs if leg.device == name)

    def verdict(self, at: int = 0, of: int = 0) -> Verdict:
        return self.result.trials[at].verdicts[of]

    def reasons(self, at: int = 0) -> set[str]:
        return {one.name for one in self.verdict(at).reasons}

    def blocks(self, name: str) -> tuple[Block, ...]:
        return self.leg(name).blocks


def measure(
    asked: Job,
    *,
    stop_at: Union[str, None] = None,
    acceptable: Callable[[Result], tuple[str, ...]] = lambda result: (),
    load: Union[Load, None] = None,
    sampler: Sequence[str] = ("/bin/cat",),
    meanwhile: Callable[[Run], None] = lambda run: None,
    canary: Callable[[], float] = lambda: 0.004,
) -> Ran:
    """Do a run to its end. Nothing of this machine is watched unless a load (Load) or a sampler (OUR_OWN) is given."""
    told = Told([], stop_at)
    run = Run(asked, (), told, load=load or Quiet(), fixed_work=canary, sampler=list(sampler))
    try:
        meanwhile(run)
        run.measure(acceptable)
    finally:
        pids = [seat.worker.pid for seat in run.seats if seat.worker.pid]
        left = [psutil.Process(pid) for pid in pids if _alive(pid)]
    return Ran(run.result(None, None, Gap("not asked", "not-collected")), told.words, left)


def _alive(pid: int) -> bool:
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.01)
    return True
