"""Run the whole test suite, from nothing.

    python3 scripts/test.py                     everything (the first run downloads TensorFlow: some gigabytes)
    python3 scripts/test.py --fast              no network, no TensorFlow, no compiler: seconds
    python3 scripts/test.py -k gap -x           other words go to pytest
    python3 scripts/test.py --setup-only        make the environment (.venv-test) and stop

What tests need of the system (a C compiler, openssl; Wine and mingw for the Windows laboratory) is installed with
apt-get where that is possible (root on Debian or Ubuntu); elsewhere the tests that need it are skipped by name. With CI
set in the environment such a skip is a failure.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from own_environment import ROOT, SetupFailed, make, require_python

FOLDER = ROOT / ".venv-test"
FAST = [
    *("-m", "not real and not native and not slow and not windows", "--hypothesis-profile", "fast"),
    *("-n", "auto", "--maxprocesses", "4"),
]
# Program -> Debian's packages that bring it.
SYSTEM = {"cc": ["gcc", "libc6-dev"], "openssl": ["openssl"]}
if platform.machine() == "x86_64":  # what the Windows laboratory stands on (scripts/windows_lab.py)
    SYSTEM["/usr/lib/wine/wine64"] = ["wine64"]
    SYSTEM["x86_64-w64-mingw32-gcc"] = ["gcc-mingw-w64-x86-64-win32"]


def main() -> int:
    require_python()
    words = sys.argv[1:]
    fast = "--fast" in words
    only = "--setup-only" in words
    rest = [word for word in words if word not in ("--fast", "--setup-only")]
    if not fast:
        _install_system()
    try:
        python = make(FOLDER, "test")
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if only:
        return 0
    command = [str(python), "-m", "pytest", *(FAST if fast else []), *rest]
    try:
        return subprocess.run(command, cwd=str(ROOT), env=_environ()).returncode
    except KeyboardInterrupt:
        return 130


def _environ() -> dict[str, str]:
    """Ours. Bytecode is kept (git ignores it): each of the processes that tests start would compile gpucheck again."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _install_system() -> None:
    """Install missing programs with apt-get, if we may. A failure is only told: the tests will say what lacks."""
    missing = [package for name, packages in SYSTEM.items() if not shutil.which(name) for package in packages]
    if not missing:
        return
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        print("Missing here: " + " ".join(missing) + ". Tests that need it are skipped.", file=sys.stderr)
        return
    environ = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *missing]):
        if subprocess.run(["apt-get", *command], env=environ, stdout=sys.stderr).returncode:
            print("apt-get " + " ".join(command) + " failed; tests that need it are skipped.", file=sys.stderr)
            return


if __name__ == "__main__":
    sys.exit(main())
