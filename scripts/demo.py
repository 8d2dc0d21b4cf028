"""From nothing to an answer: set gpucheck up from this checkout and run it on this machine.

    python3 scripts/demo.py            (Windows: py scripts\\demo.py)

Needs Python 3.10 or newer and, the first time, a package index. Everything lands in .venv-demo; running it again is
safe and quick. Exit code 0: gpucheck ran, whatever it found. 1: it could not be set up or did not run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from own_environment import ROOT, SetupFailed, make, program, require_python

FOLDER = ROOT / ".venv-demo"
MEANING = {
    0: "it found no error",
    1: "it found an error; the cure is printed above",
    3: "it could not tell: something that matters could not be read",
}


def main() -> int:
    require_python()
    try:
        make(FOLDER)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next run starts afresh.", file=sys.stderr)
        return 130
    return _doctor(sys.argv[1:])


def _doctor(arguments: list[str]) -> int:
    # A command that cannot even start ends with 1, as doctor does for an error that it found.
    if subprocess.run([str(program(FOLDER, "gpucheck")), "--version"], stdout=subprocess.DEVNULL).returncode:
        print("\ngpucheck itself does not run.", file=sys.stderr)
        return 1
    print("$ gpucheck doctor " + " ".join(arguments), flush=True)
    try:
        code = subprocess.run([str(program(FOLDER, "gpucheck")), "doctor", *arguments]).returncode
    except KeyboardInterrupt:
        return 130
    if code not in MEANING:
        print("\ngpucheck itself failed (exit code {}).".format(code), file=sys.stderr)  # noqa: UP032
        return 1
    print("\nExit code {} of doctor: {}. The demo itself went well.".format(code, MEANING[code]), flush=True)  # noqa: UP032
    return 0


if __name__ == "__main__":
    sys.exit(main())
