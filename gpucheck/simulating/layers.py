"""How a recorded machine is put together from parts: hardware below, an environment above it, its own answers on top.

``"extends": ["hw-rtx4090", "env-tf218"]`` merges those from left to right, and the machine's own keys last. Objects
merge key by key, except that an entry of "paths" replaces the whole entry; a null removes one (for a path: it and
everything below it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# What a file of tests/machines says about itself, and a machine does not have.
ABOUT_THE_FILE = ("expect", "verdict", "note", "source")


def merged(own: dict[str, Any], part: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """A machine with everything that it extends. part: the machine or part of a name."""
    whole: dict[str, Any] = {}
    for parent in own.get("extends", []):
        below = merged(part(parent), part)
        whole = _merge(whole, {key: value for key, value in below.items() if key not in ABOUT_THE_FILE})
    return _merge(whole, {key: value for key, value in own.items() if key != "extends"})


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        if key in ("paths", "registry"):
            result[key] = _merge_paths(result.get(key, {}), value)
        elif isinstance(value, dict) and isinstance(result.get(key), dict) and key in ("about", "env", "children"):
            result[key] = {k: v for k, v in {**result[key], **value}.items() if v is not None}
        else:
            result[key] = value
    return result


def _merge_paths(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    gone = [path for path, node in over.items() if node is None]
    kept = {path: node for path, node in base.items() if not any(_within(path, folder) for folder in gone)}
    return {**kept, **{path: node for path, node in over.items() if node is not None}}


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith((folder.rstrip("/") + "/", folder.rstrip("\\") + "\\"))
