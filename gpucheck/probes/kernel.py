"""The kernel half of the driver: what is loaded. Files that could be loaded are in module_files.py and dkms.py."""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion
from gpucheck.host import Host

_VERSION_FILE = "/proc/driver/nvidia/version"
_SYSFS_FILE = "/sys/module/nvidia/version"

# What bears on an NVIDIA GPU, of the some hundred modules that a kernel has loaded.
_NAMES = ("bbswitch", "amdgpu", "radeon", "i915", "xe")
_PREFIXES = ("nvidia", "nouveau", "nova", "vfio")


class Module(NamedTuple):
    """The loaded kernel module."""

    version: Union[DriverVersion, None, Gap]
    source: Union[str, None]
    open: Union[bool, None, Gap]


def module(host: Host) -> Module:
    """The loaded module's version, and whether it is the open one."""
    told = host.read(_VERSION_FILE, 4096)
    if isinstance(told, bytes):
        return _parsed(told.decode("utf-8", "replace"))
    raw = host.read(_SYSFS_FILE, 256)
    if isinstance(raw, bytes):
        version = DriverVersion.parse(raw.decode("ascii", "replace").strip())
        unknown = Gap(f"{_VERSION_FILE} is not there, and nothing else tells", "unsupported")
        return Module(version or Gap(f"no version in {_SYSFS_FILE}"), _SYSFS_FILE, unknown)
    unread = told if isinstance(told, Gap) else raw if isinstance(raw, Gap) else None
    return Module(unread, None, unread)


def _parsed(text: str) -> Module:
    """Read /proc/driver/nvidia/version.

    Its first line comes in these forms (NVIDIA's driver README, "Open Linux Kernel Modules"; nixGL issues 121 and 139):

        NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024
        NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build  (dvs-builder@U16-A24-9-2)
        NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  35.3.1  Release Build  (buildbrain@mobile-u64-6289)

    The last is a Jetson's: the number is that of its system, not a driver version.
    """
    line = next((line for line in text.splitlines() if line.startswith("NVRM version")), "")
    words = line.partition(":")[2].split()
    number = next((word for word in words if word[0].isdigit() and "." in word), None)
    is_open = "Open" in words
    version = DriverVersion.parse(number) if number else None
    if version is None:
        return Module(Gap(f"no version in {_VERSION_FILE}"), _VERSION_FILE, is_open if words else Gap("nothing told"))
    if "aarch64" in words and version.major < 100:
        reason = f"{number} is a Jetson's system version, not a driver version"
        return Module(Gap(reason, "unsupported"), _VERSION_FILE, is_open)
    return Module(version, _VERSION_FILE, is_open)


def modules(host: Host) -> Union[tuple[str, ...], Gap]:
    """The loaded modules that bear on an NVIDIA GPU."""
    listed = host.read("/proc/modules", 1 << 20)
    if isinstance(listed, bytes):
        names = [line.split(" ", 1)[0] for line in listed.decode("ascii", "replace").splitlines()]
    else:
        # A kernel without loadable modules has no such file; /sys/module names built-in ones, too.
        entries = host.names("/sys/module")
        if not isinstance(entries, tuple):
            unread = listed if isinstance(listed, Gap) else entries
            return unread if isinstance(unread, Gap) else Gap("neither /proc/modules nor /sys/module is there")
        names = list(entries)
    return tuple(sorted(name for name in names if _of_interest(name)))


def _of_interest(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)
