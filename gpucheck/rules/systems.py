"""Which system a snapshot is of. No rules here."""

from __future__ import annotations

from gpucheck.facts.gap import need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.windows import Windows


def pci_source(snapshot: Snapshot) -> str:
    """Where the cards were seen, for evidence."""
    return "/sys/bus/pci/devices" if snapshot.windows is None else "display adapters in the registry"


def on_windows(snapshot: Snapshot) -> bool:
    """Native Windows; WSL is a Linux.

    Raises
    ------
    Unknown: neither the system nor what only Windows has was recorded.
    """
    if snapshot.windows is None:
        return False
    return isinstance(snapshot.windows, Windows) or need(snapshot.system).os == "windows"
