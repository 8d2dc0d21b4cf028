"""Is there an NVIDIA GPU here at all? Every rule about GPUs asks this first; no rule lives here.

"Yes" needs one witness, whatever else is unknown. "No" is said only when every witness was heard; so hiding a fact can
turn an answer into "unknown", never into its opposite.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Union

from gpucheck.compat.errors import (
    CUDA_COMPAT_NOT_SUPPORTED,
    CUDA_DRIVER_MISMATCH,
    CUDA_SYSTEM_NOT_READY,
    NVML_GPU_IS_LOST,
    NVML_NO_PERMISSION,
    NVML_RESET_REQUIRED,
    NVML_UNKNOWN,
    NVML_VERSION_MISMATCH,
)
from gpucheck.facts.driver import CudaDriver, Driver, Nvml, PciGpu, UserLibrary
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import System
from gpucheck.rules.systems import pci_source

NVIDIA, AMD, INTEL = "10de", "1002", "8086"

# NVML answers these only after it has reached the kernel module or a GPU behind it: without a module it says 9. 999 is
# "an internal driver error" (nvml.h).
_NVML_OF_A_DRIVER = (NVML_NO_PERMISSION, NVML_GPU_IS_LOST, NVML_RESET_REQUIRED, NVML_VERSION_MISMATCH, NVML_UNKNOWN)
GONE = (NVML_GPU_IS_LOST, NVML_RESET_REQUIRED)
_CUDA_OF_A_DRIVER = (CUDA_SYSTEM_NOT_READY, CUDA_DRIVER_MISMATCH, CUDA_COMPAT_NOT_SUPPORTED)

# Packages that bring the driver itself; nvidia-prime, the container toolkit and the like are there without it.
DRIVER_PACKAGES = (
    *("nvidia-driver", "nvidia-dkms", "nvidia-kernel", "nvidia-open", "nvidia-headless", "linux-modules-nvidia"),
    *("libnvidia-compute", "libcuda1", "cuda-drivers"),
)

# What follows from a kernel half that does not run.
FOLLOWERS = ("libcuda-missing", "libnvidia-ml-missing", "nvml-not-answering", "cuda-init-failed")


class Presence(NamedTuple):
    """An NVIDIA GPU, and how it is known. cards: as PCI shows them; empty under WSL or where PCI cannot be read."""

    cards: tuple[PciGpu, ...]
    fact: str
    value: str
    source: str

    @property
    def evidence(self) -> tuple[str, str, str]:
        return (self.fact, self.value, self.source)


def nvidia_here(snapshot: Snapshot) -> Union[Presence, None]:
    """The witness of an NVIDIA GPU, or None: there is none.

    Raises
    ------
    Unknown: no witness, and one of them could not be heard.
    """
    driver = need(snapshot.driver)
    found = (
        _pci(snapshot, driver)
        or _said(driver.nvml, "driver.nvml.device_count", "NVML")
        or _said(driver.cuda, "driver.cuda.device_count", "cuInit")
        or _refused(driver)
        or _module(driver)
        or _node(driver)
        or _wsl(driver)
    )
    if found:
        return found
    for fact in (driver.pci, driver.module_version, driver.nodes, driver.libraries, driver.nvml, driver.cuda):
        need(fact)
    return None


def _pci(snapshot: Snapshot, driver: Driver) -> Union[Presence, None]:
    if isinstance(driver.pci, Gap) or driver.pci is None:
        return None
    cards = tuple(card for card in driver.pci if card.vendor == NVIDIA)
    if not cards:
        return None
    return Presence(cards, "driver.pci", ", ".join(map(describe, cards)), pci_source(snapshot))


def _said(answer: object, fact: str, who: str) -> Union[Presence, None]:
    count = getattr(answer, "device_count", None)
    return Presence((), fact, str(count), who) if count else None


def _refused(driver: Driver) -> Union[Presence, None]:
    """An error that only a kernel module, or a GPU behind it, can have given."""
    for answer, codes, fact in (
        (driver.nvml, _NVML_OF_A_DRIVER, "driver.nvml.code"),
        (driver.cuda, _CUDA_OF_A_DRIVER, "driver.cuda.code"),
    ):
        if not isinstance(answer, Gap) and answer.code in codes:
            return Presence((), fact, str(answer.code), answer.path or "the driver's library")
    return None


def _module(driver: Driver) -> Union[Presence, None]:
    if isinstance(driver.module_version, Gap) or driver.module_version is None:
        return None
    # The module refuses to load where there is no GPU for it ("No NVIDIA devices probed").
    return Presence((), "driver.module_version", str(driver.module_version), driver.module_source or "/proc")


def _node(driver: Driver) -> Union[Presence, None]:
    if isinstance(driver.nodes, Gap):
        return None
    names = [node.path for node in driver.nodes if gpu_number(node.path) is not None]
    return Presence((), "driver.nodes", ", ".join(names), "/dev") if names else None


def _wsl(driver: Driver) -> Union[Presence, None]:
    if isinstance(driver.libraries, Gap):
        return None
    paths = [library.path for library in driver.libraries if library.origin == "wsl"]
    # Windows puts them there only with an NVIDIA driver of its own.
    return Presence((), "driver.libraries", paths[0], "/usr/lib/wsl/lib") if paths else None


def gpu_number(path: str) -> Union[int, None]:
    """N of /dev/nvidiaN, None for every other node."""
    tail = path.removeprefix("/dev/nvidia")
    return int(tail) if tail != path and tail.isdigit() else None


def describe(card: PciGpu) -> str:
    """ "0000:01:00.0 [10de:2684]", as lspci -nn writes it."""
    return f"{card.address} [{card.vendor}:{card.device}]".strip()


def usable(snapshot: Snapshot) -> tuple[Gpu, ...]:
    """The GPUs that are not known to be gone. Of one that NVML could not describe the fields are gaps, so that what is
    judged by it stays open."""
    return tuple(gpu for gpu in need(snapshot.gpus) if gpu.error_code not in GONE)


def described(snapshot: Snapshot) -> tuple[Gpu, ...]:
    """The GPUs that NVML told about without an error: for rules on one GPU's health, which decide nothing. The others
    have gpu-query-failed, and must not keep these from being judged."""
    return tuple(gpu for gpu in usable(snapshot) if gpu.error is None)


def named(*gpus: Gpu) -> str:
    """ "GPU 0 (NVIDIA H100 80GB HBM3)", "GPUs 0, 1, 2 (Tesla T4)": the name is the first one's."""
    numbers = ", ".join(str(gpu.number) for gpu in gpus)
    return f"GPU{'s' if len(gpus) > 1 else ''} {numbers}" + (f" ({gpus[0].name})" if gpus[0].name else "")


