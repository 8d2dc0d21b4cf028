"""Are both snapshots of one machine, and by one gpucheck? No host name is ever collected, so its parts tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import System
from gpucheck.rules.presence import nvidia_here


def remarks(before: Snapshot, now: Snapshot, version: str) -> Iterator[str]:
    """What a reader must know before anything else. version: of the gpucheck that compares."""
    signs = list(_signs(before, now))
    if signs:
        yield f"These look like two different machines: {'; '.join(signs)}"
    if before.version != now.version:
        yield (
            f"The snapshots were taken by different versions of gpucheck ({before.version}, {now.version}); "
            "what one did not collect is listed as not known"
        )
    if version and version not in (before.version, now.version):
        yield f"Both are judged by the rules of this gpucheck, {version}"
    if before.taken > now.taken:
        yield "What is called before here was taken later than what is called now"
    for name, facts in (("before", before), ("now", now)):
        if facts.of_log_alone or not facts.probes:
            yield f"No machine was looked at for what is called {name} here"


def _signs(before: Snapshot, now: Snapshot) -> Iterator[str]:
    one, two = ({gpu.uuid for gpu in known(each.gpus, ()) if gpu.uuid} for each in (before, now))
    if one and two and one.isdisjoint(two):
        yield "no GPU has the UUID of another" if len(one | two) > 2 else "the GPUs' UUIDs differ"
    if isinstance(before.system, System) and isinstance(now.system, System):
        for words, first, second in (
            ("the computers' models", _product(before.system), _product(now.system)),
            ("the architectures", known(before.system.machine, None), known(now.system.machine, None)),
            ("the systems", before.system.os, now.system.os),
        ):
            if first and second and first != second:
                yield f"{words} differ ({first}, {second})"


def _product(system: System) -> Union[str, None]:
    firmware = known(system.firmware, None)
    return firmware.product if firmware else None


def machine(snapshot: Snapshot) -> str:
    """What a machine has, in a few words: GPUs, driver, TensorFlow."""
    return "; ".join((_gpus(snapshot), _driver(snapshot), _tensorflow(snapshot)))


def _gpus(snapshot: Snapshot) -> str:
    if isinstance(snapshot.gpus, Gap):
        return "GPUs unknown" if _may_have_gpus(snapshot) else "no NVIDIA GPU"
    names: dict[str, int] = {}
    for gpu in snapshot.gpus:
        name = gpu.name or "a GPU without a name"
        names[name] = names.get(name, 0) + 1
    return ", ".join(f"{number} × {name}" for name, number in names.items()) or "no GPU listed"


def _may_have_gpus(snapshot: Snapshot) -> bool:
    """NVML cannot tell of a machine without a driver; the PCI bus may tell that nothing is there."""
    try:
        return nvidia_here(snapshot) is not None
    except Unknown:
        return True


def _driver(snapshot: Snapshot) -> str:
    driver = snapshot.driver
    if not isinstance(driver, Driver) or isinstance(driver.module_version, Gap):
        told = driver.nvml.driver_version if isinstance(driver, Driver) and not isinstance(driver.nvml, Gap) else None
        return f"driver {told}" if told else "driver unknown"
    told = driver.module_version
    if told is None and not isinstance(driver.nvml, Gap):
        told = driver.nvml.driver_version
    return f"driver {told}" if told else "no driver loaded"


def _tensorflow(snapshot: Snapshot) -> str:
    python = snapshot.python
    if isinstance(python, Gap) or isinstance(python.tensorflow, Gap):
        return "TensorFlow unknown"
    if python.tensorflow is None:
        return "no TensorFlow"
    version = known(python.tensorflow.version, None)
    return f"{python.tensorflow.distribution or 'tensorflow'} {version or 'of unknown version'}"
