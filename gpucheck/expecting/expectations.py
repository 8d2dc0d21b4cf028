"""What can be expected: one member for each key of the file, with its words kept for the answer."""

from __future__ import annotations

from typing import NamedTuple, Union

# Keys whose value is a version specifier, as packaging reads it: ">=580", "==2.20.*", "~=9.3".
VERSIONS = ("driver", "driver-cuda", "cuda", "cudnn", "python", "tensorflow", "keras", "torch", "jax")


class Bounds(NamedTuple):
    """What a number must be: every (operator, number) must hold. text: as it was written."""

    text: str
    each: tuple[tuple[str, float], ...]

    def hold(self, number: float) -> bool:
        """Do all of them?"""
        return all(_HOLDS[operator](number, bound) for operator, bound in self.each)


_HOLDS = {
    ">=": float.__ge__,
    "<=": float.__le__,
    "==": float.__eq__,
    "!=": float.__ne__,
    ">": float.__gt__,
    "<": float.__lt__,
}


class Gpus(NamedTuple):
    """Of a machine's GPUs. name, compute_capability, memory_gib: what one must be to fit.

    number: how many must fit (the key `count`); without it there must be one, and each must.
    """

    number: Union[Bounds, None] = None
    name: Union[str, None] = None  # a part of NVML's name, or a pattern with * ? [
    compute_capability: Union[str, None] = None  # a version specifier
    memory_gib: Union[Bounds, None] = None

    @property
    def wish(self) -> str:
        """What one must be, in words; empty: anything."""
        words = [f"named {self.name}"] if self.name else []
        words += [f"of compute capability {self.compute_capability}"] if self.compute_capability else []
        words += [f"with {self.memory_gib.text} GiB"] if self.memory_gib else []
        return ", ".join(words)


class Expectations(NamedTuple):
    """One file's. source: the file, with its table where it has one.

    versions: (key of `VERSIONS`, specifier). no_warnings: findings that count as unmet where they are warnings.
    ignore, strict, timeout: as the options of those names.
    """

    source: str
    versions: tuple[tuple[str, str], ...] = ()
    gpus: Union[Gpus, None] = None
    speed_up: Union[Bounds, None] = None
    no_warnings: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strict: bool = False
    timeout: Union[float, None] = None  # seconds
