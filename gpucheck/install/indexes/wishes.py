"""One setting of pip's or uv's, and where it stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Union

from gpucheck.install.indexes.masking import masked

Name = Literal[
    "index",
    "extra",
    "find-links",
    "no-index",
    "cert",
    "client-cert",
    "proxy",
    "trusted-host",
    "timeout",
    "keyring",
    "constraint",
    "offline",
    "cache",
]


class Wish(NamedTuple):
    """name: what it is about. key: as its owner calls it. values: as text. source: the file or variable."""

    name: Name
    key: str
    values: tuple[str, ...]
    source: str

    @property
    def told(self) -> str:
        return f"{self.key} {' '.join(masked(one) for one in self.values)} ({self.source})"


class Wishes(NamedTuple):
    """The strongest first. passed: variables that uv gets as they are. notes: what was found and is not used."""

    wishes: tuple[Wish, ...] = ()
    passed: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def about(self, name: Name) -> list[Wish]:
        return [wish for wish in self.wishes if wish.name == name]


def first(name: Name, taken: list[str], *owners: Wishes) -> Union[str, None]:
    """The strongest value of a setting that can have but one; what was taken is added to `taken`."""
    for owner in owners:
        for wish in owner.about(name):
            _tell(wish, taken)
            return wish.values[0]
    return None


def joined(name: Name, taken: list[str], *owners: Wishes) -> tuple[str, ...]:
    """All values of a setting that is a list, each once."""
    values: dict[str, None] = {}
    for owner in owners:
        for wish in owner.about(name):
            _tell(wish, taken)
            values |= dict.fromkeys(wish.values)
    return tuple(values)


def _tell(wish: Wish, taken: list[str]) -> None:
    if wish.told not in taken:
        taken.append(wish.told)


def true(value: str) -> bool:
    """As pip and uv read it."""
    return value.strip().lower() in ("1", "true", "yes", "y", "t", "on")


def words(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for value in values for word in value.split())
