"""Read tests/machines/*.json: whole recordings, and machines put together from parts.

``"extends": ["hw-rtx4090", "env-tf220"]`` merges those files of tests/machines/parts (or tests/machines), as
gpucheck/simulating/layers.py says.

``"expect"``: exactly the names of the findings that doctor must make; ``"verdict"``: its verdict; ``"note"``: what the
machine is; ``"source"``: where it was seen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpucheck.simulating.layers import merged

FOLDER = Path(__file__).parent / "machines"


def names() -> list[str]:
    """The machines, without the parts."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def raw(name: str) -> dict[str, Any]:
    """A machine or a part as its file has it."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        path = FOLDER / "parts" / f"{name}.json"
    own: dict[str, Any] = json.loads(path.read_text())
    return own


def load(name: str) -> dict[str, Any]:
    """A machine with everything that it extends merged in."""
    return merged(raw(name), raw)
