"""What is said of a result, in blocks of rows that every format for people shows in its own way.

Texts come out as the machine gave them; each renderer makes them `plain`. Verdicts are the result's own: none is made
here, and no sentence of one is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from gpucheck.facts.bench import Aside, Comparison, Leg, Result, SeedLine, Settings, Trial
from gpucheck.facts.gap import Gap
from gpucheck.render.bench.amounts import number, percent, setup, span, time
from gpucheck.render.bench.answer import SPOILED, TITLES
from gpucheck.render.summary import Block
from gpucheck.render.text import count, listed

_MOST_WORDS = 3  # lines of a dead worker, without --verbose


def blocks(result: Result, verbose: bool = False, hint: str = "") -> tuple[Block, ...]:
    """All beside the answer, the tables and the pictures; an empty block is left out. hint: how to learn more."""
    first = result.trials[0] if result.trials else None
    every = [
        Block("Failed", tuple(_failures(result, verbose))),
        *(_of_trial(result, first) if first else ()),
        Block("2017 guide", tuple(_mark(result))),
        Block("Seed line", tuple(row for one in result.seed_lines for row in _seed_line(one))),
        Block("Compared", tuple(_comparison(result.comparison)) if result.comparison else ()),
        Block("Whole run", (_whole(result, hint),)),
        *(_more(result) if verbose else ()),
    ]
    return tuple(block for block in every if block.rows)


def _of_trial(result: Result, trial: Trial) -> tuple[Block, ...]:
    settings, legs = result.settings, trial.legs
    shared = _shared(legs)
    return (
        Block("Devices", tuple(_device(leg, shared) for leg in legs)),
        Block("Same for all" if len(legs) > 1 else "Settings", (_settings(settings, trial, shared),)),
        Block("Set-up", tuple(row for leg in legs for row in _phases(leg))),
        Block("Floor", _joined(legs, _floor, " (the same loop on an empty model)")),
        Block("Noise", _noise(trial)),
        Block("Beside it", tuple(row for leg in legs for row in _asides(leg, settings))),
        Block("A step is", (_work(trial),)),
        Block("Learned", tuple(_learning(legs))),
        Block("Same seed", tuple(_losses(legs))),
        Block("Left out", tuple(row for leg in legs for row in _left_out(leg))),
    )


def _joined(legs: tuple[Leg, ...], tell: Callable[[Leg], str], after: str = "") -> tuple[str, ...]:
    told = [f"{leg.device} {said}" for leg in legs if (said := tell(leg))]
    return ("; ".join(told) + after,) if told else ()


def _failures(result: Result, verbose: bool) -> Iterator[str]:
    several = len(result.trials) > 1
    for trial in result.trials:
        for leg in trial.legs:
            if leg.failure is None:
                continue
            where = f" at batch {trial.batch_size}" if several else ""
            yield f"{leg.device}{where}, {leg.failure.phase}: {leg.failure.message} ({leg.failure.kind})"
            words = leg.failure.detail if verbose else leg.failure.detail[-_MOST_WORDS:]
            yield from (f"  {line}" for line in words)


def _shared(legs: tuple[Leg, ...]) -> dict[str, str]:
    """Parts that every device has with the same value."""
    if not legs:
        return {}
    return {part.name: part.value for part in legs[0].parts if all(part in leg.parts for leg in legs)}


def _device(leg: Leg, shared: dict[str, str]) -> str:
    own = [f"{part.name} {part.value}" for part in leg.parts if part.name not in shared]
    return (
        f"{leg.device}: {', '.join((leg.name, *own))}" if len(shared) < len(leg.parts) else f"{leg.device}: {leg.name}"
    )


def _settings(settings: Settings, trial: Trial, shared: dict[str, str]) -> str:
    tf32 = f" (TF32 {'on' if settings.tf32 else 'off'})" if settings.precision == "float32" else ""
    words = [
        f"{settings.workload}, batch {trial.batch_size}, {settings.backend}",
        f"{settings.precision}{tf32}",
        _compiler(settings.jit),
        f"{settings.optimizer}, input {settings.input}, data {settings.data}, seed {settings.seed}",
    ]
    return "; ".join(
        (", ".join(words), *([", ".join(f"{name} {value}" for name, value in shared.items())] if shared else []))
    )


def _compiler(jit: bool) -> str:
    return "compiler on" if jit else "compiler off"


def _phases(leg: Leg) -> Iterator[str]:
    if leg.phases:
        yield f"{leg.device}: " + ", ".join(f"{phase.name} {setup(phase.seconds)}" for phase in leg.phases)


def _floor(leg: Leg) -> str:
    return "n/a" if isinstance(leg.floor, Gap) else time(leg.floor)


def _noise(trial: Trial) -> tuple[str, ...]:
    told = [
        f"{leg.device} {percent(leg.figures.noise)}"
        for leg in trial.legs
        if leg.figures is not None and leg.figures.noise is not None
    ]
    for one in trial.verdicts:
        if one.noise is not None:
            told.append(f"{'ratio' if len(trial.verdicts) == 1 else f'cpu / {one.device}'} {percent(one.noise)}")
    return (f"{'; '.join(told)} (A/A: between halves)",) if told else ()


def _asides(leg: Leg, settings: Settings) -> Iterator[str]:
    best = _best(leg)
    told = [
        f"{aside_words(one, settings)} {_aside(one)}{' (best)' if at == best else ''}"
        for at, one in enumerate(leg.asides)
    ]
    if told:
        yield f"{leg.device}: {'; '.join(told)}"


def _aside(aside: Aside) -> str:
    return f"unknown ({aside.step.reason})" if isinstance(aside.step, Gap) else time(aside.step)


def aside_words(aside: Aside, settings: Settings) -> str:
    """What is another setting than the figure's."""
    words = [
        _compiler(aside.jit) if aside.jit != settings.jit else "",
        f"TF32 {'on' if aside.tf32 else 'off'}" if aside.tf32 != settings.tf32 else "",
        f"input {aside.input}" if aside.input != settings.input else "",
    ]
    return " and ".join(word for word in words if word) or "the same again"


