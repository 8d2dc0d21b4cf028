"""Which devices are measured, and what each worker's environment says so that it sees that one alone.

GPUs are numbered as a program sees them here: CUDA_VISIBLE_DEVICES is kept, and gpu:0 is the first that it leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Union

from gpucheck.bench.simulation import Simulation
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu

_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


class BadDevices(ValueError):
    """--devices names what cannot be; the message says what."""


class Device(NamedTuple):
    """One leg. environ: changes to the worker's environment, None removes; nvml: what NVML calls it."""

    name: str
    title: str
    environ: tuple[tuple[str, Union[str, None]], ...]
    nvml: Union[str, None] = None
    simulate: Union[dict[str, object], None] = None

    @property
    def kind(self) -> str:
        """What the worker is told: cpu or gpu."""
        return "cpu" if self.name == "cpu" else "gpu"


class Visible(NamedTuple):
    """One GPU that a program sees: by which entry of the variable, and by which NVML name if that is known."""

    entry: str
    title: str
    nvml: Union[str, None]


def choose(
    asked: Union[str, None],
    gpus: Union[tuple[Gpu, ...], Gap],
    environ: Mapping[str, str],
    processor: str,
    simulation: Union[Simulation, None] = None,
) -> tuple[Device, ...]:
    """The devices to measure; one that was asked for and is not there is left out.

    Parameters
    ----------
    asked: --devices; None: the CPU and the first GPU, if there is one.
    processor: the CPU's name.

    Raises
    ------
    BadDevices
    """
    words = names(asked)
    there = _simulated(simulation, gpus, environ) if simulation else visible(gpus, environ)
    numbers = _numbers(words, len(there))
    devices = [_cpu(processor, simulation)] if not words or "cpu" in words or "all" in words else []
    for number in numbers:
        if number < len(there):
            devices.append(_gpu(number, there[number], environ, simulation))
    return tuple(devices)


def names(asked: Union[str, None]) -> tuple[str, ...]:
    """--devices, word by word: cpu, gpu:0 (also for gpu), all; none where it was not given. Raises BadDevices."""
    if asked is None:
        return ()
    words = [word.strip().lower() for word in asked.split(",") if word.strip()]
    found = []
    for word in words:
        number = "0" if word == "gpu" else word[4:] if word.startswith("gpu:") else ""
        if number.isascii() and number.isdigit() and len(number) < 6:
            found.append(f"gpu:{int(number)}")
        elif word in ("cpu", "all"):
            found.append(word)
        else:
            raise BadDevices(f"{word!r} is no device; cpu, gpu, gpu:0, gpu:1 … and all are")
    if not found:
        raise BadDevices("no device is named; cpu, gpu, gpu:0, gpu:1 … and all are")
    return tuple(dict.fromkeys(found))


def _numbers(words: tuple[str, ...], count: int) -> list[int]:
    if "all" in words:
        return list(range(count))
    return sorted(int(word[4:]) for word in words if word != "cpu") if words else [0]


def visible(gpus: Union[tuple[Gpu, ...], Gap], environ: Mapping[str, str]) -> list[Visible]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves to a program, as far as can be told; none where NVML lists none."""
    if isinstance(gpus, Gap):
        return []
    instances = [one for gpu in gpus for one in _instances(gpu)]
    value = environ.get(_VISIBLE)
    if value is None:
        return instances
    found = []
    for entry in (word.strip() for word in value.split(",")):
        matching = _matching(entry, gpus, instances, environ)
        if matching is None:
            break  # an entry that names no GPU hides all behind it (rules/visibility.py)
        found.append(matching)
    return found


def _instances(gpu: Gpu) -> list[Visible]:
    title = gpu.name or "GPU"
    parts = gpu.mig_devices
    if isinstance(parts, tuple) and parts:
        return [Visible(one, f"{title} (MIG)", one) for one in parts]
    return [Visible(gpu.uuid or str(gpu.number), title, gpu.uuid or str(gpu.number))]


def _matching(
    entry: str, gpus: tuple[Gpu, ...], instances: list[Visible], environ: Mapping[str, str]
) -> Union[Visible, None]:
    if entry.isdecimal():
        if int(entry) >= len(instances):
            return None
        # CUDA's own order is "fastest first", NVML's the bus's: the same where all GPUs are of a kind.
        alike = len({gpu.name for gpu in gpus}) == 1 or environ.get(_ORDER) == "PCI_BUS_ID"
        one = instances[int(entry)]
        return Visible(entry, one.title if alike else "GPU", one.nvml if alike else None)
    if not entry.startswith(("GPU-", "MIG-")):
        return None
    matching = [one for one in instances if one.entry.startswith(entry)]
    return Visible(entry, matching[0].title, matching[0].nvml) if len(matching) == 1 else None


def _cpu(processor: str, simulation: Union[Simulation, None]) -> Device:
    return Device(
        "cpu",
        processor,
        ((_VISIBLE, "-1"), ("JAX_PLATFORMS", "cpu")),
        simulate=simulation.of("cpu") if simulation else None,
    )


def _gpu(number: int, there: Visible, environ: Mapping[str, str], simulation: Union[Simulation, None]) -> Device:
    name = f"gpu:{number}"
    if simulation:
        hidden = ((_VISIBLE, "-1"), ("JAX_PLATFORMS", "cpu"))
        return Device(name, there.title, hidden, there.nvml, simulation.of("gpu"))
    order = () if _VISIBLE in environ else ((_ORDER, "PCI_BUS_ID"),)
    settings = (
        (_VISIBLE, there.entry),
        *order,
        # So that nobody takes all of the GPU's memory at once.
        ("TF_FORCE_GPU_ALLOW_GROWTH", "true"),
        ("XLA_PYTHON_CLIENT_PREALLOCATE", "false"),
    )
    return Device(name, there.title, settings, there.nvml)


def _simulated(simulation: Simulation, gpus: Union[tuple[Gpu, ...], Gap], environ: Mapping[str, str]) -> list[Visible]:
    """A GPU that a second CPU worker poses as; telemetry is that of a real one, if there is one."""
    real = visible(gpus, environ)
    return [Visible("-1", "simulated", real[0].nvml if real else None)]
