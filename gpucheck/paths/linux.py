"""The change on Linux: of the environment's activation, else of the shell's start-up file. Pure: texts come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap, known
from gpucheck.facts.snapshot import Snapshot
from gpucheck.paths import shell
from gpucheck.paths.plan import CannotFix, FileChange, Plan
from gpucheck.paths.wish import Wish

# Gives a file's text, None where it is not there. Raises CannotFix.
Read = Callable[[str], Union[str, None]]

_STARTED_BY = {"bash": ".bashrc", "zsh": ".zshrc", "sh": ".profile", "dash": ".profile", "ksh": ".profile"}
_CONDA = ("etc/conda/activate.d/gpucheck-paths.sh", "etc/conda/deactivate.d/gpucheck-paths.sh")


class User(NamedTuple):
    """home: the user's folder. shell: the login shell's path; "": not known."""

    home: str
    shell: str


def plan(snapshot: Snapshot, wish: Wish, user: User, read: Read) -> Plan:
    """What to change. `read` is asked for the files that would be changed and for no others.

    Raises
    ------
    CannotFix: a file cannot be read; a folder's name would break the variable.
    """
    for folder in (*wish.add, *wish.drop):
        if not folder.startswith("/") or any(sign in folder for sign in ":;\n\0"):
            raise CannotFix(f"LD_LIBRARY_PATH cannot hold this folder: {folder!r}")
    where, changes, by_hand = _changes(snapshot, wish, user, read)
    what = [f"LD_LIBRARY_PATH gets {folder}" for folder in wish.add]
    what += [f"LD_LIBRARY_PATH loses {entry}" for entry in wish.drop]
    differing = tuple(one for one in changes if one.before != one.after)
    return Plan(where, tuple(what), differing, by_hand, (("LD_LIBRARY_PATH", _value(snapshot, wish)),))


def _value(snapshot: Snapshot, wish: Wish) -> str:
    """What the lines make of this process's value."""
    environment = snapshot.environment
    value = "" if isinstance(environment, Gap) else environment.get("LD_LIBRARY_PATH") or ""
    kept = [one for one in value.replace(";", ":").split(":") if one not in (*wish.add, *wish.drop)]
    return ":".join([*wish.add, *(kept if value else ())])


def _changes(
    snapshot: Snapshot, wish: Wish, user: User, read: Read
) -> tuple[str, tuple[FileChange, ...], tuple[str, ...]]:
    python = snapshot.python
    kind = "" if isinstance(python, Gap) else known(python.environment, "")
    prefix = None if isinstance(python, Gap) else known(python.prefix, None)
    if kind == "conda" and prefix:
        lines = (shell.setting(wish.add, wish.drop, keep=True), shell.restoring())
        files = tuple(_own_file(f"{prefix}/{name}", one, read) for name, one in zip(_CONDA, lines, strict=True))
        return f"whenever {prefix} is activated in sh, bash or zsh", files, ()
    if kind == "venv" and prefix:
        change = _activate(f"{prefix}/bin/activate", wish, read)
        if change is not None:
            return f"whenever {prefix} is activated in sh, bash or zsh", (change,), ()
    return _start_up(wish, user, read)


def _own_file(path: str, lines: str, read: Read) -> FileChange:
    return FileChange(path, read(path), shell.block(lines))


def _activate(path: str, wish: Wish, read: Read) -> Union[FileChange, None]:
    """None: there is no such script, or it is not as venv, virtualenv and uv write it."""
    before = read(path)
    if before is None:
        return None
    bare = _bare(path, before)
    restored = shell.inserted(bare, shell.DEACTIVATE, shell.restoring())
    if restored is None:
        return None
    return FileChange(path, before, shell.appended(restored, shell.setting(wish.add, wish.drop, keep=True)))


def _start_up(wish: Wish, user: User, read: Read) -> tuple[str, tuple[FileChange, ...], tuple[str, ...]]:
    name = user.shell.rpartition("/")[2]
    file = _STARTED_BY.get(name, "" if name else ".profile")
    if not file:  # fish, csh: their language is another one
        value = ":".join(wish.add)
        lines = [f"# {name} is not sh: put this into its start-up file yourself:"]
        lines += [f"set -gx LD_LIBRARY_PATH {value}" if name == "fish" else f"setenv LD_LIBRARY_PATH {value}"]
        return "", (), tuple(lines) if wish.add else ()
    path = f"{user.home.rstrip('/')}/{file}"
    before = read(path)
    after = shell.appended(_bare(path, before or ""), shell.setting(wish.add, wish.drop, keep=False))
    return f"in every shell that reads {path}, from the next one on", (FileChange(path, before, after),), ()


def _bare(path: str, text: str) -> str:
    try:
        return shell.without_blocks(text)
    except CannotFix as error:
        raise CannotFix(f"{path}: {error}") from error
