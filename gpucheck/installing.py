"""What `gpucheck install` and `download` do, once their words are understood.

No option is declared here. An installation is a row of steps, each of which can be the last: choose
(pure), lock (the index), plan (rooms), fetch, change (a transaction), prove, commit. Until the commit nothing of the
user's is touched, and without a proof there is none.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple, Optional

from gpucheck import __version__, api, arguments
from gpucheck.dialogue import DEFAULT_ENVIRONMENT, Words, confirmed, environment_of, progressing, tell, told
from gpucheck.facts.gap import known
from gpucheck.facts.plan import SCHEMA, Choice, Plan, Request, Room, Target
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.install.errors import NoPlan, Refused
from gpucheck.install.layout import interpreter
from gpucheck.install.shells import activating, command
from gpucheck.output import Unwritable, WrongUsage, check_place, colored, columns, write

if TYPE_CHECKING:
    from gpucheck.install.indexes.locking import Lock
    from gpucheck.install.indexes.newest import Newest
    from gpucheck.install.indexes.settings import Settings
    from gpucheck.render.install.outcome import Where

LOOK_SECONDS = 10.0


class Goal(NamedTuple):
    """Where it goes. python: the environment's, or what a new one is made from (None: the usual one)."""

    env: str
    new: bool
    python: Optional[str]
    notes: tuple[str, ...] = ()


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
    goal = None if words.snapshot is not None else _goal(words)
    facts = _facts(words, goal)
    settings = _settings(words, goal)
    lock = _locked(words, facts, settings)
    if lock is None:
        return 1
    if goal is not None and not goal.new:
        lock = _beside_what_stays(lock, goal, facts, settings)
    plan = _planned(words, goal, facts, lock, settings)
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


def _goal(words: Words) -> Goal:
    """--env PATH, the environment of --python, or ./.venv; new where nothing is there yet.

    --python of no environment is what a new one is made from, at --env or ./.venv.
    """
    from gpucheck.install.changing import place, transaction

    python = arguments.interpreter(words.python)
    own = _environment_of(python) if words.env is None else None
    folder = own or environment_of(words)
    if not words.dry_run:
        tell(transaction.recover(place.real(folder)).words)
    found = place.check(folder)
    if not found.new and python is not None and own is None and not _leads_to(_environment_of(python), found.env):
        raise Refused(f"{found.env} is there already, with a Python of its own: name another folder with --env")
    return Goal(found.env, found.new, python if found.new else interpreter(found.env), found.notes)


def _leads_to(folder: Optional[str], env: str) -> bool:
    """However it is written: by another name, on Windows with other letters of the alphabet's two kinds."""
    return folder is not None and os.path.normcase(os.path.realpath(folder)) == os.path.normcase(env)


def _environment_of(python: Optional[str]) -> Optional[str]:
    """The virtual or conda environment that an interpreter lies in; None: it is a base installation's."""
    if python is None or not os.path.dirname(python):
        return None
    above = os.path.dirname(python)
    # conda has python.exe at the top of an environment.
    folders = (python,) if os.path.isdir(python) else (os.path.dirname(above), above)
    marks = ("pyvenv.cfg", "conda-meta")
    return next((one for one in folders for mark in marks if os.path.exists(os.path.join(one, mark))), None)


def _facts(words: Words, goal: Optional[Goal]) -> Snapshot:
    from gpucheck.install.changing import place

    if goal is None:
        try:
            return api.read_file(words.snapshot or "")
        except api.BadFile as error:
            raise WrongUsage(f"--snapshot {words.snapshot}: {error}") from error
    facts = api.look_here(goal.python, False, LOOK_SECONDS)
    if not goal.new and isinstance(facts.python, Python):
        place.check_python(facts.python, goal.env)
    return facts


def _settings(words: Words, goal: Optional[Goal]) -> Settings:
    from gpucheck.install.indexes import settings

    return settings.read(goal.python if goal else None, words.index_urls, words.offline, words.wheelhouse)


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
    facts = _facts(words, goal)
    rows = _newer(facts, _settings(words, goal)).rows
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
        write(plan.explained(candidate, choice, routes, *_page(words)), words.output)
    return code


def _locked(words: Words, facts: Snapshot, settings: Settings) -> Optional[Lock]:
    """What will be installed, with every file. None: no release fits, which was told."""
    from gpucheck.install.choosing import resolve
    from gpucheck.install.choosing.request import request
    from gpucheck.install.fetching import wheelhouse
    from gpucheck.install.indexes import locking
    from gpucheck.render.install import json, plan

    if words.from_lock is not None:
        here = resolve.target(facts)
        read = locking.read(words.from_lock, here if isinstance(here, Target) else None)
        read = read._replace(packages=wheelhouse.found_in(words.wheelhouse, read.packages))
        return read._replace(choice=_choice_of(read, facts))
    asked = request(words.names, words.cpu, words.extras)
    with progressing() as progress:
        progress.begin("resolving")
        newer = _newer(facts, settings)
        choice = resolve.choose(facts, asked, newer.rows)
        if choice.release is not None:
            lock = locking.lock(choice, settings)
            return lock._replace(notes=(*lock.notes, *newer.notes))
    if words.format == "json":
        write(json.refused(choice, __version__, 1), words.output)
    else:
        write(plan.refused(choice, *_page(words), words.verbose), words.output)
    return None


