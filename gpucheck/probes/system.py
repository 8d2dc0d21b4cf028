"""The computer and its system, before any GPU. Disks are in disks.py, containers in containers.py."""

from __future__ import annotations

from typing import Literal, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Python
from gpucheck.facts.system import Cpu, Firmware, System
from gpucheck.facts.versions import LibcVersion
from gpucheck.host import Host
from gpucheck.probes import containers, disks, waiting

_DMI = "/sys/class/dmi/id"
_EFI = "/sys/firmware/efi"
_SECONDS_FOR_DISKS = 1.0


def probe(host: Host, python: Union[Python, Gap]) -> System:
    """Collect everything; `python` says where an installation would write."""
    about = host.about()
    release = os_release(host)
    container = containers.kind(host)
    return System(
        os=about.os,
        distribution=release if isinstance(release, Gap) else release.get("PRETTY_NAME") or release.get("NAME"),
        distribution_id=release if isinstance(release, Gap) else release.get("ID"),
        kernel=about.kernel,
        machine=about.machine,
        libc=libc(host),
        wsl=wsl(host),
        container=container,
        uid=about.uid,
        groups=about.groups,
        memory_bytes=memory(host),
        cpu=cpu(host),
        secure_boot=secure_boot(host, container),
        selinux=selinux(host),
        suspends=suspends(host),
        disks=waiting.at_most(_SECONDS_FOR_DISKS, "measuring the disks", disks.probe, host, python),
        firmware=firmware(host),
    )


def os_release(host: Host) -> Union[dict[str, str], Gap]:
    """os-release(5): assignments that a shell could read. {}: there is no such file."""
    raw = host.read("/etc/os-release", 16384)
    if raw is None:
        raw = host.read("/usr/lib/os-release", 16384)
    if not isinstance(raw, bytes):
        return {} if raw is None else raw
    found: dict[str, str] = {}
    for line in raw.decode("utf-8", "replace").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            found[name] = value.strip("\"'").replace("\\", "")
    return found


def libc(host: Host) -> Union[LibcVersion, None, Gap]:
    """glibc's version; None on musl.

    The running interpreter knows (confstr, CS_GNU_LIBC_VERSION). Without its word the file's name tells up to glibc
    2.33 (libc-2.31.so); later ones are all called libc.so.6.
    """
    about = host.about()
    name, _, number = (about.libc or "").partition(" ")
    if name == "glibc" and (version := LibcVersion.parse(number)):
        return version
    triplet = f"{about.machine}-linux-gnu"
    for path in (f"/lib/{triplet}/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"):
        real = host.real(path)
        if isinstance(real, str):
            file = real.rpartition("/")[2]
            number = file.removeprefix("libc-").removesuffix(".so") if file.startswith("libc-") else ""
            return LibcVersion.parse(number) or Gap("only a program that runs on it can tell glibc's version")
    musl = host.stat(f"/lib/ld-musl-{about.machine}.so.1")
    return None if musl is not None and not isinstance(musl, Gap) else Gap("no libc was found", "unsupported")


def wsl(host: Host) -> Union[Literal[1, 2], None, Gap]:
    """Microsoft's own kernels say so in their release; for one built by the user the variables tell."""
    release = host.about().kernel.lower()
    if "microsoft" in release:
        return 2 if "wsl2" in release or "microsoft-standard" in release else 1
    if host.env("WSL_INTEROP") is None and host.env("WSL_DISTRO_NAME") is None:
        return None
    device = host.stat("/dev/dxg")
    return device if isinstance(device, Gap) else 2 if device is not None else None


def memory(host: Host) -> Union[int, None, Gap]:
    """RAM in bytes: MemTotal of /proc/meminfo, which counts in KiB."""
    raw = host.read("/proc/meminfo", 4096)
    if not isinstance(raw, bytes):
        return raw
    for line in raw.decode("ascii", "replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "MemTotal:" and words[1].isdigit() and len(words[1]) < 18:
            return int(words[1]) * 1024
    return Gap("no MemTotal in /proc/meminfo")


def cpu(host: Host) -> Union[Cpu, Gap]:
    """Model and AVX from the first processor of /proc/cpuinfo (the whole file takes milliseconds a hundred cores)."""
    about = host.about()
    x86 = about.machine in ("x86_64", "amd64", "AMD64", "i386", "i686")
    raw = host.read("/proc/cpuinfo", 8192)
    if not isinstance(raw, bytes):
        gap = raw if isinstance(raw, Gap) else Gap("not there: /proc/cpuinfo", "unsupported")
        return Cpu("", about.cpu_count, gap if x86 else None, gap if x86 else None)
    fields: dict[str, str] = {}
    for line in raw.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    model = fields.get("model name") or fields.get("Model") or fields.get("Hardware") or ""
    if not x86:
        return Cpu(model, about.cpu_count, None, None)
    if "flags" not in fields:
        gap = Gap("no flags in /proc/cpuinfo")
        return Cpu(model, about.cpu_count, gap, gap)
    flags = fields["flags"].split()
    return Cpu(model, about.cpu_count, "avx" in flags, "avx2" in flags)


def secure_boot(host: Host, container: Union[str, None, Gap]) -> Union[bool, None, Gap]:
    """The UEFI variable SecureBoot: four bytes of attributes, then 1 or 0 (kernel, efivarfs). None: no UEFI."""
    if isinstance(container, str):
        return Gap(f"in a container ({container}): the firmware's variables are not visible", "unsupported")
    if host.names(_EFI) is None:
        return None
    names = host.names(f"{_EFI}/efivars")
    if isinstance(names, Gap):
        return names
    if not names:
        return Gap(f"not mounted: {_EFI}/efivars", "unsupported")
    variable = next((name for name in names if name.startswith("SecureBoot-")), None)
    if variable is None:
        return False
    raw = host.read(f"{_EFI}/efivars/{variable}", 16)
    if not isinstance(raw, bytes):
        return raw if isinstance(raw, Gap) else Gap(f"not there any more: {variable}")
    return raw[4] == 1 if len(raw) == 5 else Gap(f"not five bytes: {variable}")


def selinux(host: Host) -> Union[Literal["enforcing", "permissive"], None, Gap]:
    """None: SELinux is not on."""
    raw = host.read("/sys/fs/selinux/enforce", 16)
    if not isinstance(raw, bytes):
        return raw
    return "enforcing" if raw.strip() == b"1" else "permissive"


def suspends(host: Host) -> Union[int, None, Gap]:
    """Successful suspends since boot (kernel, ABI/testing/sysfs-power). None: this kernel does not tell."""
    raw = host.read("/sys/power/suspend_stats/success", 32)
    if not isinstance(raw, bytes):
        return raw
    return int(raw) if raw.strip().isdigit() else Gap("no number: /sys/power/suspend_stats/success")


def firmware(host: Host) -> Union[Firmware, None, Gap]:
    """Model and BIOS (kernel, ABI/testing/sysfs-class-dmi: readable by everyone, unlike the serial numbers)."""
    found: list[Union[str, None]] = []
    for name in ("product_name", "bios_version", "bios_date"):
        raw = host.read(f"{_DMI}/{name}", 256)
        if isinstance(raw, Gap):
            return raw
        found.append(raw.decode("utf-8", "replace").strip() or None if raw is not None else None)
    return Firmware(*found) if any(found) else None
