"""What the kernel, its module tools, DKMS and NVIDIA's installer print: dmesg, journalctl -k, modprobe, dkms, mokutil.

Wording: NVIDIA/open-gpu-kernel-modules 515 to 590 (kernel-open/nvidia/nv.c, nv-pci.c, osinit.c), the same lines of the
closed modules since 304; kmod; dkms; drivers/gpu/drm/nouveau; drivers/gpu/nova-core.
"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.words import between, said, version_after, word_after

_NVRM = "NVIDIA's kernel module, 304 to 590"
_KMOD = "kmod 20 to 34 (modprobe, insmod)"

Values = Union[dict[str, str], None]


def _xid(text: str) -> Values:
    """NVRM: Xid (PCI:0000:65:00): 79, pid=1234, name=python, GPU has fallen off the bus."""
    rest = text.partition("NVRM: Xid")[2]
    device = between(rest, "(", ")")
    after = rest.partition("): ")[2] if device else rest
    number = after.lstrip(" :").partition(",")[0].strip()
    if not number.isdigit() or len(number) > 4:
        return None
    values = {"xid": number, "device": (device or "").removeprefix("PCI:")}
    action = between(text, " to 0x", ")") if number == "154" else None
    return {**values, "action": action.partition("(")[2]} if action else values


def _mismatch(text: str) -> Values:
    """API mismatch: the client [… ]has the version 367.44, but [this kernel module has the version 367.35.]"""
    client = version_after(text.partition("client")[2], "the version")
    kernel = version_after(text.partition("this kernel module has")[2], "the version")
    values = {"dso_version": client, "kernel_version": kernel}
    return {name: value for name, value in values.items() if value}


def _module_version(text: str) -> Values:
    version = version_after(text, "this kernel module has the version")
    return {"kernel_version": version} if version else None


def _loading(text: str) -> Values:
    version = version_after(text, "Kernel Module for x86_64 ") or version_after(text, "Kernel Module ")
    version = version or version_after(text, "Kernel Module for aarch64 ")
    return {"kernel_version": version} if version else None


def _module(text: str) -> Values:
    """could not insert 'nvidia': Key was rejected by service; Module nvidia not found in directory /lib/modules/…"""
    name = between(text, "insert '", "'") or word_after(text, "Module ") or between(text, "by name='", "'")
    if name is None or not name.replace("-", "_").startswith("nvidia"):
        return None
    error = text.partition("': ")[2].strip() or text.partition("not found in directory")[1]
    kernel = text.partition("/lib/modules/")[2].partition("/")[0].strip(" .'\"")
    values = {"module": name, "error": error, "kernel": kernel}
    return {key: value for key, value in values.items() if value}


def _rejected(text: str) -> Values:
    """Of NVIDIA's module, or of one that is not named."""
    name = between(text, "insert '", "'") or between(text, "module '", "'")
    return {} if name is None or "nvidia" in name else None


def _insmod(text: str) -> Values:
    return {"error": text.rpartition(": ")[2].strip()} if "nvidia" in text else None


def _fell(text: str) -> Values:
    device = (between(text, "NVRM: GPU ", " ") or "").rstrip(":.")
    return {"device": device} if ":" in device else {}


def _unsupported(text: str) -> Values:
    branch = between(text, "NVIDIA ", " Legacy")
    return {"branch": branch} if branch else {}


def _init_failed(text: str) -> Values:
    device = between(text, "NVRM: GPU ", " ")
    code = between(text, "failed! (", ")") or between(text, "failed: (", ")")
    values = {"device": (device or "").rstrip(":"), "error": code or ""}
    return {key: value for key, value in values.items() if value}


def _dkms(text: str) -> Values:
    """nvidia/535.161.08, 6.5.0-26-generic, x86_64: installed; nvidia, 470.82.00: added"""
    if not text.startswith("nvidia") or ": " not in text:
        return None
    front, _, status = text.rpartition(": ")
    words = front.replace("/", ", ").split(", ")
    if len(words) < 2 or not words[1][:1].isdigit():
        return None
    values = {"kernel_version": words[1], "status": status.split(" ")[0]}
    return {**values, "kernel": words[2]} if len(words) > 2 else values


def _dkms_failed(text: str) -> Values:
    kernel = between(text, "build on kernel: ", " (") or between(text, "for kernel: ", " (")
    return {"kernel": kernel} if kernel else {}


def _bound(text: str) -> Values:
    """lspci -k: ``Kernel driver in use: nouveau``"""
    driver = word_after(text, "Kernel driver in use:")
    return {"driver": driver} if driver and driver.startswith(("nvidia", "nouveau", "vfio", "Nova", "nova")) else None


