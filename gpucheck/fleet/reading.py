"""Which files there are, which node each is of, and what is in one: within a bound. Nothing is judged here.

A folder comes from other machines, so its names are anyone's: a link that leads out of it is not followed, a folder
that is a link not entered, and a name is only ever shown.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Union

# A snapshot has 40 kB, a recording some hundred, a bench result up to a few hundred: more is nonsense or an attack. Its
# objects in memory may take twenty times as much (`[{},{},…`).
MOST_BYTES = 4 << 20
MOST_FILES = 200_000

# The last part of a path that says what the file is, not whose: node01/snapshot.json
_NO_NAMES = frozenset(("snapshot", "facts", "gpucheck", "report", "machine", "doctor", "bench", "result", "tmp"))


class Source(NamedTuple):
    """The files of one node: a snapshot, a report or a recording, and perhaps results of bench beside it."""

    node: str
    paths: tuple[str, ...]
    refused: Union[str, None] = None  # why they are not even opened


class Unreadable(Exception):
    """A file is not what a node's file should be; the message says why, for a user."""


def sources(given: Iterable[str]) -> tuple[Source, ...]:
    """All nodes' files, by name. A folder is searched, a file taken whatever it is called.

    Raises
    ------
    OSError: what was given is not there or may not be listed.
    """
    found: dict[str, list[str]] = {}
    made: list[Source] = []
    alone: list[str] = []
    seen: set[str] = set()
    for one in given:
        os.stat(one)
        inside = os.path.isdir(one)
        for path in _files(one) if inside else [one]:
            if path in seen:
                continue
            seen.add(path)
            if len(seen) > MOST_FILES:
                raise OSError(f"more than {MOST_FILES} files")
            if not inside:
                alone.append(path)
            elif os.path.islink(path) and not _within(path, one):
                made.append(Source(path, (path,), "a link that leads out of the folder is not followed"))
            else:
                found.setdefault(node_name(os.path.relpath(path, one)), []).append(path)
    for name, path in _named(alone):
        found.setdefault(name, []).append(path)
    made += [Source(name, tuple(paths)) for name, paths in found.items()]
    return tuple(sorted(made))


def _named(paths: list[str]) -> list[tuple[str, str]]:
    """Single files by their names; by their paths where rack1/n1.json and rack2/n1.json are two machines."""
    names = {path: node_name(os.path.basename(path)) for path in paths}
    plain = [path for path in paths if os.path.basename(path).lower() == f"{names[path].lower()}.json"]
    many = {name for name, count in Counter(names[path] for path in plain).items() if count > 1}
    return [(node_name(path) if name in many else name, path) for path, name in names.items()]


def node_name(path: str) -> str:
    """``rack1/node01.json``, ``rack1/node01/snapshot.json`` and ``rack1/node01.bench.json`` are of rack1/node01."""
    parts = [part for part in path.replace(os.sep, "/").split("/") if part not in ("", ".", "..")]
    if not parts:
        return path
    last = parts.pop()
    last = last[: -len(".json")] if last.lower().endswith(".json") else last
    stem, dot, kind = last.rpartition(".")
    if dot and stem and kind.lower() in _NO_NAMES:
        last = stem
    parts.append(last)
    while len(parts) > 1 and parts[-1].lower() in _NO_NAMES:
        parts.pop()
    return "/".join(parts)


def _files(folder: str) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise error

    for at, _folders, names in os.walk(folder, onerror=fail if not os.listdir(folder) else None):
        for name in names:
            if name.lower().endswith(".json"):
                yield os.path.join(at, name)


def _within(path: str, folder: str) -> bool:
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


def read(path: str) -> dict[str, Any]:
    """The JSON object in a file, or `Unreadable`. A pipe or a device in its place is not waited for."""
    try:
        return parsed(_bytes(path))
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error


def _bytes(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("no regular file")
        if status.st_size > MOST_BYTES:
            raise Unreadable(f"larger than {MOST_BYTES >> 20} MiB")
        return file.read(MOST_BYTES + 1)


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in bytes, or `Unreadable`."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"larger than {MOST_BYTES >> 20} MiB")
    if not data.strip():
        raise Unreadable("empty: nothing was written to it")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except UnicodeDecodeError as error:
        raise Unreadable("no UTF-8 text") from error
    except json.JSONDecodeError as error:
        cut = error.pos >= len(data.rstrip()) - 1 or "Unterminated" in error.msg
        raise Unreadable(f"no JSON{': it ends too early' if cut else ''} (line {error.lineno})") from error
    except ValueError as error:  # a number of thousands of digits
        raise Unreadable("no JSON that could be read: a number is too long") from error
    if not isinstance(document, dict):
        raise Unreadable("no JSON object")
    return document


def file_name(node: str) -> str:
    """A node's name as the name of a file in one folder: nothing in it leads elsewhere."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "_" for one in node)
    return f"{kept.strip('.')[:100] or 'node'}.json"
