"""Which files there are, which node each is of, and what is in one: within a bound. Nothing is judged here.

A folder comes from other machines, so its names are anyone's: a link that leads out of it is not followed, a folder
that is a link not entered, and a name is only ever shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Union

from gpucheck import api

# A snapshot has 40 kB, a recording some hundred, a bench result up to a few hundred: more is nonsense or an attack. Its
# objects in memory may take twenty times as much (`[{},{},…`).
MOST_BYTES = 4 << 20
MOST_FILES = 200_000

# The last part of a path that says what the file is, not whose: node01/snapshot.json
_OF_BENCH = frozenset(("bench", "result"))
_NO_NAMES = _OF_BENCH | {"snapshot", "facts", "gpucheck", "report", "machine", "doctor", "tmp"}


class Source(NamedTuple):
    """The files of one node: a snapshot, a report or a recording, and perhaps results of bench beside it."""

    node: str
    paths: tuple[str, ...]
    refused: Union[str, None] = None  # why they are not even opened


class Unreadable(Exception):
    """A file is not what a node's file should be; the message says why, for a user. path: which of a node's files."""

    def __init__(self, why: str, path: Union[str, None] = None) -> None:
        super().__init__(why)
        self.path = path


class _File(NamedTuple):
    """root: the folder that was given, or that the given file lies in. inside: the path from there."""

    root: str
    inside: str
    path: str

    @property
    def node(self) -> str:
        return node_name(self.inside)


def sources(given: Iterable[str]) -> tuple[Source, ...]:
    """All nodes' files, by name. A folder is searched, a file taken whatever it is called.

    Raises
    ------
    OSError: what was given is not there or may not be listed.
    """
    refused: list[Source] = []
    files: dict[str, _File] = {}
    for one in given:
        os.stat(one)
        if not os.path.isdir(one):
            files[one] = _File(*os.path.split(one), one)
            continue
        for path in _files(one, refused):
            if os.path.islink(path) and not _within(path, one):
                refused.append(Source(path, (path,), "a link that leads out of the folder is not followed"))
            else:
                files.setdefault(path, _File(one, os.path.relpath(path, one), path))
            if len(files) + len(refused) > MOST_FILES:
                raise OSError(f"more than {MOST_FILES} files")
    return tuple(sorted((*refused, *_by_node(files.values()))))


def _by_node(files: Iterable[_File]) -> Iterator[Source]:
    """rack1/n1.json and rack2/n1.json are two machines, and called by their paths, whether the files were given or the
    racks. A result of bench may lie elsewhere."""
    roots: dict[str, set[str]] = {}
    for file in files:
        if not _OF_BENCH & set(file.inside.lower().replace(os.sep, "/").replace(".", "/").split("/")):
            roots.setdefault(file.node, set()).add(file.root)
    found: dict[str, list[str]] = {}
    for file in files:
        several = len(roots.get(file.node, ())) > 1
        found.setdefault(node_name(file.path) if several else file.node, []).append(file.path)
    for name, paths in found.items():
        yield Source(name, tuple(paths))


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


def _files(folder: str, refused: list[Source]) -> Iterator[str]:
    """Raises OSError where the folder itself may not be listed; one inside it is a node that cannot be read."""
    os.listdir(folder)

    def fail(error: OSError) -> None:
        path = str(error.filename)
        refused.append(Source(node_name(os.path.relpath(path, folder)), (path,), error.strerror or "not to be listed"))

    for at, _, names in os.walk(folder, onerror=fail):
        for name in names:
            if name.lower().endswith(".json"):
                yield os.path.join(at, name)


def _within(path: str, folder: str) -> bool:
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


def read(path: str) -> dict[str, Any]:
    """The JSON object in a file, or `Unreadable`. A pipe or a device in its place is not waited for."""
    try:
        return parsed(api.read_bytes(path, MOST_BYTES))
    except api.BadFile as error:
        raise Unreadable(str(error)) from error
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error


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
    """A node's name as the name of a file in one folder, without its ending: nothing in it leads elsewhere."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "_" for one in node)
    return kept.strip(".")[:100] or "node"
