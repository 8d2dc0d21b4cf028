"""Programs that may hang or crash: run apart, under a deadline, killed with their descendants and never waited for.

A process in D state (a sick driver, a dead network disk) is not reaped by any signal, so a killed child is abandoned.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Union

from gpucheck.host import Answer, Child

_MOST_OUTPUT = 4 << 20
_MOST_ERRORS = 16 << 10
_SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "probes", "children")


class _Running:
    """One child and the thread that drains its pipes."""

    def __init__(self, child: Child, environ: dict[str, str], end: float) -> None:
        self.end = end
        self.output = b""
        self.errors = b""
        self.failure: Union[str, None] = None
        self.process: Union[subprocess.Popen[bytes], None] = None
        # The child inherits this environment whole: a library must see what a user's program would see.
        try:
            self.process = subprocess.Popen(
                _command(child),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environ,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self.failure = str(error)
            return
        self.threads = [
            threading.Thread(target=drain, daemon=True) for drain in (self._drain_output, self._drain_errors)
        ]
        for thread in self.threads:
            thread.start()

    def _drain_output(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        handle = self.process.stdout.fileno()
        while piece := _read(handle):
            if len(self.output) < _MOST_OUTPUT:
                self.output += piece

    def _drain_errors(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        handle = self.process.stderr.fileno()
        while piece := _read(handle):
            self.errors = (self.errors + piece)[-_MOST_ERRORS:]

    def answer(self) -> Answer:
        if self.process is None:
            return Answer("not-started", None, (), self.failure or "")
        self.threads[0].join(max(0.0, self.end - time.monotonic()))
        ended: int | None
        try:
            ended = self.process.wait(max(0.01, min(0.5, self.end - time.monotonic())))
        except subprocess.TimeoutExpired:
            ended = None
        if ended is None:
            _kill(self.process)
        else:
            self.threads[1].join(0.05)
        lines = tuple(line for line in self.output.decode("utf-8", "surrogateescape").splitlines() if line.strip())
        errors = self.errors.decode("utf-8", "surrogateescape")
        if ended is None:
            return Answer("deadline", None, lines, errors)
        return Answer("signal", -ended, lines, errors) if ended < 0 else Answer("exit", ended, lines, errors)


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


def _command(child: Child) -> list[str]:
    if child.script is None:
        return list(child.argv)
    # -I -S: neither a sitecustomize nor a PYTHON* variable of the examined environment runs in our own child.
    return [sys.executable, "-I", "-S", os.path.join(_SCRIPTS, child.script + ".py"), *child.argv]


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, 9)
        else:
            process.kill()
    except (OSError, ProcessLookupError):
        pass
    process.returncode = -9  # abandoned: Popen's finaliser neither waits nor complains


class Children:
    """All children of one look at a machine, under one total deadline of `timeout` seconds from now."""

    def __init__(self, timeout: float, environ: dict[str, str]) -> None:
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._environ = environ
        self._running: dict[str, _Running] = {}

    def start(self, child: Child) -> None:
        """Start a child unless one of that name runs already."""
        if child.name not in self._running:
            end = min(self._end, time.monotonic() + self._timeout * child.share)
            self._running[child.name] = _Running(child, self._environ, end)

    def answer(self, name: str) -> Answer:
        """Wait for it, to its own deadline; ask again and the answer is the same."""
        running = self._running.get(name)
        return running.answer() if running else Answer("not-started", None, (), f"no child {name}")
