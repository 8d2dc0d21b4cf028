"""The folder beside an environment, and the journal in it: what is being done to the environment, and what was done.

The journal is written whole, to another name, made durable and renamed; so it is the old one or the new one after a
power cut. What it means, and why recovery does not hang on it, is said in transaction.py.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Union

from gpucheck.facts.codec import BadFacts, decode, encode
from gpucheck.install.changing import disk, trees
from gpucheck.install.errors import Refused

SCHEMA = "gpucheck.journal/1"
MARKER = os.path.join(".gpucheck", "transaction")  # in an environment: the name of the transaction that made it
Was = Literal["absent", "empty", "environment"]
_TREE = re.compile(r"(work|before|undone|discarded|kept|listing)-([0-9a-f]{16})")
LASTING = frozenset((".gitignore", "journal.json", "lock"))
_MOST_NAME = 200  # bytes; file systems allow 255


class Entry(NamedTuple):
    """One transaction. was: what was there before. made: ISO 8601, UTC."""

    name: str
    what: str  # "install", "repair"
    was: Was
    phase: Literal["building", "swapping", "undoing", "done"]
    made: str


class Journal(NamedTuple):
    """now: under way, or cut off. last: what `undo` goes back over."""

    schema: str = SCHEMA
    now: Union[Entry, None] = None
    last: Union[Entry, None] = None


class Part(NamedTuple):
    """A folder or file of ours beside the environment: "work-0123456789abcdef"."""

    kind: str
    name: str  # of its transaction

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"


def beside(environment: str) -> str:
    """The folder where everything about an environment's transactions lies: in its parent, so on its file system.

    Parameters
    ----------
    environment: the real path, see `place.real`.
    """
    parent, name = os.path.split(environment)
    if len(os.fsencode(name)) > _MOST_NAME:
        import hashlib

        name = (
            f"{os.fsencode(name)[:40].decode('ascii', 'ignore')}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
        )
    return os.path.join(parent, f".{name}.gpucheck")


def make(folder: str) -> None:
    """Make that folder, closed to others. Raises `Refused` where somebody else's thing has its name; OSError."""
    with suppress(FileExistsError):
        os.mkdir(folder, disk.CLOSED)
        with open(os.path.join(folder, ".gitignore"), "w", encoding="ascii") as file:
            file.write("*\n")
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise Refused(f"{folder} is in the way: gpucheck keeps the state before an installation there. Remove it")
    if not disk.WINDOWS and status.st_uid != os.geteuid():
        raise Refused(f"{folder} belongs to another user: an installation as root? Remove it: sudo rm -r '{folder}'")


def unmake(folder: str) -> None:
    """Remove the folder where nothing of worth is in it: by the holder of its lock, which goes with it."""
    with suppress(OSError):
        if set(os.listdir(folder)) <= LASTING:
            for name in sorted(LASTING):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, name))
            os.rmdir(folder)


def unlock(folder: str) -> None:
    """Remove the lock's file that `unmake` had to leave, and the folder with it. Windows: an open file stays until it
    is closed; then another gpucheck may have opened it, and it stays for that one."""
    with suppress(OSError):
        if os.listdir(folder) == ["lock"]:
            os.unlink(os.path.join(folder, "lock"))
            os.rmdir(folder)


def read(folder: str) -> Journal:
    """The journal; an empty one where it is lost.

    Raises
    ------
    Refused: a newer gpucheck wrote it.
    """
    return _load(folder) or Journal()


def lost(folder: str) -> bool:
    """Is there no journal that can be read? Raises `Refused`, as `read` does."""
    return _load(folder) is None


def _load(folder: str) -> Union[Journal, None]:
    try:
        with open(os.path.join(folder, "journal.json"), encoding="utf-8") as file:
            told: Any = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    schema = told.get("schema") if isinstance(told, dict) else None
    if isinstance(schema, str) and schema.startswith("gpucheck.journal/") and schema != SCHEMA:
        raise Refused(f"a newer gpucheck ({schema}) has begun something in {folder}: go on with that version")
    try:
        found: Journal = decode(Journal, told)
    except BadFacts:
        return None
    return found


def write(folder: str, journal: Journal) -> None:
    """Replace the journal; it is on the disk when this returns. Raises OSError, and then the old one is there."""
    part = os.path.join(folder, "journal.part")
    data = json.dumps(encode(journal), indent=1).encode()
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        disk.replace(part, os.path.join(folder, "journal.json"))
    except OSError:
        with suppress(OSError):
            os.unlink(part)
        raise
    disk.sync(folder)


def parts(folder: str) -> tuple[Part, ...]:
    """What of ours lies in the folder."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return ()
    found = (_TREE.fullmatch(name) for name in sorted(names))
    return tuple(Part(match.group(1), match.group(2)) for match in found if match)


def mark(tree: str, name: str, was: Was) -> None:
    """Write into a tree which transaction made it, and in place of what. The file is a new one: trees share files."""
    path = os.path.join(tree, MARKER)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = f"{path}.part"
    with open(part, "w", encoding="ascii") as file:
        file.write(f"{name}\n{was}\n")
    disk.replace(part, path)


def marker(tree: str) -> str:
    """Which transaction made this tree: "" for none of ours. Raises OSError."""
    return (_marked(tree) or [""])[0]


def marked_as_new(tree: str) -> bool:
    """Was there no environment before this one?"""
    return _marked(tree)[1:] in (["absent"], ["empty"])


def _marked(tree: str) -> list[str]:
    """Raises OSError where the file is there and cannot be read: nothing may be decided without it."""
    try:
        with open(os.path.join(tree, MARKER), encoding="ascii") as file:
            return file.read(64).split()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return []


def write_listing(folder: str, name: str, listing: trees.Listing) -> None:
    """Keep what a tree holds at the commit, so that `undo` knows what came later. Raises OSError."""
    with open(os.path.join(folder, f"listing-{name}"), "w", encoding="ascii") as file:
        json.dump({path: list(seen) for path, seen in listing.items()}, file)


def read_listing(folder: str, name: str) -> Union[trees.Listing, None]:
    """None: not there, or not whole."""
    try:
        with open(os.path.join(folder, f"listing-{name}"), encoding="ascii") as file:
            told = json.load(file)
        return {str(path): trees.Seen(*map(int, seen)) for path, seen in told.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
