"""From words to a plan: where it goes, the facts, the release, the lock, the room. Nothing is changed here.

What is done with a plan is install.py's. None of these steps prints; what cannot be planned is raised, except that
where no release fits `locked` tells which were passed over, and why.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple, Optional

from gpucheck import __version__, api
from gpucheck.commands import arguments
from gpucheck.commands.dialogue import DEFAULT_ENVIRONMENT, Words, environment_of, page, progressing, tell
from gpucheck.facts.plan import SCHEMA, Choice, Plan, Request, Room, Target
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.install.errors import NoPlan, Refused
from gpucheck.install.layout import interpreter
from gpucheck.output import WrongUsage, write

if TYPE_CHECKING:
    from gpucheck.install.indexes.locking import Lock
    from gpucheck.install.indexes.newest import Newest
    from gpucheck.install.indexes.settings import Settings

LOOK_SECONDS = 10.0


class Goal(NamedTuple):
    """Where it goes. python: the environment's, or what a new one is made from (None: the usual one)."""

    env: str
    new: bool
    python: Optional[str]
    notes: tuple[str, ...] = ()


def goal_of(words: Words) -> Goal:
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


def facts_of(words: Words, goal: Optional[Goal]) -> Snapshot:
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


def settings_of(words: Words, goal: Optional[Goal]) -> Settings:
    from gpucheck.install.indexes import settings

    return settings.read(goal.python if goal else None, words.index_urls, words.offline, words.wheelhouse)


def locked(words: Words, facts: Snapshot, settings: Settings) -> Optional[Lock]:
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
        return read._replace(choice=choice_of(read, facts))
    asked = request(words.names, words.cpu, words.extras)
    with progressing() as progress:
        progress.begin("resolving")
        offered = newer(facts, settings)
        choice = resolve.choose(facts, asked, offered.rows)
        if choice.release is not None:
            lock = locking.lock(choice, settings)
            return lock._replace(notes=(*lock.notes, *offered.notes))
    if words.format == "json":
        write(json.refused(choice, __version__, 1), words.output)
    else:
        write(plan.refused(choice, *page(words), words.verbose), words.output)
    return None


def newer(facts: Snapshot, settings: Settings) -> Newest:
    """What the index has and the table does not: offered as derived and untested, never by default."""
    from gpucheck.compat.releases import releases
    from gpucheck.install.choosing import resolve
    from gpucheck.install.indexes import newest

    target = resolve.target(facts)
    if not isinstance(target, Target):
        return newest.Newest(())
    return newest.newest(settings, target, releases(target.os, target.machine))


def beside_what_stays(lock: Lock, goal: Goal, facts: Snapshot, settings: Settings) -> Lock:
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

    choice = lock.choice or choice_of(lock, facts)
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


def planned(words: Words, goal: Optional[Goal], facts: Snapshot, lock: Lock, settings: Settings) -> Plan:
    from gpucheck.install.changing import rooms
    from gpucheck.install.fetching import wheelhouse
    from gpucheck.install.indexes import locking, uv

    choice = lock.choice or choice_of(lock, facts)
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


def choice_of(lock: Lock, facts: Snapshot) -> Choice:
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
