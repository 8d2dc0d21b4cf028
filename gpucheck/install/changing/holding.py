"""One gpucheck at a time for an environment.

The lock is the kernel's (flock, LockFileEx), so that it ends with its process, however that ends, and no number of a
process can be mistaken for another's. The file also says who holds it: for words, and for file systems without locks.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from contextlib import suppress
from typing import NamedTuple, Union

from gpucheck.install.errors import Refused

_NETWORK = ("nfs", "cifs", "smb", "fuse.sshfs", "lustre", "gpfs", "beegfs", "ceph", "9p", "glusterfs", "fuse.gluster")
_HELD = {errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_NAME = "lock"


class Holder(NamedTuple):
    """Who holds it. started: seconds since 1970, so that a number used again is not taken for the same process."""

    pid: int
    started: float
    host: str
    boot: str  # of the kernel's run; "" where there is none

    @property
    def alive(self) -> bool:
        """On this machine."""
        import psutil

        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 2
        except psutil.AccessDenied:
            return True
        except psutil.Error:
            return False


class Hold:
    """A held lock. `release` it; the end of the process does so, too."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def release(self) -> None:
        """Twice is nothing."""
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
        with suppress(OSError):
            os.close(self._handle)
        self._handle = -1


def take(folder: str) -> Hold:
    """Take the lock of a folder (which is there).

    Raises
    ------
    Refused: another process holds it, or one on another machine did and may still. OSError.
    """
    path = os.path.join(folder, _NAME)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            locked = _try_lock(handle)
            holder = read(folder)
            if locked is False or (holder and (locked is None or _elsewhere(holder, path)) and _may_live(holder)):
                raise Refused(_held_words(holder, path))
            if _same(handle, path):
                _sign(handle)
                return Hold(handle)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last holder has removed it: another file has that name now


def holder(folder: str) -> Union[Holder, None]:
    """Who holds the lock of a folder now; None: nobody. Writes nothing."""
    try:
        handle = os.open(os.path.join(folder, _NAME), os.O_RDWR)
    except OSError:
        return None
    try:
        locked = _try_lock(handle)
        told = read(folder)
        return told if locked is False or (locked is None and told and _may_live(told)) else None
    finally:
        os.close(handle)


def read(folder: str) -> Union[Holder, None]:
    """What the lock's file says, true or not any more."""
    try:
        with open(os.path.join(folder, _NAME), encoding="utf-8") as file:
            told = json.loads(file.read(4096))
        return Holder(int(told["pid"]), float(told["started"]), str(told["host"]), str(told["boot"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _try_lock(handle: int) -> Union[bool, None]:
    """None: this file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 4096, os.SEEK_SET)  # behind the words: what is locked there cannot be read
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _HELD else None
    return True


def _may_live(holder: Holder) -> bool:
    return holder.host != socket.gethostname() or holder.alive


def _elsewhere(holder: Holder, path: str) -> bool:
    """Was it taken on another machine, whose locks a network file system may not pass on?"""
    here = holder.host == socket.gethostname() or holder.boot == boot()
    return not here and file_system(path).startswith(_NETWORK)


def _held_words(holder: Union[Holder, None], path: str) -> str:
    if holder is None:
        return "another gpucheck is at work on this environment: wait for its end"
    since = time.strftime("%H:%M", time.localtime(holder.started))
    if holder.host == socket.gethostname():
        return (
            f"another gpucheck is at work on this environment (process {holder.pid}, since {since}): wait for its end"
        )
    where = f"process {holder.pid} on {holder.host}, since {since}"
    return f"another gpucheck is at work on this environment ({where}); if it is not any more, remove {path}"


def _same(handle: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except OSError:
        return False


def _sign(handle: int) -> None:
    import psutil

    me = Holder(os.getpid(), psutil.Process().create_time(), socket.gethostname(), boot())
    with suppress(OSError):  # a full disk: the lock holds without words
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(me._asdict()).encode())


def boot() -> str:
    """The kernel's name for its run since it was started: the same in its containers."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def file_system(path: str) -> str:
    """The type of a path's file system ("ext4", "nfs4"), "" where the kernel does not tell (proc(5), mountinfo)."""
    found, longest = "", -1
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        real = os.path.realpath(path)
        for line in file:
            fields, _, tail = line.partition(" - ")
            place = fields.split()[4].replace("\\040", " ").replace("\\012", "\n").replace("\\134", "\\")
            if (real == place or real.startswith(place.rstrip("/") + "/")) and len(place) >= longest:
                found, longest = tail.split()[0], len(place)
    return found
