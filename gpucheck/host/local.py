"""This machine. Every answer is bounded in size, and nothing here follows a pipe, a device or a link in circles."""

from __future__ import annotations

import errno
import os
import stat as mode_of
import sys
from collections.abc import Callable
from typing import Any, Literal, Protocol, Union

from gpucheck.compat.variables import NAMES
from gpucheck.facts.gap import Gap
from gpucheck.host import About, Answer, Child, Elf, Key, Kind, Pe, Room, Stat
from gpucheck.host.elf import read_elf

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.ENXIO}
_MOST_NAMES = 50_000


def _gap(error: OSError, path: str) -> Union[Gap, None]:
    if error.errno in _ABSENT:
        return None
    reason = f"{(error.strerror or str(error)).lower()}: {path}"
    return Gap(reason, "denied" if error.errno in (errno.EACCES, errno.EPERM) else "unreadable")


class LocalHost:
    """Implements `gpucheck.host.Host`.

    Parameters
    ----------
    timeout: seconds for everything that runs in a child, counted from now.
    environ: variables to look at instead of this process's own (they are given to the children, too).
    root: look at a file tree as if it were the machine's root (for tests); children are not confined by it.
    """

    def __init__(self, timeout: float = 10.0, environ: Union[dict[str, str], None] = None, root: str = "") -> None:
        self.flavour: Literal["posix", "windows"] = "windows" if os.name == "nt" else "posix"
        given = os.environ if environ is None else environ
        # On Windows a name counts without regard to case, and os.environ has them in capitals.
        self._environ = {k.upper(): v for k, v in given.items()} if self.flavour == "windows" else dict(given)
        self._root = root.rstrip("/")
        self._children = _children(self.flavour, timeout, self._environ)

    def about(self) -> About:
        kernel, machine = _kernel(self._environ)
        windows = self.flavour == "windows"
        return About(
            os="windows" if windows else "linux",
            kernel=kernel,
            machine=machine,
            uid=os.geteuid() if hasattr(os, "geteuid") else -1,
            groups=tuple(os.getgroups()) if hasattr(os, "getgroups") else (),
            cpu_count=os.cpu_count() or 1,
            own_python=sys.executable,
            home=self._environ.get("USERPROFILE" if windows else "HOME") or os.path.expanduser("~"),
            libc=_libc(),
            **(_computer() if windows else {}),
        )

    def env(self, name: str) -> Union[str, None]:
        if name not in NAMES:
            raise LookupError(f"{name} is not on the allow-list of compat.variables")
        return self._environ.get(name.upper() if self.flavour == "windows" else name)

    def read(self, path: str, limit: int = 65536) -> Union[bytes, None, Gap]:
        handle = self._open(path)
        if not isinstance(handle, int):
            return handle
        try:
            pieces: list[bytes] = []
            room = limit
            while room > 0:
                piece = os.read(handle, min(room, 1 << 20))
                if not piece:
                    break
                pieces.append(piece)
                room -= len(piece)
            return b"".join(pieces)
        except OSError as error:
            gap = _gap(error, path)
            return Gap(f"{error.strerror}: {path}") if gap is None else gap
        finally:
            os.close(handle)

    def _open(self, path: str) -> Union[int, None, Gap]:
        """Open a regular file; a pipe or a device in its place (where opening may block for ever) is a gap."""
        try:
            if self.flavour == "windows" and os.path.isdir(self._root + path):
                return Gap(f"a folder: {path}")  # opening it would be "permission denied" there
            handle = os.open(self._root + path, _READING)
        except (OSError, ValueError) as error:
            return _gap(error, path) if isinstance(error, OSError) else None
        if mode_of.S_ISREG(os.fstat(handle).st_mode):
            return handle
        kind = "a folder" if mode_of.S_ISDIR(os.fstat(handle).st_mode) else "no regular file"
        os.close(handle)
        return Gap(f"{kind}: {path}")

    def names(self, path: str) -> Union[tuple[str, ...], None, Gap]:
        try:
            names = os.listdir(self._root + path)
        except (OSError, ValueError) as error:
            return _gap(error, path) if isinstance(error, OSError) else None
        if len(names) > _MOST_NAMES:
            return Gap(f"more than {_MOST_NAMES} entries: {path}")
        return tuple(sorted(names))

    def stat(self, path: str) -> Union[Stat, None, Gap]:
        full = self._root + path
        try:
            status = os.stat(full)
        except (OSError, ValueError) as error:
            return _gap(error, path) if isinstance(error, OSError) else None
        mode = status.st_mode
        kind: Kind = next((name for name, test in _KINDS if test(mode)), "file")
        wanted = os.R_OK | os.W_OK if kind == "char" else os.R_OK
        return Stat(kind, mode_of.S_IMODE(mode), status.st_uid, status.st_gid, status.st_size, os.access(full, wanted))

    def real(self, path: str) -> Union[str, None, Gap]:
        try:
            found = os.path.realpath(self._root + path, strict=True)
        except (OSError, ValueError) as error:
            return _gap(error, path) if isinstance(error, OSError) else None
        return found[len(self._root) :] if self._root and found.startswith(self._root + "/") else found

    def is_link(self, path: str) -> bool:
        return os.path.islink(self._root + path)

    def elf(self, path: str) -> Union[Elf, None, Gap]:
        handle = self._open(path)
        if not isinstance(handle, int):
            return handle
        try:
            size = os.fstat(handle).st_size
            # Offsets beyond the file, which a header may claim, are not the kernel's to refuse.
            return read_elf(lambda at, most: _piece(handle, most, at) if at < size else b"", size)
        except (OSError, ValueError) as error:
            return Gap(f"{error}: {path}")
        finally:
            os.close(handle)

    def pe(self, path: str) -> Union[Pe, None, Gap]:
        handle = self._open(path)
        if not isinstance(handle, int):
            return handle
        os.close(handle)  # a regular file: pefile maps it by its name
        from gpucheck.host.pe import read_pe

        try:
            return read_pe(self._root + path)
        except (OSError, ValueError) as error:
            return Gap(f"{error}: {path}")

    def registry(self, key: str) -> Union[Key, None, Gap]:
        from gpucheck.compat.registry import allowed

        if not allowed(key):
            raise LookupError(f"{key} is not on the allow-list of compat.registry")
        if self.flavour == "posix":
            return None
        from gpucheck.host.winregistry import read_key

        return read_key(key)

    def room(self, path: str) -> Union[Room, None, Gap]:
        while True:
            try:
                return _room(self._root + path)
            except FileNotFoundError:
                parent = os.path.dirname(path)
                if parent == path:
                    return None
                path = parent
            except (OSError, ValueError) as error:
                return _gap(error, path) if isinstance(error, OSError) else None

    def start(self, *children: Child) -> None:
        self._children.start(*children)

    def answer(self, name: str) -> Answer:
        return self._children.answer(name)

    def close(self) -> None:
        """Leave no child behind."""
        self._children.close()


