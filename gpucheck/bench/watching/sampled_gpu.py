"""In the sampler: one GPU, asked through nvidia-ml-py over and over in a thread of its own. It judges nothing."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from gpucheck.probes.children.nvml_gpu import REASONS, Nvml, of, short_name

PERIOD = 0.2  # seconds between two samples of a GPU
SLOW_PERIOD = 1.0  # of what changes seldom or costs more: processes, PCIe, everything of the CPU
LEARNING = 0.6  # seconds at the start in which the energy counter's own pace is learned
LEARNING_PERIOD = 0.004
_MPS_SERVER = "nvidia-cuda-mps"  # its clients compute, not it; the kernel cuts the name to 15 characters

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
        # One that stands still at rest has told nothing of how it moves under load.
        if isinstance(last, int) and len(moved) > 2:
            step = (moved[-1] - moved[0]) / (len(moved) - 1)
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
        drawing = set(graphics) if isinstance(graphics, list) else set()
        computing -= drawing  # Windows lists its desktop's programs in both ("C+G")
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
