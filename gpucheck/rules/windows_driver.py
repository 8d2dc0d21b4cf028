"""How the rules on the driver speak of Windows: one installer brings all of it. The rules: kernel.py and driver.py."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.windows import Adapter
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found
from gpucheck.rules.presence import NVIDIA, cuda_works

CUDA, NVML = "nvcuda.dll", "nvml.dll"
_PLACE = "System32"


def not_installed(snapshot: Snapshot, driver: Driver) -> Iterator[Found]:
    """Cards of NVIDIA's, and none of them is served by NVIDIA's driver."""
    facts = need(snapshot.windows)
    if facts is None or cuda_works(driver) or need(driver.module_version) is not None:
        return
    cards = [one for one in need(facts.adapters) if one.vendor == NVIDIA and one.present is not False]
    bare = [one for one in cards if one.nvidia_version is None]
    if not bare or len(bare) < len(cards):
        return
    unsure = all(isinstance(one.present, Gap) for one in bare)
    doubt = (
        " (if it is still in the computer: Windows does not tell that of a device without a driver)" if unsure else ""
    )
    yield found(
        f"Windows has no NVIDIA driver for {' and '.join(map(_named, bare))}{doubt}.",
        [("windows.adapters", f"{_named(one)}: driver of {one.provider or 'nobody'}", one.key) for one in bare],
        fixes.install_driver(snapshot),
    )


def _named(one: Adapter) -> str:
    return f"{one.name} [{one.vendor}:{one.device}]"


def cuda_missing(snapshot: Snapshot, driver: Driver) -> Iterator[Found]:
    """The driver is at work, and nvcuda.dll is gone."""
    if need(driver.cuda).status == "not-found":
        yield found(
            f"NVIDIA's driver {driver.module_version} is at work, but {CUDA} is not in {_PLACE}.",
            [("driver.cuda.status", "not-found", f"LoadLibrary of {CUDA}"), _driver(driver)],
            fixes.again(snapshot),
        )


def nvml_missing(snapshot: Snapshot, driver: Driver) -> Iterator[Found]:
    """The same of nvml.dll, which no TensorFlow for native Windows with a GPU needs."""
    if need(driver.nvml).status == "not-found":
        yield found(
            f"{NVML} is neither in {_PLACE} nor in NVSMI, so nothing but what CUDA tells is known of the GPUs.",
            [("driver.nvml.status", "not-found", f"LoadLibrary of {NVML}"), _driver(driver)],
            fixes.again(snapshot),
            severity=Severity.WARNING,
        )


def unloadable(snapshot: Snapshot, driver: Driver) -> Iterator[Found]:
    """One of the two is there and does not load."""
    for name, answer, severity in ((CUDA, driver.cuda, None), (NVML, driver.nvml, Severity.WARNING)):
        if isinstance(answer, Gap) or answer.status != "unloadable":
            continue
        copy = next((one for one in known(driver.libraries, ()) if one.soname == name and one.first), None)
        defect = known(copy.defect, None) if copy else None
        path = copy.path if copy else name
        yield found(
            f"{path} does not load: {f'it is {defect}' if defect else answer.message or 'Windows does not say why'}.",
            [
                (f"driver.{'cuda' if name == CUDA else 'nvml'}.message", answer.message, f"LoadLibrary of {name}"),
                ("driver.libraries.defect", defect, path),
            ],
            fixes.again(snapshot),
            severity=severity,
        )
    need(driver.cuda)
    need(driver.nvml)


def _driver(driver: Driver) -> tuple[str, object, str]:
    return "driver.module_version", known(driver.module_version, None), driver.module_source or "registry"
