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
