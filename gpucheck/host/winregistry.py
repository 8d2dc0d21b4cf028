"""Read a key of this Windows' registry. Which keys may be read is compat.registry's; nothing here writes."""

from __future__ import annotations

from typing import Any, Union

from gpucheck.compat.registry import kept
from gpucheck.facts.gap import Gap
from gpucheck.host import Key

_MOST_KEYS, _MOST_VALUES, _MOST_BYTES = 5000, 1000, 256
_DENIED = 5  # ERROR_ACCESS_DENIED


def read_key(key: str) -> Union[Key, None, Gap]:
    r"""`key` begins with HKLM\ or HKCU\; None: there is no such key, or this is not Windows."""
    try:
        import winreg as _winreg
    except ImportError:
        return None
    winreg: Any = _winreg  # typeshed knows it on Windows alone
    hive, _, below = key.partition("\\")
    root = {"HKLM": winreg.HKEY_LOCAL_MACHINE, "HKCU": winreg.HKEY_CURRENT_USER}[hive.upper()]
    try:
        with winreg.OpenKey(root, below, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as opened:
            return _read(winreg, opened, key)
    except FileNotFoundError:
        return None
    except OSError as error:
        denied = getattr(error, "winerror", 0) == _DENIED
        return Gap(f"{(error.strerror or str(error)).lower()}: {key}", "denied" if denied else "unreadable")


def _read(winreg: Any, opened: Any, key: str) -> Union[Key, Gap]:
    keys, values, _ = winreg.QueryInfoKey(opened)
    if keys > _MOST_KEYS or values > _MOST_VALUES:
        return Gap(f"{keys} keys and {values} values: {key}")
    rows = [winreg.EnumValue(opened, at) for at in range(values)]
    mine = sorted(row for row in rows if kept(key, row[0]))
    return Key(
        tuple(sorted(winreg.EnumKey(opened, at) for at in range(keys))),
        tuple((name, _text(value)) for name, value, _ in mine),
        tuple(name for name, _, kind in mine if kind == winreg.REG_EXPAND_SZ),
    )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return "hex:" + value[:_MOST_BYTES].hex()
    if isinstance(value, list):  # REG_MULTI_SZ
        return "\n".join(map(str, value))
    return "" if value is None else str(value)
