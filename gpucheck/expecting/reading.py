"""TOML -> expectations. Whatever is not understood is refused in one line: a gate that is not read would be open."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Union

from gpucheck.expecting.expectations import VERSIONS, Bounds, Expectations, Gpus

KEYS = (*VERSIONS, "gpus", "speed-up", "no-warnings", "ignore", "strict", "timeout")
GPU_KEYS = ("count", "name", "compute-capability", "memory-gib")
_OPERATORS = (">=", "<=", "==", "!=", ">", "<")
_MOST_NAMES = 1000


class BadExpectations(ValueError):
    """The file does not say what can be expected; the message says why, in words for a user."""


def read(text: str, source: str, known: Callable[[], frozenset[str]]) -> Union[Expectations, None]:
    """A file's expectations; None: it is a pyproject.toml (has a table "tool") without a [tool.gpucheck].

    Parameters
    ----------
    source: the file's name, for the answer.
    known: gives the names of all findings, for ignore and no-warnings.
    """
    table = _toml(text)
    if "tool" in table:
        tool = table["tool"]
        if not isinstance(tool, dict) or "gpucheck" not in tool:
            return None
        table, source = _table(tool["gpucheck"], "tool.gpucheck"), f"{source} [tool.gpucheck]"
    return of_table(table, source, known)


def _toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except RecursionError:
        raise BadExpectations("no TOML that can be read: too deeply nested") from None
    except ValueError as error:
        raise BadExpectations(f"no TOML: {_short(error)}") from error
    return table


def of_table(table: Mapping[str, Any], source: str, known: Callable[[], frozenset[str]]) -> Expectations:
    """Expectations of a parsed table. Raises `BadExpectations`."""
    _only(table, KEYS, "")
    no_warnings, ignore = (_names(table.get(key, []), key, known) for key in ("no-warnings", "ignore"))
    if both := set(no_warnings) & set(ignore):
        raise BadExpectations(f"no-warnings and ignore both name {sorted(both)[0]}: which is it?")
    return Expectations(
        source,
        tuple((key, _specifier(table[key], key)) for key in VERSIONS if key in table),
        _gpus(table["gpus"]) if "gpus" in table else None,
        _bounds(table["speed-up"], "speed-up") if "speed-up" in table else None,
        no_warnings,
        ignore,
        _truth(table.get("strict", False), "strict"),
        _seconds(table["timeout"]) if "timeout" in table else None,
    )


def _gpus(value: object) -> Gpus:
    table = _table(value, "gpus")
    _only(table, GPU_KEYS, "gpus.")
    if not table:
        raise BadExpectations(f"gpus expects nothing: it takes {', '.join(GPU_KEYS)}")
    name = table.get("name")
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise _wrong("gpus.name", 'a part of a name, "H100", or a pattern, "NVIDIA H100*"', name)
    return Gpus(
        _count(table["count"]) if "count" in table else None,
        name,
        _specifier(table["compute-capability"], "gpus.compute-capability") if "compute-capability" in table else None,
        _bounds(table["memory-gib"], "gpus.memory-gib") if "memory-gib" in table else None,
    )


def _only(table: Mapping[str, Any], keys: tuple[str, ...], front: str) -> None:
    from difflib import get_close_matches

    for key in table:
        if key not in keys:
            close = get_close_matches(key.lower().replace("_", "-")[:60], keys, 1, 0.5)
            hint = f"did you mean {front}{close[0]}?" if close else f"there are {', '.join(keys)}"
            raise BadExpectations(f"unknown key {front}{_short(key)}; {hint}")


def _table(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(key, "a table", value)
    return value


def _specifier(value: object, key: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    expected = 'a version with an operator, ">=12.4" or "==12.*"'
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise _wrong(key, expected, value)
    try:
        SpecifierSet(value)
    except InvalidSpecifier as error:
        raise _wrong(key, expected, value) from error
    return value.strip()


def _count(value: object) -> Bounds:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 16:
        return Bounds(str(value), (("==", float(value)),))
    return _bounds(value, "gpus.count", 'a number, 8, or an operator with one, ">=4"')


def _bounds(value: object, key: str, expected: str = 'a number with an operator, ">=5"') -> Bounds:
    if not isinstance(value, str) or len(value) > 200:
        raise _wrong(key, expected, value)
    each = [_bound(one.strip()) for one in value.split(",")]
    found = tuple(one for one in each if one is not None)
    if len(found) < len(each):
        raise _wrong(key, expected, value)
    return Bounds(value.strip(), found)


def _bound(text: str) -> Union[tuple[str, float], None]:
    operator = next((one for one in _OPERATORS if text.startswith(one)), None)
    digits = text[len(operator or "") :].strip()
    if operator is None or not digits.isascii() or not digits.replace(".", "", 1).isdigit():
        return None
    return operator, float(digits)


def _names(value: object, key: str, known: Callable[[], frozenset[str]]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or len(value) > _MOST_NAMES:
        raise _wrong(key, 'a list of findings\' names, ["gpu-throttling"]', value)
    names = known() if value else frozenset()
    for one in value:
        if one not in names:
            from difflib import get_close_matches

            close = get_close_matches(one[:60], names, 1, 0.6)
            hint = f"did you mean {close[0]}?" if close else "gpucheck doctor --list-rules lists all"
            raise BadExpectations(f"{key}: no rule is called {_short(one)}; {hint}")
    return tuple(dict.fromkeys(value))


def _truth(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.1 <= value <= 86400:  # NaN fails, too
        raise _wrong("timeout", "seconds, 0.1 to 86400", value)
    return float(value)


def _wrong(key: str, expected: str, value: object) -> BadExpectations:
    return BadExpectations(f"{key} takes {expected}, not {_short(repr(value) if isinstance(value, str) else value)}")


def _short(value: object) -> str:
    try:
        text = str(value)
    except (RecursionError, ValueError):  # nested without end; an integer of too many digits
        return type(value).__name__
    return text if len(text) <= 80 else f"{text[:80]}…"
