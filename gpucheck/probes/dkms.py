"""DKMS: which nvidia modules it built for which kernels."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.driver import DkmsBuild
from gpucheck.facts.gap import Gap
from gpucheck.host import Host

_DKMS = "/var/lib/dkms"
_NO_KERNELS = ("source", "build", "tarball", "deb", "rpm")


def probe(host: Host, container: Union[str, None, Gap]) -> Union[tuple[DkmsBuild, ...], Gap]:
    """DKMS's nvidia modules: dkms(8), /var/lib/dkms/<module>/<version>/<kernel>/<arch>.

    A version that was added and has nothing for the running kernel is listed as not installed for it.
    """
    if isinstance(container, str):
        return Gap(f"in a container ({container}): the host's DKMS is not visible", "unsupported")
    entries = host.names(_DKMS)
    if not isinstance(entries, tuple):
        return () if entries is None else entries
    builds: list[DkmsBuild] = []
    for name in entries:
        if name.startswith("nvidia") and "fs" not in name:
            found = _builds(host, f"{_DKMS}/{name}")
            if isinstance(found, Gap):
                return found
            builds += found
    return tuple(builds)


def _builds(host: Host, folder: str) -> Union[list[DkmsBuild], Gap]:
    entries = host.names(folder)
    if not isinstance(entries, tuple):
        return [] if entries is None else entries
    # "kernel-<kernel>-<arch>" are links to what is installed.
    links = [name for name in entries if name.startswith("kernel-")]
    running = host.about().kernel
    builds: list[DkmsBuild] = []
    for version in (name for name in entries if not name.startswith("kernel-") and name[:1].isdigit()):
        inside = host.names(f"{folder}/{version}")
        if isinstance(inside, Gap):
            return inside
        kernels = [name for name in inside or () if name not in _NO_KERNELS]
        for kernel in kernels:
            installed = any(_leads(host, folder, link, version, kernel) for link in links)
            builds.append(DkmsBuild(version, kernel, installed))
        if inside is not None and running not in kernels:
            builds.append(DkmsBuild(version, running, False))
    return builds


def _leads(host: Host, folder: str, link: str, version: str, kernel: str) -> bool:
    if not link.startswith(f"kernel-{kernel}-"):
        return False
    real = host.real(f"{folder}/{link}")
    return not isinstance(real, str) or f"/{version}/" in f"{real}/"
