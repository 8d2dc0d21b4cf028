"""What an installation tells while it works. render/ shows it; tests gather it."""

from __future__ import annotations

from typing import Protocol, Union


class Progress(Protocol):
    """One thing at a time."""

    def begin(self, what: str, total: Union[int, None] = None) -> None:
        """A new step: "downloading", "installing". total: bytes to come, None where the step has no measure."""

    def advance(self, amount: int) -> None:
        """Bytes done since the last call. From any thread."""

    def note(self, text: str) -> None:
        """A line worth keeping: a retry, a cure."""

    def close(self) -> None:
        """Nothing more comes."""


class Silent:
    """Tells nobody."""

    def begin(self, what: str, total: Union[int, None] = None) -> None: ...
    def advance(self, amount: int) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self) -> None: ...
