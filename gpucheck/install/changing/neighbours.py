"""Read what is installed in an environment, with what it requires. What follows from it: choosing/neighbours.py."""

from __future__ import annotations

from gpucheck.install.changing.repair import site_packages
from gpucheck.install.choosing.neighbours import Neighbour


def neighbours(env: str) -> tuple[Neighbour, ...]:
    """Every distribution of an environment. One whose METADATA cannot be read requires nothing that is known."""
    from importlib.metadata import distributions

    from packaging.utils import canonicalize_name

    found = []
    for one in distributions(path=list(site_packages(env))):
        try:
            name, version, requires = one.metadata["Name"], one.version, tuple(one.requires or ())
        except (OSError, ValueError, KeyError, TypeError):  # damaged: the proof tells of it
            continue
        if name and version:
            found.append(Neighbour(canonicalize_name(name), version, requires))
    return tuple(found)
