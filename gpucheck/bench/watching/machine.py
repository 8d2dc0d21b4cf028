"""What this machine is, as far as it decides how fast the CPU computes. Nothing here varies from run to run: two result
files of one machine must agree in it (compare.py). Loads, frequencies and temperatures are telemetry's."""

from __future__ import annotations

import os
import platform
import sys
from typing import Union

from gpucheck.bench.watching import load
from gpucheck.facts.bench import Part

_CPUS = "/sys/devices/system/cpu"


def environment() -> tuple[Part, ...]:
    """system, CPU, CPUs usable; CPU quota, CPU governor, CPU boost where there are such. The names are public."""
    usable = load.usable_cpus()
    told = {
        "system": system(),
        "CPU": model(),
        "CPUs usable": cpus(len(usable), os.cpu_count() or len(usable)),
        "CPU quota": quota(load.quota()),
        "CPU governor": governor(usable),
        "CPU boost": boost(),
    }
    return tuple(Part(name, value) for name, value in told.items() if value is not None)


def system() -> str:
    """Linux 6.18 x86_64, Windows 10.0.22631 AMD64. A kernel's patch level changes with every update and is left out."""
    release = ".".join(platform.release().split(".")[:2]) if sys.platform.startswith("linux") else platform.version()
    return f"{platform.system()} {release} {platform.machine()}"


def cpus(usable: int, all_of_them: int) -> str:
    return str(usable) if usable == all_of_them else f"{usable} of {all_of_them}"


def quota(allowed: Union[float, None]) -> Union[str, None]:
    return None if allowed is None else f"{allowed:g} CPUs"


def model() -> str:
    """The CPU's name, or what there is instead of one."""
    found = None
    if sys.platform.startswith("linux"):
        found = model_of(_text("/proc/cpuinfo", 8192))
    elif sys.platform == "win32":
        found = _registry_model()
    return found or platform.processor() or platform.machine()


def model_of(cpuinfo: Union[str, None]) -> Union[str, None]:
    """From /proc/cpuinfo's first CPU. On aarch64 the kernel gives the numbers of maker and part, and no name."""
    fields: dict[str, str] = {}
    for line in (cpuinfo or "").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), " ".join(value.split()))
    for name in ("model name", "cpu model", "Model", "Hardware"):
        if fields.get(name):
            return fields[name]
    numbers = [f"{one} {fields[f'CPU {one}']}" for one in ("implementer", "part") if f"CPU {one}" in fields]
    return f"CPU {', '.join(numbers)}" if numbers else fields.get("cpu")


def _registry_model() -> Union[str, None]:
    if sys.platform != "win32":
        return None
    import winreg

    key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            return " ".join(str(winreg.QueryValueEx(opened, "ProcessorNameString")[0]).split()) or None
    except OSError:
        return None


def governor(usable: tuple[int, ...]) -> Union[str, None]:
    """performance, powersave, schedutil … of the usable CPUs; None where the kernel sets no frequency (a VM)."""
    found = {_text(f"{_CPUS}/cpu{cpu}/cpufreq/scaling_governor") for cpu in usable} - {None}
    return ", ".join(sorted(one for one in found if one)) or None


def boost() -> Union[str, None]:
    """Frequencies above the nominal one: on or off; None where it cannot be told."""
    if (value := _text(f"{_CPUS}/intel_pstate/no_turbo")) in ("0", "1"):
        return "on" if value == "0" else "off"
    return {"0": "off", "1": "on", None: None}.get(_text(f"{_CPUS}/cpufreq/boost"))


def _text(path: str, most: int = 256) -> Union[str, None]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(most).strip()
    except OSError:
        return None
