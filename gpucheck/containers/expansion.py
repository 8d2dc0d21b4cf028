"""Variables in text, as Docker, Compose and a shell replace them. One that is not known stays as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Union

Scope = Mapping[str, Union[str, None]]  # None: set, to something that is not known

MOST = 1 << 16  # characters that may come out
_DEPTH = 10


class Expanded(NamedTuple):
    """text: with "${NAME}" where a variable is not known. unknown: their names. used: names whose value was put in."""

    text: str
    unknown: tuple[str, ...]
    used: tuple[str, ...]


def expand(text: str, scope: Scope, *, absent: Union[str, None] = "", escape: str = "\\", depth: int = 0) -> Expanded:
    """Replace $NAME, ${NAME}, ${NAME:-word}, ${NAME-word}, ${NAME:+word}, ${NAME+word} and ${NAME:?word}.

    Parameters
    ----------
    absent: what a variable that nobody has set becomes; None: it is not known, either.
    escape: the character before a "$" that is meant literally; Compose writes "$$".
    """
    out: list[str] = []
    unknown: list[str] = []
    used: list[str] = []
    at = 0
    while at < len(text):
        sign = text[at]
        if sign == escape and text[at + 1 : at + 2] == "$":
            out.append("$")
            at += 2
        elif sign == "$":
            end, name, operator, word = _variable(text, at)
            if not name:
                out.append(text[at:end])
            else:
                value = _value(name, operator, word, scope, absent, escape, depth, unknown, used)
                out.append(text[at:end] if value is None and operator else f"${{{name}}}" if value is None else value)
            at = end
        else:
            out.append(sign)
            at += 1
    return Expanded("".join(out)[:MOST], tuple(dict.fromkeys(unknown)), tuple(dict.fromkeys(used)))


def _variable(text: str, at: int) -> tuple[int, str, str, str]:
    """(end, name, operator, word) of what begins with the "$" at a place; no name: a "$" like any other."""
    if text[at + 1 : at + 2] != "{":
        end = at + 1
        while end < len(text) and text[end].isascii() and (text[end].isalnum() or text[end] == "_"):
            end += 1
        name = text[at + 1 : end]
        return (end, name, "", "") if name and not name[0].isdigit() else (at + 1, "", "", "")
    level, end = 1, at + 2
    while end < len(text) and level:
        level += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    inside = text[at + 2 : end if level else end - 1]
    stop = 0
    while stop < len(inside) and inside[stop].isascii() and (inside[stop].isalnum() or inside[stop] == "_"):
        stop += 1
    rest = inside[stop:]
    operator = rest[:2] if rest[:2] in (":-", ":+", ":?") else rest[:1]
    return end, inside[:stop], operator, rest[len(operator) :]


def _value(
    name: str,
    operator: str,
    word: str,
    scope: Scope,
    absent: Union[str, None],
    escape: str,
    depth: int,
    unknown: list[str],
    used: list[str],
) -> Union[str, None]:
    known = name in scope
    value = scope[name] if known else absent
    if known and value is not None:
        used.append(name)
    filled = known and (value is None or value != "" or ":" not in operator)
    if operator in (":-", "-", ":+", "+"):
        if known and value is None and operator[-1] == "+":
            unknown.append(name)
            return None
        if filled == (operator[-1] == "+"):
            if depth >= _DEPTH:
                unknown.append(name)
                return None
            inner = expand(word, scope, absent=absent, escape=escape, depth=depth + 1)
            unknown.extend(inner.unknown)
            used.extend(inner.used)
            return inner.text
        value = "" if operator[-1] == "+" else value
    elif operator not in ("", ":?", "?"):  # ${CUDA/./-}, ${NAME%%.*}: a shell's own
        value = None
    if value is None:
        unknown.append(name)
    return value
