"""One GPU, every field of gpucheck.facts.gpus.Gpu, asked through nvidia-ml-py."""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

# nvml.h, nvmlReturn_t
INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, FUNCTION_NOT_FOUND = 2, 3, 4, 6, 13
LOST = (15, 16)  # GPU_IS_LOST, RESET_REQUIRED

# nvml.h, nvmlClocksEventReason*: one bit each, in order
REASONS = (
    "gpu-idle",
    "applications-clocks-setting",
    "sw-power-cap",
    "hw-slowdown",
    "sync-boost",
    "sw-thermal-slowdown",
    "hw-thermal-slowdown",
    "hw-power-brake-slowdown",
    "display-clock-setting",
)
COMPUTE_MODES = ("default", "exclusive-thread", "prohibited", "exclusive-process")  # nvml.h, nvmlComputeMode_t
DRIVER_MODELS = {0: "WDDM", 1: "TCC", 2: "MCDM"}  # nvml.h, nvmlDriverModel_t
NVLINKS = 18  # nvml.h, NVML_NVLINK_MAX_LINKS
SM_CLOCK = 1  # nvml.h, NVML_CLOCK_SM

# A process is named only if its name tells what to close; any other could be somebody's business.
NAMED = ("python", "jupyter", "ipykernel", "Xorg", "Xwayland", "gnome-shell", "kwin", "nvidia-", "tritonserver")


class Nvml:
    """nvidia-ml-py with errors turned into answers: a value, None (not supported here) or a gap."""

    def __init__(self, pynvml: Any) -> None:
        self.api = pynvml
        self.lost: Any = None  # the first error that says that this GPU is gone

    def ask(self, name: str, *given: Any) -> Any:
        try:
            return getattr(self.api, name)(*given)
        except UnicodeDecodeError as error:
            return error.object.decode("utf-8", "surrogateescape")
        except AttributeError:  # a nvidia-ml-py that does not know the call yet
            return None
        except self.api.NVMLError as error:
            if error.value in (NOT_SUPPORTED, FUNCTION_NOT_FOUND):
                return None
            if error.value in LOST and self.lost is None:
                self.lost = error
            return {"gap": f"{name}: {error}", "kind": "denied" if error.value == NO_PERMISSION else "unreadable"}

    def plain(self, name: str, *given: Any) -> Any:
        """For fields that have no place for a gap."""
        answer = self.ask(name, *given)
        return None if isinstance(answer, dict) else answer

    def read(self, name: str, *given: Any, use: Callable[[Any], Any]) -> Any:
        """Ask and turn a real answer into the field's form."""
        answer = self.ask(name, *given)
        return answer if answer is None or isinstance(answer, dict) else use(answer)

    def first(self, names: tuple[str, ...], *given: Any) -> Any:
        """The answer under the newest of several names that this driver knows."""
        for name in names:
            answer = self.ask(name, *given)
            if answer is not None:
                return answer
        return None


def short_name(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            name = comm.read().strip()
    except OSError:  # gone, hidden, or a number of another PID namespace
        return None
    return name if name.startswith(NAMED) else "other"


def processes(nvml: Nvml, gpu: Any) -> Any:
    found: dict[int, Any] = {}
    known = False
    for kind in ("Compute", "Graphics"):
        call = f"nvmlDeviceGet{kind}RunningProcesses"
        answer = nvml.first((f"{call}_v3", f"{call}_v2"), gpu)
        if isinstance(answer, dict):
            return answer
        known = known or answer is not None
        for one in answer or ():
            found[one.pid] = {"pid": one.pid, "used_bytes": one.usedGpuMemory, "name": short_name(one.pid)}
    return list(found.values()) if known else None


def mig_devices(nvml: Nvml, gpu: Any, on: Any) -> Any:
    """UUIDs of the MIG instances; None where the GPU has no MIG."""
    if on is None or isinstance(on, dict):
        return on
    most = nvml.ask("nvmlDeviceGetMaxMigDeviceCount", gpu) if on else 0
    if most is None or isinstance(most, dict):
        return most
    uuids = []
    for index in range(most):
        try:
            handle = nvml.api.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)
        except nvml.api.NVMLError as error:
            if error.value in (NOT_FOUND, INVALID_ARGUMENT):
                continue
            return {"gap": f"nvmlDeviceGetMigDeviceHandleByIndex: {error}", "kind": "unreadable"}
        uuids.append(nvml.plain("nvmlDeviceGetUUID", handle))
    return [uuid for uuid in uuids if uuid]


def nvlinks(nvml: Nvml, gpu: Any) -> Any:
    active = 0
    for link in range(NVLINKS):
        try:
            active += nvml.api.nvmlDeviceGetNvLinkState(gpu, link) == 1
        except nvml.api.NVMLError as error:
            if error.value not in (NOT_SUPPORTED, FUNCTION_NOT_FOUND, INVALID_ARGUMENT):
                return {"gap": f"nvmlDeviceGetNvLinkState: {error}", "kind": "unreadable"}
            return active if link else None
    return active


