"""What the folders beside an environment mean, and the one next step for each: transaction.py has the whole table.

Used after a crash, after a failure and at an undo alike. The lock is held by whoever calls this.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Literal, NamedTuple, Union

from gpucheck.install import journal, trees
from gpucheck.install.errors import Refused
from gpucheck.install.journal import Entry, Journal, Part


class Here(NamedTuple):
    """What has the environment's name. marker: which transaction made it, "" for none."""

    state: Literal["absent", "empty", "filled"]
    marker: str


State = Literal["nothing", "cleared", "finished", "restored", "kept"]


class Recovered(NamedTuple):
    """What was found and done.

    state: nothing: there was nothing to do. cleared: an unfinished installation was removed, the environment had not
    been touched. finished: it was whole, only the clearing up was missing. restored: it was put back. kept: something
    of the user's is in the way; the words say where the old state lies.
    """

    state: State
    words: tuple[str, ...]


class Undone(NamedTuple):
    """removed: there was no environment before. kept: the folder with the files that came after the commit, None where
    there were none; files: their paths in it."""

    removed: bool
    kept: Union[str, None]
    files: tuple[str, ...]


_RANK: tuple[State, ...] = ("nothing", "cleared", "finished", "restored", "kept")


def look(env: str) -> Here:
    """Raises `Refused` where the name belongs to a file, OSError."""
    try:
        empty = not os.listdir(env)
    except FileNotFoundError:
        return Here("absent", "")
    except NotADirectoryError:
        raise Refused(f"{env} is a file") from None
    return Here("empty" if empty else "filled", "" if empty else journal.marker(env))


def resolve(env: str, folder: str) -> Recovered:
    """Bring every tree to where it belongs. Done again and again it does nothing more.

    Raises
    ------
    Refused: a newer gpucheck's journal. OSError: a rename was refused.
    """
    told = journal.read(folder)
    found = [_step(part, env, folder, told) for part in _ordered(folder)]
    here = look(env)
    last = told.last
    if told.now is not None and here.marker == told.now.name and told.now.phase == "swapping":
        last = told.now._replace(phase="done")
        found.append(Recovered("finished", ()))
    elif last is not None and told.now is not None and told.now.phase == "undoing" and here.marker != last.name:
        last = last if Part("before", last.name) in journal.parts(folder) else None
    cleaned = Journal(last=last)
    if (told.now, told.last) != (None, last):
        with suppress(OSError):  # a full disk: the next start does all this again
            journal.write(folder, cleaned)
    sweep(folder)
    found = [one for one in found if one.state != "nothing"]
    worst = max((one.state for one in found), key=_RANK.index, default=_RANK[0])
    return Recovered(worst, tuple(word for one in found for word in one.words))


def _ordered(folder: str) -> list[Part]:
    """What bears the user's environment first."""
    order = {"undone": 0, "before": 1, "work": 2}
    return sorted((part for part in journal.parts(folder) if part.kind in order), key=lambda part: order[part.kind])


def _step(part: Part, env: str, folder: str, told: Journal) -> Recovered:
    tree = os.path.join(folder, str(part))
    if not os.path.isdir(tree):  # a step before this one has dealt with it
        return Recovered("nothing", ())
    own = journal.marker(tree) == part.name
    if part.kind == "undone" or (part.kind == "before" and own):
        return _finish_undo(part, env, folder)
    if part.kind == "before":
        return _old_state(part, env, folder)
    return _workplace(part, own, env, folder, told)


def _finish_undo(part: Part, env: str, folder: str) -> Recovered:
    before = os.path.join(folder, f"before-{part.name}")
    if part.kind == "before":
        os.rename(before, os.path.join(folder, f"undone-{part.name}"))
        trees.sync(folder)
    elif look(env).state == "absent" and os.path.isdir(before):
        give_name(before, env)
    undone = put_away(folder, part.name)
    words = (f"files made after the installation are in {undone.kept}",) if undone.kept else ()
    return Recovered("finished", words)


def _old_state(part: Part, env: str, folder: str) -> Recovered:
    """before-N holds what was there before N."""
    here = look(env)
    work = os.path.join(folder, f"work-{part.name}")
    if here.marker == part.name:
        return Recovered("nothing", ())
    if journal.marker(work) == part.name:  # between two renames
        if here.state == "absent":
            give_name(os.path.join(folder, str(part)), env)
            discard(folder, Part("work", part.name))
            return Recovered("restored", ("an installation was cut off at its last step: the old environment is back",))
        discard(folder, Part("work", part.name))
        kept = _keep(folder, part)
        words = (
            f"{env} was made anew after an installation was cut off, and is left alone; its old state lies in {kept}"
        )
        return Recovered("kept", (words,))
    if here.marker and Part("before", here.marker) in journal.parts(folder):  # of an older commit
        discard(folder, part)
    return Recovered("nothing", ())


def _workplace(part: Part, own: bool, env: str, folder: str, told: Journal) -> Recovered:
    here = look(env)
    tree = os.path.join(folder, str(part))
    entry = told.now if told.now is not None and told.now.name == part.name else None
    if not own and here.marker == part.name:  # exchanged: this is the old state
        _keep_before(folder, part)
        return Recovered("finished", ("the installation was complete: only its clearing up was cut off",))
    surely_new = own or not os.listdir(tree) or (entry is not None and _unmarked_is_new(entry))
    if not surely_new:
        # It may be the old state of an environment that was removed after the exchange.
        kept = _keep(folder, part)
        return Recovered(
            "kept", (f"an installation at {env} was cut off; a state that may be the old one lies in {kept}",)
        )
    discard(folder, part)
    return Recovered("cleared", ("an installation was cut off: it is removed, the environment had not been touched",))


