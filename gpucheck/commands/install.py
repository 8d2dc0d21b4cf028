"""What `gpucheck install` and `download` do, once their words are understood.

No option is declared here. An installation is a row of steps, each of which can be the last: choose
(pure), lock (the index), plan (rooms), fetch, change (a transaction), prove, commit. Until the commit nothing of the
user's is touched, and without a proof there is none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpucheck import __version__
from gpucheck.commands import arguments
from gpucheck.commands.dialogue import Words, confirmed, page, progressing, tell, told
from gpucheck.commands.plan import Goal, beside_what_stays, facts_of, goal_of, locked, newer, planned, settings_of
from gpucheck.facts.gap import known
from gpucheck.facts.plan import Plan, Room, Target
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.install.errors import Refused
from gpucheck.install.layout import interpreter
from gpucheck.install.shells import activating, command
from gpucheck.output import Unwritable, WrongUsage, check_place, colored, columns, write

if TYPE_CHECKING:
    from gpucheck.install.indexes.locking import Lock
    from gpucheck.install.indexes.settings import Settings
    from gpucheck.render.install.outcome import Where


def install(words: Words) -> int:
    """Choose, plan, install, prove. Gives the exit code."""
    return told(words, _install)


def download(words: Words) -> int:
    """Fetch what `install` would, with its lock. Gives the exit code."""
    return told(words, _download)


# install


def _install(words: Words) -> int:
    _check(words)
    if words.explain is not None:
        return _explain(words)
    goal = None if words.snapshot is not None else goal_of(words)
    facts = facts_of(words, goal)
    settings = settings_of(words, goal)
    lock = locked(words, facts, settings)
    if lock is None:
        return 1
    if goal is not None and not goal.new:
        lock = beside_what_stays(lock, goal, facts, settings)
    plan = planned(words, goal, facts, lock, settings)
    if words.lock is not None:
        write(lock.text, words.lock)
        again = command(("gpucheck", "install", "--from-lock", words.lock))
        tell((f"nothing was installed: {again} installs it",))
    if goal is None or words.dry_run or words.lock is not None:
        _show(plan, words)
        return 0
    return _carry_out(words, goal, facts, plan, settings)


def _check(words: Words) -> None:
    for path in (words.output, words.lock):
        if path is not None:
            check_place(path)
    places = [os.path.realpath(path) for path in (words.output, words.lock) if path is not None]
    if len(set(places)) < len(places):
        raise WrongUsage("--lock and --output need a file each")
    beside = {"--cpu": words.cpu, "--with": words.extras, "--explain": words.explain, "a name": words.names}
    given = [name for name, value in {**beside, "--lock": words.lock}.items() if value]
    if words.from_lock is not None and given:
        raise WrongUsage(f"--from-lock says everything: not together with {given[0]}")
    if words.snapshot is not None and (words.env is not None or words.python is not None):
        raise WrongUsage("--snapshot plans for another machine: not together with --env or --python")
    if words.offline and words.index_urls:
        raise WrongUsage("--offline asks no index: not together with --index-url")
    if words.wheelhouse is not None and not os.path.isdir(words.wheelhouse):
        raise WrongUsage(f"--wheelhouse: there is no folder {words.wheelhouse}")


def _explain(words: Words) -> int:
    """For the Python that would be used, wherever it lies: nothing is installed, so no place is refused."""
    from gpucheck.install.choosing import resolve
    from gpucheck.install.choosing.request import request
    from gpucheck.render.install import json, plan

    asked = request(words.names, words.cpu, words.extras)
    python = arguments.interpreter(words.python)
    if words.env is not None and os.path.exists(interpreter(words.env)):
        python = interpreter(os.path.abspath(words.env))
    goal = None if words.snapshot is not None else Goal("", True, python)
    facts = facts_of(words, goal)
    rows = newer(facts, settings_of(words, goal)).rows
    choice = resolve.choose(facts, asked, rows)
    candidate = resolve.explain(facts, asked, words.explain or "", rows)
    code = 1 if candidate.objections else 0
    # The ways to this very release; where it is in no table, and where it is what is taken, those of the choice.
    known_to_us = any(one.version == candidate.version for one in choice.candidates)
    named = asked._replace(tensorflow=candidate.version.text) if candidate.objections and known_to_us else asked
    routes = resolve.choose(facts, named, rows).routes
    if words.format == "json":
        write(json.explained(candidate, choice, routes, __version__, code), words.output)
    else:
        write(plan.explained(candidate, choice, routes, *page(words)), words.output)
    return code


def _show(plan: Plan, words: Words) -> None:
    from gpucheck.render.install import json
    from gpucheck.render.install import plan as shown

    if words.format == "json":
        write(json.plan(plan), words.output)
    else:
        write(shown.render(plan, *page(words), words.verbose), words.output)


def _beside(lock: Lock) -> str:
    """The lock for a folder that holds its files: it travels with them."""
    from gpucheck.install.indexes import pylock

    choice = lock.choice
    if choice is None or not isinstance(choice.target, Target):
        return lock.text
    return pylock.compose([one._replace(url=one.file) for one in lock.packages], choice, choice.target, lock.notes)


def _carry_out(words: Words, goal: Goal, facts: Snapshot, plan: Plan, settings: Settings) -> int:
    from gpucheck.compat.extras import WITH_KERNEL
    from gpucheck.install import carrying
    from gpucheck.install.changing import depth, rooms
    from gpucheck.install.choosing import reasons
    from gpucheck.render.install import json, outcome
    from gpucheck.render.install import plan as shown

    python = known(facts.python.executable, None) if isinstance(facts.python, Python) else None
    if python is None:
        raise Refused("no Python was found to make the environment from: name one with --python")
    if rooms.short(plan.rooms):
        plan = plan._replace(rooms=_without_cached(plan, goal, python, settings))
    rooms.refuse_short(plan.rooms)
    depth.refuse_deep(goal.env)
    if words.format != "json":
        write(shown.render(plan, columns(), colored(), words.verbose, brief=True), None)
    _ask(words, goal)
    coming = {one.name for one in plan.packages}
    rivals = () if goal.new else reasons.rivals(facts, plan.choice.package)
    names = {*plan.choice.request.extras, *coming}
    job = carrying.Job(
        plan,
        goal.env,
        goal.new,
        python,
        tuple(name for name in rivals if name not in coming),
        _title(plan, goal.env) if names & set(WITH_KERNEL) else None,
    )
    with progressing() as progress:
        receipt = carrying.carry_out(job, settings, progress)
    try:
        if words.format == "json":
            write(json.receipt(receipt), words.output)
        else:
            write(outcome.render(receipt, _where(goal.env), *page(words), words.verbose), words.output)
    except Unwritable as error:
        tell((f"installed and proven in {goal.env}; {error}",))
    if not goal.new and _stands_in(goal.env):
        tell(("this shell stands in the folder as it was before: cd out and in again",))
    return 0


def _stands_in(env: str) -> bool:
    """Is the current folder in an environment that has just been replaced? Shells follow the old one."""
    try:
        return os.path.commonpath((os.path.realpath(os.environ.get("PWD") or os.getcwd()), env)) == env
    except (OSError, ValueError):
        return False


def _without_cached(plan: Plan, goal: Goal, python: str, settings: Settings) -> tuple[Room, ...]:
    """The room that is needed where uv has some of the packages already: asked only where it is tight."""
    from gpucheck.install.changing import rooms
    from gpucheck.install.fetching import warm, wheelhouse
    from gpucheck.install.indexes import uv

    lacking = warm.missing(plan.packages, warm.keys(plan.packages, settings, python), python)
    unpacked = {one.sha256 for one in plan.packages} - {one.sha256 for one in lacking}
    folders = {"downloads": wheelhouse.downloads(), "cache": uv.cache(settings)}
    return rooms.rooms(plan.packages, goal.env, **folders, unpacked=unpacked)


def _ask(words: Words, goal: Goal) -> None:
    """An environment of the user's is changed only with his word; a new one takes nothing away."""
    if not confirmed(words, f"{'Make' if goal.new else 'Change'} {goal.env}?") and not goal.new and not words.yes:
        raise Refused(f"{goal.env} is there already and would be changed: add --yes, or name a new one with --env")


