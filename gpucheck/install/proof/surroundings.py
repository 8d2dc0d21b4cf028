"""What lies around the new environment: the user's variables, which are not what was installed but change what runs.

The proof is made without those that could put another library, package or setting in the place of what was installed;
what they would have changed is told by a check of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Union

from gpucheck.compat.libraries import library_of
from gpucheck.compat.variables import NAMES
from gpucheck.facts.plan import Check

# Whole names and beginnings. CUDA_VISIBLE_DEVICES stays: it says which GPUs this user may use.
_SETTINGS = ("PYTHON", "TF_", "TF2_", "XLA_", "KERAS_", "LD_DEBUG")
# Of those that were left out: what changes TensorFlow or Keras, and nothing that merely begins alike.
_TOLD = frozenset({*NAMES, "PYTHONPATH", "PYTHONHOME", "TF2_BEHAVIOR", "LD_PRELOAD"} - {"LD_LIBRARY_PATH"})


class Surroundings(NamedTuple):
    """environ: for the proof. folders: of LD_LIBRARY_PATH, that hold CUDA libraries and were left out of it.

    settings: names of variables that were left out.
    """

    environ: dict[str, str]
    folders: tuple[str, ...]
    settings: tuple[str, ...]


def clean(environ: Mapping[str, str], room: str) -> Surroundings:
    """The variables for the proof.

    Parameters
    ----------
    environ: the user's. room: an empty folder, where Keras writes its settings, which else would go to the user's home.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(_SETTINGS)}
    path = [folder for folder in environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    foreign = tuple(folder for folder in path if _holds_cuda(folder))
    if "LD_LIBRARY_PATH" in kept:
        kept["LD_LIBRARY_PATH"] = ":".join(folder for folder in path if folder not in foreign)
        if not kept["LD_LIBRARY_PATH"]:
            del kept["LD_LIBRARY_PATH"]  # the empty path is the working folder
    if any(library_of(os.path.basename(one)) for one in environ.get("LD_PRELOAD", "").replace(":", " ").split()):
        kept.pop("LD_PRELOAD")  # other preloads (an allocator) are the user's business
    dropped = sorted(name for name in environ if name in _TOLD and name not in kept)
    return Surroundings({**kept, "KERAS_HOME": room}, foreign, tuple(dropped))


def with_folders(around: Surroundings, environ: Mapping[str, str]) -> dict[str, str]:
    """The proof's variables, but LD_LIBRARY_PATH as the user has it."""
    return {**around.environ, "LD_LIBRARY_PATH": environ.get("LD_LIBRARY_PATH", "")}


def _holds_cuda(folder: str) -> bool:
    """A folder with the driver alone is no toolkit's: on some systems the driver is found in no other way."""
    try:
        return any(library_of(name) for name in os.listdir(folder))
    except OSError:
        return False


def around(outside: Sequence[str], settings: Sequence[str], other: Union[str, None]) -> Check:
    """What of the user's variables changes what was proven.

    Parameters
    ----------
    outside: what they put in the place of the environment's. settings: variables that the proof left out.
    other: why this could not be tried.
    """
    name = "surroundings"
    lines = tuple(outside)
    note = f" The proof was made without {', '.join(settings)}." if settings else ""
    if other:
        return Check(name, "unproven", f"{other}{note}", lines)
    if outside:
        what = f"Your variables replace what was installed: {outside[0]}.{note}"
        return Check(name, "unproven", what, lines)
    return Check(name, "proven", f"Nothing in your variables replaces what was installed.{note}")
