"""The driver answers and shows the program no GPU, or not the one that it asks for: cuInit's error and its kin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import gpu_works, in_container, on_wsl, without_gpus_flag
from gpucheck.rules.engine import Found, found

_HIDDEN = "cuda-visible-devices-hides-gpu"
_NO_DEVICE = ("no-device", "torch-no-gpus", "jax-no-visible-gpu")
_UNKNOWN = ("cuda-unknown-error",)
_SHOW = 'echo "CUDA_VISIBLE_DEVICES=[$CUDA_VISIBLE_DEVICES]"; nvidia-smi -L; ls -l /dev/nvidia*'


def no_device(log: Log) -> Union[Clue, None]:
    """The line that says that the driver shows no GPU."""
    for clue in log.all("cuinit-failed"):
        if clue.get("error") == "CUDA_ERROR_NO_DEVICE":
            return clue
    return log.first(*_NO_DEVICE)


def hides(value: str) -> bool:
    """Does this value of CUDA_VISIBLE_DEVICES hide every GPU, wherever it stands?"""
    return value.strip() in ("", "-1") or value.strip().startswith("-1,")


def _value(log: Log) -> Union[Clue, None]:
    """CUDA_VISIBLE_DEVICES where it hides all; the last assignment counts."""
    clues = log.all("visible-devices")
    return clues[-1] if clues and hides(clues[-1].get("value") or "") else None


@cause(_HIDDEN, Place.START, explains=("cuda-init-failed",))
def hidden(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    if gpu_works(log):
        return
    clue = log.first("visible-devices-hide-all") or _value(log)
    if clue is None:
        return
    missing = no_device(log)
    if missing is None and clue.message == "visible-devices":
        return
    yield found(
        "CUDA_VISIBLE_DEVICES hides every GPU from the program: "
        f"it is {(clue.get('value') or 'empty') if clue.message == 'visible-devices' else 'set so'}.",
        [told(one) for one in (clue, missing) if one],
        ["unset CUDA_VISIBLE_DEVICES", "# and look where it is set: grep -rn CUDA_VISIBLE_DEVICES *.py *.sh ~/.bashrc"],
    )


@question(Place.START)
def why_no_device(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = no_device(log)
    if clue is None or gpu_works(log) or log.first("driver-versions-differ"):
        return
    yield left(
        "The driver shows this program no GPU.",
        [told(one) for one in (clue, log.first("driver-versions-match"), *log.all("visible-devices")) if one],
        _remaining_without_device(log, snapshot),
        _SHOW,
    )


def _remaining_without_device(log: Log, snapshot: Snapshot) -> Mapping[str, str]:
    hidden_ = {_HIDDEN: "CUDA_VISIBLE_DEVICES is -1, empty, or names a GPU that is not there; scripts set it, too"}
    denied = {"device-node-permission": "nvidia-smi works as root alone; /dev/nvidia* are not readable and writable"}
    mig = {"mig-no-instance-visible": "nvidia-smi -L lists a GPU in MIG mode and no MIG device, or none is chosen"}
    flag = {"docker-no-gpus-flag": "the container was started without --gpus all: it has no /dev/nvidia0"}
    module = {"nvidia-kernel-module-not-loaded": "nvidia-smi cannot communicate with the driver"}
    if log.first("session-mig"):
        return {**mig, **hidden_}
    if log.first("session-nodes-closed"):
        return {**denied, **hidden_}
    if log.all("visible-devices"):
        return {**hidden_, **denied}
    if log.first("device-node-missing", "kernel-driver-not-running"):
        return {**flag, **module} if in_container(log, snapshot) else {**module, **flag, **hidden_}
    if log.first("session-linux-driver-installed") and on_wsl(log, snapshot):
        return {"linux-driver-installed-in-wsl": "dpkg -l | grep libnvidia-compute", **hidden_}
    if log.first("driver-versions-match"):
        return {**hidden_, **denied, **mig}
    if in_container(log, snapshot) and without_gpus_flag(log):
        return {**flag, **hidden_}
    return {**hidden_, **flag, **denied} if in_container(log, snapshot) else {**hidden_, **denied, **mig}


@question(Place.START)
def why_counts_differ(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("torch-device-count-differs")
    if clue is not None:
        yield left(
            "PyTorch counted other GPUs than CUDA shows it.",
            [told(clue), *(told(one) for one in log.all("visible-devices"))],
            {
                "mig-no-instance-visible": "nvidia-smi -L lists MIG devices: one has to be chosen",
                _HIDDEN: "the program sets CUDA_VISIBLE_DEVICES after it has imported torch",
            },
            _SHOW,
        )


@cause(_HIDDEN, Place.START)
def wrong_number(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("invalid-device")
    if clue is not None:
        yield found(
            "The program asks for a GPU by a number that it does not see: it counts from 0 what CUDA_VISIBLE_DEVICES "
            "leaves over.",
            [told(one) for one in (clue, *log.all("visible-devices"))],
            ["nvidia-smi -L", "# use cuda:0, or let CUDA_VISIBLE_DEVICES name as many GPUs as the program asks for"],
        )


@question(Place.START)
def why_unknown(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """CUDA_ERROR_UNKNOWN: nvidia-smi works, CUDA does not."""
    clue = next((one for one in log.all("cuinit-failed") if one.get("error") == "CUDA_ERROR_UNKNOWN"), None)
    clue = clue or log.first(*_UNKNOWN)
    if clue is None or gpu_works(log) or log.first("kernel-driver-not-running"):
        return
    slept = log.first("session-suspended", "session-hybrid", "session-nodes-closed")
    yield left(
        "The driver answers CUDA with an unknown error.",
        [told(one) for one in (clue, slept) if one],
        _remaining_unknown(slept),
        "lsmod | grep nvidia_uvm; ls -l /dev/nvidia-uvm; sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm",
    )


@cause("gpu-ecc-errors", Place.DEVICE)
def memory_fault(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("uncorrectable-ecc")
    if clue is not None:
        yield found(
            "The GPU's memory has a fault that it could not correct.",
            [told(clue)],
            ["nvidia-smi -q -d ECC,ROW_REMAPPER", "sudo nvidia-smi --gpu-reset  # or restart; if it stays: replace it"],
        )


@question(Place.DEVICE)
def why_it_died(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """What ran on the GPU was stopped: the Xid in the kernel's log tells the program's fault from the GPU's."""
    clue = log.first("gpu-program-died")
    if clue is not None and log.first("uncorrectable-ecc") is None:
        yield left(
            "What ran on the GPU was stopped: a fault of the program, or of the GPU.",
            [told(clue)],
            {"gpu-xid": "the number tells which: 13, 31 and 43 are the program's, 48, 79, 94 and 95 the GPU's"},
            "sudo dmesg | grep -i xid",
        )


