"""What is to be changed, as values: files with their whole text, variables with their type."""

from __future__ import annotations

from typing import NamedTuple, Union


class CannotFix(Exception):
    """Nothing was changed; the message says why, in one line."""


class Stored(NamedTuple):
    """A variable as Windows' registry holds it. expandable: REG_EXPAND_SZ, in which %NAMES% mean something."""

    text: str
    expandable: bool


class FileChange(NamedTuple):
    """A text file of this user's. before: None, it is not there yet. Bytes that are no UTF-8 are surrogate-escaped."""

    path: str
    before: Union[str, None]
    after: str


class VariableChange(NamedTuple):
    r"""A value of HKCU\Environment. None: it is not there."""

    name: str
    before: Union[Stored, None]
    after: Union[Stored, None]


Change = Union[FileChange, VariableChange]


class Plan(NamedTuple):
    """What would be done.

    Parameters
    ----------
    where: when it counts, in words ("whenever /home/me/tf is activated"). what: the effect, a line each.
    changes: nothing is changed where there are none. by_hand: what is left to the user, a line each.
    trial: the variables of a program that is started when all is done, to look at the machine with.
    """

    where: str
    what: tuple[str, ...]
    changes: tuple[Change, ...]
    by_hand: tuple[str, ...] = ()
    trial: tuple[tuple[str, str], ...] = ()