# Windows: without O_BINARY a file would end at the first Ctrl-Z, and lines would lose their carriage returns.
_READING = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
)  # fmt: skip
# What uname -m calls what Windows calls otherwise.
_MACHINES = {"AMD64": "x86_64", "ARM64": "aarch64", "X86": "i686"}


def _piece(handle: int, most: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, most, at)
    os.lseek(handle, at, os.SEEK_SET)
    return os.read(handle, most)


def _kernel(environ: dict[str, str]) -> tuple[str, str]:
    """uname -r and -m, or the like of them on Windows: "10.0.19045", "x86_64"."""
    if hasattr(os, "uname"):
        uname = os.uname()
        return uname.release, uname.machine
    version = sys.getwindowsversion()  # type: ignore[attr-defined]
    # A 32-bit process is told the machine that it was made for, and the true one apart.
    name = environ.get("PROCESSOR_ARCHITEW6432") or environ.get("PROCESSOR_ARCHITECTURE", "")
    return f"{version.major}.{version.minor}.{version.build}", _MACHINES.get(name.upper(), name.lower())


class _Children(Protocol):
    """children.py's on POSIX, windows_children.py's on Windows: what one needs the other system does not have."""

    def start(self, *children: Child) -> None: ...
    def answer(self, name: str) -> Answer: ...
    def close(self) -> None: ...


def _children(flavour: str, timeout: float, environ: dict[str, str]) -> _Children:
    if flavour == "windows":
        from gpucheck.host import windows_children

        return windows_children.Children(timeout, environ)
    from gpucheck.host import children

    return children.Children(timeout, environ)


def _computer() -> dict[str, Any]:
    """What Windows tells by calls alone."""
    from gpucheck.host import wincomputer

    return {"avx": wincomputer.avx(), "memory_bytes": wincomputer.memory()}


def _libc() -> Union[str, None]:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, OSError, ValueError):  # Windows, macOS, musl
        return None


_KINDS: tuple[tuple[Kind, Callable[[int], bool]], ...] = (
    ("file", mode_of.S_ISREG),
    ("dir", mode_of.S_ISDIR),
    ("char", mode_of.S_ISCHR),
    ("block", mode_of.S_ISBLK),
    ("fifo", mode_of.S_ISFIFO),
    ("socket", mode_of.S_ISSOCK),
)


def _room(path: str) -> Room:
    if hasattr(os, "statvfs"):  # shutil.disk_usage is this, and its import costs 3 ms
        status = os.statvfs(path)
        return Room(status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize)
    import shutil

    usage = shutil.disk_usage(path)
    return Room(usage.free, usage.total)
