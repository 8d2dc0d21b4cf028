"""Programs that may hang or crash, on Windows: run apart, under a deadline, ended with their descendants.

children.py does the same for POSIX. Windows knows no fork, so each script has an interpreter of its own; its pipes
cannot be polled, so threads read them; and what a program starts is ended with it through a job object.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any, Union

from gpucheck.host import Answer, Child
from gpucheck.host.waiting import wait

_MOST_OUTPUT = 4 << 20
_MOST_ERRORS = 16 << 10
_SECONDS_FOR_PIPES = 0.3  # a grandchild may hold the pipes of a child that has ended
_SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "probes", "children")
_NO_WINDOW = 0x08000000  # CREATE_NO_WINDOW: a console of its own that nobody sees, and no Ctrl-C from ours
_KILL_ON_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation


class Job:
    """A job object (Microsoft, "Job Objects"): closed, it ends the processes in it and all that they started.

    Where Windows refuses one, the program itself is still ended.

    process: None for this one. Whatever it starts from now on ends with it then, even where TerminateProcess ends it.
    """

    def __init__(self, process: Union[subprocess.Popen[bytes], None]) -> None:
        import ctypes

        self._process = process
        self._kernel: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
        self._kernel.CreateJobObjectW.restype = ctypes.c_void_p
        self._handle: Union[int, None] = self._kernel.CreateJobObjectW(None, None)
        if not self._handle:
            return
        # JOBOBJECT_EXTENDED_LIMIT_INFORMATION: two 64-bit times, then LimitFlags; 144 bytes, on 32 bits 112.
        limits = ctypes.create_string_buffer(144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112)
        ctypes.c_uint32.from_buffer(limits, 16).value = _KILL_ON_CLOSE
        job, size = ctypes.c_void_p(self._handle), len(limits)
        self._kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, limits, size)
        number = -1 if process is None else int(process._handle)  # type: ignore[attr-defined,unused-ignore]
        self._kernel.AssignProcessToJobObject(job, ctypes.c_void_p(number))  # -1: GetCurrentProcess

    def end(self) -> None:
        """End everything in it; nothing is waited for."""
        if self._handle:
            import ctypes

            job, self._handle = ctypes.c_void_p(self._handle), None
            self._kernel.TerminateJobObject(job, 1)
            self._kernel.CloseHandle(job)
        with suppress(OSError):
            if self._process is not None:
                self._process.kill()


class _Stream:
    """One pipe, read by a thread, kept to a bound (the end of it with `tail`)."""

    def __init__(self, pipe: Any, most: int, tail: bool = False) -> None:
        self.data = b""
        self._pipe, self._most, self._tail = pipe, most, tail
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with suppress(OSError, ValueError), self._pipe:
            while piece := os.read(self._pipe.fileno(), 1 << 16):
                if self._tail:
                    self.data = (self.data + piece)[-self._most :]
                elif len(self.data) < self._most:
                    self.data += piece

    def text(self) -> str:
        return self.data.decode("utf-8", "surrogateescape")


class _Running:
    """One child. Raises OSError where it cannot be started."""

    def __init__(self, argv: list[str], environ: dict[str, str], end: float) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environ, creationflags=_NO_WINDOW
        )
        self._job = Job(self._process)
        self._end = end
        self._output = _Stream(self._process.stdout, _MOST_OUTPUT)
        self._errors = _Stream(self._process.stderr, _MOST_ERRORS, tail=True)
        self._answered: Union[Answer, None] = None

    def answer(self) -> Answer:
        if self._answered is None:
            self._answered = self._answer()
            self._job.end()
        return self._answered

    def _answer(self) -> Answer:
        try:
            code: Union[int, None] = wait(self._process, max(0.0, self._end - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = None
        for stream in (self._output, self._errors):
            stream.thread.join(_SECONDS_FOR_PIPES if code is not None else 0)
        lines = tuple(line for line in self._output.text().splitlines() if line.strip())
        return Answer("deadline" if code is None else "exit", code, lines, self._errors.text())

    def close(self) -> None:
        self._job.end()


class Children:
    """All children of one look at a machine, under one total deadline of `timeout` seconds from now."""

    def __init__(self, timeout: float, environ: dict[str, str]) -> None:
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        # Without it no program starts that asks Windows for random numbers, Python among them.
        root = {"SYSTEMROOT": os.environ["SYSTEMROOT"]} if "SYSTEMROOT" in os.environ else {}
        self._environ = {**root, **environ}
        self._running: dict[str, _Running] = {}
        self._failures: dict[str, str] = {}

    def start(self, *children: Child) -> None:
        """Start those that do not run yet."""
        for child in children:
            if child.name in self._running:
                continue
            end = min(self._end, time.monotonic() + self._timeout * child.share)
            try:
                self._running[child.name] = _Running(self._argv(child), self._environ, end)
            except (OSError, ValueError) as error:  # no such file, no program for this Windows, a zero byte in a word
                self._failures[child.name] = getattr(error, "strerror", None) or str(error)

    def _argv(self, child: Child) -> list[str]:
        if child.script is None:
            return [self._program(child.argv[0]), *child.argv[1:]]
        # -I -S: neither a sitecustomize nor a PYTHON* variable of the examined environment runs in our own child.
        # A virtual environment's python.exe only starts another one, which is this.
        python = getattr(sys, "_base_executable", None) or sys.executable
        script = os.path.join(_SCRIPTS, f"{child.script}.py")
        return [python, "-I", "-S", "-X", "utf8", script, *child.argv]

    def _program(self, name: str) -> str:
        r"""A bare name is looked for on PATH; CreateProcess would take one of the current folder before."""
        if any(separator in name for separator in "\\/:"):
            return name
        for folder in self._environ.get("PATH", "").split(";"):
            for ending in ("", ".exe"):
                path = os.path.join(folder.strip('"'), name + ending)
                if os.path.isabs(path) and os.path.isfile(path):
                    return path
        raise FileNotFoundError(2, f"{name} is not on PATH")

    def answer(self, name: str) -> Answer:
        """Wait for it, to its own deadline; ask again and the answer is the same."""
        running = self._running.get(name)
        if running is None:
            return Answer("not-started", None, (), self._failures.get(name, f"no child {name}"))
        return running.answer()

    def close(self) -> None:
        """End what still runs, unasked."""
        for running in self._running.values():
            running.close()
