"""What runs on a worker. Plain text comes back, so that two versions of gpucheck need agree on nothing but JSON."""

from __future__ import annotations

from typing import Union


def look(python: Union[str, None], deep: bool, timeout: float) -> tuple[str, str]:
    """The machine's name and its facts. python: None for the one that runs this."""
    import socket
    import sys

    from gpucheck import api
    from gpucheck.render.json import render_snapshot

    return socket.gethostname(), render_snapshot(api.look_here(python or sys.executable, deep, timeout))


def measure(python: Union[str, None], seconds: float, limit: float) -> tuple[str, str]:
    """A result of `gpucheck bench` on every GPU that a program sees here, or "" and why there is none.

    Parameters
    ----------
    python: None for the one that runs this.
    seconds: of measuring.
    limit: seconds for all of it; then it is ended.
    """
    import os
    import sys
    import tempfile

    from gpucheck import api
    from gpucheck.bench.devices import visible

    python = python or sys.executable
    gpus = visible(api.look_here(python, False, 10.0).gpus, os.environ)
    if not gpus:
        return "", "no NVIDIA GPU is visible there"
    with tempfile.TemporaryDirectory(prefix="gpucheck-") as folder:
        path = os.path.join(folder, "result.json")
        words = ["bench", "--python", python, "--devices", ",".join(f"gpu:{number}" for number in range(len(gpus)))]
        words += ["--time", f"{seconds:g}", "--format", "json", "--output", os.devnull, "--save", path]
        said = _run([sys.executable, "-m", "gpucheck", *words], limit)
        try:
            with open(path, encoding="utf-8") as file:
                return file.read(), ""
        except OSError:
            return "", said or "bench left no result"


def _run(command: list[str], limit: float) -> str:
    """A process of its own, for bench listens to signals and may hang. Gives its last words."""
    import os
    import signal
    import subprocess

    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said = child.communicate(timeout=limit)[1].decode("utf-8", "replace").splitlines()
        return said[-1] if said else ""
    except subprocess.TimeoutExpired:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        child.kill()
        return f"bench was not done within {limit:g} s"
