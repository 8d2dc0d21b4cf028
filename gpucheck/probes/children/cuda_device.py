"""What libcuda says of one device: those fields of gpucheck.facts.gpus.Gpu that it knows.

Nothing here makes a context, so no memory of the GPU is taken and a GPU in exclusive mode stays free.
"""

from __future__ import annotations

import _ctypes

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from typing import Any


class Size(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """size_t: 64 bits wherever CUDA runs (Windows' long has 32)"""

    _type_ = "Q"


class Char(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """char"""

    _type_ = "c"


class Text(_ctypes.Array):  # type: ignore[type-arg]
    """char[256]"""

    _type_, _length_ = Char, 256


# cuda.h, CUdevice_attribute: COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR, COMPUTE_MODE
MAJOR, MINOR, MODE = 75, 76, 20
COMPUTE_MODES = ("default", "exclusive-thread", "prohibited", "exclusive-process")  # cuda.h, CUcomputemode


class Devices:
    """The calls that tell about a device. One that this driver lacks or that fails gives None."""

    def __init__(self, find: Any, integer: Any) -> None:
        self.find, self.integer = find, integer

    def ask(self, name: str, *given: Any) -> bool:
        try:
            call = self.find(name)
        except (OSError, AttributeError):
            return False
        return bool(call(*given) == 0)

    def attribute(self, device: Any, which: int) -> int | None:
        value: Any = self.integer()
        return value.value if self.ask("cuDeviceGetAttribute", _ctypes.byref(value), which, device) else None

    def text(self, name: str, device: Any) -> str | None:
        found: Any = Text()
        return found.value.decode("utf-8", "surrogateescape") if self.ask(name, found, 256, device) else None

    def uuid(self, device: Any) -> str | None:
        """As NVML writes it. Of a MIG instance: its GPU's (the instance's own is cuDeviceGetUuid_v2's)."""
        found: Any = Text()
        if not self.ask("cuDeviceGetUuid", found, device):
            return None
        digits = found.raw[:16].hex()
        return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def memory(self, device: Any) -> int | None:
        size: Any = Size()
        return size.value if self.ask("cuDeviceTotalMem_v2", _ctypes.byref(size), device) else None

    def tell(self, number: int) -> dict[str, Any]:
        """Fields of gpucheck.facts.gpus.Gpu; one that is not known is left out."""
        device = self.integer()
        if not self.ask("cuDeviceGet", _ctypes.byref(device), number):
            return {}
        major, minor, mode = (self.attribute(device, which) for which in (MAJOR, MINOR, MODE))
        facts = {
            "compute_capability": None if major is None or minor is None else f"{major}.{minor}",
            "compute_mode": COMPUTE_MODES[mode] if mode is not None and 0 <= mode < len(COMPUTE_MODES) else None,
            "name": self.text("cuDeviceGetName", device),
            "uuid": self.uuid(device),
            "pci_address": self.text("cuDeviceGetPCIBusId", device),
            "memory_total": self.memory(device),
        }
        return {name: value for name, value in facts.items() if value is not None}
