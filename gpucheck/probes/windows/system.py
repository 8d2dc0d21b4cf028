"""The computer and its Windows: what the registry tells of them."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.registry import CPU, SECURE_BOOT, WINDOWS
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Python
from gpucheck.facts.system import Cpu, System
from gpucheck.host import Host
from gpucheck.probes import disks, waiting
from gpucheck.probes.windows import keys
from gpucheck.probes.windows.separators import with_backslashes

_SECONDS_FOR_DISKS = 1.0
_WINDOWS_11 = 22000  # its first build: the registry calls it Windows 10 still


def probe(host: Host, python: Union[Python, Gap]) -> System:
    """Collect everything; `python` says where an installation would write."""
    about = host.about()
    measured = waiting.at_most(_SECONDS_FOR_DISKS, "measuring the disks", disks.probe, host, python)
    return System(
        os="windows",
        distribution=_name(host),
        distribution_id=None,
        kernel=about.kernel,
        machine=about.machine,
        libc=None,
        wsl=None,
        container=None,
        uid=about.uid,
        groups=about.groups,
        memory_bytes=Gap("not recorded", "not-collected") if about.memory_bytes is None else about.memory_bytes,
        cpu=_cpu(host),
        secure_boot=_secure_boot(host),
        selinux=None,
        suspends=None,
        disks=with_backslashes(measured),
    )


def _name(host: Host) -> Union[str, None, Gap]:
    """ "Windows 11 Pro 23H2"."""
    read = keys.values(host, WINDOWS)
    if read is None or isinstance(read, Gap):
        return read
    name, build = read.get("productname", ""), read.get("currentbuildnumber", "")
    if build.isdecimal() and int(build) >= _WINDOWS_11:
        name = name.replace("Windows 10", "Windows 11")
    return f"{name} {read.get('displayversion') or read.get('releaseid') or ''}".strip() or None


def _cpu(host: Host) -> Union[Cpu, Gap]:
    """The model from the registry; AVX as Windows told this process."""
    about = host.about()
    read = keys.values(host, CPU)
    if isinstance(read, Gap):
        return read
    model = " ".join((read or {}).get("processornamestring", "").split())
    if about.machine not in ("x86_64", "i686"):
        return Cpu(model, about.cpu_count, None, None)
    avx = Gap("Windows did not tell", "not-collected") if about.avx is None else about.avx
    return Cpu(model, about.cpu_count, avx, Gap("not asked for on Windows", "not-collected"))


def _secure_boot(host: Host) -> Union[bool, None, Gap]:
    value = keys.value(host, SECURE_BOOT, "UEFISecureBootEnabled")
    return value if value is None or isinstance(value, Gap) else value == "1"
