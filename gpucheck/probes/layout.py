"""The layout of an interpreter, however it was learned: from an environment's files or from the interpreter itself."""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap


class Layout(NamedTuple):
    """How an interpreter is laid out. Every field of an interpreter that could not be asked is a gap."""

    version: Union[str, None, Gap]
    read_from: Union[str, None]
    implementation: Union[str, None, Gap]
    prefix: Union[str, None, Gap]
    base_prefix: Union[str, None, Gap]
    site_dirs: Union[tuple[str, ...], Gap]
    user_site: Union[str, None, Gap]
    kind: Union[str, Gap]
    program: Union[str, None] = None  # what it says it is, where it was asked: behind a shim, the real one


def parent(path: str) -> str:
    """The folder that a path lies in; "" for the root, so that a name can be joined with "/"."""
    return path.rpartition("/")[0]
