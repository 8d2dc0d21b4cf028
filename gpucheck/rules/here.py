"""What decides about releases, of one machine: gathered from a snapshot once. Nothing is judged here.

What is not known is a gap, and stays one: rules.fitness makes no objection of it.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.driver import CudaDriver, Driver, Nvml
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import Cpu, System
from gpucheck.facts.versions import CudaVersion, DriverVersion, LibcVersion, PythonVersion

_Name = Union[str, Gap]
_Flag = Union[bool, None, Gap]

# As wheels are tagged, whatever the system calls them.
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


class Here(NamedTuple):
    """One machine and one interpreter.

    machine: of the interpreter where that is known, else of the system. gpus: NVIDIA's, as far as they are known.
    driver: of Windows under WSL; None: none is loaded. compat: the CUDA version of a libcuda that works, which may be
    newer than the driver's own (NVIDIA's forward compatibility). windows_driver: Windows' floors count.
    """

    os: _Name
    machine: _Name
    libc: Union[LibcVersion, None, Gap]
    avx: _Flag
    python: Union[PythonVersion, None, Gap]
    implementation: Union[str, None, Gap]
    bits: Union[int, None, Gap]
    gpus: Union[tuple[Gpu, ...], Gap]
    driver: Union[DriverVersion, None, Gap]
    compat: Union[CudaVersion, None]
    windows_driver: bool


def here(snapshot: Snapshot, python: Union[PythonVersion, None] = None) -> Here:
    """This machine. python: another interpreter than the examined one, a 64-bit CPython for the same architecture."""
    os, machine, libc, avx = _of_system(snapshot.system)
    own = snapshot.python
    version, implementation, bits = (python, "cpython", 64) if python is not None else _of_python(own)
    if python is None and isinstance(own, Python):
        machine = known(own.machine, None) or machine
    if isinstance(machine, str):
        machine = _MACHINES.get(machine.lower(), machine)
    driver, cuda = driver_version(snapshot), _working_cuda(snapshot.driver)
    windows = windows_driver(snapshot)
    return Here(os, machine, libc, avx, version, implementation, bits, snapshot.gpus, driver, cuda, windows)


def _of_system(system: Union[System, Gap]) -> tuple[_Name, _Name, Union[LibcVersion, None, Gap], _Flag]:
    if isinstance(system, Gap):
        return system, system, system, system
    return system.os, system.machine, system.libc, system.cpu.avx if isinstance(system.cpu, Cpu) else system.cpu


def _of_python(
    own: Union[Python, Gap],
) -> tuple[Union[PythonVersion, None, Gap], Union[str, None, Gap], Union[int, None, Gap]]:
    return (own, own, own) if isinstance(own, Gap) else (own.version, own.implementation, own.bits)


def driver_version(snapshot: Snapshot) -> Union[DriverVersion, None, Gap]:
    """The running driver: of Windows under WSL."""
    driver = snapshot.driver
    if isinstance(driver, Gap):
        return driver
    nvml = driver.nvml.driver_version if isinstance(driver.nvml, Nvml) else None
    if windows_driver(snapshot) and snapshot.windows is None:  # WSL, where NVML alone knows what runs
        return nvml or (driver.nvml if isinstance(driver.nvml, Gap) else None)
    return known(driver.module_version, None) or nvml or driver.module_version


def windows_driver(snapshot: Snapshot) -> bool:
    """Is the driver Windows' own? As far as is known."""
    system = snapshot.system
    return isinstance(system, System) and (system.os == "windows" or known(system.wsl, None) is not None)


def _working_cuda(driver: Union[Driver, Gap]) -> Union[CudaVersion, None]:
    cuda = driver.cuda if isinstance(driver, Driver) else None
    return cuda.cuda_version if isinstance(cuda, CudaDriver) and cuda.status == "ok" else None
