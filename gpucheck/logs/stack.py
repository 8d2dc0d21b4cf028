"""What logs say of the machine that made them: versions, GPUs, the system. Said twice and differently is not said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar, Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.versions import ComputeCapability, CudaVersion, DriverVersion, PackageVersion, PythonVersion

T = TypeVar("T")

_TENSORFLOWS = ("tensorflow", "tensorflow-gpu", "tensorflow-cpu", "tensorflow-intel", "tf-nightly")
_DRIVERS = (
    ("session-nvidia-smi", "driver_version"),
    ("driver-versions-match", "driver_version"),
    ("kernel-module-version", "kernel_version"),
)
_LOADED = (*_DRIVERS, ("driver-versions-differ", "kernel_version"))
_GPUS = ("gpu-device-created", "gpu-properties", "gpu-ignored-capability", "torch-gpu-not-supported")


class Named(NamedTuple):
    """A GPU as a log names it."""

    name: str
    capability: Union[ComputeCapability, None]
    clue: Clue


class Stack(NamedTuple):
    """Every member is None or empty where the logs do not say, or contradict themselves."""

    os: Union[str, None]  # linux, windows
    wsl: bool  # False: not said
    driver: Union[DriverVersion, None]
    driver_cuda: Union[CudaVersion, None]  # the driver's CUDA version
    gpus: tuple[Named, ...]
    tensorflow: Union[PackageVersion, None]
    tensorflow_package: Union[str, None]
    python: Union[PythonVersion, None]
    prefixes: tuple[str, ...]  # of the environments that tracebacks name
    module: Union[str, None]  # a version of a kernel module that was loaded


def stack_of(log: Log) -> Stack:
    """Gather it from all clues."""
    tensorflow, package = _tensorflow(log)
    return Stack(
        _system(log),
        log.first("session-wsl") is not None,
        _one(DriverVersion.parse(value) for message, name in _DRIVERS for value in log.values(message, name)),
        _one(CudaVersion.parse(value) for value in log.values("session-nvidia-smi", "driver_cuda")),
        tuple(_gpus(log)),
        tensorflow,
        package,
        _one(PythonVersion.parse(value) for value in log.values("site-packages", "python")),
        log.values("site-packages", "prefix"),
        next((value for message, name in _LOADED for value in log.values(message, name)), None),
    )


def _one(values: Iterable[Union[T, None]]) -> Union[T, None]:
    """The value, where all that are said agree."""
    different = {value for value in values if value is not None}
    return different.pop() if len(different) == 1 else None


def _system(log: Log) -> Union[str, None]:
    """Windows paths are also printed under WSL, and file names of Linux never on Windows."""
    linux = log.first("session-wsl", "kernel-driver-not-running", "kernel-module-version", "libcuda-version")
    if linux is not None or log.values("site-packages", "prefix"):
        return "linux"
    windows = log.first("session-windows") is not None or "windows" in log.values("site-packages", "os")
    return "windows" if windows else None


def _tensorflow(log: Log) -> tuple[Union[PackageVersion, None], Union[str, None]]:
    """The release, and the distribution where a list of packages names it."""
    listed = [clue for clue in log.all("package-listed") if clue.get("package") in _TENSORFLOWS]
    said = [*(clue.get("version") for clue in listed), *log.values("tensorflow-version", "tensorflow")]
    version = _one(PackageVersion.parse(one) for one in said if one)
    return version, _one(clue.get("package") for clue in listed) if version else None


def _gpus(log: Log) -> Iterator[Named]:
    """Each GPU by its name once."""
    seen: dict[str, Named] = {}
    for clue in log.all(*_GPUS):
        name, capability = clue.get("name"), clue.get("capability")
        if name and name not in seen:
            seen[name] = Named(name, ComputeCapability.parse(capability) if capability else None, clue)
    yield from seen.values()
