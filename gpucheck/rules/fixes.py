"""Commands to print for this system. Words only: nothing here decides whether something is wrong.

Where a distribution's package names are not certain, a line names the manual instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpucheck.facts.gap import Gap, Unknown
from gpucheck.facts.snapshot import Snapshot
from gpucheck.rules.presence import family
from gpucheck.rules.systems import on_windows

_GUIDE = "# NVIDIA's guide: https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


def on_host(snapshot: Snapshot, lines: list[str]) -> list[str]:
    """The same lines, told as the host's business where this is a container: the driver is never the container's."""
    system = snapshot.system
    if isinstance(system, Gap) or isinstance(system.container, Gap) or system.container is None:
        return lines
    return [
        f"# this is a {system.container} container; on its host:",
        *(line if line.startswith("#") else f"# {line}" for line in lines),
    ]


# The manuals are in docker-no-gpus-flag's references.
_GIVE = {
    "docker": ["# start it anew, with the flag before the image's name:", "docker run --gpus all IMAGE"],
    "podman": ["podman run --device nvidia.com/gpu=all IMAGE", "# once on the host: nvidia-ctk cdi generate"],
    "kubernetes": ["# in the pod's resources: limits: {nvidia.com/gpu: 1}"],
    "apptainer": ["apptainer exec --nv IMAGE.sif python your_program.py"],
    "lxc": ["lxc config device add NAME gpu gpu && lxc config set NAME nvidia.runtime true"],
}


# What PowerShell shows of the driver's own words.
_WINDOWS = (
    "Get-WinEvent -MaxEvents 20 -FilterHashtable @{LogName='System'; ProviderName='nvlddmkm'}",
    '# restart Windows; if it comes back, install NVIDIA\'s driver anew ("clean installation")',
)


def _is_windows(snapshot: Snapshot) -> bool:
    try:
        return on_windows(snapshot)
    except Unknown:
        return False


RESTART = "shutdown /r /t 0  # restarts Windows at once"


def spoken(snapshot: Snapshot, lines: Iterable[str]) -> list[str]:
    """Lines for Linux's shells, in PowerShell's words where this is Windows: export and sudo."""
    return [_powershell(line) if _is_windows(snapshot) else line for line in lines]


def _powershell(line: str) -> str:
    before, export, rest = line.rpartition("export ")
    if export:
        name, _, value = rest.partition("=")
        return f'{before}$env:{name} = "{value}"'
    return line.replace("sudo ", "") + "  # in a PowerShell of an administrator" if "sudo " in line else line


def or_restart(snapshot: Snapshot, lines: list[str]) -> list[str]:
    """Lines that reset a GPU; Windows has no command for that but its own restart."""
    return [RESTART] if _is_windows(snapshot) else lines


def or_event_log(snapshot: Snapshot, lines: list[str]) -> list[str]:
    """Lines that look at what only Linux has; on Windows the driver's own words."""
    return list(_WINDOWS) if _is_windows(snapshot) else lines


def again(snapshot: Snapshot) -> list[str]:
    """How the driver's files come back on Windows, where its installer alone puts them."""
    return [*install_driver(snapshot), '# choose "clean installation" there']


def pass_gpu_in(kind: str) -> list[str]:
    """How a container of that kind is given GPUs."""
    return _GIVE.get(kind, ["# start it anew with the GPU passed in"])


def pass_node_in(kind: str, path: str) -> list[str]:
    """How it is given one device node that is missing: with all the others, or by its name."""
    by_name = [f"# or name it beside the nodes that it has: --device {path}"] if kind in ("docker", "podman") else []
    return [*pass_gpu_in(kind), *by_name]


def under_slurm(snapshot: Snapshot) -> bool:
    """In a job of Slurm's, which chooses the GPUs that a program may use."""
    environment = snapshot.environment
    return not isinstance(environment, Gap) and any(one.name.startswith("SLURM_") for one in environment.variables)


def on_machine(snapshot: Snapshot, lines: list[str]) -> list[str]:
    """Lines about the kernel half: of this Linux, of a container's host, or of Windows, under WSL too, which has it."""
    system = snapshot.system
    if _is_windows(snapshot):
        return list(_WINDOWS)
    if not isinstance(system, Gap) and system.wsl is not None and not isinstance(system.wsl, Gap):
        return ["# the driver is Windows': start WSL anew, in PowerShell:", "# wsl --shutdown"]
    return on_host(snapshot, lines)


