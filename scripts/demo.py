"""From nothing to two answers: set gpucheck up from this checkout, examine this machine, time a training step on it.

    python3 scripts/demo.py            (Windows: py scripts\\demo.py)
    python3 scripts/demo.py --time 5   words go to gpucheck bench

Needs Python 3.10 or newer and, the first time, a package index: TensorFlow is downloaded (0.3 GB; with an NVIDIA driver
on Linux its CUDA packages, too: 3 GB). Everything lands in .venv-demo; running it again is safe and quick. Exit code 0:
both ran, whatever they found. 1: it could not be set up or did not run.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from own_environment import ROOT, SetupFailed, make, program, require_python

FOLDER = ROOT / ".venv-demo"
MEANING = {
    "doctor": {
        0: "it found no error",
        1: "it found an error; the cure is printed above",
        3: "it could not tell: something that matters could not be read",
    },
    "bench": {
        0: "it measured",
        1: "a device could not be measured; the reason is printed above",
        3: "it could not tell, on a busy machine for example; the reason is printed above",
    },
}
NVIDIA = ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1")


def main() -> int:
    require_python()
    try:
        make(FOLDER, packages=framework())
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next run starts afresh.", file=sys.stderr)
        return 130
    # A command that cannot even start ends with 1, as doctor does for an error that it found.
    if subprocess.run([str(program(FOLDER, "gpucheck")), "--version"], stdout=subprocess.DEVNULL).returncode:
        print("\ngpucheck itself does not run.", file=sys.stderr)
        return 1
    return run("doctor") or run("bench", "--time", "15", *sys.argv[1:])


def framework() -> tuple[str, ...]:
    """What to train with: the smallest TensorFlow that does what this machine can."""
    if sys.version_info >= (3, 14):
        return ("jax", "keras")  # TensorFlow has no wheel for this Python
    if sys.platform.startswith("linux") and platform.machine() == "x86_64":
        # [and-cuda] of 2.21.0 registers no GPU: no path of its framework library leads to libcusolver.
        return ("tensorflow[and-cuda]==2.20.0",) if any(map(os.path.exists, NVIDIA)) else ("tensorflow-cpu",)
    return ("tensorflow",)


def run(command: str, *words: str) -> int:
    """One command of gpucheck on the demo's own environment. Gives 0 if it ran, whatever it found."""
    line = [command, "--python", os.path.relpath(str(program(FOLDER, "python"))), *words]
    print("$ gpucheck " + " ".join(line), flush=True)
    try:
        code = subprocess.run([str(program(FOLDER, "gpucheck")), *line]).returncode
    except KeyboardInterrupt:
        return 130
    if code not in MEANING[command]:
        print("\ngpucheck itself failed (exit code {}).".format(code), file=sys.stderr)  # noqa: UP032
        return 130 if code == 130 else 1
    print("\nExit code {} of {}: {}.\n".format(code, command, MEANING[command][code]), flush=True)  # noqa: UP032
    return 0


if __name__ == "__main__":
    sys.exit(main())
