r"""The change on Windows: PATH and CUDA_PATH of the user, in HKCU\Environment. Pure.

A new program's PATH is the machine's followed by the user's; of any other variable the user's value wins. So a DLL of
the same name in a folder of the machine's PATH cannot be outdone from here: that is said, and left to the user.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap, known
from gpucheck.facts.paths import key
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.toolkits import Toolkit
from gpucheck.paths import entries
from gpucheck.paths.plan import CannotFix, Plan, Stored, VariableChange
from gpucheck.paths.wish import Wish

# Most characters of an environment variable (Microsoft, "Environment Variables"), and what older programs can take.
MOST, COMFORTABLE = 32767, 2047
_POINTER = "CUDA_PATH"


class User(NamedTuple):
    r"""user, machine: their variables as the registry has them, by name in capitals. expand: %NAMES% to values."""

    user: Mapping[str, Stored]
    machine: Mapping[str, Stored]
    expand: Callable[[str], str]


def plan(snapshot: Snapshot, wish: Wish, user: User) -> Plan:
    """What to change.

    Raises
    ------
    CannotFix: PATH would grow beyond what Windows takes; a folder's name would break it.
    """
    for folder in wish.add:
        if any(sign in folder for sign in ';"%\n\0'):
            raise CannotFix(f"PATH cannot hold this folder: {folder!r}")
    path, what, by_hand = _path(snapshot, wish, user)
    pointer, more = _cuda_path(snapshot, user)
    changes = tuple(one for one in (path, pointer) if one is not None)
    trial = _trial(snapshot, user, changes)
    long = _long_path(user, changes) if changes else None
    return Plan(
        "in every program that is started from a new shell of this user",
        (*what, *more),
        changes,
        (*by_hand, long) if long else by_hand,
        trial,
    )


def _path(
    snapshot: Snapshot, wish: Wish, user: User
) -> tuple[Union[VariableChange, None], tuple[str, ...], tuple[str, ...]]:
    before, machine = user.user.get("PATH"), user.machine.get("PATH")
    text = before.text if before else ""
    expand = user.expand if before is None or before.expandable else _as_it_stands
    expand_theirs = user.expand if machine is None or machine.expandable else _as_it_stands
    mine, theirs = entries.split(text), entries.split(machine.text) if machine else []
    by_hand, add = [], []
    for folder in wish.add:
        stored = any(entries.same(one, folder, expand) for one in mine)
        of_machine = any(entries.same(one, folder, expand_theirs) for one in theirs)
        if (stored or of_machine) and not _in_this_shell(snapshot, folder):
            by_hand.append(f"# {folder} is on PATH already, and this shell was opened before: start a new one")
        elif of_machine:
            by_hand.append(f"# {folder} is on the machine's PATH: as administrator, move it to the front there")
        else:
            add.append(folder)
    after = entries.in_front(entries.unquoted(text, (*wish.add, *wish.unquote), expand), tuple(add), expand)
    if after == text:
        return None, (), tuple(by_hand)
    _check_length(text, after, machine.text if machine else "")
    new = Stored(after, True if before is None else before.expandable)
    words = tuple(f"the user's PATH gets {one} in front" for one in add) or ("the user's PATH loses quotes",)
    return VariableChange("Path", before, new), words, tuple(by_hand)


def _in_this_shell(snapshot: Snapshot, folder: str) -> bool:
    """Does this process have it on its PATH? Taken for granted where that is not known."""
    windows = snapshot.windows
    path = None if windows is None or isinstance(windows, Gap) else known(windows.path_process, None)
    if path is None:
        return True
    return any(key(known(one.expanded, one.text)) == key(folder) for one in path.entries)


def _as_it_stands(text: str) -> str:
    return text


def _check_length(before: str, after: str, machine: str) -> None:
    length = len(machine) + 1 + len(after)
    if length >= MOST and len(after) > len(before):
        raise CannotFix(
            f"PATH would have {length} characters, and Windows takes {MOST - 1}: take entries out that are not needed"
        )


def _cuda_path(snapshot: Snapshot, user: User) -> tuple[Union[VariableChange, None], tuple[str, ...]]:
    """Of the user's own CUDA_PATH only: one that leads nowhere, or to another CUDA than TensorFlow's."""
    before = user.user.get(_POINTER)
    if before is None or isinstance(snapshot.toolkits, Gap) or isinstance(snapshot.python, Gap):
        return None, ()
    here = user.expand(before.text) if before.expandable else before.text
    kits = snapshot.toolkits.found
    build = known(snapshot.python.tensorflow, None)
    fitting = _fitting(kits, build)
    if fitting is not None and key(fitting.root) != key(here):
        words = f"the user's {_POINTER} names {fitting.root} instead of {before.text}"
        return VariableChange(_POINTER, before, Stored(fitting.root, False)), (words,)
    pointers = [one for one in snapshot.toolkits.pointers if one.name == _POINTER and key(one.value) == key(here)]
    if pointers and pointers[0].target is None:
        return VariableChange(_POINTER, before, None), (
            f"the user's {_POINTER}={before.text} is taken out: no toolkit",
        )
    return None, ()


def _fitting(kits: tuple[Toolkit, ...], build: Union[TensorFlowBuild, None]) -> Union[Toolkit, None]:
    """The one toolkit of the version that TensorFlow was built with; None: none, or it is not known which."""
    cuda = known(build.cuda_version, None) if build else None
    if cuda is None:
        return None
    versions = [(kit, known(kit.version, None)) for kit in kits]
    found = [kit for kit, one in versions if one is not None and (one.major, one.minor) == (cuda.major, cuda.minor)]
    return found[0] if len(found) == 1 else None


def _trial(snapshot: Snapshot, user: User, changes: tuple[VariableChange, ...]) -> tuple[tuple[str, str], ...]:
    """PATH and CUDA_PATH of a program that a new shell starts, this shell's activated environment before them."""
    mine = {**user.user, **{one.name.upper(): one.after for one in changes}}
    trial = []
    for name in ("PATH", _POINTER):
        own, theirs = mine.get(name), user.machine.get(name)
        texts = [user.expand(one.text) if one.expandable else one.text for one in (theirs, own) if one]
        if name == "PATH":
            texts = [*_only_here(snapshot, user), *texts]
        if texts:
            trial.append((name, ";".join(texts) if name == "PATH" else texts[-1]))
    return tuple(trial)


def _only_here(snapshot: Snapshot, user: User) -> list[str]:
    """Entries that this shell has and no stored PATH."""
    windows = snapshot.windows
    path = None if windows is None or isinstance(windows, Gap) else known(windows.path_process, None)
    held = [user.user.get("PATH"), user.machine.get("PATH")]
    stored = [entry for one in held if one for entry in entries.split(user.expand(one.text))]
    known_already = {key(entries.bare(one)) for one in stored}
    texts = [known(one.expanded, one.text) for one in (path.entries if path else ())]
    return [one for one in texts if one and key(entries.bare(one)) not in known_already]


def _long_path(user: User, changes: tuple[VariableChange, ...]) -> Union[str, None]:
    """A word about a PATH that older programs cut; None: it is short enough."""
    new = next((one.after for one in changes if one.name.upper() == "PATH"), user.user.get("PATH"))
    length = len(";".join(one.text for one in (user.machine.get("PATH"), new) if one))
    if length <= COMFORTABLE:
        return None
    return f"# PATH has {length} characters then; programs that take {COMFORTABLE} lose its end"
