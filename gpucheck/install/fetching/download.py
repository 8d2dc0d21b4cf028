"""One file on its way here: taken up where it was cut, hashed as it comes, and told to whoever reads along.

How a server is asked is connection.py's; several files at once are fetch.py's.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Literal, Union

from gpucheck.facts.plan import Package
from gpucheck.install.fetching.connection import Connections, placed
from gpucheck.install.fetching.patience import Patience, Tries
from gpucheck.install.fetching.trouble import Trouble
from gpucheck.install.fetching.wheelhouse import PIECE, bring, digest, held, local, refusal, wrong
from gpucheck.install.indexes.masking import masked
from gpucheck.install.progress import Progress

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

State = Literal["waiting", "running", "done", "failed", "stopped"]
_READ = 256 << 10
# `read` comes back when all of it is there, which halves the work (573 MB: 1.0 s against 1.9 s of `read1`),
# and loses what came where it breaks off: so it is for connections that have proven quick.
_PROVEN = 8 << 20  # bytes
_QUICK = 4 << 20  # bytes a second


class Stopped(Exception):
    """Somebody pressed Ctrl-C, or another file failed. What is there stays, to go on with."""


class Download:
    """One package's file.

    part: where the bytes are gathered. target: where the whole file is put; None: it stays under the name of the part.
    have: bytes that are there. whole: of the file, None until somebody told. turn: grows when it begins anew, as what
    came was not the file. error: why it failed. reading, sent: somebody reads along, and has had so many bytes.
    """

    def __init__(self, package: Package, part: str, target: Union[str, None] = None) -> None:
        self.package, self.part, self.target = package, part, target
        self.state: State = "waiting"
        self.error: Union[BaseException, None] = None
        self.have, self.turn = 0, 0
        self.whole = package.size
        self.reading, self.sent = False, 0
        self.came = 0  # bytes that were downloaded now, not found
        self.changed = threading.Condition()
        self._awaited = sys.maxsize  # bytes for which a reader waits
        self._hash = hashlib.sha256()
        self._told = 0  # bytes that the progress knows of
        self._stop = threading.Event()
        self._answer: Union[BaseHTTPResponse, None] = None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "stopped")

    @property
    def unread(self) -> int:
        return self.have - self.sent

    def await_bytes(self, beyond: int, turn: int) -> int:
        """Wait until more than so many bytes may be read from the part; gives how many. See state and turn after it.

        The last byte is kept back until the hash is known to be right.
        """
        with self.changed:
            while not (self.ended or self.turn != turn or self._readable() > beyond):
                self._awaited = min(self._awaited, beyond)
                self.changed.wait()
            return self._readable()

    def _readable(self) -> int:
        return self.have if self.state == "done" else min(self.have, (self.whole or 0) - 1)

    def stop(self) -> None:
        self._stop.set()
        answer = self._answer
        if answer is not None:
            with suppress(Exception):  # it may end by itself at this moment
                answer.shutdown()
        with self.changed:
            if self.state == "waiting":
                self.state = "stopped"
            self.changed.notify_all()

    def forget(self) -> None:
        """Remove the part: who wanted it has it. At once, so that the system need not write to the disk what is new.
        (Windows keeps a file that is open; the next run goes on with it.)"""
        with suppress(OSError):
            os.unlink(self.part)

    def run(self, connections: Connections, progress: Progress, patience: Patience) -> None:
        """Get the file. Raises nothing: see state and error."""
        self._connections, self._progress, self._patience = connections, progress, patience
        state: State = "failed"
        try:
            if self._stop.is_set():
                raise Stopped
            with self.changed:
                self.state = "running"
            self._get()
            state = "done"
        except Stopped:
            state = "stopped"
        except OSError as error:
            self.error = self._refusal(error)
        except BaseException as error:
            self.error = error
        if state == "done":
            self._tell((self.whole or self.have) - self._told)
        with self.changed:
            self.state = state
            self.changed.notify_all()

    def _get(self) -> None:
        source = local(self.package.url)
        if self.target is not None and self._is_there():
            return
        if source is not None and self.target is not None:
            self.whole = os.stat(source).st_size if os.path.isfile(source) else self.whole
            bring(self.package, source, self.target)
            return
        with held(self.part, self._stop.is_set) as handle:
            if handle is None:
                raise Stopped
            if self.target is not None and self._is_there():  # another gpucheck was quicker
                self.forget()
                return
            with open(handle, "r+b", buffering=0, closefd=False) as file:
                self._take_up(file)
                self._complete(file)
        if self.target is not None:
            self._finish(self.target)

    def _finish(self, target: str) -> None:
        try:
            os.replace(self.part, target)
        except FileNotFoundError:  # another gpucheck has done it in this moment
            if not self._is_there():
                raise

    def _is_there(self) -> bool:
        assert self.target is not None
        if not os.path.isfile(self.target):
            return False
        found = digest(self.target, self._stop.is_set)
        if not found:
            raise Stopped
        if found == self.package.sha256:
            self.whole = self.have = os.stat(self.target).st_size
            return True
        self._progress.note(f"{self.package.file} lies there with other contents: it is replaced")
        return False

    def _take_up(self, file: BinaryIO) -> None:
        """Hash what an earlier run has left."""
        size = os.fstat(file.fileno()).st_size
        if self.whole is not None and size > self.whole:
            file.truncate(0)
        while piece := file.read(PIECE):
            if self._stop.is_set():
                raise Stopped
            self._hash.update(piece)
            self._add(len(piece))

    def _complete(self, file: BinaryIO) -> None:
        """All bytes, with the right hash: a wrong one is given a second chance, from the first byte on."""
        for last in (False, True):
            self._fill(file)
            found = self._hash.hexdigest()
            if found == self.package.sha256:
                return
            failure = wrong(self.package, found, self.have, masked(self.package.url))
            self._anew(file)
            if last:
                self.forget()
                raise failure
            self._progress.note(f"{self.package.file}: what came is not the file that was planned; once more")

    def _anew(self, file: BinaryIO) -> None:
        file.seek(0)
        file.truncate(0)
        self._hash = hashlib.sha256()
        self._tell(-self._told)
        with self.changed:
            self.have, self.turn, self.whole = 0, self.turn + 1, self.package.size
            self.changed.notify_all()

    def _fill(self, file: BinaryIO) -> None:
        """Ask until all is there, with pauses.

        Raises
        ------
        Failed: given up. Stopped.
        """
        tries = Tries(self._patience, self.package.file)
        while self.whole is None or self.have < self.whole:
            before = self.have
            try:
                self._read_on(file)
                if self.whole is None:  # ended properly, and nobody had told the size
                    self.whole = self.have
            except Trouble as trouble:
                if trouble.status == 416 and self.have:  # no byte after these: let the hash decide
                    return
                pause = tries.failed(trouble, self.have, self.have - before, self._connections.answered)
                self._progress.note(f"{self.package.file}: {trouble}; goes on at byte {self.have} in {pause:.1f} s")
                if self._stop.wait(pause):
                    raise Stopped from trouble

    def _read_on(self, file: BinaryIO) -> None:
        """One question, and what comes of it. Raises Trouble where that was not the rest of the file."""
        from urllib3.exceptions import HTTPError

        url = self.package.url
        answer = self._answer = self._connections.get(url, self.have)
        try:
            begin, end, total = placed(answer, self.have)
            self._suspect(answer, total)
            if self.whole is None and total is not None:
                with self.changed:
                    self.whole = total
            self._copy(answer, file, self.have - begin)
            if self.whole is not None and self.have < self.whole:
                more = "" if end is None or end >= self.whole else " (so its headers say)"
                raise Trouble(f"the server ended after {self.have} of {self.whole} bytes{more}")
        except (HTTPError, OSError, ValueError, AttributeError) as error:  # AttributeError: shut down while it reads
            if self._stop.is_set():
                raise Stopped from error
            raise self._connections.trouble(error, url) from error
        finally:
            self._answer = None
            if not answer.closed and answer.length_remaining:
                answer.close()
            answer.release_conn()

    def _copy(self, answer: BaseHTTPResponse, file: BinaryIO, passed: int) -> None:
        """passed: bytes at the beginning that are there already: the server knows no ranges."""
        gathered = bytearray()  # encrypted connections give 16 kB at a time: too little to write, hash and tell of
        begun, came, read = monotonic(), 0, answer.read1
        try:
            while piece := read(_READ, decode_content=False):
                came += len(piece)
                if came > _PROVEN:
                    read = answer.read if came > _QUICK * (monotonic() - begun) else answer.read1
                if self._stop.is_set():
                    raise Stopped
                if passed:
                    passed, piece = max(0, passed - len(piece)), piece[passed:]
                gathered += piece
                if self.whole is not None and self.have + len(gathered) >= self.whole:
                    del gathered[self.whole - self.have :]
                    return
                if len(gathered) >= _READ:
                    self._keep(file, gathered)
                    gathered = bytearray()
        finally:
            if gathered:
                self._keep(file, gathered)

    def _suspect(self, answer: BaseHTTPResponse, total: Union[int, None]) -> None:
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith("text/html") and total != self.package.size:
            host = masked(self.package.url).split("/")[2]
            raise Trouble(
                f"{host} answers with a web page instead of the file: a login page of this network?", again=False
            )

    def _keep(self, file: BinaryIO, piece: bytearray) -> None:
        view = memoryview(piece)
        try:
            while view:
                view = view[file.write(view) :]
        except OSError as error:
            raise self._refusal(error) from error
        self._hash.update(piece)
        self.came += len(piece)
        self._add(len(piece))

    def _add(self, amount: int) -> None:
        with self.changed:
            self.have += amount
            if self.have > self._awaited:  # a thread is not woken for less than it waits for
                self._awaited = sys.maxsize
                self.changed.notify_all()
        self._tell(amount)

    def _tell(self, amount: int) -> None:
        if amount:
            self._told += amount
            self._progress.advance(amount)

    def _refusal(self, error: OSError) -> BaseException:
        return refusal(error, os.path.dirname(self.target or self.part), max(0, (self.whole or 0) - self.have))
