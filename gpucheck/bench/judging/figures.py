"""What the blocks of one device say: its step, its rates, its energy, its noise. Nothing here compares devices."""

from __future__ import annotations

from typing import Union

from gpucheck.bench.judging.gates import counted, means
from gpucheck.bench.judging.statistics import median, median_interval, percentile, split_noise
from gpucheck.facts.bench import Block, Figures, Leg, Work
from gpucheck.facts.gap import Gap

# NVML's energy counter moves every 20 to 100 ms: over 2 s that is 5 % at worst.
ENERGY_SECONDS = 2.0
_FEWEST_SINGLES = 10  # of fewer the 95th percentile is the slowest one under another name


def figures(leg: Leg, batch_size: int, work: Work, idle_watts: Union[float, None, Gap]) -> Union[Figures, None]:
    """The figures of one device, over its counted blocks; ``None`` where no block counts.

    Parameters
    ----------
    batch_size: images a step.
    idle_watts: of the GPU before the run; ``None`` for a CPU.
    """
    steps = means(leg)
    if not steps:
        return None
    blocks = counted(leg)
    step = median_interval(steps)
    singles = [one for block in blocks for one in block.singles]
    return Figures(
        step=step,
        p95=percentile(singles, 0.95) if len(singles) >= _FEWEST_SINGLES else None,
        images_per_second=batch_size / step.value,
        gflops=work.flops / step.value / 1e9,
        joules_per_step=joules_per_step(blocks, idle_watts),
        idle_watts=idle_watts,
        noise=split_noise(steps),
        blocks=len(blocks),
        left_out=len(leg.blocks) - len(blocks),
    )


def joules_per_step(blocks: tuple[Block, ...], idle_watts: Union[float, None, Gap]) -> Union[float, None, Gap]:
    """Median of (energy - idle power * seconds) / steps, over blocks of at least 2 s; else why not.

    ``None``: this device has no such counter.
    """
    if all(block.energy is None for block in blocks):
        return None
    if idle_watts is None:
        return Gap("the power at rest was not read", "not-collected")
    if isinstance(idle_watts, Gap):
        return idle_watts
    long = [block for block in blocks if block.seconds >= ENERGY_SECONDS]
    if not long:
        return Gap(f"no block took {ENERGY_SECONDS:g} s, and the energy counter is too coarse for less", "unsupported")
    read = [
        (block.energy - idle_watts * block.seconds) / block.steps
        for block in long
        if block.energy is not None and not isinstance(block.energy, Gap)
    ]
    if not read:
        return next(block.energy for block in long if isinstance(block.energy, Gap))
    joules = median(read)
    return joules if joules > 0 else Gap("the GPU took no more power than at rest", "unreadable")
