"""Read tests/machines/*.json: whole recordings, and machines put together from parts.

``"extends": ["hw-rtx4090", "env-tf220"]`` merges those files of tests/machines/parts (or tests/machines) from left to
right and the machine's own keys last. Objects merge key by key, except that an entry of "paths" replaces the whole
entry; a null removes one (for a path: it and everything below it).

``"expect"``: exactly the names of the findings that doctor must make; ``"verdict"``: its verdict; ``"note"``: what the
machine is; ``"source"``: where it was seen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "machines"


def names() -> list[str]:
    """The machines, without the parts."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """A machine with everything that it extends merged in."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        path = FOLDER / "parts" / f"{name}.json"
    own = json.loads(path.read_text())
    merged: dict[str, Any] = {}
    for parent in own.pop("extends", []):
        merged = _merge(
            merged, {k: v for k, v in load(parent).items() if k not in ("expect", "verdict", "note", "source")}
        )
    return _merge(merged, own)


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
    kept = {p: n for p, n in base.items() if not any(_within(p, g) for g in gone)}
    return {**kept, **{path: node for path, node in over.items() if node is not None}}


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith((folder.rstrip("/") + "/", folder.rstrip("\\") + "\\"))