def _unmarked_is_new(entry: Entry) -> bool:
    return entry.phase == "building" or entry.was != "environment"


def _keep_before(folder: str, part: Part) -> None:
    os.rename(os.path.join(folder, str(part)), os.path.join(folder, f"before-{part.name}"))
    trees.sync(folder)


def _keep(folder: str, part: Part) -> str:
    """Nothing deletes what has this name."""
    kept = os.path.join(folder, f"kept-{part.name}")
    os.rename(os.path.join(folder, str(part)), kept)
    return kept


def settle_commit(env: str, folder: str, entry: Entry) -> None:
    """The names have been exchanged: make that last, and note it. No error undoes a commit; the next start goes on."""
    part = Part("work", entry.name)
    with suppress(OSError):
        trees.sync(os.path.dirname(env))
        trees.sync(folder)
        if part in journal.parts(folder):
            _keep_before(folder, part)
    with suppress(OSError):
        for one in journal.parts(folder):
            if one.kind in ("before", "listing") and one.name != entry.name:
                discard(folder, one, delete=False)
        journal.write(folder, Journal(last=entry._replace(phase="done")))


def undo(env: str, folder: str, recovered: Recovered, at_once: bool = True) -> Undone:
    """Raises `Refused`, OSError."""
    last = journal.read(folder).last
    here = look(env)
    name = here.marker or (last.name if last and here.state == "absent" else "")
    before = os.path.join(folder, f"before-{name}")
    if here.state != "absent" and (not name or (not os.path.isdir(before) and (last is None or last.name != name))):
        raise Refused(_nothing_to_undo(env, folder, recovered))
    if not os.path.isdir(before) and (here.state == "absent" or (last and last.was == "environment")):
        raise Refused(_nothing_to_undo(env, folder, recovered))
    entry = last if last and last.name == name else Entry(name, "install", "environment", "done", "")
    journal.write(folder, Journal(now=entry._replace(phase="undoing"), last=entry))
    removed = not os.path.isdir(before)
    _put_back(env, folder, name, at_once)
    undone = put_away(folder, name)
    if entry.was == "empty" and removed:
        with suppress(OSError):
            os.mkdir(env)
    journal.write(folder, Journal())
    sweep(folder)
    return undone._replace(removed=removed)


def _nothing_to_undo(env: str, folder: str, recovered: Recovered) -> str:
    olds = [os.path.join(folder, str(part)) for part in journal.parts(folder) if part.kind == "before"]
    if not olds:
        return " ".join((*recovered.words, f"there is nothing to undo at {env}: gpucheck keeps no earlier state of it"))
    return (
        f"{env} was made anew since gpucheck's installation, and is left alone. The state before that lies in {olds[0]}"
    )


def _put_back(env: str, folder: str, name: str, at_once: bool) -> None:
    before, undone = (os.path.join(folder, f"{kind}-{name}") for kind in ("before", "undone"))
    if look(env).state == "absent":
        give_name(before, env)
        return
    if not os.path.isdir(before):
        os.rename(env, undone)
    else:
        try:
            if not at_once:
                raise trees.NoExchange
            trees.exchange(env, before)
        except trees.NoExchange:
            os.rename(env, undone)
            os.rename(before, env)
        else:
            os.rename(before, undone)
    trees.sync(os.path.dirname(env))
    trees.sync(folder)


def put_away(folder: str, name: str) -> Undone:
    """Delete the undone tree, but for what was not in it at the commit: that is moved to kept-N."""
    tree, kept = (os.path.join(folder, f"{kind}-{name}") for kind in ("undone", "kept"))
    if os.path.isdir(tree):
        listing = journal.read_listing(folder, name)
        later = _later(tree, listing) if listing is not None else None
        if later is None:  # not known: keep all
            os.rename(tree, kept)
        else:
            try:
                _move(tree, kept, later)
            except OSError:  # no room for folders: the next start goes on
                return Undone(False, tree, tuple(later))
            discard(folder, Part("undone", name))
    if not os.path.isdir(kept):
        return Undone(False, None, ())
    return Undone(False, kept, tuple(sorted(trees.look(kept))))


def _move(tree: str, target: str, paths: list[str]) -> None:
    for path in paths:
        place = os.path.join(target, *path.split("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.rename(os.path.join(tree, *path.split("/")), place)


def _later(tree: str, listing: trees.Listing) -> list[str]:
    """Files that were made or changed since; not by programs of the environment itself."""
    now = trees.look(tree)
    return [path for path, seen in now.items() if listing.get(path) != seen and not _no_loss(path)]


def _no_loss(path: str) -> bool:
    return path.startswith(".gpucheck/") or path in (".lock", ".gitignore", "CACHEDIR.TAG")


def give_name(tree: str, env: str) -> None:
    """Rename onto a name that is free, or an empty folder's. Raises OSError where something is there."""
    if trees.WINDOWS:
        with suppress(FileNotFoundError):
            os.rmdir(env)
    os.rename(tree, env)
    trees.sync(os.path.dirname(env))
    with suppress(FileNotFoundError):
        trees.sync(os.path.dirname(tree))


def discard(folder: str, part: Part, delete: bool = True) -> None:
    """Take a tree's name away, then delete it; what cannot be deleted now is swept up later."""
    target = os.path.join(folder, f"discarded-{os.urandom(8).hex()}")
    os.rename(os.path.join(folder, str(part)), target)
    if delete:
        trees.remove(target)


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
                trees.remove(os.path.join(folder, name))
