"""Lines about the logs that were read. Part of `summary`."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.log import Log, LogFile
from gpucheck.render.text import count, shorten


def log_rows(log: Log) -> Iterator[str]:
    """Each file, and how much of it gpucheck knows."""
    for file in log.files:
        yield f"{_name(file.path)}: {_size(file.bytes)}, {count(file.lines, 'line')}, {file.encoding}{_notes(file)}"
    yield f"{count(len(log.clues), 'different message')} that gpucheck knows"


def clue_rows(log: Log) -> Iterator[str]:
    """Every clue: where, how often, what it is, its line."""
    for clue in log.clues:
        often = f" ({clue.times} times)" if clue.times > 1 else ""
        yield f"{_name(clue.file)}:{clue.line}{often} {clue.message}: {shorten(clue.text, 160)}"


def _name(path: str) -> str:
    return "standard input" if path == "-" else path


def _notes(file: LogFile) -> str:
    return "".join(f", {note}" for note in file.notes)


def _size(number: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"
