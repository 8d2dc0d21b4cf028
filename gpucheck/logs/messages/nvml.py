"""What nvidia-smi, NVML, DCGM and the fabric manager print. Wording: nvidia-smi of drivers 367 to 610; nvidia-ml-py."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.codes import nvml, table
from gpucheck.logs.messages import Message
from gpucheck.logs.words import said, version_after

_SMI = "nvidia-smi, drivers 367 to 610"

Values = Union[dict[str, str], None]

# Exceptions of nvidia-ml-py by their codes: NVMLError_LibRmVersionMismatch.
_CLASSES = {
    f"NVMLError_{code.name.removeprefix('NVML_ERROR_').title().replace('_', '')}": code.number
    for code in table("nvml")
    if code.number
}


def code_in(text: str) -> Union[int, None]:
    """The NVML code that a line tells, by its words, its class or its name."""
    for name, number in _CLASSES.items():
        if name in text:
            return number
    for code in table("nvml"):
        if code.number and code.name in text:
            return code.number
    low = text.lower()
    found = [number for words, number in nvml.WORDS.items() if words.lower() in low]
    return found[0] if found else None


def _failed(text: str) -> Values:
    code = code_in(text)
    return {"code": str(code)} if code is not None else {}


def _handle(text: str) -> Values:
    """Unable to determine the device handle for GPU 0000:03:00.0: Unknown Error"""
    rest = text.partition("device handle for ")[2]
    device, _, error = rest.partition(": ")
    bus = error.partition(": ")[0]
    if bus.count(":") == 2 and "." in bus:  # GPU0: 0000:C1:00.0: Unknown Error
        device, error = f"{device}: {bus}", error.partition(": ")[2]
    return {"device": device.strip(), "error": error.strip().rstrip(".")} if error else {}


def _library(text: str) -> Values:
    version = version_after(text, "NVML library version:")
    return {"dso_version": version} if version else None


def _mode(text: str) -> Values:
    """nvidia-smi -q: ``Compute Mode : Exclusive_Process``; the table's short ``E. Process`` stands elsewhere."""
    value = text.partition(":")[2].strip()
    return {"mode": value} if text.strip().startswith("Compute Mode") and value else None


def _process(text: str) -> Values:
    """A row of nvidia-smi's processes: |    0   N/A  N/A      2345      C   python3      10241MiB |"""
    words = text.strip("| ").split()
    if len(words) < 5 or not words[-1].endswith("MiB") or not words[0].isdigit() or "/" in words[1][:1]:
        return None
    kind = next((at for at, word in enumerate(words) if word in ("C", "C+G", "M+C", "G")), 0)
    if kind < 2 or not words[kind - 1].isdigit() or words[kind] == "G":
        return None
    used = words[-1].removesuffix("MiB")
    if not used.isdigit():
        return None
    return {"device": words[0], "pid": words[kind - 1], "used_bytes": str(int(used) << 20), "program": words[-2]}


def _driver_model(text: str) -> Values:
    return {"model": "TCC"} if " TCC " in f"{text} " else None


