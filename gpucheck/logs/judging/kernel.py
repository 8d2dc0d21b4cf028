"""The kernel's side: modules that are not loaded, refused or of another version, GPUs that fail; nvidia-smi's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import driver_answers, gpu_works, in_container, on_wsl
from gpucheck.rules.engine import Found, found

_MODULE, _UVM, _SECURE = "nvidia-kernel-module-not-loaded", "nvidia-uvm-not-loaded", "secure-boot-unsigned-module"
_NOUVEAU, _MISMATCH, _HYBRID = "nouveau-or-nova-bound", "driver-library-version-mismatch", "hybrid-graphics-gpu-off"
_NOT_INSTALLED, _TCC = "nvidia-driver-not-installed", "wsl-gpu-in-tcc-mode"
_LINUX_IN_WSL = "linux-driver-installed-in-wsl"
_FOLLOW = ("cuda-init-failed", "nvml-not-answering", "libcuda-missing", "device-nodes-missing")
_SHOW = "lsmod | grep -E 'nvidia|nouveau|nova'; mokutil --sb-state; dkms status; uname -r"


def _evidence(*clues: Union[Clue, None]) -> list[tuple[str, object, str]]:
    return [told(clue) for clue in clues if clue is not None]


def _nvml(log: Log, *codes: str) -> Union[Clue, None]:
    return next((clue for clue in log.all("nvml-failed") if clue.get("code") in codes), None)


@cause(_MISMATCH, Place.START, explains=_FOLLOW)
def mismatch(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("nvrm-api-mismatch") or _nvml(log, "18")
    if clue is None:
        return
    user = clue.get("dso_version") or _version(log, "dso_version", "nvml-library-version")
    kernel = clue.get("kernel_version") or _version(log, "kernel_version", "nvrm-module-version")
    versions = f": the files are {user}" + (f", the loaded module is {kernel}" if kernel else "") if user else ""
    yield found(
        f"The driver's files and the loaded kernel module are of different versions{versions}.",
        _evidence(clue, log.first("nvml-library-version"), log.first("nvrm-module-version")),
        ["sudo reboot", "# where it survives that: an old module is left (dkms status), or two drivers are installed"],
    )


def _version(log: Log, which: str, message: str) -> Union[str, None]:
    """As the driver's own words tell it, else as StreamExecutor does."""
    return next(iter([*log.values(message, which), *log.values("driver-versions-differ", which)]), None)


