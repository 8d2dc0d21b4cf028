"""The CPUs that this process may use: which, how much of them, how busy they are. Their names are machine.py's."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, Union

import psutil


class Busy(NamedTuple):
    """CPU seconds since the start, over some CPUs."""

    busy: float  # all but idle and waiting for disks; what the hypervisor stole counts as somebody's
    total: float


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
    hertz = os.sysconf("SC_CLK_TCK")  # type: ignore[attr-defined,unused-ignore]  # Linux alone comes here
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
