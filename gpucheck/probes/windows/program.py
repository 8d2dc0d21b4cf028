"""The program that loads DLLs: the interpreter that the examined environment really starts, seen as Windows sees it."""

from __future__ import annotations

from typing import Union

from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Python
from gpucheck.host import Host
from gpucheck.probes.environments import read_config
from gpucheck.probes.windows.loader import Program, conda_folders

# The Microsoft Store's package names its folders so; what lies in WindowsApps itself are names that lead there.
_STORE = "\\windowsapps\\"


def probe(host: Host, examined: Union[Python, Gap]) -> Program:
    """What the loader has to know of it; as little as is known."""
    if isinstance(examined, Gap):
        return Program()
    folder = home(host, examined)
    machine = examined.machine if isinstance(examined.machine, str) else "x86_64"
    return Program(machine, folder, store(host, examined) is True, _activated(host, examined))


def home(host: Host, examined: Python) -> Union[str, None]:
    """The folder of the base's python.exe: a virtual environment's own one only starts that."""
    if isinstance(examined.prefix, str):
        config = host.read(paths.join(examined.prefix, "pyvenv.cfg"))
        if isinstance(config, bytes):
            return read_config(config).get("home")
    real = examined.real_executable
    return paths.parent(real) if isinstance(real, str) else None


def store(host: Host, examined: Union[Python, Gap]) -> Union[bool, Gap]:
    """Is it the Microsoft Store's Python, which runs as a packaged program?"""
    if isinstance(examined, Gap):
        return examined
    places = [examined.executable, home(host, examined), examined.real_executable]
    return any(_STORE in f"{place}\\".lower() for place in places if isinstance(place, str))


def _activated(host: Host, examined: Python) -> tuple[str, ...]:
    """A conda environment is run activated; where it is not now, it would be when its user runs it."""
    if examined.environment != "conda" or not isinstance(examined.prefix, str):
        return ()
    active = host.env("CONDA_PREFIX") or ""
    return () if paths.key(active) == paths.key(examined.prefix) else conda_folders(examined.prefix)
