"""What stays in an environment has requirements of its own, which installers do not look at. Pure.

Neither pip nor uv asks what is installed whether it can live with what comes: a TensorFlow is put beside a torch
that pins another cuDNN, and the conflict is only told afterwards. Reading an environment is changing/neighbours.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpucheck.facts.plan import Package

if TYPE_CHECKING:
    from packaging.requirements import Requirement


class Neighbour(NamedTuple):
    """A distribution that is installed. name: normalised. requires: Requires-Dist of its METADATA, as written."""

    name: str
    version: str
    requires: tuple[str, ...]


class Unmet(NamedTuple):
    """What a neighbour asks for, and what would come instead."""

    neighbour: Neighbour
    requirement: str  # nvidia-cudnn-cu12==9.1.0.70, without its marker
    coming: Package

    def __str__(self) -> str:
        one = self.neighbour
        return f"{one.name} {one.version} needs {self.requirement}, and {self.coming.version} would come"


def unmet(
    packages: Sequence[Package], neighbours: Sequence[Neighbour], leaving: Iterable[str], environment: Mapping[str, str]
) -> tuple[Unmet, ...]:
    """Requirements of what stays that hold now, and would no longer.

    Parameters
    ----------
    leaving: names of distributions that are uninstalled first. environment: what markers are judged by (PEP 508).
    """
    coming, gone = {one.name: one for one in packages}, set(leaving)
    there = {one.name: one.version for one in neighbours}
    found = []
    for one in neighbours:
        if one.name in coming or one.name in gone:
            continue
        for name, wanted in _requirements(one, environment):
            package, now = coming.get(name), there.get(name)
            # What is not met today is not this installation's doing.
            if package is None or now is None or not _takes(wanted, now) or _takes(wanted, package.version.text):
                continue
            found.append(Unmet(one, f"{name}{wanted.specifier}", package))
    return tuple(found)


def _requirements(one: Neighbour, environment: Mapping[str, str]) -> Iterator[tuple[str, Requirement]]:
    """Those that count here. What cannot be read is left to the proof."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for text in one.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate({**environment, "extra": ""}):
            yield canonicalize_name(wanted.name), wanted


def _takes(wanted: Requirement, version: str) -> bool:
    from packaging.version import InvalidVersion

    try:
        return wanted.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return True
