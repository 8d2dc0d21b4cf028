"""Each expectation's answer: met, not met, or not measurable and why."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple, Union

from gpucheck.compat.errors import NVML_GPU_IS_LOST
from gpucheck.expecting.expectations import Bounds, Expectations, Gpus
from gpucheck.expecting.measuring import MEASURES
from gpucheck.facts.gap import Gap, Unknown, need
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Report, Severity
from gpucheck.rules.presence import nvidia_here

GIB = 1 << 30


class Answer(NamedTuple):
    """key: in the file. wish: its value. met: or why that is not known. said: a sentence, for what is not met.

    evidence: (fact, value, source) triples.
    """

    key: str
    wish: str
    met: Union[bool, Gap]
    said: str
    evidence: tuple[tuple[str, str, str], ...] = ()


def answers(report: Report, wishes: Expectations, speed: Union[tuple[float, float], Gap, None]) -> Iterator[Answer]:
    """Every expectation, in the order of the keys. speed: see `gpucheck.expecting.judging.judge`."""
    snapshot = report.snapshot
    for key, wish in wishes.versions:
        yield _version(snapshot, key, wish)
    if wishes.gpus is not None:
        yield _gpus(snapshot, wishes.gpus)
    if wishes.speed_up is not None and speed is not None:
        yield _speed(wishes.speed_up, speed)
    for name in wishes.no_warnings:
        yield _warning(report, name)


def _version(snapshot: Snapshot, key: str, wish: str) -> Answer:
    what = MEASURES[key].what
    try:
        seen = MEASURES[key].seen(snapshot)
        met = seen.value is not None and _fits(seen.value, wish)
    except Unknown as unknown:
        return Answer(key, wish, unknown.gap, what)
    is_ = f"and is {seen.value}" if seen.value is not None else "and there is none"
    evidence = ((seen.fact, seen.value or "none", seen.source),)
    return Answer(key, wish, met, f"{what[0].upper()}{what[1:]} should be {wish}, {is_}", evidence)


def _fits(version: str, wish: str) -> bool:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(wish).contains(Version(version), prereleases=True)
    except InvalidVersion:
        raise Unknown(Gap(f"{version} is no version that can be compared", "unsupported")) from None


def _gpus(snapshot: Snapshot, wish: Gpus) -> Answer:
    text = ", ".join(word for word in (f"{wish.number.text} GPUs" if wish.number else "each GPU", wish.wish) if word)
    gpus = () if isinstance(snapshot.gpus, Gap) and _none_here(snapshot) else snapshot.gpus
    if isinstance(gpus, Gap):
        return Answer("gpus", text, gpus, text)
    fits = [(gpu, _gpu_fits(gpu, wish)) for gpu in gpus]
    yes = sum(fit is True for _, fit in fits)
    gaps = [fit for _, fit in fits if isinstance(fit, Gap)]
    possible = {_enough(number, len(fits), wish.number) for number in range(yes, yes + len(gaps) + 1)}
    met: Union[bool, Gap] = gaps[0] if len(possible) > 1 else possible.pop()
    others = tuple(("gpus", _described(gpu), gpu.source) for gpu, fit in fits if fit is not True)
    have = f"{yes} of {len(fits)} {'fits' if yes == 1 else 'fit'}" if fits else "there is none"
    said = f"{f'{wish.number.text} GPUs' if wish.number else 'Each GPU'} should be {wish.wish or 'there'}; {have}"
    shown = others if met is not True else tuple(("gpus", _described(gpu), gpu.source) for gpu, _ in fits)
    return Answer("gpus", text, met, said, shown or (("gpus", "none", "NVML, libcuda"),))


def _none_here(snapshot: Snapshot) -> bool:
    """Is it known without NVML that there is no NVIDIA GPU?"""
    try:
        return nvidia_here(snapshot) is None
    except Unknown:
        return False


def _enough(number: int, of: int, count: Union[Bounds, None]) -> bool:
    return count.hold(float(number)) if count else 0 < number == of


def _gpu_fits(gpu: Gpu, wish: Gpus) -> Union[bool, Gap]:
    """Known not to fit in one point is known; not known in one point is not known else."""
    if gpu.error_code == NVML_GPU_IS_LOST:
        return False
    if gpu.error is not None:
        return Gap(f"GPU {gpu.number}: {gpu.error}", "crashed")
    points: list[Union[bool, Gap]] = []
    if wish.name is not None:
        points.append(_named(gpu.name, wish.name) if gpu.name else Gap(f"GPU {gpu.number} has no name", "unsupported"))
    try:
        if wish.compute_capability is not None:
            capability = need(gpu.compute_capability)
            points.append(capability is not None and _fits(capability.text, wish.compute_capability))
        if wish.memory_gib is not None:
            memory = need(gpu.memory_total)
            points.append(
                memory is not None and wish.memory_gib.hold(round(memory / GIB, 1))
            )  # as it is told: 24 GB have 23.99
    except Unknown as unknown:
        points.append(unknown.gap)
    if any(point is False for point in points):
        return False
    return next((point for point in points if isinstance(point, Gap)), True)


def _named(name: str, wish: str) -> bool:
    name, wish = name.casefold(), wish.casefold()
    return fnmatchcase(name, wish) if any(sign in wish for sign in "*?[") else wish in name


def _described(gpu: Gpu) -> str:
    words = [f"GPU {gpu.number}", gpu.error or gpu.name or "without a name"]
    if gpu.compute_capability is not None and not isinstance(gpu.compute_capability, Gap):
        words.append(f"compute capability {gpu.compute_capability.text}")
    if gpu.memory_total is not None and not isinstance(gpu.memory_total, Gap):
        words.append(f"{gpu.memory_total / GIB:.1f} GiB")
    return ", ".join(words)


def _speed(wish: Bounds, speed: Union[tuple[float, float], Gap]) -> Answer:
    what = "the GPU's speed-up over the CPU"
    if isinstance(speed, Gap):
        return Answer("speed-up", wish.text, speed, what)
    low, high = speed
    evidence = (("bench", f"{low:.3g} to {high:.3g}", "gpucheck bench"),)
    said = f"The GPU should be {wish.text} times as fast as the CPU, and is {low:.3g} to {high:.3g} times"
    both = wish.hold(low), wish.hold(high)
    if both[0] is not both[1]:
        unclear = Gap(
            f"the measured {low:.3g} to {high:.3g} times lie on both sides of it: measure longer", "unsupported"
        )
        return Answer("speed-up", wish.text, unclear, what, evidence)
    return Answer("speed-up", wish.text, both[0], said, evidence)


def _warning(report: Report, name: str) -> Answer:
    found = report.find(name)
    key = "no-warnings"
    if found is not None and found.severity is Severity.WARNING:
        return Answer(key, name, False, f"{name} is not accepted here: {found.message}", found.evidence[:1])
    skipped = next((one for one in report.skipped if one.name == name), None)
    if skipped is not None and found is None:
        return Answer(key, name, Gap(skipped.reason, "not-collected"), f"whether there is {name}")
    return Answer(key, name, True, f"no {name}")
