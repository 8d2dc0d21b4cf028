"""pylock.toml (PEP 751): read with suspicion, written with one file per package. No network, no program.

What gpucheck writes holds exactly the files of one plan, each with its sha256, and the choice in [tool.gpucheck]: pip
(`install -r pylock.toml`) and uv install it, and gpucheck itself can prove the result. Locks by others are read, too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Union
from urllib.parse import unquote, urlsplit

from gpucheck.facts.codec import BadFacts, decode, encode
from gpucheck.facts.plan import Choice, Package, Target
from gpucheck.facts.versions import PackageVersion
from gpucheck.install.errors import Refused
from gpucheck.install.indexes.masking import bare
from gpucheck.install.indexes.platforms import best, marker_environment, tags
from gpucheck.install.indexes.uv_settings import toml

UNKNOWN = "0" * 64
_SHA256 = re.compile(r"[0-9a-f]{64}")


class File(NamedTuple):
    """One file of a package. size: bytes, None where nobody told. uploaded: RFC 3339, "" where nobody told."""

    name: str
    url: str
    sha256: str
    size: Union[int, None]
    uploaded: str
    wheel: bool


class Entry(NamedTuple):
    """A package of a lock with every file that it names. why: only where gpucheck wrote the lock."""

    name: str
    version: str
    files: tuple[File, ...]
    marker: str = ""
    why: str = ""


class Content(NamedTuple):
    """environments: markers, one of which must hold; () for any. choice: what gpucheck chose, None in another program's
    lock. notes: what it did not find, one line each.
    """

    entries: tuple[Entry, ...]
    requires_python: str
    environments: tuple[str, ...]
    choice: Union[Choice, None]
    notes: tuple[str, ...] = ()


def parse(text: str, folder: str = "", *, hashless: bool = False) -> Content:
    """Read the text of a lock.

    Parameters
    ----------
    folder: where it lies; paths in it are relative to that. hashless: files without a sha256 are let in, with UNKNOWN.

    Raises
    ------
    Refused: no TOML, another version of the format, a package without version, file or sha256, a source tree.
    """
    loads, bad = toml()
    try:
        return _content(loads(text), folder, hashless)
    except bad as error:
        raise Refused(f"the lock is not valid TOML: {error}") from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:  # a text where a table should be
        raise Refused(f"the lock is not a pylock.toml of version 1: {error}") from error


def _content(data: dict[str, Any], folder: str, hashless: bool) -> Content:
    version = data.get("lock-version")
    if not isinstance(version, str) or not version.startswith("1."):
        raise Refused(f"the lock is not a pylock.toml of version 1: lock-version is {version!r}")
    packages = data.get("packages")
    if not isinstance(packages, list) or not all(isinstance(one, dict) for one in packages):
        raise Refused("the lock names no packages")
    tool = (data.get("tool") or {}).get("gpucheck") or {}
    entries = tuple(_entry(one, folder, hashless) for one in packages)
    systems = tuple(str(one) for one in data.get("environments") or ())
    notes = tuple(str(one) for one in tool.get("notes") or ())
    return Content(entries, str(data.get("requires-python") or ""), systems, _choice(tool), notes)


def _entry(table: dict[str, Any], folder: str, hashless: bool) -> Entry:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise Refused("the lock holds a package without a name")
    for other in ("vcs", "directory", "archive"):
        if other in table:
            raise Refused(f"the lock takes {name} from a {other}: gpucheck installs files with a hash alone")
    if not isinstance(table.get("version"), str):
        raise Refused(f"the lock does not say which version of {name}")
    sources = [table["sdist"]] if isinstance(table.get("sdist"), dict) else []
    files = [_file(name, one, folder, True, hashless) for one in table.get("wheels") or []]
    files += [_file(name, one, folder, False, hashless) for one in sources]
    if not files:
        raise Refused(f"the lock names no file of {name}")
    why = ((table.get("tool") or {}).get("gpucheck") or {}).get("why", "")
    return Entry(name, table["version"], tuple(files), str(table.get("marker") or ""), str(why))


def _file(package: str, table: dict[str, Any], folder: str, wheel: bool, hashless: bool) -> File:
    sha256 = (table.get("hashes") or {}).get("sha256") or (UNKNOWN if hashless else None)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256.lower()):
        raise Refused(f"the lock has no sha256 for a file of {package}: gpucheck installs nothing without")
    url, path = table.get("url"), table.get("path")
    if not isinstance(url, str):
        if not isinstance(path, str):
            raise Refused(f"the lock does not say where a file of {package} is")
        url = os.path.normpath(os.path.join(folder, path))
    elif url.startswith("file:"):
        url = _path(url)
    size = table.get("size")
    name = str(table.get("name") or unquote(re.split(r"[/\\]", url.partition("#")[0].partition("?")[0])[-1]))
    uploaded = table.get("upload-time")
    when = uploaded.isoformat().replace("+00:00", "Z") if isinstance(uploaded, datetime) else ""
    return File(name, url, sha256.lower(), size if isinstance(size, int) and size >= 0 else None, when, wheel)


def _path(url: str) -> str:
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path)


def _choice(tool: dict[str, Any]) -> Union[Choice, None]:
    text = tool.get("choice")
    if not isinstance(text, str):
        return None
    try:
        choice: Choice = decode(Choice, json.loads(text))
    except (BadFacts, ValueError, RecursionError) as error:
        raise Refused(f"the lock's [tool.gpucheck] cannot be read: {error}") from error
    return choice


def chosen(entry: Entry, target: Target) -> Union[File, None]:
    """The file of a package that the target installs: the best wheel, else the source. None: nothing fits."""
    wheels = [file for file in entry.files if file.wheel]
    name = best([file.name for file in wheels], tags(target))
    if name is not None:
        return next(file for file in wheels if file.name == name)
    return next((file for file in entry.files if not file.wheel), None)


def holds(marker: str, target: Target) -> bool:
    """Is an environment marker true for the target? An empty one is.

    Raises
    ------
    Refused: it is none.
    """
    if not marker:
        return True
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

    try:
        # `extras` and `dependency_groups` of PEP 751: nothing was asked for.
        environment: Any = {**marker_environment(target), "extra": "", "extras": set(), "dependency_groups": set()}
        return bool(Marker(marker).evaluate(environment, context="lock_file"))
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName) as error:
        raise Refused(f"the lock's marker {marker!r} cannot be read: {error}") from error


def checked_name(entry: Entry, file: File) -> None:
    """Is the file one of that package and version? A lock that says something else than its files is refused."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        canonicalize_name,
        parse_sdist_filename,
        parse_wheel_filename,
    )
    from packaging.version import InvalidVersion, Version

    try:
        name, version = (parse_wheel_filename(file.name) if file.wheel else parse_sdist_filename(file.name))[:2]
        same = name == canonicalize_name(entry.name) and version == Version(entry.version)
    except (InvalidSdistFilename, InvalidVersion, InvalidWheelFilename):
        same = False
    if not same:
        raise Refused(f"the lock says {entry.name} {entry.version}, but its file is {file.name}")


