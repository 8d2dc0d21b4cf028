"""Which needles a page can hold. Of an innocent log nothing is looked at twice.

There are a thousand needles, and a page cannot be searched for each of them. But a log says the same again and again,
with other numbers. So lines are compared by their shape (no digits, no bars, blanks for the other signs), and a shape
is looked at once in a log; of a new shape each word is looked at once. What is done to every page is one translation,
one split and one set, at some hundred megabytes a second.

Each needle has a shape, too, and a key, the longest word of that: a line that holds a needle has both in its own shape.
A needle without a word of `LEAST` letters has no key, and every page is searched for it; a few are no matter.
"""

from __future__ import annotations

from collections.abc import Iterable

LEAST = 3
_DROPPED = b"0123456789.=>-\b" + bytes(range(0x80, 0x100))  # numbers, progress bars; needles are ASCII
_LETTERS = b"_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHAPE = bytes(sign if sign in _LETTERS else ord("\n" if sign in b"\r\n" else " ") for sign in range(256))
_MOST = 50_000  # shapes and words that are remembered; a log that says more is slower, not larger
_LONG = 500  # bytes of what is remembered
_MANY = 2000  # new shapes in one page: a text that does not repeat itself, and is not worth remembering


def shape_of(text: bytes) -> bytes:
    """What is left of lines where numbers do not count."""
    return text.translate(_SHAPE, _DROPPED)


def key_of(needle: bytes) -> bytes:
    """The longest word of a needle's shape; empty where that is short."""
    key = max(shape_of(needle).split(), key=len, default=b"")
    return key if len(key) >= LEAST else b""


class Sieve:
    """Finds needles in the pages of a log."""

    def __init__(self, needles: Iterable[str]) -> None:
        self._shapes: dict[bytes, dict[bytes, bytes]] = {}  # by key: needles and their shapes
        for needle in needles:
            data = needle.encode("ascii")
            self._shapes.setdefault(key_of(data), {})[data] = shape_of(data)
        self._anywhere = tuple(self._shapes.pop(b"", ()))
        self._lines: set[bytes] = set()  # shapes of lines that hold no needle's shape
        self._words: set[bytes] = set()  # words without a key

    def needles_in(self, page: bytes) -> tuple[bytes, ...]:
        """The needles that the page holds; for most pages none."""
        lines = set(shape_of(page).split(b"\n"))
        lines -= self._lines
        found = self._look_at(lines) if lines else {}
        if len(self._lines) > _MOST:
            self._lines.clear()
        return tuple(needle for needle in (*found, *self._anywhere) if needle in page)

    def _look_at(self, lines: set[bytes]) -> dict[bytes, bytes]:
        """The needles that shapes not seen before can stand for. What stands for none is remembered."""
        text = b"\n".join(lines)
        keys = self._keys_in(text)
        found = {needle: shape for key in keys for needle, shape in self._shapes[key].items() if shape in text}
        if len(lines) < _MANY:
            self._lines |= _without(set(found.values()), lines)
        return found

    def _keys_in(self, text: bytes) -> list[bytes]:
        words = set(text.split())
        words -= self._words
        joined = b" ".join(words)
        letters = set(joined)  # a megabyte of one letter holds few keys
        keys = [key for key in self._shapes if letters.issuperset(key) and key in joined]
        self._words |= _without(keys, words)
        if len(self._words) > _MOST:
            self._words.clear()
        return keys


def _without(parts: Iterable[bytes], texts: Iterable[bytes]) -> set[bytes]:
    """What holds none of the parts, and is worth to be remembered."""
    left = {text for text in texts if len(text) < _LONG}
    for part in parts:
        left = {text for text in left if part not in text}
    return left
