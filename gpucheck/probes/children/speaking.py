"""How the nvml and cuda children talk to their parent: one JSON object a line, on a pipe of their own.

Not the json module: it imports re, which costs half of Python's start, and what is said here is simple.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # the real one lives in typing, whose import costs as much as Python's own start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def to_json(value: Any) -> str:
    try:
        from _json import encode_basestring_ascii as quoted
    except ImportError:  # an interpreter without CPython's accelerator
        from json.encoder import py_encode_basestring_ascii as quoted
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return str(quoted(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {to_json(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(to_json, value)) + "]"


def private_stdout() -> Callable[..., None]:
    """Give what writes a line to the parent. What the library prints on stdout goes to stderr from now on."""
    pipe = os.dup(1)
    os.dup2(2, 1)

    def say(stage: str, **facts: Any) -> None:
        os.write(pipe, to_json({"stage": stage, **facts}).encode("ascii") + b"\n")

    return say


def loaded_path(name: str) -> str | None:
    """The file behind a library's name ("libcuda.so"), as the kernel has mapped it; None where /proc does not tell."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")[2]
                if path.rpartition("/")[2].startswith(name):
                    return "/" + path
    except OSError:  # no /proc here, or the library has taken every descriptor
        pass
    return None
