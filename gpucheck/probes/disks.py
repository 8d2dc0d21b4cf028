"""Free room where an installation would write."""

from __future__ import annotations

from typing import Literal, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Python
from gpucheck.facts.system import Disk
from gpucheck.host import Host, Room

Role = Literal["environment", "temp", "home"]


def probe(host: Host, python: Union[Python, Gap]) -> Union[tuple[Disk, ...], Gap]:
    """The examined environment's disk, pip's temporary folder (TMPDIR, else /tmp; Windows: TEMP), the home. A role that
    cannot be measured is left out; a gap where none can."""
    prefix = None if isinstance(python, Gap) else python.prefix
    places: tuple[tuple[Role, Union[str, None, Gap]], ...] = (
        ("environment", prefix),
        ("temp", host.env("TMPDIR") or ("/tmp" if host.flavour == "posix" else host.env("TEMP"))),
        ("home", host.about().home),
    )
    found: list[Disk] = []
    reason = Gap("no folder to measure")
    for role, path in places:
        room = host.room(path) if isinstance(path, str) and path else None
        if isinstance(room, Room):
            found.append(Disk(role, path if isinstance(path, str) else "", room.free_bytes, room.total_bytes))
        elif isinstance(room, Gap):
            reason = room
    return tuple(found) if found else reason
