"""Where the program of a log ran and what it was, as far as the log or measured facts say. No cause lives here."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.tensorflow import RELEASES
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.log import Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import CudaVersion, DriverVersion, PackageVersion
from gpucheck.logs.messages.session import container_name

# A GPU that computes: nothing that keeps TensorFlow off it can be the cause then.
DEVICE = ("gpu-device-created", "gpu-listed")


def hosts(log: Log) -> tuple[str, ...]:
    """The names of hosts that StreamExecutor's diagnosis prints."""
    return (*log.values("diagnosed-host", "name"), *log.values("kernel-driver-not-running", "name"))


def in_container(log: Log, snapshot: Snapshot) -> bool:
    """Does the log show a container, or was one measured? Docker names its hosts with twelve hexadecimal digits."""
    if not isinstance(snapshot.system, Gap) and known(snapshot.system.container, None):
        return True
    shown = log.first("session-container", "session-prompt-of-container", "session-container-started")
    return shown is not None or any(container_name(host) for host in hosts(log))


def without_gpus_flag(log: Log) -> bool:
    """Was the container started without GPUs, by what the log shows?"""
    return "no" in log.values("session-container-started", "gpus")


def on_wsl(log: Log, snapshot: Snapshot) -> bool:
    """WSL 2."""
    measured = not isinstance(snapshot.system, Gap) and known(snapshot.system.wsl, None) is not None
    # Windows gives such names to computers, and WSL takes them over.
    named = any(host.startswith(("DESKTOP-", "LAPTOP-", "WIN-")) for host in hosts(log))
    return measured or log.first("session-wsl") is not None or named


def on_windows(log: Log, snapshot: Snapshot) -> bool:
    """Windows itself, not WSL."""
    if not isinstance(snapshot.system, Gap):
        return snapshot.system.os == "windows"
    return not on_wsl(log, snapshot) and (
        log.first("session-windows") is not None or any(".dll" in clue.text.lower() for clue in log.clues)
    )


def gpu_works(log: Log) -> bool:
    """TensorFlow made a device or lists one."""
    return log.first(*DEVICE) is not None


def driver_answers(log: Log) -> bool:
    """nvidia-smi printed a driver's version: there is a GPU, on this machine or on the host of a container."""
    return log.first("session-nvidia-smi") is not None


def tensorflow_of(log: Log, snapshot: Snapshot) -> Union[PackageVersion, None]:
    """TensorFlow's version, where one is named."""
    if not isinstance(snapshot.python, Gap) and not isinstance(snapshot.python.tensorflow, Gap):
        build = snapshot.python.tensorflow
        version = known(build.version, None) if build else None
        if version is not None:
            return version
    named = log.values("tensorflow-version", "tensorflow")
    return PackageVersion.parse(named[0]) if named else None


def prints_no_sonames(log: Log, snapshot: Snapshot) -> bool:
    """TensorFlow 2.12 or later, which names no library that did not load."""
    version = tensorflow_of(log, snapshot)
    if version is not None:
        return version >= PackageVersion("2.12")
    return log.first("cuda-drivers-not-found") is not None or any("local_xla" in one.text for one in log.clues)


def brings_wheels(log: Log, snapshot: Snapshot) -> bool:
    """TensorFlow 2.14 or later, whose extra [and-cuda] brings CUDA as wheels. Its sources lie in external/local_*."""
    version = tensorflow_of(log, snapshot)
    if version is not None:
        return version >= PackageVersion("2.14")
    new = ("local_xla", "local_tsl", "E0000 ", "W0000 ", "I0000 ", "F0000 ")
    return any(one in clue.text for clue in log.clues for one in new)


def cuda_of(log: Log, snapshot: Snapshot) -> Union[CudaVersion, None]:
    """The CUDA that the program was built with: of its release, or of the runtime that it opened or asked for."""
    version = tensorflow_of(log, snapshot)
    row = next((one for one in RELEASES if version is not None and PackageVersion(one.version) == version), None)
    if row is not None and row.cuda:
        return CudaVersion(row.cuda)
    from gpucheck.logs.sonames import is_cuda, releases_with

    names = (*log.values("library-loaded", "soname"), *log.values("library-not-loaded", "soname"))
    fitting = releases_with(tuple(name for name in names if is_cuda(name)))
    return CudaVersion({"11": "11.2", "11.0": "11.0"}.get(fitting[0], fitting[0])) if fitting else None


def driver_of(log: Log, snapshot: Snapshot) -> Union[DriverVersion, None]:
    """The driver's version: measured, or as the log tells it (384.81.0 is 384.81)."""
    if not isinstance(snapshot.driver, Gap):
        version = known(snapshot.driver.module_version, None)
        if version is not None:
            return version
    told = (
        log.values("driver-possibly-insufficient", "driver_version"),
        log.values("kernel-module-version", "kernel_version"),
        log.values("session-nvidia-smi", "driver_version"),
        log.values("driver-versions-match", "driver_version"),
    )
    for values in told:
        if values:
            return DriverVersion.parse(values[0])
    return None


def capability_of(log: Log) -> Union[str, None]:
    """A GPU's compute capability, as the log tells it."""
    for name in (
        "kernels-not-built-for-capability",
        "gpu-ignored-capability",
        "torch-gpu-not-supported",
        "gpu-device-created",
        "gpu-properties",
    ):
        values = log.values(name, "capability")
        if values:
            return values[0]
    return None
