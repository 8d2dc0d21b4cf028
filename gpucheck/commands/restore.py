"""What `gpucheck repair` and `undo` do, once their words are understood."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpucheck.commands.dialogue import Words, confirmed, environment_of, progressing, tell, told
from gpucheck.install.errors import Refused
from gpucheck.install.layout import interpreter
from gpucheck.output import write
from gpucheck.render.text import plain

if TYPE_CHECKING:
    from gpucheck.install.changing.records import Damage


def repair(words: Words, thorough: bool = False) -> int:
    """Restore the packages of an environment that are damaged. Gives the exit code."""
    return told(words, lambda words: _repair(words, thorough))


def undo(words: Words) -> int:
    """Bring an environment back to what it was before. Gives the exit code."""
    return told(words, _undo)


def _repair(words: Words, thorough: bool) -> int:
    from gpucheck.install import carrying, cures
    from gpucheck.install.changing import mending, place, repair, transaction
    from gpucheck.install.indexes import settings

    env = place.real(environment_of(words))
    tell(transaction.recover(env).words)
    found = place.check(env, broken=True)
    if found.new:
        raise Refused(f"there is no environment at {env}")
    trouble = mending.trouble(env)
    if trouble is not None:
        tell((trouble,))
    base = mending.base(env) if trouble is not None else None
    state = repair.examine(env, thorough)
    for one in state.damages:
        tell(_damage(one))
    receipt = carrying.receipt_of(env)
    lost = [cure for cure in receipt.proof.cures if not cures.in_place(env, (cure,))] if receipt else []
    for cure in lost:
        tell((f"{cure.what}: it is gone",))
    if state.whole and not lost and base is None:
        write(f"{env}: nothing to repair\n", None)
        return 0
    if state.requirements or state.leftovers or lost or base:
        confirmed(words, f"Install {len(state.requirements)} packages of {env} again?")
        with progressing() as progress:
            sources = settings.read(base or interpreter(env), words.index_urls, words.offline, words.wheelhouse)
            repair.repair(env, sources, progress, state, thorough, [cure.name for cure in lost], base)
        names = [line.split("==")[0].split(" @ ")[0] for line in state.requirements]
        names += ["its Python"] if base else []
        write(f"{env}: restored: {', '.join([*names, *(cure.name for cure in lost)]) or 'leftovers removed'}\n", None)
    tell(state.cannot)
    return 3 if state.cannot else 0


def _damage(damage: Damage) -> tuple[str, ...]:
    """What is wrong with one distribution, in a line."""
    if damage.whole:
        return ()
    if not damage.recorded:
        return (f"{damage.name} {damage.version}: it has no RECORD",)
    files = [*(f"{path} is missing" for path in damage.missing), *(f"{path} was changed" for path in damage.changed)]
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return (f"{damage.name} {damage.version}: {files[0]}{more}",)


def _undo(words: Words) -> int:
    from gpucheck.install.changing import journal, place, transaction

    env = place.real(environment_of(words))
    question = f"Bring {env} back to what it was before gpucheck's last change?"
    if os.path.isdir(journal.beside(env)) and not words.yes and not confirmed(words, question):
        raise Refused("nobody is there to be asked: add --yes")
    undone = transaction.undo(env)
    tell(undone.words)
    lines = [f"{env} is gone: it was new" if undone.removed else f"{env} is what it was before"]
    if undone.kept is not None:
        lines += [f"files that came since are kept in {undone.kept}:", *(f"  {name}" for name in undone.files)]
    write("".join(f"{plain(line)}\n" for line in lines), None)
    return 0
