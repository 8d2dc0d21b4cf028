"""What is installed in some folders, file by file, from the RECORD of each distribution."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple, Union

from gpucheck.probes.distributions import normal_name, split_folder


class Distribution(NamedTuple):
    """One *.dist-info. files: how many RECORD lists, 0 without one. damaged: those that are missing or otherwise.

    libraries: shared objects among its files, as paths.
    """

    name: str
    version: str
    files: int
    damaged: tuple[str, ...]
    libraries: tuple[str, ...]


class Reading(NamedTuple):
    """All distributions of these folders. thorough: hashes were compared, not sizes alone."""

    folders: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    thorough: bool = False

    def installed(self, name: str) -> Union[str, None]:
        """The version of a distribution, by its normal name; None: it is not installed."""
        return next((one.version for one in self.distributions if one.name == name), None)


def read(folders: Sequence[str], thorough: bool = False) -> Reading:
    """Read every RECORD and compare it with the disk: existence and size, with `thorough` the sha256, too."""
    found = [
        _distribution(folder, entry, pair, thorough)
        for folder in folders
        for entry in _names(folder)
        if entry.endswith(".dist-info") and (pair := split_folder(entry))
    ]
    return Reading(tuple(folders), tuple(found), thorough)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _distribution(folder: str, entry: str, pair: tuple[str, str], thorough: bool) -> Distribution:
    rows = _rows(f"{folder}/{entry}/RECORD")
    damaged, libraries, count = [], [], 0
    for path, hashed, size in rows:
        if path.endswith(".pyc"):  # made again on use
            continue
        count += 1
        place = path if os.path.isabs(path) else f"{folder}/{path}"
        trouble = _trouble(place, hashed, size, thorough)
        if trouble:
            damaged.append(f"{path} {trouble}")
        if ".so" in path or path.endswith(".dll"):
            libraries.append(place)
    return Distribution(normal_name(pair[0]), pair[1], count, tuple(damaged), tuple(libraries))


def _rows(path: str) -> list[tuple[str, str, str]]:
    import csv

    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return [(row[0], row[1], row[2]) for row in csv.reader(file) if len(row) >= 3]
    except (OSError, csv.Error):
        return []


def _trouble(path: str, hashed: str, size: str, thorough: bool) -> str:
    """ "" for a file that is as its RECORD says."""
    try:
        length = os.stat(path).st_size
    except OSError as error:
        return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    if size.isdigit() and length != int(size):
        return f"has {length} bytes instead of {size}"
    if thorough and hashed.startswith("sha256="):
        return "" if _sha256(path) == hashed[7:].rstrip("=") else "has other content"
    return ""


def _sha256(path: str) -> str:
    import base64
    import hashlib

    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
