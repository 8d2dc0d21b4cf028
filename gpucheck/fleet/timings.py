"""What of a bench result is compared with other machines: each GPU's step, or why it has none. Pure."""

from __future__ import annotations

from typing import Union

from gpucheck.bench.judging.statistics import median
from gpucheck.facts.bench import Leg, Result, Trial
from gpucheck.fleet.marks import clip
from gpucheck.fleet.nodes import MOST_TIMINGS, Timing

_BUSY = 0.5  # of the time between two samples: below, its clock says nothing


def timings(result: Result) -> tuple[Timing, ...]:
    """The figures of every GPU. None of a simulated run: no GPU was measured."""
    if result.settings.simulated is not None:
        return ()
    found = [
        _timing(result, trial, leg)
        for trial in result.trials
        for leg in trial.legs
        if leg.device.startswith("gpu") and leg.figures is not None and leg.figures.step.value > 0 and _named(leg.name)
    ]
    return tuple(found[:MOST_TIMINGS])


def failures(result: Result) -> tuple[tuple[str, str], ...]:
    """GPUs that have no figure, and why: a device, its words."""
    if result.settings.simulated is not None:
        return ()
    legs = {leg.device: leg for trial in result.trials for leg in trial.legs if leg.device.startswith("gpu")}
    if not legs:
        return (("bench", result.no_gpu),) if result.no_gpu else ()
    failed = {
        leg.device: f"{leg.failure.kind}: {leg.failure.message}" if leg.failure else "it came to no figure"
        for trial in result.trials
        for leg in trial.legs
        if leg.device in legs and leg.figures is None
    }
    return tuple(failed.items())


def _named(name: str) -> bool:
    """Does it tell which GPU it is? A MIG instance without its profile may be a seventh of one or half of one."""
    return name not in ("", "GPU") and not name.endswith("(MIG)")


def _timing(result: Result, trial: Trial, leg: Leg) -> Timing:
    assert leg.figures is not None
    step = leg.figures.step
    return Timing(
        clip(leg.device), clip(leg.name), _kind(result, trial), step.value, step.low, _clock(result, leg.device)
    )


def _kind(result: Result, trial: Trial) -> str:
    """Everything that was asked for. Versions are no part of it: a slow one is what is looked for."""
    of = result.settings
    words = (of.workload, of.backend, of.precision, "compiled" if of.jit else "", of.input, of.optimizer)
    return clip(f"{' '.join(word for word in words if word)}, batch size {trial.batch_size} [{of.workload_hash[:8]}]")


def _clock(result: Result, device: str) -> Union[float, None]:
    clocks = [
        one.clock
        for one in result.samples
        if one.device == device and one.clock is not None and (one.utilization or 0.0) >= _BUSY
    ]
    return median(clocks) if clocks else None
