"""The facts in a few lines: blocks of rows that every format for people shows in its own way.

Texts come out as the machine gave them; each renderer makes them `plain`. Absent is "none", a gap "unknown (reason)".
Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar, Union

from gpucheck.facts.environment import Environment
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import Cpu, System
from gpucheck.facts.toolkits import Toolkits
from gpucheck.render import windows
from gpucheck.render.hardware import driver_rows, gpu_rows
from gpucheck.render.software import library_rows, python_rows
from gpucheck.render.text import gib, say, shorten

T = TypeVar("T")


class Block(NamedTuple):
    """One subject and its lines."""

    title: str
    rows: tuple[str, ...]


def blocks(snapshot: Snapshot) -> tuple[Block, ...]:
    """What `gpucheck doctor` shows without --verbose."""
    every = () if snapshot.of_text_alone else _machine(snapshot)
    if snapshot.containers is not None:
        from gpucheck.render.containers import container_rows

        every = (Block("Files", tuple(container_rows(snapshot.containers))), *every)
    if snapshot.log is None:
        return every
    from gpucheck.render.logs import log_rows

    return (Block("Log", tuple(log_rows(snapshot.log))), *every)


def _machine(snapshot: Snapshot) -> tuple[Block, ...]:
    every = (
        _block("System", snapshot.system, system_rows),
        Block("GPUs", tuple(gpu_rows(snapshot))),
        _block("Driver", snapshot.driver, lambda driver: driver_rows(driver, windows.of(snapshot))),
        _block("Toolkits", snapshot.toolkits, toolkit_rows),
        _block("Libraries", snapshot.libraries, library_rows),
        _block("Python", snapshot.python, python_rows),
        _block("Variables", snapshot.environment, variable_rows),
    )
    short = shortened(snapshot)
    return tuple(Block(title, tuple(short(row) for row in rows)) for title, rows in every)


def shortened(snapshot: Snapshot) -> Callable[[str], str]:
    """What writes the user's folder as ``~`` in a text about this machine."""
    home, slash = _home(snapshot)
    if not home or len(home) < 2:
        return lambda row: row
    return lambda row: row.replace(f"{home}{slash}", f"~{slash}")


def _home(snapshot: Snapshot) -> tuple[Union[str, None], str]:
    """The user's folder, and what parts names in paths there."""
    if isinstance(snapshot.environment, Gap):
        return None, "/"
    if isinstance(snapshot.system, System) and snapshot.system.os == "windows":
        return snapshot.environment.get("USERPROFILE"), "\\"
    return snapshot.environment.get("HOME"), "/"


def _block(title: str, fact: Union[T, Gap], rows: Callable[[T], Iterator[str]]) -> Block:
    if isinstance(fact, Gap):
        return Block(title, (say(fact),))
    return Block(title, tuple(rows(fact)) or ("none",))


def system_rows(system: System) -> Iterator[str]:
    if system.os == "windows":
        yield f"{say(system.distribution)}, {say(system.kernel)}, {say(system.machine)}"
    else:
        libc = "no glibc" if system.libc is None else f"glibc {say(system.libc)}"
        yield f"{say(system.distribution)}, kernel {say(system.kernel)}, {say(system.machine)}, {libc}"
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
    *("TEMP", "APPDATA", "LOCALAPPDATA", "PROGRAMFILES", "PROGRAMW6432", "PROGRAMDATA", "SYSTEMROOT", "SYSTEMDRIVE"),
    *("CONDA_PREFIX", "WSL_DISTRO_NAME", "WSL_INTEROP", "PYTHONNOUSERSITE", "CUDA_CACHE_PATH", "container"),
)


def variable_rows(environment: Environment) -> Iterator[str]:
    for variable in environment.variables:
        if variable.name not in _QUIET:
            yield f"{variable.name}={shorten(variable.value, 200)}"
