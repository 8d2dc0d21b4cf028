"""The pre-commit hook of Dockerfiles and compose files: `gpucheck doctor --dockerfile`, made fit to guard a commit.

A commit is stopped by what is wrong, not by what a file leaves open (a stage that is copied from, a requirements file
that a build makes): that is told, and passes.
"""

from __future__ import annotations

import os
import subprocess
import sys

COULD_NOT_TELL = 3


def main(words: list[str]) -> int:
    """words: options of doctor, then files, as pre-commit gives them. Gives the exit code."""
    first = len(words)
    while first and os.path.isfile(words[first - 1]):
        first -= 1
    command = [sys.executable, "-m", "gpucheck", "doctor", *words[:first], "--dockerfile", *words[first:]]
    code = subprocess.run(command).returncode
    return 0 if code == COULD_NOT_TELL else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
