"""Steps that a commit, a recovery and an undo share. Each is a rename, or deletes what nobody needs."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Literal, NamedTuple

from gpucheck.install.changing import disk, journal
from gpucheck.install.changing.journal import Part
from gpucheck.install.errors import Refused


class Here(NamedTuple):
    """What has the environment's name. marker: which transaction made it, "" for none."""

    state: Literal["absent", "empty", "filled"]
    marker: str


def look(env: str) -> Here:
    """Raises `Refused` where the name belongs to a file, OSError."""
    try:
        empty = not os.listdir(env)
    except FileNotFoundError:
        return Here("absent", "")
    except NotADirectoryError:
        raise Refused(f"{env} is a file") from None
    return Here("empty" if empty else "filled", "" if empty else journal.marker(env))


def give_name(tree: str, env: str) -> None:
    """Rename onto a name that is free, or an empty folder's. Raises OSError where something is there."""
    if disk.WINDOWS:
        with suppress(FileNotFoundError):
            os.rmdir(env)
    disk.rename(tree, env)
    disk.sync(os.path.dirname(env))
    with suppress(FileNotFoundError):
        disk.sync(os.path.dirname(tree))


def keep_before(folder: str, part: Part) -> None:
    disk.rename(os.path.join(folder, str(part)), os.path.join(folder, f"before-{part.name}"))
    disk.sync(folder)


def keep(folder: str, part: Part) -> str:
    """Nothing deletes what has this name."""
    kept = os.path.join(folder, f"kept-{part.name}")
    disk.rename(os.path.join(folder, str(part)), kept)
    return kept


def discard(folder: str, part: Part, delete: bool = True) -> None:
    """Take a tree's name away, then delete it; what cannot be deleted now is swept up later."""
    target = os.path.join(folder, f"discarded-{os.urandom(8).hex()}")
    disk.rename(os.path.join(folder, str(part)), target)
    if delete:
        disk.remove(target)


def sweep(folder: str) -> None:
    """Delete what is discarded, listings whose tree is gone, and files that were needed for a moment (a lock with an
    index's login in it)."""
    last = journal.read(folder).last
    ours = {str(part): part for part in journal.parts(folder)}
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(folder)):
            part = ours.get(name)
            stale = part is not None and part.kind == "listing" and not (last and last.name == part.name)
            passing = part is None and name not in journal.LASTING
            if stale or passing or (part is not None and part.kind == "discarded"):
                disk.remove(os.path.join(folder, name))
