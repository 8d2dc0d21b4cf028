"""Strings of a machine made fit to be shown. They may be hostile: a GPU's name or a path is someone's choice."""

from __future__ import annotations

from gpucheck.facts.gap import Gap

# For terminals that are not UTF-8: what the renderers themselves use.
_ASCII = str.maketrans({"·": "-", "…": "...", "×": "x", "°": " deg ", "→": "->", "─": "-", "✓": "+", "✗": "x"})


def plain(text: object) -> str:
    """One line without a character that a terminal, a browser or an editor acts on.

    Control characters, escape sequences, changes of writing direction, invisible characters and lone surrogates come
    out as Python writes them: ``\\x1b``, ``\\u202e``; a byte that was no UTF-8 as ``\\xff``.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else _escaped(one) for one in line)


def _escaped(one: str) -> str:
    if "\udc80" <= one <= "\udcff":  # surrogateescape
        return f"\\x{ord(one) - 0xDC00:02x}"
    return one.encode("unicode_escape").decode("ascii")


def shorten(text: str, most: int = 300) -> str:
    """Cut what would fill a screen. Never for a command: half a command is worse than none."""
    return text if len(text) <= most else f"{text[: most - 1]}… ({len(text)} characters)"


def whole(line: str, most: int = 4000) -> str:
    """A line of a fix, as it is or not at all: for formats whose readers refuse what is too long."""
    line = plain(line)
    return line if len(line) <= most else f"# (a line of {len(line)} characters, too long to stand here)"


def ascii_only(text: str) -> str:
    """For an output that cannot hold Unicode: our own signs in ASCII, what is left as ``\\u2026``."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def gib(number: int) -> str:
    """Bytes as GiB: ``23.6 GiB``."""
    return f"{number / (1 << 30):.1f} GiB"


def listed(items: list[str], most: int) -> str:
    """``a, b, c and 4 more``."""
    rest = len(items) - most
    return ", ".join(items) if rest <= 0 else f"{', '.join(items[:most])} and {rest} more"


def count(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say(fact: object) -> str:
    """A fact in a word."""
    if isinstance(fact, Gap):
        return f"unknown ({fact.reason})"
    if fact is None:
        return "none"
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, float):
        return f"{fact:.4g}"
    return str(fact)


def folder_of(path: str) -> str:
    """Of a file's path, Linux's or Windows'."""
    if path.startswith("/"):
        return path.rpartition("/")[0] or "/"
    return path.replace("/", "\\").rpartition("\\")[0] or path
