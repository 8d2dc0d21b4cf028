"""Bytes of a log as they come -> pages of UTF-8 that end where a line does; and single lines made clean.

Constant memory. A page is a large piece, because what is done to a whole page runs at the speed of memory, and what is
done to a line does not. Nothing here knows what lines mean.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple, Union

from gpucheck.facts.log import LogFile

REACH = 4000  # bytes on each side of a needle that its reader sees
_MOST = 1 << 20  # bytes of one line that are kept while its end is awaited
_HEAD = 1024  # bytes that tell the encoding

# Sequences that colour, move the cursor, name the window or make a link; all bounded.
_ANSI = re.compile(
    rb"\x1b(?:\[[0-9:;<=>?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78M])"
)
_COLORS = tuple(b"\x1b[%sm" % number for number in (b"0", b"1", b"31", b"32", b"33", b"36", b"37"))
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Page(NamedTuple):
    """Whole lines, or a piece of a very long one."""

    data: bytes  # UTF-8 as far as the log was
    line: int  # number of its first line
    seen: int  # bytes in front that the page before had, too: where a line is cut, a needle must not be


class Pages:
    """Makes pages of one log; `feed` takes what was read, whatever its size."""

    def __init__(self) -> None:
        self._head = b""
        self._encoding: Union[str, None] = None
        self._decoder: Union[codecs.IncrementalDecoder, None] = None
        self._rest = bytearray()  # of a line whose end has not come yet
        self._seen = 0
        self._line = 1
        self._bytes = 0
        self._ended = True
        self._notes: dict[str, None] = {}

    def feed(self, data: bytes) -> Iterator[Page]:
        """Pages of what is complete by now."""
        self._bytes += len(data)
        if self._encoding is None:
            self._head += data
            if len(self._head) < 4:
                return
            data = self._begin()
        yield from self._paged(self._text(data))

    def end(self) -> Iterator[Page]:
        """What is left: a last line without an end."""
        if self._encoding is None:
            yield from self._paged(self._text(self._begin()))
        yield from self._paged(self._text(b"", final=True))
        if len(self._rest) > self._seen:
            yield self._page(len(self._rest))

    def about(self, path: str) -> LogFile:
        """What there was to read, after `end`."""
        lines = self._line - 1 + (not self._ended)
        return LogFile(path, self._bytes, lines, self._encoding or "utf-8", tuple(self._notes))

    def _begin(self) -> bytes:
        head, self._head = self._head, b""
        self._encoding, mark = encoding_of(head[:_HEAD])
        if self._encoding.startswith("utf-16"):
            self._decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        if head.startswith(b"\x1f\x8b"):
            self._notes["compressed: zcat FILE | gpucheck doctor --log - reads it"] = None
        return head[mark:]

    def _text(self, data: bytes, final: bool = False) -> bytes:
        if self._decoder is not None:
            return self._decoder.decode(data, final).encode("utf-8", "replace")
        if b"\0" in data:
            # What a crashed machine leaves in a file, or UTF-16 that PowerShell wrote after plain text.
            self._notes["binary"] = None
            return data.translate(None, b"\0")
        return data

    def _paged(self, data: bytes) -> Iterator[Page]:
        if not data:
            return
        self._ended = data.endswith(b"\n")
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        cut = cut and len(self._rest) + cut
        self._rest += data
        if cut:
            yield self._page(cut)
        if len(self._rest) > _MOST:
            self._notes["cut lines"] = None
            again = bytes(self._rest[-REACH:])
            yield self._page(len(self._rest))
            self._rest, self._seen = bytearray(again), len(again)

    def _page(self, cut: int) -> Page:
        data, line = bytes(self._rest[:cut]), self._line
        del self._rest[:cut]
        self._line += data.count(b"\n")
        page, self._seen = Page(_uncolored(data), line, self._seen), 0
        return page


def _uncolored(data: bytes) -> bytes:
    if b"\x1b" not in data:
        return data
    for color in _COLORS:  # most sequences are these, and a literal goes ten times faster
        data = data.replace(color, b"")
    return _ANSI.sub(b"", data)


def encoding_of(head: bytes) -> tuple[str, int]:
    """A log's encoding by its first bytes, and how many of them only mark it.

    UTF-16 without a mark is told by its zeros: in a text of mostly ASCII every second byte is one.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(1, len(head) // 2)
    if 0 not in head[:4]:  # plain text, whatever somebody appended to it
        even = odd = 0
    if odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le", 0
    if even > 0.4 * half and odd < 0.1 * half:
        return "utf-16-be", 0
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1", 0
    return "utf-8", 0


_BREAKS = (b"\n", b"\r", b"\b")  # progress bars write over themselves
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\ufeff": ""})


def span(data: bytes, at: int, length: int) -> tuple[int, int]:
    """Where the line around a needle begins and ends in a page; of a very long one, `REACH` bytes on each side."""
    least, most = max(0, at - REACH), min(len(data), at + length + REACH)
    start = max(data.rfind(one, least, at) + 1 for one in _BREAKS) or least
    ends = [end for one in _BREAKS if (end := data.find(one, at + length, most)) >= 0]
    return start, min(ends, default=most)


def text_of(data: bytes) -> str:
    """A line's text: quotes that a word processor curled are straight again, what others put in front is cut."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # A cut may fall into a character.
        text = data.decode("utf-8", "ignore") if len(data) > REACH else data.decode("latin-1")
    return _bare(text.translate(_QUOTES)).strip()


_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_DATE = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
_FRONTS = tuple(
    re.compile(front)
    for front in (
        r"\[(?:rank|default)?\d{1,6}\]:",  # torchrun, JAX
        r"\[\d{1,6},\d{1,6}\]<std(?:err|out)>:",  # mpirun --tag-output
        r"\([\w.]{1,80} pid=\d{1,9}(?:, ip=[\d.]{7,15})?\)",  # Ray
        r"\[pod/[\w./-]{1,200}\]",  # kubectl logs --prefix
        rf"(?:{_DATE}|{_TIME}) [\w.-]{{1,255}} [\w./@-]{{1,80}}\[\d{{1,9}}\]: ",  # journald, syslog
        rf"{_TIME} (?:std(?:err|out) [FP] )?",  # docker logs -t; a node's own file of a pod
        rf"{_DATE} [\w.-]{{1,255}} kernel: ",
        r"[\w.-]{1,60} {1,40}\| ",  # docker compose
    )
)


def _bare(text: str) -> str:
    """A line without what a launcher, a container's log or the journal put in front of it (up to three of them)."""
    for _ in range(3):
        text = text.lstrip()
        front = next((found for one in _FRONTS if (found := one.match(text))), None)
        if front is None:
            break
        text = text[front.end() :]
    return text
