"""What is shown while it runs, on standard error: alive on a terminal, plain lines in a pipe, or nothing.

The stream is handed in, with what it is; whatever becomes of it, the measurement goes on. A phase may last for minutes
(a cold GPU compiles kernels), so its elapsed time moves by itself, in a thread that costs some wake-ups a second.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol, TextIO, Union, cast

from gpucheck.render.bench.amounts import span
from gpucheck.render.text import ascii_only, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

QUIET = 4.0  # seconds between two lines in a pipe, at least
BEAT = 30.0  # and at most, while something goes on


class Progress(Protocol):
    """What the conductor calls."""

    def begin(self, what: str) -> None:
        """A device or a batch size comes next."""

    def phase(self, text: str) -> None:
        """What is done now; it may take minutes."""

    def round(self, n: int, of: Union[int, None], eta_seconds: Union[float, None], so_far: str) -> None:
        """n rounds are done; of: how many there will be at most; so_far: the figure as it stands."""

    def note(self, text: str) -> None:
        """A line that stays."""

    def close(self) -> None:
        """Nothing more comes; the screen is left as it was found. May be called twice."""


class Silent:
    """Says nothing."""

    def begin(self, what: str) -> None: ...

    def phase(self, text: str) -> None: ...

    def round(self, n: int, of: Union[int, None], eta_seconds: Union[float, None], so_far: str) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


class _State(NamedTuple):
    """What there is to tell now. Replaced as a whole: another thread draws it."""

    what: str = ""
    text: str = ""
    since: float = 0.0
    rounds: Union[tuple[int, Union[int, None]], None] = None
    ends: Union[float, None] = None
    so_far: str = ""

    def phase(self, text: str) -> _State:
        return _State(self.what, plain(text), monotonic())

    def round(self, n: int, of: Union[int, None], eta: Union[float, None], so_far: str) -> _State:
        now = monotonic()
        since = now if self.rounds is None else self.since
        return self._replace(since=since, rounds=(n, of), ends=None if eta is None else now + eta, so_far=plain(so_far))

    def told(self) -> str:
        """``batch 64, measuring, round 3 of 12, about 20 s to go, 9.21 times``"""
        words = [self.what, self.text]
        if self.rounds is not None:
            done, of = self.rounds
            left = "" if self.ends is None else f"about {span(self.ends - monotonic())} to go"
            words += [f"round {done}" + (f" of {of}" if of else ""), left, self.so_far]
        return ", ".join(word for word in words if word)


class Lines:
    """For a pipe or a log: a line when something has changed, not more often than `QUIET`, and a sign of life."""

    def __init__(self, stream: TextIO, quiet: float = QUIET, beat: float = BEAT) -> None:
        self._stream, self._quiet, self._beat = stream, quiet, beat
        self._state = _State()
        self._changed = False
        self._last = -beat
        self._closed = False
        self._turn = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="gpucheck-progress", daemon=True)
        self._thread.start()

    def begin(self, what: str) -> None:
        with self._turn:
            self._state = _State(plain(what), since=monotonic())

    def phase(self, text: str) -> None:
        with self._turn:
            self._state = self._state.phase(text)
            self._change()

    def round(self, n: int, of: Union[int, None], eta_seconds: Union[float, None], so_far: str) -> None:
        with self._turn:
            self._state = self._state.round(n, of, eta_seconds, so_far)
            self._change()

    def note(self, text: str) -> None:
        with self._turn:
            self._write(plain(text))

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._turn.notify()
        self._thread.join(timeout=1.0)

    def _change(self) -> None:
        self._changed = True
        self._turn.notify()

    def _watch(self) -> None:
        with self._turn:
            while not self._closed:
                wait = self._last + (self._quiet if self._changed else self._beat) - monotonic()
                if wait > 0 or not (self._changed or self._state.text):
                    self._turn.wait(wait if self._changed or self._state.text else None)
                    continue
                old = "" if self._changed else f" ({span(monotonic() - self._state.since)} so far)"
                self._write(self._state.told() + old)
                self._changed, self._last = False, monotonic()

    def _write(self, line: str) -> None:
        _print(self._stream, f"gpucheck: {line}\n")


def _print(stream: TextIO, line: str) -> None:
    # A reader who has left, a full disk: the measurement is worth more than its progress.
    with suppress(OSError, ValueError):
        try:
            stream.write(line)
        except UnicodeEncodeError:
            stream.write(ascii_only(line))
        stream.flush()


class _Patient:
    """A stream that never complains: rich ends the whole program when its reader has left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> int:
        _print(self._stream, text)
        return len(text)

    def flush(self) -> None:
        _print(self._stream, "")


class Live:
    """For a terminal: one or two lines that move, by rich; they are gone at the end, notes stay."""

    def __init__(self, stream: TextIO, width: Union[int, None], color: bool) -> None:
        from rich.console import Console
        from rich.live import Live as Moving
        from rich.spinner import Spinner

        self._console = Console(
            file=cast(TextIO, _Patient(stream)),
            width=width,
            force_terminal=True,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._state = _State()
        self._closed = False
        self._spinner = Spinner("line", style="cyan")  # ASCII: any terminal has it
        self._moving = Moving(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._moving.start()

    def begin(self, what: str) -> None:
        self._state = _State(plain(what), since=monotonic())

    def phase(self, text: str) -> None:
        self._state = self._state.phase(text)

    def round(self, n: int, of: Union[int, None], eta_seconds: Union[float, None], so_far: str) -> None:
        self._state = self._state.round(n, of, eta_seconds, so_far)

    def note(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(plain(text)), soft_wrap=True)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._moving.stop()

    def _draw(self) -> RenderableType:
        from rich.columns import Columns
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        state = self._state
        elapsed = span(monotonic() - state.since)
        told = state.told()
        grid = Table.grid(padding=(0, 1))
        grid.add_row(self._spinner, Text(f"{told} ({elapsed})" if told else elapsed, overflow="fold"))
        if state.rounds is None or not state.rounds[1]:
            return grid
        done, of = state.rounds
        bar = ProgressBar(total=of, completed=min(done, of or done), width=max(8, min(40, self._console.width - 4)))
        grid.add_row("", Columns([bar]))
        return grid


def start(
    stream: Union[TextIO, None], is_terminal: bool, width: Union[int, None] = None, color: bool = True
) -> Progress:
    """Begin to show progress on a stream.

    Parameters
    ----------
    stream: None: say nothing.
    is_terminal: lines that move, otherwise lines that stay.
    width: columns; None: as wide as the terminal is, which may change.
    """
    if stream is None:
        return Silent()
    return Live(stream, width, color) if is_terminal else Lines(stream)