MESSAGES = (
    Message(
        "smi-no-driver",
        ("has failed because it couldn", "communicate with the NVIDIA driver"),
        said,
        "nvidia-smi reached no kernel module: it is not loaded, or is not the one that belongs to these files.",
        look=("lsmod | grep -E 'nvidia|nouveau|nova'", "cat /proc/driver/nvidia/version", "dkms status",
              "mokutil --sb-state", "sudo dmesg | grep -i -E 'nvrm|nvidia'"),
        source=_SMI,
    ),
    Message(
        "nvml-failed",
        ("Failed to initialize NVML", "failed to initialize NVML", "NVMLError", "nvmlInit", "NVML_ERROR_",
         "ailed to init NVML", "Driver/library version mismatch", "driver/library version mismatch"),
        _failed,
        "NVML, the library behind nvidia-smi, could not start; the words after it say why.",
        look=("cat /proc/driver/nvidia/version", "ls -l /dev/nvidia*"),
        source=f"{_SMI}; nvidia-ml-py; NVIDIA/go-nvml",
    ),
    Message(
        "nvml-library-version",
        ("NVML library version:",),
        _library,
        "The version of the libnvidia-ml that nvidia-smi loaded.",
        look=("cat /proc/driver/nvidia/version",),
        source="nvidia-smi, drivers 525 to 610",
    ),
    Message(
        "smi-library-not-found",
        ("find libnvidia-ml.so library in your system", "libnvidia-ml.so.1: cannot open shared object file"),
        lambda text: {} if "load library failed" not in text else None,
        "nvidia-smi is there and libnvidia-ml is not: half of the driver is installed, or a container got half of it.",
        look=("ldconfig -p | grep libnvidia-ml",),
        source=_SMI,
    ),
    Message(
        "smi-device-handle",
        ("Unable to determine the device handle",),
        _handle,
        "The driver lists this GPU and cannot open it.",
        look=("sudo dmesg | grep -i xid", "nvidia-smi -L"),
        source=_SMI,
    ),
    Message(
        "smi-no-devices",
        ("No devices were found",),
        said,
        "The kernel module is loaded and has no GPU: none could be initialised, or this container or user gets none.",
        look=("sudo dmesg | grep -i nvrm", "ls -l /dev/nvidia*", "lspci -nnk -d 10de:"),
        source=_SMI,
    ),
    Message(
        "smi-gpu-lost",
        ("GPU is lost", "Reboot the system to recover this GPU"),
        said,
        "The GPU does not answer any more.",
        look=("sudo dmesg | grep -i xid",),
        source=_SMI,
    ),
    Message(
        "smi-not-found",
        ("nvidia-smi: command not found", "nvidia-smi: not found", "nvidia-smi: No such file",
         "nvidia-smi: executable file not found", "failed to run nvidia-smi"),
        said,
        "There is no nvidia-smi here: no driver is installed, or the container got none.",
        look=("lspci -nn -d 10de:", "cat /proc/driver/nvidia/version"),
        source="shells; runc",
    ),
    Message(
        "compute-mode",
        ("Compute Mode",),
        _mode,
        "The GPU's compute mode: Default lets several processes use it, Exclusive_Process one, Prohibited none.",
        look=("nvidia-smi --query-gpu=compute_mode --format=csv",),
        source=f"{_SMI} (-q)",
    ),
    Message(
        "gpu-process",
        ("MiB |",),
        _process,
        "A process that holds memory of a GPU.",
        look=("nvidia-smi --query-compute-apps=pid,name,used_memory --format=csv",),
        source=_SMI,
    ),
    Message(
        "driver-model",
        ("  TCC  ", "Driver-Model", "TCC mode"),
        _driver_model,
        "A GPU in TCC mode (Windows), which WSL 2 cannot use.",
        look=("nvidia-smi --query-gpu=name,driver_model.current --format=csv",),
        source=_SMI,
    ),
    Message(
        "access-blocked-by-system",
        ("blocked by the operating system",),
        said,
        "The operating system refuses access to the GPU; under WSL 2 that is a GPU in TCC mode, or the wrong driver.",
        source=_SMI,
    ),
    Message(
        "fabric-manager-version",
        ("match with driver version",),
        lambda text: {} if "abric manager" in text else None,
        "The fabric manager and the driver are of different versions.",
        look=("nvidia-smi --query-gpu=driver_version --format=csv", "nv-fabricmanager --version"),
        source="nvidia-fabricmanager 450 to 580",
    ),
    Message(
        "fabric-manager-failed",
        ("nvidia-fabricmanager.service: Failed", "nvidia-fabricmanager.service: Main process exited",
         "Unit nvidia-fabricmanager.service could not be found", "nvidia-fabricmanager is not"),
        said,
        "The service that joins the NVSwitches does not run.",
        look=("systemctl status nvidia-fabricmanager", "journalctl -u nvidia-fabricmanager"),
        source="systemd",
    ),
    Message(
        "fabric-manager-idle",
        ("NV_WARN_NOTHING_TO_DO", "NOTHING_TO_DO"),
        said,
        "The fabric manager found no NVSwitch on this machine and ends.",
        harmless="Without NVSwitch there is nothing for it to do; GPUs work without it.",
        source="nvidia-fabricmanager 450 to 580",
    ),
)  # fmt: skip
