"""A tree of files: what is in it, and a copy of it that shares its files."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from gpucheck.install.changing.disk import CLOSED, WINDOWS

_NO_LINK = {errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EACCES}
_SMALL = 1 << 20  # bytes
# Folders of an environment whose files no program writes in place.
_LINKED = {"lib", "lib64", "include", "share"}
_PACKAGES = ("site-packages", "dist-packages")


# Newer Pythons refuse the word where the system has no linkat(); links come another way here (see run).
_AS_IT_IS: dict[str, bool] = {} if WINDOWS else {"follow_symlinks": False}


class Elsewhere(Exception):
    """A part of the tree lies on another file system. path: that part."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Foreign(Exception):
    """A file of somebody else's that may neither be linked nor read. path: the file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Seen(NamedTuple):
    """What tells a file from another one of the same name. Not ctime: a new hard link changes that."""

    mode: int
    inode: int
    size: int
    changed: int  # ns


Listing = dict[str, Seen]  # by path relative to the tree


def look(tree: str) -> Listing:
    """Every file and link of a tree, and its empty folders, without what comes by itself (bytecode).

    Raises
    ------
    OSError
    """
    return {relative: seen for relative, seen in _walk(tree) if not _passing(relative)}


def _walk(tree: str, under: str = "") -> Iterator[tuple[str, Seen]]:
    with os.scandir(os.path.join(tree, under) if under else tree) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        relative = f"{under}/{entry.name}" if under else entry.name
        if entry.is_dir(follow_symlinks=False):
            below = list(_walk(tree, relative))
            yield from below
            if not below:
                yield relative, Seen(stat.S_IFDIR, 0, 0, 0)
        else:
            yield relative, _seen(entry.stat(follow_symlinks=False) if not WINDOWS else os.lstat(entry.path))


def _seen(status: os.stat_result) -> Seen:
    return Seen(status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns)


def _passing(relative: str) -> bool:
    """Bytecode, and uv's lock: every uv that looks at the environment makes it."""
    return relative == ".lock" or "__pycache__" in relative.split("/")


def link(source: str, target: str, skip: frozenset[str] = frozenset()) -> bool:
    """Make a tree whose files are hard links, its folders new ones with the same rights; files that programs write in
    place (activate, pyvenv.cfg, .pth, dist-info) are copies. `target` may exist.

    Parameters
    ----------
    skip: relative paths that are left out.

    Returns
    -------
    Were there files that had to be copied because the file system refuses links?

    Raises
    ------
    Elsewhere, Foreign, OSError (a full disk: what was made so far stays).
    """
    linker = _Linker(source, target, skip)
    linker.run("")
    return linker.copied


class _Linker:
    def __init__(self, source: str, target: str, skip: frozenset[str]) -> None:
        self.source, self.target, self.skip = source, target, skip
        self.device = os.lstat(source).st_dev
        self.copied = False

    def run(self, under: str) -> None:
        source, target = os.path.join(self.source, under), os.path.join(self.target, under)
        with suppress(FileExistsError):
            os.mkdir(target, CLOSED)
        with os.scandir(source) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
        for entry in inside:
            relative = f"{under}/{entry.name}" if under else entry.name
            if relative in self.skip:
                continue
            if entry.is_dir(follow_symlinks=False):
                if os.lstat(entry.path).st_dev != self.device:
                    raise Elsewhere(entry.path)
                self.run(relative)
            elif entry.is_symlink():
                os.symlink(os.readlink(entry.path), os.path.join(target, entry.name), _to_folder(entry))
                _same_rights(entry.path, os.path.join(target, entry.name))
            else:
                self._file(entry, relative, os.path.join(target, entry.name))
        _same_rights(source, target)

    def _file(self, entry: os.DirEntry[str], relative: str, target: str) -> None:
        small = entry.stat(follow_symlinks=False).st_size <= _SMALL or relative.startswith(".gpucheck/")
        if _in_place(relative) and entry.is_file(follow_symlinks=False) and small:
            _copy(entry.path, target)
            return
        try:
            os.link(entry.path, target, **_AS_IT_IS)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise Elsewhere(entry.path) from error
            if error.errno not in _NO_LINK:
                raise
            _copy(entry.path, target)
            self.copied = True


def _to_folder(entry: os.DirEntry[str]) -> bool:
    """Windows has two sorts of symbolic links."""
    return WINDOWS and os.path.isdir(entry.path)


def _in_place(relative: str) -> bool:
    """May a program write into this file as it is? uv, pip and importlib replace theirs (measured, see transaction.py);
    venv, setuptools' easy-install.pth and people's editors do not."""
    parts = relative.split("/")
    for name in _PACKAGES:
        if name in parts:
            below = parts[parts.index(name) + 1 :]
            return len(below) == 1 or (len(below) == 2 and below[0].endswith((".dist-info", ".egg-info")))
    return parts[0].lower() not in _LINKED


def _copy(source: str, target: str) -> None:
    if not stat.S_ISREG(os.lstat(source).st_mode):  # a socket, a fifo on a file system without links
        return
    try:
        shutil.copyfile(source, target)
    except PermissionError as error:
        raise Foreign(source) from error
    _same_rights(source, target)


def _same_rights(source: str, target: str) -> None:
    """Mode, times, extended attributes; the owner, where this process may give files away."""
    if not WINDOWS and os.geteuid() == 0:
        status, now = os.lstat(source), os.lstat(target)
        if (status.st_uid, status.st_gid) != (now.st_uid, now.st_gid):
            os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=False)
