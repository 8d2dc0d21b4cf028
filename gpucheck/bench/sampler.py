"""Child process: what each GPU and the CPU do while the workers compute, one JSON object a line. It judges nothing.

NVML may hang or take its process with it: here that costs telemetry and nothing else. Each GPU has a thread of its own,
so that one that hangs leaves the others told. Started by telemetry.py, ``python -I -S -c BOOT PATHS CONFIG``: isolated,
because PYTHONPATH and the user's site belong to the examined environment; with the parent's own search path given,
because that is where nvidia-ml-py and psutil are, however gpucheck was installed (pipx, a user's site, a venv, a source
tree); imported as a module and not run as a script, so that its bytecode is cached.

On standard input: ``mark ID`` asks for a reading now. At its end the process ends, whatever hangs.
Times are time.perf_counter(), which all processes share: CLOCK_MONOTONIC on Linux, QueryPerformanceCounter on Windows
(relative to the process until Python 3.9), mach_absolute_time on macOS.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Union

from gpucheck.bench import load
from gpucheck.probes.children import nvml as children_nvml
from gpucheck.probes.children import speaking
from gpucheck.probes.children.nvml_gpu import FUNCTION_NOT_FOUND, REASONS, Nvml, of, short_name

PERIOD = 0.2  # seconds between two samples of a GPU
SLOW_PERIOD = 1.0  # of what changes seldom or costs more: processes, PCIe, everything of the CPU
LEARNING = 0.6  # seconds at the start in which the energy counter's own pace is learned
LEARNING_PERIOD = 0.004
_MPS_SERVER = "nvidia-cuda-mps"  # its clients compute, not it; the kernel cuts the name to 15 characters
_DEAR_READ = 0.005  # seconds: a sensor behind a slow bus is not worth it
_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal")

Say = Callable[..., None]


class Questions:
    """NVML, asked over and over: what this GPU does not support is asked once."""

    def __init__(self, api: Any) -> None:
        self.nvml = Nvml(api)
        self._unsupported: set[tuple[str, Any]] = set()

    def ask(self, name: str, handle: Any, *given: Any) -> Any:
        """A value, None (not supported) or a gap as a dict."""
        key = (name, given)
        if key in self._unsupported:
            return None
        answer = self.nvml.ask(name, handle, *given)
        if answer is None:
            self._unsupported.add(key)
        return answer

    def first(self, names: tuple[str, ...], handle: Any) -> Any:
        for name in names:
            answer = self.ask(name, handle)
            if answer is not None:
                return answer
        return None


class Gpu:
    """One GPU, or one MIG instance: its clocks, temperature and link are the whole GPU's, its energy nobody's."""

    def __init__(self, device: str, wanted: str, say: Say) -> None:
        self.device = device
        self.marks: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._wanted, self._say = wanted, say
        self._api: Any = None
        self._handle: Any = None
        self._whole: Any = None
        self._seen = 0  # NVML's time stamp of the last process sample, microseconds
        self._pcie: dict[str, Any] = {}

    def run(self, api: Any) -> None:
        """Sample until the process ends. A GPU that cannot be opened says so, once."""
        self._api, self._questions = api, Questions(api)
        try:
            self._open()
            self._learn_counter()
            self._sample_forever()
        except Exception as error:
            self._say("failed", device=self.device, reason=f"NVML: {type(error).__name__}: {error}")

    def _open(self) -> None:
        api, wanted = self._api, self._wanted
        if wanted.isdigit():
            self._handle = api.nvmlDeviceGetHandleByIndex(int(wanted))
        else:
            self._handle = api.nvmlDeviceGetHandleByUUID(wanted)
        self._whole = self._handle
        if wanted.startswith("MIG"):
            self._whole = api.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self._handle)
        ask, whole = self._questions.ask, self._whole
        self._say(
            "about",
            device=self.device,
            name=ask("nvmlDeviceGetName", self._handle),
            clock_max=ask("nvmlDeviceGetMaxClockInfo", whole, 1),  # NVML_CLOCK_SM
            memory_clock_max=ask("nvmlDeviceGetMaxClockInfo", whole, 2),  # NVML_CLOCK_MEM
            pcie_generation_max=ask("nvmlDeviceGetMaxPcieLinkGeneration", whole),
            pcie_width_max=ask("nvmlDeviceGetMaxPcieLinkWidth", whole),
            power_limit=self._watts("nvmlDeviceGetEnforcedPowerLimit"),
            memory_total=self._memory("total"),
        )

    def _learn_counter(self) -> None:
        """How often does the energy counter move? It steps every 20 to 100 ms, and some stand still at rest."""
        begin, last, moved = time.perf_counter(), self._energy(), list[float]()
        while isinstance(last, int) and time.perf_counter() - begin < LEARNING:
            self._answer_marks(LEARNING_PERIOD)
            now = self._energy()
            if now != last:
                moved.append(time.perf_counter())
                last = now
        if isinstance(last, int):
            step = (moved[-1] - moved[0]) / (len(moved) - 1) if len(moved) > 2 else LEARNING
            self._say("counter", device=self.device, step=step)

    def _sample_forever(self) -> None:
        due, slow_due = time.perf_counter(), 0.0
        while True:
            slow = due >= slow_due
            if slow:
                slow_due = due + SLOW_PERIOD - PERIOD / 2
            self._say("sample", device=self.device, **self._sample(slow))
            due = max(due + PERIOD, time.perf_counter() + PERIOD / 10)
            self._answer_marks(due - time.perf_counter())

    def _answer_marks(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            try:
                name = self.marks.get(timeout=left)
            except queue.Empty:
                return
            begin, energy = time.perf_counter(), self._energy()
            at = (begin + time.perf_counter()) / 2
            facts = {"time": at, "energy": energy, "reasons": self._reasons(), **self._processes()}
            self._say("mark", id=name, device=self.device, **facts)

    def _sample(self, slow: bool) -> dict[str, Any]:
        ask, whole = self._questions.ask, self._whole
        at = time.perf_counter()
        if slow:
            self._pcie = {
                "pcie_generation": ask("nvmlDeviceGetCurrPcieLinkGeneration", whole),
                "pcie_width": ask("nvmlDeviceGetCurrPcieLinkWidth", whole),
            }
        rates = ask("nvmlDeviceGetUtilizationRates", self._handle)
        return {
            "time": at,
            "utilization": of(rates, lambda: rates.gpu / 100),
            "memory": self._memory("used"),
            "power": None if self._handle is not whole else self._watts("nvmlDeviceGetPowerUsage"),
            "temperature": ask("nvmlDeviceGetTemperature", whole, 0),
            "clock": ask("nvmlDeviceGetClockInfo", whole, 1),
            "memory_clock": ask("nvmlDeviceGetClockInfo", whole, 2),
            "reasons": self._reasons(),
            **self._pcie,
            **(self._processes() if slow else {}),
        }

    def _energy(self) -> Any:
        """mJ since the driver was loaded, of the whole GPU: none of it can be told to be one MIG instance's."""
        if self._handle is not self._whole:
            return None
        return self._questions.ask("nvmlDeviceGetTotalEnergyConsumption", self._handle)

    def _watts(self, name: str) -> Any:
        milliwatts = self._questions.ask(name, self._whole)
        return of(milliwatts, lambda: milliwatts / 1000)

    def _memory(self, part: str) -> Any:
        memory = self._questions.ask("nvmlDeviceGetMemoryInfo", self._handle)
        return of(memory, lambda: getattr(memory, part))

    def _reasons(self) -> Any:
        names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        bits = self._questions.first(names, self._whole)
        return of(bits, lambda: [name for bit, name in enumerate(REASONS) if bits >> bit & 1])

    def _processes(self) -> dict[str, Any]:
        """Process ids: those that compute; those that only draw, with their share of the SMs where NVML tells it."""
        compute, mps, graphics = (self._pids(kind) for kind in ("Compute", "MPSCompute", "Graphics"))
        if compute is None or isinstance(compute, dict):
            return {"compute": compute, "graphics": []}
        computing = set(compute) | (set(mps) if isinstance(mps, list) else set())
        computing = {pid for pid in computing if short_name(pid) != _MPS_SERVER}
        drawing = set(graphics) - computing if isinstance(graphics, list) else set()
        used = self._used() if drawing else {}
        return {"compute": sorted(computing), "graphics": [[pid, used.get(pid)] for pid in sorted(drawing)]}

    def _pids(self, kind: str) -> Any:
        call = f"nvmlDeviceGet{kind}RunningProcesses"
        found = self._questions.first((f"{call}_v3", f"{call}_v2"), self._handle)
        return of(found, lambda: [one.pid for one in found])

    def _used(self) -> dict[int, float]:
        """The largest share of the SMs of each process since it was asked last."""
        found = self._questions.ask("nvmlDeviceGetProcessUtilization", self._handle, self._seen)
        used: dict[int, float] = {}
        for one in found if isinstance(found, list) else ():
            self._seen = max(self._seen, one.timeStamp)
            used[one.pid] = max(used.get(one.pid, 0.0), one.smUtil / 100)
        return used


