"""Programs that may hang or crash: run apart, under a deadline, killed with their descendants and never waited for.

A process in D state (a sick driver, a dead network disk) is not reaped by any signal, so a killed child is abandoned.

The standard library's subprocess would do for one child a time; it is not used on POSIX because its import costs a
third of an interpreter start, and because scripts started together share one interpreter (nursery.py).
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Union

from gpucheck.host import Answer, Child
from gpucheck.host.nursery import SEPARATOR

_MOST_OUTPUT = 4 << 20
_MOST_ERRORS = 16 << 10
_HERE = os.path.dirname(os.path.abspath(__file__))
_SCRIPTS = os.path.join(os.path.dirname(_HERE), "probes", "children")
_START = "import sys; sys.path[:0] = {!r}; import nursery; nursery.main()"
# Between spawning and executing, this whole process stands still (vfork). A program on a disk that does not answer
# would stop it for ever, so it is the shell, which lies on the system's disk, that executes it.
# A file that is neither a binary nor a script with an interpreter is not run: a shell would take it for its own script.
_EXECUTE = ("/bin/sh", "-c", 'IFS= read -r head <"$1"; case $head in "#!"*|?ELF*) exec "$@";; esac; exit 126', "sh")
_NOT_EXECUTED = (126, 127)  # POSIX, "Exit Status for Commands"
_FREE = 10  # lowest number for descriptors that the nursery inherits, clear of 0, 1 and 2


class _Stream:
    """The reading end of a pipe, read without blocking, kept to a bound (the end of it with `tail`)."""

    def __init__(self, most: int, tail: bool = False) -> None:
        self.handle, self.writer = os.pipe()
        os.set_blocking(self.handle, False)
        self.data = b""
        self.open = True
        self._most, self._tail = most, tail

    def read(self) -> None:
        try:
            piece = os.read(self.handle, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.close()
        elif self._tail:
            self.data = (self.data + piece)[-self._most :]
        elif len(self.data) < self._most:
            self.data += piece

    def close(self) -> None:
        if self.open:
            self.open = False
            os.close(self.handle)

    def give_up(self) -> None:
        """Close both ends, whatever is closed already."""
        self.close()
        with suppress(OSError):
            os.close(self.writer)

    def text(self) -> str:
        return self.data.decode("utf-8", "surrogateescape")


class _Process:
    """One spawned program in a session of its own. `failure`: why it could not be started."""

    def __init__(
        self, argv: list[str], environ: dict[str, str], out: int, err: int, inherited: tuple[int, ...] = ()
    ) -> None:
        self.pid = 0
        self.ended: Union[int, None] = None  # exit code, or minus a signal
        self.reaped = False  # by others: nobody tells how it ended
        self.failure: Union[str, None] = None
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_DUP2, err, 2),
        ]
        for handle in inherited:
            os.set_inheritable(handle, True)
        try:
            # Whoever ignores SIGCHLD (trap '' CHLD) passes that on, and then no child's end can be learned.
            ours = [signal.SIGCHLD]
            self.pid = os.posix_spawnp(argv[0], argv, environ, file_actions=actions, setsid=True, setsigdef=ours)
        except (OSError, ValueError, NotImplementedError) as error:
            self.failure = str(error)

    def poll(self) -> bool:
        """Has it ended?"""
        if self.ended is None and self.pid:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else's SIGCHLD handler (a notebook's) reaped it
                self.ended, self.reaped = 0, True
                return True
            if pid:
                self.ended = os.waitstatus_to_exitcode(status)
        return self.ended is not None

    def kill(self) -> None:
        if self.pid and self.ended is None:
            with suppress(OSError):
                os.killpg(self.pid, 9)
            self.poll()


class _Nursery:
    """The process that forks scripts, and what it tells of their ends."""

    def __init__(self, process: _Process, told: _Stream, names: set[str]) -> None:
        self.process = process
        self.told = told
        self._names = names
        self._ends: dict[str, int] = {}

    def ended(self, name: str) -> Union[int, None]:
        """Exit code of one script, minus a signal, or None while it runs."""
        if self.told.open:
            self.told.read()
        for line in self.told.text().splitlines():
            words = line.split(" ")
            # A library that writes on every descriptor may babble here, too.
            if len(words) == 3 and words[0] in self._names and words[1] in ("exit", "signal") and words[2].isdigit():
                self._ends[words[0]] = -int(words[2]) if words[1] == "signal" else int(words[2])
        if len(self._ends) == len(self._names):
            self._reap()
        elif not self.told.open and self.process.poll():
            # It is gone without a word about the rest, and took them along.
            return self._ends.get(name, -9)
        return self._ends.get(name)

    def _reap(self) -> None:
        # It leaves right after its last word; a moment's patience spares a zombie (in a notebook, say).
        for _ in range(50):
            if self.process.poll():
                self.told.close()
                return
            time.sleep(0.001)


class _Running:
    """One child: its streams and the process or nursery that it runs in."""

    def __init__(self, child: Child, end: float) -> None:
        self.name = child.name
        self.end = end
        self.output = _Stream(_MOST_OUTPUT)
        self.errors = _Stream(_MOST_ERRORS, tail=True)
        self.process: Union[_Process, None] = None
        self.nursery: Union[_Nursery, None] = None
        self.answered: Union[Answer, None] = None

    def ended(self) -> Union[int, None]:
        """Exit code, minus a signal, or None while it runs."""
        assert self.process is not None
        if self.nursery is not None:
            return self.nursery.ended(self.name)
        return self.process.ended if self.process.poll() else None

    def answer(self) -> Answer:
        if self.answered is None:  # once: a child that was killed at its deadline has died of a signal when asked again
            self.answered = self._answer()
            for stream in (self.output, self.errors):
                stream.close()
        return self.answered

    def _answer(self) -> Answer:
        assert self.process is not None
        if self.process.failure is not None:
            return Answer("not-started", None, (), self.process.failure)
        ended = self._wait()
        lines = tuple(line for line in self.output.text().splitlines() if line.strip())
        if ended in _NOT_EXECUTED and not lines and self.nursery is None:
            return Answer("not-started", None, (), self.errors.text().strip())
        if ended is None:
            self.process.kill()
            return Answer("deadline", None, lines, self.errors.text())
        if self.nursery is None and self.process.reaped:
            return Answer("exit", None, lines, self.errors.text())
        return Answer("signal" if ended < 0 else "exit", abs(ended), lines, self.errors.text())

    def _wait(self) -> Union[int, None]:
        while True:
            streams = [stream for stream in (self.output, self.errors) if stream.open]
            watched = [*streams, *([self.nursery.told] if self.nursery and self.nursery.told.open else [])]
            left = self.end - time.monotonic()
            # A pipe may outlive the child (a grandchild holds it) and the child may outlive its pipes.
            ready = select.poll()
            for stream in watched:
                ready.register(stream.handle, select.POLLIN)
            ready.poll(max(0, min(left, 0.02 if not streams else 0.2)) * 1000)
            for stream in streams:
                stream.read()
            ended = self.ended()
            if ended is not None:
                for stream in streams:
                    stream.read()
                return ended
            if left <= 0:
                return None


class Children:
    """All children of one look at a machine, under one total deadline of `timeout` seconds from now."""

    def __init__(self, timeout: float, environ: dict[str, str]) -> None:
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._environ = environ
        self._running: dict[str, _Running] = {}
        self._failures: dict[str, str] = {}

    def start(self, *children: Child) -> None:
        """Start those that do not run yet; the scripts among them share one interpreter."""
        fresh = [child for child in children if child.name not in self._running]
        try:
            self._start(fresh)
        except OSError as error:  # no file descriptor or process is left to this user
            for child in fresh:
                running = self._running.pop(child.name, None)
                for stream in (running.output, running.errors) if running else ():
                    stream.give_up()
                self._failures[child.name] = error.strerror or str(error)

    def _start(self, fresh: list[Child]) -> None:
        scripts = [child for child in fresh if child.script is not None]
        for child in fresh:
            end = min(self._end, time.monotonic() + self._timeout * child.share)
            self._running[child.name] = _Running(child, end)
        for child in fresh:
            if child.script is None:
                running = self._running[child.name]
                out, err = running.output.writer, running.errors.writer
                running.process = _Process([*_EXECUTE, *child.argv], self._environ, out, err)
        if scripts:
            self._nurse(scripts)
        for child in fresh:
            for stream in (self._running[child.name].output, self._running[child.name].errors):
                os.close(stream.writer)

    def _nurse(self, scripts: list[Child]) -> None:
        from fcntl import F_DUPFD_CLOEXEC, fcntl

        told = _Stream(_MOST_ERRORS)
        # -I -S: neither a sitecustomize nor a PYTHON* variable of the examined environment runs in our own child.
        argv = [sys.executable, "-I", "-S", "-c", _START.format([_SCRIPTS, _HERE])]
        handles: list[int] = []
        for child in scripts:
            running = self._running[child.name]
            pair = [fcntl(stream.writer, F_DUPFD_CLOEXEC, _FREE) for stream in (running.output, running.errors)]
            handles += pair
            argv += [child.name, str(child.script), *map(str, pair), SEPARATOR.join(child.argv)]
        # What the interpreter itself says (or ld.so, of a broken LD_PRELOAD) is not for the user's terminal.
        words = self._running[scripts[0].name].errors.writer
        process = _Process(argv, self._environ, told.writer, words, tuple(handles))
        for handle in (*handles, told.writer):
            os.close(handle)
        nursery = _Nursery(process, told, {child.name for child in scripts})
        for child in scripts:
            self._running[child.name].process = process
            self._running[child.name].nursery = nursery

    def answer(self, name: str) -> Answer:
        """Wait for it, to its own deadline; ask again and the answer is the same."""
        running = self._running.get(name)
        if running is None:
            return Answer("not-started", None, (), self._failures.get(name, f"no child {name}"))
        return running.answer()

    def close(self) -> None:
        """Kill what still runs, unasked: the user has gone (Ctrl-C), or the probe that would ask hangs elsewhere."""
        for running in self._running.values():
            if running.process is not None and not running.process.poll():
                running.process.kill()
            for stream in (running.output, running.errors, *([running.nursery.told] if running.nursery else ())):
                stream.close()
