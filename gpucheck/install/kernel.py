"""A Jupyter kernel for the environment, inside it: Jupyter of this environment finds it, nothing outside is touched."""

from __future__ import annotations

import json
import os

from gpucheck.install.layout import interpreter

NAME = "gpucheck"  # of the folder; Jupyter's own kernel "python3" is ipykernel's


def register(workplace: str, final: str, title: str) -> str:
    """Write the kernel's specification. Gives its path, relative to the environment.

    Parameters
    ----------
    workplace: the environment's folder as it is now. final: as it will be called.
    title: what Jupyter's menu shows.

    Jupyter reads ``share/jupyter/kernels`` of its own prefix (docs of jupyter_core, "Data files"); the specification's
    fields: jupyter_client, "Kernel specs".

    Raises
    ------
    OSError: it cannot be written.
    """
    relative = os.path.join("share", "jupyter", "kernels", NAME)
    folder = os.path.join(workplace, relative)
    os.makedirs(folder, exist_ok=True)
    specification = {
        "argv": [interpreter(final), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": title,
        "language": "python",
        "metadata": {"debugger": True},
    }
    with open(os.path.join(folder, "kernel.json"), "w", encoding="utf-8") as file:
        json.dump(specification, file, indent=1)
    return relative
