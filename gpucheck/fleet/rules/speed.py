"""GPUs that compute more slowly than the others of their model, by the results of `gpucheck bench`.

The spread is Qn of P. Rousseeuw and C. Croux, Alternatives to the Median Absolute Deviation, 1993: from the distances
between all pairs, so that nearly half of the GPUs may be bad before it moves, and twice as sharp as the median absolute
deviation. What counts as an outlier grows with the number of GPUs: of thousands one is always the slowest. (Simulated
in tests/test_fleet_speed.py: a false alarm in about one of a hundred healthy fleets, whatever their size.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import NormalDist, median
from typing import NamedTuple, Union

from gpucheck.findings import Severity
from gpucheck.fleet.nodes import Node, Timing
from gpucheck.fleet.rules.engine import Differing, rule
from gpucheck.fleet.rules.majority import few

FEWEST = 6  # GPUs: of fewer nobody can say which is the odd one
FALSE_ALARMS = 0.01  # fleets of healthy GPUs of which one is accused
LEAST = 0.05  # slower by so much: less is no reason to look at a machine
_NARROWEST = 0.01  # of the median: measurements that agree better than this agree by accident
_MOST_PAIRED = 200  # values: more are thinned, in order, before all pairs are made
_NORMAL = 2.2219  # Qn times this is the standard deviation, where values are spread normally
_SHOWN = 10


class _Slow(NamedTuple):
    """One GPU that takes longer. longer: fraction of the others' median."""

    node: Node
    timing: Timing
    longer: float


@rule(Severity.WARNING)
def gpu_slower_than_peers(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A GPU takes longer for the same training step than the others of its model.

    ## What it means
    `gpucheck bench` ran with the same settings on at least six GPUs of this model. This one's step is an outlier by a
    robust test (distance from the median in units of the scale Qn, against a bound that one of a hundred healthy fleets
    of this size reaches), at least 5 % slower than the median, and so is the lower end of its interval. Where more than
    a quarter of the GPUs are slower, these are told and nobody is named as the odd one.

    ## Why it matters
    A job over many GPUs runs at the pace of the slowest.

    ## How to fix
    Look at its clocks, temperature and power limit, at its PCIe link, and at other programs on it; measure again.

    ## References
    https://doi.org/10.1080/01621459.1993.10476408
    """
    kinds: dict[tuple[str, str], list[tuple[Node, Timing]]] = {}
    for node in nodes:
        for one in node.timings:
            kinds.setdefault((one.gpu, one.kind), []).append((node, one))
    for (gpu, kind), every in kinds.items():
        found = _found(every)
        if found:
            yield _told(gpu, kind, every, found)


def slow(steps: Sequence[float]) -> list[int]:
    """Places of the steps (seconds) that are outliers upwards."""
    if len(steps) < FEWEST:
        return []
    middle = median(steps)
    bound = NormalDist().inv_cdf(1 - FALSE_ALARMS / len(steps))
    longest = max(middle * (1 + LEAST), middle + bound * max(spread(steps), _NARROWEST * middle))
    return [at for at, one in enumerate(steps) if one > longest]


def spread(values: Sequence[float]) -> float:
    """Qn: as a standard deviation, but of the half that agrees best."""
    ordered = sorted(values)
    if len(ordered) > _MOST_PAIRED:
        last = len(ordered) - 1
        ordered = [ordered[at * last // (_MOST_PAIRED - 1)] for at in range(_MOST_PAIRED)]
    count = len(ordered)
    distances = sorted(ordered[high] - ordered[low] for high in range(count) for low in range(high))
    half = count // 2 + 1
    return _NORMAL * distances[half * (half - 1) // 2 - 1]


def _found(every: Sequence[tuple[Node, Timing]]) -> list[_Slow]:
    """The slowest first. One whose interval reaches the others is no proof."""
    steps = [one.step for _, one in every]
    places = set(slow(steps))
    if not places:
        return []
    usual = median(step for at, step in enumerate(steps) if at not in places)
    made = [_Slow(*every[at], steps[at] / usual - 1) for at in places]
    sure = [one for one in made if one.timing.low > median(steps) * (1 + LEAST)]
    return sorted(sure, key=lambda one: (-one.longer, one.node.name))


def _told(gpu: str, kind: str, every: Sequence[tuple[Node, Timing]], found: list[_Slow]) -> Differing:
    usual = _usual_clock(every)
    middle = median(one.step for _, one in every)
    evidence: list[tuple[str, object, str]] = [("bench.step", _ms(middle), f"median of {len(every)} GPUs: {kind}")]
    for one in found[:_SHOWN]:
        evidence.append(("bench.step", _ms(one.timing.step), f"gpucheck bench on {one.node.name}, {one.timing.device}"))
        if one.timing.clock_mhz is not None and usual is not None:
            said = f"{one.timing.clock_mhz:.0f} MHz (median {usual:.0f} MHz)"
            evidence.append(("bench.clock", said, "telemetry of the bench"))
    return Differing(
        _message(found, len(every), usual),
        tuple(evidence),
        tuple(dict.fromkeys(one.node.name for one in found)),
        gpu,
        ("nvidia-smi -q -d PERFORMANCE,CLOCK,POWER,TEMPERATURE", "gpucheck bench"),
        few(len(found), len(every)),
    )


def _message(found: list[_Slow], of: int, usual: Union[float, None]) -> str:
    if len(found) == 1:
        (one,) = found
        return f"{_which(one)} takes {one.longer:.0%} longer for a step than most of {of} GPUs{_at(one, usual)}."
    listed = "; ".join(f"{_which(one)} {one.longer:.0%}{_at(one, usual)}" for one in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    others = "most" if few(len(found), of) else "the others, too many for an exception"
    return f"{len(found)} of {of} GPUs take longer for a step than {others}: {listed}{more}."


def _which(one: _Slow) -> str:
    return f"{one.timing.device} of {one.node.name}"


def _usual_clock(every: Sequence[tuple[Node, Timing]]) -> Union[float, None]:
    clocks = [one.clock_mhz for _, one in every if one.clock_mhz is not None]
    return median(clocks) if len(clocks) >= FEWEST else None


def _at(one: _Slow, usual: Union[float, None]) -> str:
    clock = one.timing.clock_mhz
    if clock is None or usual is None or clock >= usual * (1 - LEAST):
        return ""
    return f", at {clock:.0f} MHz where the others run at {usual:.0f} MHz"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
