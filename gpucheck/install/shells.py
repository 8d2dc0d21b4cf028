"""Words for the user's shell: sh's, or on Windows what cmd and PowerShell take alike. Nothing is run."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence

_WINDOWS = sys.platform == "win32"
_PLAIN = re.compile(r"[\w.:\\/+=~-]+")


def quoted(word: str, windows: bool = _WINDOWS) -> str:
    """One word. A path on Windows holds no double quote, and `place` refuses what is a sign within them."""
    if not windows:
        return shlex.quote(word)
    return word if _PLAIN.fullmatch(word) else f'"{word}"'


def command(words: Sequence[str], windows: bool = _WINDOWS) -> str:
    """A command and its arguments."""
    return " ".join(quoted(word, windows) for word in words)


def making_folder(path: str) -> str:
    return f"mkdir {quoted(path)}" if _WINDOWS else f"mkdir -p {quoted(path)}"


def activating(env: str, windows: bool = _WINDOWS) -> str:
    """The line that makes an environment the shell's own.

    Windows: cmd takes activate.bat, PowerShell activate.ps1, by the same word without an ending; but PowerShell runs
    what is in quotes only after an "&", which cmd does not take.
    """
    if os.path.isdir(os.path.join(env, "conda-meta")):
        return f"conda activate {quoted(env, windows)}"
    if not windows:
        return f"source {quoted(os.path.join(env, 'bin', 'activate'))}"
    script = quoted(f"{env}\\Scripts\\activate", windows)
    return f"{script} (PowerShell: & {script})" if script.startswith('"') else script