class Cpu:
    """The CPUs that this process may use."""

    def __init__(self) -> None:
        self._usable = load.usable_cpus()
        self._before = load.busy(self._usable)
        self._clocks = _affordable(_frequency_files(self._usable[:4]))
        self._sensor = _affordable(_temperature_file())

    def sample(self) -> dict[str, Any]:
        before, self._before = self._before, load.busy(self._usable)
        passed = self._before.total - before.total
        clocks = [value / 1000 for value in map(_number_in, self._clocks) if value is not None]
        degrees = _number_in(self._sensor[0]) if self._sensor else None
        return {
            "utilization": min(1.0, max(0.0, (self._before.busy - before.busy) / passed)) if passed > 0 else None,
            "clock": sum(clocks) / len(clocks) if clocks else _told_frequency(),
            "temperature": None if degrees is None else degrees / 1000,
            "memory": load.memory_used(),
        }


def _frequency_files(cpus: tuple[int, ...]) -> list[str]:
    """A few of the CPUs: a kernel that measures the frequency takes its time for each."""
    return [f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq" for cpu in cpus]


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
    return None if sys.platform.startswith("linux") else load.frequency()


def _watch(gpus: list[Gpu], say: Say) -> None:
    """In a thread of its own: nvmlInit may hang, and the CPU is told all the same."""
    try:
        import pynvml

        words = _initialise(pynvml)
    except Exception as error:
        words = f"nvidia-ml-py: {type(error).__name__}: {error}"
    for gpu in gpus:
        if words is None:
            threading.Thread(target=gpu.run, args=(pynvml,), daemon=True).start()
        else:
            say("failed", device=gpu.device, reason=words)


def _initialise(api: Any) -> Union[str, None]:
    """Why it failed, or None."""
    nvml = Nvml(api)
    code, words = children_nvml.initialise(nvml, api.nvmlLib)
    if code == FUNCTION_NOT_FOUND:  # a driver before R396: nvidia-ml-py has loaded its library by now
        code, words = children_nvml.initialise(nvml, api.nvmlLib)
    return f"nvmlInit: {words}" if code else None


def _obey(gpus: list[Gpu]) -> None:
    for line in sys.stdin.buffer:
        word, _, name = line.decode("ascii", "replace").strip().partition(" ")
        if word == "mark":
            for gpu in gpus:
                gpu.marks.put(name)
    os._exit(0)  # the parent is gone or wants no more; a thread that hangs in the driver is not waited for


def _speaking() -> Say:
    write, lock = speaking.private_stdout(), threading.Lock()

    def say(stage: str, **facts: Any) -> None:
        try:
            with lock:  # a line that is longer than a pipe's atomic write
                write(stage, **facts)
        except OSError:
            os._exit(0)

    return say


def main(config: str) -> None:
    """config: JSON, {"gpu:0": UUID or index, …}."""
    gc.enable()  # the nvml child, which lives for milliseconds, switches it off where it is imported
    wanted: dict[str, str] = json.loads(config)
    say = _speaking()
    say("hello", time=time.perf_counter())
    gpus = [Gpu(device, name, say) for device, name in wanted.items()]
    if gpus:
        threading.Thread(target=_watch, args=(gpus, say), daemon=True).start()
    threading.Thread(target=_obey, args=(gpus,), daemon=True).start()
    _watch_cpu(say)
    os._exit(0)


def _watch_cpu(say: Say) -> None:
    """As long as the parent lives. It is noticed at the end of standard input first; this is for want of that."""
    parent, began, used = os.getppid(), time.perf_counter(), time.process_time()
    cpu: Union[Cpu, None] = None
    while os.getppid() == parent:
        facts = {}
        try:
            cpu = cpu or Cpu()
            time.sleep(SLOW_PERIOD)
            facts = cpu.sample()
        except Exception:  # a sandbox without /proc/stat: the GPUs are told all the same
            time.sleep(SLOW_PERIOD)
        at = time.perf_counter()
        say("cpu", time=at, own=(time.process_time() - used) / (at - began), **facts)
