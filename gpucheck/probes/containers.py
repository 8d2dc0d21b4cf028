"""Is this a container, and of which kind? No single sign is there in all of them."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.host import Host

# A file that only such a container has, and what it tells.
_SIGNS = (
    ("/run/secrets/kubernetes.io", "kubernetes"),
    ("/var/run/secrets/kubernetes.io", "kubernetes"),
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
    ("/.singularity.d", "apptainer"),
)
# A part of a path in /proc/1/cgroup (cgroup v1, or v2 without a namespace of its own).
_CGROUPS = (("/kubepods", "kubernetes"), ("/docker", "docker"), ("libpod", "podman"), ("/lxc", "lxc"))


def kind(host: Host) -> Union[str, None, Gap]:
    """docker, podman, kubernetes, lxc, apptainer, systemd-nspawn …; None: not in a container as far as signs go."""
    if host.env("APPTAINER_CONTAINER") or host.env("SINGULARITY_CONTAINER"):
        return "apptainer"
    unknown: Union[Gap, None] = None
    for path, name in _SIGNS:
        status = host.stat(path)
        if isinstance(status, Gap):
            unknown = status
        elif status is not None:
            return name
    # systemd's container interface: the variable for the first process, the file for all others.
    told = host.env("container") or _word(host.read("/run/systemd/container", 64))
    if told:
        return told
    groups = host.read("/proc/1/cgroup", 8192)
    if not isinstance(groups, bytes):
        return groups if isinstance(groups, Gap) else unknown
    lines = groups.decode("utf-8", "replace")
    return next((name for part, name in _CGROUPS if part in lines), unknown)


def _word(raw: Union[bytes, None, Gap]) -> str:
    return raw.decode("ascii", "replace").strip() if isinstance(raw, bytes) else ""
