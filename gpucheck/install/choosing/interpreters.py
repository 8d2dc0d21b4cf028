"""Other Pythons of a machine, by what a snapshot knows of them. Pure."""

from __future__ import annotations

import re

from gpucheck.facts.gap import known
from gpucheck.facts.python import Interpreter, Python
from gpucheck.facts.snapshot import Snapshot


def found(snapshot: Snapshot, minor: str) -> list[str]:
    """Other interpreters of this minor version on PATH, by what their paths say of themselves."""
    others = known(snapshot.python.others, ()) if isinstance(snapshot.python, Python) else ()
    return [one.path for one in others if _said_minor(one) == minor]


def _said_minor(one: Interpreter) -> str:
    for path in (one.real_path, one.path):
        named = re.search(r"python(\d\.\d+)(?:\.exe)?$", path) or re.search(
            r"[/\\](?:cpython-|Python)?(\d\.\d+)(?:\.\d+)?[^/\\]*[/\\](?:bin[/\\])?python", path
        )
        if named:
            return named[1]
    return ""
