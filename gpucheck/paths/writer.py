r"""The only place that writes: a user's own files, and HKCU\Environment. Whole or not at all, and noted before."""

from __future__ import annotations

import os
import sys
from typing import Any, Union

from gpucheck.facts.gap import Gap
from gpucheck.host import Key
from gpucheck.paths import state as states
from gpucheck.paths import undo
from gpucheck.paths.plan import CannotFix, Change, FileChange, Plan, Stored, VariableChange

_MOST_BYTES = 4 << 20  # of a start-up file
_KEY = "Environment"
_EVERYBODY, _SETTING_CHANGED, _NOT_IF_HUNG, _MILLISECONDS = 0xFFFF, 0x001A, 0x0002, 2000  # winuser.h


def state_file() -> str:
    """Where it is noted what was changed."""
    import platformdirs

    return os.path.join(platformdirs.user_state_dir("gpucheck", appauthor=False), "paths.json")


def read_text(path: str) -> Union[str, None]:
    """A text file, byte for byte (surrogate-escaped, newlines as they are); None: it is not there.

    Raises
    ------
    CannotFix: it is no regular file, too large, or may not be read.
    """
    try:
        if not os.path.lexists(path):
            return None
        if not os.path.isfile(path):
            raise CannotFix(f"{path} is no regular file")
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CannotFix(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise CannotFix(f"{path} is too large to be a start-up file")
    return data.decode("utf-8", "surrogateescape")


def apply(plan: Plan, note: str) -> None:
    """Do what a plan says.

    Raises
    ------
    CannotFix: something is not as it was planned for, or cannot be written. What was done by then can be undone.
    """
    state = states.read(note)
    for change in plan.changes:
        _check(change)
        folders = _missing_folders(change.path) if isinstance(change, FileChange) else ()
        state = states.with_change(state, change, folders)
        # Noted first: after a kill between the two `--undo` finds our lines, or nothing to do.
        _write_file(note, states.encode(state), private=True)
        if isinstance(change, FileChange):
            _write_file(change.path, change.after)
        else:
            write_variable(change.name, change.after)
    _tell(plan)


def take_back(plan: Plan, note: str) -> None:
    """Do what `undo.plan` says, and forget. Raises `CannotFix`."""
    state = states.read(note)
    marks = {one.path: one for one in state.files}
    for change in plan.changes:
        _check(change)
        if isinstance(change, VariableChange):
            write_variable(change.name, change.after)
        elif undo.removes(marks[change.path], change):
            _remove(change.path)
        else:
            _write_file(change.path, change.after)
    _tell(plan)
    _remove_empty({folder for mark in state.files for folder in mark.folders})
    try:
        os.unlink(note)
    except OSError as error:
        raise CannotFix(f"{note} cannot be removed: {error.strerror or error}") from error


def _check(change: Change) -> None:
    """Nobody has changed it since it was read."""
    if isinstance(change, FileChange):
        same = read_text(change.path) == change.before
    else:
        same = read_variable(change.name) == change.before
    if not same:
        name = change.path if isinstance(change, FileChange) else change.name
        raise CannotFix(f"{name} was changed by somebody else just now: try again")


def _missing_folders(path: str) -> tuple[str, ...]:
    """The folders above a file that would be made, the deepest first."""
    missing: list[str] = []
    folder = os.path.dirname(path)
    while folder and not os.path.isdir(folder) and len(missing) < 20:
        missing.append(folder)
        folder = os.path.dirname(folder)
    return tuple(missing)


def _write_file(path: str, text: str, private: bool = False) -> None:
    """Through a link to what it leads to, with the mode that the file had."""
    target = os.path.realpath(path)
    part = os.path.join(os.path.dirname(target), f".gpucheck-{os.getpid()}.part")
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        mode = 0o600 if private else os.stat(target).st_mode & 0o7777 if os.path.exists(target) else 0o644
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            os.chmod(part, mode)
            os.replace(part, target)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as error:
        raise CannotFix(f"{path} cannot be written: {error.strerror or error}") from error


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        raise CannotFix(f"{path} cannot be removed: {error.strerror or error}") from error


def _remove_empty(folders: set[str]) -> None:
    """Those that were made for our files, the deepest first."""
    for folder in sorted(folders, key=len, reverse=True):
        try:
            os.rmdir(folder)
        except OSError:  # somebody else's files are in it
            continue


def read_variable(name: str) -> Union[Stored, None]:
    r"""A text value of HKCU\Environment; None: it is not there, or this is not Windows. Raises `CannotFix`."""
    if sys.platform != "win32":
        return None
    winreg = _winreg()
    try:
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, _KEY, 0, winreg.KEY_READ) as key:
            value, kind = winreg.QueryValueEx(key, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotFix(f"HKCU\\{_KEY}, {name}: {error.strerror or error}") from error
    if kind not in (winreg.REG_SZ, winreg.REG_EXPAND_SZ):
        raise CannotFix(f"HKCU\\{_KEY}, {name}: it is no text")
    return Stored(value, kind == winreg.REG_EXPAND_SZ)


def variables(held: Union[Key, None, Gap]) -> dict[str, Stored]:
    """The variables of a key of compat.registry, by name in capitals.

    Raises
    ------
    CannotFix: it could not be read; what is not known is not written over.
    """
    if isinstance(held, Gap):
        raise CannotFix(held.reason)
    return {name.upper(): Stored(text, name in held.expandable) for name, text in held.values} if held else {}


def write_variable(name: str, value: Union[Stored, None]) -> None:
    r"""Set a value of HKCU\Environment, or take it out. Its type is kept by whoever calls. Raises `CannotFix`."""
    winreg = _winreg()
    try:
        with winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, _KEY, 0, winreg.KEY_SET_VALUE) as key:
            if value is None:
                winreg.DeleteValue(key, name)
            else:
                winreg.SetValueEx(key, name, 0, winreg.REG_EXPAND_SZ if value.expandable else winreg.REG_SZ, value.text)
    except FileNotFoundError:
        return  # nothing to take out
    except OSError as error:
        raise CannotFix(f"HKCU\\{_KEY}, {name}: {error.strerror or error}") from error


def _winreg() -> Any:
    """typeshed knows it on Windows alone."""
    import importlib

    return importlib.import_module("winreg")


def _tell(plan: Plan) -> None:
    """Tell Explorer, so that what it starts gets the new values. Shells that run keep theirs."""
    if sys.platform != "win32" or not any(isinstance(one, VariableChange) for one in plan.changes):
        return
    import ctypes

    answer = ctypes.c_size_t()
    ctypes.windll.user32.SendMessageTimeoutW(
        _EVERYBODY, _SETTING_CHANGED, 0, _KEY, _NOT_IF_HUNG, _MILLISECONDS, ctypes.byref(answer)
    )
