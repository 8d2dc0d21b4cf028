"""What the sampler's lines say, as facts: readings, samples, whose processes they are. No process is started here."""

from __future__ import annotations

import math
import signal
from collections.abc import Sequence
from typing import Any, NamedTuple, Union

from gpucheck.facts.bench import Sample
from gpucheck.facts.gap import Gap

LEAST_SECONDS = 2.0  # of an energy reading: the counter steps every 20 to 100 ms, and power is averaged within
LEAST_STEPS = 20  # of the counter
Reasons = Union[tuple[str, ...], None, Gap]
Count = Union[int, None, Gap]


class Reading(NamedTuple):
    """One GPU at one moment."""

    time: float  # since the run began
    energy_j: Union[float, None, Gap]  # total since the driver was loaded; None: before Volta, or a MIG instance
    processes: Count  # others on the GPU
    reasons: Reasons  # clocks-event reasons
    counter_step: Union[float, None] = None  # seconds between two steps of the energy counter; None: not learned (yet)


class About(NamedTuple):
    """What a GPU is and could do at most. MHz, bytes, watts; None: not told."""

    name: Union[str, None]
    clock_max: Union[float, None]
    memory_clock_max: Union[float, None]
    pcie_generation_max: Union[int, None]
    pcie_width_max: Union[int, None]
    power_limit: Union[float, None]
    memory_total: Union[int, None]


def energy(before: Reading, after: Reading) -> Union[float, None, Gap]:
    """Joules between two readings. None: this GPU has no counter. A gap: too short for it, or it was set back."""
    for reading in (before, after):
        if reading.energy_j is None or isinstance(reading.energy_j, Gap):
            return reading.energy_j
    seconds, joules = after.time - before.time, after.energy_j - before.energy_j  # type: ignore[operator]
    step = after.counter_step or before.counter_step or LEAST_SECONDS / LEAST_STEPS
    least = max(LEAST_SECONDS, LEAST_STEPS * step)
    if seconds < least:
        return Gap(f"{seconds:.1f} s are too short for the energy counter: at least {least:.1f} s", "unsupported")
    if joules < 0:
        return Gap("the energy counter went backwards: the driver was loaded anew")
    if joules == 0:
        return Gap("the energy counter stood still")
    return float(joules)


def energy_within(before: object, after: object, seconds: float) -> Union[float, None, Gap]:
    """Joules of so many seconds between two readings, at the power of all the time between them."""
    for reading in (before, after):
        if not isinstance(reading, Reading):
            return reading if isinstance(reading, Gap) else Gap("no reading", "not-collected")
    assert isinstance(before, Reading)
    assert isinstance(after, Reading)
    joules = energy(before, after)
    return joules * seconds / (after.time - before.time) if isinstance(joules, float) else joules


def time_of(told: dict[str, Any]) -> float:
    """Of any line. Raises TypeError where there is none."""
    time = _number(told, "time")
    if time is None:
        raise TypeError(f"not a time: {told.get('time')!r}")
    return time


def sample_of(device: str, told: dict[str, Any], origin: float) -> Sample:
    """A "sample" or "cpu" line."""
    reasons = told.get("reasons")
    return Sample(
        time=time_of(told) - origin,
        device=device,
        utilization=_number(told, "utilization"),
        memory=_whole(told, "memory"),
        power=_number(told, "power"),
        temperature=_number(told, "temperature"),
        clock=_number(told, "clock"),
        memory_clock=_number(told, "memory_clock"),
        reasons=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        processes=_whole(told, "processes"),
        pcie_generation=_whole(told, "pcie_generation"),
        pcie_width=_whole(told, "pcie_width"),
    )


def reading_of(told: dict[str, Any], origin: float, step: Union[float, None]) -> Reading:
    """A "mark" line."""
    millijoules = told.get("energy")
    joules = gap_of(millijoules) if millijoules is None or isinstance(millijoules, dict) else millijoules / 1000
    return Reading(time_of(told) - origin, joules, told["others"], reasons_of(told), step)


def about_of(told: dict[str, Any]) -> About:
    """An "about" line."""
    name = told.get("name")
    return About(
        name=name if isinstance(name, str) else None,
        clock_max=_number(told, "clock_max"),
        memory_clock_max=_number(told, "memory_clock_max"),
        pcie_generation_max=_whole(told, "pcie_generation_max"),
        pcie_width_max=_whole(told, "pcie_width_max"),
        power_limit=_number(told, "power_limit"),
        memory_total=_whole(told, "memory_total"),
    )


def reasons_of(told: dict[str, Any]) -> Reasons:
    reasons = told.get("reasons")
    return tuple(map(str, reasons)) if isinstance(reasons, list) else gap_of(reasons)


def gap_of(answer: Any) -> Union[None, Gap]:
    """None (not supported), or the sampler's gap. Raises TypeError for anything else."""
    if answer is None:
        return None
    if isinstance(answer, dict):
        kind = answer.get("kind")
        return Gap(str(answer.get("gap")), kind if kind in ("denied", "unreadable") else "unreadable")
    raise TypeError(f"not an answer: {answer!r}")


def _number(told: dict[str, Any], name: str) -> Union[float, None]:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None  # a failing query is no reading; what gates judge (reasons, processes, energy) keeps its gap
    return float(value)


def _whole(told: dict[str, Any], name: str) -> Union[int, None]:
    value = _number(told, name)
    return None if value is None else int(value)


def ending(code: Union[int, None]) -> str:
    """How the sampler ended, in words."""
    if code is None:
        return "the sampler closed its pipe and goes on running"
    if code >= 0:
        return f"the sampler ended with exit code {code}"
    try:
        return f"the sampler died of {signal.Signals(-code).name}"
    except ValueError:
        return f"the sampler died of signal {-code}"


def thinned(kept: Sequence[Sequence[Sample]], most: int) -> tuple[Sample, ...]:
    """All devices' samples in order of time, at most so many: neighbours of one device are taken together."""
    total = sum(map(len, kept))
    together = max(1, math.ceil(total / max(1, most - len(kept))))
    groups = [one[at : at + together] for one in kept for at in range(0, len(one), together)]
    return tuple(sorted(map(_together, groups), key=lambda sample: (sample.time, sample.device)))


def _together(group: Sequence[Sample]) -> Sample:
    """Means of what varies, the most of what counts, and every reason that was set."""
    if len(group) == 1:
        return group[0]
    means: dict[str, Any] = {name: _mean([getattr(one, name) for one in group]) for name in _MEANS}
    most: dict[str, Any] = {name: _most([getattr(one, name) for one in group]) for name in _MOST}
    reasons = tuple(dict.fromkeys(name for one in group for name in one.reasons))
    return group[0]._replace(**means, **most, reasons=reasons)


_MEANS = ("time", "utilization", "power", "temperature", "clock", "memory_clock")
_MOST = ("memory", "processes", "pcie_generation", "pcie_width")


def _mean(values: list[Union[float, None]]) -> Union[float, None]:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


def _most(values: list[Union[int, None]]) -> Union[int, None]:
    return max((one for one in values if one is not None), default=None)
