"""What CUDA's driver and runtime answer, as StreamExecutor and other programs print it: cuInit, its diagnosis, codes.

The text of an error is the driver's own (cuGetErrorString), so these messages know every program that prints it.
"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.tensorflow import kept
from gpucheck.logs.words import said, version_after, word_after

Values = Union[dict[str, str], None]
_DIAGNOSTICS = "stream_executor/cuda/cuda_diagnostics.cc, 0.6 to 2.21"
_CUDA_H = "cuda.h: cuGetErrorString, the same words in CUDA 8 to 13"


def _cuinit(text: str) -> Values:
    rest = text.partition("failed call to cuInit:")[2] or text.partition("cuInit")[2]
    if "CUDA_ERROR_" in rest:
        word = rest.partition("CUDA_ERROR_")[2]
        end = next((at for at, sign in enumerate(word) if not (sign.isupper() or sign == "_")), len(word))
        return {"error": f"CUDA_ERROR_{word[:end]}"}
    code = word_after(rest, "UNKNOWN ERROR (") or word_after(rest, "CUresult(") or word_after(rest, "error code ")
    return {"error": f"UNKNOWN ERROR ({code})", "code": code} if code else None


def _mismatch(text: str) -> Values:
    kernel, dso = version_after(text, "kernel version "), version_after(text, "DSO version ")
    return kept(kernel_version=kernel, dso_version=dso) if "does not match DSO" in text else None


def _host(text: str) -> Values:
    name = word_after(text, "information for host:") or word_after(text, "hostname:", ends=" \t)")
    name = name or word_after(text, "on this host (", ends=" \t)")
    return kept(name=name) or None


def _hidden(text: str) -> Values:
    """CUDA_VISIBLE_DEVICES=-1, ["CUDA_VISIBLE_DEVICES"] = "1", is set to -1."""
    rest = text.partition("CUDA_VISIBLE_DEVICES")[2][:60]
    for sign in ('"]', "']", "]"):
        rest = rest.removeprefix(sign)
    rest = rest.lstrip()
    if rest.startswith(("=", ":")) and not rest.startswith("=="):
        value = rest[1:].lstrip(" ")
    elif rest.startswith("is set to"):
        value = rest.removeprefix("is set to").lstrip(" ")
    elif rest.startswith(('"', "'", ",")):  # setenv("CUDA_VISIBLE_DEVICES", "-1")
        value = rest.lstrip("'\", ")
        return {"value": value[: _word(value)]} if value else None
    else:
        return None
    if value[:1] in ("'", '"'):
        return {"value": value[1:].partition(value[0])[0]}
    return {"value": value[: _word(value)]} if not value.startswith(("$", "<", "{", "os.", "str(")) else None


def _word(text: str) -> int:
    signs = "0123456789,-abcdefABCDEFGPUIM/"
    return next((at for at, sign in enumerate(text) if sign not in signs), len(text))


def _driver(text: str) -> Values:
    version = version_after(text, "found version ")
    return kept(driver_cuda=version)


def _error_in(text: str) -> Values:
    if "CUDA_ERROR_" not in text:
        return None
    word = text.partition("CUDA_ERROR_")[2]
    end = next((at for at, sign in enumerate(word) if not (sign.isupper() or sign == "_")), len(word))
    return {"error": f"CUDA_ERROR_{word[:end]}"}


def _libcuda(text: str) -> Values:
    """Of libcuda, and not that it was opened or only mentioned."""
    low = text.lower()
    if "driver library cannot be found" in low:
        return {"soname": "libcuda.so.1"}
    if ("nvcuda.dll" not in low and "libcuda.so" not in low) or "libcudnn" in low:
        return None
    if not any(word in low for word in ("could not", "cannot", "unable", "failed", "not found", "no such", "too many")):
        return None
    if "successfully" in low or ("libcuda.so dso loaded into this program" in low and "unable" not in low):
        return None
    plain = "libcuda.so" in text and "libcuda.so." not in text and "dso" not in low
    return kept(
        soname="nvcuda.dll" if "nvcuda" in low else "libcuda.so" if plain else "libcuda.so.1",
        loop="yes" if "too many levels" in low else None,
    )


MESSAGES = (
    Message(
        "cuinit-failed",
        ("failed call to cuInit", "cuInit results in", "cuInit(0) failed", "ailed call to cuInit", "cuInit(0) return"),
        _cuinit,
        "The driver refused to start CUDA for this program, with the error that is named.",
        look=("nvidia-smi -L", "echo $CUDA_VISIBLE_DEVICES", "ls -l /dev/nvidia*"),
        source="xla/stream_executor/cuda/cuda_driver.cc and its forerunners, TensorFlow 0.6 to 2.21; numba; jaxlib",
    ),
    Message(
        "device-context-failed",
        ("cuDevicePrimaryCtxRetain", "cuCtxCreate", "dynload::cuCtxSetCurrent"),
        lambda text: _error_in(text) or ({"error": "unknown"} if "CUDA_SUCCESS ==" in text else None),
        "The driver is there and does not give this program the GPU.",
        look=("nvidia-smi",),
        source="stream_executor/cuda/cuda_driver.cc, 1.4 to 2.21",
    ),
    Message(
        "kernel-driver-not-running",
        ("kernel driver does not appear to be running",),
        _host,
        "The driver's kernel module is not loaded, or the container does not get it.",
        look=("nvidia-smi", "lsmod | grep nvidia", "dkms status"),
        source=_DIAGNOSTICS,
    ),
    Message(
        "kernel-driver-not-installed",
        ("kernel driver not installed on this host",),
        _host,
        "macOS: there is no NVIDIA driver.",
        source=_DIAGNOSTICS,
    ),
    Message(
        "device-node-missing",
        ("no NVIDIA GPU device is present", "/dev/nvidia0 does not exist"),
        said,
        "There is no /dev/nvidia0: no driver made it, or the container does not get it.",
        look=("ls -l /dev/nvidia*", "nvidia-smi"),
        source=_DIAGNOSTICS,
    ),
    Message(
        "driver-versions-differ",
        ("does not match DSO version",),
        _mismatch,
        "libcuda and the loaded kernel module are of different versions.",
        look=("cat /proc/driver/nvidia/version", "ls -l /usr/lib/x86_64-linux-gnu/libcuda.so*"),
        source=_DIAGNOSTICS,
    ),
    Message(
        "driver-versions-match",
        ("kernel version seems to match DSO",),
        lambda text: kept(driver_version=version_after(text, "match DSO:")),
        "libcuda and the loaded kernel module are of the same version: the driver itself is sound.",
        source=_DIAGNOSTICS,
    ),
    Message(
        "libcuda-version",
        ("libcuda reported version is:",),
        lambda text: kept(dso_version=version_after(text, "libcuda reported version is:")) or None,
        "The version of the libcuda that was loaded.",
        source=_DIAGNOSTICS,
    ),
    Message(
        "kernel-module-version",
        ("kernel reported version is:",),
        lambda text: kept(kernel_version=version_after(text, "kernel reported version is:")) or None,
        "The version of the loaded kernel module.",
        source=_DIAGNOSTICS,
    ),
    Message(
        "libcuda-not-loaded",
        (
            "unable to find libcuda.so DSO",
            "CUDA driver library cannot be found",
            "Failed to dlopen libcuda.so",
            "load dynamic library",
            "libcuda.so",
            "nvcuda.dll",
        ),
        _libcuda,
        "The driver's user-space library did not load.",
        look=("ldconfig -p | grep libcuda", "nvidia-smi"),
        source=f"{_DIAGNOSTICS}; the loader's dlerror",
    ),
    Message(
        "diagnosed-host",
        ("CUDA diagnostic information for host:", "cuda_diagnostics"),
        _host,
        "The host that was diagnosed; twelve hexadecimal digits are a container's name.",
        source=_DIAGNOSTICS,
    ),
    Message(
        "visible-devices",
        ("CUDA_VISIBLE_DEVICES",),
        _hidden,
        "What CUDA_VISIBLE_DEVICES holds: it chooses, by number, the GPUs that a program sees.",
        look=("echo $CUDA_VISIBLE_DEVICES", "nvidia-smi -L"),
        source="cuda_diagnostics.cc since 2.17; shells and programs",
    ),
    Message(
        "visible-devices-hide-all",
        ("this hides all GPUs from CUDA", "hides all GPUs"),
        said,
        "CUDA_VISIBLE_DEVICES hides every GPU from the program.",
        source="xla/stream_executor/cuda/cuda_diagnostics.cc, 2.17 to 2.21",
    ),
    Message(
        "driver-insufficient",
        ("river version is insufficient for CUDA runtime version", "cudaErrorInsufficientDriver"),
        said,
        "The driver is older than the CUDA runtime of the program needs, or it was not found at all.",
        look=("nvidia-smi",),
        source=_CUDA_H,
    ),
    Message(
        "driver-too-old",
        (
            "NVIDIA driver on your system is too old",
            "driver is too old",
            "update your GPU driver",
            "usually caused by stale driver version",
        ),
        _driver,
        "The driver is older than the CUDA runtime of the program needs.",
        look=("nvidia-smi",),
        source="torch/csrc/cuda/Module.cpp, torch 1.0 to 2.9",
    ),
    Message(
        "ptx-toolchain-unsupported",
        (
            "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
            "PTX was compiled with an unsupported toolchain",
            "cudaErrorUnsupportedPtxVersion",
        ),
        said,
        "The PTX was made by a newer CUDA than the driver understands.",
        look=("nvidia-smi",),
        source=_CUDA_H,
    ),
    Message(
        "no-device",
        ("o CUDA-capable device is detected", "CUDA_ERROR_NO_DEVICE", "cudaErrorNoDevice"),
        said,
        "The driver shows this program no GPU.",
        look=("nvidia-smi -L", "echo $CUDA_VISIBLE_DEVICES"),
        source=_CUDA_H,
    ),
    Message(
        "invalid-device",
        (
            "invalid device ordinal",
            "listed an invalid Device id",
            "CUDA_ERROR_INVALID_DEVICE",
            "cudaErrorInvalidDevice",
        ),
        lambda text: None if "CtxRetain" in text else {},
        "The program asks for a GPU by a number that it does not see.",
        look=("nvidia-smi -L", "echo $CUDA_VISIBLE_DEVICES"),
        source=_CUDA_H,
    ),
    Message(
        "device-busy",
        (
            "CUDA-capable devices are busy",
            "CUDA-capable device(s) is/are busy",
            "CUDA_ERROR_DEVICE_UNAVAILABLE",
            "cudaErrorDevicesUnavailable",
        ),
        said,
        "The GPU may not be used: its compute mode allows one process, or none.",
        look=("nvidia-smi -q -d COMPUTE", "nvidia-smi"),
        source=_CUDA_H,
    ),
    Message(
        "compute-mode-exclusive",
        ("E. Process", "E. Thread", "Exclusive_Process", "Exclusive_Thread", "EXCLUSIVE_PROCESS", "EXCLUSIVE_THREAD"),
        lambda text: {"mode": "thread" if "thread" in text.lower() else "process"},
        "The GPU's compute mode lets one process use it.",
        look=("nvidia-smi -q -d COMPUTE",),
        source="nvidia-smi",
    ),
    Message(
        "cuda-unknown-error",
        (
            "CUDA unknown error",
            "CUDA_ERROR_UNKNOWN",
            "cudaErrorUnknown",
            "UNKNOWN_ERROR(999)",
            "error (999)",
            "Error 999",
        ),
        said,
        "The driver is in a bad state; most often nvidia_uvm is not loaded, or broke when the computer slept.",
        look=("lsmod | grep nvidia_uvm", "ls -l /dev/nvidia-uvm"),
        source=f"{_CUDA_H}; torch/csrc/cuda",
    ),
    Message(
        "cuda-not-initialized",
        (
            "CUDA driver initialization failed",
            "CUDA_ERROR_NOT_INITIALIZED",
            "cudaErrorInitializationError",
            "cudaErrorNotSupported",
            "Error 801",
        ),
        lambda text: {} if "forked" not in text and "CUDNN" not in text else None,
        "The driver could not be started for this program, and does not say why.",
        look=("nvidia-smi", "sudo dmesg | grep -iE 'nvrm|xid' | tail", "lsmod | grep nvidia_uvm"),
        source=f"{_CUDA_H}; c10/cuda/CUDAFunctions.cpp",
    ),
    Message(
        "system-not-ready",
        ("system not yet initialized", "CUDA_ERROR_SYSTEM_NOT_READY", "cudaErrorSystemNotReady"),
        said,
        "A machine with NVSwitch: the fabric manager does not run, or is of another version than the driver.",
        look=("systemctl status nvidia-fabricmanager", "nvidia-smi --query-gpu=driver_version --format=csv"),
        source=_CUDA_H,
    ),
    Message(
        "system-driver-mismatch",
        (
            "unsupported display driver / cuda driver combination",
            "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            "cudaErrorSystemDriverMismatch",
        ),
        said,
        "libcuda and the kernel module do not belong together: an upgrade without a reboot, or a compat library.",
        look=("cat /proc/driver/nvidia/version", "ldconfig -p | grep libcuda"),
        source=_CUDA_H,
    ),
    Message(
        "compat-not-supported",
        (
            "forward compatibility was attempted on non supported HW",
            "COMPAT_NOT_SUPPORTED_ON_DEVICE",
            "CompatNotSupportedOnDevice",
        ),
        said,
        "A libcuda newer than the kernel module was loaded, which only data centre GPUs allow.",
        look=("ldconfig -p | grep libcuda", "echo $LD_LIBRARY_PATH"),
        source=_CUDA_H,
    ),
    Message(
        "stub-library",
        ("CUDA driver is a stub library", "CUDA_ERROR_STUB_LIBRARY", "cudaErrorStubLibrary"),
        said,
        "The toolkit's link-time stub was loaded in place of the driver's libcuda.",
        look=("echo $LD_LIBRARY_PATH",),
        source=_CUDA_H,
    ),
    Message(
        "no-kernel-image",
        (
            "no kernel image is available",
            "CUDA_ERROR_NO_BINARY_FOR_GPU",
            "cudaErrorNoKernelImageForDevice",
            "device kernel image is invalid",
            "invalid device function",
        ),
        said,
        "The program has no code for this generation of GPU.",
        look=("nvidia-smi --query-gpu=name,compute_cap --format=csv",),
        source=_CUDA_H,
    ),
    Message(
        "invalid-ptx",
        ("CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed", "cudaErrorInvalidPtx"),
        said,
        "The driver could not compile the program's PTX for this GPU.",
        look=("nvidia-smi --query-gpu=name,compute_cap --format=csv",),
        source=_CUDA_H,
    ),
    Message(
        "cuda-out-of-memory",
        ("CUDA_ERROR_OUT_OF_MEMORY", "cudaErrorMemoryAllocation", "CUDA error: out of memory", "Status: out of memory"),
        lambda text: {} if "cuInit" not in text else None,
        "The GPU has no memory left for what was asked.",
        look=("nvidia-smi",),
        source=_CUDA_H,
    ),
    Message(
        "gpu-program-died",
        (
            "CUDA_ERROR_ILLEGAL_ADDRESS",
            "CUDA_ERROR_LAUNCH_FAILED",
            "CUDA_ERROR_LAUNCH_TIMEOUT",
            "CUDA_ERROR_MISALIGNED_ADDRESS",
            "CUDA_ERROR_ILLEGAL_INSTRUCTION",
            "CUDA_ERROR_HARDWARE_STACK_ERROR",
            "an illegal memory access was encountered",
            "unspecified launch failure",
            "the launch timed out and was terminated",
            "an illegal instruction was encountered",
        ),
        said,
        "What ran on the GPU was stopped: a fault of the program, or of the GPU. The kernel's log has an Xid for it.",
        look=("sudo dmesg | grep -i xid",),
        source=_CUDA_H,
    ),
    Message(
        "uncorrectable-ecc",
        ("uncorrectable ECC error", "CUDA_ERROR_ECC_UNCORRECTABLE", "cudaErrorECCUncorrectable"),
        said,
        "The GPU's memory has a fault that could not be corrected.",
        look=("nvidia-smi -q -d ECC",),
        source=_CUDA_H,
    ),
)
