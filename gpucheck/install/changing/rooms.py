"""How many bytes an installation needs, file system by file system. What is not known refuses nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Sequence
from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Package, Room
from gpucheck.install.errors import Refused

# tensorflow[and-cuda] 2.21.0: 3.44 GB of wheels are 6.49 GB of files (research/install.md, 2a).
UNPACKED = 1.9
_SPARE = 64 << 20  # bytes: folders, bytecode, what other programs write meanwhile
_LINKS = 0.005  # of the environment: folders and small files of a copy of links (16 MB of 6.2 GB, measured)


class _Need(NamedTuple):
    what: str
    folder: str
    bytes: int


def rooms(
    packages: Sequence[Package],
    env: str,
    *,
    downloads: Union[str, None],
    cache: str,
    here: Collection[str] = (),
    unpacked: Collection[str] = (),
) -> tuple[Room, ...]:
    """What is needed and free on each file system, the environment's first.

    uv unpacks a wheel into its cache and links it into the environment; where that is another file system, it copies.

    Parameters
    ----------
    packages: to install; those whose size the index does not tell count nothing, which the Room's words say.
    env: the environment's real path. downloads: where wheels are fetched to; None: they are there already.
    cache: uv's cache folder. here: sha256 of wheels that need no download. unpacked: of those that uv's cache holds.
    """
    known = [package for package in packages if package.size is not None]
    fetched = sum(one.size or 0 for one in known if one.sha256 not in here and one.sha256 not in unpacked)
    opened = sum(one.size or 0 for one in known if one.sha256 not in unpacked)
    linked = _device(env) == _device(cache)
    installed = sum(one.size or 0 for one in known)
    inside = int(installed * (_LINKS if linked else UNPACKED))
    needs = [
        _Need("the environment", env, inside),
        _Need("uv's cache of unpacked wheels", cache, int(opened * UNPACKED)),
    ]
    if downloads is not None:
        needs.append(_Need("downloads", downloads, fetched))
    unknown = len(packages) - len(known)
    return tuple(_room(group, unknown) for group in _grouped(needs))


def _grouped(needs: Sequence[_Need]) -> list[list[_Need]]:
    groups: dict[object, list[_Need]] = {}
    for at, need in enumerate(needs):
        device = _device(need.folder)
        groups.setdefault(at if device is None else f"device {device}", []).append(need)
    return list(groups.values())


def _room(needs: list[_Need], unknown: int) -> Room:
    what = " and ".join(need.what for need in needs if need.bytes) or needs[0].what
    if unknown:
        what += f", without {unknown} package{'s' if unknown > 1 else ''} whose size the index does not tell"
    folder = needs[0].folder
    return Room(what, folder, sum(need.bytes for need in needs) + _SPARE, free(folder))


def short(rooms: Sequence[Room]) -> bool:
    """Is one of them known to be too small?"""
    return any(not isinstance(room.free, Gap) and room.free < room.bytes for room in rooms)


def refuse_short(rooms: Sequence[Room]) -> None:
    """Raises
    ------
    Refused: a file system is too full. Unknown room is no reason.
    """
    for room in rooms:
        if not isinstance(room.free, Gap) and room.free < room.bytes:
            raise Refused(
                f"{room.what} take {_gigabytes(room.bytes)} in {room.folder}, where {_gigabytes(room.free)} are free. "
                f"Way out: free {_gigabytes(room.bytes - room.free)} (uv cache prune, pip cache purge), or use another "
                "disk (--env PATH, UV_CACHE_DIR)"
            )


def _gigabytes(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB" if amount >= 50_000_000 else f"{amount / 1e6:.1f} MB"


def _existing(path: str) -> str:
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _device(path: str) -> Union[int, None]:
    try:
        return os.stat(_existing(path)).st_dev
    except OSError:
        return None


def free(path: str) -> Union[int, Gap]:
    """Bytes that a user may still write where that folder is or would be."""
    try:
        return shutil.disk_usage(_existing(path)).free
    except OSError as error:
        return Gap(f"{path}: {error.strerror or error}")
