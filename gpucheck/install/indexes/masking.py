"""URLs that hold credentials: what may be shown of them, and which login belongs to which address. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Union
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

STARS = "****"
_PORTS = {"http": 80, "https": 443}


def masked(url: str) -> str:
    """The URL without user, password, query and whatever in its path looks like a token. Other text stays as it is."""
    address = without_name(url)
    parts = _split(url)
    if parts is None:
        return url
    path = "/".join(STARS if _token(piece) else piece for piece in parts.path.split("/"))
    host = f"{STARS}@{_host(parts)}" if "@" in parts.netloc else parts.netloc
    shown = urlunsplit((parts.scheme, host, path, STARS if parts.query else "", ""))
    return url[: len(url) - len(address)] + shown


def without_name(index: str) -> str:
    """An index's URL without the name that uv allows in front of it ("NAME=URL")."""
    named = re.match(r"[A-Za-z0-9._-]+=(?=[A-Za-z][A-Za-z0-9+.-]*://)", index)
    return index[named.end() :] if named else index


def bare(url: str) -> str:
    """The URL without user, password, query and fragment: what a lock may hold."""
    parts = _split(url)
    return urlunsplit((parts.scheme, _host(parts), parts.path, "", "")) if parts else url


def secrets_in(url: str) -> tuple[str, ...]:
    """The pieces of a URL that nobody else may see: as written there, and decoded."""
    parts = _split(url)
    if parts is None:
        return ()
    found = [piece for piece in parts.path.split("/") if _token(piece)]
    if parts.query:
        found.append(parts.query)
    if "@" in parts.netloc:
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        found += [password] if password else [user]  # a user's name alone is a token
    return tuple({text for one in found for text in (one, unquote(one)) if len(text) > 2})


def login(url: str, addresses: Iterable[str]) -> Union[tuple[str, str], None]:
    """User and password in this URL, or in the first of the addresses on the same scheme, host and port."""
    asked = _split(url)
    if asked is None:
        return None
    for one in (url, *addresses):
        parts = _split(one)
        if parts is None or "@" not in parts.netloc or _place(parts) != _place(asked):
            continue
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        return unquote(user), unquote(password)
    return None


def _split(url: str) -> Union[SplitResult, None]:
    if "://" not in url:
        return None
    try:
        return urlsplit(without_name(url))
    except ValueError:  # [ in a host's name
        return None


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _place(parts: SplitResult) -> tuple[str, Union[str, None], Union[int, None]]:
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, parts.hostname, port or _PORTS.get(parts.scheme)


def _token(piece: str) -> bool:
    """Long, letters and digits mixed, nothing that separates words: as hosted indexes put tokens into their path."""
    return bool(re.fullmatch(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_]{16,}", piece))
