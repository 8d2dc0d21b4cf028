"""GPUs that compute more slowly than the others of their model, by the results of `gpucheck bench`.

The test is the modified z-score of B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993: 0.6745 times
the distance from the median, in median absolute deviations; above 3.5 is an outlier. One bad GPU moves neither the
median nor the deviation, as it would a mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from gpucheck.findings import Severity
from gpucheck.fleet.nodes import Node, Timing
from gpucheck.fleet.rules.engine import Differing, rule

FEWEST = 5  # GPUs: of fewer nobody can say which is the odd one
LARGEST_SCORE = 3.5
LEAST = 0.05  # slower by so much: less is no reason to look at a machine
_NARROWEST = 0.01  # of the median: measurements that agree better than this agree by accident


@rule(Severity.WARNING)
def gpu_slower_than_peers(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A GPU takes longer for the same training step than the others of its model.

    ## What it means
    `gpucheck bench` ran with the same settings on at least five GPUs of this model. This one's step is an outlier by
    the modified z-score (above 3.5), at least 5 % slower than the median, and so is the lower end of its interval.

    ## Why it matters
    A job over many GPUs runs at the pace of the slowest.

    ## How to fix
    Look at its clocks, temperature and power limit, at its PCIe link, and at other programs on it; measure again.

    ## References
    https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h.htm
    """
    kinds: dict[tuple[str, str], list[tuple[Node, Timing]]] = {}
    for node in nodes:
        for one in node.timings:
            kinds.setdefault((one.gpu, one.kind), []).append((node, one))
    for (gpu, kind), every in kinds.items():
        yield from _slow(gpu, kind, every)


def slow(steps: Sequence[float]) -> list[int]:
    """Places of the steps (seconds) that are outliers upwards."""
    if len(steps) < FEWEST:
        return []
    middle = median(steps)
    spread = max(median(abs(one - middle) for one in steps), _NARROWEST * middle)
    return [
        at
        for at, one in enumerate(steps)
        if one > middle * (1 + LEAST) and 0.6745 * (one - middle) / spread > LARGEST_SCORE
    ]


def _slow(gpu: str, kind: str, every: list[tuple[Node, Timing]]) -> Iterator[Differing]:
    middle = median(one.step for _, one in every)
    clocks = [one.clock_mhz for _, one in every if one.clock_mhz is not None]
    for at in slow([one.step for _, one in every]):
        node, one = every[at]
        if one.low <= middle * (1 + LEAST):
            continue
        evidence: list[tuple[str, object, str]] = [
            ("bench.step", f"{one.step * 1e3:.3g} ms", f"gpucheck bench on {node.name}, {one.device}: {kind}"),
            ("bench.step", f"{middle * 1e3:.3g} ms", f"median of {len(every)} GPUs"),
        ]
        why = ""
        if one.clock_mhz is not None and len(clocks) >= FEWEST:
            usual = median(clocks)
            evidence.append(
                ("bench.clock", f"{one.clock_mhz:.0f} MHz (median {usual:.0f} MHz)", "telemetry of the bench")
            )
            if one.clock_mhz < usual * (1 - LEAST):
                why = f", at {one.clock_mhz:.0f} MHz where the others run at {usual:.0f} MHz"
        yield Differing(
            f"{one.device} of {node.name} takes {one.step / middle - 1:.0%} longer for a step than the others{why}.",
            tuple(evidence),
            (node.name,),
            gpu,
            ("nvidia-smi -q -d PERFORMANCE,CLOCK,POWER,TEMPERATURE", "gpucheck bench"),
        )
