"""The parent's end of one worker: start it, ask it, and say in words what became of it. No judgement of numbers here.

Works alike on Windows: threads read the pipes, nothing is selected on. The worker gets a session of its own, so that a
Ctrl-C at the terminal reaches the parent alone, which then ends its workers.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Union

from gpucheck.facts.bench import Failure, FailureKind
from gpucheck.host.waiting import ending, next_of

_MOST_LINE = 4 << 20  # characters: losses and single steps are some kilobytes
_KEPT_WORDS = 12  # last lines of its standard error
_WINDOWS = sys.platform == "win32"
_OUT_OF_MEMORY = (0xC0000017, 0xC000012D)  # ntstatus.h: STATUS_NO_MEMORY, STATUS_COMMITMENT_LIMIT
_KINDS: dict[str, FailureKind] = {
    "memory": "memory",
    "data": "data",
    "no-device": "no-device",
    "unsupported": "unsupported",
    "import": "import",
    "framework": "framework",
}
# Lines that a healthy framework writes, too, and that would look like the cause beside a failure.
_HARMLESS = (
    *("cpu_feature_guard", "onednn", "to enable the following instructions", "to enable them in other operations"),
    *("all log messages before absl", "cudart_stub", "unable to register cu", "attempting to register factory"),
    *("computation placer already registered", "could not find tensorrt", "tf-trt warning", "libnvinfer", "numa node"),
    *("xla::cpu", "device_compiler.cc", "compiled cluster using xla", "service.cc", "donation is not implemented"),
)


class WorkerFailed(Exception):
    """The worker gave no answer, or said why it cannot."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Worker:
    """One worker process. It is dead after the first `WorkerFailed` that was not its own answer (see `alive`)."""

    def __init__(
        self,
        argv: list[str],
        environ: dict[str, str],
        hear: Callable[[str], None] = lambda what: None,
    ) -> None:
        """hear: called from `ask` with what the worker says it begins ("first-step")."""
        self.argv = argv
        self._environ = environ
        self._hear = hear
        self._process: Union[subprocess.Popen[bytes], None] = None
        self._answers: queue.Queue[Union[dict[str, Any], None]] = queue.Queue()
        self._words: deque[str] = deque(maxlen=_KEPT_WORDS)
        self._readers: list[threading.Thread] = []
        self._number = 0
        self._out_of_memory = 0  # how often the kernel had ended a process for that, when this one began
        self._killed = self.alive = False
        self.doing = "start"  # the last command

    @property
    def pid(self) -> Union[int, None]:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it. Raises `WorkerFailed`."""
        flags: dict[str, Any] = {"start_new_session": True}
        if _WINDOWS:
            flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
        pipe = subprocess.PIPE
        self._out_of_memory = _ended_for_memory()
        try:
            self._process = subprocess.Popen(
                self.argv, stdin=pipe, stdout=pipe, stderr=pipe, env=self._environ, **flags
            )
        except (OSError, ValueError) as error:
            reason = f"{self.argv[0]} could not be run: {getattr(error, 'strerror', None) or error}"
            raise WorkerFailed(Failure("import", reason, "start")) from error
        self.alive = True
        self._readers = [threading.Thread(target=one, daemon=True) for one in (self._read_answers, self._read_words)]
        for reader in self._readers:
            reader.start()

    def _read_answers(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with suppress(OSError, ValueError):
            while line := self._process.stdout.readline(_MOST_LINE):
                with suppress(ValueError, RecursionError):  # a library that writes on every descriptor
                    answer = json.loads(line)
                    if isinstance(answer, dict):
                        self._answers.put(answer)
        self._answers.put(None)

    def _read_words(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        with suppress(OSError, ValueError):
            while line := self._process.stderr.readline(1 << 14):
                text = line.decode("utf-8", "backslashreplace").strip()
                if text and not any(one in text.lower() for one in _HARMLESS):
                    self._words.append(text[:400])

    def ask(self, do: str, seconds: float, **arguments: Any) -> dict[str, Any]:
        """Give a command and wait for its answer, at most so many seconds.

        Raises
        ------
        WorkerFailed: it said that it cannot; it hangs (it is killed then); it died.
        """
        self._number += 1
        self.doing = do
        self._send({"number": self._number, "do": do, **arguments}, do)
        end = time.monotonic() + seconds
        while True:
            try:
                answer = next_of(self._answers, max(0.0, min(end - time.monotonic(), threading.TIMEOUT_MAX)))
            except queue.Empty:
                self.kill()
                raise WorkerFailed(self._failure("hang", f"no answer within {seconds:.0f} s", do)) from None
            if answer is None:
                raise WorkerFailed(self._died(do))
            if answer.get("event") == "begin":
                self._hear(str(answer.get("what")))
            if answer.get("number") == self._number:
                break
        if answer.get("ok") is True:
            return answer
        raise WorkerFailed(
            self._failure(_KINDS.get(str(answer.get("kind")), "framework"), str(answer.get("error")), do)
        )

    def _send(self, command: dict[str, Any], do: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise WorkerFailed(self._died(do)) from None

    def _failure(self, kind: FailureKind, message: str, do: str) -> Failure:
        if not self.alive:  # its last words may still be in the pipe
            for reader in self._readers:
                reader.join(0.5)
        return Failure(kind, message, do, tuple(self._words.copy()))

    def _died(self, do: str) -> Failure:
        """Its pipe is closed: how did it end? (Its pipe may close a moment before it is gone.)"""
        assert self._process is not None
        self.alive = False
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        code = self._process.poll()
        self.kill()
        if code is None:
            return self._failure("crash", "it closed its pipe and goes on running", do)
        if code >= 0:
            kind: FailureKind = "memory" if code in _OUT_OF_MEMORY else "crash"
            failure = self._failure(kind, f"it ended with {ending(code)}", do)
            if do in ("start", "open") and failure.detail:  # something of the user's is in Python's way
                return failure._replace(message=f"{failure.message}: {failure.detail[-1]}")
            return failure
        name = _signal_name(-code)
        if -code == getattr(signal, "SIGKILL", 9):
            short = _ended_for_memory() > self._out_of_memory
            why = f"it was killed ({name}){', as memory ran out' if short else ''}"
            return self._failure("memory" if short else "crash", why, do)
        return self._failure("crash", f"it died of {name}", do)

    def kill(self) -> None:
        """End it and its descendants, now. Not waited for: in a driver's D state no signal reaps it."""
        self.alive = False
        process = self._process
        if process is None or self._killed:  # its number may be another's by now
            return
        self._killed = True
        with suppress(OSError):
            if _WINDOWS:
                _kill_tree(process.pid)
            elif process.poll() is None or self._number:
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(OSError, subprocess.TimeoutExpired):
            process.wait(0.5)
        for stream in (process.stdin,):
            with suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()


def _kill_tree(pid: int) -> None:
    import psutil

    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for one in [*parent.children(recursive=True), parent]:
            with suppress(psutil.Error):
                one.kill()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _ended_for_memory() -> int:
    """How many processes the kernel ended for want of memory, so far: on the whole machine, and in this container."""
    count = 0
    for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events"):
        with suppress(OSError, ValueError), open(path, encoding="ascii", errors="replace") as file:
            count += sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return count
