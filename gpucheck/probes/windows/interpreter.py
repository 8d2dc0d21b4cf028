r"""Which interpreter is examined on Windows, and its layout: Scripts\python.exe, Lib\site-packages, the Store."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.variables import NAMES
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.host import Host, Stat
from gpucheck.probes.environments import minor_of, read_config, with_added
from gpucheck.probes.interpreter import Choice, ask
from gpucheck.probes.layout import Layout
from gpucheck.probes.windows import search_path

_NAMES = ("python.exe", "python3.exe")
# Names that lead to the Store's Python, or to the Store where that is not installed: 0 bytes either way.
_ALIASES = "\\microsoft\\windowsapps"
_STORE = "PythonSoftwareFoundation.Python."
assert "LOCALAPPDATA" in NAMES


def choose(host: Host, given: Union[str, None]) -> Union[Choice, Gap]:
    """Find the interpreter to examine: the given one, the active environment's, the first on PATH."""
    if given:
        by = "this process" if paths.key(given) == paths.key(host.about().own_python) else "--python"
        if "\\" not in given and "/" not in given:
            names = (given if given.lower().endswith(".exe") else f"{given}.exe",)
            return Choice(on_path(host, names) or inside(host, given) or given, by)
        return Choice(inside(host, given) or paths.own_separators(given), by)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = host.env(variable)
        found = inside(host, prefix) if prefix else None
        if found:
            return Choice(found, variable)
    found = on_path(host, _NAMES)
    return Choice(found, "PATH") if found else Gap("no Python on PATH and none given with --python", "unsupported")


def inside(host: Host, prefix: str) -> Union[str, None]:
    """The interpreter of an environment's folder: a virtual one has it in Scripts, conda's at its top."""
    for name in ("Scripts\\python.exe", "python.exe", "bin\\python.exe"):
        path = paths.join(prefix, name)
        if isinstance(host.stat(path), Stat):
            return path
    return None


def path_folders(host: Host) -> tuple[str, ...]:
    """The folders of PATH, each once."""
    own = search_path.of_process(host)
    found: dict[str, str] = {}
    for entry in own.entries if own else ():
        if isinstance(entry.expanded, str):
            found.setdefault(paths.key(entry.expanded), entry.expanded)
    return tuple(found.values())


def on_path(host: Host, names: tuple[str, ...]) -> Union[str, None]:
    """What a shell starts. An alias of the Store counts only where the Store's Python is installed."""
    for name in names:
        for folder in path_folders(host):
            path = paths.join(folder, name)
            status = host.stat(path)
            if isinstance(status, Gap) and not folder.lower().endswith(_ALIASES):
                continue
            if status is not None and not is_dead_alias(host, folder):
                return path
    return None


def is_dead_alias(host: Host, folder: str) -> bool:
    """Does a name in this folder only open the Store?"""
    if not folder.lower().endswith(_ALIASES):
        return False
    names = host.names(folder)
    return isinstance(names, tuple) and not any(name.startswith(_STORE) for name in names)


def lay_out(host: Host, executable: str) -> Layout:
    """Learn the layout of an interpreter: from its environment's files, else from itself."""
    folder = paths.parent(executable)
    for prefix in (paths.parent(folder), folder):
        config = host.read(paths.join(prefix, "pyvenv.cfg"))
        if isinstance(config, bytes):
            found = _venv(host, prefix, config)
            if found:
                return found
    records = host.names(paths.join(folder, "conda-meta"))
    conda = _conda(host, folder, records) if isinstance(records, tuple) else None
    return conda or _asked(host, executable)


def _venv(host: Host, prefix: str, config: bytes) -> Union[Layout, None]:
    values = read_config(config)
    text = values.get("version_info") or values.get("version") or ""
    minor = minor_of(text)
    if minor is None:
        return None
    base = values.get("base-prefix") or values.get("home")
    folders = [paths.join(prefix, "Lib", "site-packages")]
    user: Union[str, None] = None
    if values.get("include-system-site-packages", "").lower() == "true":
        user = user_site(host, minor)
        folders += [user] if user else []
        folders += [paths.join(base, "Lib", "site-packages")] if base else []
    return Layout(
        ".".join(text.split(".")[:3]),
        paths.join(prefix, "pyvenv.cfg"),
        values.get("implementation", "cpython").lower(),
        prefix,
        base,
        with_added(host, folders),
        user,
        _kind(host, prefix),
    )


def _kind(host: Host, prefix: str) -> str:
    if isinstance(host.stat(paths.join(prefix, "uv-receipt.toml")), Stat):
        return "uv-tool"
    return "pipx" if isinstance(host.stat(paths.join(prefix, "pipx_metadata.json")), Stat) else "venv"


def _conda(host: Host, prefix: str, records: tuple[str, ...]) -> Union[Layout, None]:
    for name in records:
        pieces = name.rsplit("-", 2)
        if len(pieces) == 3 and pieces[0] == "python" and name.endswith(".json") and minor_of(pieces[1]):
            user = user_site(host, minor_of(pieces[1]) or "")
            folders = ([user] if user else []) + [paths.join(prefix, "Lib", "site-packages")]
            source = paths.join(prefix, "conda-meta", name)
            found = with_added(host, folders)
            return Layout(pieces[1], source, "cpython", prefix, prefix, found, user, "conda")
    return None


def user_site(host: Host, minor: str) -> Union[str, None]:
    r"""%APPDATA%\Python\Python310\site-packages where it exists and is not switched off."""
    roaming = host.env("APPDATA")
    if host.env("PYTHONNOUSERSITE") or not roaming:
        return None
    path = paths.join(roaming, "Python", f"Python{minor.replace('.', '')}", "site-packages")
    return path if isinstance(host.stat(path), Stat) else None


def _asked(host: Host, executable: str) -> Layout:
    """What it says itself. sys.path holds the prefix, too, where nothing is installed."""
    layout = ask(host, executable)
    if isinstance(layout.site_dirs, Gap):
        return layout
    kept = tuple(one for one in layout.site_dirs if paths.base(one).lower() not in ("dlls", ""))
    return layout._replace(site_dirs=kept)
