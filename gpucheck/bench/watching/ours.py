"""Whose processes are on a GPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Union

from gpucheck.bench.watching.records import Count, gap_of
from gpucheck.facts.gap import Gap

DRAWING = 0.05  # a process that only draws (a desktop) counts as another from this share of the SMs
_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # linux/proc_ns.h, PROC_PID_INIT_INO


class Ours:
    """Tells our processes on a GPU from others'.

    NVML shows to a container the processes of that container alone, or the numbers that processes have outside of it
    (NVIDIA/nvidia-docker, issue 1483), depending on the driver. So there "none" is never known.
    """

    def __init__(self, own_pids: Callable[[], set[int]], all_visible: Union[bool, None] = None) -> None:
        self._own_pids = own_pids
        self._known: set[int] = set()
        self._all_visible = _sees_all() if all_visible is None else all_visible

    def others(self, compute: Any, graphics: Any) -> Count:
        """How many processes of the sampler's two lists are not ours. Raises TypeError on lists of another form."""
        with suppress(Exception):  # the caller's list may change under its hands; what was ours stays ours
            self._known |= self._own_pids() | {os.getpid()}
        if compute is None or isinstance(compute, dict):
            return gap_of(compute)
        pids = {int(pid) for pid in compute}
        pids |= {int(pid) for pid, share in graphics or () if share is not None and share >= DRAWING}
        unknown = {_process_of(pid) for pid in pids - self._known} - self._known
        strangers = [pid for pid in unknown if not self._descends(pid)]
        if self._all_visible:
            return len(strangers)
        # A number from outside the container means nothing here: our own worker may be behind it.
        if seen := [pid for pid in strangers if _holds_gpu(pid)]:
            return len(seen)
        return Gap("in a container NVML does not show the processes of others", "unsupported")

    def _descends(self, pid: int) -> bool:
        """A launcher (a venv's python.exe on Windows) has the real interpreter for a child."""
        import psutil

        with suppress(psutil.Error, OSError):
            if any(one.pid in self._known for one in psutil.Process(pid).parents()):
                self._known.add(pid)
                return True
        return False


def _process_of(pid: int) -> int:
    """In a container NVML may name the thread that opened the GPU in place of its process (HAMi-core, issue 112)."""
    with suppress(OSError, ValueError, StopIteration), open(f"/proc/{pid}/status", errors="replace") as status:
        return next(int(line[5:]) for line in status if line.startswith("Tgid:"))
    return pid


def _holds_gpu(pid: int) -> bool:
    """Has this process a GPU's device file open? False where that cannot be seen."""
    with suppress(OSError):
        folder = f"/proc/{pid}/fd"
        return any(
            os.readlink(f"{folder}/{name}").startswith(("/dev/nvidia", "/dev/dxg")) for name in os.listdir(folder)
        )
    return False


def _sees_all() -> bool:
    """Is this the machine's first PID namespace, in which every process has its number? (Windows: always.)"""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return os.name == "nt"
