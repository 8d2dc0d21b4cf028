"""As much of NumPy as gpucheck's deep child asks of it: so that its tests need no downloads."""

from __future__ import annotations

import random as _random
from typing import Any


class Numbers(list):  # type: ignore[type-arg]
    """Four numbers that stand for an array."""

    def astype(self, _kind: str) -> Numbers:
        return self

    def __sub__(self, other: Any) -> Numbers:
        return Numbers(one - two for one, two in zip(self, other, strict=True))

    def __pow__(self, power: float) -> Numbers:
        return Numbers(one**power for one in self)

    def sum(self) -> float:
        return float(sum(self))


class RandomState(_random.Random):
    def standard_normal(self, _shape: tuple[int, ...]) -> Numbers:
        return Numbers(self.gauss(0, 1) for _ in range(4))


class random:
    RandomState = RandomState
