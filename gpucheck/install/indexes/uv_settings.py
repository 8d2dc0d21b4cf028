"""uv's user configuration as far as it says where packages come from. What would change a plan silently is not used.

Read: uv's variables, then uv.toml of the user, then of the system. Not read: a project's uv.toml and pyproject.toml,
which belong to the folder that gpucheck happens to be run in. uv itself is run without any of these (uv.environment).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from gpucheck.install.indexes.wishes import Name, Wish, Wishes, true

_WINDOWS = sys.platform == "win32"

# name, the variable, the key in uv.toml. The variable of a list is split at blanks, find-links' at commas.
_SINGLE: tuple[tuple[Name, str, str], ...] = (
    ("index", "UV_DEFAULT_INDEX", ""),
    ("index", "UV_INDEX_URL", "index-url"),
    ("no-index", "UV_NO_INDEX", "no-index"),
    ("timeout", "UV_HTTP_TIMEOUT", ""),
    ("timeout", "UV_REQUEST_TIMEOUT", ""),
    ("timeout", "HTTP_TIMEOUT", ""),
    ("proxy", "", "https-proxy"),
    ("keyring", "UV_KEYRING_PROVIDER", "keyring-provider"),
    ("offline", "UV_OFFLINE", "offline"),
    ("cache", "UV_CACHE_DIR", "cache-dir"),
)
_LISTS: tuple[tuple[Name, str, str, str], ...] = (
    ("extra", "UV_INDEX", "", r"\s+"),
    ("extra", "UV_EXTRA_INDEX_URL", "extra-index-url", r"\s+"),
    ("find-links", "UV_FIND_LINKS", "find-links", ","),
    ("trusted-host", "UV_INSECURE_HOST", "allow-insecure-host", r"\s+"),
)
_SWITCHES = ("no-index", "offline")
_LOGIN = re.compile(r"UV_INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)")
# These change what is resolved or built: a plan is made without them, and they are told.
_NOT_USED = re.compile(
    "UV_(EXCLUDE_NEWER|PRERELEASE|RESOLUTION|INDEX_STRATEGY|CONSTRAINT|OVERRIDE|EXCLUDE|BUILD_CONSTRAINT|NO_BINARY"
    "|NO_BUILD|ONLY_BINARY|NO_DEPS|SYSTEM_PYTHON|PYTHON|PYTHON_PLATFORM|TORCH_BACKEND|FORK_STRATEGY|REQUIRE_HASHES"
    "|NO_SOURCES|TARGET|PREFIX|BREAK_SYSTEM_PACKAGES|NO_BUILD_ISOLATION)(_PACKAGE|_PACKAGES)?"
)


def from_uv(environ: Mapping[str, str]) -> Wishes:
    """What uv's variables and its user's and system's files ask for, the strongest first."""
    notes = [f"not used: {name}" for name, value in environ.items() if value and _NOT_USED.fullmatch(name)]
    wishes = _variables(environ)
    for path in files(environ):
        wishes += _file(path, notes)
    passed = tuple((name, value) for name, value in environ.items() if _LOGIN.fullmatch(name))
    return Wishes(tuple(wish for wish in wishes if wish.values), passed, tuple(notes))


def files(environ: Mapping[str, str]) -> list[str]:
    """uv.toml of the user and of the system, the strongest first, there or not."""
    if true(environ.get("UV_NO_CONFIG", "")):
        return []
    if chosen := environ.get("UV_CONFIG_FILE"):
        return [chosen]
    home = environ.get("USERPROFILE" if _WINDOWS else "HOME") or os.path.expanduser("~")
    if _WINDOWS:
        roaming = environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming")
        folders = [roaming, environ.get("PROGRAMDATA", r"C:\ProgramData")]
    else:
        shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        folders = [environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), *shared, "/etc"]
    return [os.path.join(folder, "uv", "uv.toml") for folder in folders]


def _variables(environ: Mapping[str, str]) -> list[Wish]:
    wishes = []
    for name, variable, _ in _SINGLE:
        if variable and (value := environ.get(variable, "").strip()):
            wishes.append(Wish(name, variable, _value(name, value), "a variable"))
    for name, variable, _, between in _LISTS:
        if values := tuple(one for one in re.split(between, environ.get(variable, "").strip()) if one):
            wishes.append(Wish(name, variable, values, "a variable"))
    return wishes


def _value(name: Name, value: str) -> tuple[str, ...]:
    if name in _SWITCHES:
        return ("1",) if true(value) else ()
    if name == "proxy" and "://" not in value:
        return (f"http://{value}",)
    return () if name == "keyring" and value != "subprocess" else (value,)


def _file(path: str, notes: list[str]) -> list[Wish]:
    table = _load(path, notes)
    pip: dict[str, Any] = table["pip"] if isinstance(table.get("pip"), dict) else {}
    wishes: list[Wish] = []
    for entry in table.get("index") or []:
        if isinstance(entry, dict) and isinstance(entry.get("url"), str) and not entry.get("explicit"):
            default = bool(entry.get("default"))
            named = f"{entry['name']}={entry['url']}" if entry.get("name") else entry["url"]
            wishes.append(Wish("index" if default else "extra", "index", (named,), path))
    for one in (pip, table):
        wishes += [
            Wish(name, key, _value(name, str(one[key])), path) for name, _, key in _SINGLE if key and one.get(key)
        ]
        for name, _, key, _ in _LISTS:
            if key and isinstance(one.get(key), list):
                wishes.append(Wish(name, key, tuple(str(item) for item in one[key]), path))
    return wishes


def _load(path: str, notes: list[str]) -> dict[str, Any]:
    loads, bad = toml()
    try:
        with open(path, encoding="utf-8") as file:
            return loads(file.read())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, bad) as error:
        notes.append(f"uv's configuration could not be read: {path}: {getattr(error, 'strerror', None) or error}")
        return {}


def toml() -> tuple[Callable[[str], dict[str, Any]], type[Exception]]:
    """Reading TOML: the standard library's from Python 3.11 on, else its model."""
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib.loads, tomllib.TOMLDecodeError
    import tomli

    return tomli.loads, tomli.TOMLDecodeError
