"""Debian's packages of the driver. Only names that begin as PREFIXES do are looked at."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.driver_packages import PREFIXES
from gpucheck.facts.gap import Gap
from gpucheck.host import Host

_INFO = "/var/lib/dpkg/info"
_STATUS = "/var/lib/dpkg/status"
_MOST_STATUS = 64 << 20


def probe(host: Host) -> Union[tuple[str, ...], Gap]:
    """The installed ones, "name version"; () also where there is no dpkg."""
    names = host.names(_INFO)
    if not isinstance(names, tuple):
        return () if names is None else names
    lists = (name.removesuffix(".list") for name in names if name.startswith(PREFIXES) and name.endswith(".list"))
    wanted = sorted({name.partition(":")[0] for name in lists})
    if not wanted:
        return ()
    # The list of files stays when a package is removed and its configuration kept: only the status file tells.
    status = host.read(_STATUS, _MOST_STATUS)
    if not isinstance(status, bytes):
        return Gap(f"not there: {_STATUS}") if status is None else status
    return tuple(found for name in wanted for found in _installed(status, name))


def _installed(status: bytes, name: str) -> list[str]:
    """Every architecture's paragraph of that package (deb-control(5), dpkg's status file)."""
    found: list[str] = []
    head = f"Package: {name}\n".encode()
    at = 0 if status.startswith(head) else _next(status, head, 0)
    while at >= 0:
        end = status.find(b"\n\n", at)
        paragraph = status[at : end if end >= 0 else len(status)].decode("utf-8", "replace")
        lines = (line for line in paragraph.splitlines() if ": " in line and not line.startswith(" "))
        fields = dict(line.split(": ", 1) for line in lines)
        if fields.get("Status", "").endswith(" installed"):
            entry = f"{name} {fields.get('Version', '')}".strip()
            found += [entry] if entry not in found else []
        at = _next(status, head, at)
    return found


def _next(status: bytes, head: bytes, start: int) -> int:
    at = status.find(b"\n" + head, start)
    return at + 1 if at >= 0 else -1
