"""What a reader must know who reads no further: the verdicts' own sentences, none changed and none made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpucheck.facts.bench import Leg, Result, Trial, Word
from gpucheck.render.bench.amounts import number, step
from gpucheck.render.text import count


class Said(NamedTuple):
    """One line of the answer. kind chooses its colour: a verdict's word, or loud, failed, cpu."""

    title: str
    text: str
    kind: str


TITLES: dict[Word, str] = {"faster": "FASTER", "same": "SAME", "slower": "SLOWER", "cannot-tell": "CANNOT TELL"}

SPOILED: dict[str, str] = {
    "foreign-cpu": "other processes used the CPU",
    "canary": "the fixed work next to it took another time",
    "clocks": "clocks held down",
    "gpu-process": "another process was on the GPU",
}


def answer(result: Result) -> tuple[Said, ...]:
    """What a reader must know who reads no further."""
    return (*_loud(result), *_sentences(result))


def _loud(result: Result) -> Iterator[Said]:
    if result.settings.simulated is not None:
        yield Said("SIMULATED", f"No real GPU was measured: {result.settings.simulated}.", "loud")
    if result.interrupted:
        yield Said("INTERRUPTED", "Not measured to the end; this is what is known so far.", "loud")


def _sentences(result: Result) -> Iterator[Said]:
    trial = result.trials[0] if result.trials else None
    verdicts = trial.verdicts if trial else ()
    for verdict in verdicts:
        yield Said(TITLES[verdict.word], verdict.sentence, verdict.word)
        for reason in verdict.reasons:
            if reason.text not in verdict.sentence:
                yield Said("", f"{reason.name}: {reason.text}", "reason")
    if trial and not verdicts:
        yield from _alone(result, trial)
    for note in result.notes:
        yield Said("NOTE", note, "reason")
    if trial is None or not trial.legs:
        yield Said("NO FIGURE", "Nothing was measured.", "failed")
    if result.no_gpu is not None:
        yield Said("NO GPU", result.no_gpu, "cpu")


def _alone(result: Result, trial: Trial) -> Iterator[Said]:
    """Without a pair there is no verdict: each device's own step."""
    for leg in trial.legs:
        if leg.figures is None:
            yield Said("NO FIGURE", f"{leg.device}: {leg.failure.message if leg.failure else _nothing(leg)}", "failed")
            continue
        rate = f"{number(leg.figures.images_per_second)} images/s"
        what = f"One step of {result.settings.workload} at batch {trial.batch_size}"
        yield Said("STEP", f"{what} takes {step(leg.figures.step)} on {leg.device} ({leg.name}), {rate}.", "cpu")


def _nothing(leg: Leg) -> str:
    """Why no block counts."""
    if not leg.blocks:
        return "nothing was measured"
    reasons = sorted({one for block in leg.blocks for one in block.left_out})
    return (
        f"none of its {count(len(leg.blocks), 'block')} counts: {', '.join(SPOILED.get(one, one) for one in reasons)}"
    )
