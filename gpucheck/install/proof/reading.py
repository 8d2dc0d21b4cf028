"""What is installed in some folders: distributions, how many files each one has, and which of them are damaged."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Union

from gpucheck.install.changing.records import Damage, damaged
from gpucheck.probes.distributions import normal_name, split_folder


class Distribution(NamedTuple):
    """One *.dist-info. files: how many RECORD lists, 0 without one. libraries: shared objects among them, as paths."""

    name: str
    version: str
    files: int
    libraries: tuple[str, ...]


class Reading(NamedTuple):
    """All distributions of these folders. damage: of those that are not as recorded. thorough: hashes were compared."""

    folders: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    damage: tuple[Damage, ...] = ()
    thorough: bool = False

    def installed(self, name: str) -> Union[str, None]:
        """The version of a distribution, by its normal name; None: it is not installed."""
        return next((one.version for one in self.distributions if one.name == name), None)

    @property
    def troubles(self) -> tuple[str, ...]:
        """ "numpy 2.5.5: numpy/version.py is missing", one for each file."""
        words = {"missing": "is missing", "changed": f"has another {'content' if self.thorough else 'size'}"}
        return tuple(
            f"{one.name} {one.version}: {path} {text}"
            for one in self.damage
            for kind, text in words.items()
            for path in getattr(one, kind)
        )


def read(folders: Sequence[str], thorough: bool = False) -> Reading:
    """Read every RECORD and compare it with the disk: existence and size, with `thorough` the sha256, too."""
    found: list[Distribution] = []
    damage: list[Damage] = []
    for folder in folders:
        with suppress(OSError):  # told as "no distribution"
            entries = sorted(name for name in os.listdir(folder) if name.endswith(".dist-info"))
            found += [_distribution(folder, entry, pair) for entry in entries if (pair := split_folder(entry))]
            damage += damaged(folder, thorough)
    return Reading(tuple(folders), tuple(found), tuple(damage), thorough)


def _distribution(folder: str, entry: str, pair: tuple[str, str]) -> Distribution:
    paths = [path for path in _paths(f"{folder}/{entry}/RECORD") if not path.endswith(".pyc")]
    libraries = tuple(f"{folder}/{path}" for path in paths if ".so" in path or path.endswith(".dll"))
    return Distribution(normal_name(pair[0]), pair[1], len(paths), libraries)


def _paths(record: str) -> list[str]:
    try:
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return [row[0] for row in csv.reader(file) if row]
    except (OSError, csv.Error):
        return []
