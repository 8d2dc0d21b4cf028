"""What else the CPUs do while something is timed: others' share of them. No judgement here."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable
from typing import NamedTuple, Union

import psutil

from gpucheck.bench.watching.canary import canary
from gpucheck.bench.watching.cpus import Busy, busy, quota, usable_cpus
from gpucheck.facts.gap import Gap

__all__ = ["Load", "canary", "least_seconds", "quota", "share", "usable_cpus"]

TICK = 0.01 if sys.platform != "win32" else 0.015625  # seconds: what CPU times are counted in
TOLD = 0.10  # the share that a block must be long enough to tell
_ERROR = TOLD / 2  # how wrong a share may be by counting in ticks
_SPREAD = 3 * 0.41  # ticks, three standard deviations: a time that is cut to ticks twice is wrong by -1 to 1, evenly
_LEAST = 0.3  # seconds; kernels that charge whole ticks to whoever runs need some of them


class _Look(NamedTuple):
    """Taken at one moment: the processes' own seconds, the CPUs' right after."""

    time: float
    own: dict[psutil.Process, float]
    cpus: Busy


def least_seconds(cpus: int, processes: int) -> float:
    """The shortest block in which 10 % of the CPUs' time can be told from 5 %.

    Two times of each CPU and two of each process are cut to ticks, each by chance. On two CPUs, in blocks of 0.8 s, a
    planted share of 0.100 was told as 0.087 to 0.112, idle and beside a busy process of ours.
    """
    return max(_LEAST, TICK * _SPREAD * math.sqrt(2 * cpus + 2 * processes) / (_ERROR * cpus))


class Load:
    """The share of the usable CPUs that other processes take, over one block after another.

    Ours are the processes named, this one, and all that descend from them (the telemetry child too). Where time is a
    container's picture (lxcfs) or does not fit the clock (gVisor), the share is unknown.
    """

    def __init__(self) -> None:
        self.cpus = usable_cpus()
        self._faked = _faked_stat()
        self._before: Union[_Look, Gap] = Gap("begin was not called", "not-collected")

    def begin(self, pids: Iterable[int]) -> None:
        """A block begins; `pids`: the workers. Takes some milliseconds."""
        self._before = self._look(pids)

    def end(self, pids: Iterable[int]) -> Union[float, Gap]:
        """The block is over: others' share, 0 to 1."""
        before, after = self._before, self._look(pids)
        if isinstance(before, Gap):
            return before
        if isinstance(after, Gap):
            return after
        if gone := [one.pid for one in before.own if one not in after.own]:
            return Gap(f"process {gone[0]} of ours ended meanwhile: its time cannot be told from others'")
        return share(
            before.cpus, after.cpus, _own(before, after), after.time - before.time, len(self.cpus), len(after.own)
        )

    def _look(self, pids: Iterable[int]) -> Union[_Look, Gap]:
        if self._faked is not None:
            return self._faked
        try:
            own = {one: _seconds(one) for one in _family(pids)}
            return _Look(time.perf_counter(), own, busy(self.cpus))
        except psutil.NoSuchProcess as error:
            return Gap(f"process {error.pid} of ours ended meanwhile: its time cannot be told from others'")
        except psutil.AccessDenied as error:
            return Gap(f"the CPU time of our process {error.pid} must not be read", "denied")
        except (OSError, ValueError, IndexError) as error:
            return Gap(f"the CPUs' times cannot be read: {error}")


def share(before: Busy, after: Busy, own: float, seconds: float, cpus: int, processes: int) -> Union[float, Gap]:
    """Others' share of the CPUs' time. `own`: seconds that our processes used; `seconds`: of the clock."""
    least = least_seconds(cpus, processes)
    if seconds < least:
        return Gap(
            f"a block of {seconds:.2f} s is too short to tell others' load: at least {least:.2f} s", "unsupported"
        )
    there = seconds * cpus
    if not 0.5 < (after.total - before.total) / there < 1.5:
        return Gap("the CPUs' times do not go with the clock: a sandbox may make them up", "unsupported")
    found = (after.busy - before.busy - own) / there
    if found < -TOLD:
        return Gap("our processes used more time than the CPUs say they worked", "unsupported")
    return min(1.0, max(0.0, found))


def _family(pids: Iterable[int]) -> list[psutil.Process]:
    """This process, the named ones, and their descendants."""
    this = psutil.Process()
    found = {one.pid: one for one in [this, *this.children(recursive=True)]}
    for pid in pids:
        if pid not in found:
            named = psutil.Process(pid)
            found.update((one.pid, one) for one in [named, *named.children(recursive=True)])
    return list(found.values())


def _seconds(process: psutil.Process) -> float:
    """CPU seconds, with those of the children that it has waited for: one that ends between two looks is within."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _own(before: _Look, after: _Look) -> float:
    """What our processes used between; one that was born meanwhile, all it has."""
    return sum(seconds - before.own.get(one, 0.0) for one, seconds in after.own.items())


def _faked_stat() -> Union[Gap, None]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            if any(" /proc/stat " in line for line in file):
                return Gap(
                    "/proc/stat is a container's picture of the CPUs (lxcfs): others' load is not in it", "unsupported"
                )
    except OSError:
        pass
    return None
