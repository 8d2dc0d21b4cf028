"""One bar in bytes of a known total, on standard error: alive on a terminal, plain lines in a pipe."""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic
from typing import Any, TextIO, Union

from gpucheck.render.install.amounts import size
from gpucheck.render.text import ascii_only, plain

QUIET = 4.0  # seconds between two lines in a pipe, at least


class Lines:
    """For a pipe or a log: a line when a step begins, and how far it is now and then."""

    def __init__(self, stream: TextIO, quiet: float = QUIET) -> None:
        self._stream, self._quiet = stream, quiet
        self._what, self._done, self._last = "", 0, 0.0
        self._total: Union[int, None] = None
        self._turn = threading.Lock()

    def begin(self, what: str, total: Union[int, None] = None) -> None:
        with self._turn:
            self._what, self._total, self._done, self._last = what, total, 0, monotonic()
            self._write(f"{what}{f', {size(total)}' if total else ''}")

    def advance(self, amount: int) -> None:
        with self._turn:
            self._done += amount
            if self._total and monotonic() - self._last >= self._quiet:
                self._last = monotonic()
                self._write(f"{self._what}, {size(self._done)} of {size(self._total)}")

    def note(self, text: str) -> None:
        with self._turn:
            self._write(text)

    def close(self) -> None: ...

    def _write(self, line: str) -> None:
        # A reader who has left costs the progress alone.
        with suppress(OSError, ValueError):
            self._stream.write(ascii_only(f"gpucheck: {plain(line)}\n"))
            self._stream.flush()


class Bar:
    """For a terminal: rich's bar; it is gone at the end, notes stay."""

    def __init__(self, stream: TextIO, color: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            SpinnerColumn,
            Task,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class Amount(DownloadColumn):
            """Nothing where nothing is counted."""

            def render(self, task: Task) -> Text:
                return super().render(task) if task.total else Text()

        class Left(TimeRemainingColumn):
            """How long it will take, or how long it has taken where that cannot be known."""

            def render(self, task: Task) -> Text:
                return super().render(task) if task.total else TimeElapsedColumn().render(task)

        console = Console(file=stream, no_color=not color, highlight=False, markup=False, emoji=False)
        columns = (
            SpinnerColumn("line"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            Amount(),
            Left(compact=True),
        )
        self._console = console
        self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._task: Any = None
        self._bar.start()

    def begin(self, what: str, total: Union[int, None] = None) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(plain(what), total=total)

    def advance(self, amount: int) -> None:
        if self._task is not None:
            self._bar.advance(self._task, amount)

    def note(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(plain(text)), soft_wrap=True)

    def close(self) -> None:
        self._bar.stop()


def start(stream: TextIO, is_terminal: bool, color: bool = True) -> Union[Bar, Lines]:
    """Begin to show progress on a stream. is_terminal: a bar that moves, otherwise lines that stay."""
    return Bar(stream, color) if is_terminal else Lines(stream)
