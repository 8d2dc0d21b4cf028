"""From a choice to the files that it means: uv resolves for the target, and every file is named with its hash.

Nothing of what uv finds is installed or written here. Which release is chosen is not decided here either: a choice that
does not resolve is told with uv's own words.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Choice, Package, Target
from gpucheck.install.errors import NoPlan, Refused
from gpucheck.install.indexes import pylock
from gpucheck.install.indexes.building import built
from gpucheck.install.indexes.complaints import understood, without_date, without_wheel
from gpucheck.install.indexes.manual import by_hand
from gpucheck.install.indexes.platforms import python_text
from gpucheck.install.indexes.question import Question, ask
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.indexes.sizes import with_sizes

__all__ = ["Lock", "by_hand", "lock", "read"]

_TRIES = 12
_MOST_TEXT = 16 << 20  # characters of a lock; 44 packages with all their wheels have 0.2 million
# Python alone, and without a wheel in the versions that old TensorFlows pin: these are built from source. By release of
# TensorFlow: html5lib 0.9999999 and markdown 2.6 (1.2 to 1.4), absl-py, termcolor 1.1.0 (1.4 to 2.1), gast 0.2.2 (1.14
# to 2.1), wrapt 1.12.1 (2.4 to 2.6; its C part is optional), clang 5.0 (2.6), jax of 2023 (2.12). Found by resolving
# every row of the table (2026-11-23). promise 2.3 is what tensorflow-datasets (--with) asks for.
MAY_BE_BUILT = ("absl-py", "clang", "gast", "html5lib", "jax", "markdown", "promise", "termcolor", "wrapt")


class Lock(NamedTuple):
    """What will be installed. text: of pylock.toml. choice: what it was made from, None in another program's lock."""

    text: str
    packages: tuple[Package, ...]
    choice: Union[Choice, None] = None
    notes: tuple[str, ...] = ()


def lock(choice: Choice, settings: Settings, *, base_python: Union[str, None] = None) -> Lock:
    """Resolve a choice for its target, on any machine.

    Parameters
    ----------
    base_python: an interpreter to build old sources with, gpucheck's own if None; what it is does not change the plan.

    Raises
    ------
    NoPlan: the packages that are needed do not fit together, or have no wheels for the target.
    Refused: the index could not be asked.
    """
    target = choice.target
    if isinstance(target, Gap):
        raise Refused(f"it is not known for which Python and system: {target.reason}")
    if choice.release is None or not choice.requirements:
        raise NoPlan("no release was chosen")
    # A wheelhouse holds what was fetched for one plan: files have no upload date there, and no other versions.
    date = None if settings.no_index else choice.exclude_newer
    question = Question(choice.requirements, target, date, (), base_python or sys.executable)
    notes: list[str] = []
    question, entries = _resolved(question, settings, notes)
    reasons = _requirers(question, settings)
    packages = []
    for entry in entries:
        file = pylock.chosen(entry, target)
        assert file is not None  # `_resolved` leaves none without
        file = _with_hash(entry.name, file)
        package = pylock.package_of(entry, file, _why(entry.name, reasons, choice))
        packages.append(package if file.wheel else built(package, settings, question.base_python))
    packages = with_sizes(packages, settings)
    return Lock(pylock.compose(packages, choice, target, notes), tuple(packages), choice, tuple(notes))


def _resolved(question: Question, settings: Settings, notes: list[str]) -> tuple[Question, tuple[pylock.Entry, ...]]:
    """Ask, and ask again without what the target cannot take, with a source to build, or without a date."""
    for _ in range(_TRIES):
        done = ask(question, settings, "--generate-hashes", "--format", "pylock.toml")
        if done.code:
            question = _eased(question, done.err, notes)
            continue
        entries = _entries(done.out, question.target)
        too_new = [entry for entry in entries if pylock.chosen(entry, question.target) is None]
        if not too_new:
            return question, entries
        # uv's platform is a little newer than the target (see uv_platform).
        barred = tuple(f"{entry.name}!={entry.version}" for entry in too_new)
        question = question._replace(requirements=(*question.requirements, *barred))
    raise NoPlan("no set of packages fits together", tuple(f"tried without {one}" for one in question.requirements))


