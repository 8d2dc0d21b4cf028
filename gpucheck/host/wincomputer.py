"""What Windows tells a process of the computer by calls alone: memory, AVX. Loaded on Windows alone."""

from __future__ import annotations

import ctypes
from typing import Any, Union

_AVX_STATE = 4  # winnt.h, XSTATE_MASK_GSSE: Windows keeps the AVX registers


class _Memory(ctypes.Structure):
    """MEMORYSTATUSEX"""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "free", "page", "page_free", "all", "all_free", "extended")),
    )


def _kernel32() -> Any:
    return ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]


def memory() -> Union[int, None]:
    """RAM in bytes (GlobalMemoryStatusEx)."""
    status = _Memory(length=ctypes.sizeof(_Memory))
    return int(status.total) if _kernel32().GlobalMemoryStatusEx(ctypes.byref(status)) else None


def avx() -> Union[bool, None]:
    """GetEnabledXStateFeatures, since Windows 7 SP1; IsProcessorFeaturePresent learned of AVX in 2020 only."""
    try:
        call = _kernel32().GetEnabledXStateFeatures
    except AttributeError:
        return None
    call.restype = ctypes.c_uint64
    return bool(call() & _AVX_STATE)
