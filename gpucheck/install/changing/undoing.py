"""Going back over a commit, and what becomes of the state after it. Recovery finishes an undo that was cut off."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple, Union

from gpucheck.install.changing import disk, journal, trees
from gpucheck.install.changing.journal import Entry, Journal, Part
from gpucheck.install.changing.steps import discard, give_name, look, sweep
from gpucheck.install.errors import Refused


class Undone(NamedTuple):
    """removed: there was no environment before. kept: the folder with the files that came after the commit, None where
    there were none; files: their paths in it."""

    removed: bool
    kept: Union[str, None]
    files: tuple[str, ...]
    words: tuple[str, ...] = ()


def undo(env: str, folder: str, at_once: bool = True) -> Undone:
    """Raises `Refused`, OSError."""
    last = journal.read(folder).last
    here = look(env)
    name = _of_removed(folder, last) if here.state == "absent" else here.marker
    entry = last if last and last.name == name else None
    removed = not os.path.isdir(os.path.join(folder, f"before-{name}"))
    new = entry is not None and entry.was != "environment"
    if not name or (removed and (here.state == "absent" or not new)):
        raise Refused(_nothing_to_undo(env, folder))
    entry = entry or Entry(name, "install", "environment", "done", "")
    journal.write(folder, Journal(now=entry._replace(phase="undoing"), last=entry))
    _put_back(env, folder, name, at_once)
    undone = put_away(folder, name)
    if entry.was == "empty" and removed:
        with suppress(OSError):
            os.mkdir(env)
    journal.write(folder, Journal())
    sweep(folder)
    return undone._replace(removed=removed)


def _of_removed(folder: str, last: Union[Entry, None]) -> str:
    """The transaction whose environment somebody has removed: of the journal, else of the one state that is kept."""
    kept = [part.name for part in journal.parts(folder) if part.kind == "before"]
    return last.name if last else kept[0] if len(kept) == 1 else ""


def _nothing_to_undo(env: str, folder: str) -> str:
    olds = [os.path.join(folder, str(part)) for part in journal.parts(folder) if part.kind == "before"]
    if not olds:
        return f"there is nothing to undo at {env}: gpucheck keeps no earlier state of it"
    return (
        f"{env} was made anew since gpucheck's installation, and is left alone. The state before that lies in {olds[0]}"
    )


def _put_back(env: str, folder: str, name: str, at_once: bool) -> None:
    before, undone = (os.path.join(folder, f"{kind}-{name}") for kind in ("before", "undone"))
    if look(env).state == "absent":
        give_name(before, env)
        return
    if not os.path.isdir(before):
        disk.rename(env, undone)
    else:
        try:
            if not at_once:
                raise disk.NoExchange
            disk.exchange(env, before)
        except disk.NoExchange:
            disk.rename(env, undone)
            disk.rename(before, env)
        else:
            disk.rename(before, undone)
    disk.sync(os.path.dirname(env))
    disk.sync(folder)


def put_away(folder: str, name: str) -> Undone:
    """Delete the undone tree, but for what was not in it at the commit: that is moved to kept-N."""
    tree, kept = (os.path.join(folder, f"{kind}-{name}") for kind in ("undone", "kept"))
    if os.path.isdir(tree):
        listing = journal.read_listing(folder, name)
        later = _later(tree, listing) if listing is not None else None
        if later is None:  # not known: keep all
            disk.rename(tree, kept)
        else:
            try:
                _move(tree, kept, later)
            except OSError:  # no room for folders: the next start goes on
                return Undone(False, tree, tuple(later))
            discard(folder, Part("undone", name))
    if not os.path.isdir(kept):
        return Undone(False, None, ())
    return Undone(False, kept, tuple(sorted(trees.look(kept))))


def _later(tree: str, listing: trees.Listing) -> list[str]:
    """Files that were made or changed since; not by programs of the environment itself."""
    now = trees.look(tree)
    return [path for path, seen in now.items() if listing.get(path) != seen and not _no_loss(path)]


def _move(tree: str, target: str, paths: list[str]) -> None:
    for path in paths:
        place = os.path.join(target, *path.split("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        disk.rename(os.path.join(tree, *path.split("/")), place)


def _no_loss(path: str) -> bool:
    return path.startswith(".gpucheck/") or path in (".lock", ".gitignore", "CACHEDIR.TAG")
