"""Which blocks count. A block is kept out of the figure by what was seen around it, never by how long it took.

A gate whose fact is a gap leaves nothing out (not knowing never accuses), and `unknown_gates` tells that it was open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

from gpucheck.bench.judging.statistics import median
from gpucheck.facts.bench import Block, Leg
from gpucheck.facts.gap import Gap

# Others' share of the usable CPUs. Under a neighbour at 50 to 70 % the ratio of two frameworks turned round (1.34 to
# 0.40) with a narrow interval; at 1 to 5 % it stayed (1.34 to 1.44).
FOREIGN_CPU = 0.10
# The canary is the same work every time, so its change is the machine's: clocks, or a hypervisor.
CANARY = 0.05

# NVML's clocks-event reasons, in the words of facts.gpus. Source: nvml.h, nvmlClocksEventReason*,
# https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html; the same four as rule gpu-throttling.
# These say that something is wrong: too hot (hw-: "reducing the core clocks by a factor of 2 or more"), or the power
# supply brakes. They come and go, so a block under them tells of that moment and not of the GPU.
SLOWING = ("hw-slowdown", "hw-thermal-slowdown", "hw-power-brake-slowdown", "sw-thermal-slowdown")
# These hold the clocks for as long as the work or the setting lasts: the power limit of a GPU that works as hard as it
# may ("optimized to ensure not to exceed currently set power limits"), a group's common clock, a display's. With them
# the figure is this GPU's figure; leaving such blocks out would leave nothing. They are told beside it.
HOLDING = ("sw-power-cap", "sync-boost", "display-clock-setting")
# gpu-idle and applications-clocks-setting are neither: nothing runs, or the clocks are those that were asked for.


def why_left_out(block: Block, canary_median: Union[float, None]) -> tuple[str, ...]:
    """Reasons to leave a block out: foreign-cpu, canary, clocks, gpu-process.

    Parameters
    ----------
    canary_median: seconds, of the whole run; ``None``: there is none.
    """
    foreign, clocks, others = block.foreign_cpu, block.clock_reasons, block.gpu_processes
    reasons = []
    if not isinstance(foreign, Gap) and foreign > FOREIGN_CPU:
        reasons.append("foreign-cpu")
    if not isinstance(block.canary, Gap) and canary_median and abs(block.canary / canary_median - 1) > CANARY:
        reasons.append("canary")
    if not isinstance(clocks, Gap) and clocks is not None and set(clocks) & set(SLOWING):
        reasons.append("clocks")
    if not isinstance(others, Gap) and others is not None and others > 0:
        reasons.append("gpu-process")
    return tuple(reasons)


def unknown_gates(block: Block) -> tuple[tuple[str, str], ...]:
    """Gates that could not be asked for this block, each with why."""
    asked = (
        ("foreign-cpu", block.foreign_cpu),
        ("canary", block.canary),
        ("clocks", block.clock_reasons),
        ("gpu-process", block.gpu_processes),
    )
    return tuple((name, fact.reason) for name, fact in asked if isinstance(fact, Gap))


def unknown_of(leg: Leg) -> tuple[tuple[str, str], ...]:
    """Gates that were open for some block of this device, each once with its first reason."""
    seen: dict[str, str] = {}
    for block in leg.blocks:
        for name, reason in unknown_gates(block):
            seen.setdefault(name, reason)
    return tuple(seen.items())


def gated(legs: Iterable[Leg], canaries: Sequence[float]) -> tuple[Leg, ...]:
    """Mark every block anew, which may be done at any time: the canaries' median moves while the run goes on."""
    usable = [one for one in canaries if one > 0]  # not NaN either
    usual = median(usable) if usable else None
    return tuple(leg._replace(blocks=tuple(_marked(block, usual) for block in leg.blocks)) for leg in legs)


def _marked(block: Block, canary_median: Union[float, None]) -> Block:
    return block._replace(left_out=why_left_out(block, canary_median))


def counted(leg: Leg) -> tuple[Block, ...]:
    """The blocks that make the figure: not left out, and with a time."""
    return tuple(block for block in leg.blocks if not block.left_out and block.steps > 0 and block.seconds > 0)


def means(leg: Leg) -> tuple[float, ...]:
    """Seconds a step, of each counted block."""
    return tuple(block.seconds / block.steps for block in counted(leg))


def clean_pairs(cpu: Leg, gpu: Leg) -> tuple[tuple[float, float], ...]:
    """(CPU's, GPU's) seconds a step, of the rounds in which both blocks count. A device has one block a round."""
    theirs = {block.round: block.seconds / block.steps for block in counted(gpu)}
    return tuple((block.seconds / block.steps, theirs[block.round]) for block in counted(cpu) if block.round in theirs)
