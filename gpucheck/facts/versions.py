"""Versions of different kinds are different types: a driver's 580 is never compared with CUDA's 13.

``packaging.version`` is not used here: its import costs more than a tenth of doctor's start-up budget, and NVIDIA's
numbers are not PEP 440 anyway.
"""

from __future__ import annotations

from typing import TypeVar

V = TypeVar("V", bound="Version")


class Version:
    """Dotted numbers with an optional tail ("2.22.0rc0", "12.5.1", "580.126.09").

    Ordered within its own kind only; ``580.65.06`` and ``580.65.6`` are equal. A tail that starts with a letter sorts
    before the same numbers without one (rc, dev), as PEP 440 has it; a local part ("+cpu") is kept in `text` only.
    """

    __slots__ = ("text", "parts", "final")

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) < 19 and text.isascii():  # most are plain numbers, and there are thousands
            try:
                self.parts = tuple(map(int, text.split(".")))
            except ValueError:
                pass
            else:
                if text.replace(".", "").isdigit():  # int() takes "+1", " 1" and "1_0", too
                    self.final = True
                    return
        public = text.split("+", 1)[0].strip()
        numbers: list[int] = []
        tail = ""
        pieces = public.split(".")
        for at, piece in enumerate(pieces):
            digits = len(piece) - len(piece.lstrip("0123456789"))
            if digits and piece.isascii():
                numbers.append(int(piece[: min(digits, 18)]))
            if digits != len(piece) or not digits or not piece.isascii():
                tail = piece[digits:] + ".".join(pieces[at + 1 :])
                break
        self.parts = tuple(numbers)
        self.final = not tail or tail.startswith("post")

    @classmethod
    def parse(cls: type[V], text: str) -> V | None:
        """Read a version, or ``None`` where the text holds no number in front."""
        version = cls(text)
        return version if version.parts else None

    @property
    def major(self) -> int:
        return self.parts[0] if self.parts else 0

    @property
    def minor(self) -> int:
        return self.parts[1] if len(self.parts) > 1 else 0

    def _key(self, other: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if type(other) is not type(self):
            raise TypeError(f"cannot compare {type(self).__name__} with {type(other).__name__}")
        assert isinstance(other, Version)
        width = max(len(self.parts), len(other.parts))
        return (
            (*self.parts, *(0,) * (width - len(self.parts)), int(self.final)),
            (*other.parts, *(0,) * (width - len(other.parts)), int(other.final)),
        )

    def __lt__(self, other: object) -> bool:
        mine, theirs = self._key(other)
        return mine < theirs

    def __le__(self, other: object) -> bool:
        mine, theirs = self._key(other)
        return mine <= theirs

    def __gt__(self, other: object) -> bool:
        return not self <= other

    def __ge__(self, other: object) -> bool:
        return not self < other

    def __eq__(self, other: object) -> bool:
        if other is None or not isinstance(other, Version):
            return False
        mine, theirs = self._key(other)
        return mine == theirs

    def __hash__(self) -> int:
        parts = self.parts
        while parts and parts[-1] == 0:
            parts = parts[:-1]
        return hash((type(self).__name__, parts, self.final))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


class DriverVersion(Version):
    """NVIDIA's driver, kernel module or user-space half: 580.126.09."""


class CudaVersion(Version):
    """A CUDA API level or toolkit: 12.5, 13.0.2."""

    @property
    def short(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def of_number(cls, number: int) -> CudaVersion:
        """From CUDA's own integer, 1000 * major + 10 * minor (cuda.h, CUDA_VERSION)."""
        return cls(f"{number // 1000}.{number % 1000 // 10}")


class CudnnVersion(Version):
    """cuDNN: 8.9.7, 9.10.2."""


class LibraryVersion(Version):
    """Another shared library's file or package version."""


class ComputeCapability(Version):
    """A GPU generation as code is built for it: 8.9. ``sm_89`` and ``compute_90`` are read too."""

    def __init__(self, text: str) -> None:
        digits = text.rpartition("_")[2].rstrip("af")
        if digits.isdigit() and len(digits) > 1:
            text = f"{digits[:-1]}.{digits[-1]}"
        super().__init__(text)


class PythonVersion(Version):
    """A Python interpreter: 3.12.4."""


class PackageVersion(Version):
    """A distribution on an index: 2.21.0, 2.22.0rc0, 2.6.0+cu124."""


class LibcVersion(Version):
    """glibc: 2.36."""
