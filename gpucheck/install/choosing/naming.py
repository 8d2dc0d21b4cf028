"""Which row of a table a version's text means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from gpucheck.compat.releases import minor_of
from gpucheck.compat.tensorflow import Release, final
from gpucheck.facts.versions import PackageVersion


def exactly(rows: Sequence[Release], text: str) -> Union[Release, None]:
    """As PEP 440 compares: 2.18 is 2.18.0; a post release is meant by its full name alone."""
    exact = next((row for row in rows if row.version == text), None)
    wanted = PackageVersion.parse(text) if "post" not in text else None
    same = (row for row in rows if PackageVersion(row.version) == wanted and "post" not in row.version)
    return exact or next(same, None)


def newest_patch(rows: Sequence[Release], text: str) -> Union[Release, None]:
    """A version, or of a minor ("2.21") the newest patch: a final one where there is one."""
    minor = minor_of(text)
    if minor is None:
        return exactly(rows, text)
    patches = _patches(rows, minor)
    return next((row for row in reversed(patches) if final(row)), patches[-1] if patches else None)


def meant(rows: Sequence[Release], text: Union[str, None]) -> list[Release]:
    """The releases that a request leaves to choose from: all of them, or the one that it names."""
    if text is None:
        return list(rows)
    row = exactly(rows, text)
    return [row] if row else []


def _patches(rows: Sequence[Release], minor: tuple[int, int]) -> list[Release]:
    return [row for row in rows if PackageVersion(row.version).parts[:2] == minor]
