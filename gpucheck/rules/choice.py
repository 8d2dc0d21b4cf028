"""Which TensorFlow a fix may name here: only what the table confirms. The commands: recipes.py. No rules.

What speaks against a release is stated in fitness.py; `gpucheck install` asks the same.
"""

from __future__ import annotations

from typing import Union

from gpucheck.compat.tensorflow import Release
from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Unknown, known
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import System
from gpucheck.facts.versions import ComputeCapability, DriverVersion, PythonVersion
from gpucheck.rules import fitness
from gpucheck.rules.here import driver_version as version_of_driver
from gpucheck.rules.here import here, windows_driver
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.stakes import wants_cuda

TURING = ComputeCapability("7.5")
# Official wheels hold no code for Blackwell, and their PTX is reported to fail there (tensorflow#89272, #101746).
BLACKWELL = 10


def capabilities(snapshot: Snapshot) -> tuple[ComputeCapability, ...]:
    """Of the GPUs that are known. For words only: what is not known does not rule a release out."""
    found = []
    for gpu in known(snapshot.gpus, ()):
        capability = known(gpu.compute_capability, None)
        if capability is not None:
            found.append(capability)
    return tuple(found)


def choose(
    snapshot: Snapshot, python: Union[PythonVersion, None] = None, any_driver: bool = False
) -> Union[Release, None]:
    """The newest release that runs on this interpreter, glibc, driver and these GPUs; with CUDA unless for_cpu().

    For doctor's fixes, whose commands are pip's: only what pip alone makes work. A release that needs a cure, or CUDA
    from elsewhere, is left out.

    Parameters
    ----------
    python: another interpreter than the examined one (a 64-bit CPython).
    any_driver: as if the driver were new enough for everything.
    """
    at, cpu = here(snapshot, python), for_cpu(snapshot)
    if machine_of(snapshot) != "x86_64" or not isinstance(at.python, PythonVersion):
        return None
    at = at._replace(driver=None) if any_driver else at
    for row in reversed(fitness.table(at)):
        named = row.package == "tensorflow" if cpu else fitness.brings_cuda(row)
        if named and fitness.fits(row, at, cpu):
            return row
    return None


def for_cpu(snapshot: Snapshot) -> bool:
    """No NVIDIA GPU here, and nothing installed that is of use for one only: CUDA's 3 GB would be wasted.

    For words only: what is not known counts as a wish for CUDA.
    """
    try:
        absent = isinstance(snapshot.python, Python) and snapshot.python.tensorflow is None
        return nvidia_here(snapshot) is None and (absent or not wants_cuda(snapshot))
    except Unknown:
        return False


def machine_of(snapshot: Snapshot) -> Union[str, None]:
    """The system's architecture, where that is known."""
    return known(snapshot.system.machine, None) if isinstance(snapshot.system, System) else None


def driver_floor(row: Release, snapshot: Snapshot) -> Union[DriverVersion, None]:
    """The lowest driver for a release's CUDA: of Windows' drivers under WSL."""
    return fitness.driver_floor(row, windows_driver(snapshot))


def driver_version(snapshot: Snapshot) -> Union[DriverVersion, None]:
    """The running driver, where that is known: of Windows under WSL."""
    return known(version_of_driver(snapshot), None) if isinstance(snapshot.driver, Driver) else None
