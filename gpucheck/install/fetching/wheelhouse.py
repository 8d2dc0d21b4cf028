"""Folders with wheels in them: what may be written there under which name, what lies there already, what is left over.

No network. A file that is not whole yet is named by its hash: <sha256>.part, so that any later run, for whatever plan,
goes on with it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import sleep, time
from typing import Union
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from gpucheck.facts.plan import Package
from gpucheck.install.errors import Failed, InstallError, Refused

PIECE = 1 << 20
PART = ".part"
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def downloads() -> str:
    """Where an install keeps a wheel until uv has unpacked it, and what an interrupted one left, to go on with."""
    import platformdirs

    return os.path.join(platformdirs.user_cache_dir("gpucheck", appauthor=False), "downloads")


def clear(folder: str, age: float) -> int:
    """Remove what interrupted runs left in a folder of downloads and nobody went on with. Gives how many files.

    age: seconds since the last byte came. What another gpucheck works on at this moment stays.
    """
    gone = 0
    for path in _ours(folder):
        with suppress(OSError), open(path, "r+b") as file:
            if time() - os.fstat(file.fileno()).st_mtime >= age and _lock(file.fileno()):
                gone += 1
                if sys.platform == "win32":
                    file.close()
                os.unlink(path)
    return gone


def _ours(folder: str) -> Iterator[str]:
    with suppress(OSError):
        for name in sorted(os.listdir(folder)):
            if re.fullmatch(r"[0-9a-f]{64}\.part", name):
                yield os.path.join(folder, name)


def check(packages: Sequence[Package], folder: str) -> None:
    """Can these files be put there? Makes the folder.

    Raises
    ------
    Refused: a name or a hash that is none, a folder that cannot be made or written to.
    """
    for one in packages:
        plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl", one.file)
        if not plain or not re.fullmatch(r"[0-9a-f]{64}", one.sha256):
            raise Refused(f"{one.name}: {one.file!r} with sha256 {one.sha256!r} is no wheel that can be checked")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise refusal(error, folder) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"cannot write to {folder}: permission denied")


def refusal(error: OSError, folder: str, missing: int = 0) -> InstallError:
    """A failed write, in words. missing: bytes still to be written."""
    if error.errno in _FULL:
        free = ""
        with suppress(OSError):
            free = f", {shutil.disk_usage(folder).free / 1e6:.0f} MB are free"
        need = f"; {missing / 1e6:.0f} MB are still to come{free}" if missing else ""
        why = "a limit on a file's size is reached" if error.errno == errno.EFBIG else "the disk is full"
        return Failed(f"cannot write to {folder}: {why}{need}. What is there is kept, the next run goes on with it")
    reason = error.strerror or str(error)
    return (Refused if error.errno in _CLOSED else Failed)(f"cannot write to {folder}: {reason}")


def digest(path: str, stopped: Callable[[], bool] = lambda: False) -> str:
    """sha256 of a file. "" when stopped."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            if stopped():
                return ""
            found.update(piece)
    return found.hexdigest()


def local(url: str) -> Union[str, None]:
    """The path that a package's address means, None where it is on a server."""
    if url.lower().startswith("file:"):
        parts = urlsplit(url)
        host = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
        return host + url2pathname(parts.path) if sys.platform == "win32" else unquote(parts.path)
    return None if "://" in url else url


def found_in(folder: Union[str, None], packages: Sequence[Package]) -> tuple[Package, ...]:
    """The same packages, of which those that lie in a folder come from there. Their hashes decide later."""
    if folder is None:
        return tuple(packages)
    here = {one.file: os.path.join(os.path.abspath(folder), one.file) for one in packages}
    return tuple(one._replace(url=here[one.file]) if os.path.isfile(here[one.file]) else one for one in packages)


def bring(package: Package, source: str, target: str) -> None:
    """Have the wheel of another folder here, too: a hard link, or a copy. Its hash is checked.

    Raises
    ------
    Failed: it is not there, or not what was planned. OSError: target cannot be written.
    """
    if not os.path.isfile(source):
        raise Failed(f"{package.file} is not in {os.path.dirname(source) or '.'}")
    try:
        found = digest(source)
    except OSError as error:
        raise Failed(f"cannot read {source}: {error.strerror or error}") from error
    if found != package.sha256:
        raise wrong(package, found, os.stat(source).st_size, source)
    if os.path.exists(target) and os.path.samefile(source, target):
        return
    fresh = f"{target}.{os.getpid()}{PART}"
    try:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        try:
            os.link(os.path.realpath(source), fresh)
        except OSError:  # another file system, one without hard links, somebody else's file
            shutil.copyfile(source, fresh)
        os.replace(fresh, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh)
        raise


def wrong(package: Package, found: str, size: int, where: str) -> Failed:
    """Not the file that was planned."""
    lines = [f"planned: sha256 {package.sha256}", f"found:   sha256 {found}"]
    if package.size is not None and package.size != size:
        lines += [f"planned: {package.size} bytes", f"found:   {size} bytes"]
    return Failed(f"{package.file} from {where} is not the file that was planned: it is not used", tuple(lines))


@contextmanager
def held(path: str, stopped: Callable[[], bool]) -> Iterator[Union[int, None]]:
    """The file, made if need be, open to read and write, while no other gpucheck has it. None: stopped while waiting.

    Raises OSError where it cannot be opened. A file system without locks gives the file without.
    """
    handle: Union[int, None] = None
    try:
        while not stopped():
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            if _lock(handle) and _same(handle, path):
                yield handle
                return
            os.close(handle)  # another has it, or has made another file of it meanwhile
            handle = None
            sleep(0.1)
        yield None
    finally:
        if handle is not None:
            os.close(handle)


def _same(handle: int, path: str) -> bool:
    try:
        return sys.platform == "win32" or os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(handle: int) -> bool:
    """The system takes the lock back when its holder dies."""
    if sys.platform == "win32":
        import msvcrt

        at = os.lseek(handle, 0, os.SEEK_CUR)
        try:
            # Behind any wheel: a locked byte cannot be read by others. C runtimes have 31 bits for it.
            os.lseek(handle, (1 << 31) - 2, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EDEADLK)
        finally:
            os.lseek(handle, at, os.SEEK_SET)
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network disk without locks
        return True
    return True
