"""Which lines of a page can matter: those that hold a needle. Of an innocent log nothing is looked at line by line.

There are hundreds of needles, and a page cannot be searched for each of them. But a log says the same words again and
again. Each needle has a key, its longest word, and a page whose words hold no key holds no needle. A word is looked at
only once in a log; what is done to each page is one translation, one split and one set.
"""

from __future__ import annotations

from collections.abc import Iterable

# Letters stay, digits vanish (a counter makes no new word), all else parts words. Bytes above ASCII are letters.
_DIGITS = b"0123456789"
_WORDS = bytes(byte if chr(byte).isalpha() or byte == ord("_") or byte >= 0x80 else ord(" ") for byte in range(256))
_MOST_WORDS = 200_000  # remembered; a log that says more different ones is slower, not larger


def key_of(needle: bytes) -> bytes:
    """The longest word of a needle; empty where it has none (an exit code): then every page is searched for it."""
    return max(needle.translate(_WORDS, _DIGITS).split(), key=len, default=b"")


class Sieve:
    """Finds needles in the pages of a log."""

    def __init__(self, needles: Iterable[str]) -> None:
        self._needles: dict[bytes, list[bytes]] = {}
        for needle in dict.fromkeys(needles):
            data = needle.encode()
            self._needles.setdefault(key_of(data), []).append(data)
        self._plain: set[bytes] = set()  # words without a key

    def needles_in(self, page: bytes) -> tuple[bytes, ...]:
        """The needles that the page may hold; for most pages none."""
        words = set(page.translate(_WORDS, _DIGITS).split())
        words -= self._plain
        joined = b" ".join(words)
        keys = [key for key in self._needles if key in joined]
        if len(self._plain) > _MOST_WORDS:
            self._plain.clear()
        self._plain |= {word for word in words if not any(key in word for key in keys)} if keys else words
        return tuple(needle for key in keys for needle in self._needles[key])
