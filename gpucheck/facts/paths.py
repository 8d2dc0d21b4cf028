"""Paths as text, of either system: a Windows path is known by its look (a drive, a share). Nothing is looked up.

Facts of a Windows machine hold Windows' own separators, and its names are the same whatever their case; so whoever
cuts or compares paths of facts does it here.
"""

from __future__ import annotations


def is_windows(path: str) -> bool:
    """ "C:\\Users", "C:/Users", "\\\\server\\share"."""
    return path[1:3] in (":\\", ":/") or path.startswith("\\\\")


def parent(path: str) -> str:
    """The folder that a path lies in; "" for a root, so that a name can be joined behind it."""
    if not is_windows(path):
        return path.rpartition("/")[0]
    text = path.replace("/", "\\")
    return text.rpartition("\\")[0]


def base(path: str) -> str:
    """The last name of a path."""
    return (path.replace("/", "\\").rpartition("\\") if is_windows(path) else path.rpartition("/"))[2]


def join(folder: str, *names: str) -> str:
    """Names below a folder, with the folder's own separator."""
    if is_windows(folder):
        return "\\".join([folder.replace("/", "\\").rstrip("\\"), *(name.replace("/", "\\") for name in names)])
    return "/".join([folder.rstrip("/"), *names])


def key(path: str) -> str:
    """What is equal for two names of one place, links aside."""
    return path.replace("/", "\\").rstrip("\\").lower() if is_windows(path) else path.rstrip("/") or "/"


def inside(path: str, folder: str) -> bool:
    """Does a path lie in a folder, however deep?"""
    separator = "\\" if is_windows(folder) else "/"
    return key(path).startswith(key(folder).rstrip(separator) + separator)


def own_separators(path: str) -> str:
    """A Windows path with backslashes alone; any other as it is."""
    return path.replace("/", "\\") if is_windows(path) else path
