"""The parent's end of the sampler's pipes: start it, hear its lines, end it. What the lines say is not known here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Union

from gpucheck.bench.watching.records import ending
from gpucheck.facts.gap import Gap

_BOOT = """import os, sys
sys.path += sys.argv[1].split(os.pathsep)
from gpucheck.bench.watching.sampler import main
main(sys.argv[2])"""
_MOST_LINE = 1 << 16
_CLOCK_SLACK = 0.005  # seconds by which two processes' clocks may seem to differ


def sampler(gpus: dict[str, str]) -> list[str]:
    """The real one's arguments. Why it is started like this: sampler.py."""
    package = os.path.abspath(__file__)
    for _ in range(4):  # gpucheck/bench/watching/
        package = os.path.dirname(package)
    paths = [package, *(path for path in sys.path if os.path.isabs(path))]
    return [sys.executable, "-I", "-S", "-c", _BOOT, os.pathsep.join(paths), json.dumps(gpus)]


class SamplerProcess:
    """One child process.

    Parameters
    ----------
    take: called with each line that is a JSON object, in a thread of its own. What it raises costs that line alone.
    ended: called once, when no more lines will come, with the reason.
    """

    def __init__(
        self,
        argv: list[str],
        environ: Union[dict[str, str], None],
        take: Callable[[dict[str, Any]], None],
        ended: Callable[[Gap], None],
    ) -> None:
        self._argv, self._environ, self._take, self._ended = argv, environ, take, ended
        self._process: Union[subprocess.Popen[bytes], None] = None

    @property
    def pid(self) -> Union[int, None]:
        return self._process.pid if self._process else None

    def start(self) -> Union[Gap, None]:
        """Start it. Gives the reason where that cannot be."""
        flags: dict[str, Any] = {"start_new_session": True}  # a Ctrl-C at the terminal is the parent's business
        if sys.platform == "win32":
            flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        pipe, began = subprocess.PIPE, time.perf_counter()
        try:
            self._process = subprocess.Popen(
                self._argv,
                bufsize=0,
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL,
                env=self._environ,
                **flags,
            )
        except (OSError, ValueError) as error:
            return Gap(f"the sampler could not be started: {error}")
        threading.Thread(target=self._read, args=(self._process, began), daemon=True).start()
        return None

    def send(self, line: str) -> None:
        """Nothing is told of a child that is gone: its end is heard elsewhere."""
        with suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin:
                self._process.stdin.write(line.encode("ascii"))

    def close(self) -> None:
        """End it: at most half a second. One that hangs in a driver's D state is not waited for."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(0.25)
        except subprocess.TimeoutExpired:
            with suppress(OSError, subprocess.TimeoutExpired):
                process.kill()
                process.wait(0.25)

    def _read(self, process: subprocess.Popen[bytes], began: float) -> None:
        assert process.stdout is not None
        told = self._lines(process, began)
        with suppress(OSError):
            process.stdout.close()
        code = None
        if told is None:  # its end: how?
            with suppress(subprocess.TimeoutExpired, OSError):
                code = process.wait(1.0)
        self._ended(Gap(told or ending(code), "crashed"))

    def _lines(self, process: subprocess.Popen[bytes], began: float) -> Union[str, None]:
        """Take lines until the end. Gives the reason for which the rest is not believed."""
        assert process.stdout is not None
        with suppress(OSError, ValueError), open(process.stdout.fileno(), "rb", closefd=False) as pipe:
            while line := pipe.readline(_MOST_LINE):
                with suppress(ValueError, RecursionError):
                    told = json.loads(line)
                    if not isinstance(told, dict):
                        continue
                    if told.get("stage") == "hello" and not _same_clock(told.get("time"), began):
                        return "the sampler's clock is not this process'"
                    with suppress(Exception):  # one line that is not as it must be costs itself alone
                        self._take(told)
        return None


def _same_clock(told: Any, began: float) -> bool:
    return isinstance(told, float) and began - _CLOCK_SLACK <= told <= time.perf_counter() + _CLOCK_SLACK
