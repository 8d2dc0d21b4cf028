"""PATH as it is set for the user, for the machine and in this process, entry by entry.

A program gets the machine's PATH and then the user's when the shell that starts it is opened; what is changed later it
does not see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.registry import MACHINE_VARIABLES, USER_VARIABLES
from gpucheck.compat.variables import NAMES, TOOLKITS
from gpucheck.facts.gap import Gap
from gpucheck.facts.windows import PathEntry, Scope, ScopedVariable, SearchPath
from gpucheck.host import Host, Stat
from gpucheck.probes.windows import keys

_MOST_ENTRIES = 2000
_POINTERS = ("CUDA_PATH", "CUDA_HOME", "CUDNN_PATH", *TOOLKITS)
_KEYS: tuple[tuple[Scope, str], ...] = (("user", USER_VARIABLES), ("machine", MACHINE_VARIABLES))


def split(text: str) -> list[str]:
    """The entries of a PATH as they stand; a ";" inside quotes does not divide."""
    entries, begin, quoted = [], 0, False
    for at, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == ";" and not quoted:
            entries.append(text[begin:at])
            begin = at + 1
    entries.append(text[begin:])
    return [one.strip() for one in entries if one.strip()][:_MOST_ENTRIES]


def expand(host: Host, text: str) -> Union[str, Gap]:
    """With the values of %VARIABLES%, without quotes and a last backslash.

    A name that is set nowhere stays as it is, as Windows leaves it; of one that gpucheck may not read nothing is known.
    """
    pieces = text.replace('"', "").split("%")
    result = pieces[0]
    at = 1
    while at < len(pieces):
        name = pieces[at].upper()
        if at + 1 >= len(pieces) or not name:
            result += "%" + pieces[at]
            at += 1
            continue
        if name not in NAMES:
            return Gap(f"it names %{pieces[at]}%, which gpucheck does not read", "not-collected")
        value = host.env(name)
        result += (value if value is not None else f"%{pieces[at]}%") + pieces[at + 1]
        at += 2
    return result.replace("/", "\\").rstrip("\\") + ("\\" if result[1:] in (":\\", ":/", ":") else "")


def entries_of(host: Host, text: str, expanded: bool) -> Iterator[PathEntry]:
    """expanded: it is a process's own, in which %VARIABLES% that are left are part of the name."""
    for one in split(text):
        place = one.replace('"', "").replace("/", "\\") if expanded else expand(host, one)
        if isinstance(place, Gap):
            yield PathEntry(one, place, place)
            continue
        place = place.rstrip("\\") + ("\\" if place.rstrip("\\").endswith(":") else "")
        status = host.stat(place)
        exists: Union[bool, Gap] = status.kind == "dir" if isinstance(status, Stat) else False
        yield PathEntry(one, place, status if isinstance(status, Gap) and status.kind != "denied" else exists)


def of_process(host: Host) -> Union[SearchPath, None]:
    """What this process was given, and with it every program that is started from the same shell."""
    text = host.env("PATH")
    return None if text is None else SearchPath("process", len(text), None, tuple(entries_of(host, text, True)))


def of_registry(host: Host, scope: Scope) -> Union[SearchPath, None, Gap]:
    """As the next shell gets it. None: there is none."""
    key = host.registry(dict(_KEYS)[scope])
    if key is None or isinstance(key, Gap):
        return key
    name, text = next((pair for pair in key.values if pair[0].lower() == "path"), ("", None))
    if text is None:
        return None
    expandable = name in key.expandable
    return SearchPath(scope, len(text), expandable, tuple(entries_of(host, text, not expandable)))


def variables(host: Host) -> Union[tuple[ScopedVariable, ...], Gap]:
    """Those that name CUDA's and cuDNN's folders, in all three places."""
    found: list[ScopedVariable] = []
    for scope, key in _KEYS:
        read = keys.values(host, key)
        if isinstance(read, Gap):
            return read
        for name in _POINTERS:
            value = (read or {}).get(name.lower())
            if value:
                text = expand(host, value)
                found.append(ScopedVariable(scope, name, value if isinstance(text, Gap) else text))
    for name in _POINTERS:
        value = host.env(name)
        if value:
            found.append(ScopedVariable("process", name, value))
    return tuple(found)
