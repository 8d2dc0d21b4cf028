"""What brings back the state before gpucheck's changes, whatever others have written since. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Union

from gpucheck.paths import entries, shell
from gpucheck.paths.plan import CannotFix, FileChange, Plan, Stored, VariableChange
from gpucheck.paths.state import FileMark, State, VariableMark, digest

Read = Callable[[str], Union[str, None]]
ReadVariable = Callable[[str], Union[Stored, None]]


def plan(state: State, read: Read, variable: ReadVariable) -> Plan:
    """The changes back. A file that only we have written goes; of any other only our lines do.

    Raises
    ------
    CannotFix: a file cannot be read, or our marks in it are damaged.
    """
    changes: list[Union[FileChange, VariableChange]] = []
    words: list[str] = []
    for mark in state.files:
        now = read(mark.path)
        if now is None:
            words.append(f"# {mark.path} is gone already")
            continue
        changes.append(FileChange(mark.path, now, _file(mark, now)))
    for one in state.variables:
        held = variable(one.name)
        back = _variable(one, held)
        if back == held:
            words.append(f"# {one.name} was changed by somebody else since: it is left as it is")
        else:
            changes.append(VariableChange(one.name, held, back))
    return Plan("as before gpucheck's changes", (), tuple(changes), tuple(words))


def removes(mark: FileMark, change: FileChange) -> bool:
    """Is this a file that we made and nobody has written to since?"""
    return mark.before is None and not change.after.strip()


def _file(mark: FileMark, now: str) -> str:
    try:
        bare = shell.without_blocks(now)
    except CannotFix as error:
        raise CannotFix(f"{mark.path}: {error}") from error
    # A file without a newline at its end got one before our lines.
    if mark.before is not None and digest(bare) != mark.before and digest(bare[:-1]) == mark.before:
        return bare[:-1]
    return bare


def _variable(mark: VariableMark, held: Union[Stored, None]) -> Union[Stored, None]:
    if held == mark.after:
        return mark.before
    if mark.name.upper() != "PATH" or held is None or mark.after is None:
        return held  # somebody else's value
    old = entries.split(mark.before.text) if mark.before else []
    ours = entries.split(mark.after.text)
    added = [one for one in ours if one not in old]
    lost = [one for one in old if one not in ours]
    kept = [one for one in entries.split(held.text) if one not in added]
    return held._replace(text=";".join([*kept, *(one for one in lost if one not in kept)]))
