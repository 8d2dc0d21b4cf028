"""Steps of one network timed beside each other: a process each, visited in random order, round after round.

Standard library and gpucheck alone; what computes runs in the examined Pythons (gpucheck's own worker, steps/).
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Union

import psutil

from gpucheck.bench.data import choose
from gpucheck.bench.job import SEED, WORKER
from gpucheck.bench.judging.statistics import median, median_interval, paired_ratio
from gpucheck.bench.process import Worker, WorkerFailed
from gpucheck.bench.watching.cpus import busy, usable_cpus
from gpucheck.bench.workloads import load
from gpucheck.facts.bench import Interval

SERVE = str(Path(__file__).resolve().parent / "steps" / "serve.py")
BUSY = 0.10  # others' share of the CPUs from which a visit does not count
CHECKED = 20  # steps whose losses are compared
LEAST_ROUNDS = 4
GPUCHECK = "gpucheck bench"
_LIMIT = 600.0
_LOOK = 0.4  # seconds in which 10 % of two CPUs is eight ticks
_SAMPLE = choose("sample")


class Environment(NamedTuple):
    """An examined Python and what it trains with."""

    python: str
    backend: str
    title: str
    device: str  # cpu or gpu

    def environ(self) -> dict[str, str]:
        """The same for every variant."""
        found = dict(os.environ, KERAS_BACKEND=self.backend, TF_CPP_MIN_LOG_LEVEL="2")
        if self.device == "cpu":
            return dict(found, CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu")
        return dict(found, TF_FORCE_GPU_ALLOW_GROWTH="true", XLA_PYTHON_CLIENT_PREALLOCATE="false")


_ASK = """
import sys
from importlib.metadata import PackageNotFoundError, version
names = ("tensorflow", "tensorflow-cpu", "jax", "torch", "keras")
found = {}
for name in names:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
backend = next((one.split("-")[0] for one in names[:4] if one in found), "")
print(backend)
print(", ".join(name + " " + text for name, text in found.items()) + ", Python " + sys.version.split()[0])
"""


def examine(python: str, device: str) -> Environment:
    """What there is to train with: TensorFlow, else JAX, else PyTorch. Raises ValueError where there is none."""
    asked = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=60)
    lines = asked.stdout.splitlines()
    if asked.returncode or len(lines) != 2 or not lines[0]:
        raise ValueError(f"{python} has no TensorFlow, JAX or PyTorch {asked.stderr.strip()[-200:]}")
    return Environment(python, lines[0], lines[1], device)


class Visit(NamedTuple):
    """One block. step: seconds; foreign: share of the CPUs that others used meanwhile."""

    round: int
    step: float
    foreign: float

    @property
    def clean(self) -> bool:
        return self.foreign <= BUSY


class Variant:
    """One way to take the step, alive in its process. Raises WorkerFailed where it cannot be had."""

    def __init__(self, environment: Environment, name: str) -> None:
        self.environment, self.name = environment, name
        self.visits: list[Visit] = []
        self.parameters, self.losses = 0, [math.nan]
        own = [environment.python, WORKER if name == GPUCHECK else SERVE]
        self.worker = Worker(own, environment.environ())
        self._named: dict[str, Any] = {"model": "main"} if name == GPUCHECK else {}

    def open(self, module: str) -> Variant:
        """Import, build, the first step; and the first losses without dropout."""
        try:
            self.worker.start()
            told = self._gpucheck() if self.name == GPUCHECK else self._served(module)
            self.parameters = int(told["parameters"])
            self.step = median([self._time(3)[0] for _ in range(3)])
        except WorkerFailed:
            self.worker.kill()
            raise
        return self

    def _gpucheck(self) -> dict[str, Any]:
        """As bench/seat.py asks: defaults of every option."""
        at, workload, ask = self.environment, load("mnist-cnn"), self.worker.ask
        ask("open", _LIMIT, backend=at.backend, device=at.device, tf32=False)
        ask("load", _LIMIT, data=_SAMPLE._asdict(), seed=SEED)
        settings = {"precision": "float32", "jit": at.backend == "jax", "input": "resident"}
        recipe = workload.recipe(workload.optimizer)
        network = {"model": "main", "layers": workload.layers, "recipe": recipe, "batch_size": workload.batch_size}
        told = ask("build", _LIMIT, **network, **settings)
        self.losses = ask("check", _LIMIT, model="main", steps=CHECKED)["losses"]
        return told

    def _served(self, module: str) -> dict[str, Any]:
        ask = self.worker.ask
        ask("open", _LIMIT, module=module, variant=self.name, sample=_SAMPLE.path, device=self.environment.device)
        self.losses = ask("check", _LIMIT, steps=CHECKED)["losses"]
        return ask("build", _LIMIT)

    def _time(self, steps: int) -> tuple[float, float]:
        told = self.worker.ask("time", _LIMIT, steps=steps, **self._named)
        return told["seconds"] / told["steps"], told["seconds"]

    def visit(self, number: int, seconds: float) -> None:
        """A block of about so many seconds with one wait at its end, and who else was at work."""
        before, began = _look(self.worker.pid), time.perf_counter()
        # A call of fit is told from its fixed cost by subtraction, which a short block would drown in noise.
        least = 40 if self.name == "Keras fit" else 3
        self.step, _ = self._time(max(least, math.ceil(seconds / max(self.step, 1e-6))))
        self.visits.append(Visit(number, self.step, _foreign(before, _look(self.worker.pid), began)))


def _look(pid: Union[int, None]) -> tuple[float, float]:
    """CPU seconds of all; of this process and the visited one. The idle ones count as others: they must be idle."""
    own = [psutil.Process().cpu_times(), *([psutil.Process(pid).cpu_times()] if pid else [])]
    return busy(usable_cpus()).busy, sum(one.user + one.system for one in own)


def _foreign(before: tuple[float, float], after: tuple[float, float], began: float) -> float:
    there = (time.perf_counter() - began) * len(usable_cpus())
    return max(0.0, (after[0] - before[0] - after[1] + before[1]) / there)


def wait_for_quiet(patience: float) -> None:
    """Until others use less than 10 % of the CPUs, at most so many seconds."""
    end = time.monotonic() + patience
    while True:
        before, began = _look(None), time.perf_counter()
        time.sleep(_LOOK)
        if _foreign(before, _look(None), began) < BUSY or time.monotonic() > end:
            return


class Plan(NamedTuple):
    """How long and how often. patience: seconds to wait for a quiet machine before each visit."""

    rounds: int
    screening: int
    seconds: float
    patience: float
    source: random.Random


def run_rounds(variants: list[Variant], rounds: int, plan: Plan, say: Callable[[str], None]) -> list[Variant]:
    """Visit all of them so many times. Gives those that are still alive."""
    for number in range(rounds):
        for variant in plan.source.sample(variants, len(variants)):
            wait_for_quiet(plan.patience)
            try:
                variant.visit(number, plan.seconds)
            except WorkerFailed as failed:
                say(f"{variant.environment.title}: {variant.name}: {failed.failure.message}")
                variants = [one for one in variants if one is not variant]
        kept = sum(one.visits[-1].clean for one in variants)
        say(f"round {number + 1} of {rounds}: {kept} of {len(variants)} visits on a quiet machine")
    return variants


class Screened(NamedTuple):
    """The loops written by hand: which was the fastest, in rounds of their own, and what each took."""

    best: str
    plain: str
    others: tuple[str, ...]
    medians: dict[str, float]


def screen(environment: Environment, plan: Plan, say: Callable[[str], None]) -> Screened:
    """Choose the best loop in rounds that are not counted again: the least of many noisy figures is too small.

    Raises
    ------
    WorkerFailed: what it trains with cannot be imported. ValueError: none of the loops runs.
    """
    module = "on_" + environment.backend
    asking = Worker([environment.python, SERVE], environment.environ())
    try:
        asking.start()
        names = asking.ask("names", _LIMIT, module=module)
    finally:
        asking.kill()
    variants = opened(environment, dict.fromkeys(names["hand"], module), say)
    try:
        alive = run_rounds(variants, plan.screening, plan, say)
        medians = {one.name: median(_counted(one)) for one in alive}
    finally:
        close(variants)
    if not medians:
        raise ValueError("no loop written by hand runs there")
    best = min(medians, key=medians.__getitem__)
    return Screened(best, names["hand"][0], tuple(names["others"]), medians)


def opened(environment: Environment, modules: dict[str, str], say: Callable[[str], None]) -> list[Variant]:
    """Name of a variant to its module. One that cannot be had is named and left out."""
    found = []
    for name, module in modules.items():
        try:
            found.append(Variant(environment, name).open(module))
            say(f"{environment.title}: {name}: {found[-1].step * 1e3:.1f} ms")
        except WorkerFailed as failed:
            say(f"{environment.title}: left out: {name}: {failed.failure.message}")
    return found


def close(variants: list[Variant]) -> None:
    for one in variants:
        one.worker.kill()


def _counted(variant: Variant) -> list[float]:
    """Of a quiet machine; of a busy one where it never was quiet enough (the table says so)."""
    clean = [one.step for one in variant.visits if one.clean]
    return clean if len(clean) >= LEAST_ROUNDS else [one.step for one in variant.visits]


def figure(variant: Variant) -> Interval:
    return median_interval(_counted(variant))


def ratio(variant: Variant, base: Variant) -> tuple[Union[Interval, None], int]:
    """variant / base, paired by rounds in which the machine was quiet for both; and how many those were."""
    ours = {one.round: one.step for one in variant.visits if one.clean}
    pairs = [(ours[one.round], one.step) for one in base.visits if one.clean and one.round in ours]
    return (paired_ratio(pairs) if len(pairs) >= LEAST_ROUNDS else None), len(pairs)


def apart(variant: Variant, base: Variant) -> float:
    """The most that losses differ, as a share."""
    return max(abs(a / b - 1) for a, b in zip(variant.losses, base.losses, strict=True))


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
