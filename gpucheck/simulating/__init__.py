"""Machines to rehearse on (`gpucheck doctor --simulate NAME`): recorded answers that the real probes and rules judge.

machines.json is made from tests/machines by scripts/write_docs.py, which holds the table of what is shipped. No answer
in here is about the machine that runs this.
"""

from __future__ import annotations

from typing import Any

from gpucheck.simulating.layers import merged

# What people call a cause that has another name here.
ALSO = {"driver-version-mismatch": "driver-library-version-mismatch"}


def names() -> list[str]:
    """What can be rehearsed: names of findings, and "fine"."""
    return sorted(_shipped()["machines"])


def machine(name: str) -> dict[str, Any]:
    """The recorded machine of that name, as `gpucheck.host.recorded` reads it. Raises KeyError."""
    shipped = _shipped()
    return merged(shipped["machines"][ALSO.get(name, name)], lambda parent: dict(shipped["parts"][parent]))


def alike(name: str) -> list[str]:
    """Up to three names that a mistyped one may stand for."""
    from difflib import get_close_matches

    known = [*names(), *ALSO]
    return get_close_matches(name, known, 3, 0.5) or [one for one in known if name and name in one][:3]


def _shipped() -> dict[str, Any]:
    import json
    import os

    with open(os.path.join(os.path.dirname(__file__), "machines.json"), encoding="utf-8") as file:
        shipped: dict[str, Any] = json.load(file)
    return shipped
