"""The fact that a key of the file is about: its value, where it stands in the snapshot, and where it was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Union

from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Gap, Unknown, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import Version
from gpucheck.rules.here import windows_driver
from gpucheck.rules.presence import nvidia_here


class Seen(NamedTuple):
    """value: None where there is none."""

    value: Union[str, None]
    fact: str
    source: str


def _text(version: Union[Version, None]) -> Union[str, None]:
    return None if version is None else version.text


def driver(snapshot: Snapshot) -> Seen:
    """The loaded kernel module's version; where there is no such module to read (Windows, WSL), what NVML says."""
    driver = need(snapshot.driver)
    module, nvml = driver.module_version, driver.nvml
    if isinstance(module, Version):
        return Seen(module.text, "driver.module_version", driver.module_source or "kernel module")
    if not isinstance(nvml, Gap) and nvml.driver_version is not None:
        return Seen(nvml.driver_version.text, "driver.nvml.driver_version", "NVML")
    need(module)
    if _silent(driver) or (windows_driver(snapshot) and nvidia_here(snapshot) is not None):
        raise Unknown(
            nvml if isinstance(nvml, Gap) else Gap(nvml.message or "NVML did not say which driver runs", "deadline")
        )
    return Seen(None, "driver.module_version", driver.module_source or "/sys/module/nvidia/version, NVML")


def _silent(driver: Driver) -> bool:
    """Did NVML not get to answer? Where the answer was an error or that there is no NVML, there is no driver.

    But for Windows', which runs where no library of it is found, or none may be asked.
    """
    return isinstance(driver.nvml, Gap) or driver.nvml.status in ("hung", "crashed")


def driver_cuda(snapshot: Snapshot) -> Seen:
    """The newest CUDA that the driver serves."""
    cuda = need(need(snapshot.driver).cuda)
    if cuda.cuda_version is None and cuda.status in ("hung", "crashed"):
        raise Unknown(Gap(cuda.message or "libcuda gave no answer", "deadline"))
    return Seen(_text(cuda.cuda_version), "driver.cuda.cuda_version", "cuDriverGetVersion")


def _loaded(library: str) -> Callable[[Snapshot], Seen]:
    def seen(snapshot: Snapshot) -> Seen:
        wanted = need(need(snapshot.libraries).wanted)
        one = next((one for one in wanted or () if one.library == library and one.needed_for_gpu), None)
        if one is None or need(one.path) is None:
            return Seen(None, "libraries.wanted", f"what TensorFlow loads{f': {one.soname}' if one else ''}")
        return Seen(_text(need(one.version)), "libraries.wanted.version", str(one.path))

    return seen


def python(snapshot: Snapshot) -> Seen:
    """The examined interpreter's version."""
    python = need(snapshot.python)
    return Seen(_text(need(python.version)), "python.version", python.read_from or python.executable)


def tensorflow(snapshot: Snapshot) -> Seen:
    """The installed TensorFlow, whatever its package is called."""
    python = need(snapshot.python)
    build = need(python.tensorflow)
    if build is None:
        return Seen(None, "python.tensorflow", python.executable)
    return Seen(_text(need(build.version)), "python.tensorflow.version", build.root)


def keras(snapshot: Snapshot) -> Seen:
    """The installed Keras; the copy that comes first."""
    python = need(snapshot.python)
    one = next((one for one in need(python.distributions) if one.name == "keras"), None)
    return Seen(one.version.text if one else None, "python.distributions", one.location if one else python.executable)


def _framework(name: str) -> Callable[[Snapshot], Seen]:
    def seen(snapshot: Snapshot) -> Seen:
        python = need(snapshot.python)
        build = need(getattr(python, name))
        return Seen(build.version.text if build else None, f"python.{name}", python.executable)

    return seen


class Measure(NamedTuple):
    """What a key is about, in words, and how it is found."""

    what: str
    seen: Callable[[Snapshot], Seen]


MEASURES: dict[str, Measure] = {
    "driver": Measure("the NVIDIA driver", driver),
    "driver-cuda": Measure("the driver's CUDA version", driver_cuda),
    "cuda": Measure("the CUDA runtime that TensorFlow loads", _loaded("cudart")),
    "cudnn": Measure("the cuDNN that TensorFlow loads", _loaded("cudnn")),
    "python": Measure("the examined Python", python),
    "tensorflow": Measure("TensorFlow", tensorflow),
    "keras": Measure("Keras", keras),
    "torch": Measure("PyTorch", _framework("torch")),
    "jax": Measure("JAX", _framework("jax")),
}
