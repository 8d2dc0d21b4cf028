"""Signals that come while a program is being started: heard a moment later, when it is known and can be ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ASK_TO_STOP = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def held_back() -> Iterator[list[int]]:
    """Within it those signals are only noted. Afterwards give the list to `hear`, where the exception is awaited.

    An exception out of ``subprocess.Popen`` leaves a program behind whose number nobody knows.
    """
    came: list[int] = []
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():  # handlers run there and nowhere else
            for name in _ASK_TO_STOP:
                number = getattr(signal, name, None)
                if number is not None and callable(handler := signal.getsignal(number)):
                    before[number] = handler
                    signal.signal(number, lambda number, frame: came.append(number))
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hear(came: list[int]) -> None:
    """What came meanwhile has its usual effect, now."""
    for number in came:
        signal.raise_signal(number)
