"""What else the CPUs do while something is timed: others' share, and a fixed piece of work. No judgement here."""

from __future__ import annotations

import gc
import hashlib
import os
import sys
import time
from collections.abc import Iterable
from typing import NamedTuple, Union

import psutil

from gpucheck.facts.gap import Gap

TICK = 0.01 if sys.platform != "win32" else 0.015625  # seconds: what CPU times are counted in
TOLD = 0.10  # the share that a block must be long enough to tell
_ERROR = TOLD / 2  # how wrong a share may be by counting in ticks
_TICKS_A_CPU = 2  # busy and idle of one CPU may each be a tick off
_TICKS_A_PROCESS = 2  # user and system time are cut to ticks

# The canary: sha256 over 64 KiB, 4 ms of it, the least of twenty.
# Which work: measured for a minute on two AMD cores whose other halves belong to strangers, standard deviation of the
# least of five: sha256 1.5 %, a float32 product in numpy 3 %, blake2b 15 %, sha3 19 %, crc32 26 %, a Python loop 31 %.
# What keeps all ports of a core busy halves its speed when a neighbour uses the other half, a product hardly does: such
# a canary throws out blocks that nothing ails. sha256 has a unit of its own (AMD since 2017, Intel since 2019; without
# it the canary moves like blake2b) and follows the clock and stolen time.
# How long: beside other processes the least of twenty times 4 ms stayed where it was when five times 16 ms rose by
# 70 %, because no piece of that length went uninterrupted; those processes are the load's business. On a quiet machine
# it spread by 0.4 %.
_CANARY_BUFFER = bytes(range(256)) * 256
_CANARY_HASHES = 107
_CANARY_TIMES = 20


class Busy(NamedTuple):
    """CPU seconds since the start, over some CPUs."""

    busy: float  # all but idle and waiting for disks; what the hypervisor stole counts as somebody's
    total: float


class _Look(NamedTuple):
    """Taken at one moment: the processes' own seconds, the CPUs' right after."""

    time: float
    own: dict[psutil.Process, float]
    cpus: Busy


def usable_cpus() -> tuple[int, ...]:
    """Numbers of the CPUs that this process may run on: what taskset, a batch system or cpuset left it."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    try:
        return tuple(sorted(psutil.Process().cpu_affinity() or ()))  # type: ignore[attr-defined,unused-ignore]
    except (AttributeError, psutil.Error, OSError):  # macOS has no affinity
        return tuple(range(os.cpu_count() or 1))


def quota() -> Union[float, None]:
    """CPUs' worth of time that the control groups allow (Linux): the tightest of all that hold this process."""
    try:
        with open("/proc/self/cgroup") as groups, open("/proc/self/mountinfo") as mounts:
            return tightest_quota(groups.read(), mounts.read())
    except OSError:
        return None


def tightest_quota(groups: str, mounts: str) -> Union[float, None]:
    """The same from the texts of /proc/self/cgroup and /proc/self/mountinfo; cgroups(7), proc_pid_mountinfo(5)."""
    paths: dict[str, str] = {}
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        paths.update(dict.fromkeys(controllers.split(",") if number != "0" else [""], group))
    found = []
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        path = paths.get("cpu" if kind[0] == "cgroup" else "")
        if path is None or (kind[0] == "cgroup" and "cpu" not in kind[-1].split(",")):
            continue
        root, folder = fields[3].rstrip("/"), fields[4].replace("\\040", " ")
        below = path[len(root) :] if path == root or path.startswith(root + "/") else ""
        found += _quotas(folder, below.strip("/"))
    return min(found, default=None)


def _quotas(folder: str, below: str) -> list[float]:
    """Of the group and of all above it."""
    parts = [part for part in below.split("/") if part and part != ".."]
    levels = ["/".join([folder, *parts[:count]]) for count in range(len(parts) + 1)]
    return [one for level in levels if (one := _quota_of(level)) is not None]


def _quota_of(group: str) -> Union[float, None]:
    try:
        if os.path.exists(f"{group}/cpu.max"):
            with open(f"{group}/cpu.max") as file:
                allowed, period = file.read().split()
        else:
            with open(f"{group}/cpu.cfs_quota_us") as file, open(f"{group}/cpu.cfs_period_us") as other:
                allowed, period = file.read().strip(), other.read().strip()
        return int(allowed) / int(period) if allowed != "max" and int(allowed) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # the root has none
        return None


def busy(cpus: tuple[int, ...]) -> Busy:
    """CPU seconds of these CPUs. Raises OSError or ValueError where they cannot be read."""
    if sys.platform.startswith("linux"):
        with open("/proc/stat", encoding="ascii", errors="replace") as file:
            return busy_of(file.read(), cpus)
    wanted = set(cpus)
    times = [one for number, one in enumerate(psutil.cpu_times(percpu=True)) if number in wanted]
    # Windows' system time holds that of interrupts and deferred calls already.
    worked = sum(one.user + one.system + getattr(one, "nice", 0.0) for one in times)
    return Busy(worked, worked + sum(one.idle for one in times))


def busy_of(stat: str, cpus: tuple[int, ...]) -> Busy:
    """The same from the text of /proc/stat. Not psutil's list: that has no place for a CPU that is switched off.

    user, nice, system, idle, iowait, irq, softirq, steal; guests' time is within user.
    """
    wanted = {f"cpu{number}" for number in cpus}
    worked = rested = 0
    for line in stat.splitlines():
        name, *rest = line.split() or [""]
        if name not in wanted:
            if name.startswith("cpu"):
                continue
            break  # the CPUs come first, and the interrupts' line can be long
        fields = [int(field) for field in rest[:8]]
        rested += sum(fields[3:5])
        worked += sum(fields) - sum(fields[3:5])
    hertz = os.sysconf("SC_CLK_TCK")
    return Busy(worked / hertz, (worked + rested) / hertz)


def memory_used() -> int:
    """Bytes of RAM in use on the machine."""
    return int(psutil.virtual_memory().used)


def frequency() -> Union[float, None]:
    """MHz, as psutil has it."""
    try:
        told = psutil.cpu_freq()
    except (OSError, AttributeError, NotImplementedError, RuntimeError):
        return None
    return float(told.current) if told and told.current else None


def least_seconds(cpus: int, processes: int) -> float:
    """The shortest block in which 10 % of the CPUs' time can be told from none.

    Every CPU and every process is counted in ticks; all of them off to the same side must not make 5 %.
    """
    return TICK * (_TICKS_A_CPU * cpus + _TICKS_A_PROCESS * processes) / (_ERROR * cpus)


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


def canary() -> float:
    """Seconds of a fixed piece of CPU work: the least of twenty, 80 ms in all. It rises when the clock falls."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return min(_piece() for _ in range(_CANARY_TIMES))
    finally:
        if collecting:
            gc.enable()


def _piece() -> float:
    work, buffer = hashlib.sha256, _CANARY_BUFFER
    begin = time.perf_counter()
    for _ in range(_CANARY_HASHES):
        work(buffer).digest()
    return time.perf_counter() - begin
