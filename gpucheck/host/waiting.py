"""Waiting for a program or an answer so that Ctrl-C is heard meanwhile, and how a program's end is told in words.

On Windows no wait of Python's is interrupted by a signal: its handler runs when the wait is over, minutes later. So a
long wait is cut into short ones there.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from typing import TypeVar, Union

SLICE = 0.1  # seconds after which a Ctrl-C is heard
_WINDOWS = sys.platform == "win32"
_Answer = TypeVar("_Answer")

# ntstatus.h: what Windows itself ends a program with. The names are Microsoft's, in plain words.
_ENDS = {
    0xC0000005: "an access violation",
    0xC000001D: "an illegal instruction: this build needs a newer CPU",
    0xC0000017: "want of memory",
    0xC00000FD: "a stack overflow",
    0xC000012D: "want of memory: the page file is too small",
    0xC0000135: "a DLL that was not found",
    0xC0000139: "a function that a DLL lacks",
    0xC000013A: "Ctrl-C, or its window was closed",
    0xC0000142: "a DLL that could not be initialised",
    0xC0000374: "a corrupted heap",
    0xC0000409: "a failure that the program itself found",
}


def wait(process: subprocess.Popen[bytes], seconds: Union[float, None] = None) -> int:
    """Wait for its end; gives the exit code.

    Parameters
    ----------
    seconds: None: without a limit.

    Raises
    ------
    subprocess.TimeoutExpired. Whatever a signal's handler raises.
    """
    if not _WINDOWS:
        return process.wait(seconds)
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        left = SLICE if end is None else end - time.monotonic()
        try:
            return process.wait(max(0.0, min(SLICE, left)))
        except subprocess.TimeoutExpired:
            if left <= SLICE and end is not None:
                raise subprocess.TimeoutExpired(process.args, seconds or 0.0) from None


def next_of(answers: queue.Queue[_Answer], seconds: float) -> _Answer:
    """The next of a queue. Raises queue.Empty after so many seconds; whatever a signal's handler raises."""
    end = time.monotonic() + seconds
    while True:
        left = max(0.0, end - time.monotonic())
        try:
            return answers.get(timeout=min(SLICE, left) if _WINDOWS else left)
        except queue.Empty:
            if left <= SLICE or not _WINDOWS:
                raise


def ending(code: int) -> str:
    """An exit code in words: "exit code 7", and of Windows' own "0xc0000005 (an access violation)"."""
    if not 0xFFFF < code <= 0xFFFFFFFF:
        return f"exit code {code}"
    words = _ENDS.get(code)
    return f"exit code {code:#010x}" + (f" ({words})" if words else "")
