"""Which needles a page can hold. Of an innocent log nothing is looked at twice.

There are a thousand needles, and a page cannot be searched for each of them. But a log says the same again and again,
with other numbers. So lines are compared by their shape (no digits, no bars, blanks for the other signs), and a shape
is looked at once in a log; of a new shape each word is looked at once. What is done to every page is one translation,
one split and one set, at some hundred megabytes a second.

Each needle has a key, its longest word: a line that holds a needle has the key in its shape. A needle without a word of
`LEAST` letters has none, and every page is searched for it; a few are no matter.
"""

from __future__ import annotations

from collections.abc import Iterable

LEAST = 3
_DROPPED = b"0123456789.=>-\b" + bytes(range(0x80, 0x100))  # numbers, progress bars; needles are ASCII
_LETTERS = b"_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHAPE = bytes(sign if sign in _LETTERS else ord("\n" if sign in b"\r\n" else " ") for sign in range(256))
_MOST = 100_000  # lines and words that are remembered; a log that says more is slower, not larger
_LONG = 2000  # bytes of a shape that are remembered


def key_of(needle: bytes) -> bytes:
    """The longest word of a needle's shape; empty where that is short."""
    key = max(needle.translate(_SHAPE, _DROPPED).split(), key=len, default=b"")
    return key if len(key) >= LEAST else b""


class Sieve:
    """Finds needles in the pages of a log."""

    def __init__(self, needles: Iterable[str]) -> None:
        keyed: dict[bytes, list[bytes]] = {}
        for needle in dict.fromkeys(needles):
            data = needle.encode("ascii")
            keyed.setdefault(key_of(data), []).append(data)
        self._anywhere = tuple(keyed.pop(b"", ()))
        self._keyed = keyed
        self._lines: set[bytes] = set()  # shapes without a key
        self._words: set[bytes] = set()  # words without a key

    def needles_in(self, page: bytes) -> tuple[bytes, ...]:
        """The needles that the page may hold; for most pages none."""
        lines = set(page.translate(_SHAPE, _DROPPED).split(b"\n"))
        lines -= self._lines
        keys = self._keys_in(lines) if lines else []
        self._lines |= _without(keys, (line for line in lines if len(line) < _LONG))
        if len(self._lines) > _MOST:
            self._lines.clear()
        keyed = (needle for key in keys for needle in self._keyed[key])
        return tuple(needle for needle in (*keyed, *self._anywhere) if needle in page)

    def _keys_in(self, lines: Iterable[bytes]) -> list[bytes]:
        words = set(b" ".join(lines).split())
        words -= self._words
        text = b" ".join(words)
        keys = [key for key in self._keyed if key in text]
        self._words |= _without(keys, words)
        if len(self._words) > _MOST:
            self._words.clear()
        return keys


def _without(keys: list[bytes], texts: Iterable[bytes]) -> set[bytes]:
    left = set(texts)
    for key in keys:
        left = {text for text in left if key not in text}
    return left
