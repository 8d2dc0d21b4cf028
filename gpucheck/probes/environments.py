"""Virtual and conda environments, read from their files without starting their interpreter.

CPython reads pyvenv.cfg itself (Lib/site.py, venv()), so what it says of system-site-packages is the truth; the three
makers differ in the version's name: venv writes "version", virtualenv both, uv "version_info".
"""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.paths import is_windows
from gpucheck.host import Host, Stat
from gpucheck.probes.layout import Layout, parent

_MOST_LINES = 200


def read_config(data: bytes) -> dict[str, str]:
    """The keys of a pyvenv.cfg, lower case."""
    values: dict[str, str] = {}
    for line in data.decode("utf-8", "surrogateescape").splitlines()[:_MOST_LINES]:
        key, found, value = line.partition("=")
        if found:
            values[key.strip().lower()] = value.strip()
    return values


def minor_of(version: str) -> Union[str, None]:
    """ "3.11" of "3.11.7" or "3.11.7.final.0"."""
    parts = version.split(".")
    return ".".join(parts[:2]) if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit() else None


def read_venv(host: Host, prefix: str, config: bytes) -> Union[Layout, None]:
    """The layout of a virtual environment; None where pyvenv.cfg does not tell the version: then it must be asked."""
    values = read_config(config)
    text = values.get("version_info") or values.get("version") or ""
    minor = minor_of(text)
    if minor is None:
        return None
    version = ".".join(text.split(".")[:3])
    base = _base_prefix(values)
    folders = [f"{prefix}/lib/python{minor}/site-packages"]
    if host.is_link(f"{prefix}/lib64") is False and isinstance(host.stat(f"{prefix}/lib64"), Stat):
        folders.append(f"{prefix}/lib64/python{minor}/site-packages")
    user: Union[str, None] = None
    if values.get("include-system-site-packages", "").lower() == "true":
        user = user_site(host, minor)
        folders += [user] if user else []
        folders += system_folders(base, minor) if base else []
    return Layout(
        version,
        f"{prefix}/pyvenv.cfg",
        values.get("implementation", "cpython").lower(),
        prefix,
        base,
        with_added(host, folders),
        user,
        _kind(host, prefix),
    )


def _base_prefix(values: dict[str, str]) -> Union[str, None]:
    if values.get("base-prefix"):  # virtualenv
        return values["base-prefix"]
    return parent(values["home"].rstrip("/")) if values.get("home") else None


def _kind(host: Host, prefix: str) -> str:
    if isinstance(host.stat(f"{prefix}/uv-receipt.toml"), Stat):
        return "uv-tool"
    return "pipx" if isinstance(host.stat(f"{prefix}/pipx_metadata.json"), Stat) else "venv"


def read_conda(host: Host, prefix: str, records: tuple[str, ...]) -> Union[Layout, None]:
    """The layout of a conda environment, from the record of its package "python"."""
    for name in records:
        pieces = name.rsplit("-", 2)
        if len(pieces) == 3 and pieces[0] == "python" and name.endswith(".json"):
            minor = minor_of(pieces[1])
            if minor is None:
                continue
            user = user_site(host, minor)
            folders = ([user] if user else []) + [f"{prefix}/lib/python{minor}/site-packages"]
            source = f"{prefix}/conda-meta/{name}"
            implementation = "pypy" if "pypy" in pieces[2] else "cpython"
            return Layout(pieces[1], source, implementation, prefix, prefix, with_added(host, folders), user, "conda")
    return None


def user_site(host: Host, minor: str) -> Union[str, None]:
    """~/.local's site-packages where it exists and is not switched off (PYTHONNOUSERSITE)."""
    if host.env("PYTHONNOUSERSITE"):
        return None
    path = f"{host.about().home}/.local/lib/python{minor}/site-packages"
    return path if isinstance(host.stat(path), Stat) else None


def system_folders(base: str, minor: str) -> list[str]:
    """Where an interpreter under `base` keeps packages; Debian has folders of its own (its site.py)."""
    folders = [f"{base}/lib/python{minor}/site-packages", f"{base}/lib64/python{minor}/site-packages"]
    if base == "/usr":
        folders += [f"/usr/local/lib/python{minor}/dist-packages", "/usr/lib/python3/dist-packages"]
    return folders


def with_added(host: Host, folders: list[str]) -> tuple[str, ...]:
    """The folders with PYTHONPATH before them and what their .pth files add after each (Lib/site.py, addpackage)."""
    between = ";" if host.flavour == "windows" else ":"
    ahead = [item.rstrip("/") for item in (host.env("PYTHONPATH") or "").split(between) if item]
    found = dict.fromkeys(ahead)
    for folder in folders:
        found[folder] = None
        names = host.names(folder)
        for name in names if isinstance(names, tuple) else ():
            if name.endswith(".pth") and not name.startswith("."):
                found.update(dict.fromkeys(_added_by(host, folder, name)))
    return tuple(found)


def _added_by(host: Host, folder: str, name: str) -> list[str]:
    data = host.read(f"{folder}/{name}")
    if not isinstance(data, bytes):
        return []
    added = []
    for line in data.decode("utf-8", "surrogateescape").splitlines()[:_MOST_LINES]:
        path = line.strip()
        if path and not path.startswith(("#", "import ", "import\t")) and "\0" not in path:
            path = path if path.startswith("/") or is_windows(path) else f"{folder}/{path}"
            status = host.stat(path)
            if status is not None and not isinstance(status, Gap) and status.kind == "dir":
                added.append(path.rstrip("/"))
    return added
