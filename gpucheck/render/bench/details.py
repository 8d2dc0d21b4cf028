"""What --verbose adds: every block, the warm-up, the canary, telemetry, what could not be learned, the machine.

Same rules as `sections`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from gpucheck.facts.bench import Block as Timed
from gpucheck.facts.bench import Leg, Result, Sample, Trial
from gpucheck.facts.gap import Gap
from gpucheck.render.bench.amounts import interval, mib, number, percent, time
from gpucheck.render.summary import Block
from gpucheck.render.text import listed, say


def detail_blocks(result: Result) -> tuple[Block, ...]:
    """The blocks beyond those of `sections.blocks`; an empty one may be among them."""
    several = len(result.trials) > 1
    legs = [
        (f"{leg.device}, batch {trial.batch_size}" if several else leg.device, trial, leg)
        for trial in result.trials
        for leg in trial.legs
    ]
    return (
        Block("Warm-up", tuple(f"{name}: {_times(leg.warmup)}" for name, _, leg in legs if leg.warmup)),
        Block("Rounds", tuple(row for name, _, leg in legs for row in _rounds(name, leg))),
        Block("Ratios", tuple(row for trial in result.trials for row in _ratios(trial))),
        Block("Reached", tuple(row for name, _, leg in legs for row in _reached(name, leg))),
        Block("Canary", _canary(result.canaries)),
        Block("Telemetry", tuple(_telemetry(result.samples))),
        Block("Not known", tuple(dict.fromkeys(row for name, _, leg in legs for row in _gaps(name, leg)))),
        Block("Machine", tuple(f"{part.name}: {part.value}" for part in result.environment)),
        Block("Doctor", tuple(_doctor(result))),
        Block("Taken", (result.taken,)),
        Block("Workload", (f"{result.settings.workload}, sha256 {result.settings.workload_hash}",)),
        Block("Called with", (" ".join(result.arguments),) if result.arguments else ()),
    )


def _times(values: Sequence[float]) -> str:
    return ", ".join(time(one) for one in values)


def _rounds(name: str, leg: Leg) -> Iterator[str]:
    for block in leg.blocks:
        mean = time(block.seconds / block.steps) if block.steps else "no step"
        yield f"{name}, round {block.round}: {mean} x {block.steps}{_beside(block)}"


def _beside(block: Timed) -> str:
    words = [
        f"foreign CPU {_share(block.foreign_cpu)}",
        f"canary {block.canary.reason if isinstance(block.canary, Gap) else time(block.canary)}",
        "" if block.clock_reasons is None else _clocks(block.clock_reasons),
        f"{say(block.gpu_processes)} other on the GPU" if block.gpu_processes not in (None, 0) else "",
        f"{number(block.energy)} J" if isinstance(block.energy, float) else "",
        f"LEFT OUT: {', '.join(block.left_out)}" if block.left_out else "",
    ]
    return "".join(f", {word}" for word in words if word)


def _share(value: float | Gap) -> str:
    return say(value) if isinstance(value, Gap) else percent(value)


def _clocks(reasons: tuple[str, ...] | Gap) -> str:
    return (
        f"clocks {say(reasons)}"
        if isinstance(reasons, Gap)
        else f"clocks held down: {' '.join(reasons)}"
        if reasons
        else ""
    )


def _ratios(trial: Trial) -> Iterator[str]:
    for verdict in trial.verdicts:
        if verdict.ratio is not None:
            yield f"cpu / {verdict.device} at batch {trial.batch_size}: {interval(verdict.ratio)}"


def _reached(name: str, leg: Leg) -> Iterator[str]:
    if not isinstance(leg.product_gflops, Gap):
        yield f"{name}: {number(leg.product_gflops)} GFLOP/s on a large matrix product"
    if leg.figures is not None and isinstance(leg.figures.idle_watts, float):
        yield f"{name}: {number(leg.figures.idle_watts)} W idle"


def _canary(times: tuple[float, ...]) -> tuple[str, ...]:
    if not times:
        return ()
    ends = f"{time(min(times))} to {time(max(times))}"
    return (f"{len(times)} times the same fixed work: median {time(median(times))}, {ends}",)


def _telemetry(samples: tuple[Sample, ...]) -> Iterator[str]:
    for device in dict.fromkeys(one.device for one in samples):
        mine = [one for one in samples if one.device == device]
        words = [
            _told("utilisation", [one.utilization for one in mine], percent),
            _told("power", [one.power for one in mine], lambda value: f"{number(value)} W"),
            _told("temperature", [one.temperature for one in mine], lambda value: f"{value:.0f} °C"),
            _told("clock", [one.clock for one in mine], lambda value: f"{value:.0f} MHz"),
            _told("memory", [one.memory for one in mine], mib),
            _pcie(mine),
        ]
        yield f"{device}: {'; '.join(word for word in words if word) or 'nothing could be read'}"
        reasons = sorted({name for one in mine for name in one.reasons})
        if reasons:
            yield f"  clocks held down: {', '.join(reasons)}"


def _told(name: str, values: Sequence[float | None], say_one: object) -> str:
    known = [one for one in values if one is not None]
    if not known or not callable(say_one):
        return ""
    return f"{name} {say_one(median(known))} (at most {say_one(max(known))})"


def _pcie(mine: Sequence[Sample]) -> str:
    links = dict.fromkeys(
        f"PCIe {one.pcie_generation} x{one.pcie_width}" for one in mine if one.pcie_generation and one.pcie_width
    )
    return listed(list(links), 3)


def _gaps(name: str, leg: Leg) -> Iterator[str]:
    figures = leg.figures
    facts = [
        ("floor", leg.floor),
        ("matrix product", leg.product_gflops),
        ("memory", leg.memory),
        *(("energy", block.energy) for block in leg.blocks),
        *(("clocks", block.clock_reasons) for block in leg.blocks),
        *(("processes on the GPU", block.gpu_processes) for block in leg.blocks),
        *((("J/step", figures.joules_per_step), ("idle power", figures.idle_watts)) if figures else ()),
    ]
    yield from (f"{name}, {what}: {fact.reason}" for what, fact in facts if isinstance(fact, Gap))


def _doctor(result: Result) -> Iterator[str]:
    if isinstance(result.doctor, Gap):
        yield say(result.doctor)
        return
    names = f" ({', '.join(result.doctor.findings)})" if result.doctor.findings else ""
    yield f"{result.doctor.verdict}: {result.doctor.headline}{names}"
