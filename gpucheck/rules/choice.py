"""Which TensorFlow a fix may name here: only what the table confirms. The commands: recipes.py. No rules."""

from __future__ import annotations

from typing import Union

from gpucheck.compat import drivers
from gpucheck.compat.tensorflow import RELEASES, Release, final
from gpucheck.facts.driver import CudaDriver, Driver, Nvml
from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.python import Python, capability_codes
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import System
from gpucheck.facts.versions import (
    ComputeCapability,
    CudaVersion,
    DriverVersion,
    LibcVersion,
    PackageVersion,
    PythonVersion,
)
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.stakes import wants_cuda

TURING = ComputeCapability("7.5")
# Official wheels hold no code for Blackwell, and their PTX is reported to fail there (tensorflow#89272, #101746).
BLACKWELL = 10
# Never named in a fix: an extra that does not resolve or is not there, RUNPATHs that miss CUDA. For the CPU all of
# these are as good as any.
_NOT_FOR_CUDA = {"K02", "K06", "K07", "Q01"}


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

    Parameters
    ----------
    python: another interpreter than the examined one (a 64-bit CPython).
    any_driver: as if the driver were new enough for everything.
    """
    version = python or _own_version(snapshot.python)
    if version is None or machine_of(snapshot) != "x86_64":
        return None
    minor = f"{version.major}.{version.minor}"
    fitting = [row for row in RELEASES if final(row) and minor in row.pythons.split() and _libc_suits(row, snapshot)]
    if for_cpu(snapshot):
        fitting = [row for row in fitting if row.package == "tensorflow"]
    else:
        fitting = [row for row in fitting if _brings_cuda(row, minor) and _uses_gpus(row, snapshot, any_driver)]
    return max(fitting, key=lambda row: PackageVersion(row.version), default=None)


def for_cpu(snapshot: Snapshot) -> bool:
    """No NVIDIA GPU here, and nothing installed that is of use for one only: CUDA's 3 GB would be wasted.

    For words only: what is not known counts as a wish for CUDA.
    """
    try:
        absent = isinstance(snapshot.python, Python) and snapshot.python.tensorflow is None
        return nvidia_here(snapshot) is None and (absent or not wants_cuda(snapshot))
    except Unknown:
        return False


def _own_version(python: Union[Python, Gap]) -> Union[PythonVersion, None]:
    """None: unknown, or an interpreter that no wheel is made for (PyPy, 32 bits)."""
    if not isinstance(python, Python) or known(python.implementation, "cpython") not in ("cpython", None):
        return None
    return None if known(python.bits, 64) == 32 else known(python.version, None)


def machine_of(snapshot: Snapshot) -> Union[str, None]:
    """The system's architecture, where that is known."""
    return snapshot.system.machine if isinstance(snapshot.system, System) else None


def _libc_suits(row: Release, snapshot: Snapshot) -> bool:
    libc = snapshot.system.libc if isinstance(snapshot.system, System) else Gap("")
    return isinstance(libc, Gap) or (libc is not None and libc >= LibcVersion(row.glibc))


def _brings_cuda(row: Release, minor: str) -> bool:
    """Is the extra [and-cuda] there, does it resolve on this Python, and does the release find what it brings?"""
    issues = set(row.issues.split())
    return bool(row.cudnn_wheel) and not issues & _NOT_FOR_CUDA and not ("K01" in issues and minor == "3.11")


def _uses_gpus(row: Release, snapshot: Snapshot, any_driver: bool) -> bool:
    return all(_has_code(row, one) for one in capabilities(snapshot)) and (any_driver or _driver_suits(row, snapshot))


def driver_floor(row: Release, snapshot: Snapshot) -> Union[DriverVersion, None]:
    """The lowest driver for a release's CUDA: of Windows' drivers under WSL."""
    floor = drivers.floor_for(CudaVersion(row.cuda))
    return drivers.lowest(floor, _on_wsl(snapshot)) if floor else None


def driver_version(snapshot: Snapshot) -> Union[DriverVersion, None]:
    """The running driver, where that is known: of Windows under WSL."""
    if not isinstance(snapshot.driver, Driver):
        return None
    nvml = snapshot.driver.nvml
    told = nvml.driver_version if isinstance(nvml, Nvml) else None
    return told if _on_wsl(snapshot) else known(snapshot.driver.module_version, None) or told


def _on_wsl(snapshot: Snapshot) -> bool:
    return isinstance(snapshot.system, System) and known(snapshot.system.wsl, None) is not None


def _driver_suits(row: Release, snapshot: Snapshot) -> bool:
    version, floor = driver_version(snapshot), driver_floor(row, snapshot)
    if version is None or floor is None or version >= floor:
        return True
    # NVIDIA's forward compatibility package: a newer libcuda on an old kernel module, seen to work.
    cuda = snapshot.driver.cuda if isinstance(snapshot.driver, Driver) else None
    works = isinstance(cuda, CudaDriver) and cuda.status == "ok" and cuda.cuda_version is not None
    return works and cuda.cuda_version.major >= CudaVersion(row.cuda).major  # type: ignore[union-attr]


def _has_code(row: Release, wanted: ComputeCapability) -> bool:
    if wanted.major >= BLACKWELL:
        return False
    codes = capability_codes(row.capabilities)
    return any((code.major == wanted.major and code <= wanted) or (ptx and code <= wanted) for code, ptx in codes)
