"""What of the installed distributions is still as their RECORD says, from files alone: missing, changed, overwritten.

pip's and uv's own checks read METADATA only, and call a half-installed TensorFlow complete. RECORD: the packaging
specification "Recording installed projects".
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Union

_CHUNK = 1 << 20
_THREADS = 4


class Damage(NamedTuple):
    """A distribution that is not as it was installed.

    folder: its .dist-info or .egg-info. missing, changed: paths relative to site-packages, as RECORD has them.
    overwritten: files that another distribution has put its own in place of (two that hold the same path), with that
    one's name: reinstalling this one damages the other. recorded: False: it has no RECORD, so nothing can be said of
    its files (an installation that was cut off, or not made by pip or uv).
    """

    name: str  # normalised
    version: str
    folder: str
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    overwritten: tuple[tuple[str, str], ...] = ()
    recorded: bool = True

    @property
    def whole(self) -> bool:
        """Nothing that a reinstallation would cure."""
        return self.recorded and not self.missing and not self.changed


class _File(NamedTuple):
    path: str  # as recorded
    digest: str  # "sha256=…", "" where RECORD has none
    size: Union[int, None]


class _Distribution(NamedTuple):
    name: str
    version: str
    folder: str
    files: Union[tuple[_File, ...], None]


def damaged(site_packages: str, thorough: bool = False) -> tuple[Damage, ...]:
    """Compare every distribution in a folder with its RECORD.

    Parameters
    ----------
    thorough: hashes too (tens of seconds for CUDA); else existence and size (25,000 files in under a second).

    Returns
    -------
    The ones with something missing, changed, overwritten or without RECORD, in the order of their names.

    Raises
    ------
    OSError: the folder cannot be listed.
    """
    found = [_read(site_packages, name) for name in sorted(os.listdir(site_packages)) if _is_info(name)]
    claims = _claims(found)
    with ThreadPoolExecutor(_THREADS) as pool:
        judged = list(pool.map(lambda one: _judge(one, site_packages, thorough, claims), found))
    return tuple(damage for damage in judged if not damage.whole or damage.overwritten)


def leftovers(site_packages: str) -> tuple[str, ...]:
    """Folders "~ensorflow": a pip that was killed moved the old version there. Raises OSError."""
    return tuple(sorted(name for name in os.listdir(site_packages) if name.startswith("~")))


def installed(site_packages: str) -> frozenset[str]:
    """Normalised names of what has a .dist-info or .egg-info there. Raises OSError."""
    return frozenset(_split(name)[0] for name in os.listdir(site_packages) if _is_info(name))


def _is_info(name: str) -> bool:
    return name.endswith((".dist-info", ".egg-info")) and not name.startswith(("~", "."))


def _split(folder: str) -> tuple[str, str]:
    name, _, rest = folder.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")
    return re.sub(r"[-_.]+", "-", name).lower(), rest.partition("-py")[0]


def _read(site_packages: str, folder: str) -> _Distribution:
    name, version = _split(folder)
    path = os.path.join(site_packages, folder, "RECORD")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            files = tuple(_File(row[0], row[1], _size(row[2])) for row in csv.reader(file) if len(row) == 3 and row[0])
    except (OSError, csv.Error):
        files = ()
    # A RECORD names at least itself and METADATA.
    return _Distribution(name, version, folder, files if len(files) > 1 else None)


def _size(text: str) -> Union[int, None]:
    return int(text) if text.isascii() and text.isdigit() else None


def _claims(found: Sequence[_Distribution]) -> dict[str, list[tuple[str, _File]]]:
    """Paths that several distributions record: one of them wrote last."""
    seen: dict[str, list[tuple[str, _File]]] = {}
    for one in found:
        for file in one.files or ():
            seen.setdefault(file.path, []).append((one.name, file))
    return {path: claims for path, claims in seen.items() if len(claims) > 1}


def _judge(
    one: _Distribution, site_packages: str, thorough: bool, claims: dict[str, list[tuple[str, _File]]]
) -> Damage:
    if one.files is None:
        return Damage(one.name, one.version, one.folder, recorded=False)
    missing, changed, overwritten = [], [], []
    for file in one.files:
        if _comes_by_itself(file.path):
            continue
        status = _status(os.path.join(site_packages, file.path))
        if status is None:
            missing.append(file.path)
        elif not _as_recorded(file, status, site_packages, thorough):
            others = [
                name
                for name, claim in claims.get(file.path, ())
                if name != one.name and claim.digest and _as_recorded(claim, status, site_packages, thorough)
            ]
            if others:
                overwritten.append((file.path, others[0]))
            else:
                changed.append(file.path)
    return Damage(one.name, one.version, one.folder, tuple(missing), tuple(changed), tuple(overwritten))


def _comes_by_itself(path: str) -> bool:
    """Bytecode: pip records it, and Python makes it again."""
    return path.endswith(".pyc")


def _status(path: str) -> Union[os.stat_result, None]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _as_recorded(file: _File, status: os.stat_result, site_packages: str, thorough: bool) -> bool:
    if file.size is not None and status.st_size != file.size:
        return False
    if not thorough or not file.digest:
        return True
    return _digest(os.path.join(site_packages, file.path), file.digest.partition("=")[0]) == file.digest


def _digest(path: str, algorithm: str) -> Union[str, None]:
    """As RECORD writes it. None: the file cannot be read, or nobody knows that algorithm."""
    try:
        state = hashlib.new(algorithm)
        with open(path, "rb") as file:
            for piece in _pieces(file.fileno()):
                state.update(piece)
    except (OSError, ValueError):
        return None
    return f"{algorithm}={base64.urlsafe_b64encode(state.digest()).rstrip(b'=').decode()}"


def _pieces(handle: int) -> Iterator[bytes]:
    while piece := os.read(handle, _CHUNK):
        yield piece
