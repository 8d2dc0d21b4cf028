"""What NVML's and libcuda's error codes mean for a user. Names of CUresult are in cuda_errors.py. Look-up only."""

from __future__ import annotations

from typing import NamedTuple

# nvml.h, nvmlReturn_t, as nvidia-ml-py 13 has it.
NVML_NAMES: dict[int, str] = {
    0: "NVML_SUCCESS",
    1: "NVML_ERROR_UNINITIALIZED",
    2: "NVML_ERROR_INVALID_ARGUMENT",
    3: "NVML_ERROR_NOT_SUPPORTED",
    4: "NVML_ERROR_NO_PERMISSION",
    5: "NVML_ERROR_ALREADY_INITIALIZED",
    6: "NVML_ERROR_NOT_FOUND",
    7: "NVML_ERROR_INSUFFICIENT_SIZE",
    8: "NVML_ERROR_INSUFFICIENT_POWER",
    9: "NVML_ERROR_DRIVER_NOT_LOADED",
    10: "NVML_ERROR_TIMEOUT",
    11: "NVML_ERROR_IRQ_ISSUE",
    12: "NVML_ERROR_LIBRARY_NOT_FOUND",
    13: "NVML_ERROR_FUNCTION_NOT_FOUND",
    14: "NVML_ERROR_CORRUPTED_INFOROM",
    15: "NVML_ERROR_GPU_IS_LOST",
    16: "NVML_ERROR_RESET_REQUIRED",
    17: "NVML_ERROR_OPERATING_SYSTEM",
    18: "NVML_ERROR_LIB_RM_VERSION_MISMATCH",
    19: "NVML_ERROR_IN_USE",
    20: "NVML_ERROR_MEMORY",
    21: "NVML_ERROR_NO_DATA",
    22: "NVML_ERROR_VGPU_ECC_NOT_SUPPORTED",
    23: "NVML_ERROR_INSUFFICIENT_RESOURCES",
    24: "NVML_ERROR_FREQ_NOT_SUPPORTED",
    25: "NVML_ERROR_ARGUMENT_VERSION_MISMATCH",
    26: "NVML_ERROR_DEPRECATED",
    27: "NVML_ERROR_NOT_READY",
    28: "NVML_ERROR_GPU_NOT_FOUND",
    29: "NVML_ERROR_INVALID_STATE",
    30: "NVML_ERROR_RESET_TYPE_NOT_SUPPORTED",
    999: "NVML_ERROR_UNKNOWN",
}

# Codes that rules ask for by name.
NVML_NO_PERMISSION, NVML_DRIVER_NOT_LOADED, NVML_GPU_IS_LOST = 4, 9, 15
NVML_RESET_REQUIRED, NVML_OPERATING_SYSTEM, NVML_VERSION_MISMATCH, NVML_UNKNOWN = 16, 17, 18, 999
CUDA_STUB, CUDA_NO_DEVICE, CUDA_SYSTEM_NOT_READY = 34, 100, 802
CUDA_DRIVER_MISMATCH, CUDA_COMPAT_NOT_SUPPORTED, CUDA_UNKNOWN = 803, 804, 999


class Meaning(NamedTuple):
    """What cuInit's answer says, in words for a user (source: cuda.h's comments and the cases named)."""

    code: int
    words: str
    source: str
    windows: str = ""  # words for Windows, where these speak of Linux's parts


CUDA_MEANINGS: tuple[Meaning, ...] = (
    Meaning(2, "no memory could be had, of the host or of the GPU", "cuda.h"),
    Meaning(3, "the driver could not be initialised", "cuda.h"),
    Meaning(34, "the library is the toolkit's link-time stub, no driver", "cuda.h"),
    Meaning(46, "every GPU is busy or unavailable", "cuda.h"),
    Meaning(100, "no CUDA-capable device is visible to this process", "cuda.h"),
    Meaning(101, "a device number that does not exist was asked for", "cuda.h"),
    Meaning(102, "the GPU has no vGPU licence", "cuda.h"),
    Meaning(304, "a call of the operating system failed", "cuda.h"),
    Meaning(800, "the operation is not permitted", "cuda.h"),
    Meaning(
        802,
        "the system is not ready: a driver daemon (fabric manager) does not run",
        "cuda.h",
        "the system is not ready to work with CUDA",
    ),
    Meaning(
        803,
        "the display driver and libcuda have different versions",
        "cuda.h",
        "the display driver and nvcuda.dll have different versions",
    ),
    Meaning(804, "forward compatibility is not supported on this GPU", "cuda.h"),
    Meaning(805, "the MPS daemon could not be reached", "cuda.h"),
    Meaning(
        999,
        "the driver's internal state is bad (often nvidia_uvm)",
        "github.com/pytorch/pytorch/issues/49081",
        "the driver's internal state is bad",
    ),
)


def nvml_name(code: int) -> str:
    """NVML's name of a code, or the number where a newer driver has more of them."""
    return NVML_NAMES.get(code, f"NVML error {code}")


def cuda_meaning(code: int, windows: bool = False) -> str | None:
    """What cuInit's code means for a user; None where nothing more than its name is known."""
    row = next((row for row in CUDA_MEANINGS if row.code == code), None)
    return None if row is None else (row.windows if windows else "") or row.words
