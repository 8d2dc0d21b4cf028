"""The map of library copies: for each name that is asked for, its files in the order of the loader's search, which one
it takes, and why. Pure; nothing is judged and nothing drawn here.

Names whose copies lie in the same places with the same outcome make one lane: 17 libraries of one environment are one
picture, and the one that comes from elsewhere stands out.
"""

from __future__ import annotations

from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import LibraryCopy
from gpucheck.facts.snapshot import Snapshot
from gpucheck.render.copies.lanes import Map, together
from gpucheck.render.copies.others import driver, runtime
from gpucheck.render.copies.wanted import lane, paths
from gpucheck.render.software import place_of


def copies(snapshot: Snapshot) -> Map:
    """What there is to draw of these facts; what is unknown or absent is left out (`summary` says so in words)."""
    libraries = snapshot.libraries
    if isinstance(libraries, Gap):
        return Map(driver(snapshot.driver), (), runtime(snapshot.windows), ())
    there = libraries.copies if isinstance(libraries.copies, tuple) else ()
    wanted = libraries.wanted if isinstance(libraries.wanted, tuple) else ()
    shown = {path for one in wanted for path in paths(one)}
    beside: dict[str, list[LibraryCopy]] = {}
    for copy in there:
        if copy.path not in shown:
            beside.setdefault(place_of(copy), []).append(copy)
    by_path = {copy.path: copy for copy in there}
    lanes = together(lane(one, by_path) for one in wanted)
    by_place = tuple((place, tuple(found)) for place, found in beside.items())
    return Map(driver(snapshot.driver), lanes, runtime(snapshot.windows), by_place)
