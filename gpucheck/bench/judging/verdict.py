"""Is the GPU worth it? One word, one sentence, and the exit code. Facts of one run in, a judgement out.

What is claimed, of the ratio CPU's step / GPU's step (median of the rounds' ratios, bootstrap 95 %):

cannot-tell  fewer than 4 clean rounds; a device failed, does not learn or computes other numbers; or none of these:
faster       the whole interval is above 1 + margin, and the steps differ by more than the larger floor
slower       the whole interval is below 1 / (1 + margin), and the steps differ by more than the larger floor
same         the whole interval is within 1 / (1 + SAME) and 1 + SAME

The margin is SAME or the run's own A/A noise of the ratio, whichever is larger. SAME does not grow with the noise: a
noisy run cannot show that two devices are alike.

Wrong claims of faster or slower where both were the same noise process (10 % a block, 1000 runs each): 8 rounds 0.1 %,
4 rounds 1.5 %, up to 24 rounds with the stop rule 0.1 % (1 of 1200); with noise that carries over from round to round
(autocorrelation 0.7) 4 to 6 %: neither the interval nor random halves can see that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, Union

from gpucheck.bench.judging.compare import compare_exit
from gpucheck.bench.judging.figures import figures
from gpucheck.bench.judging.gates import clean_pairs, means
from gpucheck.bench.judging.reasons import Agreement, Told, learns, losses_agree, spoiled, step_of, told
from gpucheck.bench.judging.statistics import median_interval, paired_ratio, ratios, split_noise
from gpucheck.bench.judging.words import milliseconds, plural, times
from gpucheck.facts.bench import Doctor, Interval, Leg, Result, Sample, Settings, Trial, Verdict, Word
from gpucheck.facts.gap import Gap

__all__ = [
    "Agreement",
    "crossover",
    "crossover_sentence",
    "exit_code",
    "fail_under",
    "figures",
    "learns",
    "losses_agree",
    "settled",
    "verdict",
]

ROUNDS = 4  # clean ones, for any claim: the interval of 3 is their range, and covers 75 %
ROUNDS_TO_SETTLE = 6  # to stop early: with fewer the interval cannot cover 95 %
NARROW = 0.03  # (high - low) / value
# Two runs of the same program on a quiet machine were up to 7 % apart, most below 5 %: what a process got at its start
# (addresses, threads, cores) stays with it, and no interval within one run can see that.
SAME = 0.05


def settled(cpu: Union[Leg, None], gpus: Iterable[Leg]) -> bool:
    """May measuring stop? With 6 clean rounds or more, and an interval narrower than 3 %, for every GPU that runs.

    With the CPU alone, or a GPU alone, its own step is what must be known so well.
    """
    running = [gpu for gpu in gpus if gpu.failure is None]
    if cpu is None or cpu.failure is not None:
        return all(_narrow(means(gpu)) for gpu in running)
    if not running:
        return _narrow(means(cpu))
    return all(_narrow(ratios(clean_pairs(cpu, gpu))) for gpu in running)


def _narrow(values: tuple[float, ...]) -> bool:
    if len(values) < ROUNDS_TO_SETTLE:
        return False
    interval = median_interval(values)
    return (interval.high - interval.low) / interval.value < NARROW


class _Seen(NamedTuple):
    """What the word and the sentence are made from."""

    cpu: Leg
    gpu: Leg
    ratio: Union[Interval, None]
    noise: Union[float, None]
    pairs: int
    told: tuple[Told, ...]

    @property
    def names(self) -> set[str]:
        return {one.reason.name for one in self.told}


def verdict(
    cpu: Leg,
    gpu: Leg,
    *,
    samples: Iterable[Sample],
    settings: Settings,
    doctor: Union[Doctor, Gap],
) -> Verdict:
    """One GPU against the CPU at one batch size. Figures and marks of blocks are those in the legs."""
    pairs = clean_pairs(cpu, gpu)
    seen = _Seen(
        cpu,
        gpu,
        paired_ratio(pairs) if pairs else None,
        split_noise(ratios(pairs)),
        len(pairs),
        told(cpu, gpu, samples, settings, doctor),
    )
    word, why = _judge(seen)
    reasons = tuple(one.reason for one in seen.told)
    suspect = bool(seen.names & {"wrong-numbers", "not-learning"})
    sentence = _sentence(seen, word, why)
    if settings.simulated is not None:
        sentence = f"SIMULATED: {sentence}"
    return Verdict(gpu.device, word, None if suspect else seen.ratio, seen.noise, sentence, reasons)


def _judge(seen: _Seen) -> tuple[Word, str]:
    """The word, and for cannot-tell why."""
    failed = _failed(seen)
    if failed:
        return "cannot-tell", failed
    ratio = seen.ratio
    if ratio is None or seen.pairs < ROUNDS:
        return "cannot-tell", _too_few(seen)
    margin = max(SAME, seen.noise or 0.0)
    if 1 / (1 + margin) <= ratio.high and ratio.low <= 1 + margin:
        if ratio.low >= 1 / (1 + SAME) and ratio.high <= 1 + SAME:
            return "same", ""
        return "cannot-tell", _too_near(ratio, margin)
    floor = _floor(seen)
    if floor is not None and abs(_step(seen.cpu) - _step(seen.gpu)) < floor:
        return "cannot-tell", (
            f"the steps ({milliseconds(_step(seen.gpu))} against {milliseconds(_step(seen.cpu))}) differ by less than "
            f"an empty step costs ({milliseconds(floor)}): try a larger batch"
        )
    return ("faster" if ratio.low > 1 else "slower"), ""


def _failed(seen: _Seen) -> str:
    for one in seen.told:
        if one.reason.name == "wrong-numbers":
            return f"the GPU's arithmetic is suspect: {one.reason.text}"
        if one.reason.name in ("not-learning", "no-kernels"):
            return one.reason.text
    # A device that failed after enough rounds has told enough.
    early = [one.reason.text for one in seen.told if one.reason.name == "failed" and seen.pairs < ROUNDS]
    return early[0] if early else ""


def _too_few(seen: _Seen) -> str:
    few = f"only {plural(seen.pairs, 'round')} of the {ROUNDS} needed {'was' if seen.pairs == 1 else 'were'} clean"
    if seen.pairs == 0:
        few = f"no round was clean, {ROUNDS} are needed"
    why = [one.text for one in spoiled(seen.cpu, seen.gpu)]
    return f"{few}: {', '.join(why)}" if why else f"{few}, and no more were measured"


def _too_near(ratio: Interval, margin: float) -> str:
    if ratio.low < 1 < ratio.high and ratio.high / ratio.low > (1 + margin) ** 2:
        return f"the rounds disagree: CPU's step over GPU's step is {times(ratio)}"
    return f"CPU's step over GPU's step is {times(ratio)}, too near to 1 for a run that can tell {margin:.0%} apart"


def _floor(seen: _Seen) -> Union[float, None]:
    floors = [leg.floor for leg in (seen.cpu, seen.gpu) if not isinstance(leg.floor, Gap)]
    return max(floors) if floors else None


def _step(leg: Leg) -> float:
    return step_of(leg) or math.nan


def _sentence(seen: _Seen, word: Word, why: str) -> str:
    who = f"The GPU ({seen.gpu.device}, {seen.gpu.name})"
    if word == "cannot-tell" or seen.ratio is None:
        return f"It cannot be told whether the GPU ({seen.gpu.device}, {seen.gpu.name}) is faster, because {why}."
    steps = f"{milliseconds(_step(seen.gpu))} a step against {milliseconds(_step(seen.cpu))}"
    if word == "faster":
        return f"{who} is {times(seen.ratio)} times faster than the CPU: {steps}."
    if word == "same":
        return f"{who} and the CPU are equally fast, {times(seen.ratio)} times: {steps}."
    causes = [one.reason.text for one in seen.told if one.loses]
    because = f", because {causes[0]}" if causes else "; nothing that was measured says why"
    return f"{who} is {times(_inverse(seen.ratio))} times slower than the CPU, {steps}{because}."


def _inverse(ratio: Interval) -> Interval:
    return Interval(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)


def crossover(trials: Iterable[Trial], device: str) -> Union[int, None]:
    """The batch size from which on this GPU wins: the smallest that it and all larger ones are faster at."""
    found = None
    for trial in sorted(trials, key=lambda one: one.batch_size, reverse=True):
        if not any(one.device == device and one.word == "faster" for one in trial.verdicts):
            break
        found = trial.batch_size
    return found


def crossover_sentence(trials: Iterable[Trial], device: str) -> Union[str, None]:
    """What a batch sweep shows; ``None`` with fewer than two batch sizes, or where nothing can be told at any."""
    verdicts = [(one, verdict) for one in trials for verdict in one.verdicts if verdict.device == device]
    judged = [one for one, _verdict in verdicts]
    if len(judged) < 2 or all(verdict.word == "cannot-tell" for _trial, verdict in verdicts):
        return None
    sizes = sorted(one.batch_size for one in judged)
    start = crossover(judged, device)
    if start is None:
        return f"No batch size was found from which on {device} is faster ({sizes[0]} to {sizes[-1]} tried)."
    if start == sizes[0]:
        return f"{device} is faster at every batch size tried ({sizes[0]} to {sizes[-1]})."
    return f"From batch size {start} on {device} is faster ({sizes[0]} to {sizes[-1]} tried)."


def fail_under(verdict: Verdict, speedup: float) -> int:
    """0: the whole interval is at this speed-up or above; 1: below; 3: it straddles, or nothing can be told."""
    if verdict.word == "cannot-tell" or verdict.ratio is None:
        return 3
    if verdict.ratio.low >= speedup:
        return 0
    return 1 if verdict.ratio.high < speedup else 3


def exit_code(
    result: Result, asked: Iterable[str] = (), speedup: Union[float, None] = None, fail_slower: bool = False
) -> int:
    """What a run ends with: 1 (something is wrong) before 3 (cannot tell) before 0. An interrupted one is not asked.

    Parameters
    ----------
    asked: what --devices named: cpu, gpu:0 …, or gpu for any. Without it, a machine without a GPU is no failure.
    speedup: --fail-under; each GPU at each batch size must reach it.
    fail_slower: whether SLOWER in a comparison is a failure.
    """
    legs = [leg for trial in result.trials for leg in trial.legs]
    if any(_broken(leg) for leg in legs) or not all(_measured(name, legs) for name in asked):
        return 1
    codes = [_told(trial) for trial in result.trials]
    if speedup is not None:
        verdicts = [one for trial in result.trials for one in trial.verdicts]
        codes += [fail_under(one, speedup) for one in verdicts] or [3]
    if result.comparison is not None:
        codes.append(compare_exit(result.comparison, fail_slower))
    return 1 if 1 in codes else 3 if 3 in codes or not legs else 0


def _broken(leg: Leg) -> bool:
    """A CPU that fails is no machine to measure on, and training that does not train has no figure on any device."""
    failed = leg.failure is not None and (leg.device == "cpu" or leg.failure.kind == "not-learning")
    return failed or learns(leg.learning) is False


def _measured(name: str, legs: list[Leg]) -> bool:
    """Was it? Blocks that were all left out leave a question open; the device is there."""
    return any(
        bool(leg.figures or leg.blocks) and (leg.device == name or (name == "gpu" and leg.device.startswith("gpu:")))
        for leg in legs
    )


def _told(trial: Trial) -> int:
    """3 where a question stayed open at this batch size. A GPU that the framework does not see is an answer."""
    absent = {leg.device for leg in trial.legs if leg.failure is not None and leg.failure.kind == "no-device"}
    here = [leg for leg in trial.legs if leg.device not in absent]
    silent = any(leg.figures is None or leg.failure is not None for leg in here)
    open_ = any(one.word == "cannot-tell" for one in trial.verdicts if one.device not in absent)
    return 3 if silent or open_ else 0
