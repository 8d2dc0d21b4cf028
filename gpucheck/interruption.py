"""Ctrl-C, SIGTERM and SIGHUP as one exception, raised once, so that what is known by then can still be told.

Also here: that no program outlives a gpucheck that was ended from outside, where Windows must be told so.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Union

PATIENCE = 3.0  # seconds in which a second signal is ignored: a terminal and a wrapper may both send one


class Interrupted(KeyboardInterrupt):
    """A signal asked this program to stop. exit_code: as a shell tells it, 130 for Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + (signal.SIGINT if number == _BREAK else number)


class TimeIsUp(Interrupted):
    """The time that was given is over. exit_code: as timeout(1) tells it."""

    def __init__(self) -> None:
        super().__init__(0)
        self.exit_code = 124


_BREAK: Union[int, None] = getattr(signal, "SIGBREAK", None)  # Windows: Ctrl-Break, a window that is closed


def listen() -> None:
    """From now on, the first of these signals raises `Interrupted` in the main thread; a later one ends at once."""
    _take_along()
    first: list[float] = []

    def heard(number: int, frame: object) -> None:
        if _expired:
            _expired.clear()
            raise TimeIsUp
        if not first:
            first.append(time.monotonic())
            raise Interrupted(number)
        if time.monotonic() - first[0] > PATIENCE:
            os._exit(128 + number)

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number: Union[int, None] = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, heard)


_expired: list[bool] = []  # a time limit is over, which the next signal says


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeIsUp` in the main thread, which must have called `listen`, after so many seconds."""
    import _thread
    import threading

    def over() -> None:
        _expired.append(True)
        if hasattr(signal, "pthread_kill"):  # a wait in the main thread is broken off
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            _thread.interrupt_main()

    timer = threading.Timer(max(0.0, seconds), over)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join(1.0)  # it may be about to send its signal


_job: list[object] = []  # open as long as this process lives, and no longer


def _take_along() -> None:
    """Windows: whatever this process starts ends with it, even where it is ended by TerminateProcess."""
    if sys.platform == "win32" and not _job:
        from gpucheck.host.windows_children import Job

        _job.append(Job(None))