def _best(leg: Leg) -> int:
    """The place of the fastest other setting; -1 where the figure itself is best: within its interval nothing is."""
    known = [(one.step, at) for at, one in enumerate(leg.asides) if not isinstance(one.step, Gap)]
    least, place = min(known, default=(math.inf, -1))
    return place if leg.figures is not None and least < leg.figures.step.low else -1


def _work(trial: Trial) -> str:
    work = trial.work
    traffic = f"{number(work.bytes_fused / 2**20)} (fused) to {number(work.bytes_unfused / 2**20)} MiB traffic"
    return f"{work.parameters:,} parameters, {number(work.flops / 1e9)} GFLOP, {traffic}"


def _learning(legs: tuple[Leg, ...]) -> Iterator[str]:
    for steps in dict.fromkeys(leg.learning.steps for leg in legs if leg.learning):
        told = [
            f"{leg.device} {number(leg.learning.loss)}, {percent(leg.learning.error)}"
            for leg in legs
            if leg.learning and leg.learning.steps == steps
        ]
        yield f"loss, error after {count(steps, 'step')}: {'; '.join(told)}"


def _losses(legs: tuple[Leg, ...]) -> Iterator[str]:
    """Without dropout: the last losses of the same steps on each device, and how far apart they were at most."""
    with_losses = [leg for leg in legs if leg.losses]
    if len(with_losses) < 2:
        return
    last = min(len(leg.losses) for leg in with_losses)
    told = ", ".join(f"{leg.device} {leg.losses[last - 1]:.4f}" for leg in with_losses)
    first, *others = with_losses
    apart = max(_apart(first.losses[at], leg.losses[at]) for leg in others for at in range(last))
    yield f"loss at step {last}: {told}; at most {percent(apart)} apart"


def _apart(one: float, other: float) -> float:
    # A loss that is no number is as far away as can be.
    return abs(one - other) / max(abs(one), abs(other), 1e-12) if math.isfinite(one + other) else math.inf


def _left_out(leg: Leg) -> Iterator[str]:
    out = [block for block in leg.blocks if block.left_out]
    reasons: dict[str, list[str]] = {}
    for block in out:
        for name in block.left_out:
            clocks = block.clock_reasons if name == "clocks" and isinstance(block.clock_reasons, tuple) else ()
            words = SPOILED.get(name, name) + (f" ({', '.join(clocks)})" if clocks else "")
            reasons.setdefault(words, []).append(str(block.round))
    if out:
        told = "; ".join(f"{words}: round {listed(rounds, 8)}" for words, rounds in reasons.items())
        yield f"{leg.device}: {len(out)} of {count(len(leg.blocks), 'block')}. {told}"


def _mark(result: Result) -> Iterator[str]:
    if result.settings.workload == "mnist-cnn" and any(trial.batch_size == 64 for trial in result.trials):
        yield "printed 370 ms CPU, 40 ms GeForce 940M; 21 to 27 % was validation"


def _seed_line(one: SeedLine) -> Iterator[str]:
    yield f"{one.device}: {one.text}"
    yield f"  the true step: {time(one.step)}; each 100 held {time(one.validation)} of validation"


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield f"with {comparison.file}"
    for one in comparison.differences:
        yield f"{one.change}: {one.sentence}"
    if comparison.unlike:
        yield f"unlike, compared all the same: {'; '.join(comparison.unlike)}"


def _whole(result: Result, hint: str) -> str:
    rounds = sum(max((len(leg.blocks) for leg in trial.legs), default=0) for trial in result.trials)
    return f"{count(rounds, 'round')} in {span(result.seconds)}, gpucheck {result.version}{hint}"


def _more(result: Result) -> Iterator[Block]:
    from gpucheck.render.bench.details import detail_blocks

    yield from (block for trial in result.trials[1:] for block in _later(result, trial))
    yield from detail_blocks(result)


def _later(result: Result, trial: Trial) -> tuple[Block, ...]:
    """A further batch size: its sentences first, under its own title."""
    sentences = [f"{TITLES[one.word]}: {one.sentence}" for one in trial.verdicts]
    reasons = [f"  {reason.name}: {reason.text}" for one in trial.verdicts for reason in one.reasons]
    rows = [f"{block.title}: {row}" for block in _of_trial(result, trial)[2:] for row in block.rows]
    return (Block(f"Batch {trial.batch_size}", (*sentences, *reasons, *rows)),)
