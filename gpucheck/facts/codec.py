"""Facts to JSON and back.

A named tuple is an object, a version its text, a gap ``{"gap": reason, "kind": kind}``. Reading is driven by the
annotations, so a file from somewhere else is checked against them: what does not fit raises `BadFacts`.
"""

from __future__ import annotations

from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from gpucheck.facts.gap import Gap, GapKind
from gpucheck.facts.versions import Version

Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]


MOST = 2**63  # bytes, pids and counts of any machine are smaller


class BadFacts(ValueError):
    """A snapshot file does not hold what its schema says."""


def encode(value: Any) -> Any:
    """Turn facts into what ``json.dumps`` takes. bytes without UTF-8 become ``\\xff``, never as surrogates."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if value.isascii() else _visible(value)
    if isinstance(value, Version):
        return encode(value.text)
    if isinstance(value, Gap):
        return {"gap": encode(value.reason), "kind": value.kind}
    if hasattr(value, "_fields"):
        return {name: encode(getattr(value, name)) for name in value._fields}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    raise TypeError(f"not a fact: {type(value).__name__}")


def _visible(text: str) -> str:
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte: JSON can carry one in
        data = text.encode("utf-8", "surrogatepass")
    return data.decode("utf-8", "backslashreplace")


_HINTS: dict[type, dict[str, Any]] = {}


def hints(kind: type) -> dict[str, Any]:
    """The resolved annotations of a named tuple, in order."""
    if kind not in _HINTS:
        found = get_type_hints(kind, localns=_later(kind))
        _HINTS[kind] = {name: found[name] for name in kind._fields}  # type: ignore[attr-defined]
    return _HINTS[kind]


def _later(kind: type) -> dict[str, Any]:
    """Facts that a snapshot names without importing them."""
    if kind.__name__ != "Snapshot":
        return {}
    from gpucheck.facts.containers import Containers

    return {"Containers": Containers}


def decode(kind: Any, data: Any, where: str = "$") -> Any:
    """Read facts of type `kind` from parsed JSON.

    Raises
    ------
    BadFacts: with the place in the document and what was expected there.
    """
    origin = get_origin(kind)
    if origin is Union:
        return _decode_union(get_args(kind), data, where)
    if origin is Literal:
        if any(type(data) is type(one) and data == one for one in get_args(kind)):
            return data
        raise BadFacts(f"{where}: one of {', '.join(map(str, get_args(kind)))} expected")
    if origin is tuple:
        if not isinstance(data, list):
            raise BadFacts(f"{where}: a list expected")
        (item, _ellipsis) = get_args(kind)
        return tuple(decode(item, one, f"{where}[{at}]") for at, one in enumerate(data))
    if kind is Gap:
        if isinstance(data, dict) and isinstance(data.get("gap"), str):
            return Gap(data["gap"], decode(GapKind, data.get("kind", "unreadable"), f"{where}.kind"))
        raise BadFacts(f"{where}: a gap expected")
    if isinstance(kind, type) and issubclass(kind, Version):
        if isinstance(data, str):
            return kind(data)
        raise BadFacts(f"{where}: a version expected")
    if hasattr(kind, "_fields"):
        return _decode_tuple(kind, data, where)
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        if not -MOST < data < MOST:  # neither infinite nor NaN
            raise BadFacts(f"{where}: a number of this size is no fact")
        return float(data)
    if isinstance(kind, type) and type(data) is kind:
        if isinstance(data, int) and abs(data) > MOST:
            raise BadFacts(f"{where}: a number of this size is no fact")
        return data
    raise BadFacts(f"{where}: {getattr(kind, '__name__', kind)} expected, not {type(data).__name__}")


def _decode_union(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in kinds:
        return None
    if isinstance(data, dict) and "gap" in data and Gap in kinds:
        return decode(Gap, data, where)
    reason = BadFacts(f"{where}: not expected here: {type(data).__name__}")
    for kind in kinds:
        if kind is type(None) or kind is Gap:
            continue
        try:
            return decode(kind, data, where)
        except BadFacts as error:
            reason = error
    raise reason


def _decode_tuple(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise BadFacts(f"{where}: an object expected")
    values = {}
    for name, hint in hints(kind).items():
        if name in data:
            values[name] = decode(hint, data[name], f"{where}.{name}")
        elif Gap in get_args(hint):
            # A snapshot of an older gpucheck: it did not look, which is not the same as "not there".
            values[name] = Gap(f"{name} was not recorded", "not-collected")
        elif name in kind._field_defaults:
            values[name] = kind._field_defaults[name]
        elif type(None) in get_args(hint):
            values[name] = None
        else:
            raise BadFacts(f"{where}.{name}: missing")
    return kind(**values)
