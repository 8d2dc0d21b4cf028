"""A whole installation as a process of its own, to be ended from outside: uv, from a folder of wheels, into ENV.

    python install_child.py ENV WHEELS CACHE PYTHON new|existing REQUIREMENT ...

It says "go" when the work begins, "committed" when it is done, and its failures on standard error.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gpucheck.install.changing import records, transaction
from gpucheck.install.errors import InstallError
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.settings import Settings
from gpucheck.interruption import Interrupted, listen


def main(env: str, wheels: str, cache: str, python: str, kind: str, *requirements: str) -> int:
    settings = Settings(find_links=(wheels,), no_index=True, offline=True, cache=cache)
    listen()
    print("go", flush=True)
    try:
        with transaction.begin(env, kind == "new") as change:
            if kind == "new":
                _uv(settings, "venv", "--prompt", "venv", "--python", python, change.workplace)
            _uv(settings, "pip", "install", *uv.options(settings), "--python", change.python, *requirements)
            change.settle()
            _prove(change)
            change.commit()
    except (InstallError, Interrupted) as error:
        print(f"{type(error).__name__}: {error}", *getattr(error, "lines", ()), file=sys.stderr)
        return getattr(error, "exit_code", 1)
    print("committed", flush=True)
    return 0


def _uv(settings: Settings, *arguments: str) -> None:
    done = uv.run(arguments, settings=settings, deadline=60)
    if done.code:
        raise InstallError(f"uv {arguments[0]} failed", tuple(done.err.splitlines()))


def _prove(change: transaction.Transaction) -> None:
    """Every file, and that the new interpreter runs."""
    (site,) = Path(change.workplace).glob("lib/python*/site-packages")
    if records.damaged(str(site)):
        raise InstallError("not proven")
    subprocess.run([change.python, "-I", "-B", "-c", "import alpha, gamma"], check=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