def alike(gpus: Iterable[Gpu]) -> list[tuple[Gpu, ...]]:
    """GPUs of one name together, so that eight equal ones take one line of a report."""
    groups: dict[str, list[Gpu]] = {}
    for gpu in gpus:
        groups.setdefault(gpu.name or "", []).append(gpu)
    return [tuple(group) for group in groups.values()]


def on_wsl(snapshot: Snapshot) -> bool:
    """WSL 1 or 2, where no Linux kernel module is to be expected."""
    return need(need(snapshot.system).wsl) is not None


def container_of(snapshot: Snapshot) -> Union[str, None]:
    return need(need(snapshot.system).container)


def cuda_works(driver: Driver) -> bool:
    """libcuda initialised and sees a GPU: nothing that could hinder it does. False also where it was not asked."""
    cuda = driver.cuda
    return not isinstance(cuda, Gap) and cuda.status == "ok" and bool(cuda.device_count)


def driver_here(snapshot: Snapshot) -> Union[Driver, None]:
    """The driver's facts where an NVIDIA GPU is here."""
    return None if nvidia_here(snapshot) is None else need(snapshot.driver)


def cards_of(driver: Driver) -> tuple[PciGpu, ...]:
    """NVIDIA's cards on the PCI bus."""
    return tuple(card for card in need(driver.pci) or () if card.vendor == NVIDIA)


def copies_of(driver: Driver, soname: str) -> tuple[UserLibrary, ...]:
    """Every known copy of a driver library: for words, since none may mean that nobody could look."""
    return tuple(copy for copy in known(driver.libraries, ()) if copy.soname == soname)


def not_found(driver: Driver, soname: str, answer: Union[CudaDriver, Nvml]) -> bool:
    """There is no such file where the loader looks, or only a link that leads nowhere or in a circle."""
    if answer.status != "unloadable":
        return answer.status == "not-found"
    reached = [copy for copy in need(driver.libraries) if copy.soname == soname and copy.reached]
    return bool(reached) and all(need(copy.defect) == "dangling" for copy in reached)


def compat_first(driver: Driver) -> bool:
    """Programs get CUDA's forward-compatibility libcuda."""
    copy = first_copy(driver, "libcuda.so.1")
    return copy is not None and copy.origin == "compat"


def first_copy(driver: Driver, soname: str) -> Union[UserLibrary, None]:
    """The copy of a driver library that the loader takes here."""
    return next((copy for copy in need(driver.libraries) if copy.soname == soname and copy.first), None)


def family(snapshot: Snapshot) -> str:
    """Which package commands to print: ubuntu, debian, fedora, rhel, suse, arch or "" (not known). For words only."""
    system = snapshot.system
    name = system.distribution_id if isinstance(system, System) else None
    return "" if name is None or isinstance(name, Gap) else _FAMILIES.get(name, "")


_FAMILIES = {
    "ubuntu": "ubuntu",
    "linuxmint": "ubuntu",
    "pop": "ubuntu",
    "debian": "debian",
    "fedora": "fedora",
    "rhel": "rhel",
    "centos": "rhel",
    "rocky": "rhel",
    "almalinux": "rhel",
    "ol": "rhel",
    "amzn": "rhel",
    "opensuse-leap": "suse",
    "opensuse-tumbleweed": "suse",
    "sles": "suse",
    "arch": "arch",
}
