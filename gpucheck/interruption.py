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


_job: list[int] = []  # its handle is open as long as this process lives, and no longer


def _take_along() -> None:
    """Windows: whatever this process starts ends with it, even where it is ended by TerminateProcess.

    A job object ("Job Objects", JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE) that holds this process: what a process starts is
    in its job from the first moment on. Where that is refused (before Windows 8, a job within a job), it goes without.
    """
    if sys.platform != "win32" or _job:
        return
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
    kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
    kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    job = kernel.CreateJobObjectW(None, None)
    if not job:
        return
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION: two 64-bit times, then LimitFlags; 144 bytes, on 32 bits 112.
    size = 144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112
    limits = ctypes.create_string_buffer(size)
    ctypes.c_uint32.from_buffer(limits, 16).value = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    if kernel.SetInformationJobObject(job, 9, limits, size):  # JobObjectExtendedLimitInformation
        kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess())
    _job.append(job)
