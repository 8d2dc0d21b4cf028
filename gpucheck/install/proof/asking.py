"""The parent's end of prover.py: start it in the new interpreter, wait under a deadline, end it with its descendants.

Output goes to files, not to pipes: a child of the child that holds a pipe open, or a flood of log lines, delays nobody.
No judgement here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, NamedTuple, Union

from gpucheck.host.waiting import ending, wait
from gpucheck.install.errors import Failed

PROVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "prover.py")
_WINDOWS = sys.platform == "win32"
_MOST = 8 << 20  # bytes of output that are read


class Said(NamedTuple):
    """What a child left behind. end: "" where it came to its own end with code 0, else how it ended, in words.

    lines: its JSON objects. out: its standard output as it is. errors: its standard error.
    """

    end: str
    hung: bool
    lines: tuple[dict[str, Any], ...]
    out: str
    errors: str

    def stage(self, name: str) -> Union[dict[str, Any], None]:
        """The first line of that stage."""
        return next((line for line in self.lines if line.get("stage") == name), None)

    def stages(self, name: str) -> tuple[dict[str, Any], ...]:
        return tuple(line for line in self.lines if line.get("stage") == name)

    @property
    def doing(self) -> str:
        """What it had begun when it ended; "" where that had come to its end, too."""
        last = self.lines[-1] if self.lines else {}
        return str(last.get("what")) if last.get("stage") == "begin" else ""

    @property
    def words(self) -> str:
        """How it ended, with its last word: for a user."""
        last = [line.strip() for line in self.errors.splitlines() if line.strip()]
        return f"{self.end}: {last[-1][:400]}" if self.end and last else self.end


class Child:
    """One running program. `said` waits for it; `kill` may be called at any time, and twice."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], seconds: float, room: str) -> None:
        """seconds: from now. room: an existing folder for its output and its working folder, removed by the caller."""
        self._limit = seconds
        self._end = time.monotonic() + seconds
        self._failure = ""
        self._process: Union[subprocess.Popen[bytes], None] = None
        self._killed = False
        self._out: IO[bytes] = tempfile.TemporaryFile(dir=room)  # noqa: SIM115 - closed when read
        self._errors: IO[bytes] = tempfile.TemporaryFile(dir=room)  # noqa: SIM115
        flags: dict[str, Any] = {"start_new_session": True}
        if _WINDOWS:
            flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._errors,
                env=dict(environ),
                cwd=room,
                **flags,
            )
        except (OSError, ValueError) as error:
            self._failure = f"{argv[0]} could not be run ({getattr(error, 'strerror', None) or error})"

    def said(self) -> Said:
        """Wait for its end, at most to its deadline; then it is killed."""
        hung = False
        if self._process is not None:
            try:
                wait(self._process, max(0.0, self._end - time.monotonic()))
            except subprocess.TimeoutExpired:
                hung = True
            self.kill()  # what it has left running, too
        end = f"no answer within {self._limit:.0f} s" if hung else self._failure or self._ending()
        out = _text(self._out)
        return Said(end, hung, _objects(out), out, _text(self._errors))

    def _ending(self) -> str:
        code = self._process.poll() if self._process is not None else None
        if code is None or code >= 0:
            return f"it ended with {ending(code)}" if code else ""
        try:
            return f"it died of {signal.Signals(-code).name}"
        except ValueError:
            return f"it died of signal {-code}"

    def kill(self) -> None:
        """End it and its descendants, now. Not waited for: in a driver's D state no signal reaps it."""
        process = self._process
        if process is None or self._killed:
            return
        self._killed = True
        with suppress(OSError):
            if _WINDOWS:
                _kill_tree(process.pid)
            else:
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)


class Prover:
    """Runs the prover in one interpreter under one total deadline; on leaving, all that still runs is killed."""

    def __init__(self, python: str, environ: Mapping[str, str], deadline: float) -> None:
        """deadline: seconds from now, for all questions together."""
        # The children work in another folder. Not resolved: an environment's python is a link out of it.
        self.python = os.path.abspath(python) if os.path.dirname(python) else python
        self.bytecode = not environ.get("PYTHONDONTWRITEBYTECODE")  # -I would overlook it
        self.environ = dict(environ)
        self._end = time.monotonic() + deadline
        self._children: list[Child] = []
        # A child writes where its home or temporary folder is, not into the environment that it examines.
        try:
            self._room = tempfile.TemporaryDirectory(prefix="gpucheck-proof-", ignore_cleanup_errors=True)
        except OSError as error:
            raise Failed(f"the proof has no room for its temporary files: {error.strerror}") from error

    @property
    def room(self) -> str:
        """An empty folder that is gone afterwards."""
        return self._room.name

    def ask(
        self,
        command: str,
        limit: float,
        environ: Union[Mapping[str, str], None] = None,
        isolated: bool = True,
        /,
        **told: Any,
    ) -> Child:
        """Start prover.py with this command. limit: seconds. isolated: python -I. told: the command's arguments."""
        options = [*(["-I"] if isolated else []), *([] if self.bytecode else ["-B"])]
        return self.run((self.python, *options, PROVER, command, json.dumps(told)), limit, environ)

    def run(self, argv: Sequence[str], seconds: float, environ: Union[Mapping[str, str], None] = None) -> Child:
        """Start any program."""
        left = max(0.0, self._end - time.monotonic())
        child = Child(argv, self.environ if environ is None else environ, min(seconds, left), self.room)
        self._children.append(child)
        return child

    def __enter__(self) -> Prover:
        return self

    def __exit__(
        self,
        kind: Union[type[BaseException], None],
        error: Union[BaseException, None],
        trace: Union[TracebackType, None],
    ) -> None:
        for child in self._children:
            child.kill()
        self._room.cleanup()


def _text(file: IO[bytes]) -> str:
    """Read a bounded file that a child wrote through the same open file, and close it."""
    if file.closed:
        return ""
    with file:
        file.seek(0)
        return file.read(_MOST).decode("utf-8", "backslashreplace")


def _objects(text: str) -> tuple[dict[str, Any], ...]:
    found = []
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):  # a .pth file or sitecustomize that prints
            value = json.loads(line)
            if isinstance(value, dict):
                found.append(value)
    return tuple(found)


def _kill_tree(pid: int) -> None:
    import psutil

    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for one in [*parent.children(recursive=True), parent]:
            with suppress(psutil.Error):
                one.kill()
