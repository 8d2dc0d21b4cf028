"""What `gpucheck snapshot` does: look, and write the facts; judge nothing."""

from __future__ import annotations

from typing import Optional

from gpucheck import api
from gpucheck.commands import arguments
from gpucheck.output import check_place, write
from gpucheck.render import json


def snapshot(
    output: Optional[str] = None,
    python: Optional[str] = None,
    raw: bool = False,
    timeout: Optional[float] = None,
    deep: bool = False,
) -> int:
    """Write the facts alone, as JSON, to be diagnosed elsewhere."""
    limit = arguments.seconds(timeout, deep)
    if output is not None:
        check_place(output)
    chosen = arguments.interpreter(python)
    if raw:
        text = json.render_machine(api.record_here(chosen, deep, limit))
    else:
        text = json.render_snapshot(api.look_here(chosen, deep, limit))
    write(text, output)
    return 0
