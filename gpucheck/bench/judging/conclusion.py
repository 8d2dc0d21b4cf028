"""All that follows from the blocks of a run, trial by trial: marks, figures, verdicts, notes. Made anew at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Union

from gpucheck.bench.judging.figures import figures
from gpucheck.bench.judging.gates import gated
from gpucheck.bench.judging.reasons import launch_bound
from gpucheck.bench.judging.verdict import crossover_sentence, verdict
from gpucheck.facts.bench import Doctor, Leg, Sample, Settings, Trial
from gpucheck.facts.gap import Gap

IdleWatts = Mapping[str, Union[float, None, Gap]]  # by device


def concluded(
    trials: Iterable[Trial],
    canaries: Sequence[float],
    idle_watts: IdleWatts,
    samples: Sequence[Sample],
    settings: Settings,
    doctor: Union[Doctor, Gap],
) -> tuple[Trial, ...]:
    """Trials with their blocks marked (the canaries' median moves while a run goes on), figures and verdicts."""
    found = []
    for trial in trials:
        legs = gated(trial.legs, canaries)
        legs = tuple(
            leg._replace(figures=figures(leg, trial.batch_size, trial.work, idle_watts.get(leg.device))) for leg in legs
        )
        cpu = next((leg for leg in legs if leg.device == "cpu"), None)
        verdicts = [
            verdict(cpu, leg, samples=samples, settings=settings, doctor=doctor)
            for leg in legs
            if cpu is not None and leg is not cpu and not _absent(leg)
        ]
        found.append(trial._replace(legs=legs, verdicts=tuple(verdicts)))
    return tuple(found)


def _absent(leg: Leg) -> bool:
    """That there is no such device is an answer, not a comparison that failed."""
    return leg.failure is not None and leg.failure.kind == "no-device"


def notes(trials: Sequence[Trial], devices: Iterable[str]) -> tuple[str, ...]:
    """Sentences beside the verdicts: from which batch size on a GPU wins; what a step without a rival consists of."""
    sweeps = [crossover_sentence(trials, device) for device in devices]
    alone = [launch_bound(leg) for trial in trials if not trial.verdicts for leg in trial.legs]
    return tuple(dict.fromkeys(note for note in (*sweeps, *alone) if note is not None))
