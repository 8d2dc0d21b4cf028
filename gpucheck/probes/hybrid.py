"""Laptops with two GPUs: which one prime-select chose, and whether bbswitch cut the power."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.host import Host

# nvidia-prime's prime-select writes on, off or on-demand there and calls them nvidia, intel and on-demand.
_PRIME = "/etc/prime-discrete"
_PROFILES = {"on": "nvidia", "off": "intel", "on-demand": "on-demand"}

_BBSWITCH = "/proc/acpi/bbswitch"  # "0000:01:00.0 OFF"


def prime(host: Host) -> Union[str, None, Gap]:
    """prime-select's profile; None: it was never used."""
    raw = host.read(_PRIME, 64)
    if not isinstance(raw, bytes):
        return raw
    word = raw.decode("ascii", "replace").strip()
    return _PROFILES.get(word) or Gap(f"not understood: {_PRIME}: {word[:32]!r}")


def bbswitch(host: Host) -> Union[str, None, Gap]:
    """ON or OFF; None: bbswitch is not loaded."""
    raw = host.read(_BBSWITCH, 256)
    if not isinstance(raw, bytes):
        return raw
    word = raw.decode("ascii", "replace").strip().rpartition(" ")[2]
    return word if word in ("ON", "OFF") else Gap(f"not understood: {_BBSWITCH}")
