"""Lines about the hardware and its driver. Part of `summary`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.driver import CudaDriver, Driver, Nvml, UserLibrary
from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.windows import Windows
from gpucheck.render import windows
from gpucheck.render.text import count, folder_of, gib, listed, say


def gpu_rows(snapshot: Snapshot) -> Iterator[str]:
    gpus, driver = snapshot.gpus, snapshot.driver
    if isinstance(gpus, Gap) or not gpus:
        told = say(gpus) if isinstance(gpus, Gap) else "none from NVML"
        if isinstance(driver, Driver) and nothing_there(driver):
            told = "no driver to ask"
        on_windows = windows.of(snapshot)
        there = f"on the PCI bus: {_on_bus(driver)}"
        yield f"{told}; {there if on_windows is None else f'display adapters: {windows.adapters(on_windows)}'}"
        return
    runs = code_for(snapshot)
    groups: dict[str, list[int]] = {}
    for gpu in gpus:
        code = f"; TensorFlow's code for it: {runs[gpu.number]}" if gpu.number in runs else ""
        groups.setdefault(gpu_line(gpu) + code, []).append(gpu.number)
    for line, numbers in groups.items():
        yield f"{_numbers(numbers)}  {line}"


def code_for(snapshot: Snapshot) -> dict[int, str]:
    """What code the examined TensorFlow has for each GPU, as the rules have it; not whether it gets there."""
    from gpucheck import rules

    rules.load()  # first and whole: the order in which rules are loaded is their order of decisiveness
    from gpucheck.rules.architectures import fits

    try:
        fitting, _build = fits(snapshot)
    except Unknown:
        return {}
    words = {"native": "native", "ptx": "only by PTX JIT (minutes at first start)"}
    return {one.gpu.number: words.get(one.runs, "none that runs") for one in fitting}


def _on_bus(driver: Union[Driver, Gap]) -> str:
    pci = driver if isinstance(driver, Gap) else driver.pci
    if isinstance(pci, Gap):
        return say(pci)
    found = [f"{one.vendor}:{one.device} at {one.address} (kernel driver {say(one.driver)})" for one in pci or ()]
    return listed(found, 4) or "none"


def _numbers(numbers: list[int]) -> str:
    """``0-4,6``"""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def gpu_line(gpu: Gpu) -> str:
    """One GPU. What is normal is left out, so eight equal GPUs make one line."""
    if gpu.error is not None:
        return f"NVML cannot open it: {gpu.error} (code {say(gpu.error_code)})"
    return ", ".join(part for part in _gpu_parts(gpu) if part)


def _gpu_parts(gpu: Gpu) -> Iterator[str]:
    yield say(gpu.name)
    yield f"compute capability {say(gpu.compute_capability)}"
    yield gib(gpu.memory_total) if isinstance(gpu.memory_total, int) else f"memory {say(gpu.memory_total)}"
    if isinstance(gpu.memory_free, int) and isinstance(gpu.memory_total, int) and gpu.memory_total:
        yield f"{round(100 * gpu.memory_free / gpu.memory_total)} % free"
    if isinstance(gpu.processes, tuple) and gpu.processes:
        yield f"held by {listed([f'{one.pid} ({one.name})' for one in gpu.processes], 3)}"
    if known(gpu.mig_mode, None):
        yield f"MIG on, {len(known(gpu.mig_devices, None) or ())} instances"
    if known(gpu.driver_model, None) not in (None, "WDDM"):
        yield f"driver model {say(gpu.driver_model)}"
    if known(gpu.compute_mode, None) not in (None, "default"):
        yield f"compute mode {say(gpu.compute_mode)}"
    reasons = known(gpu.clocks_event_reasons, None)
    if reasons and set(reasons) - {"gpu-idle"}:
        yield f"clocks held down: {' '.join(reasons)}"
    if known(gpu.ecc_uncorrected, None):
        yield f"{say(gpu.ecc_uncorrected)} uncorrected ECC errors"


def driver_rows(driver: Driver, on_windows: Union[Windows, None] = None) -> Iterator[str]:
    libcuda = "libcuda" if on_windows is None else "nvcuda"
    if nothing_there(driver) and not (on_windows and windows.has_driver(on_windows)):
        parts = "kernel module, no libcuda, no libnvidia-ml" if on_windows is None else "nvcuda.dll, no nvml.dll"
        yield f"none: no {parts}"
        return
    if on_windows is not None:
        yield from windows.driver_rows(on_windows)
    else:
        kind = (", open" if driver.module_open else ", proprietary") if isinstance(driver.module_open, bool) else ""
        yield f"kernel module {say(driver.module_version)}{kind if driver.module_version is not None else ''}"
    yield from _user_rows(driver)
    yield _answers(driver.nvml, driver.cuda, libcuda)


def nothing_there(driver: Driver) -> bool:
    """Looked, and no part of NVIDIA's driver is there."""
    calls = (driver.nvml, driver.cuda)
    lost = all(not isinstance(call, Gap) and call.status == "not-found" for call in calls)
    return lost and driver.module_version is None and driver.libraries == ()


def _user_rows(driver: Driver) -> Iterator[str]:
    if isinstance(driver.libraries, Gap):
        yield f"user-space libraries {say(driver.libraries)}"
        return
    if not driver.libraries:
        yield "user-space libraries none"
    lines: dict[str, list[str]] = {}
    for library in driver.libraries:
        if library.first or library.origin != "driver":
            lines.setdefault(_user_line(library), []).append(library.soname)
    for line, sonames in lines.items():
        yield f"{', '.join(sonames)} {line}"


def _user_line(library: UserLibrary) -> str:
    place = "" if library.origin == "driver" else f", {library.origin}"
    defect = "" if library.defect is None else f", {say(library.defect)}"
    first = "" if library.first else ", not the first"
    return f"{say(library.version)} in {folder_of(library.path)}{place}{defect}{first}"


def _answers(nvml: Union[Nvml, Gap], cuda: Union[CudaDriver, Gap], libcuda: str) -> str:
    if not isinstance(nvml, Gap) and not isinstance(cuda, Gap):
        agree = nvml.device_count == cuda.device_count and nvml.cuda_version == cuda.cuda_version
        if agree and nvml.status == cuda.status == "ok":
            return f"NVML and {libcuda} answer: {_offer(cuda)}"
    return f"NVML {_call(nvml)}; {libcuda} {_call(cuda)}"


def _offer(call: Union[Nvml, CudaDriver]) -> str:
    gpus = "GPUs unknown" if call.device_count is None else count(call.device_count, "GPU")
    return gpus if call.cuda_version is None else f"{gpus}, driver's CUDA version {call.cuda_version.short}"


def _call(call: Union[Nvml, CudaDriver, Gap]) -> str:
    if isinstance(call, Gap):
        return say(call)
    if call.status == "ok":
        return f"answers: {_offer(call)}"
    words = [str(part) for part in (call.code, call.error, call.message) if part is not None]
    return f"{call.status} ({': '.join(words)})" if words else call.status