def _eased(question: Question, error: str, notes: list[str]) -> Question:
    """The next question after one that failed. Raises what uv said where there is nothing left to give."""
    missing = without_wheel(error)
    sources = tuple(name for name in missing if name in MAY_BE_BUILT and name not in question.built)
    if sources:
        notes.append(
            f"{', '.join(sources)}: no wheel of the version that fits; built from its source, which is Python alone"
        )
        return question._replace(built=(*question.built, *sources))
    late = tuple(name for name in missing if name not in (*MAY_BE_BUILT, *question.timeless))
    if question.exclude_newer and late:
        notes.append(f"{', '.join(late)}: no wheel in the time of this release; a newer one is taken")
        return question._replace(timeless=(*question.timeless, *late))
    if question.exclude_newer and without_date(error):
        notes.append(
            "the index does not tell when files were uploaded: dependencies may be newer than"
            f" {question.exclude_newer[:10]}, the time of this release"
        )
        return question._replace(exclude_newer=None)
    raise understood(error)


def _entries(text: str, target: Target) -> tuple[pylock.Entry, ...]:
    entries = pylock.parse(text, os.getcwd(), hashless=True).entries
    return tuple(entry for entry in entries if pylock.holds(entry.marker, target))


def _requirers(question: Question, settings: Settings) -> dict[str, tuple[str, ...]]:
    """What requires each package, by uv's comments. From its cache, which it has just filled; {} where uv cannot."""
    for one in (settings._replace(offline=True), settings):
        done = ask(question, one, "--annotation-style", "line")
        if not done.code:
            break
    found = re.findall(r"^([A-Za-z0-9._-]+)==\S+(?:[^\S\n]+#[^\S\n]via[^\S\n](.+))?$", done.out, re.MULTILINE)
    return {name: tuple(one.strip() for one in via.split(",") if via) for name, via in found} if not done.code else {}


def _with_hash(name: str, file: pylock.File) -> pylock.File:
    """uv before 0.13 tells no hash of a file that lies here: it is taken of the file itself."""
    if file.sha256 != pylock.UNKNOWN:
        return file
    if "://" in file.url:
        raise NoPlan(f"the index tells no sha256 of {file.name}: gpucheck installs nothing without")
    try:
        with open(file.url, "rb") as data:
            digest = hashlib.sha256()
            while piece := data.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise Refused(f"cannot read {file.url}: {error.strerror}") from error
    return file._replace(sha256=digest.hexdigest())


def _why(name: str, reasons: dict[str, tuple[str, ...]], choice: Choice) -> str:
    via = tuple(one for one in reasons.get(name, ()) if not one.startswith("-"))
    if via or name not in reasons:
        return ", ".join(via)
    if name == choice.package:
        return "asked for"
    wanted = (*choice.request.extras, *choice.request.packages)
    return f"--with {','.join(wanted)}" if wanted else "asked for"


def read(path: str, target: Union[Target, None] = None) -> Lock:
    """A lock from a file, by gpucheck or by another program, checked.

    Parameters
    ----------
    target: for which system and Python one file of each package is chosen; None: the one in the lock itself.

    Raises
    ------
    Refused: it cannot be read, is not valid, is for another system or Python, or names no file that fits.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device might never end
            raise Refused(f"{path} is no regular file")
        with open(path, encoding="utf-8") as file:
            text = file.read(_MOST_TEXT + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > _MOST_TEXT:
        raise Refused(f"{path} is longer than {_MOST_TEXT >> 20} million characters: no lock")
    content = pylock.parse(text, os.path.dirname(os.path.abspath(path)))
    own = content.choice.target if content.choice else None
    target = target or (own if isinstance(own, Target) else None)
    if target is None:
        raise Refused(f"{path} does not say for which system and Python it is")
    _fits(content, target, path)
    packages: list[Package] = []
    for entry in content.entries:
        if not pylock.holds(entry.marker, target):
            continue
        if any(package.name == entry.name for package in packages):
            raise Refused(f"{path} names {entry.name} twice")
        chosen = pylock.chosen(entry, target)
        if chosen is None:
            names = ", ".join(one.name for one in entry.files[:3])
            raise Refused(f"{path} has no file of {entry.name} for {_name(target)}: {names}")
        pylock.checked_name(entry, chosen)
        packages.append(pylock.package_of(entry, chosen, entry.why))
    return Lock(text, tuple(packages), content.choice, content.notes)


def _fits(content: pylock.Content, target: Target, path: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(content.requires_python).contains(python_text(target), prereleases=True)
    except InvalidSpecifier as error:
        raise Refused(f"{path}: requires-python cannot be read: {error}") from error
    if not fits:
        raise Refused(f"{path} is for Python {content.requires_python}, not for {python_text(target)}")
    if content.environments and not any(pylock.holds(one, target) for one in content.environments):
        raise Refused(f"{path} is not for {_name(target)}, but for {' or '.join(content.environments)}")


def _name(target: Target) -> str:
    return f"Python {target.python.major}.{target.python.minor} on {target.os} {target.machine}"
