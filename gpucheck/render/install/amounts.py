"""Bytes in the words of downloads: decimal units, as pip, uv and shops of disks count them."""

from __future__ import annotations

from typing import Union

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(number: Union[int, None]) -> str:
    """``573 MB``, ``3.44 GB``; three digits at most."""
    if number is None:
        return "size unknown"
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit < 2 or value >= 99.5 else 1 if value >= 9.95 else 2
    return f"{value:.{digits}f} {_UNITS[unit]}"
