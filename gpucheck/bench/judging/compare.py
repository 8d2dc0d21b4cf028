"""A run against a saved one: did it get slower? Two results in, a comparison out.

Per device and batch size, of the ratio new step / old step (medians of the counted blocks, both drawn anew for the
bootstrap 95 % interval), with t the threshold:

SLOWER       the whole interval is above 1 + t
FASTER       the whole interval is below 1 / (1 + t)
SAME         the whole interval is within 1 / (1 + asked) and 1 + asked
CANNOT TELL  none of these, fewer than 4 counted blocks in one of the files, no figure in one of them; or, for a CPU,
             a canary that changed as much: then it is the machine that changed

t is what was asked for (5 % unless told) or the A/A noise of either file, whichever is largest. SAME asks for the
threshold itself: noise is no proof that nothing changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.bench.judging.gates import means
from gpucheck.bench.judging.statistics import median, unpaired_ratio
from gpucheck.bench.judging.words import milliseconds, plural, times
from gpucheck.facts.bench import Change, Comparison, Difference, Interval, Leg, Part, Result

THRESHOLD = 0.05  # two processes of the same program on a quiet machine differ by up to this and more
BLOCKS = 4  # as many as rounds for a verdict
# What is computed and how. Not the data's kind, the seed nor the time: a step takes as long with other images.
_SETTINGS = ("workload", "workload_hash", "backend", "precision", "jit", "tf32", "input", "optimizer", "simulated")


def unlike(old: Result, new: Result) -> tuple[str, ...]:
    """What differs between the two and decides how fast a step is, a line each. Empty: they may be compared."""
    return (*_settings(old, new), *_parts("", old.environment, new.environment), *_legs(old, new))


def _settings(old: Result, new: Result) -> Iterator[str]:
    for name in _SETTINGS:
        before, now = getattr(old.settings, name), getattr(new.settings, name)
        if before != now:
            if name == "workload_hash":
                if old.settings.workload == new.settings.workload:
                    yield f"{new.settings.workload} has another hash: {before[:12]} before, {now[:12]} now"
            else:
                yield f"{name}: {_said(before)} before, {_said(now)} now"


def _said(value: object) -> str:
    return "nothing" if value is None else str(value) if not isinstance(value, bool) else "on" if value else "off"


def _parts(where: str, old: tuple[Part, ...], new: tuple[Part, ...]) -> Iterator[str]:
    before, now = {one.name: one.value for one in old}, {one.name: one.value for one in new}
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            yield f"{where}{name}: {before.get(name, 'not recorded')} before, {now.get(name, 'not recorded')} now"


def _legs(old: Result, new: Result) -> Iterator[str]:
    """Devices that both files have: their names, and the versions that their processes loaded."""
    before, now = _devices(old), _devices(new)
    for device, leg in now.items():
        if device in before:
            yield from _parts(
                f"{device}: ",
                (Part("name", before[device].name), *before[device].parts),
                (Part("name", leg.name), *leg.parts),
            )


def _devices(result: Result) -> dict[str, Leg]:
    """Each device once: where it has figures first. One that failed may have no parts to compare."""
    found: dict[str, Leg] = {}
    for trial in result.trials:
        for leg in trial.legs:
            if leg.figures is not None:
                found.setdefault(leg.device, leg)
    return found


def compare(old: Result, new: Result, file: str, threshold: Union[float, None] = None) -> Comparison:
    """Compare what both have: the same device at the same batch size.

    Parameters
    ----------
    file: the saved result's name, as the user gave it.
    threshold: relative change that counts (0.1: 10 %); ``None``: 5 %.
    """
    asked = threshold if threshold is not None else THRESHOLD
    before = {(trial.batch_size, leg.device): leg for trial in old.trials for leg in trial.legs}
    differences = [
        _difference(trial.batch_size, before[trial.batch_size, leg.device], leg, asked, _drift(old, new))
        for trial in new.trials
        for leg in trial.legs
        if (trial.batch_size, leg.device) in before
    ]
    return Comparison(file, unlike(old, new), tuple(differences))


def compare_exit(comparison: Comparison, fail_slower: bool) -> int:
    """1: slower, where that is a failure; 3: something cannot be told, or nothing is in both files; else 0."""
    changes = [one.change for one in comparison.differences]
    if fail_slower and "SLOWER" in changes:
        return 1
    return 3 if "CANNOT TELL" in changes or not changes else 0


def _drift(old: Result, new: Result) -> Union[float, None]:
    """How much longer the canary's fixed work took in the new run: a change of the machine, not of the program."""
    before, now = ([one for one in run.canaries if one > 0] for run in (old, new))
    return median(now) / median(before) if before and now else None


def _difference(batch_size: int, old: Leg, new: Leg, asked: float, drift: Union[float, None]) -> Difference:
    where = f"{new.device} at batch size {batch_size}"
    before, now = means(old), means(new)
    t = max(asked, *(leg.figures.noise or 0.0 for leg in (old, new) if leg.figures is not None), 0.0)
    if len(before) < BLOCKS or len(now) < BLOCKS:
        few = f"{plural(len(before), 'counted block')} before and {len(now)} now, {BLOCKS} are needed"
        return Difference(new.device, batch_size, "CANNOT TELL", None, t, f"{where}: CANNOT TELL, {few}.")
    ratio = unpaired_ratio(now, before)
    change = _change(ratio, t, asked)
    steps = f"{milliseconds(median(now))} now, {milliseconds(median(before))} before"
    told = f"a step takes {times(ratio)} times as long: {steps}"
    if new.device == "cpu" and _explained(change, drift, asked):
        change = "CANNOT TELL"
        told += f"; but the canary's fixed work took {drift:.2f} times as long too, so the machine itself has changed"
    return Difference(
        new.device, batch_size, change, ratio, t, f"{where}: {change}, {told}. A change of {t:.1%} would count."
    )


def _explained(change: Change, drift: Union[float, None], asked: float) -> bool:
    """Did the machine's own speed change like that?"""
    if drift is None:
        return False
    return (change == "SLOWER" and drift > 1 + asked) or (change == "FASTER" and drift < 1 / (1 + asked))


def _change(ratio: Interval, t: float, asked: float) -> Change:
    if ratio.low > 1 + t:
        return "SLOWER"
    if ratio.high < 1 / (1 + t):
        return "FASTER"
    return "SAME" if 1 / (1 + asked) <= ratio.low and ratio.high <= 1 + asked else "CANNOT TELL"
