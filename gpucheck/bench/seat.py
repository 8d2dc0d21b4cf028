"""One device in the making: its worker, and what became known of it so far. Here the worker is told what to do.

A seat that failed keeps what it has; nothing more is asked of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Union

from gpucheck.bench.devices import Device
from gpucheck.bench.job import Job
from gpucheck.bench.judging.statistics import median
from gpucheck.bench.process import Worker, WorkerFailed
from gpucheck.bench.workloads import load
from gpucheck.facts.bench import Aside, Block, Failure, Learning, Leg, Part, Phase
from gpucheck.facts.gap import Gap

LEARNED_LOSS, LEARNED_ERROR = 0.6, 0.15
CHECKED_STEPS = 20
_WINDOW_STEPS, _WINDOW_SECONDS = 5, 0.2
_WINDOWS, _WARM_SECONDS, _WARM = 30, 10.0, 0.05
_LEAST_STEPS, _MOST_SINGLES = 3, 200
_ASIDE_SECONDS = 180.0  # to compile what is only timed beside the figure
_ENDLESS = 1e18
_NOT_YET = Gap("not measured", "not-collected")


class Seat:
    """One device of a run. `leg` is its result at the batch size at hand."""

    def __init__(self, job: Job, device: Device, hear: Callable[[str], None]) -> None:
        self.job, self.device, self.limits = job, device, job.limits
        self._hear, self._again = hear, False
        self.worker = Worker(job.command(), job.environ_of(device), hear)
        self.failure: Union[Failure, None] = None
        self._failed_at = 0
        self.title = device.title
        self.parts: tuple[Part, ...] = ()
        self.once: list[Phase] = []  # phases of the process, not of a batch size
        self.learning: Union[Learning, None] = None
        self.losses: tuple[float, ...] = ()
        self.product: Union[float, Gap] = _NOT_YET
        self.sha256: dict[str, str] = {}
        self.begin_trial(0)

    def begin_trial(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.phases: list[Phase] = []
        self.floor: Union[float, Gap] = _NOT_YET
        self.memory: Union[int, None, Gap] = _NOT_YET
        self.warmup: tuple[float, ...] = ()
        self.blocks: list[Block] = []
        self.asides: list[Aside] = []
        self.step = math.nan  # seconds, as last seen

    @property
    def running(self) -> bool:
        return self.failure is None

    @property
    def tries_again(self) -> bool:
        """At another batch size, after a failure that need not come back; too large a batch spares those above it."""
        if self.failure is None or self.failure.kind not in ("memory", "crash", "hang", "framework"):
            return False
        if not self._failed_at:  # before any batch size: that comes back
            return False
        if self.failure.kind == "memory" and self.batch_size > self._failed_at:
            message = f"not tried: it ran out of memory at batch {self._failed_at}"
            self.failure = Failure("memory", message, self.failure.phase)
            return False
        return True

    @property
    def starts_anew(self) -> bool:
        return self.running and not self.worker.alive

    def renew(self) -> None:
        """A new worker in place of one that died. Its set-up is not told again."""
        self.worker.kill()
        self.worker = Worker(self.job.command(), self.job.environ_of(self.device), self._hear)
        self.failure, self._again = None, True

    def attempt(self, work: Callable[[], None]) -> None:
        """Do a piece of work. What fails there ends this seat, and no other."""
        if not self.running:
            return
        try:
            work()
        except WorkerFailed as failed:
            self.failure, self._failed_at = failed.failure, self.batch_size
            self.worker.kill()
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # numbers that are none; a key that lacks
            message = f"its answer cannot be understood: {type(error).__name__}: {error}"
            self.failure = Failure("crash", message, self.worker.doing)
            self.worker.kill()

    def leg(self) -> Leg:
        """What is known, without figures."""
        return Leg(
            self.device.name,
            self.title,
            self.parts,
            (*self.once, *self.phases),
            self.failure,
            self.learning,
            self.losses,
            self.floor,
            self.product,
            self.memory,
            self.warmup,
            tuple(self.blocks),
            tuple(self.asides),
            None,
        )

    # The steps of a run, in their order

    def open(self) -> None:
        """Start the worker, import the framework, find the device."""
        self.worker.start()
        self.worker.ask("start", self.limits.start)
        told = self.worker.ask(
            "open",
            self.limits.open,
            backend=self.job.settings.backend,
            device=self.device.kind,
            tf32=self.job.settings.tf32,
            simulate=self.device.simulate,
        )
        if not self._again:
            self.once.append(Phase("import", float(told["seconds"])))
        self.title = str(told.get("name") or self.title)
        self.parts = tuple(Part(str(name), str(value)) for name, value in told["parts"].items())

    def load(self) -> None:
        told = self.worker.ask("load", self.limits.load, data=self.job.data._asdict(), seed=self.job.settings.seed)
        if not self._again:
            self.once.append(Phase("data", float(told["seconds"])))
        self.sha256 = {str(name): str(value) for name, value in told["sha256"].items()}

    def build(self, batch_size: int) -> None:
        """The network that is timed, and its first step, which compiles it."""
        told = self._build("main", batch_size)
        names = {"build": "seconds", "compile": "compile", "first-step": "first"}
        self.phases += [Phase(name, float(told[key])) for name, key in names.items() if key in told]

    def learn(self) -> None:
        """Train from the start and see that it learns. The figure of a network that does not is worth nothing."""
        steps, usual = self.job.workload.learning_steps, self.job.workload.batch_size
        model = "main" if self.batch_size == usual else "learn"
        if model == "learn":
            self._build(model, usual)
        told = self.worker.ask("learn", self.limits.build, model=model, steps=steps)
        last, error = [float(one) for one in told["losses"]][-5:], float(told["error"])
        loss = sum(last) / len(last)
        self.learning = Learning(steps, loss, error) if math.isfinite(loss + error) else None
        if not (loss < LEARNED_LOSS and error < LEARNED_ERROR):  # NaN fails, too
            message = (
                f"it does not learn: after {steps} steps the loss is {loss:.2f} (below {LEARNED_LOSS} "
                f"is expected) and {error:.1%} of the test images are wrong (below {LEARNED_ERROR:.0%} is expected)"
            )
            raise WorkerFailed(Failure("not-learning", message, "learn"))

    def check(self) -> None:
        """Losses with dropout off, to be compared with the other devices'."""
        fit = self.job.settings.input == "fit"
        model = "check" if fit else "main" if self.batch_size == self.job.workload.batch_size else "learn"
        if fit:
            self._build(model, self.job.workload.batch_size, input="resident")
        told = self.worker.ask("check", self.limits.build, model=model, steps=CHECKED_STEPS)
        # NaN and infinity agree with nothing, and JSON has no word for them.
        self.losses = tuple(float(one) if math.isfinite(one) else _ENDLESS for one in told["losses"])

    def forget_learned(self) -> None:
        for model in ("learn", "check"):
            self.worker.ask("drop", self.limits.work, model=model)

    def measure_product(self) -> None:
        """What this device reaches on a large matrix product. Its failure costs only that."""
        try:
            told = self.worker.ask("product", self.limits.work, precision=self.job.settings.precision)
            self.product = float(told["gflops"])
        except WorkerFailed as failed:
            if not self.worker.alive:
                raise
            self.product = Gap(failed.failure.message)

    def _build(
        self, model: str, batch_size: int, limit: Union[float, None] = None, layers: Any = None, **changed: Any
    ) -> dict[str, Any]:
        settings = self.job.settings
        asked = {
            "precision": settings.precision,
            "jit": settings.jit,
            "input": settings.input,
            "tf32": settings.tf32,
            "recipe": self.job.recipe(),
            **changed,
        }
        layers = self.job.workload.layers if layers is None else layers
        seconds = self.limits.build if limit is None else limit
        return self.worker.ask("build", seconds, model=model, layers=layers, batch_size=batch_size, **asked)

    def measure_floor(self) -> None:
        """The same loop on an empty model."""
        empty = load("empty")
        self._build("empty", self.batch_size, layers=empty.layers, recipe=empty.recipe(empty.optimizer))
        means = []
        steps = 20
        for _ in range(5):
            told = self._time("empty", steps)
            means.append(told["seconds"] / told["steps"])
            steps = max(20, min(2000, math.ceil(0.05 / max(means[-1], 1e-6))))
        self.floor = median(means[1:])
        self.worker.ask("drop", self.limits.work, model="empty")

    def warm(self) -> None:
        """Run windows of steps until two in a row agree."""
        windows: list[float] = []
        steps, spent = _WINDOW_STEPS, 0.0
        while len(windows) < _WINDOWS and spent < _WARM_SECONDS:
            told = self._time("main", steps)
            seconds = float(told["seconds"])
            windows.append(seconds / told["steps"])
            spent += seconds
            if seconds < _WINDOW_SECONDS:  # too short to compare with; it was a step on the way
                steps = math.ceil(1.2 * _WINDOW_SECONDS / windows[-1])
            elif len(windows) > 1 and abs(windows[-1] / windows[-2] - 1) < _WARM:
                break
        self.warmup = tuple(windows)
        self.step = windows[-1]

    def _time(self, model: str, steps: int, singles: int = 0, lead: float = 0.0) -> dict[str, Any]:
        known = self.step if model == "main" and self.step > 0 else 0.0
        limit = self.limits.work + self.limits.patience * known * (steps + singles)
        told = self.worker.ask("time", limit, model=model, steps=steps, singles=singles, lead=lead)
        if not (told["steps"] > 0 and 0 < told["seconds"] < math.inf):
            raise WorkerFailed(Failure("framework", f"{told['steps']} steps in {told['seconds']} s", "time"))
        return told

    def block(self, seconds: float) -> dict[str, Any]:
        """About so many seconds of steps, and some single ones. A GPU's clocks rise in the 0.3 s before."""
        steps = max(_LEAST_STEPS, math.ceil(seconds / self.step))
        singles = max(1, min(_MOST_SINGLES, math.ceil(0.2 * seconds / self.step)))
        told = self._time("main", steps, singles, lead=0.3 if self.device.kind == "gpu" else 0.0)
        self.step = told["seconds"] / told["steps"]
        return told

    def aside(self, seconds: float, **changed: Any) -> None:
        """The same step with other settings, for a moment. What cannot be had is a gap with its reason."""
        asked = self._aside_settings(**changed)
        step: Union[float, Gap]
        try:
            self._build("aside", self.batch_size, min(_ASIDE_SECONDS, self.limits.build), **asked)
            self._time("aside", 3)
            # A call of fit costs a tenth of a second whatever it does: one long call, not three short ones.
            parts = 1 if asked["input"] == "fit" else 3
            steps = max(_LEAST_STEPS, math.ceil(seconds / parts / self.step))
            means = [one["seconds"] / one["steps"] for one in (self._time("aside", steps) for _ in range(parts))]
            step = median(means)
            self.worker.ask("drop", self.limits.work, model="aside")
        except WorkerFailed as failed:
            if not self.worker.alive:
                raise
            step = Gap(failed.failure.message, "unsupported")
        self.note_aside(step, **changed)

    def note_aside(self, step: Union[float, Gap], **changed: Any) -> None:
        asked = self._aside_settings(**changed)
        self.asides.append(Aside(asked["jit"], asked["tf32"], asked["input"], step))

    def _aside_settings(self, **changed: Any) -> dict[str, Any]:
        settings = self.job.settings
        return {"jit": settings.jit, "tf32": settings.tf32, "input": settings.input, **changed}

    def note_memory(self) -> None:
        """The GPU's as its framework tells; the CPU's is the most that the process held in RAM."""
        try:
            told = self.worker.ask("memory", self.limits.work)["bytes"]
            self.memory = Gap("the framework does not tell", "unsupported") if told is None else int(told)
        except WorkerFailed as failed:  # an allocator without statistics
            if not self.worker.alive:
                raise
            self.memory = Gap(failed.failure.message, "unsupported")

    def seed_times(self) -> tuple[float, float]:
        """Seconds of 100 fed steps, and of the 79 validation batches and the one more that the old script made."""
        self._build("seed", 64, input="host")
        self._time("seed", 5)
        steps = self._time("seed", 100)["seconds"]
        forward = self.worker.ask("validation", self.limits.work, model="seed", batches=80)["seconds"]
        self.worker.ask("drop", self.limits.work, model="seed")
        return float(steps), float(forward)
