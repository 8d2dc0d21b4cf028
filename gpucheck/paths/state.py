"""What it takes to undo: which files and variables were changed, and what they were before the first change.

Of a file only the sums of its text are kept, for a start-up file may hold secrets. Of a variable its values are.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from gpucheck.paths.plan import CannotFix, Change, FileChange, Stored

SCHEMA = "gpucheck.paths/1"


class FileMark(NamedTuple):
    """A file that holds our lines. before: sum of its text, None: there was no file. folders: that were made for it."""

    path: str
    before: Union[str, None]
    after: str
    folders: tuple[str, ...] = ()


class VariableMark(NamedTuple):
    name: str
    before: Union[Stored, None]
    after: Union[Stored, None]


class State(NamedTuple):
    files: tuple[FileMark, ...] = ()
    variables: tuple[VariableMark, ...] = ()


def digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def with_change(state: State, change: Change, folders: tuple[str, ...] = ()) -> State:
    """The state when this was done: of what was changed before, the first `before` stays."""
    if isinstance(change, FileChange):
        old = next((one for one in state.files if one.path == change.path), None)
        before = old.before if old else None if change.before is None else digest(change.before)
        made = old.folders if old else folders
        mark = FileMark(change.path, before, digest(change.after), made)
        return state._replace(files=(*(one for one in state.files if one is not old), mark))
    past = next((one for one in state.variables if one.name == change.name), None)
    # A value that somebody else has written since is the one to come back to.
    first = past.before if past and past.after == change.before else change.before
    marked = VariableMark(change.name, first, change.after)
    return state._replace(variables=(*(one for one in state.variables if one is not past), marked))


def read(path: str) -> State:
    """The state; empty where there is no file.

    Raises
    ------
    CannotFix: the file cannot be read, or is not what was written.
    """
    import json

    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        if data["schema"] != SCHEMA:
            raise CannotFix(f"{path} was written by another version of gpucheck")
        return State(tuple(map(_file, data["files"])), tuple(map(_variable, data["variables"])))
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise CannotFix(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotFix(f"{path} is damaged ({type(error).__name__})") from error


def encode(state: State) -> str:
    import json

    files = [one._asdict() for one in state.files]
    variables = [
        {"name": one.name, "before": _plain(one.before), "after": _plain(one.after)} for one in state.variables
    ]
    return json.dumps({"schema": SCHEMA, "files": files, "variables": variables}, indent=1) + "\n"


def _plain(value: Union[Stored, None]) -> Union[dict[str, Any], None]:
    return value._asdict() if value else None


def _file(data: dict[str, Any]) -> FileMark:
    path, before, after = data["path"], data["before"], data["after"]
    if not isinstance(path, str) or not isinstance(after, str) or not isinstance(before, (str, type(None))):
        raise TypeError("a file's mark")
    return FileMark(path, before, after, tuple(str(one) for one in data["folders"]))


def _variable(data: dict[str, Any]) -> VariableMark:
    return VariableMark(str(data["name"]), _stored(data["before"]), _stored(data["after"]))


def _stored(data: Union[dict[str, Any], None]) -> Union[Stored, None]:
    if data is None:
        return None
    text, expandable = data["text"], data["expandable"]
    if not isinstance(text, str) or not isinstance(expandable, bool):
        raise TypeError("a variable's mark")
    return Stored(text, expandable)
