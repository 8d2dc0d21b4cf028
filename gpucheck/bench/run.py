"""Conducts a run: set up each device in its worker, then rounds of canary and blocks, then what they say.

Nothing here computes on a device, and no framework is imported. Whatever goes wrong with one device, or with the user's
patience (Ctrl-C), what is known by then becomes the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from typing import Protocol, Union

from gpucheck.bench.job import Job
from gpucheck.bench.judging import conclusion, gates, verdict
from gpucheck.bench.judging.statistics import paired_ratio
from gpucheck.bench.seat import Seat
from gpucheck.bench.watching.load import Load, canary, least_seconds
from gpucheck.bench.watching.records import Reading, energy_within
from gpucheck.bench.watching.telemetry import Telemetry
from gpucheck.bench.work import work
from gpucheck.facts.bench import SCHEMA, Block, Comparison, Doctor, Leg, Part, Result, SeedLine, Trial
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot

IDLE_SECONDS = 2.2  # the energy counter needs 2 s
ENERGY_BLOCK = 2.1
LONGEST_BLOCK, SHORTEST_BLOCK = 1.0, 0.25
ASIDE_SECONDS = 1.2
_BUILDING = "building the network"
_CHECK_LOSSES_OF = 2  # devices: one alone has nobody to agree with


class Progress(Protocol):
    """What is told while it runs (render/bench/progress.py)."""

    def begin(self, what: str) -> None: ...
    def phase(self, text: str) -> None: ...
    def round(self, n: int, of: Union[int, None], eta_seconds: Union[float, None], so_far: str) -> None: ...
    def note(self, text: str) -> None: ...


class Unlike(Exception):
    """The saved result is of another environment: found out as soon as the devices have told what they are."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class Run:
    """One run. `measure` does it; `result` gives what is known at any time."""

    def __init__(
        self,
        job: Job,
        environment: tuple[Part, ...],
        progress: Progress,
        *,
        load: Union[Load, None] = None,
        fixed_work: Callable[[], float] = canary,
        sampler: Union[list[str], None] = None,
    ) -> None:
        """load, fixed_work, sampler: what watches the machine, where a test puts another in its place."""
        self.job, self.environment, self.progress = job, environment, progress
        self.origin = time.perf_counter()
        self.taken = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.seats = [Seat(job, device, self._hear) for device in job.devices]
        self.telemetry = Telemetry(
            {one.name: one.nvml for one in job.devices if one.nvml is not None},
            *(dict(job.environ), self.origin, self._pids, sampler),
        )
        self.load, self._fixed_work = load or Load(), fixed_work
        self.canaries: list[float] = []
        self.idle: dict[str, Union[float, None, Gap]] = {}
        self.trials: list[Trial] = []
        self.seed_lines: list[SeedLine] = []
        self.batch_size: Union[int, None] = None  # of the trial under way
        self.interrupted, self.stopped_with = False, 130
        self._marks: dict[str, dict[str, Union[Reading, Gap]]] = {}  # at the ends of what is timed
        self._marking = False
        self._compiling: Union[str, None] = None  # the GPU whose first step may take long

    def measure(self, acceptable: Callable[[Result], tuple[str, ...]] = lambda result: ()) -> None:
        """Do it all. A Ctrl-C is noted, and what is known stays.

        Parameters
        ----------
        acceptable: asked once the devices have told what they are; lines that say why to stop here.

        Raises
        ------
        Unlike: it had something to say.
        """
        try:
            self.telemetry.start()
            self._set_up()
            self.telemetry.ready(5.0)  # it has had the time of an import
            if lines := acceptable(self.result(None, None, Gap("not needed yet", "not-collected"))):
                raise Unlike(lines)
            for at, size in enumerate(self.job.batch_sizes):
                self._try(size, first=at == 0)
            if self.job.seed_line:
                self._seed_lines()
        except KeyboardInterrupt as stop:
            self.interrupted, self.stopped_with = True, getattr(stop, "exit_code", 130)
            self.progress.note("interrupted: what is known so far is told")
        finally:
            self.close()

    def close(self) -> None:
        """End every process of this run."""
        for seat in self.seats:
            seat.worker.kill()
        self.telemetry.close()

    def _pids(self) -> set[int]:
        found = {seat.worker.pid for seat in self.seats if seat.worker.alive and seat.worker.pid}
        return found | ({self.telemetry.pid} if self.telemetry.pid else set())

    def _hear(self, what: str) -> None:
        """What a worker says it begins. The energy counter is read at both ends of what is timed."""
        if self._marking and what in ("timed", "untimed"):
            self._marks[what] = self.telemetry.mark()
        if what == "first-step" and self._compiling is not None:
            self.progress.phase(
                f"{self._compiling}: first step; a GPU that is new to this framework compiles for minutes"
            )

    def _each(self, doing: str, work: Callable[[Seat], None], seats: Union[list[Seat], None] = None) -> None:
        for seat in self.seats if seats is None else seats:
            if seat.running and self._worth_it():
                gpu = seat.device.kind == "gpu" and doing == _BUILDING
                self._compiling = seat.device.name if gpu else None
                self.progress.phase(f"{seat.device.name}: {doing}")
                seat.attempt(partial(work, seat))
                if seat.failure is not None:
                    self.progress.note(f"{seat.device.name}: {seat.failure.message}")

    def _worth_it(self) -> bool:
        """A brief run is for its GPUs: where none is left nothing is."""
        return not self.job.brief or any(seat.running and seat.device.kind == "gpu" for seat in self.seats)

    # Set-up

    def _set_up(self) -> None:
        self.progress.begin("set-up")
        self._open(self.seats)

    def _open(self, seats: list[Seat]) -> None:
        self._each(f"importing {self.job.settings.backend}", Seat.open, seats)
        self._each("reading the images", Seat.load, seats)

    # One batch size

    def _try(self, size: int, first: bool) -> None:
        self.batch_size = size
        self.progress.begin(f"batch {size}")
        for seat in self.seats:
            seat.begin_trial(size)
            if seat.tries_again:
                seat.renew()
        self._open([seat for seat in self.seats if seat.starts_anew])
        self._each(_BUILDING, lambda seat: seat.build(size))
        untaught = [seat for seat in self.seats if seat.learning is None]
        if untaught:
            self._each(f"{self.job.workload.learning_steps} steps, to see that it learns", Seat.learn, untaught)
            if len(self.seats) >= _CHECK_LOSSES_OF:
                self._each("the same steps on each device, without dropout", Seat.check, untaught)
            self._each("tidying", Seat.forget_learned, untaught)
        self._each("the loop without a network", Seat.measure_floor)
        self._each("warming up", Seat.warm)
        if first and not self.job.brief:
            self._read_idle()
        self._rounds()
        if not self.job.brief:
            # Not before: its matrices would be the most memory in use.
            unasked = [seat for seat in self.seats if isinstance(seat.product, Gap)]
            self._each("a large matrix product", Seat.measure_product, unasked)
            if first:
                self._asides()
        self.trials.append(self._trial(size))
        self.batch_size = None

    def _read_idle(self) -> None:
        """Watts of each GPU at rest, its context open."""
        for seat in self.seats:
            self.idle[seat.device.name] = None
        named = [seat for seat in self.seats if seat.running and seat.device.nvml is not None]
        if not named:
            return
        self.progress.phase("GPUs at rest, for the energy of a step")
        time.sleep(1.0)  # their clocks fall
        before = self.telemetry.mark(2.0)
        if all(getattr(one, "energy_j", None) is None for one in before.values()):
            return
        time.sleep(IDLE_SECONDS)
        after = self.telemetry.mark()
        for seat in named:
            name = seat.device.name
            self.idle[name] = energy_within(before.get(name), after.get(name), 1.0)  # joules of one second: watts

    def _block_seconds(self, seat: Seat) -> float:
        running = max(1, sum(one.running for one in self.seats))
        share = self.job.settings.time / (verdict.ROUNDS_TO_SETTLE + 2) / running
        if isinstance(self.idle.get(seat.device.name), float) and share >= ENERGY_BLOCK / 2:
            return ENERGY_BLOCK
        # Others' load can be told then. Ours: this process, the sampler, and workers that may have a launcher each.
        told = least_seconds(len(self.load.cpus), 2 + 2 * running)
        return max(SHORTEST_BLOCK, told, min(LONGEST_BLOCK, share))

    def _rounds(self) -> None:
        begin, done = time.perf_counter(), 0
        limit = self.job.settings.time
        while self._worth_it() and any(seat.running for seat in self.seats):
            seats = [seat for seat in self.seats if seat.running]
            for seat in seats if done % 2 == 0 else seats[::-1]:
                asked = time.perf_counter()
                seat.attempt(partial(self._block, seat, done))
                if seat.failure is not None:
                    begin += time.perf_counter() - asked  # a device that hung has not used up the others' time
                    self.progress.note(f"{seat.device.name}: {seat.failure.message}")
            done += 1
            spent = time.perf_counter() - begin
            each = spent / done
            self.progress.round(done, max(done, round(limit / each)), max(0.0, limit - spent), self._so_far())
            cpu, gpus = self._legs()
            # A slow device gets its four rounds all the same, within reason.
            enough = done >= verdict.ROUNDS or spent > 3 * limit
            if (enough and spent + each / 2 > limit) or verdict.settled(cpu, gpus):
                break

    def _block(self, seat: Seat, number: int) -> None:
        self.progress.phase(f"measuring {seat.device.name}")
        fixed = self._fixed_work()
        self.canaries.append(fixed)
        name, nvml = seat.device.name, seat.device.nvml
        pids = self._pids()
        self.load.begin(pids)
        self._marks, self._marking = {}, nvml is not None
        since = time.perf_counter() - self.origin
        told = seat.block(self._block_seconds(seat))
        foreign = self.load.end(pids)
        self._marking = False
        marks, after = (self._marks.get(edge, {}) for edge in ("timed", "untimed"))
        until = time.perf_counter() - self.origin
        begin = since + float(told["after"])
        end = begin + float(told["seconds"])
        unknown: Union[None, Gap] = None
        if nvml is None and seat.device.kind == "gpu" and seat.device.simulate is None:
            unknown = Gap("NVML does not tell which of its GPUs this is", "unsupported")
        seat.blocks.append(
            Block(
                number,
                int(told["steps"]),
                float(told["seconds"]),
                tuple(float(one) for one in told["singles"]),
                begin,
                end,
                foreign,
                fixed,
                unknown if nvml is None else self.telemetry.reasons_between(name, begin, end),
                unknown if nvml is None else self.telemetry.busy_processes_between(name, since, until),
                unknown if nvml is None else energy_within(marks.get(name), after.get(name), told["seconds"]),
            )
        )
        seat.note_memory()

    def _so_far(self) -> str:
        cpu, gpus = self._legs()
        for gpu in gpus:
            pairs = gates.clean_pairs(cpu, gpu) if cpu else ()
            if pairs:
                ratio = paired_ratio(pairs)
                return f"{gpu.device} {ratio.value:.3g} times as fast ({ratio.low:.3g} to {ratio.high:.3g})"
        running = next((seat for seat in self.seats if seat.running), None)
        return f"{running.step * 1e3:.3g} ms a step" if running else ""

    def _asides(self) -> None:
        """Other settings of each device, for a moment: what it can do at its best."""
        settings = self.job.settings
        for seat in self.seats:
            changes: list[dict[str, object]] = []
            gpu = seat.device.kind == "gpu" and seat.device.simulate is None
            if settings.backend == "tensorflow" or (settings.backend == "torch" and (gpu or settings.jit)):
                changes.append({"jit": not settings.jit})
            if gpu and settings.precision == "float32":
                changes += [{"tf32": True}, *({"tf32": True, **one} for one in changes)]
            changes += [{"input": other} for other in ("resident", "host", "fit") if other != settings.input]
            self._compiling = None
            for change in changes:
                if seat.running:
                    words = ", ".join(f"{name} {_word(value)}" for name, value in change.items())
                    self.progress.phase(f"{seat.device.name}: beside it, {words}")
                    self._quietly(seat, change)

    def _quietly(self, seat: Seat, change: dict[str, object]) -> None:
        """An aside that kills the worker (a compiler that aborts) costs itself alone: a new worker goes on."""
        seat.attempt(lambda: seat.aside(ASIDE_SECONDS, **change))
        failure = seat.failure
        if failure is None:
            return
        self.progress.note(f"{seat.device.name}: {failure.message}, with settings that were tried beside the figure")
        seat.note_aside(Gap(f"{failure.message} ({failure.kind})", "crashed"), **change)
        seat.renew()
        for again in (seat.open, seat.load):
            seat.attempt(again)

    # What it says

    def _legs(self) -> tuple[Union[Leg, None], list[Leg]]:
        legs = gates.gated([seat.leg() for seat in self.seats], self.canaries)
        return next((leg for leg in legs if leg.device == "cpu"), None), [leg for leg in legs if leg.device != "cpu"]

    def _trial(self, size: int) -> Trial:
        doing = work(self.job.workload, size, self.job.optimizer)
        return Trial(size, doing, tuple(seat.leg() for seat in self.seats), ())

    def _seed_lines(self) -> None:
        def measure(seat: Seat) -> None:
            steps, forward = seat.seed_times()
            printed, validation = (steps + forward) / 100, forward * 79 / 80
            text = f"Step 100 (epoch 0.12), {printed * 1e3:.1f} ms"
            self.seed_lines.append(SeedLine(seat.device.name, text, printed, steps / 100, validation))

        self._each("as the 2017 script does it", measure)

    def result(
        self,
        doctor: Union[Doctor, None],
        no_gpu: Union[str, None],
        facts: Union[Snapshot, Gap],
        comparison: Union[Comparison, None] = None,
    ) -> Result:
        """What is known now, with figures and verdicts."""
        trials = list(self.trials)
        under_way = self.batch_size or (None if trials else self.job.batch_sizes[0])
        if under_way is not None and not any(one.batch_size == under_way for one in trials):
            trials.append(self._trial(under_way))
        said: Union[Doctor, Gap] = doctor or Gap("doctor was not asked", "not-collected")
        samples = self.telemetry.samples()
        judged = conclusion.concluded(trials, self.canaries, self.idle, samples, self.job.settings, said)
        from gpucheck import __version__

        return Result(
            schema=SCHEMA,
            version=__version__,
            taken=self.taken,
            arguments=self.job.arguments,
            settings=self.job.settings,
            environment=self.environment,
            doctor=said,
            trials=judged,
            samples=samples,
            canaries=tuple(self.canaries),
            seed_lines=tuple(self.seed_lines),
            comparison=comparison,
            no_gpu=no_gpu,
            interrupted=self.interrupted,
            seconds=time.perf_counter() - self.origin,
            exit_code=0,
            facts=facts,
            notes=conclusion.notes(judged, [device.name for device in self.job.devices]),
        )


def _word(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