def _title(plan: Plan, env: str) -> str:
    project = os.path.basename(os.path.dirname(env)) or env
    return f"TensorFlow {plan.choice.release} ({project})"


def _where(env: str) -> Where:
    from gpucheck.render.install.outcome import Where

    return Where(env, activating(env), command(("gpucheck", "undo", "--env", env)))


# download


def _download(words: Words) -> int:
    from gpucheck.install.changing import rooms
    from gpucheck.install.fetching import fetch

    if not words.wheelhouse:
        raise Refused("--wheelhouse: an empty name is no folder")
    folder = os.path.abspath(words.wheelhouse)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise Refused(f"cannot make {folder}: {error.strerror or error}") from error
    check_place(os.path.join(folder, "pylock.toml"))
    from gpucheck.install.indexes import settings as sources

    python = arguments.interpreter(words.python)
    goal = None if words.snapshot is not None else Goal("", True, python)
    facts = facts_of(words, goal)
    settings = sources.read(python, words.index_urls)
    lock = locked(words, facts, settings)
    if lock is None:
        return 1
    total = fetch.total(lock.packages) or 0
    rooms.refuse_short((Room("the wheels", folder, total, rooms.free(folder)),))
    with progressing() as progress:
        fetch.fetch(lock.packages, folder, settings, progress)
    write(_beside(lock), os.path.join(folder, "pylock.toml"))
    _show(planned(words, None, facts, lock, settings), words)
    return 0
