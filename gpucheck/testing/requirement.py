"""What a marker asks for, read from its words. Pure; what the machine has is judged in judging.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Union

from gpucheck.facts.versions import ComputeCapability

WORDS = ("count", "compute_capability", "memory_gib", "framework")
FRAMEWORKS = ("tensorflow", "torch", "jax", "cuda")


class BadMarker(ValueError):
    """A marker that cannot be understood; the message says why."""


class Lack(NamedTuple):
    """Why a test cannot run here. more: lines with the fix."""

    reason: str
    more: tuple[str, ...] = ()


class Requirement(NamedTuple):
    """number: GPUs that a program must see. compute_capability, memory_gib: each of these GPUs at least (GiB: 2**30
    bytes, as NVML reports the whole card). framework: who must be able to use them; None: TensorFlow where it is
    installed, else CUDA alone."""

    number: int = 1
    compute_capability: Union[ComputeCapability, None] = None
    memory_gib: Union[float, None] = None
    framework: Union[str, None] = None


def read(args: Sequence[object], kwargs: Mapping[str, object]) -> Requirement:
    """Raises `BadMarker`."""
    if args:
        raise BadMarker(f"its arguments have names, as in count=2; {args[0]!r} has none")
    unknown = [name for name in kwargs if name not in WORDS]
    if unknown:
        raise BadMarker(f"it knows no {unknown[0]}, only {', '.join(WORDS)}")
    count, memory, framework = kwargs.get("count", 1), kwargs.get("memory_gib"), kwargs.get("framework")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise BadMarker(f"count is a number from 1 on, not {count!r}")
    if memory is not None and (not isinstance(memory, (int, float)) or isinstance(memory, bool) or not memory > 0):
        raise BadMarker(f"memory_gib is a number of GiB above 0, not {memory!r}")
    if framework is not None and framework not in FRAMEWORKS:
        raise BadMarker(f"framework is one of {', '.join(FRAMEWORKS)}, not {framework!r}")
    assert framework is None or isinstance(framework, str)
    return Requirement(count, _capability(kwargs.get("compute_capability")), memory, framework)


def _capability(value: object) -> Union[ComputeCapability, None]:
    """ "8.0", 8.0 or (8, 0)."""
    if value is None:
        return None
    parts = value if isinstance(value, tuple) else (value,)
    if not isinstance(value, bool) and all(isinstance(part, (int, float, str)) for part in parts):
        capability = ComputeCapability.parse(".".join(map(str, parts)))
        if capability is not None and capability.final:
            return capability
    raise BadMarker(f'compute_capability is written as "8.0", not {value!r}')
