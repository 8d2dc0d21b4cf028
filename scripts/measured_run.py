"""Run a command and count the CPU time of every process that it started, wherever that went."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

PATIENCE = 45.0  # seconds after which a rival counts as hung


class Run(NamedTuple):
    """One run of a command. cpu: seconds, of it and of every process that it started."""

    code: int | None  # None: killed after the patience
    wall: float
    cpu: float
    out: str
    err: str


def run(command: list[str], environ: dict[str, str], patience: float = PATIENCE) -> Run:
    """Run a command with all its descendants, which are waited for (and counted) wherever they went."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environ, start_new_session=True
        )
        code, cpu = _wait(child, begin + patience)
        wall = time.perf_counter() - begin
        cpu += _reap_orphans()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return Run(code, wall, cpu, texts[0], texts[1])


def _wait(child: subprocess.Popen[bytes], end: float) -> tuple[int | None, float]:
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage.ru_utime + usage.ru_stime
        if time.perf_counter() > end:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            _pid, _status, usage = os.wait4(child.pid, 0)
            child.returncode = -9
            return None, usage.ru_utime + usage.ru_stime
        time.sleep(0.0005)


def become_reaper() -> None:
    """Make orphans of our children ours (prctl PR_SET_CHILD_SUBREAPER, 36), so that none escapes the count."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _reap_orphans() -> float:
    cpu = 0.0
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        try:
            pid, _status, usage = os.wait3(os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            cpu += usage.ru_utime + usage.ru_stime
        else:
            time.sleep(0.01)
    return cpu