def compose(packages: Sequence[Package], choice: Choice, target: Target, notes: Sequence[str] = ()) -> str:
    """The text of a lock with these files and nothing else. The same plan twice is the same text."""
    import tomli_w

    slim = choice._replace(candidates=(), routes=())
    python = f"{target.python.major}.{target.python.minor}"
    system = marker_environment(target)
    data = {
        "lock-version": "1.0",
        "environments": [
            f"sys_platform == '{system['sys_platform']}' and platform_machine == '{system['platform_machine']}'"
        ],
        "requires-python": f"=={python}.*",
        "created-by": "gpucheck",
        "packages": [_table(package) for package in packages],
        "tool": {"gpucheck": {"choice": json.dumps(encode(slim), sort_keys=True), "notes": list(notes)}},
    }
    return tomli_w.dumps(data)


def _table(package: Package) -> dict[str, Any]:
    where = {"url": bare(package.url)} if "://" in package.url else {"path": package.url}
    size = {} if package.size is None else {"size": package.size}
    file = {"name": package.file, **where, **size, "hashes": {"sha256": package.sha256}}
    kind = {"wheels": [file]} if package.file.endswith(".whl") else {"sdist": file}
    tool = {"tool": {"gpucheck": {"why": package.why}}} if package.why else {}
    return {"name": package.name, "version": str(package.version), **kind, **tool}


def package_of(entry: Entry, file: File, why: str) -> Package:
    where = bare(file.url) if "://" in file.url else file.url
    return Package(entry.name, PackageVersion(entry.version), file.name, where, file.sha256, file.size, why)
