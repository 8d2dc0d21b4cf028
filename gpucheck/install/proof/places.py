"""Is a file the environment's? By its path as it is written, or by where its links lead."""

from __future__ import annotations

import os


def inside(path: str, root: str) -> bool:
    """Below the folder, by name or in truth: a package's file may be a link into uv's cache, and a root may be one."""
    return _below(os.path.realpath(path), os.path.realpath(root)) or _below(
        os.path.abspath(path), os.path.abspath(root)
    )


def same(one: str, other: str) -> bool:
    """Do both lead to the same folder?"""
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def _below(path: str, folder: str) -> bool:
    return os.path.normcase(path).startswith(os.path.normcase(os.path.join(folder, "")))
