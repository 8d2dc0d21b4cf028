"""Which change a fact belongs to: a driver's version stands in a dozen facts and is one change. Nothing is worded here.

A change is known by its name. What has no row here is a change of its own, named after its place, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Union

from gpucheck.differing.difference import Subject, Weight
from gpucheck.differing.tree import ABSENT, Leaf
from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.libraries import LibraryCopy
from gpucheck.facts.snapshot import Snapshot


class Unit(NamedTuple):
    """One change, before it is worded."""

    subject: Subject
    name: str
    weight: Weight = "cause"


DRIVER = Unit("driver", "driver")
MODULE = Unit("driver", "kernel module")
USER_HALF = Unit("driver", "driver's libraries")
FOUND_VIA = Unit("libraries", "ways by which files are found", "minor")
KERNEL = Unit("system", "kernel")
ENVIRONMENT = Unit("Python", "Python environment")
TENSORFLOW = Unit("Python", "TensorFlow")
NVML = Unit("answers", "NVML's answer", "answer")
CUDA = Unit("answers", "libcuda's answer", "answer")

# The longest prefix of a fact's place (without keys of items) that stands here decides.
_UNITS: dict[str, Unit] = {
    "system.os": Unit("system", "system"),
    "system.distribution": Unit("system", "distribution"),
    "system.distribution_id": Unit("system", "distribution"),
    "system.kernel": KERNEL,
    "system.machine": Unit("system", "architecture"),
    "system.libc": Unit("system", "glibc"),
    "system.wsl": Unit("system", "WSL"),
    "system.container": Unit("system", "container"),
    "system.uid": Unit("system", "user"),
    "system.groups": Unit("system", "user's groups"),
    "system.memory_bytes": Unit("system", "memory", "minor"),
    "system.cpu": Unit("system", "CPU"),
    "system.secure_boot": Unit("system", "Secure Boot"),
    "system.selinux": Unit("system", "SELinux"),
    "system.suspends": Unit("system", "suspends since boot", "volatile"),
    "system.disks": Unit("system", "disks", "minor"),
    "system.disks.free_bytes": Unit("system", "free disk space", "volatile"),
    "system.firmware": Unit("system", "BIOS"),
    "driver.module_version": MODULE,
    "driver.module_source": MODULE,
    "driver.module_open": MODULE,
    "driver.modules": Unit("driver", "loaded modules"),
    "driver.module_files": Unit("driver", "module files"),
    "driver.dkms": Unit("driver", "DKMS builds"),
    "driver.packages": Unit("driver", "driver packages"),
    "driver.nodes": Unit("device files", "device files"),
    "driver.libraries": USER_HALF,
    "driver.nvml": NVML,
    "driver.cuda": CUDA,
    "driver.smi": Unit("answers", "nvidia-smi", "volatile"),
    "driver.fabric": Unit("driver", "Fabric Manager"),
    "driver.prime": Unit("driver", "prime-select"),
    "driver.bbswitch": Unit("driver", "bbswitch"),
    "driver.wsl": Unit("system", "settings of WSL"),
    "libraries.search": Unit("libraries", "loader's search", "answer"),
    "libraries.preload": Unit("variables", "variable LD_PRELOAD"),
    "python": ENVIRONMENT,
    "python.version": Unit("Python", "Python"),
    "python.implementation": Unit("Python", "Python"),
    "python.bits": Unit("Python", "Python"),
    "python.machine": Unit("Python", "Python"),
    "python.tensorflow": TENSORFLOW,
    "python.torch": Unit("packages", "package torch"),
    "python.jax": Unit("packages", "package jax"),
    "python.keras_backend": Unit("Python", "Keras' backend"),
    "python.keras_config": Unit("Python", "Keras' backend"),
    "python.kernels": Unit("Python", "Jupyter kernels", "minor"),
    "python.others": Unit("Python", "other Pythons", "minor"),
    "windows": Unit("Windows", "Windows"),
    "windows.build": Unit("Windows", "Windows' build"),
    "windows.adapters": Unit("Windows", "display adapters"),
    "windows.path_user": Unit("Windows", "PATH of the user"),
    "windows.path_machine": Unit("Windows", "PATH of the machine"),
    "windows.path_process": Unit("variables", "variable PATH"),
    "windows.long_paths": Unit("Windows", "long paths"),
    "windows.zlibwapi": Unit("libraries", "zlibwapi.dll", "answer"),
    "windows.cudnn_trees": Unit("libraries", "cuDNN's folders"),
    "windows.store_python": ENVIRONMENT,
    "windows.home": Unit("Windows", "home"),
    "deep": Unit("answers", "TensorFlow's answer (--deep)", "answer"),
    "deep.import_seconds": Unit("answers", "seconds of --deep", "volatile"),
    "deep.operations.seconds": Unit("answers", "seconds of --deep", "volatile"),
    "deep.operations.relative_error": Unit("answers", "rounding of --deep", "volatile"),
    "deep.log": Unit("answers", "TensorFlow's messages (--deep)", "answer"),
}

# Of one GPU: field -> the change that it belongs to, and its weight.
_GPU_FIELDS: dict[str, tuple[str, Weight]] = {
    "number": ("place", "cause"),
    "pci_address": ("place", "cause"),
    "uuid": ("identity", "cause"),
    "name": ("identity", "cause"),
    "source": ("identity", "minor"),
    "error": ("answer", "answer"),
    "error_code": ("answer", "answer"),
    "compute_capability": ("compute capability", "cause"),
    "memory_total": ("memory", "cause"),
    "memory_free": ("free memory", "volatile"),
    "processes": ("processes", "volatile"),
    "compute_mode": ("compute mode", "cause"),
    "mig_mode": ("MIG", "cause"),
    "mig_devices": ("MIG", "cause"),
    "ecc_mode": ("ECC", "cause"),
    "ecc_uncorrected": ("memory errors", "answer"),
    "remapped_pending": ("memory errors", "answer"),
    "remapped_failure": ("memory errors", "answer"),
    "clocks_event_reasons": ("clocks", "volatile"),
    "temperature_c": ("temperature", "volatile"),
    "slowdown_c": ("temperature limit", "minor"),
    "power_w": ("power", "volatile"),
    "power_limit_w": ("power limit", "cause"),
    "utilization": ("utilisation", "volatile"),
    "pcie": ("PCIe link", "cause"),
    "pcie.generation": ("PCIe generation at this moment", "volatile"),
    "nvlinks_active": ("NVLinks", "answer"),
    "persistence": ("persistence mode", "cause"),
    "display_active": ("display", "volatile"),
    "driver_model": ("driver model", "cause"),
    "vbios": ("BIOS", "cause"),
    "clock_max_mhz": ("highest clock", "cause"),
}

_TENSORFLOWS = (
    *("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-base", "tf-nightly"),
    *("tf-nightly-cpu", "tensorflow-rocm"),
)
_FRAMEWORKS = {"torch": "package torch", "jax": "package jax", "jaxlib": "package jax"}
# Packages by which a finding is seldom explained.
_QUIET = ("pip", "setuptools", "wheel", "tensorboard", "tensorboard-data-server")
_VERSIONS = ("driver_version", "nvml_version", "cuda_version")


class Assigning:
    """Gives each fact that differs its change. It looks at both sides, for what goes together depends on them."""

    def __init__(self, before: Snapshot, now: Snapshot, every: Iterable[Leaf]) -> None:
        self.before, self.now = before, now
        self.plain = {leaf.plain for leaf in every if not leaf.unknown}
        self.places = {leaf.place for leaf in every if not leaf.unknown}
        self.whole_driver = self._whole_driver()
        # A module that is loaded on one side only is seen in consequence of something.
        loaded = [_half(one, "module") is not None for one in (before, now)]
        self.module = MODULE if all(loaded) else MODULE._replace(weight="answer")
        self.wheels = {**_wheels(before), **_wheels(now)}
        self.recorded = {
            place.partition("[")[2].partition("]")[0].partition(" (")[0]
            for place in self.places
            if place.startswith("python.distributions[")
        }

    def _whole_driver(self) -> bool:
        """Both halves went from one version to another, as in an update with a reboot."""
        halves = [(_half(one, "module"), _half(one, "libraries")) for one in (self.before, self.now)]
        return all(module is not None and module == library for module, library in halves) and halves[0] != halves[1]

    def unit(self, leaf: Leaf) -> Unit:
        """The change that this fact is part of."""
        section, _, rest = leaf.plain.partition(".")
        field = rest.partition(".")[0]
        if section == "gpus":
            return self._gpu(leaf, rest)
        if section == "driver":
            return self._driver(leaf, field)
        if section == "environment":
            return _variable(leaf)
        if leaf.plain == "python.distributions.location" and "python.prefix" in self.plain:
            return ENVIRONMENT  # in another one every package lies elsewhere
        if leaf.plain.startswith("python.distributions"):
            return self._package(_keyed(leaf))
        if leaf.plain.endswith(".found_via"):
            return FOUND_VIA
        if section == "libraries":
            return self._library(leaf, field)
        if section == "toolkits":
            return self._toolkit(leaf, field)
        if leaf.plain.startswith(("windows.variables", "windows.runtime")):
            key = _keyed(leaf)
            if field == "variables":
                return Unit("variables", f"variable {key}")
            return Unit("libraries", f"DLL {key}", "answer")
        return _of_table(leaf.plain) or Unit("system", leaf.plain, "minor")

    def _driver(self, leaf: Leaf, field: str) -> Unit:
        found = _of_table(leaf.plain) or USER_HALF
        last = leaf.plain.rpartition(".")[2]
        if field == "pci":
            return self._card(leaf, last)
        if field in ("nvml", "cuda") and last in (*_VERSIONS, "path") and f"driver.{field}.status" not in self.plain:
            return DRIVER if self.whole_driver else USER_HALF
        if field == "module_files" and "system.kernel" in self.plain:
            return KERNEL  # they are those of the running kernel
        if self.whole_driver and (found in (MODULE, USER_HALF) or field in ("packages", "dkms", "module_files")):
            return DRIVER
        if found == MODULE or (field == "modules" and "driver.module_version" in self.plain):
            return self.module
        if field == "packages" and "driver.libraries.version" in self.plain:
            return USER_HALF
        return found

    def _card(self, leaf: Leaf, last: str) -> Unit:
        key = _keyed(leaf)
        if last == "driver":
            seen = leaf.before is None or leaf.now is None  # it follows from whether a module is loaded
            return Unit("driver", f"driver bound to {key}", "answer" if seen else "cause")
        if last in ("power_state", "responds"):
            return Unit("GPUs", f"card {key}", "volatile" if last == "power_state" else "answer")
        return Unit("GPUs", f"card {key}" if key else "cards on the bus")

    def _gpu(self, leaf: Leaf, field: str) -> Unit:
        gpu = leaf.item[1] if isinstance(leaf.item[1], Gpu) else leaf.item[0]
        if not isinstance(gpu, Gpu):
            return Unit("answers", "GPUs that are listed", "answer")
        if not field:
            # A card that is on the bus before and now has not gone: the driver does not list it.
            if f"driver.pci[{gpu.pci_address}]" in self.places:
                return Unit("GPUs", f"card {gpu.pci_address}")
            if _listed(self.before, gpu) and _listed(self.now, gpu):
                return Unit("GPUs", f"GPU in {gpu.pci_address}")  # another card in the same slot
            on_bus = _on_bus(self.before, gpu) and _on_bus(self.now, gpu)
            kind: Weight = "answer" if on_bus else "cause"
            return Unit("answers" if on_bus else "GPUs", f"GPU {gpu.uuid or gpu.pci_address or gpu.number}", kind)
        name, weight = _GPU_FIELDS.get(field) or _GPU_FIELDS.get(field.partition(".")[0], (field, "minor"))
        return Unit("GPUs", f"GPU {gpu.number}: {name}", weight)

    def _package(self, name: str) -> Unit:
        plain = name.partition(" (")[0]
        if plain in _TENSORFLOWS:
            return TENSORFLOW
        weight: Weight = "minor" if plain in _QUIET else "cause"
        return Unit("packages", _FRAMEWORKS.get(plain, f"package {plain}" if plain else "packages"), weight)

    def _library(self, leaf: Leaf, field: str) -> Unit:
        found = leaf.item[1] if leaf.item[1] is not ABSENT else leaf.item[0]
        if field == "copies":
            if not isinstance(found, LibraryCopy):
                return Unit("libraries", "copies of libraries", "minor")
            return self._copy(found)
        if field == "wanted":
            library = getattr(found, "library", None)
            if library is None:
                return TENSORFLOW if self._another_tensorflow() else Unit("libraries", "wanted libraries", "answer")
            if leaf.plain == "libraries.wanted" and self._another_tensorflow():
                return TENSORFLOW  # it asks for other libraries than the one before
            wheel = self.wheels.get(str(found.path))
            same_file = leaf.plain != "libraries.wanted" and not self._elsewhere(leaf)
            if wheel in self.recorded and wheel is not None and same_file:
                return self._package(wheel)  # the same file, of another version
            return Unit("libraries", f"library {library}", "answer")
        return _of_table(leaf.plain) or Unit("libraries", f"libraries: {field}", "minor")

    def _copy(self, copy: LibraryCopy) -> Unit:
        wheel = _wheel(copy)
        if wheel is not None:
            # By its record the package is what it was: somebody took a file, or put one in its place.
            return self._package(wheel) if wheel in self.recorded else Unit("libraries", f"files of {wheel}")
        kit = next((via[len("toolkit ") :] for via in copy.found_via if via.startswith("toolkit ")), None)
        if kit is not None:
            return Unit("toolkits", f"toolkit {kit}")
        return Unit("libraries", f"files in {_folder(copy.path)}")

    def _elsewhere(self, leaf: Leaf) -> bool:
        """Another copy of the library is found than before."""
        return f"libraries.wanted[{_keyed(leaf)}].path" in self.places

    def _another_tensorflow(self) -> bool:
        return bool(self.plain & {"python.tensorflow", "python.tensorflow.version", "python.tensorflow.distribution"})

    def _toolkit(self, leaf: Leaf, field: str) -> Unit:
        key = _keyed(leaf)
        if field == "found" and key:
            return Unit("toolkits", f"toolkit {key}")
        if f"environment.variables[{key}]" in self.places or f"environment.variables[{key}].value" in self.places:
            return Unit("variables", f"variable {key}")
        if key.endswith(" on PATH"):
            return Unit("toolkits", key, "answer")
        return Unit("toolkits", key or "toolkits")


def _variable(leaf: Leaf) -> Unit:
    key = _keyed(leaf)
    return Unit("variables", f"variable {key}" if key else "variables")


def _of_table(plain: str) -> Union[Unit, None]:
    while plain:
        if plain in _UNITS:
            return _UNITS[plain]
        plain = plain.rpartition(".")[0]
    return None


def _keyed(leaf: Leaf) -> str:
    """The key of the item that a fact is of."""
    return leaf.place.partition("[")[2].rpartition("]")[0]


def _half(snapshot: Snapshot, which: str) -> Union[str, None]:
    """A driver's version: of its kernel half, of its user-space half."""
    driver = snapshot.driver
    if isinstance(driver, Gap):
        return None
    if which == "module":
        version = known(driver.module_version, None)
        return version.text if version is not None else None
    return library_version(driver)


