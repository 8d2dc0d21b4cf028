"""What of a snapshot is compared with other machines. Pure; what is not known here is left out, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Union

from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.fleet.nodes import MOST_GPUS, MOST_MARKS, MOST_TEXT, NO_GPU, Mark, NodeGpu
from gpucheck.rules.presence import nvidia_here


def marks(snapshot: Snapshot) -> tuple[Mark, ...]:
    """Everything that should be the same on machines of a kind."""
    found = (*_driver(snapshot), *_python(snapshot), *_libraries(snapshot), *_toolkits(snapshot), *_system(snapshot))
    return tuple(one._replace(value=clip(one.value), source=clip(one.source)) for one in found[:MOST_MARKS])


def peers(snapshot: Snapshot) -> Union[str, None]:
    """The GPU models of a machine in words; None: not known."""
    names = sorted({clip(gpu.name) for gpu in known(snapshot.gpus, ()) if gpu.name})
    if names:
        return clip(" + ".join(names))
    try:
        return NO_GPU if nvidia_here(snapshot) is None else None
    except Unknown:
        return None


def gpu_count(snapshot: Snapshot) -> Union[int, None]:
    """GPUs that NVML lists and can open; None: NVML does not tell."""
    if isinstance(snapshot.gpus, Gap) or any(gpu.source != "NVML" for gpu in snapshot.gpus):
        return None
    return sum(gpu.error is None for gpu in snapshot.gpus)


def limited(snapshot: Snapshot) -> bool:
    """May fewer GPUs be shown here than there are: in a container, in a job, or where that is not known?"""
    system, environment = snapshot.system, snapshot.environment
    if isinstance(system, Gap) or system.container is not None or isinstance(environment, Gap):
        return True
    return any(one.name.startswith("SLURM_") for one in environment.variables)


def gpus(snapshot: Snapshot) -> tuple[NodeGpu, ...]:
    """Each GPU's own limits."""
    return tuple(_gpu(gpu) for gpu in known(snapshot.gpus, ())[:MOST_GPUS])


def _gpu(gpu: Gpu) -> NodeGpu:
    link = known(gpu.pcie, None)
    return NodeGpu(
        gpu.number,
        None if gpu.name is None else clip(gpu.name),
        gpu.error is None,
        known(gpu.power_limit_w, None),
        known(gpu.clock_max_mhz, None),
        link.width if link else None,
        link.width_max if link else None,
        link.generation_max if link else None,
        # In MIG mode a GPU has no peers to talk to, and its links may be down.
        known(gpu.nvlinks_active, None) if not known(gpu.mig_mode, True) else None,
    )


def clip(text: str) -> str:
    """A machine's text, cut to what a node may keep."""
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def product(snapshot: Snapshot) -> Union[str, None]:
    """The computer's model."""
    firmware = None if isinstance(snapshot.system, Gap) else known(snapshot.system.firmware, None)
    return clip(firmware.product) if firmware and firmware.product else None


def _driver(snapshot: Snapshot) -> Iterator[Mark]:
    driver = snapshot.driver
    if isinstance(driver, Gap):
        return
    version = known(driver.module_version, None)
    if version is not None:
        yield Mark("driver", "driver", version.text, "driver.module_version", driver.module_source or "kernel module")
    elif not isinstance(driver.nvml, Gap) and driver.nvml.driver_version is not None:
        yield Mark("driver", "driver", driver.nvml.driver_version.text, "driver.nvml.driver_version", "NVML")


def _python(snapshot: Snapshot) -> Iterator[Mark]:
    python = snapshot.python
    if isinstance(python, Gap):
        return
    version = known(python.version, None)
    if version is not None:
        yield Mark("framework", "Python", version.text, "python.version", python.executable)
    build = python.tensorflow
    if build is None:
        yield Mark("framework", "TensorFlow", "none", "python.tensorflow", python.executable)
    elif not isinstance(build, Gap) and (found := known(build.version, None)) is not None:
        text = f"{build.distribution or 'tensorflow'} {found.text}"
        yield Mark("framework", "TensorFlow", text, "python.tensorflow.version", build.root)
    for label, name, framework in (("PyTorch", "torch", python.torch), ("JAX", "jax", python.jax)):
        if not isinstance(framework, Gap):
            value = framework.version.text if framework else "none"
            yield Mark("framework", label, value, f"python.{name}", python.executable)


def _libraries(snapshot: Snapshot) -> Iterator[Mark]:
    """The copies that TensorFlow would load here."""
    wanted = None if isinstance(snapshot.libraries, Gap) else snapshot.libraries.wanted
    said: set[str] = set()
    for one in () if wanted is None or isinstance(wanted, Gap) else wanted:
        if one.library in said:
            continue
        said.add(one.library)  # known or not: another file of it may have another version, and is not the first
        version = known(one.version, None)
        if version is not None and isinstance(one.path, str):
            yield Mark("library", clip(one.library), _shared(one.library, version.text), _WANTED, one.path)


_WANTED = "libraries.wanted.version"


def _shared(library: str, version: str) -> str:
    """What every copy tells: cuDNN's wheel is of 9.3.0.75, the same cuDNN's file is called libcudnn.so.9.3.0."""
    return ".".join(version.split(".")[:3]) if library == "cudnn" else version


def _toolkits(snapshot: Snapshot) -> Iterator[Mark]:
    toolkits = snapshot.toolkits
    if isinstance(toolkits, Gap) or any(isinstance(one.version, Gap) for one in toolkits.found):
        return
    versions = sorted({one.version.text for one in toolkits.found if one.version and not isinstance(one.version, Gap)})
    roots = ", ".join(one.root for one in toolkits.found) or "wherever toolkits are looked for"
    yield Mark("toolkit", "CUDA toolkits", ", ".join(versions) or "none", "toolkits.found", roots)


def _system(snapshot: Snapshot) -> Iterator[Mark]:
    system = snapshot.system
    if not isinstance(system, Gap):
        firmware = known(system.firmware, None)
        if firmware is not None and firmware.version:
            value = f"{firmware.version} ({firmware.date})" if firmware.date else firmware.version
            yield Mark("bios", "BIOS", value, "system.firmware.version", "/sys/class/dmi/id/bios_version")
        kernel = known(system.kernel, None)
        if kernel is not None:
            yield Mark("system", "kernel", kernel, "system.kernel", "uname")
        distribution = known(system.distribution, None)
        if distribution is not None:
            yield Mark("system", "distribution", distribution, "system.distribution", "/etc/os-release")
    shown = known(snapshot.gpus, ())
    yield from _of_all("bios", "GPU BIOS", "vbios", (known(one.vbios, None) for one in shown))
    for label, name in (("ECC", "ecc_mode"), ("MIG", "mig_mode"), ("persistence mode", "persistence")):
        modes = (known(getattr(one, name), None) for one in shown)
        yield from _of_all("system", label, name, (None if mode is None else "on" if mode else "off" for mode in modes))


def _of_all(subject: str, label: str, name: str, values: Iterable[Union[str, None]]) -> Iterator[Mark]:
    """One value for all GPUs of a machine, or each that there is; nothing where one of them is not known."""
    every = list(values)
    if every and None not in every:
        text = " and ".join(sorted({one for one in every if one is not None}))
        yield Mark(subject, label, text, f"gpus.{name}", "NVML")  # type: ignore[arg-type]
