"""Module files of the driver for the running kernel: what modprobe could load."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.host import Host

# NVIDIA's installer; DKMS of Debian and of others; Fedora's kmod and akmod; RHEL's precompiled and weak-updates;
# Ubuntu's signed modules (kernel/nvidia-550); Arch.
_FOLDERS = (
    *("kernel/drivers/video", "kernel", "updates", "updates/dkms", "extra", "extra/drivers/video", "weak-updates"),
    *("extramodules", "misc"),
)
_COMPANIONS = ("-uvm", "-drm", "-modeset", "-peermem")


def probe(host: Host, container: Union[str, None, Gap]) -> Union[tuple[str, ...], Gap]:
    """nvidia.ko and its other names (nvidia-current.ko, .xz, .zst) for the running kernel."""
    base = f"/lib/modules/{host.about().kernel}"
    names = host.names(base)
    if isinstance(names, Gap):
        return names
    if names is None:
        place = f"in this container ({container})" if isinstance(container, str) else "on this machine"
        return Gap(f"no {base} {place}: the kernel's modules are not visible", "unsupported")
    found: list[str] = []
    unread: Union[Gap, None] = None
    for folder in _FOLDERS:
        for place in _with_nvidia_folders(host, f"{base}/{folder}"):
            entries = host.names(place)
            if isinstance(entries, Gap):
                unread = entries
            elif entries is not None:
                found += [f"{place}/{name}" for name in entries if is_driver_module(name)]
    return tuple(found) if found or unread is None else unread


def _with_nvidia_folders(host: Host, folder: str) -> list[str]:
    names = host.names(folder)
    inside = names if isinstance(names, tuple) else ()
    return [folder, *(f"{folder}/{name}" for name in inside if name.startswith("nvidia") and ".ko" not in name)]


def is_driver_module(name: str) -> bool:
    """nvidia.ko itself: neither its companions (nvidia-uvm.ko) nor others' modules of that maker (nvidiafb.ko)."""
    stem, dot, kind = name.partition(".")
    if not dot or kind not in ("ko", "ko.xz", "ko.zst", "ko.gz"):
        return False
    kinds = ("nvidia", "nvidia-current", "nvidia-open", "nvidia_open")
    return stem in kinds or (stem.startswith(("nvidia-tesla", "nvidia-legacy")) and not stem.endswith(_COMPANIONS))