@question(Place.START)
def why_not_initialized(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The driver could not be started, and the program was told no reason."""
    clue = log.first("cuda-not-initialized")
    if clue is None or gpu_works(log) or log.first("cuinit-failed", "kernel-driver-not-running", *_UNKNOWN):
        return
    yield left(
        "CUDA could not be started, and the line does not say why.",
        [told(clue)],
        {
            "nvidia-uvm-not-loaded": "nvidia-smi shows the GPU, and lsmod no nvidia_uvm",
            "nvidia-kernel-module-not-loaded": "nvidia-smi shows no GPU",
            "driver-too-old-for-cuda": "nvidia-smi shows a CUDA version older than the program's",
        },
        "nvidia-smi; lsmod | grep nvidia; sudo dmesg | grep -iE 'nvrm|xid' | tail",
    )


def _remaining_unknown(hint: Union[Clue, None]) -> dict[str, str]:
    uvm = {"nvidia-uvm-not-loaded": "lsmod shows no nvidia_uvm, or there is no /dev/nvidia-uvm (in the container, too)"}
    broken = {"nvidia-uvm-broken-after-suspend": "nvidia_uvm is loaded, and the computer slept since it started"}
    denied = {"device-node-permission": "it works as root"}
    off = {"hybrid-graphics-gpu-off": "the card is powered off: optirun python, or prime-select nvidia, makes it work"}
    if hint is None:
        return {**uvm, **broken, **denied}
    first = {"session-suspended": broken, "session-hybrid": off, "session-nodes-closed": denied}[hint.message]
    return {**first, **uvm}


@question(Place.START)
def why_busy(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """Devices busy: exclusive mode with a process on it, or an unhealthy driver."""
    clue = log.first("device-busy")
    if clue is not None and log.first("compute-mode-exclusive") is None:
        yield left(
            "The GPU may not be used by this process.",
            [told(clue)],
            {
                "exclusive-compute-mode": "the compute mode is not Default, and another process has the GPU",
                "gpu-memory-held-by-other-process": "the mode is Default, and nvidia-smi lists a process",
            },
            "nvidia-smi --query-gpu=compute_mode,memory.used --format=csv; nvidia-smi",
        )


@question(Place.START)
def why_no_context(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The GPU is listed and refuses a context."""
    refused = (one for one in log.all("device-context-failed") if "MEMORY" not in (one.get("error") or ""))
    clue = next(refused, None)
    if clue is not None and log.first("compute-mode-exclusive", "device-busy") is None:
        yield left(
            f"The GPU is listed and refuses this process ({clue.get('error')}).",
            [told(clue)],
            {
                "exclusive-compute-mode": "the compute mode is not Default, and another process has the GPU",
                _HIDDEN: "it works with CUDA_VISIBLE_DEVICES=0",
            },
            "nvidia-smi --query-gpu=compute_mode --format=csv; nvidia-smi",
        )


@question(Place.START)
def why_closed(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """A listing shows device files that not everybody may use; whether this user may, it does not show."""
    clue = log.first("session-nodes-closed")
    if clue is not None and no_device(log) is None and log.first(*_UNKNOWN) is None and not gpu_works(log):
        yield left(
            "A device file of the driver may not be used by everybody.",
            [told(clue)],
            {
                "device-node-permission": "id does not name the group of /dev/nvidia0; it works as root",
                _HIDDEN: "id names that group",
            },
            "id; ls -l /dev/nvidia*",
        )


@cause("exclusive-compute-mode", Place.START)
def exclusive(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    mode, busy = log.first("compute-mode-exclusive"), log.first("device-busy", "no-device", "device-context-failed")
    if mode is not None and (busy is not None or mode.get("mode") == "thread"):
        yield found(
            "The GPU's compute mode lets one process use it, and that place is taken."
            if mode.get("mode") == "process"
            else "The GPU's compute mode lets a single thread use it, and TensorFlow has several.",
            [told(one) for one in (busy, mode) if one],
            ["sudo nvidia-smi --compute-mode=0", "nvidia-smi  # which process has it?"],
        )


@cause("fabricmanager-not-running", Place.START, explains=("cuda-init-failed",))
def not_ready(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = next((one for one in log.all("cuinit-failed") if one.get("error") == "CUDA_ERROR_SYSTEM_NOT_READY"), None)
    clue = clue or log.first("system-not-ready")
    if clue is not None:
        yield found(
            "CUDA waits for the fabric manager, which does not run or is of another version than the driver.",
            [told(clue)],
            [
                "systemctl status nvidia-fabricmanager",
                "sudo systemctl enable --now nvidia-fabricmanager",
                "# its version has to be exactly the driver's: nvidia-smi --query-gpu=driver_version --format=csv",
            ],
        )