def _beside_what_stays(lock: Lock, goal: Goal, facts: Snapshot, settings: Settings) -> Lock:
    """The lock again, held to what the packages that stay in the environment need.

    Raises
    ------
    NoPlan: there is none that both can live with.
    """
    from gpucheck.install.changing.neighbours import neighbours
    from gpucheck.install.choosing import reasons
    from gpucheck.install.choosing.neighbours import unmet
    from gpucheck.install.indexes import locking
    from gpucheck.install.indexes.platforms import marker_environment

    choice = lock.choice or _choice_of(lock, facts)
    if not isinstance(choice.target, Target):
        return lock
    there, leaving = neighbours(goal.env), reasons.rivals(facts, choice.package)
    environment = marker_environment(choice.target)
    way_out = "# leave it as it is, and make a new environment: gpucheck install --env FOLDER"
    notes: list[str] = []
    while found := unmet(lock.packages, there, leaving, environment):
        lines = tuple(str(one) for one in found)
        held = tuple(dict.fromkeys(one.requirement for one in found))
        if lock.choice is None or set(held) <= set(choice.requirements):
            raise NoPlan(f"what stays in {goal.env} needs other versions", (*lines, way_out))
        choice = choice._replace(requirements=(*choice.requirements, *held))
        notes += [f"held to {one.requirement}: {one.neighbour.name} {one.neighbour.version} stays" for one in found]
        try:
            lock = locking.lock(choice, settings)
        except NoPlan as error:
            title = f"TensorFlow {choice.release} and what stays in {goal.env} need different versions"
            raise NoPlan(title, (*lines, *error.lines, way_out)) from error
    return lock._replace(notes=(*lock.notes, *notes))


def _newer(facts: Snapshot, settings: Settings) -> Newest:
    """What the index has and the table does not: offered as derived and untested, never by default."""
    from gpucheck.compat.releases import releases
    from gpucheck.install.choosing import resolve
    from gpucheck.install.indexes import newest

    target = resolve.target(facts)
    if not isinstance(target, Target):
        return newest.Newest(())
    return newest.newest(settings, target, releases(target.os, target.machine))


def _planned(words: Words, goal: Optional[Goal], facts: Snapshot, lock: Lock, settings: Settings) -> Plan:
    from gpucheck.install.changing import rooms
    from gpucheck.install.fetching import wheelhouse
    from gpucheck.install.indexes import locking, uv

    choice = lock.choice or _choice_of(lock, facts)
    folder = _from_here(goal.env) if goal else DEFAULT_ENVIRONMENT
    needed: tuple[Room, ...] = ()
    if goal is not None:
        needed = rooms.rooms(lock.packages, goal.env, downloads=wheelhouse.downloads(), cache=uv.cache(settings))
    notes = (*(goal.notes if goal else ()), *lock.notes, *settings.notes)
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    hand = locking.by_hand(choice, settings, folder)
    hand = hand if goal is None or goal.new else hand[1:]  # it is there already
    return Plan(SCHEMA, __version__, made, choice, lock.packages, needed, hand, settings.taken_over, notes)


def _from_here(env: str) -> str:
    """As a user would write it: relative where it lies below the current folder."""
    try:
        relative = os.path.relpath(env)
    except (OSError, ValueError):  # the current folder is gone; on Windows: another drive
        return env
    return env if relative.startswith("..") else relative


def _choice_of(lock: Lock, facts: Snapshot) -> Choice:
    """What a lock's TensorFlow is by our table: a lock may be another program's, or another machine's.

    Raises
    ------
    NoPlan: it holds no TensorFlow, or one that does not fit here.
    """
    from gpucheck.install.choosing import resolve

    found = {one.name: one.version.text for one in lock.packages}
    package = next((name for name in ("tensorflow", "tensorflow-gpu", "tensorflow-cpu") if name in found), None)
    if package is None:
        raise NoPlan("the lock holds no TensorFlow: uv pip sync or pip install -r takes it")
    cuda = package == "tensorflow-gpu" or any(name.startswith("nvidia-") for name in found)
    cuda = cuda or (lock.choice is not None and lock.choice.cuda is not None)
    old = lock.choice.request if lock.choice else Request()
    choice: Choice = resolve.choose(facts, old._replace(tensorflow=found[package], cpu=not cuda, cuda=cuda))
    if choice.release is None:
        against = resolve.explain(facts, choice.request, found[package]).objections
        reasons = "; ".join(one.what for one in against) or "it is not in the table"
        raise NoPlan(f"the lock's TensorFlow {found[package]} does not fit here: {reasons}")
    return choice._replace(package=package)


def _show(plan: Plan, words: Words) -> None:
    from gpucheck.render.install import json
    from gpucheck.render.install import plan as page

    if words.format == "json":
        write(json.plan(plan), words.output)
    else:
        write(page.render(plan, *_page(words), words.verbose), words.output)


def _page(words: Words) -> tuple[int, bool]:
    return (80, False) if words.output else (columns(), colored())


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
    from gpucheck.render.install import plan as page

    python = known(facts.python.executable, None) if isinstance(facts.python, Python) else None
    if python is None:
        raise Refused("no Python was found to make the environment from: name one with --python")
    if rooms.short(plan.rooms):
        plan = plan._replace(rooms=_without_cached(plan, goal, python, settings))
    rooms.refuse_short(plan.rooms)
    depth.refuse_deep(goal.env)
    if words.format != "json":
        write(page.render(plan, columns(), colored(), words.verbose, brief=True), None)
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
            write(outcome.render(receipt, _where(goal.env), *_page(words), words.verbose), words.output)
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
    facts = _facts(words, goal)
    settings = sources.read(python, words.index_urls)
    lock = _locked(words, facts, settings)
    if lock is None:
        return 1
    total = fetch.total(lock.packages) or 0
    rooms.refuse_short((Room("the wheels", folder, total, rooms.free(folder)),))
    with progressing() as progress:
        fetch.fetch(lock.packages, folder, settings, progress)
    write(_beside(lock), os.path.join(folder, "pylock.toml"))
    _show(_planned(words, None, facts, lock, settings), words)
    return 0
