"""``gpucheck watch``: a stream is passed through as it comes; what it says is explained on standard error.

The stream comes first: no byte is held back, changed or lost, whatever happens to the explaining.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Union

from gpucheck.output import complain

if TYPE_CHECKING:
    from gpucheck.findings import Finding, Report
    from gpucheck.logs.gathering import Gathering

_CHUNK = 64 << 10
_IN, _OUT = 0, 1
_QUIET = 0.5  # seconds without a new message: a program says in many lines what is one matter


def watch(fail: bool = False) -> int:
    """Copy standard input to standard output; tell each settled cause when it was seen, and what is open at the end.

    Ctrl-C is the program's: it is ignored here, and the end of the stream ends this, too. Where nobody reads the output
    any more, this ends, so that the program learns it from its pipe.

    Returns
    -------
    0; with `fail` 1 where a cause was seen that is an error.
    """
    gc.enable()  # a long life, see cli.main
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watcher = _Watcher()
    while True:
        if watcher.since_news() < _QUIET and not _more(_QUIET):
            watcher.tell()
        data = _read()
        if not data or not _pass_on(data):
            return watcher.end(fail)
        watcher.see(data)


def _more(seconds: float) -> bool:
    """Whether the stream goes on within some seconds. Windows cannot tell of a pipe: then by the next piece."""
    try:
        return bool(select.select([_IN], [], [], seconds)[0])
    except (OSError, ValueError):
        return True


def _read() -> bytes:
    try:
        return os.read(_IN, _CHUNK)
    except OSError:  # closed, or a terminal that is gone
        return b""


def _pass_on(data: bytes) -> bool:
    """Whether there is still a reader."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(_OUT, view) :]
        except BlockingIOError:  # the reader made the pipe non-blocking: wait for room
            select.select([], [_OUT], [])
        except OSError:
            return False
    return True


class _Watcher:
    """Explains what it sees. Judging costs more than looking, so it is done only where something new was said."""

    def __init__(self) -> None:
        self._gathering: Union[Gathering, None] = None
        self._different = 0
        self._news: Union[float, None] = None  # when something was said that is not judged yet
        self._told: set[str] = set()
        self._failed = False  # by the last judgement
        self._broken = False

    def since_news(self) -> float:
        """Seconds since something new was said; infinite where that is judged already."""
        return float("inf") if self._news is None else time.monotonic() - self._news

    def see(self, data: bytes) -> None:
        """The next piece of the stream."""
        if not self._broken:
            with self._never_in_the_way():
                self._look(data)

    def tell(self, at_end: bool = False) -> None:
        """Errors at once, what is open or less at the end; each once."""
        self._news = None
        with self._never_in_the_way():
            report = self._judge()
            self._failed = report.verdict == "error"
            for finding in report.findings:
                if finding.name not in self._told and _worth_telling(finding, at_end):
                    self._told.add(finding.name)
                    _say(finding)

    def end(self, fail: bool) -> int:
        """Tell the rest, and give the exit code."""
        if self._gathering is None or self._broken:
            return 0
        with self._never_in_the_way():
            self._gathering.end()
        self.tell(at_end=True)
        return 1 if fail and self._failed else 0

    def _look(self, data: bytes) -> None:
        if self._gathering is None:
            from gpucheck.logs.gathering import Gathering

            self._gathering = Gathering()
            self._gathering.begin("-")
        settled = self.since_news() > _QUIET and self._news is not None
        self._gathering.feed(data)
        if self._gathering.different != self._different:
            self._different = self._gathering.different
            self._news = time.monotonic()
        elif settled:
            self.tell()

    def _judge(self) -> Report:
        from gpucheck import api

        assert self._gathering is not None
        return api.judge_logs(self._gathering.log)

    @contextmanager
    def _never_in_the_way(self) -> Iterator[None]:
        """A fault of the explaining ends the explaining, not the stream."""
        try:
            yield
        except Exception as error:
            self._broken = True
            if os.environ.get("GPUCHECK_TRACEBACK"):
                raise
            complain(f"a fault of gpucheck, watching no further: {type(error).__name__}: {error}")


def _worth_telling(finding: Finding, at_end: bool) -> bool:
    from gpucheck.findings import Severity

    if finding.severity is Severity.ERROR:
        return True
    return at_end and (finding.severity is Severity.WARNING or bool(finding.remaining))


def _say(finding: Finding) -> None:
    from gpucheck.render.text import plain

    lines = [f"gpucheck: {finding.name}: {finding.message}", *(f"    {line}" for line in finding.fix)]
    lines.append(f"    gpucheck explain {finding.name}")
    text = "".join(f"{plain(line)}\n" for line in lines)
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            os.write(sys.stderr.fileno(), text.encode("utf-8", "backslashreplace"))
