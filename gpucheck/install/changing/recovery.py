"""What the folders beside an environment mean, and the one next step for each: transaction.py has the whole table.

Used after a crash, after a failure and at an undo alike. The lock is held by whoever calls this.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Literal, NamedTuple, Union

from gpucheck.install.changing import disk, journal
from gpucheck.install.changing.journal import Entry, Journal, Part
from gpucheck.install.changing.steps import discard, give_name, keep, keep_before, look, sweep
from gpucheck.install.changing.undoing import put_away

State = Literal["nothing", "cleared", "undone", "finished", "restored", "kept"]


class Recovered(NamedTuple):
    """What was found and done.

    state: nothing: there was nothing to do. cleared: an unfinished installation was removed, the environment had not
    been touched. undone: an undo was finished. finished: an installation was whole, only its clearing up was missing.
    restored: the old environment was put back. kept: something of the user's is in the way; the words say where the old
    state lies.
    """

    state: State
    words: tuple[str, ...]


_RANK: tuple[State, ...] = ("nothing", "cleared", "undone", "finished", "restored", "kept")


def resolve(env: str, folder: str) -> Recovered:
    """Bring every tree to where it belongs. Done again and again it does nothing more.

    Raises
    ------
    Refused: a newer gpucheck's journal. OSError: a rename was refused.
    """
    told = journal.read(folder)
    if journal.lost(folder):
        told = Journal(last=_last_by_marker(env, folder))
    found = [_step(part, env, folder, told) for part in _ordered(folder)]
    here = look(env)
    last = told.last
    if told.now is not None and here.marker == told.now.name and told.now.phase == "swapping":
        last = told.now._replace(phase="done")
        found.append(Recovered("finished", ()))
    elif last is not None and told.now is not None and told.now.phase == "undoing" and here.marker != last.name:
        last = last if Part("before", last.name) in journal.parts(folder) else None
    cleaned = Journal(last=last)
    if (told.now, told.last) != (None, last) or (last is not None and journal.lost(folder)):
        with suppress(OSError):  # a full disk: the next start does all this again
            journal.write(folder, cleaned)
    sweep(folder)
    found = [one for one in found if one.state != "nothing"]
    worst = max((one.state for one in found), key=_RANK.index, default=_RANK[0])
    return Recovered(worst, tuple(word for one in found for word in one.words))


def _last_by_marker(env: str, folder: str) -> Union[Entry, None]:
    """What can be undone, without a journal. listing-N is there from N's commit until N is undone."""
    name = look(env).marker
    if not name or Part("listing", name) not in journal.parts(folder):
        return None
    return Entry(name, "install", "absent" if journal.marked_as_new(env) else "environment", "done", "")


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
        disk.rename(before, os.path.join(folder, f"undone-{part.name}"))
        disk.sync(folder)
    elif look(env).state == "absent" and os.path.isdir(before):
        give_name(before, env)
    undone = put_away(folder, part.name)
    words = (f"files made after the installation are in {undone.kept}",) if undone.kept else ()
    return Recovered("undone", ("an undo was cut off: it is finished now", *words))


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
        kept = keep(folder, part)
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
        keep_before(folder, part)
        return Recovered("finished", ("the installation was complete: only its clearing up was cut off",))
    surely_new = own or not os.listdir(tree) or (entry is not None and _unmarked_is_new(entry))
    if not surely_new:
        # It may be the old state of an environment that was removed after the exchange.
        kept = keep(folder, part)
        return Recovered(
            "kept", (f"an installation at {env} was cut off; a state that may be the old one lies in {kept}",)
        )
    discard(folder, part)
    return Recovered("cleared", ("an installation was cut off: it is removed, the environment had not been touched",))


def _unmarked_is_new(entry: Entry) -> bool:
    return entry.phase == "building" or entry.was != "environment"


def settle_commit(env: str, folder: str, entry: Entry) -> None:
    """The names have been exchanged: make that last, and note it. No error undoes a commit; the next start goes on."""
    part = Part("work", entry.name)
    with suppress(OSError):
        disk.sync(os.path.dirname(env))
        disk.sync(folder)
        if part in journal.parts(folder):
            keep_before(folder, part)
    with suppress(OSError):
        for one in journal.parts(folder):
            if one.kind in ("before", "listing") and one.name != entry.name:
                discard(folder, one, delete=False)
        journal.write(folder, Journal(last=entry._replace(phase="done")))
