"""Utilisation, frequency, temperature and memory of the CPU side, where reading them costs next to nothing."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Union

from gpucheck.bench.watching import cpus

_DEAR_READ = 0.005  # seconds: a sensor behind a slow bus is not worth it
_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal")


class Cpu:
    """The CPUs that this process may use."""

    def __init__(self) -> None:
        self._usable = cpus.usable_cpus()
        self._before = cpus.busy(self._usable)
        self._clocks = _affordable(_frequency_files(self._usable[:4]))
        self._sensor = _affordable(_temperature_file())

    def sample(self) -> dict[str, Any]:
        before, self._before = self._before, cpus.busy(self._usable)
        passed = self._before.total - before.total
        clocks = [value / 1000 for value in map(_number_in, self._clocks) if value is not None]
        degrees = _number_in(self._sensor[0]) if self._sensor else None
        return {
            "utilization": min(1.0, max(0.0, (self._before.busy - before.busy) / passed)) if passed > 0 else None,
            "clock": sum(clocks) / len(clocks) if clocks else _told_frequency(),
            "temperature": None if degrees is None else degrees / 1000,
            "memory": cpus.memory_used(),
        }


def _frequency_files(numbers: tuple[int, ...]) -> list[str]:
    """A few of the CPUs: a kernel that measures the frequency takes its time for each."""
    return [f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq" for cpu in numbers]


def _temperature_file() -> list[str]:
    """psutil reads every sensor of the machine, some behind slow buses. The CPU's own is one file."""
    root = "/sys/class/hwmon"
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        try:
            with open(f"{root}/{name}/name", encoding="ascii", errors="replace") as file:
                if file.read().strip() in _SENSORS:
                    return [f"{root}/{name}/temp1_input"]
        except OSError:
            continue
    return []


def _affordable(paths: list[str]) -> list[str]:
    """Those that can be read, if reading all of them is quick."""
    begin = time.perf_counter()
    found = [path for path in paths if _number_in(path) is not None]
    return found if time.perf_counter() - begin < _DEAR_READ else []


def _number_in(path: str) -> Union[int, None]:
    try:
        with open(path, "rb", buffering=0) as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return None


def _told_frequency() -> Union[float, None]:
    """Linux without cpufreq is a virtual machine, whose /proc/cpuinfo gives a constant that was never measured."""
    return None if sys.platform.startswith("linux") else cpus.frequency()
