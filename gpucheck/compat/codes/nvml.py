"""nvmlReturn_t: NVML's codes. Numbers: compat.errors (nvml.h, nvidia-ml-py 13.615)."""

from __future__ import annotations

from gpucheck.compat.codes import Advice, Code
from gpucheck.compat.codes import advice as a
from gpucheck.compat.errors import NVML_NAMES

_LOAD = Advice(
    "the kernel module is not loaded: a new kernel without it, Secure Boot, nouveau, no NVIDIA GPU",
    ("lsmod | grep nvidia", "sudo modprobe nvidia", "sudo dmesg | grep -i -E 'nvrm|nvidia'", "dkms status"),
)
_CONTAINER = Advice(
    "in a container: its access was taken away by `systemctl daemon-reload`; else an earlier fault of the driver",
    ("# start a new container", "sudo dmesg | grep -i xid"),
)

_ROWS: tuple[tuple[int, str, Advice], ...] = (
    (0, "success", a.NOTHING),
    (1, "NVML was not initialised", a.PROGRAM),
    (2, "an argument is invalid", a.PROGRAM),
    (3, "this GPU does not support the operation: no fault", a.UNSUPPORTED),
    (4, "the user may not ask for this", a.PERMISSION),
    (5, "NVML was initialised already", a.NOTHING),
    (6, "nothing of that name was found", a.WRONG_DEVICE),
    (7, "the buffer is too small", a.PROGRAM),
    (8, "a GPU's power cables are not attached", a.BUS),
    (9, "the driver's kernel module is not loaded", _LOAD),
    (10, "the GPU did not answer in time", a.RESET),
    (11, "the kernel found an interrupt problem of a GPU", a.BUS),
    (12, "libnvidia-ml was not found or could not be loaded", a.LIBRARY),
    (13, "this libnvidia-ml is older than the call", a.OLD_DRIVER),
    (14, "the GPU's InfoROM is corrupt", a.HARDWARE),
    (15, "the GPU fell off the bus", a.BUS),
    (16, "the GPU must be reset", a.RESET),
    (17, "the operating system blocks access to the GPU", a.PERMISSION),
    (18, "libnvidia-ml and the kernel module have different versions", a.MISMATCH),
    (19, "the GPU is in use", a.BUSY),
    (20, "no memory could be had", a.HOST_MEMORY),
    (21, "there is no data", a.UNSUPPORTED),
    (22, "ECC makes the operation impossible on this vGPU host", a.UNSUPPORTED),
    (23, "a resource is used up", a.MEMORY),
    (24, "this clock cannot be set", a.UNSUPPORTED),
    (25, "a structure's version is not known to this libnvidia-ml", a.OLD_DRIVER),
    (26, "the call is no longer supported", a.UNSUPPORTED),
    (27, "the system is not ready for the request", a.FABRIC),
    (28, "no GPU was found", a.NO_DEVICE),
    (29, "the GPU is in a state that does not allow it", a.RESET),
    (30, "this GPU cannot be reset in that way", a.UNSUPPORTED),
    (999, "an internal error of the driver", _CONTAINER),
)

CODES: tuple[Code, ...] = tuple(Code(number, NVML_NAMES[number], meaning, advice) for number, meaning, advice in _ROWS)

# nvmlErrorString's words, which nvidia-smi prints ("Failed to initialize NVML: …"), as libnvidia-ml has them.
WORDS: dict[str, int] = {
    "Uninitialized": 1,
    "Invalid Argument": 2,
    "Not Supported": 3,
    "Insufficient Permissions": 4,
    "Already Initialized": 5,
    "Not Found": 6,
    "Insufficient Size": 7,
    "Insufficient External Power": 8,
    "Driver Not Loaded": 9,
    "Timeout": 10,
    "Interrupt Request Issue": 11,
    "NVML Shared Library Not Found": 12,
    "Function Not Found": 13,
    "Corrupted infoROM": 14,
    "GPU is lost": 15,
    "GPU requires reset": 16,
    "GPU access blocked by the operating system": 17,
    "Driver/library version mismatch": 18,
    "In use by another client": 19,
    "Insufficient Memory": 20,
    "No data": 21,
    "Unknown Error": 999,
}
