"""NVSwitch and its fabric manager (HGX, DGX): without the latter CUDA answers "system not ready" (802)."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.driver import Fabric
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion
from gpucheck.host import Host

_SWITCHES = "/proc/driver/nvidia-nvswitch/devices"
_PID_FILE = "/run/nvidia-fabricmanager/nv-fabricmanager.pid"  # PID_FILE_PATH of fabricmanager.cfg
_COMM = "nv-fabricmanage"  # the kernel keeps fifteen letters of a name


def probe(
    host: Host, container: Union[str, None, Gap], packages: Union[tuple[str, ...], Gap]
) -> Union[Fabric, None, Gap]:
    """None: no NVSwitch."""
    names = host.names(_SWITCHES)
    if isinstance(names, Gap):
        return names
    if not names:
        return None
    return Fabric(len(names), _running(host, container), _version(packages))


def _running(host: Host, container: Union[str, None, Gap]) -> Union[bool, Gap]:
    if isinstance(container, str):
        return Gap(f"in a container ({container}): the host's processes are not visible", "unsupported")
    pid = host.read(_PID_FILE, 32)
    if isinstance(pid, bytes) and pid.strip().isdigit():
        return _is_it(host, pid.decode().strip())
    processes = host.names("/proc")
    if not isinstance(processes, tuple) or not isinstance(host.read("/proc/1/comm", 64), bytes):
        # mount option hidepid (proc(5)): a user sees only his own
        return Gap("other users' processes are hidden here", "denied")
    return any(_is_it(host, name) is True for name in processes if name.isdigit())


def _is_it(host: Host, pid: str) -> Union[bool, Gap]:
    name = host.read(f"/proc/{pid}/comm", 64)
    return name if isinstance(name, Gap) else name is not None and name.decode("utf-8", "replace").startswith(_COMM)


def _version(packages: Union[tuple[str, ...], Gap]) -> Union[DriverVersion, None, Gap]:
    """From Debian's package: the program itself is not run."""
    if isinstance(packages, Gap):
        return packages
    for package in packages:
        name, _, version = package.partition(" ")
        if name.startswith("nvidia-fabricmanager"):
            upstream = (version.partition(":")[2] or version).partition("-")[0]
            return DriverVersion.parse(upstream)
    return Gap("the fabric manager is not a Debian package; its version was not asked", "unsupported")
