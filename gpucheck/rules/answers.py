"""What the driver's libraries answered when they were asked: the symptoms. Their causes are in the other modules.

Each of these is true by itself; where a rule knows the cause it names them in its `explains`, and the report shows
them under it.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.cuda_errors import name_of
from gpucheck.compat.errors import (
    CUDA_COMPAT_NOT_SUPPORTED,
    CUDA_DRIVER_MISMATCH,
    CUDA_STUB,
    CUDA_SYSTEM_NOT_READY,
    CUDA_UNKNOWN,
    NVML_DRIVER_NOT_LOADED,
    NVML_GPU_IS_LOST,
    NVML_NO_PERMISSION,
    NVML_RESET_REQUIRED,
    NVML_VERSION_MISMATCH,
    cuda_meaning,
    nvml_name,
)
from gpucheck.facts.driver import CudaDriver, Nvml
from gpucheck.facts.gap import need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import cuda_works, nvidia_here
from gpucheck.rules.systems import on_windows

_NVML_OWN_RULES = (
    NVML_NO_PERMISSION,
    NVML_DRIVER_NOT_LOADED,
    NVML_GPU_IS_LOST,
    NVML_RESET_REQUIRED,
    NVML_VERSION_MISMATCH,
)
_LOOK = ["sudo dmesg | grep -iE 'nvrm|xid|nvidia' | tail -n 20"]
_CURES: dict[int | None, list[str]] = {
    CUDA_UNKNOWN: ["sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm", *_LOOK],
    CUDA_SYSTEM_NOT_READY: ["systemctl status nvidia-fabricmanager", *_LOOK],
    CUDA_DRIVER_MISMATCH: ["sudo reboot"],
}


@rule(Severity.ERROR, decisive=True)
def cuda_init_failed(snapshot: Snapshot) -> Iterator[Found]:
    """libcuda does not initialise in this environment, so no program can use the GPU.

    ## What it means
    gpucheck called cuInit in a child process with the environment that programs get, and it answered an error, crashed
    or hung. TensorFlow makes the same call first. Codes: 100 no device is visible, 999 unknown (often nvidia_uvm), 802
    the system is not ready (fabric manager), 803 two versions of the driver, 46 all devices busy.

    ## Why it matters
    TensorFlow says "failed call to cuInit" and uses the CPU.

    ## How to fix
    If another finding explains this one, mend that. Otherwise the kernel's log tells more (`dmesg`, lines with NVRM or
    Xid); reloading nvidia_uvm or a reboot often helps.

    ## References
    https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
    https://github.com/pytorch/pytorch/issues/49081
    """
    here = nvidia_here(snapshot) is not None
    answer = need(need(snapshot.driver).cuda)
    if not here and answer.status not in ("hung", "crashed"):
        return
    if answer.status == "ok" and answer.device_count == 0:
        said = "cuInit succeeds and sees no device."
    elif answer.status in ("hung", "crashed"):
        said = f"cuInit {_fate(answer)}."
    elif answer.status == "error" and answer.code not in (CUDA_STUB, CUDA_COMPAT_NOT_SUPPORTED):
        said = f"cuInit fails with {_error(snapshot, answer)}."
    else:
        return
    yield found(
        said,
        [
            ("driver.cuda.status", answer.status, answer.path or "libcuda.so.1"),
            ("driver.cuda.code", answer.code, "cuInit"),
        ],
        fixes.on_machine(snapshot, _CURES.get(answer.code, _LOOK)),
        severity=None if here else Severity.WARNING,
    )


def _error(snapshot: Snapshot, answer: CudaDriver) -> str:
    if answer.code is None:
        return answer.message or answer.error or "an error"
    meaning = cuda_meaning(answer.code, on_windows(snapshot))
    return f"{answer.error or name_of(answer.code)} ({answer.code})" + (f": {meaning}" if meaning else "")


def _fate(answer: CudaDriver | Nvml) -> str:
    if answer.status == "hung":
        return "did not answer" + (f" ({answer.message})" if answer.message else "")
    return "crashed" + (f" ({answer.message})" if answer.message else "")


@rule(Severity.ERROR, explains=("gpu-query-failed",))
def nvml_not_answering(snapshot: Snapshot) -> Iterator[Found]:
    """NVML, the driver's library for asking about GPUs, hangs, crashes or answers an error.

    ## What it means
    libnvidia-ml was loaded in a child process and gave no usable answer: it hung (a process in the driver is stuck, a
    GPU does not respond), it crashed, or it answered an error code that has no rule of its own.

    ## Why it matters
    nvidia-smi and every monitor behave the same. If CUDA works nevertheless this is only a warning.

    ## How to fix
    Read the kernel's log for NVRM and Xid lines. A hang mostly ends with a reboot only.

    ## References
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html
    https://docs.nvidia.com/deploy/xid-errors/
    https://github.com/NVIDIA/gpu-monitoring-tools/issues/46
    """
    here = nvidia_here(snapshot) is not None
    driver = need(snapshot.driver)
    answer = need(driver.nvml)
    if answer.status in ("hung", "crashed"):
        said = f"NVML {_fate(answer)}."
    elif answer.status == "error" and answer.code not in _NVML_OWN_RULES:
        words = answer.error or answer.message or "an error"
        said = f"NVML answers {words}" + (f" ({nvml_name(answer.code)}, {answer.code})." if answer.code else ".")
    else:
        return
    yield found(
        said,
        [
            ("driver.nvml.status", answer.status, answer.path or "libnvidia-ml.so.1"),
            ("driver.nvml.code", answer.code, "NVML"),
        ],
        fixes.on_machine(snapshot, [*_LOOK, "sudo reboot"]),
        severity=Severity.WARNING if cuda_works(driver) or not here else None,
    )


@rule(Severity.WARNING, explains=("gpu-query-failed",))
def nvml_no_permission(snapshot: Snapshot) -> Iterator[Found]:
    """NVML answers "Insufficient Permissions" to this user.

    ## What it means
    The driver runs, and this user may not ask it: the device nodes are closed to the user's groups, a container or a
    sandbox keeps them away, or a MIG capability is not granted.

    ## Why it matters
    CUDA programs of this user usually fail too ("no CUDA-capable device").

    ## How to fix
    Look at the owner and mode of /dev/nvidia*, and add the user to their group.

    ## References
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html
    """
    if nvidia_here(snapshot) is None:
        return
    answer = need(need(snapshot.driver).nvml)
    if answer.code != NVML_NO_PERMISSION:
        return
    yield found(
        "NVML refuses this user (NVML_ERROR_NO_PERMISSION, 4).",
        [("driver.nvml.code", "4", answer.path or "libnvidia-ml.so.1")],
        fixes.or_event_log(snapshot, ["ls -l /dev/nvidia*", "id"]),
    )


@rule(Severity.WARNING)
def nvidia_smi_hangs(snapshot: Snapshot) -> Iterator[Found]:
    """nvidia-smi did not answer in time.

    ## What it means
    gpucheck does not need nvidia-smi and asks it last, under a deadline. That it hangs shows a driver or a GPU that
    does not respond, or a program stuck in the kernel (state D).

    ## Why it matters
    Scripts, schedulers and monitors that call it without a deadline hang too.

    ## How to fix
    Look for processes in state D and for Xid lines in the kernel's log; reset the GPU or reboot.

    ## References
    https://github.com/NVIDIA/gpu-monitoring-tools/issues/46
    https://docs.nvidia.com/deploy/xid-errors/
    """
    smi = need(need(snapshot.driver).smi)
    if smi is None or smi.status != "hung":
        return
    yield found(
        f"{smi.path} did not answer before its deadline.",
        [("driver.smi.status", "hung", smi.path)],
        ["ps -eo pid,stat,comm | awk '$2 ~ /D/'", *fixes.on_machine(snapshot, _LOOK)],
    )
