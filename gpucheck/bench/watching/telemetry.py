"""The parent's side of the sampler: what each device did between two moments. It never raises and never waits long.

A sampler that is dead, hangs or prints garbage leaves gaps, with the reason. Threads read its pipe, nothing is selected
on, so Windows is no special case. All times given and taken here are seconds since the run began.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Union

from gpucheck.bench.watching import records
from gpucheck.bench.watching.ours import Ours
from gpucheck.bench.watching.records import About, Reading
from gpucheck.bench.watching.sampler_process import SamplerProcess, sampler
from gpucheck.bench.watching.watched import Watched
from gpucheck.facts.bench import Sample
from gpucheck.facts.gap import Gap

_NOT_YET = Gap("the sampler has not told of it yet", "not-collected")
_MOST_KEPT = 200_000  # samples of one device: eleven hours
_MOST_UNHEARD = 50  # marks that a stopped sampler is sent: its pipe must not fill up, or a write would block

Pids = Callable[[], set[int]]


class Telemetry:
    """Samples the CPU and the named GPUs in a child process, from `start` to `close`.

    Parameters
    ----------
    gpus: device name ("gpu:0") to what NVML calls it: UUID, MIG UUID or index.
    environ: of the child; None: this process'.
    origin: time.perf_counter() of the run's beginning.
    own_pids: the workers' process ids, asked at every reading; they and their descendants are not "others".
    argv: another program in the sampler's place, for tests of what it may do wrong.
    """

    def __init__(
        self,
        gpus: dict[str, str],
        environ: Union[dict[str, str], None] = None,
        origin: Union[float, None] = None,
        own_pids: Pids = set,
        argv: Union[list[str], None] = None,
    ) -> None:
        self._gpus = dict(gpus)
        self._origin = time.perf_counter() if origin is None else origin
        self._ours = Ours(own_pids)
        self._child = SamplerProcess(argv or sampler(self._gpus), environ, self._take, self._end)
        self._changed = threading.Condition()
        # Below: guarded by _changed. The reader writes, everyone else reads.
        self._samples: dict[str, deque[Sample]] = {name: deque(maxlen=_MOST_KEPT) for name in ("cpu", *gpus)}
        self._watched = {name: Watched() for name in gpus}
        self._about: dict[str, About] = {}
        self._readings: dict[tuple[str, str], Reading] = {}
        self._failed: dict[str, Gap] = {}  # device to why there is nothing of it
        self._ended: Union[Gap, None] = Gap("the sampler was not started", "not-collected")
        self._overhead: Union[float, None] = None
        self._silent: set[str] = set()  # devices that did not answer the last mark
        self._heard = self._marks = 0

    def __enter__(self) -> Telemetry:
        self.start()
        return self

    def __exit__(
        self,
        kind: Union[type[BaseException], None],
        error: Union[BaseException, None],
        trace: Union[TracebackType, None],
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the child. It answers marks about half a second later (its imports); nothing waits for that here."""
        with self._changed:  # its first words wait until it counts as started
            self._ended = self._child.start()

    def ready(self, timeout: float) -> bool:
        """Wait until every device was sampled once or is known to have failed; False: not all within the time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    self._ended is not None
                    or all(self._samples[device] or device in self._failed for device in self._gpus)
                ),
                timeout,
            )

    @property
    def pid(self) -> Union[int, None]:
        """Of the child, which is ours."""
        return self._child.pid

    def overhead(self) -> Union[float, None]:
        """CPU time that the child uses, as a share of one core; None: not told yet."""
        return self._overhead

    def about(self, device: str) -> Union[About, Gap]:
        """What a GPU could do at most: clocks, PCIe, watts."""
        with self._changed:
            return self._about.get(device) or self._why(device)

    def mark(self, timeout: float = 1.0) -> dict[str, Union[Reading, Gap]]:
        """Read every GPU now. One that gives no answer in time is a gap, and not waited for until it speaks again."""
        with self._changed:
            self._marks += 1
            name = str(self._marks)
            sent = self._ended is None and self._marks - self._heard <= _MOST_UNHEARD
        begin = time.perf_counter()
        if sent:
            self._child.send(f"mark {name}\n")
        with self._changed:
            self._changed.wait_for(lambda: not self._awaited(name), max(0.0, min(timeout, threading.TIMEOUT_MAX)))
            waited = time.perf_counter() - begin
            found: dict[str, Union[Reading, Gap]] = {}
            for device in self._gpus:
                reading = self._readings.pop((device, name), None)
                if reading is None:
                    self._silent.add(device)
                    late = Gap(
                        f"the sampler gave no reading within {waited:.1f} s: NVML hangs, or is slow to start",
                        "deadline",
                    )
                    found[device] = self._why(device, late)
                else:
                    found[device] = reading
            return found

    def _awaited(self, name: str) -> bool:
        if self._ended is not None:
            return False
        return any(
            device not in self._failed and device not in self._silent and (device, name) not in self._readings
            for device in self._gpus
        )

    def samples(self, most: int = 5000) -> tuple[Sample, ...]:
        """Everything sampled, in order of time. Where there is more than `most`, neighbours are taken together."""
        with self._changed:
            kept = [list(one) for one in self._samples.values()]
        return records.thinned(kept, most)

    def reasons_between(self, device: str, begin: float, end: float) -> Union[tuple[str, ...], None, Gap]:
        """Clocks-event reasons set at any reading of that time. A gap where it was not looked at throughout, unless
        one that slows the GPU was seen."""
        reasons: records.Reasons = self._between(device, lambda watched: watched.reasons(begin, end))
        return reasons

    def busy_processes_between(self, device: str, begin: float, end: float) -> Union[int, None, Gap]:
        """The most other processes on the GPU at any reading of that time."""
        count: records.Count = self._between(device, lambda watched: watched.processes(begin, end))
        return count

    def _between(self, device: str, ask: Callable[[Watched], Any]) -> Any:
        with self._changed:
            if device not in self._watched:
                return None  # a CPU has neither
            found = ask(self._watched[device])
            # Why it was not looked at is worth more than that it was not.
            return self._why(device, found) if isinstance(found, Gap) and found.kind == "not-collected" else found

    def _why(self, device: str, otherwise: Gap = _NOT_YET) -> Gap:
        failed = self._failed.get(device, self._ended)
        return otherwise if failed is None else failed

    def close(self) -> None:
        """End the child. At most half a second; one that hangs in a driver's D state is not waited for."""
        self._end(Gap("the sampler was ended", "not-collected"))
        self._child.close()

    def _end(self, why: Gap) -> None:
        """The first reason is the true one."""
        with self._changed:
            if self._ended is None:
                self._ended = why
            self._changed.notify_all()

    # In the reader's thread

    def _take(self, told: dict[str, Any]) -> None:
        """One line. Anything that is not as it must be raises and is left out."""
        stage, device = told.get("stage"), told.get("device", "cpu")
        if device not in self._samples:
            return
        if stage == "mark" or "compute" in told:
            told["others"] = self._ours.others(told.get("compute"), told.get("graphics"))
        with self._changed:
            self._heard = self._marks
            if stage == "failed":
                self._failed[device] = Gap(str(told["reason"]))
            elif stage == "about":
                self._about[device] = records.about_of(told)
            elif stage == "counter":
                self._watched[device].counter_step = float(told["step"])
            elif stage in ("sample", "cpu"):
                self._take_sample(device, told)
            elif stage == "mark":
                self._take_mark(device, told)
            self._changed.notify_all()

    def _take_sample(self, device: str, told: dict[str, Any]) -> None:
        if device == "cpu":
            self._overhead = float(told["own"])
        else:
            watched = self._watched[device]
            watched.note(
                records.time_of(told) - self._origin, records.reasons_of(told), told.get("others"), "others" in told
            )
            told["processes"] = watched.last_processes
            self._silent.discard(device)
        self._samples[device].append(records.sample_of(device, told, self._origin))

    def _take_mark(self, device: str, told: dict[str, Any]) -> None:
        watched = self._watched[device]
        reading = records.reading_of(told, self._origin, watched.counter_step)
        watched.note(reading.time, reading.reasons, reading.processes, True)
        self._silent.discard(device)
        self._readings = {key: one for key, one in self._readings.items() if key[0] != device}  # answers that came late
        self._readings[device, str(told["id"])] = reading