def _lspci(text: str) -> Values:
    """01:00.0 VGA compatible controller: NVIDIA Corporation …: is there an NVIDIA GPU at all?"""
    at = max(text.find("VGA compatible controller"), text.find("3D controller"), text.find("Display controller"))
    if at < 0 or ":" not in text[:at]:
        return None
    name = text[at:].partition(": ")[2]
    maker = next((one for one in ("NVIDIA", "AMD", "Intel") if one in name), "other")
    return {"maker": maker, "off": str("rev ff" in text).lower()}


def _secure_boot(text: str) -> Values:
    return {"enabled": str("enabled" in text).lower()}


MESSAGES = (
    Message(
        "xid",
        ("NVRM: Xid",),
        _xid,
        "The driver reports an error of a GPU by a number.",
        look=("sudo dmesg | grep -i xid", "nvidia-smi -q -d ECC,ROW_REMAPPER,TEMPERATURE"),
        source=f"{_NVRM}; numbers: gpucheck/compat/codes/xids.py",
    ),
    Message(
        "nvrm-api-mismatch",
        ("API mismatch",),
        _mismatch,
        "A program of one driver version called the kernel module of another: updated, and not restarted since.",
        look=("cat /proc/driver/nvidia/version", "sudo reboot"),
        source=_NVRM,
    ),
    Message(
        "nvrm-module-version",
        ("this kernel module has the version",),
        _module_version,
        "The version of the loaded kernel module.",
        source=_NVRM,
    ),
    Message(
        "nvrm-loading",
        ("NVRM: loading NVIDIA", "NVIDIA UNIX Open Kernel Module", "NVRM version: NVIDIA UNIX"),
        _loading,
        "The kernel module was loaded; its version stands in the line.",
        source=_NVRM,
    ),
    Message(
        "gpu-fell-off-the-bus",
        ("fallen off the bus",),
        _fell,
        "The GPU does not answer on the PCI bus any more: power, heat, the slot, or the GPU.",
        look=("lspci -nn -d 10de:", "sudo dmesg | grep -i -E 'xid|pcie'"),
        source=_NVRM,
    ),
    Message(
        "other-driver-holds-gpu",
        ("NVRM: nouveau, rivafb, nvidiafb or rivatv", "nouveau, rivafb", "This can occur when a driver such as",
         "NVRM: Try unloading the conflicting kernel module", "was loaded and obtained ownership",
         "The Nouveau kernel driver is currently in use"),
        said,
        "Another kernel driver, nouveau mostly, took the GPU before NVIDIA's module came.",
        look=("lspci -nnk -d 10de:", "lsmod | grep -E 'nouveau|nova'"),
        source=f"{_NVRM}; nvidia-installer",
    ),
    Message(
        "nouveau-bound",
        ("nouveau 0000:", "fb: switching to nouveaufb", "nouveaudrmfb", "nouveau: probe of"),
        said,
        "The kernel's own driver nouveau runs this GPU.",
        look=("lspci -nnk -d 10de:",),
        source="drivers/gpu/drm/nouveau, Linux 3 to 7",
    ),
    Message(
        "nova-bound",
        ("NovaCore 0000:", "bound to NovaCore", "already bound to Nova"),
        said,
        "The kernel's own driver nova-core runs this GPU.",
        look=("lspci -nnk -d 10de:",),
        source="drivers/gpu/nova-core, Linux 6.15 to 7",
    ),
    Message(
        "nvrm-no-gpu",
        ("NVRM: No NVIDIA GPU found", "NVRM: No NVIDIA graphics adapter found", "No NVIDIA devices probed",
         "NVRM: None of the NVIDIA", "probe routine was not called for", "NVRM: No NVIDIA devices"),
        said,
        "The kernel module was loaded and got no GPU: there is none, or another driver holds it.",
        look=("lspci -nnk -d 10de:", "lsmod | grep -E 'nouveau|nova|vfio'"),
        source=_NVRM,
    ),
    Message(
        "nvrm-gpu-unsupported",
        ("Legacy drivers. Please",
            "NVIDIA Legacy drivers",
            "installed in this system is not supported",
            "is not supported by the NVIDIA",
            "requires use of the NVIDIA open kernel modules",
            "because it does not include the required GPU",
        ),
        _unsupported,
        "This driver release does not support this GPU: too old, too new, or the other kind of module is needed.",
        look=("lspci -nn -d 10de:", "cat /proc/driver/nvidia/version"),
        source=_NVRM,
    ),
    Message(
        "nvrm-init-failed",
        ("RmInitAdapter failed", "rm_init_adapter failed", "probe routine failed for", "NVRM: Cannot initialize"),
        _init_failed,
        "The kernel module found the GPU and could not start it.",
        look=("sudo dmesg | grep -i nvrm", "lspci -vv -d 10de:"),
        source=_NVRM,
    ),
    Message(
        "nvrm-bar-invalid",
        ("assigned to your NVIDIA device is invalid", "PCI I/O region assigned to your NVIDIA device"),
        said,
        "The firmware or hypervisor gave the GPU no room for its memory.",
        look=("# firmware: Above 4G Decoding on; a virtual machine: a larger MMIO window",),
        source=_NVRM,
    ),
    Message(
        "module-key-rejected",
        ("Key was rejected by service", "Required key not available", "Loading of unsigned module is rejected",
         "unsigned module loading is restricted",
         "Loading of module with unavailable key is rejected", "module signature verification"),
        _rejected,
        "Secure Boot refused the kernel module: it is not signed with a key that this computer trusts.",
        look=("mokutil --sb-state", "sudo mokutil --import /var/lib/shim-signed/mok/MOK.der"),
        source="Linux kernel/module/signing.c; security/lockdown",
    ),
    Message(
        "module-tainting",
        ("tainting kernel", "taints kernel"),
        said,
        "The kernel notes that a module from outside was loaded.",
        harmless="The kernel says that of every module that is not its own; it was loaded.",
        source="Linux kernel/module",
    ),
    Message(
        "module-not-loadable",
        ("could not insert", "not found in directory", "could not find module by name",
         "modprobe: FATAL: Module nvidia"),
        _module,
        "The kernel module could not be loaded; the words after it say why.",
        look=("dkms status", "uname -r", "mokutil --sb-state", "sudo dmesg | tail"),
        source=_KMOD,
    ),
    Message(
        "insmod-failed",
        ("insmod: ERROR:",),
        _insmod,
        "The kernel module could not be loaded; the words after it say why.",
        look=("sudo dmesg | tail",),
        source=_KMOD,
    ),
    Message(
        "installer-module-failed",
        ("Unable to load the kernel module", "Unable to load the nvidia-drm", "Kernel module compilation complete",
         "Unable to build the NVIDIA kernel module", "Failed to install the kernel module through DKMS",
         "occurred while performing the step:"),
        lambda text: {} if "complete" not in text else None,
        "NVIDIA's installer could not build or load its kernel module.",
        look=("less /var/log/nvidia-installer.log",),
        source="NVIDIA/nvidia-installer 340 to 590",
    ),
    Message(
        "dkms-build-failed",
        ("Bad return status for module build on kernel", "Error! Your kernel headers for kernel", "dkms autoinstall"),
        _dkms_failed,
        "DKMS could not build the kernel module for this kernel, so there is none for it.",
        look=("dkms status", "less /var/lib/dkms/nvidia/*/build/make.log"),
        source="dell/dkms 2.2 to 3.2",
    ),
    Message(
        "dkms-status",
        (": installed", ": added", ": built"),
        _dkms,
        "For which kernels DKMS has built the module.",
        look=("uname -r",),
        source="dell/dkms 2.2 to 3.2",
    ),
    Message(
        "kernel-driver-in-use",
        ("Kernel driver in use:",),
        _bound,
        "The kernel driver that holds this card.",
        source="pciutils (lspci -k)",
    ),
    Message(
        "display-controller",
        ("VGA compatible controller", "3D controller", "Display controller"),
        _lspci,
        "A graphics card on the PCI bus.",
        source="pciutils (lspci)",
    ),
    Message(
        "secure-boot-state",
        ("SecureBoot enabled", "SecureBoot disabled", "Secure boot enabled", "Secure boot disabled",
         "Secure Boot enabled"),
        _secure_boot,
        "Whether Secure Boot is on.",
        source="mokutil; Linux arch/x86/kernel/setup.c",
    ),
    Message(
        "hybrid-off",
        ("bbswitch: disabling discrete graphics", "prime-select intel", "Discrete card 0000"),
        lambda text: {} if "bbswitch" in text or "prime-select" in text or "Discrete card" in text else None,
        "The laptop's NVIDIA card is switched off.",
        look=("prime-select query", "cat /proc/acpi/bbswitch"),
        source="Bumblebee-Project/bbswitch; ubuntu-drivers-common",
    ),
    Message(
        "kernel-module-for-other",
        ("disagrees about version of symbol", "version magic"),
        lambda text: {} if "nvidia" in text.lower() else None,
        "The module was built for another kernel.",
        look=("uname -r", "dkms status"),
        source="Linux kernel/module",
    ),
)  # fmt: skip
