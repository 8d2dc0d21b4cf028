"""What a file system can do with whole folders at once: exchange two, wait until they are on the disk, remove.

What these folders mean is not known here: see transaction.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Union

WINDOWS = sys.platform == "win32"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # fcntl.h, linux/fs.h
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276}  # asm/unistd.h: for a C library that has no renameat2()
# Rights of a folder. Windows: those of the folder around it; Python 3.12.4 and later make 0o700 a list of its own there
# (owner, administrators, system), which an environment that is built in such a folder would keep.
CLOSED = 0o777 if WINDOWS else 0o700
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def rename(source: str, target: str) -> None:
    """os.rename. On Windows a virus scanner or an indexer may hold what is new for a moment: it is tried for 3 s."""
    _patiently(os.rename, source, target)


def replace(source: str, target: str) -> None:
    """os.replace, with the same patience."""
    _patiently(os.replace, source, target)


def _patiently(step: Callable[[str, str], None], source: str, target: str) -> None:
    for pause in _PAUSES if WINDOWS else ():
        try:
            return step(source, target)
        except PermissionError:
            time.sleep(pause)
    return step(source, target)


class NoExchange(Exception):
    """This system or file system cannot exchange two folders at once."""


def exchange(one: str, other: str) -> None:
    """Each gets the other's name, at once: there is no moment at which either name leads nowhere (renameat2(2)).

    Raises
    ------
    NoExchange: it must be done in two steps here. OSError.
    """
    if not sys.platform.startswith("linux"):
        raise NoExchange
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    call: Callable[..., int]
    if hasattr(libc, "renameat2"):
        call = libc.renameat2
    elif os.uname().machine in _RENAMEAT2:
        call, arguments = libc.syscall, (_RENAMEAT2[os.uname().machine], *arguments)  # type: ignore[assignment]
    else:
        raise NoExchange
    if call(*arguments) == -1:
        number = ctypes.get_errno()
        if number in _NO_EXCHANGE:
            raise NoExchange
        raise OSError(number, os.strerror(number), one, None, other)


def immovable(tree: str, full: str) -> Union[OSError, None]:
    """Why a folder could not be renamed, found out without doing it; None: it could.

    A rename onto a folder that holds something is refused, but only after all else was found in order (rename(2): EBUSY
    for a mount point, EXDEV for a lower layer of an overlay, EACCES, EPERM).

    Parameters
    ----------
    full: a folder with something in it.
    """
    if WINDOWS:
        return None
    try:
        os.rename(tree, full)
    except OSError as error:
        return None if error.errno in (errno.ENOTEMPTY, errno.EEXIST) else error
    os.rename(full, tree)  # a file system that knows no better: put it back
    return OSError(errno.EIO, "this file system renames onto a folder that is not empty")


def sync(path: str) -> None:
    """Wait until a file or folder is on the disk: a folder's names, not what they lead to."""
    if WINDOWS and os.path.isdir(path):
        return
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that knows no fsync of folders
            raise
    finally:
        os.close(handle)


def sync_all(folder: str) -> None:
    """Wait until everything written to the file system of a folder so far is on the disk (syncfs(2))."""
    if WINDOWS:
        return
    libc: Any = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if libc.syncfs(handle) == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder)
    finally:
        os.close(handle)


def remove(tree: str) -> bool:
    """Delete a tree or a file, folders without permission too. Never changes a file's rights: its other names would
    feel that. Is it gone?"""
    if not os.path.isdir(tree) or os.path.islink(tree):
        with suppress(OSError):
            os.unlink(tree)
        return not os.path.lexists(tree)
    for folder, _folders, _files in os.walk(tree):
        with suppress(OSError):
            if not WINDOWS and stat.S_IMODE(os.lstat(folder).st_mode) & 0o700 != 0o700:
                os.chmod(folder, 0o700)
    shutil.rmtree(tree, ignore_errors=True)
    return not os.path.lexists(tree)
