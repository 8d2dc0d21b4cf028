"""Why a verdict is what it is. Each reason is read off what was measured; a gap gives none.

Some may stand after "slower, because"; the others are told beside the sentence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Union

from gpucheck.bench.judging.gates import HOLDING, SLOWING, counted, means
from gpucheck.bench.judging.statistics import median
from gpucheck.bench.judging.words import milliseconds, plural
from gpucheck.facts.bench import Doctor, Learning, Leg, Reason, Sample, Settings
from gpucheck.facts.gap import Gap

FLOORS = 3.0  # below so many floors a third or more of the step is the loop around it
INPUT_SHARE = 0.30  # so much shorter with resident input: the device waits for its batches
BUSY = 0.5  # utilisation: NVML counts the time in which any kernel runs
_FEWEST_SAMPLES = 5
UNDER_LOAD = 0.5  # utilisation; a GPU at rest narrows its link to save power
NARROW = 4  # PCIe lanes; x8 costs a training step next to nothing
LOSS, ERROR = 0.6, 0.15  # seen after 100 steps of mnist-cnn: 0.17 and 8.4 %; untrained 2.3 and 90 %

# Relative difference of the losses that is rounding: at the first step, and at the last of 20. In between it grows by
# the same factor each step, as rounding does in training. Orders of addition differ between the devices (float32 has
# 24 bits, TensorFloat-32 and float16 11, bfloat16 8), and ReLU and max-pooling turn some of that into different paths.
TOLERANCES = {
    "float32": (1e-3, 2e-2),
    "tf32": (5e-3, 5e-2),
    "mixed_float16": (1e-2, 1e-1),
    "mixed_bfloat16": (3e-2, 1e-1),
}
_LEAST_LOSS = 0.1  # a loss that has fallen to nothing has no relative difference to speak of

NO_KERNELS = ("gpu-arch-too-old-for-build", "gpu-arch-too-new-for-build")  # rules of doctor
# What the frameworks print when they have no code for a GPU. Sources: rules of gpucheck/rules/architectures.py.
_NO_KERNELS_SAID = (
    "no kernel image",
    "NO_BINARY_FOR_GPU",
    "INVALID_PTX",
    "not built with CUDA kernel binaries compatible",
    "minimum required Cuda capability",
)
_SPOILS = {
    "foreign-cpu": "other programs used the CPU",
    "canary": "the machine's speed changed",
    "clocks": "the GPU lowered its clocks",
    "gpu-process": "another process was on the GPU",
}


class Agreement(NamedTuple):
    """How the losses of two devices compare."""

    worst: float  # relative difference, the largest of all steps
    step: int  # where, from 1
    ok: bool


def losses_agree(
    cpu: tuple[float, ...], gpu: tuple[float, ...], precision: str, tf32: bool = False
) -> Union[Agreement, None]:
    """Compare the losses of the same training on two devices.

    ``None``: nothing to compare, or the CPU's own losses are no numbers, which is not the GPU's fault.
    """
    both = list(zip(cpu, gpu, strict=False))
    if not both or not all(math.isfinite(one) for one in cpu):
        return None
    first, last = TOLERANCES["tf32" if tf32 and precision == "float32" else precision]
    apart = [abs(b - a) / max(abs(a), _LEAST_LOSS) if math.isfinite(b) else math.inf for a, b in both]
    growth = (last / first) ** (1 / max(1, len(apart) - 1))
    ok = all(one <= first * growth**at for at, one in enumerate(apart))
    worst = max(apart)
    return Agreement(worst, apart.index(worst) + 1, ok)


def learns(learning: Union[Learning, None]) -> Union[bool, None]:
    """Did it train? ``None``: it was not looked at."""
    if learning is None:
        return None
    return learning.loss < LOSS and learning.error < ERROR


class Told(NamedTuple):
    """A reason, and whether it may make this GPU lose."""

    reason: Reason
    loses: bool = False


def told(
    cpu: Leg, gpu: Leg, samples: Iterable[Sample], settings: Settings, doctor: Union[Doctor, Gap]
) -> tuple[Told, ...]:
    """Everything that may explain how this GPU does against the CPU, what weighs most first."""
    samples = tuple(samples)
    return (
        *_wrong(cpu, gpu, settings),
        *_untrained(cpu, gpu),
        *_no_kernels(gpu, doctor),
        *_failures(cpu, gpu),
        *_launch(cpu, gpu, samples),
        *_input(cpu, gpu, settings),
        *_pcie(gpu, samples, settings),
        *_throttled(gpu),
        *_held(gpu),
        *_others(gpu),
        *(Told(one) for one in spoiled(cpu, gpu) if one.name in ("foreign-cpu", "canary")),
    )


def _wrong(cpu: Leg, gpu: Leg, settings: Settings) -> Iterator[Told]:
    agreement = losses_agree(cpu.losses, gpu.losses, settings.precision, settings.tf32)
    if agreement is not None and not agreement.ok:
        apart = f"by {agreement.worst:.2g} of their value" if math.isfinite(agreement.worst) else "without bound"
        yield Told(
            Reason(
                "wrong-numbers",
                f"from the same start the losses on {gpu.device} differ from the CPU's {apart} at step "
                f"{agreement.step}, more than {settings.precision} explains",
            )
        )


def _untrained(*legs: Leg) -> Iterator[Told]:
    for leg in legs:
        seen = leg.learning
        if seen is not None and learns(seen) is False:
            yield Told(
                Reason(
                    "not-learning",
                    f"after {seen.steps} steps on {leg.device} the loss is {seen.loss:.2f} and the error "
                    f"{seen.error:.0%}; training that works is below {LOSS} and {ERROR:.0%}",
                )
            )


def _no_kernels(gpu: Leg, doctor: Union[Doctor, Gap]) -> Iterator[Told]:
    if gpu.failure is None or means(gpu):  # it runs, whatever was to be expected
        return
    named = [one for one in NO_KERNELS if not isinstance(doctor, Gap) and one in doctor.findings]
    said = " ".join((gpu.failure.message, *gpu.failure.detail))
    if named or any(one in said for one in _NO_KERNELS_SAID):
        rule = f" (gpucheck explain {named[0]})" if named else ""
        yield Told(Reason("no-kernels", f"this build has no code for this GPU{rule}"))


def _failures(*legs: Leg) -> Iterator[Told]:
    for leg in legs:
        if leg.failure is not None:
            what = f"{leg.failure.kind}, {leg.failure.phase}"
            yield Told(Reason("failed", f"{leg.device} failed ({what}): {leg.failure.message}"))


def _launch(cpu: Leg, gpu: Leg, samples: Iterable[Sample]) -> Iterator[Told]:
    for leg in (gpu, cpu):
        if text := launch_bound(leg):
            yield Told(Reason("launch-bound", text), leg is gpu)
    # An empty step has far fewer operations than this network, so one of many floors may still be all starting.
    seen = [
        one.utilization
        for block in counted(gpu)
        for one in samples
        if one.device == gpu.device and one.utilization is not None and block.begin + 0.2 <= one.time <= block.end
    ]
    if len(seen) >= _FEWEST_SAMPLES and median(seen) < BUSY and not launch_bound(gpu):
        text = (
            f"{gpu.device} computed in {median(seen):.0%} of the time and waited for its next work in the rest: try a "
            "larger batch"
        )
        yield Told(Reason("launch-bound", text), True)


def launch_bound(leg: Leg) -> Union[str, None]:
    """What to say of a step that is hardly longer than the loop around it."""
    step, floor = step_of(leg), leg.floor
    if step is None or isinstance(floor, Gap) or step >= FLOORS * floor:
        return None
    return (
        f"a step on {leg.device} ({milliseconds(step)}) is less than {FLOORS:g} times an empty one "
        f"({milliseconds(floor)}), so much of it is spent starting work: try a larger batch"
    )


def _input(cpu: Leg, gpu: Leg, settings: Settings) -> Iterator[Told]:
    for leg in (gpu, cpu):
        step = step_of(leg)
        for aside in leg.asides:
            like = aside.jit == settings.jit and (leg is cpu or aside.tf32 == settings.tf32)
            if step is None or isinstance(aside.step, Gap) or not like or aside.input == settings.input:
                continue
            if aside.input == "fit":  # its calls cost time of their own, which is not the batches'
                continue
            with_it = f"with input {aside.input} a step on {leg.device} takes {milliseconds(aside.step)}"
            if aside.input == "resident" and aside.step <= (1 - INPUT_SHARE) * step:
                text = f"{with_it}, not {milliseconds(step)}: it waits for its batches"
                yield Told(Reason("input-bound", text), leg is gpu)
            elif settings.input == "resident" and step <= (1 - INPUT_SHARE) * aside.step:
                yield Told(
                    Reason("input-cost", f"{with_it}, not {milliseconds(step)}: there it would wait for its batches")
                )


def _pcie(gpu: Leg, samples: Iterable[Sample], settings: Settings) -> Iterator[Told]:
    loaded = [one for one in samples if one.device == gpu.device and (one.utilization or 0) >= UNDER_LOAD]
    widths = [one.pcie_width for one in loaded if one.pcie_width]
    if widths and median(widths) <= NARROW:
        link = f"PCIe ×{median(widths):g} under load"
        crosses = settings.input != "resident"
        rest = "" if crosses else "; the batches are on the GPU already, so it hardly matters here"
        yield Told(Reason("pcie", f"{gpu.device} is connected by {link}{rest}"), crosses)


def _clocks(leg: Leg, counts: bool = False) -> list[tuple[str, ...]]:
    """The clocks-event reasons of each block that has any answer."""
    blocks = counted(leg) if counts else leg.blocks
    return [block.clock_reasons for block in blocks if isinstance(block.clock_reasons, tuple)]


def _throttled(gpu: Leg) -> Iterator[Told]:
    blocks = _clocks(gpu)
    slowed = [set(one) & set(SLOWING) for one in blocks]
    hit = len([one for one in slowed if one])
    if hit:
        names = ", ".join(sorted({name for one in slowed for name in one}))
        text = f"{gpu.device} lowered its clocks ({names}) in {hit} of {plural(len(blocks), 'block')}"
        yield Told(Reason("throttled", text), hit * 2 >= len(blocks))


def _held(gpu: Leg) -> Iterator[Told]:
    blocks = _clocks(gpu, counts=True)
    for name in HOLDING:
        held = len([one for one in blocks if name in one])
        if held * 2 > len(blocks):
            text = f"{name} held the clocks of {gpu.device} in {held} of {plural(len(blocks), 'block')} that count"
            yield Told(Reason("clocks-held", text), True)


def _others(gpu: Leg) -> Iterator[Told]:
    shared = len([block for block in gpu.blocks if "gpu-process" in block.left_out])
    if shared:
        text = f"another process was on {gpu.device} in {shared} of {plural(len(gpu.blocks), 'block')}"
        yield Told(Reason("gpu-process", text), shared * 2 >= len(gpu.blocks))


def spoiled(*legs: Leg) -> tuple[Reason, ...]:
    """What left rounds out, each gate with the rounds that it spoiled on any of these devices, most first."""
    rounds = {(block.round, why) for leg in legs for block in leg.blocks for why in block.left_out}
    of = len({block.round for leg in legs for block in leg.blocks})
    counts = Counter(why for _round, why in sorted(rounds))
    return tuple(
        Reason(why, f"{_SPOILS.get(why, why)} in {count} of {plural(of, 'round')}")
        for why, count in counts.most_common()
    )


def step_of(leg: Leg) -> Union[float, None]:
    """Seconds a step, as in the figures."""
    if leg.figures is not None:
        return leg.figures.step.value
    found = means(leg)
    return median(found) if found else None
