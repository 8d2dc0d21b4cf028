"""Medians, and how sure they are. Numbers in, numbers out: no facts of a machine, no judgement, no clock.

Everything here is seeded: the same numbers give the same answer, in any order of calls.

The interval is the percentile bootstrap (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter
13): draw as many values as there are, with replacement, take the statistic, many times over; the interval is what lies
between the 2.5th and the 97.5th percentile. For a median of few values it is about the range: it cannot cover more
than 1 - 2 / 2**n of the time (87.5 % with 4 values, 94 % with 5, 97 % with 6), whatever it is called.

How often it held a planted ratio, 3000 trials each of independent normal noise: with 4 pairs 87.6 %, 5 93.7, 6 94.2,
8 93.3, 12 92.5, 24 93.6. Stopping as soon as it is narrow costs more (89 to 94 % in four times 1000 trials): it stops
where it happens to be narrow. It takes values for independent: where each device's noise carries over from round to
round (autocorrelation 0.7) it held the truth 63 % of the time. The verdict's margin is there for that.

Values that are no measurement (NaN, infinite; for ratios also zero and less: a clock that stood still) are passed over.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Union

from gpucheck.facts.bench import Interval

# The 2.5th percentile of 1000 is one between the 1.5th and the 3.5th (two standard errors); 60 values take 8 ms.
RESAMPLES = 1000
_SEED = 66478  # any; the tutorial's
_SHARE = 0.95
_HALVES = 200
_FEWEST_FOR_NOISE = 4  # two halves of two: a half of one value has no median to speak of


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, interpolated linearly between neighbours.

    Definition 7 of R. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages, 1996; numpy's default.

    Raises
    ------
    ValueError: there is no value.
    """
    return _ordered_percentile(sorted(_finite(values)), share)


def median(values: Iterable[float]) -> float:
    """The middle value. Raises ValueError where there is none."""
    return percentile(values, 0.5)


def median_interval(values: Iterable[float], resamples: int = RESAMPLES) -> Interval:
    """The median and its 95 % bootstrap interval. Of one value the interval is that value: it tells nothing then.

    Raises
    ------
    ValueError: there is no value.
    """
    known = _finite(values)
    source = random.Random(_SEED)
    return _interval(_middle(known), lambda: _middle(source.choices(known, k=len(known))), resamples)


def ratios(pairs: Iterable[tuple[float, float]]) -> tuple[float, ...]:
    """a / b of each pair of positive numbers."""
    return tuple(a / b for a, b in pairs if _positive(a) and _positive(b) and _positive(a / b))


def paired_ratio(pairs: Iterable[tuple[float, float]], resamples: int = RESAMPLES) -> Interval:
    """The median of a / b with its interval: what slows both of a pair does not move it.

    Raises
    ------
    ValueError: there is no pair of positive numbers.
    """
    return median_interval(ratios(pairs), resamples)


def unpaired_ratio(new: Iterable[float], old: Iterable[float], resamples: int = RESAMPLES) -> Interval:
    """median(new) / median(old) with its interval: both are drawn anew, each from its own values.

    Raises
    ------
    ValueError: one of them has no positive number.
    """
    above, below = [one for one in new if _positive(one)], [one for one in old if _positive(one)]
    source = random.Random(_SEED)

    def drawn() -> float:
        return _middle(source.choices(above, k=len(above))) / _middle(source.choices(below, k=len(below)))

    return _interval(_middle(above) / _middle(below), drawn, resamples)


def split_noise(values: Iterable[float]) -> Union[float, None]:
    """How far halves of the same measurement are apart: 95th percentile of |median(half) / median(other half) - 1|.

    All halves there are of up to 10 values, 200 random ones of more; or, if that is further, the first half and the
    second, because random halves do not see a drift. It is the A/A test: a difference no larger than that was seen
    where nothing differed. ``None`` under 4 values.
    """
    known = [one for one in _finite(values) if one > 0]
    count = len(known)
    if count < _FEWEST_FOR_NOISE:
        return None
    apart = []
    for chosen in _halves(count):
        half = [known[at] for at in chosen]
        other = [known[at] for at in set(range(count)) - set(chosen)]
        apart.append(abs(_middle(half) / _middle(other) - 1))
    drift = abs(_middle(known[: count // 2]) / _middle(known[count // 2 :]) - 1)
    return max(drift, percentile(apart, _SHARE))


def _halves(count: int) -> Iterable[tuple[int, ...]]:
    if count <= 10:
        return combinations(range(count), count // 2)
    source = random.Random(_SEED)
    return [tuple(source.sample(range(count), count // 2)) for _ in range(_HALVES)]


def _interval(value: float, drawn: Callable[[], float], resamples: int) -> Interval:
    seen = sorted(drawn() for _ in range(resamples))
    low, high = (1 - _SHARE) / 2, (1 + _SHARE) / 2
    # The median itself may lie outside by a rounding where all values are equal.
    return Interval(value, min(value, _ordered_percentile(seen, low)), max(value, _ordered_percentile(seen, high)))


def _middle(values: Sequence[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    if not ordered:
        raise ValueError("no values")
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _ordered_percentile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        raise ValueError("no values")
    place = (len(ordered) - 1) * min(max(share, 0.0), 1.0)
    at = math.floor(place)
    if at + 1 >= len(ordered):
        return ordered[-1]
    return ordered[at] + (ordered[at + 1] - ordered[at]) * (place - at)


def _finite(values: Iterable[float]) -> list[float]:
    return [one for one in values if math.isfinite(one)]


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
