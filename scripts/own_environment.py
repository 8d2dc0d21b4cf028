"""A virtual environment for the checkout's own scripts: made from nothing, repaired when broken, reused when right.

Standard library only; old Pythons must still parse this to be told what is missing, so no syntax newer than 3.7.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 10)  # requires-python of pyproject.toml
_NEWER = ("python3.14", "python3.13", "python3.12", "python3.11", "python3.10")


class SetupFailed(Exception):
    """The environment could not be made. The text tells a user what to do."""


def require_python() -> None:
    """Go on with a newer Python of this machine where the running one is too old (it replaces this process)."""
    if sys.version_info >= OLDEST:
        return
    for name in _NEWER:
        found = shutil.which(name)
        # A pyenv shim exists for versions that are not active, so it is asked.
        if found and subprocess.run([found, "-c", "pass"], stderr=subprocess.DEVNULL).returncode == 0:
            sys.exit(subprocess.run([found, *sys.argv]).returncode)
    sys.exit(
        "Python {}.{} or newer is needed; this is {}.{} ({}).\n"
        "Install one (Debian and Ubuntu: sudo apt install python3), or run this script with it.".format(
            *OLDEST, *sys.version_info[:2], sys.executable
        )
    )


def program(folder: Path, name: str) -> Path:
    """Path of a program of the environment in `folder`."""
    return folder / "Scripts" / (name + ".exe") if os.name == "nt" else folder / "bin" / name


def make(folder: Path, *groups: str, packages: tuple[str, ...] = ()) -> Path:
    """Have an environment in `folder` with the checkout (editable), the named dependency groups of pyproject.toml and
    other packages.

    Returns its Python. A folder that is not what it should be (an interrupted run, another Python, other dependencies)
    is made anew.

    Raises
    ------
    SetupFailed
    """
    python = program(folder, "python")
    stamp, wanted = folder / "gpucheck-ready", _fingerprint(groups + packages)
    if _read(stamp) == wanted and _runs(python, "-c", "import gpucheck"):
        return python
    print("Setting up " + str(folder) + " (once) ...", file=sys.stderr, flush=True)
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
    pip = _create(folder, python)
    arguments = [part for group in groups for part in ("--group", group)]
    # --group is as new as pip 25.1.
    _install(pip, "--upgrade", "pip>=25.1")
    pip = [str(python), "-m", "pip"]
    _install(pip, "--editable", str(ROOT), *arguments, *packages)
    stamp.write_text(wanted)
    return python


def _fingerprint(groups: tuple[str, ...]) -> str:
    text = (ROOT / "pyproject.toml").read_bytes() + repr((sys.version, sys.executable, groups, str(ROOT))).encode()
    return hashlib.sha256(text).hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _runs(python: Path, *arguments: str) -> bool:
    try:
        return subprocess.run([str(python), *arguments], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _create(folder: Path, python: Path) -> list[str]:
    """Make the environment; the answer is the pip that installs into it."""
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if made.returncode == 0:
        return [str(python), "-m", "pip"]
    # Debian's python3 has venv but no ensurepip (it is in python3-venv); a pip from elsewhere can fill the environment.
    bare = subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)], capture_output=True)
    if bare.returncode == 0 and _runs(Path(sys.executable), "-m", "pip", "--python", str(python), "--version"):
        return [sys.executable, "-m", "pip", "--python", str(python)]
    shutil.rmtree(folder, ignore_errors=True)
    raise SetupFailed(
        f"Python's venv did not work:\n\n{(made.stdout + made.stderr).strip()}\n\n"
        "On Debian and Ubuntu this installs it: sudo apt install python3-venv\n"
        "Then run this script again."
    )


def _install(pip: list[str], *arguments: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--retries", "2", "--timeout", "20"]
    if subprocess.run([*pip, "install", *quiet, *arguments], cwd=str(ROOT)).returncode:
        raise SetupFailed(
            "pip could not install what is needed; its own words stand above.\n"
            "Without a network there is nothing to install from. Behind a mirror, set PIP_INDEX_URL (and PIP_CERT).\n"
            "What was made so far is removed by the next run; nothing else on this machine was changed."
        )
