"""Windows: a folder cannot be renamed while a program holds a file in it, or stands in it. Elsewhere it can.

Found out without disturbing anybody: every file and folder is opened with the right to delete it, sharing all, and
closed again. Those refuse that somebody holds without sharing that right: Python's open() holds a file so, a program
its current folder. A DLL or program that runs does not refuse: its folder can be renamed, and it goes on with the old
file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Union

from gpucheck.install.errors import Refused

_SHOWN = 3
_DELETE, _SHARE_ALL, _OPEN_EXISTING = 0x00010000, 7, 3  # winnt.h, fileapi.h
_FOLDERS_AND_LINKS = 0x02000000 | 0x00200000  # FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT
_SHARING_VIOLATION = 32  # winerror.h


def refuse(tree: str) -> None:
    """Raises `Refused` where a program holds something in the folder that must be renamed later."""
    words = why(tree)
    if words is not None:
        raise Refused(words)


def why(tree: str) -> Union[str, None]:
    """Who and what is in the way, with the way out; None: nobody, or not Windows."""
    if sys.platform != "win32":
        return None
    held = paths(tree)
    if not held:
        return None
    who = [f"{name}, process {pid}" for pid, name in programs(tree)][:_SHOWN]
    names = ", ".join(held[:_SHOWN])
    whom = f" (perhaps by {'; '.join(who)})" if who else ""
    return (
        f"{names}: in use by another program{whom}, or the current folder of one. Way out: close notebooks, editors "
        "and prompts that work there, then the same command again"
    )


def paths(tree: str, most: int = _SHOWN) -> tuple[str, ...]:
    """The first files and folders of a tree, itself included, that somebody holds."""
    found: list[str] = []
    for path in _all(tree):
        if _held(path):
            found.append(path)
            if len(found) >= most:
                break
    return tuple(found)


def _all(tree: str) -> Iterator[str]:
    for folder, _folders, names in os.walk(tree):
        yield folder
        for name in names:
            yield os.path.join(folder, name)


def _held(path: str) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes
    from ctypes import wintypes

    kernel = _kernel()
    handle = kernel.CreateFileW(path, _DELETE, _SHARE_ALL, None, _OPEN_EXISTING, _FOLDERS_AND_LINKS, None)
    if handle == wintypes.HANDLE(-1).value:
        return ctypes.get_last_error() == _SHARING_VIOLATION
    kernel.CloseHandle(handle)
    return False


@cache
def _kernel() -> Any:
    import ctypes
    from ctypes import wintypes

    kernel: Any = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - Windows alone has it
    kernel.CreateFileW.restype = wintypes.HANDLE
    kernel.CreateFileW.argtypes = (
        *(wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, ctypes.c_void_p),
        *(wintypes.DWORD, wintypes.DWORD, wintypes.HANDLE),
    )
    kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    return kernel


def programs(tree: str, standing: bool = True) -> list[tuple[int, str]]:
    """Programs that were started from a folder: number and name. Other users' are not always told.

    standing: and those whose current folder is in it.
    """
    import psutil

    inside = os.path.normcase(os.path.join(tree, ""))
    found = []
    for process in psutil.process_iter():
        asked = (process.exe, process.cwd) if standing else (process.exe,)
        if any(os.path.normcase(os.path.join(place, "")).startswith(inside) for place in _told(asked)):
            found.append((process.pid, next(_told((process.name,)), "?")))
    return found


def _told(questions: Iterable[Callable[[], str]]) -> Iterator[str]:
    import psutil

    for question in questions:
        with suppress(psutil.Error, OSError):  # Wine knows no program by its process, and says so by an OSError
            yield question()
