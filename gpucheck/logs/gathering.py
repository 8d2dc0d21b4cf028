"""Pages -> clues: which line is which message. The one place where reading, sieve and messages meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from gpucheck.facts.log import Clue, Log, LogFile
from gpucheck.logs.messages import Message
from gpucheck.logs.reading import Page, Pages, span, text_of
from gpucheck.logs.sieve import Sieve

_MOST_ALIKE = 20  # clues of one message with different values
_MOST_TEXT = 400
_MOST_VALUE = 200

Values = tuple[tuple[str, str], ...]


class Gathering:
    """Gathers the clues of one or several logs, as their bytes come.

    messages: others than all that gpucheck knows.
    """

    def __init__(self, messages: Union[Sequence[Message], None] = None) -> None:
        if messages is None:
            from gpucheck.logs.messages import messages as every

            messages = every()
        self._order = {message.name: at for at, message in enumerate(messages)}
        self._speak: dict[bytes, list[Message]] = {}
        for message in messages:
            for needle in message.needles:
                self._speak.setdefault(needle.encode(), []).append(message)
        self._sieve = Sieve(needle for message in messages for needle in message.needles)
        self._files: list[LogFile] = []
        self._clues: dict[str, dict[Values, Clue]] = {}
        self._first: list[tuple[str, Values]] = []
        self._path = "-"
        self._pages = Pages()

    def begin(self, path: str) -> None:
        """The next log. path: how it is called in findings, "-" for standard input."""
        self._path, self._pages = path, Pages()

    def feed(self, data: bytes) -> None:
        """More of the log that was begun."""
        for page in self._pages.feed(data):
            self._take(page)

    def end(self) -> None:
        """That log has no more."""
        for page in self._pages.end():
            self._take(page)
        self._files.append(self._pages.about(self._path))

    @property
    def log(self) -> Log:
        """What is known by now."""
        return Log(tuple(self._files), tuple(self._clues[name][values] for name, values in self._first))

    @property
    def different(self) -> int:
        """How many clues that differ there are by now."""
        return len(self._first)

    def read(self, path: str, chunks: Iterable[bytes]) -> None:
        """A whole log."""
        self.begin(path)
        for chunk in chunks:
            self.feed(chunk)
        self.end()

    def _take(self, page: Page) -> None:
        counted, line = 0, page.line
        for (start, end), messages in sorted(self._hits(page).items()):
            line += page.data.count(b"\n", counted, start)
            counted = start
            text = text_of(page.data[start:end])
            for message in sorted(messages, key=lambda one: self._order[one.name]):
                found = message.read(text)
                if found is not None:
                    self._note(message, found.items(), text, line)

    def _hits(self, page: Page) -> dict[tuple[int, int], set[Message]]:
        """Lines that hold needles, and the messages that each of them may be."""
        data = page.data
        hits: dict[tuple[int, int], set[Message]] = {}
        for needle in self._sieve.needles_in(data):
            at = data.find(needle, max(0, page.seen - len(needle) + 1))
            while at >= 0:
                place = span(data, at, len(needle))
                hits.setdefault(place, set()).update(self._speak[needle])
                at = data.find(needle, place[1])
        return hits

    def _note(self, message: Message, found: Iterable[tuple[str, str]], text: str, line: int) -> None:
        values = tuple(sorted((name, str(value)[:_MOST_VALUE]) for name, value in found))
        alike = self._clues.setdefault(message.name, {})
        clue = alike.get(values)
        if clue is not None:
            alike[values] = clue._replace(times=clue.times + 1)
        elif len(alike) < _MOST_ALIKE:
            alike[values] = Clue(message.name, values, _shown(text, message), self._path, line, 1)
            self._first.append((message.name, values))


def _shown(text: str, message: Message) -> str:
    """The line, or of a long one the part around what was recognised."""
    if len(text) <= _MOST_TEXT:
        return text
    at = min((found for needle in message.needles if (found := text.find(needle)) >= 0), default=0)
    start = max(0, min(at - 80, len(text) - _MOST_TEXT + 2))
    return ("…" if start else "") + text[start : start + _MOST_TEXT - 2] + "…"
