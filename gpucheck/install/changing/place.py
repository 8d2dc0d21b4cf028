"""Where an installation may go: what is refused before anything is touched, each with the way out. Nothing is written.

How much room it takes: rooms.py.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap, known
from gpucheck.facts.python import Python
from gpucheck.install.changing import holding, in_use, journal, owners
from gpucheck.install.errors import Refused
from gpucheck.install.layout import interpreter
from gpucheck.install.shells import command, making_folder, quoted

_WINDOWS = sys.platform == "win32"


class Place(NamedTuple):
    """env: real path of the environment. new: nothing is there yet. notes: what a user should know, one line each."""

    env: str
    new: bool
    notes: tuple[str, ...] = ()


def check(folder: str, python: Union[Python, Gap, None] = None, *, broken: bool = False) -> Place:
    """May an installation change this folder?

    Parameters
    ----------
    folder: as the user named it; a link to a folder is followed.
    python: facts of the interpreter that lies in it (for a new environment: None, or the one it is made from).
    broken: an environment whose Python does not run is one, too: it is to be repaired.

    Raises
    ------
    Refused: no; what to do instead.
    """
    env = real(folder)
    new = _check_kind(env, broken)
    if new:
        _check_name(env)
    if not new and isinstance(python, Python):
        check_python(python, env)
    owners.check(env, new)
    _check_writable(env, new)
    busy = holding.holder(journal.beside(env))
    if busy is not None:
        raise Refused(f"another gpucheck is at work on {env} (process {busy.pid} on {busy.host}): wait for its end")
    return Place(env, new, tuple(_notes(folder, env, new)))


def real(folder: str) -> str:
    """The path that a transaction works on: absolute, without links.

    Raises
    ------
    Refused: no environment can have that name.
    """
    if not folder or "\0" in folder:
        raise Refused("an empty name is no folder for an environment")
    try:
        path = os.path.realpath(os.path.abspath(folder))
    except OSError as error:  # the current folder is gone; a ring of links
        raise Refused(f"{folder}: {error.strerror or error}") from error
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise Refused(f"{path!r} holds a control character, which no script's first line can: choose another folder")
    if os.pathsep in path.replace(os.path.splitdrive(path)[0], "", 1):
        raise Refused(f"{path} holds {os.pathsep!r}, which separates folders on PATH: choose another folder")
    if any(re.fullmatch(r"\..*\.gpucheck", part) for part in path.split(os.sep)):
        raise Refused(
            f"{path} is what gpucheck keeps of an earlier state; if your shell stands there: cd out and in again"
        )
    if any(0xD800 <= ord(character) < 0xE000 for character in path):
        raise Refused(f"{path.encode('utf-8', 'backslashreplace').decode()} is not UTF-8: choose another folder")
    return path


def _check_name(env: str) -> None:
    """Shells would read these in the scripts of an environment, each in its own way."""
    odd = sorted(set(env) & set("'\"`$" if _WINDOWS else "'\"`$\\"))
    if odd:
        raise Refused(f"{env} holds {' '.join(odd)}, which shells read as a sign: choose another folder")


def check_python(python: Python, env: Union[str, None] = None) -> str:
    """The environment of an interpreter, where packages may be installed for it.

    Raises
    ------
    Refused: it is the system's, pyenv's, conda's base, pipx's or a uv tool's own, or its kind is not known.
    """
    kind, prefix = known(python.environment, None), known(python.prefix, None)
    managed = known(python.externally_managed, None)
    if managed is not None:
        raise Refused(f"{python.executable} is the system's own Python ({managed}, PEP 668): {_new_way(python)}")
    if kind is None or prefix is None:
        reason = python.environment if isinstance(python.environment, Gap) else python.prefix
        words = reason.reason if isinstance(reason, Gap) else ""
        raise Refused(f"{python.executable} does not tell where its packages are ({words}): {_new_way(python)}")
    if kind in ("system", "pyenv"):
        raise Refused(f"{python.executable} is an interpreter for all to use, no environment: {_new_way(python)}")
    if kind in ("pipx", "uv-tool"):
        raise Refused(f"{prefix} belongs to {kind.replace('-', ' ')}, which would undo any change: {_new_way(python)}")
    if kind == "conda" and _is_conda_base(prefix):
        raise Refused(
            f"{prefix} is conda's base environment, and conda itself runs on it. Way out: "
            "conda create -n tensorflow python=3.12 && conda activate tensorflow, then the same command again"
        )
    found = real(prefix)
    if env is not None and os.path.normcase(found) != os.path.normcase(env):
        raise Refused(f"{python.executable} belongs to {found}, not to {env}")
    return found


def _new_way(python: Python) -> str:
    way = command(("gpucheck", "install", "--env", ".venv", "--python", python.executable))
    return f"make an environment from it. Way out: {way}"


def _is_conda_base(prefix: str) -> bool:
    """condabin is in the base environment alone (conda's own test: conda.base.context, root_prefix)."""
    return any(os.path.isdir(os.path.join(prefix, name)) for name in ("condabin", "pkgs"))


def _check_kind(env: str, broken: bool) -> bool:
    """Is it new? Raises `Refused` where it is neither new nor an environment."""
    try:
        inside = os.listdir(env)
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        if os.path.exists(env):
            raise Refused(f"{env} is a file: name another folder with --env") from None
        return True  # no folder above it, either: told with the rights
    except OSError as error:
        raise Refused(f"{env} cannot be read: {error.strerror or error}") from error
    if os.path.ismount(env):
        below = quoted(os.path.join(env, "tensorflow"))
        raise Refused(f"{env} is a mount point, which cannot be replaced at once. Way out: --env {below}")
    if not inside:
        return True
    if not any(name in inside for name in ("pyvenv.cfg", "conda-meta")):
        below = quoted(os.path.join(env, ".venv"))
        raise Refused(f"{env} is no environment and not empty, so nothing is installed into it. Way out: --env {below}")
    if not broken and not os.path.isfile(interpreter(env)):
        way = f"gpucheck repair --env {quoted(env)}, or a new one with --env"
        raise Refused(f"the environment {env} has no Python that runs (was it removed?). Way out: {way}")
    return False


def _check_writable(env: str, new: bool) -> None:
    parent = os.path.dirname(env)
    if not os.path.isdir(parent):
        raise Refused(f"there is no folder {parent}. Way out: {making_folder(parent)}")
    if parent == env:
        raise Refused(f"{env} cannot be an environment: name another folder with --env")
    home = quoted(os.path.join(os.path.expanduser("~"), ".venv"))
    for folder, why in (
        (parent, " (the state before is kept beside the environment)"),
        *(((env, ""),) if not new else ()),
    ):
        if _read_only(folder):
            raise Refused(f"{folder} is on a file system that is mounted read-only. Way out: --env {home}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Refused(f"no permission to write in {folder}{why}. Way out: a folder of your own: --env {home}")


def _read_only(folder: str) -> bool:
    if _WINDOWS:
        return False
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _notes(folder: str, env: str, new: bool) -> Iterator[str]:
    if os.path.islink(folder.rstrip("/" + os.sep)):
        yield f"{folder} is a link: the environment is {env}"
    if not new:
        running = _running(env)
        if running:
            pids = ", ".join(str(pid) for pid in running[:5]) + (" …" if len(running) > 5 else "")
            yield f"programs of this environment are running (process {pids}): start them again afterwards"


def _running(env: str) -> list[int]:
    """Processes whose program was started from the environment; not this one, nor what it runs in."""
    import psutil

    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    if _WINDOWS:  # the first word is what was typed there; elsewhere an environment's program is a link out of it
        return [pid for pid, _name in in_use.programs(env, standing=False) if pid not in own]
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if words and process.info["pid"] not in own and words[0].startswith(env + os.sep):
            found.append(process.info["pid"])
    return found
