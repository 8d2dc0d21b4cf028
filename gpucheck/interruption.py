"""Ctrl-C, SIGTERM and SIGHUP as one exception, raised once, so that what is known by then can still be told.

Also here: that no program outlives a gpucheck that was ended from outside, where Windows must be told so.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Union

PATIENCE = 3.0  # seconds in which a second signal is ignored: a terminal and a wrapper may both send one


class Interrupted(KeyboardInterrupt):
    """A signal asked this program to stop. exit_code: as a shell tells it, 130 for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + (signal.SIGINT if number == _BREAK else number)


_BREAK: Union[int, None] = getattr(signal, "SIGBREAK", None)  # Windows: Ctrl-Break, a window that is closed


def listen() -> None:
    """From now on, the first of these signals raises `Interrupted` in the main thread; a later one ends at once."""
    _take_along()
    first: list[float] = []

    def heard(number: int, frame: object) -> None:
        if not first:
            first.append(time.monotonic())
            raise Interrupted(number)
        if time.monotonic() - first[0] > PATIENCE:
            os._exit(128 + number)

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number: Union[int, None] = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, heard)


_job: list[object] = []  # open as long as this process lives, and no longer


def _take_along() -> None:
    """Windows: whatever this process starts ends with it, even where it is ended by TerminateProcess."""
    if sys.platform == "win32" and not _job:
        from gpucheck.host.windows_children import Job

        _job.append(Job(None))
