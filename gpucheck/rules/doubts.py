"""What is not known of a machine and could speak against a release: one sentence each, so that nothing is acquitted
silently. Pure; what is known against it: fitness.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.tensorflow import FIRST_WITH_AVX, Release
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import PackageVersion
from gpucheck.rules.fitness import driver_floor
from gpucheck.rules.here import Here
from gpucheck.rules.presence import named


def open_questions(row: Release, at: Here, cpu: bool = False) -> tuple[str, ...]:
    """What is not known and could speak against this release: one sentence each."""
    found = [*_unknown_system(row, at)]
    if not cpu and row.cuda:
        found += [*_unknown_gpus(row, at), *_unknown_driver(row, at)]
    return tuple(found)


def _unknown_system(row: Release, at: Here) -> Iterator[str]:
    if row.glibc and isinstance(at.libc, Gap):
        yield f"the system's glibc is not known ({at.libc.reason}): the wheels need {row.glibc} or later"
    if isinstance(at.avx, Gap) and PackageVersion(row.version) >= PackageVersion(FIRST_WITH_AVX):
        yield f"it is not known whether the CPU has AVX ({at.avx.reason}), which the wheels need"
    if isinstance(at.bits, Gap):
        yield f"it is not known whether the Python is a 64-bit program ({at.bits.reason}): the wheels are for one"
    if isinstance(at.implementation, Gap):
        yield f"it is not known whether the Python is CPython ({at.implementation.reason}): the wheels are for that"


def _unknown_gpus(row: Release, at: Here) -> Iterator[str]:
    ask = f"whether TensorFlow {row.version} has code for"
    if isinstance(at.gpus, Gap):
        yield f"{ask} the GPU is not known: {at.gpus.reason}"
        return
    if not at.gpus:
        yield f"{ask} the GPU is not known: nothing described it"
    for gpu in at.gpus:
        capability = gpu.compute_capability
        if capability is None or isinstance(capability, Gap):
            why = f": {capability.reason}" if isinstance(capability, Gap) else ""
            yield f"{ask} {named(gpu)} is not known{why}"
        elif not row.capabilities:
            yield f"{ask} {named(gpu)} is not known: the wheel does not record its compute capabilities"


def _unknown_driver(row: Release, at: Here) -> Iterator[str]:
    floor = driver_floor(row, at.windows_driver)
    if floor is None:
        yield f"which driver CUDA {row.cuda} needs is not known: the table does not tell"
    elif at.driver is None:
        yield f"no NVIDIA driver is loaded: TensorFlow {row.version} needs {floor} or later"
    elif isinstance(at.driver, Gap):
        yield f"the driver's version is not known ({at.driver.reason}): {floor} or later is needed"