def tell_gpu(nvml: Nvml, number: int) -> Iterator[dict[str, Any]]:
    """Every field of gpucheck.facts.gpus.Gpu but its number, in parts: "more" is in all of them but the last.

    What decides comes first and by itself, so that a call that hangs or crashes takes only what comes after it.
    """
    nvml.lost = None
    try:
        gpu = nvml.api.nvmlDeviceGetHandleByIndex(number)
    except nvml.api.NVMLError as error:
        yield {"error": str(error), "error_code": error.value}
        return
    capability = nvml.read("nvmlDeviceGetCudaComputeCapability", gpu, use=lambda cc: f"{cc[0]}.{cc[1]}")
    yield {"more": True, "compute_capability": capability}
    yield {"more": True, "uuid": nvml.plain("nvmlDeviceGetUUID", gpu), "pci_address": pci_address(nvml, gpu)}
    yield {
        "more": True,
        "name": nvml.plain("nvmlDeviceGetName", gpu),
        "compute_mode": nvml.read("nvmlDeviceGetComputeMode", gpu, use=compute_mode),
    }
    facts = _rest(nvml, gpu)
    lost = nvml.lost
    yield {"error": lost and str(lost), "error_code": lost and lost.value, **facts}


def _rest(nvml: Nvml, gpu: Any) -> dict[str, Any]:
    memory = nvml.ask("nvmlDeviceGetMemoryInfo", gpu)
    remapped = nvml.ask("nvmlDeviceGetRemappedRows", gpu)
    reasons = nvml.first(("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"), gpu)
    mig = nvml.read("nvmlDeviceGetMigMode", gpu, use=lambda modes: bool(modes[0]))
    return {
        "memory_total": of(memory, lambda: memory.total),
        "memory_free": of(memory, lambda: memory.free),
        "processes": processes(nvml, gpu),
        "mig_mode": mig,
        "mig_devices": mig_devices(nvml, gpu, mig),
        "ecc_mode": nvml.read("nvmlDeviceGetEccMode", gpu, use=lambda modes: bool(modes[0])),
        "ecc_uncorrected": nvml.ask("nvmlDeviceGetTotalEccErrors", gpu, 1, 0),  # uncorrected, volatile
        "remapped_pending": of(remapped, lambda: bool(remapped[2])),
        "remapped_failure": of(remapped, lambda: bool(remapped[3])),
        "clocks_event_reasons": of(reasons, lambda: [name for bit, name in enumerate(REASONS) if reasons >> bit & 1]),
        "temperature_c": nvml.ask("nvmlDeviceGetTemperature", gpu, 0),
        "slowdown_c": nvml.ask("nvmlDeviceGetTemperatureThreshold", gpu, 1),
        "power_w": nvml.read("nvmlDeviceGetPowerUsage", gpu, use=lambda milliwatts: milliwatts / 1000),
        "power_limit_w": nvml.read("nvmlDeviceGetEnforcedPowerLimit", gpu, use=lambda milliwatts: milliwatts / 1000),
        "utilization": nvml.read("nvmlDeviceGetUtilizationRates", gpu, use=lambda rates: rates.gpu),
        "pcie": pcie(nvml, gpu),
        "nvlinks_active": nvlinks(nvml, gpu),
        "persistence": nvml.read("nvmlDeviceGetPersistenceMode", gpu, use=bool),
        "display_active": nvml.read("nvmlDeviceGetDisplayActive", gpu, use=bool),
        "driver_model": driver_model(nvml, gpu),
        "vbios": nvml.ask("nvmlDeviceGetVbiosVersion", gpu),
        "clock_max_mhz": nvml.ask("nvmlDeviceGetMaxClockInfo", gpu, SM_CLOCK),
    }


def of(answer: Any, use: Callable[[], Any]) -> Any:
    return answer if answer is None or isinstance(answer, dict) else use()


def driver_model(nvml: Nvml, gpu: Any) -> Any:
    """Windows' way to drive it; None elsewhere."""
    if os.name != "nt":
        return None
    model = nvml.first(tuple(f"nvmlDeviceGetDriverModel{one}" for one in ("_v2", "_v1", "")), gpu)
    return of(model, lambda: DRIVER_MODELS.get(model[0], f"{model[0]}"))


def compute_mode(mode: int) -> str:
    return COMPUTE_MODES[mode] if mode < len(COMPUTE_MODES) else f"mode {mode}"


def pci_address(nvml: Nvml, gpu: Any) -> Any:
    info = nvml.ask("nvmlDeviceGetPciInfo_v3", gpu)
    if info is None:
        return old_pci_address(nvml.api, gpu)
    return None if isinstance(info, dict) else readable(info.busId)


def old_pci_address(api: Any, gpu: Any) -> Any:
    """Drivers before R396 have _v2 only, which nvidia-ml-py no longer calls. Its struct is the same but for the last
    field, which was reserved."""
    try:
        info = api.nvmlPciInfo_t()
        code = api.nvmlLib.nvmlDeviceGetPciInfo_v2(gpu, ctypes.byref(info))
        return readable(info.busIdLegacy) if code == 0 else None
    except AttributeError:
        return None


def readable(text: Any) -> Any:
    return text.decode("ascii", "replace") if isinstance(text, bytes) else text


def pcie(nvml: Nvml, gpu: Any) -> Any:
    answers = {
        "generation": nvml.plain("nvmlDeviceGetCurrPcieLinkGeneration", gpu),
        "generation_max": nvml.plain("nvmlDeviceGetMaxPcieLinkGeneration", gpu),
        "width": nvml.plain("nvmlDeviceGetCurrPcieLinkWidth", gpu),
        "width_max": nvml.plain("nvmlDeviceGetMaxPcieLinkWidth", gpu),
    }
    return answers if any(value is not None for value in answers.values()) else None
