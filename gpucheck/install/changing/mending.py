"""The interpreter of a virtual environment, where its links in bin are lost, lead nowhere or start nothing.

What a venv has of Python is three links (on Linux; PEP 405) and pyvenv.cfg, which says where the real one lies.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import Union

from gpucheck.install.errors import Refused
from gpucheck.install.layout import interpreter
from gpucheck.probes.environments import minor_of, read_config

_SECONDS = 60.0  # a Python starts in 20 ms, on a sleeping network disk in some seconds


def trouble(env: str) -> Union[str, None]:
    """What is wrong with an environment's interpreter, in words; None: it runs, by all its usual names."""
    names = () if os.name == "nt" or not os.path.isfile(os.path.join(env, "pyvenv.cfg")) else _names(env)
    for program in dict.fromkeys((interpreter(env), *(os.path.join(env, "bin", name) for name in names))):
        if not os.path.lexists(program):
            return f"{program} is missing"
        if _said(program, "pass") is None:
            return f"{program} does not run"
    return None


def base(env: str) -> str:
    """The interpreter that the environment was made from, and is of the same version still.

    Raises
    ------
    Refused: it cannot be known, or is gone.
    """
    values = _config(env)
    home, minor = values.get("home", ""), _minor(env)
    for name in (f"python{minor}", "python3", "python"):
        path = os.path.join(home, name)
        if home and minor and os.path.isfile(path) and _said(path, _TELL) == minor:
            return path
    gone = f"the Python {minor} that it was made from is not in {home} any more" if home else "it names no Python"
    raise Refused(f"{env} cannot be repaired: {gone}. Way out: gpucheck install --env FOLDER makes a new environment")


_TELL = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


def mend(env: str, program: str) -> None:
    """Make the links again, of which those that still lead to a running Python are kept. Raises OSError."""
    folder = os.path.join(env, "bin")
    os.makedirs(folder, exist_ok=True)
    if _said(interpreter(env), "pass") is None:
        _link(program, os.path.join(folder, "python"))
    for name in _names(env)[1:]:
        path = os.path.join(folder, name)
        if _said(path, "pass") is None:
            _link("python", path)


def _link(target: str, path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
    os.symlink(target, path)


def _names(env: str) -> tuple[str, ...]:
    minor = _minor(env)
    return ("python", "python3", *([f"python{minor}"] if minor else []))


def _minor(env: str) -> str:
    """ "3.12", by pyvenv.cfg: venv writes "version", uv and virtualenv "version_info". "" where it does not tell."""
    values = _config(env)
    return minor_of(values.get("version_info") or values.get("version") or "") or ""


def _config(env: str) -> dict[str, str]:
    try:
        with open(os.path.join(env, "pyvenv.cfg"), "rb") as file:
            return read_config(file.read(1 << 16))
    except OSError:
        return {}


def _said(program: str, code: str) -> Union[str, None]:
    """What a Python prints; None: it does not run."""
    try:
        done = subprocess.run(
            [program, "-I", "-c", code], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, text=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
