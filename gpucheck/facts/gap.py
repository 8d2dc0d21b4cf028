"""The third answer. A fact is a value, ``None`` (looked, not there) or a `Gap` (not known, and why).

A file that holds garbage is none of these: *broken* is a value with a name of its own, because rules judge it.
"""

from __future__ import annotations

from typing import Literal, TypeVar, Union

T = TypeVar("T")

GapKind = Literal["denied", "deadline", "crashed", "unreadable", "unsupported", "not-collected"]


class Gap:
    """A fact that could not be learned.

    Parameters
    ----------
    reason: why, in words for a user ("permission denied: /dev/nvidia0").
    kind: the sort of obstacle, for programs.
    """

    __slots__ = ("reason", "kind")

    def __init__(self, reason: str, kind: GapKind = "unreadable") -> None:
        self.reason = reason
        self.kind: GapKind = kind

    def __repr__(self) -> str:
        return f"Gap({self.reason!r}, {self.kind!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gap) and (self.reason, self.kind) == (other.reason, other.kind)

    def __hash__(self) -> int:
        return hash((self.reason, self.kind))

    def __bool__(self) -> bool:
        # `if fact:` on a gap is how "unknown" turns into "no" by accident; facts are asked with need() or isinstance.
        raise TypeError(f"a gap is neither true nor false: {self.reason}")


class Unknown(Exception):
    """A rule asked for a fact that is a gap: the rule is skipped with that reason."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.reason)
        self.gap = gap


def need(value: Union[T, Gap]) -> T:
    """Give a fact's value (which may be ``None``: absent).

    Raises
    ------
    Unknown: the fact is a gap.
    """
    if isinstance(value, Gap):
        raise Unknown(value)
    return value


def known(value: Union[T, Gap], otherwise: T) -> T:
    """Give a fact's value, or `otherwise` for a gap: only for words and pictures, never for a verdict."""
    return otherwise if isinstance(value, Gap) else value
