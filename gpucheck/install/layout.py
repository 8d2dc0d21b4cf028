"""Where an environment's interpreter lies: venv's layout and conda's, on each system."""

from __future__ import annotations

import os

# The first is where venv puts it; conda on Windows has it at the top.
PYTHONS = ("Scripts/python.exe", "python.exe") if os.name == "nt" else ("bin/python", "bin/python3")


def interpreter(environment: str) -> str:
    """The path of an environment's Python: the one that is there (a broken link, too), else where venv would put it."""
    places = [os.path.join(environment, *name.split("/")) for name in PYTHONS]
    return next((path for path in places if os.path.lexists(path)), places[0])
