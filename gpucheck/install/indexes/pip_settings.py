"""pip's configuration, read from the same files and variables in the same order as pip does. Nothing is run or written.

``pip config list`` would tell it as well, but takes as long as a whole plan, and an environment may have no pip. A test
compares the two. Order and places: pip's documentation, "Configuration"; pip/_internal/configuration.py.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Union

from gpucheck.install.indexes.wishes import Name, Wish, Wishes, true, words

_WINDOWS = sys.platform == "win32"
_FILE = "pip.ini" if _WINDOWS else "pip.conf"

_NAMES: dict[str, Name] = {
    "index-url": "index",
    "pypi-url": "index",
    "extra-index-url": "extra",
    "find-links": "find-links",
    "no-index": "no-index",
    "cert": "cert",
    "client-cert": "client-cert",
    "proxy": "proxy",
    "trusted-host": "trusted-host",
    "timeout": "timeout",
    "default-timeout": "timeout",
    "keyring-provider": "keyring",
    "constraint": "constraint",
}
_LISTS = ("extra", "find-links", "trusted-host", "constraint")
# They would change what is installed, or where: a plan is made without them.
_NOT_USED = (
    *("pre", "no-binary", "prefer-binary", "only-binary", "no-deps", "no-dependencies", "target", "user", "prefix"),
    *("root", "platform", "python-version", "implementation", "abi", "requirement", "no-build-isolation"),
)


def from_pip(environ: Mapping[str, str], python: Union[str, None] = None) -> Wishes:
    """What `pip install` of this interpreter would be configured to do.

    Parameters
    ----------
    python: path of the interpreter whose environment's own pip.conf counts; None: no environment's.
    """
    notes: list[str] = []
    found: dict[tuple[str, str], tuple[str, str]] = {}  # section, key -> value, source
    for path in files(environ, python):
        found |= _entries(path, notes)
    own = {name: value for name, value in environ.items() if name.upper().startswith("PIP_")}
    for name, value in own.items():
        found[":env:", _key(name[4:])] = (value, name)
    wishes: dict[Name, Wish] = {}
    for section in ("global", "install", ":env:"):
        for (where, key), (value, source) in found.items():
            if where != section or not value.strip():
                continue
            if key in _NAMES and (wish := _wish(key, value, source)):
                wishes[wish.name] = wish
            elif key in _NOT_USED and value.strip().lower() not in ("0", "false", "no", "off"):
                notes.append(f"not used: pip's {key} ({source})")
    return Wishes(tuple(wish for wish in wishes.values() if wish.values), (), tuple(dict.fromkeys(notes)))


def _wish(key: str, value: str, source: str) -> Union[Wish, None]:
    name = _NAMES[key]
    if name == "no-index" and not true(value):
        return Wish(name, key, (), source)  # a variable may take back what a file says
    if name == "keyring":
        return Wish(name, key, ("subprocess",) if value in ("subprocess", "import") else (), source)
    if name in ("cert", "client-cert"):
        value = os.path.expanduser(value)
    if name == "proxy" and "://" not in value:  # as pip has it; with a scheme it is a URL, whose password is masked
        value = f"http://{value.strip()}"
    return Wish(name, key, words((value,)) if name in _LISTS else (value.strip(),), source)


def files(environ: Mapping[str, str], python: Union[str, None] = None) -> list[str]:
    """Every file that pip would read, the weakest first, there or not."""
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    prefix = _prefix(python) if python else None
    environments = [os.path.join(prefix, _FILE)] if prefix else []
    return [*_of_all(environ), *_of_user(environ), *environments, *([chosen] if chosen else [])]


def _of_all(environ: Mapping[str, str]) -> Iterator[str]:
    if _WINDOWS:
        yield os.path.join(environ.get("PROGRAMDATA", r"C:\ProgramData"), "pip", _FILE)
        return
    if sys.platform == "darwin":
        yield "/Library/Application Support/pip/pip.conf"
    else:
        for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep):
            yield os.path.join(folder, "pip", _FILE)
    yield "/etc/pip.conf"


def _of_user(environ: Mapping[str, str]) -> Iterator[str]:
    home = environ.get("USERPROFILE" if _WINDOWS else "HOME") or os.path.expanduser("~")
    yield os.path.join(home, "pip" if _WINDOWS else ".pip", _FILE)
    if _WINDOWS:
        yield os.path.join(environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming"), "pip", _FILE)
        return
    apple = os.path.join(home, "Library", "Application Support", "pip")
    if sys.platform == "darwin" and os.path.isdir(apple):
        yield os.path.join(apple, _FILE)
        return
    yield os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "pip", _FILE)


def _prefix(python: str) -> Union[str, None]:
    """sys.prefix of an interpreter: its environment's folder, else where it was installed."""
    folder = os.path.dirname(os.path.abspath(python))
    for one in (folder, os.path.dirname(folder)):
        if os.path.isfile(os.path.join(one, "pyvenv.cfg")):
            return one
    folder = os.path.dirname(os.path.realpath(python))
    return folder if _WINDOWS and os.path.basename(folder).lower() != "scripts" else os.path.dirname(folder)


def _entries(path: str, notes: list[str]) -> dict[tuple[str, str], tuple[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            parser.read_file(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except (OSError, configparser.Error) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        notes.append(f"pip's configuration could not be read: {path}: {reason}")
        return {}
    return {
        (section, _key(key)): (value, path) for section in parser.sections() for key, value in parser.items(section)
    }


def _key(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")