def library_version(driver: Driver) -> Union[str, None]:
    """Of the user-space half that programs get: as its files are named, else as NVML told."""
    for one in () if isinstance(driver.libraries, Gap) else driver.libraries:
        if one.first and one.origin == "driver" and one.version is not None and not isinstance(one.version, Gap):
            return one.version.text
    told = None if isinstance(driver.nvml, Gap) else driver.nvml.driver_version
    return told.text if told is not None else None


def _listed(snapshot: Snapshot, gpu: Gpu) -> bool:
    listed = () if isinstance(snapshot.gpus, Gap) else snapshot.gpus
    return gpu.pci_address is not None and any(one.pci_address == gpu.pci_address for one in listed)


def _on_bus(snapshot: Snapshot, gpu: Gpu) -> bool:
    driver = snapshot.driver
    cards = None if isinstance(driver, Gap) or isinstance(driver.pci, Gap) else driver.pci
    return any(card.address == gpu.pci_address for card in cards or ())


def _wheel(copy: LibraryCopy) -> Union[str, None]:
    source = copy.version_source or ""
    return source[len("dist-info ") :] if source.startswith("dist-info ") else None


def _wheels(snapshot: Snapshot) -> dict[str, str]:
    """Path of a library's copy -> the package that it came with."""
    libraries = snapshot.libraries
    copies: Any = () if isinstance(libraries, Gap) or isinstance(libraries.copies, Gap) else libraries.copies
    return {copy.path: wheel for copy in copies if (wheel := _wheel(copy)) is not None}


def _folder(path: str) -> str:
    return path.rpartition("\\" if "\\" in path else "/")[0] or path
