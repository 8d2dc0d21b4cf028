"""Which interpreter is examined, and its layout: version, prefix, folders on sys.path.

A virtual environment is read from its files, because starting a Python costs more than all that is read here; any
other interpreter is asked, in a child. What is installed in those folders is found by other modules.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Union

from gpucheck.facts.gap import Gap, GapKind
from gpucheck.host import Answer, Child, Host, Stat, spoken
from gpucheck.probes import environments
from gpucheck.probes.layout import Layout, parent

_NAMES = ("python3", "python")
_MOST_PATH = 5000


class Choice(NamedTuple):
    executable: str
    chosen_by: str


def choose(host: Host, given: Union[str, None]) -> Union[Choice, Gap]:
    """Find the interpreter to examine: the given one, the active environment's, the first on PATH."""
    if given:
        by = "this process" if given == host.about().own_python else "--python"
        if "/" not in given:
            return Choice(_on_path(host, (given,)) or _inside(host, given) or given, by)
        return Choice(_inside(host, given) or given, by)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = host.env(variable)
        found = _inside(host, prefix) if prefix and not _is_own_tool(host, prefix) else None
        if found:
            return Choice(found, variable)
    found = _on_path(host, _NAMES)
    return Choice(found, "PATH") if found else Gap("no Python on PATH and none given with --python", "unsupported")


def _inside(host: Host, prefix: str) -> Union[str, None]:
    """The interpreter of an environment's folder."""
    for name in _NAMES:
        path = f"{prefix.rstrip('/')}/bin/{name}"
        if host.stat(path) is not None or host.is_link(path):
            return path
    return None


def _is_own_tool(host: Host, prefix: str) -> bool:
    """Is this gpucheck's own environment, made by pipx or uv for gpucheck alone?"""
    own = parent(parent(host.about().own_python))
    if prefix.rstrip("/") != own:
        return False
    return any(isinstance(host.stat(f"{own}/{name}"), Stat) for name in ("uv-receipt.toml", "pipx_metadata.json"))


def path_folders(host: Host) -> tuple[str, ...]:
    """The folders of PATH, each once, without the one of gpucheck's own tool environment."""
    folders = dict.fromkeys(item.rstrip("/") or "/" for item in (host.env("PATH") or "").split(":") if item)
    own = parent(host.about().own_python)
    if own in folders and _is_own_tool(host, parent(own)):
        del folders[own]
    return tuple(folders)[:_MOST_PATH]


def _on_path(host: Host, names: tuple[str, ...]) -> Union[str, None]:
    folders = path_folders(host)
    for name in names:
        for folder in folders:
            status = host.stat(f"{folder}/{name}")
            if status is not None and not isinstance(status, Gap) and status.kind == "file" and status.mode & 0o111:
                return f"{folder}/{name}"
    return None


def lay_out(host: Host, executable: str) -> Layout:
    """Learn the layout of an interpreter: from its environment's files, else from itself."""
    for prefix in (parent(parent(executable)), parent(executable)):
        config = host.read(f"{prefix}/pyvenv.cfg")
        if isinstance(config, bytes):
            found = environments.read_venv(host, prefix, config)
            if found:
                return ask(host, executable) if _is_another(host.real(executable), found) else found
    prefix = parent(parent(executable))
    records = host.names(f"{prefix}/conda-meta")
    if isinstance(records, tuple):
        conda = environments.read_conda(host, prefix, records)
        if conda:
            return conda
    return ask(host, executable)


def _is_another(real: Union[str, None, Gap], found: Layout) -> bool:
    """Is the program not what pyvenv.cfg says? The system's Python was upgraded below it, or it is free-threaded."""
    name = real.rpartition("/")[2] if isinstance(real, str) else ""
    minor = name[len("python") :].rstrip("m") if name.startswith("python3.") else ""  # python3.6m: pymalloc
    told = found.version if isinstance(found.version, str) else ""
    return bool(minor) and minor != ".".join(told.split(".")[:2])


def ask(host: Host, executable: str) -> Layout:
    """Let the interpreter itself tell. One that is broken or hangs gives gaps with the reason."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "children", "interpreter.py")
    host.start(Child("interpreter", None, (executable, script), 0.3))
    answer = host.answer("interpreter")
    facts = _parsed(answer)
    if facts is None:
        gap = _failure(answer, executable)
        return Layout(gap, None, gap, gap, gap, gap, gap, gap)
    prefix, base = facts["prefix"], facts["base_prefix"]
    conda = isinstance(host.names(f"{prefix}/conda-meta"), tuple)
    kind = "conda" if conda else "venv" if prefix != base else "pyenv" if "/.pyenv/versions/" in base else "system"
    return Layout(
        facts["version"],
        "the interpreter itself",
        facts["implementation"],
        prefix,
        base,
        tuple(facts["site_dirs"]),
        facts.get("user_site"),
        kind,
        facts["executable"] or None,
    )


_MOST_LINES = 500  # what a sitecustomize may print before ours
_TEXTS = ("executable", "version", "implementation", "prefix", "base_prefix")


def _parsed(answer: Answer) -> Union[dict[str, Any], None]:
    import json

    for line in answer.lines[:_MOST_LINES]:
        try:
            facts = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(facts, dict) or not all(isinstance(facts.get(name), str) for name in _TEXTS):
            continue
        folders, user = facts.get("site_dirs"), facts.get("user_site")
        if (
            isinstance(folders, list)
            and all(isinstance(one, str) for one in folders)
            and isinstance(user, (str, type(None)))
        ):
            return facts
    return None


def _failure(answer: Answer, executable: str) -> Gap:
    last = spoken.kept(answer.errors).rpartition("\n")[2][:200]
    kinds: dict[str, tuple[str, GapKind]] = {
        "deadline": ("gave no answer in time", "deadline"),
        "signal": (f"died of signal {answer.code}", "crashed"),
        "not-started": ("was not started", "not-collected" if answer.errors == "not recorded" else "crashed"),
        "exit": (
            "answered nothing usable" + ("" if answer.code is None else f", exit status {answer.code}"),
            "crashed",
        ),
    }
    words, kind = kinds[answer.ended]
    return Gap(f"{executable} {words}" + (f": {last}" if last else ""), kind)