def install_driver(snapshot: Snapshot) -> list[str]:
    """Ubuntu: ubuntu-drivers; Debian: its non-free package; Fedora: RPM Fusion's; others: NVIDIA's guide."""
    if _is_windows(snapshot):
        return ["# NVIDIA's driver for Windows: https://www.nvidia.com/en-us/drivers/ ; then restart Windows"]
    lines = {
        "ubuntu": ["sudo ubuntu-drivers install", "sudo reboot"],
        "debian": ["# needs non-free in /etc/apt/sources.list", "sudo apt install nvidia-driver", "sudo reboot"],
        "fedora": ["# needs RPM Fusion's nonfree repository", "sudo dnf install akmod-nvidia", "sudo reboot"],
        "arch": ["sudo pacman -S nvidia-open", "sudo reboot"],
    }
    return on_host(snapshot, [*lines.get(family(snapshot), []), _GUIDE])


def build_module(snapshot: Snapshot) -> list[str]:
    """The running kernel's headers, then the module."""
    headers = {
        "ubuntu": ["sudo apt install linux-headers-$(uname -r)"],
        "debian": ["sudo apt install linux-headers-$(uname -r)"],
        "fedora": ["sudo dnf install kernel-devel-$(uname -r)"],
        "rhel": ["sudo dnf install kernel-devel-$(uname -r)"],
    }
    builder = ["sudo dkms autoinstall"]
    if family(snapshot) == "fedora":
        builder = ["sudo akmods --force", "# with NVIDIA's own packages: sudo dkms autoinstall"]
    return on_host(snapshot, [*headers.get(family(snapshot), []), *builder, "sudo modprobe nvidia"])


def enroll_key(snapshot: Snapshot) -> list[str]:
    """Where the key lies that signed the module differs."""
    lines = {
        "ubuntu": ["sudo update-secureboot-policy --enroll-key", "sudo reboot"],
        "debian": ["sudo mokutil --import /var/lib/dkms/mok.pub", "sudo reboot"],
        "fedora": ["sudo mokutil --import /etc/pki/akmods/certs/public_key.der", "sudo reboot"],
    }
    return [
        *lines.get(family(snapshot), ["# enroll the module's signing key: sudo mokutil --import KEY.der, then reboot"]),
        "# or switch Secure Boot off in the firmware (cloud: in the machine's settings)",
    ]


def blacklist(snapshot: Snapshot, module: str) -> list[str]:
    """Keep a kernel driver from the card and out of the initial RAM disk."""
    ramdisk = {
        "ubuntu": "sudo update-initramfs -u",
        "debian": "sudo update-initramfs -u",
        "fedora": "sudo dracut --force",
        "rhel": "sudo dracut --force",
        "suse": "sudo dracut --force",
        "arch": "sudo mkinitcpio -P",
    }
    return [
        f"echo blacklist {module} | sudo tee /etc/modprobe.d/blacklist-{module}.conf",
        ramdisk.get(family(snapshot), "# rebuild the initial RAM disk"),
        "sudo reboot",
    ]


def install_libcuda(snapshot: Snapshot, version: object) -> list[str]:
    """The driver's compute library, of the very version of the module."""
    branch = str(version).split(".", maxsplit=1)[0] if version else ""
    lines = {
        "ubuntu": [f"sudo apt install libnvidia-compute-{branch}", "sudo ldconfig"] if branch else [],
        "debian": ["sudo apt install libcuda1", "sudo ldconfig"],
        "fedora": ["sudo dnf install xorg-x11-drv-nvidia-cuda-libs", "sudo ldconfig"],
    }
    generic = ["# install the driver's compute libraries, then:", "sudo ldconfig", _GUIDE]
    return _passed_in(snapshot) or lines.get(family(snapshot)) or generic


def install_nvml(snapshot: Snapshot, version: object) -> list[str]:
    """NVML's library; Ubuntu has it in the compute package, Debian in one of its own."""
    branch = str(version).split(".", maxsplit=1)[0] if version else ""
    lines = {
        "ubuntu": [f"sudo apt install libnvidia-compute-{branch}", "sudo ldconfig"] if branch else [],
        "debian": ["sudo apt install libnvidia-ml1", "sudo ldconfig"],
    }
    generic = ["# install the driver's utilities of the module's version", _GUIDE]
    return _passed_in(snapshot) or lines.get(family(snapshot)) or generic


def _passed_in(snapshot: Snapshot) -> list[str]:
    """Where the driver's libraries come from outside, a package of them would only be in the way."""
    system = snapshot.system
    if isinstance(system, Gap):
        return []
    if system.wsl is not None and not isinstance(system.wsl, Gap):
        return [
            "# they are Windows' and lie in /usr/lib/wsl/lib: install no driver package here, but let ldconfig see it"
        ]
    if system.container is not None and not isinstance(system.container, Gap):
        return [
            "# install no driver in the image: NVIDIA's container toolkit mounts the host's. Start the container with",
            "# NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        ]
    return []
