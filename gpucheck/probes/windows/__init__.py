"""Probes of a Windows machine: Host -> fact, one module per subject. Loaded where the flavour is "windows" alone.

Paths that come from here have backslashes. What Windows shares with Linux (what a wheel holds, how NVML answered) is
looked at by the modules of gpucheck.probes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def probes() -> tuple[Callable[..., Any], ...]:
    """Python, system, toolkits, loader, libraries, driver and switches, as gpucheck.probes.look.Probes has them."""
    from gpucheck.probes.windows import driver, libraries, loader, program, python, switches, system, toolkits

    def loader_of(host: Any, examined: Any) -> loader.Loader:
        return loader.Loader(host, program.probe(host, examined))

    return python.probe, system.probe, toolkits.probe, loader_of, libraries.probe, driver.probe, switches.probe
