"""Lines about what Windows calls otherwise: its driver is no kernel module and no lib*.so. Part of `summary`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.windows import Adapter, Windows
from gpucheck.render.text import listed, say


def of(snapshot: Snapshot) -> Union[Windows, None]:
    """What only Windows has; None: another system, or it is not known."""
    return snapshot.windows if isinstance(snapshot.windows, Windows) else None


def adapters(windows: Windows) -> str:
    """What the registry has for display adapters that are in the computer."""
    if isinstance(windows.adapters, Gap):
        return say(windows.adapters)
    return listed([_adapter(one) for one in windows.adapters if one.present is not False], 4) or "none"


def _adapter(one: Adapter) -> str:
    pci = f" ({one.vendor}:{one.device})" if one.vendor else ""
    return f"{one.name}{pci}"


def has_driver(windows: Windows) -> bool:
    """Does an adapter have a driver of NVIDIA's, or is that not known?"""
    return isinstance(windows.adapters, Gap) or bool(_of_nvidia(windows.adapters))


def _of_nvidia(found: tuple[Adapter, ...]) -> list[Adapter]:
    return [one for one in found if one.present is not False and one.nvidia_version is not None]


def driver_rows(windows: Windows) -> Iterator[str]:
    """One row for each version of NVIDIA's driver."""
    if isinstance(windows.adapters, Gap):
        yield f"display driver {say(windows.adapters)}"
        return
    found = _of_nvidia(windows.adapters)
    for version in dict.fromkeys(f"{say(one.nvidia_version)} (in Windows: {say(one.driver_version)})" for one in found):
        yield f"display driver {version}"
    if not found:
        yield "display driver of NVIDIA none"