@cause(_SECURE, Place.START, explains=(_MODULE, *_FOLLOW))
def rejected(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("module-key-rejected")
    modules = [one for one in log.all("module-not-loadable") if "ey " in (one.get("error") or "")]
    if clue is not None or modules:
        yield found(
            "Secure Boot refused NVIDIA's kernel module: it is not signed with a key that this computer trusts.",
            _evidence(clue, *modules[:1], *log.all("secure-boot-state")[:1]),
            [
                "sudo update-secureboot-policy --enroll-key   # Debian, Ubuntu; then reboot and confirm",
                "# or switch Secure Boot off in the firmware",
            ],
        )


@cause(_NOUVEAU, Place.START, explains=(_MODULE, *_FOLLOW))
def other_driver(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    said = log.first("other-driver-holds-gpu", "nova-bound")
    bound = [clue for clue in log.all("kernel-driver-in-use") if (clue.get("driver") or "").lower().startswith("no")]
    early = log.first("nouveau-bound")
    if said is None and (log.first("nvrm-loading", "driver-versions-match") or gpu_works(log)):
        return  # nouveau stepped back for NVIDIA's module
    clue = said or next(iter(bound), None) or early
    if clue is not None:
        nova = "nova" in clue.text.lower()
        yield found(
            f"{'nova-core' if nova else 'nouveau'}, the kernel's own driver, holds the GPU, so NVIDIA's cannot.",
            _evidence(clue, *bound[:1]),
            [
                f"echo blacklist {'nova_core' if nova else 'nouveau'} | sudo tee /etc/modprobe.d/nvidia-first.conf",
                "sudo update-initramfs -u || sudo dracut --force",
                "sudo reboot",
            ],
        )


@cause(_UVM, Place.START, explains=("cuda-init-failed",))
def uvm(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    modules = [clue for clue in log.all("module-not-loadable") if _of_uvm(clue, log)]
    if modules and not log.first("kernel-driver-not-running", "smi-no-driver", "module-key-rejected"):
        yield found(
            "The module nvidia_uvm could not be loaded: nvidia-smi works without it, CUDA does not.",
            _evidence(modules[0]),
            ["sudo modprobe nvidia_uvm", "sudo nvidia-modprobe -c 0 -u", "sudo dmesg | tail"],
        )


@cause(_MODULE, Place.START, explains=_FOLLOW)
def not_loaded(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    modules = [clue for clue in log.all("module-not-loadable") if not _explained(clue, log)]
    built = log.first("dkms-build-failed", "kernel-module-for-other", "installer-module-failed")
    clue = next(iter(modules), None) or built
    if clue is None or log.first("module-key-rejected", "other-driver-holds-gpu", "nova-bound") or gpu_works(log):
        return
    kernel = clue.get("kernel")
    yield found(
        f"NVIDIA's kernel module could not be loaded{f' into kernel {kernel}' if kernel else ''}: "
        f"{clue.get('error') or 'it was not built for this kernel'}.",
        _evidence(clue, *(built,) * (clue is not built), log.first("kernel-driver-not-running", "smi-no-driver")),
        [
            "uname -r; dkms status",
            "sudo apt install linux-headers-$(uname -r) && sudo dkms autoinstall   # Debian, Ubuntu",
            "sudo modprobe nvidia && nvidia-smi",
        ],
    )


def _explained(clue: Clue, log: Log) -> bool:
    """nvidia_uvm alone, or a refusal by Secure Boot, have findings of their own."""
    alone = _of_uvm(clue, log) and not log.first("kernel-driver-not-running", "smi-no-driver")
    return alone or "ey " in (clue.get("error") or "")


def _of_uvm(clue: Clue, log: Log) -> bool:
    """nvidia_uvm is built together with nvidia: where its file is not there, none is for this kernel."""
    unbuilt = (clue.get("error") or "").startswith("not found in directory") and not driver_answers(log)
    return (clue.get("module") or "").endswith("uvm") and not unbuilt


@question(Place.START)
def why_no_uvm(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("uvm-not-loaded")
    if clue is not None and not log.first("module-not-loadable", "other-driver-holds-gpu"):
        yield left(
            "The module nvidia_uvm could not be loaded, and it is not said why.",
            [told(clue)],
            {_UVM: "nvidia-smi works", _MODULE: "it does not: no module of NVIDIA's is loaded"},
            "nvidia-smi; lsmod | grep nvidia; sudo nvidia-modprobe -c 0 -u; sudo dmesg | tail",
        )


@question(Place.START)
def why_smi_fails(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """nvidia-smi is there and reaches no kernel module."""
    clue = log.first("smi-no-driver") or _nvml(log, "9")
    if clue is not None and not log.first("kernel-driver-not-running", "device-node-missing"):
        yield left(
            "nvidia-smi reaches no kernel module of NVIDIA's.",
            _evidence(clue, *log.all("secure-boot-state", "session-linux-driver-installed", "hybrid-off")[:2]),
            _remaining(log, snapshot),
            _SHOW,
        )


def _remaining(log: Log, snapshot: Snapshot) -> dict[str, str]:
    module = {_MODULE: "lspci lists the GPU, lsmod no nvidia module; dkms status lacks the kernel of uname -r"}
    secure = {_SECURE: "mokutil --sb-state says enabled, and dkms status that the module is installed"}
    nouveau = {_NOUVEAU: "lsmod lists nouveau or nova_core"}
    if on_wsl(log, snapshot):
        return {_LINUX_IN_WSL: "dpkg -l | grep -E 'nvidia-driver|libnvidia-compute' lists packages", **module}
    if log.first("hybrid-off"):
        return {_HYBRID: "prime-select query says intel, or /proc/acpi/bbswitch OFF", **module}
    if "true" in log.values("secure-boot-state", "enabled"):
        return {**secure, **module}
    return {**module, **secure, **nouveau}


@cause(_HYBRID, Place.START, explains=(_MODULE, *_FOLLOW))
def switched_off(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    cards = [clue for clue in log.all("display-controller") if clue.get("maker") == "NVIDIA"]
    off = [clue for clue in cards if clue.get("off") == "true"]
    if log.first("smi-no-driver", "cuinit-failed", "kernel-driver-not-running", "no-device", "smi-no-devices"):
        off += [clue for clue in log.all("hybrid-off") if "bbswitch" in clue.text.lower()]
    clue = next(iter(off), None)
    if clue is not None and not gpu_works(log):
        yield found(
            "The laptop's NVIDIA card is switched off.",
            [told(clue)],
            ["sudo prime-select nvidia && sudo reboot", "# Bumblebee: optirun python your_script.py"],
        )


@question(Place.START)
def why_no_gpu_probed(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("nvrm-no-gpu")
    if clue is not None:
        yield left(
            "NVIDIA's kernel module was loaded and got no GPU.",
            [told(clue)],
            {_NOUVEAU: "lspci -k says nouveau or NovaCore", "gpu-bound-to-vfio": "it says vfio-pci",
             "gpu-not-bound-to-driver": "it says nothing: this driver release does not support the card"},
            "lspci -nnk -d 10de:",
        )  # fmt: skip


@cause("gpu-not-bound-to-driver", Place.START, explains=(_MODULE, *_FOLLOW))
def unsupported(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("nvrm-gpu-unsupported")
    if clue is not None:
        branch = clue.get("branch")
        yield found(
            "This driver release does not support this GPU"
            f"{f': it needs the {branch} legacy driver' if branch else ', or needs the other kind of kernel module'}.",
            [told(clue)],
            ["lspci -nn -d 10de:", "ubuntu-drivers devices   # or NVIDIA's list of supported products"],
        )


@question(Place.START)
def why_not_found(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("smi-not-found", "smi-library-not-found") or _nvml(log, "12")
    if clue is None or gpu_works(log) or log.first("smi-no-driver", "kernel-driver-not-running"):
        return
    flag = {"docker-no-gpus-flag": "this is a container, and it was started without --gpus all"}
    none = {_NOT_INSTALLED: "lspci lists an NVIDIA GPU, and /proc/driver/nvidia is not there"}
    yield left(
        "There is no nvidia-smi here, or not the library that it needs.",
        [told(clue)],
        {**flag, **none} if in_container(log, snapshot) else {**none, **flag},
        "ls /.dockerenv /proc/driver/nvidia; lspci -nn -d 10de:",
    )


@question(Place.START)
def why_no_devices(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """nvidia-smi finds no GPU although the kernel module is there; or it cannot open one."""
    handles, none = log.all("smi-device-handle"), log.first("smi-no-devices")
    if not handles and none is None:
        return
    lost = {"gpu-lost": "sudo dmesg shows an Xid, or that the GPU has fallen off the bus"}
    tcc = {_TCC: "under WSL 2: nvidia-smi on Windows shows a card in TCC mode"}
    denied = {"device-node-permission": "it works as root alone"}
    mig = {"gpu-not-bound-to-driver": "sudo dmesg says that the card is not supported"}
    several = len({clue.get("device") for clue in handles}) > 1 and any(
        "nknown" in (clue.get("error") or "") for clue in handles
    )
    order = {**tcc, **lost} if on_wsl(log, snapshot) or (several and none) else {**lost, **tcc} if handles else None
    yield left(
        "The kernel module is there, and nvidia-smi cannot open a GPU.",
        _evidence(*handles[:2], none),
        order or {**lost, **denied, **mig},
        "sudo dmesg | grep -i -E 'xid|nvrm'; uname -r; nvidia-smi -L",
    )


@cause("wsl-gpu-in-tcc-mode", Place.START, explains=_FOLLOW)
def tcc(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """A GPU of this computer is in TCC mode, which WSL 2 cannot use.

    ## What it means
    Windows drives a data centre or workstation GPU in TCC mode as a pure computer, without WDDM. WSL 2 passes GPUs in
    through WDDM. One GPU in TCC mode can make WSL lose the others as well.

    ## Why it matters
    nvidia-smi in WSL says "GPU access blocked by the operating system" or "Unable to determine the device handle", and
    CUDA finds no GPU.

    ## How to fix
    In an administrator's PowerShell: `nvidia-smi -i <number> -dm 0` sets WDDM; then `wsl --shutdown`.

    ## References
    https://github.com/microsoft/WSL/issues/13027
    https://docs.nvidia.com/cuda/wsl-user-guide/
    """
    model, failed = log.first("driver-model"), log.first("access-blocked-by-system", "smi-device-handle")
    if failed is not None and model is not None:
        yield found(
            "WSL 2 may not use a GPU that Windows runs in TCC mode.",
            _evidence(failed, model),
            ["nvidia-smi -i 0 -dm 0   # in an administrator's PowerShell, for each GPU", "wsl --shutdown"],
        )


@question(Place.START)
def why_blocked(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("access-blocked-by-system")
    if clue is not None:
        yield left(
            "The operating system keeps the GPU from this program.",
            [told(clue)],
            {
                _TCC: "nvidia-smi on Windows shows TCC",
                _LINUX_IN_WSL: "dpkg lists libnvidia-compute-*",
            },
            "dpkg -l | grep libnvidia-compute; nvidia-smi.exe",
        )


@cause("device-node-permission", Place.START, explains=("cuda-init-failed", "nvml-no-permission"))
def not_permitted(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = _nvml(log, "4")
    if clue is not None:
        yield found(
            "This user may not open the GPU's device files.",
            [told(clue)],
            ["ls -l /dev/nvidia*", "sudo usermod -a -G video,render $USER   # then log in anew"],
        )


@cause("fabricmanager-not-running", Place.START, explains=("cuda-init-failed",))
def fabric(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("fabric-manager-version")
    stopped = log.first("fabric-manager-failed")
    idle = log.first("fabric-manager-idle")
    if clue is None and (stopped is None or idle is not None):
        return
    yield found(
        "The fabric manager is of another version than the driver."
        if clue
        else "The fabric manager, which joins the NVSwitches, does not run.",
        _evidence(clue, stopped),
        [
            "nvidia-smi --query-gpu=driver_version --format=csv",
            "sudo systemctl enable --now nvidia-fabricmanager   # of just this version",
        ],
        severity=None if clue or log.first("system-not-ready") else Severity.WARNING,
    )
