"""The facts in a few lines: blocks of rows that every format for people shows in its own way.

Texts come out as the machine gave them; each renderer makes them `plain`. Absent is "none", a gap "unknown (reason)".
Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar, Union

from gpucheck.facts.driver import CudaDriver, Driver, Nvml, UserLibrary
from gpucheck.facts.environment import Environment
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import Cpu, System
from gpucheck.facts.toolkits import Toolkits
from gpucheck.render.text import count, gib, listed, shorten

T = TypeVar("T")


class Block(NamedTuple):
    """One subject and its lines."""

    title: str
    rows: tuple[str, ...]


def blocks(snapshot: Snapshot) -> tuple[Block, ...]:
    """What `gpucheck doctor` shows without --verbose."""
    from gpucheck.render.software import library_rows, python_rows

    every = (
        _block("System", snapshot.system, system_rows),
        Block("GPUs", tuple(gpu_rows(snapshot.gpus, snapshot.driver))),
        _block("Driver", snapshot.driver, driver_rows),
        _block("Toolkits", snapshot.toolkits, toolkit_rows),
        _block("Libraries", snapshot.libraries, library_rows),
        _block("Python", snapshot.python, python_rows),
        _block("Variables", snapshot.environment, variable_rows),
    )
    home = None if isinstance(snapshot.environment, Gap) else snapshot.environment.get("HOME")
    if not home or len(home) < 2:
        return every
    return tuple(Block(title, tuple(row.replace(f"{home}/", "~/") for row in rows)) for title, rows in every)


def _block(title: str, fact: Union[T, Gap], rows: Callable[[T], Iterator[str]]) -> Block:
    if isinstance(fact, Gap):
        return Block(title, (say(fact),))
    return Block(title, tuple(rows(fact)) or ("none",))


def say(fact: object) -> str:
    """A fact in a word."""
    if isinstance(fact, Gap):
        return f"unknown ({fact.reason})"
    if fact is None:
        return "none"
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return str(fact)


def system_rows(system: System) -> Iterator[str]:
    libc = "no glibc" if system.libc is None else f"glibc {say(system.libc)}"
    yield f"{say(system.distribution)}, kernel {system.kernel}, {system.machine}, {libc}"
    yield f"{_cpu(system.cpu)}; {_memory(system.memory_bytes)}; {_disks(system)}"
    places = [
        f"WSL{system.wsl}" if isinstance(system.wsl, int) else "",
        f"WSL {say(system.wsl)}" if isinstance(system.wsl, Gap) else "",
        "" if system.container is None else f"container {say(system.container)}",
        "Secure Boot on" if system.secure_boot is True else "",
        "SELinux enforcing" if system.selinux == "enforcing" else "",
        "as root" if system.uid == 0 else "",
    ]
    if any(places):
        yield ", ".join(place for place in places if place)


def _cpu(cpu: Union[Cpu, Gap]) -> str:
    if isinstance(cpu, Gap):
        return f"CPU {say(cpu)}"
    return f"{cpu.model} ({cpu.threads} threads{', no AVX' if cpu.avx is False else ''})"


def _memory(memory: Union[int, None, Gap]) -> str:
    return f"{gib(memory)} RAM" if isinstance(memory, int) else f"RAM {say(memory)}"


def _disks(system: System) -> str:
    if isinstance(system.disks, Gap):
        return f"free disk {say(system.disks)}"
    free: dict[str, list[str]] = {}
    for disk in system.disks:
        free.setdefault(gib(disk.free_bytes), []).append(disk.role)
    return "free: " + (", ".join(f"{room} ({', '.join(roles)})" for room, roles in free.items()) or "none")


def gpu_rows(gpus: Union[tuple[Gpu, ...], Gap], driver: Union[Driver, Gap]) -> Iterator[str]:
    if isinstance(gpus, Gap) or not gpus:
        told = say(gpus) if isinstance(gpus, Gap) else "none from NVML"
        if isinstance(driver, Driver) and nothing_there(driver):
            told = "no driver to ask"
        yield f"{told}; on the PCI bus: {_on_bus(driver)}"
        return
    groups: dict[str, list[int]] = {}
    for gpu in gpus:
        groups.setdefault(gpu_line(gpu), []).append(gpu.number)
    for line, numbers in groups.items():
        yield f"{_numbers(numbers)}  {line}"


def _on_bus(driver: Union[Driver, Gap]) -> str:
    pci = driver if isinstance(driver, Gap) else driver.pci
    if isinstance(pci, Gap):
        return say(pci)
    found = [f"{one.vendor}:{one.device} at {one.address} (kernel driver {say(one.driver)})" for one in pci or ()]
    return listed(found, 4) or "none"


def _numbers(numbers: list[int]) -> str:
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


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
    if known(gpu.compute_mode, None) not in (None, "default"):
        yield f"compute mode {say(gpu.compute_mode)}"
    reasons = known(gpu.clocks_event_reasons, None)
    if reasons and set(reasons) - {"gpu-idle"}:
        yield f"clocks held down: {' '.join(reasons)}"
    if known(gpu.ecc_uncorrected, None):
        yield f"{say(gpu.ecc_uncorrected)} uncorrected ECC errors"


def driver_rows(driver: Driver) -> Iterator[str]:
    if nothing_there(driver):
        yield "none: no kernel module, no libcuda, no libnvidia-ml"
        return
    kind = (", open" if driver.module_open else ", proprietary") if isinstance(driver.module_open, bool) else ""
    yield f"kernel module {say(driver.module_version)}{kind if driver.module_version is not None else ''}"
    yield from _user_rows(driver)
    yield _answers(driver.nvml, driver.cuda)


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
    return f"{say(library.version)} in {library.path.rpartition('/')[0] or '/'}{place}{defect}{first}"


def _answers(nvml: Union[Nvml, Gap], cuda: Union[CudaDriver, Gap]) -> str:
    if not isinstance(nvml, Gap) and not isinstance(cuda, Gap):
        agree = nvml.device_count == cuda.device_count and nvml.cuda_version == cuda.cuda_version
        if agree and nvml.status == cuda.status == "ok":
            return f"NVML and libcuda answer: {_offer(cuda)}"
    return f"NVML {_call(nvml)}; libcuda {_call(cuda)}"


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


def toolkit_rows(toolkits: Toolkits) -> Iterator[str]:
    for kit in toolkits.found:
        nvcc = "" if kit.nvcc else ", no nvcc"
        yield f"CUDA {say(kit.version)}  {kit.root}  ({', '.join(kit.found_via)}{nvcc})"
    for pointer in toolkits.pointers:
        if pointer.target is None or isinstance(pointer.target, Gap):
            where = "leads to no toolkit" if pointer.target is None else say(pointer.target)
            yield f"{pointer.name}={pointer.value}  {where}"


# Shown elsewhere, or of no weight for a reader who looks for a cause.
_QUIET = (
    *("PATH", "HOME", "TMPDIR", "USERPROFILE", "PIPX_HOME", "UV_TOOL_DIR", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV"),
    *("CONDA_PREFIX", "WSL_DISTRO_NAME", "WSL_INTEROP", "PYTHONNOUSERSITE", "CUDA_CACHE_PATH", "container"),
)


def variable_rows(environment: Environment) -> Iterator[str]:
    for variable in environment.variables:
        if variable.name not in _QUIET:
            yield f"{variable.name}={shorten(variable.value, 200)}"
