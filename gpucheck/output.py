"""Where an answer goes: a file, written whole or not at all, or a standard output: closed, narrow or ASCII."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn, Union

if TYPE_CHECKING:
    from collections.abc import Callable


class WrongUsage(Exception):
    """The command cannot do what it was asked; the message says why, in one line."""


class Unwritable(WrongUsage):
    """The answer could not be delivered."""


def write(text: Union[str, bytes], path: Union[str, None]) -> None:
    """Give the answer to a file, or to standard output. bytes (a picture) go to a file alone.

    Raises
    ------
    Unwritable: a full disk, a folder without permission. A reader who has left (``| head``) is no error.
    """
    try:
        if path is not None:
            _to_file(text, path)
        elif sys.stdout is not None and isinstance(text, str):
            _to_stdout(text)
    except BrokenPipeError:
        _forget_stdout()
    except (OSError, ValueError) as error:
        if path is None:
            _forget_stdout()
        where = "standard output" if path is None else path
        raise Unwritable(f"cannot write to {where}: {getattr(error, 'strerror', None) or error}") from error


def append(path: str, text: Callable[[int], str]) -> None:
    """Add to a regular file that others write to, too.

    text: gives what is to be added; it is told how many bytes the file has. Raises OSError, ValueError.
    """
    import errno
    import stat

    kind = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | kind, 0o666)
    with open(handle, "ab") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        file.write(text(status.st_size).encode("utf-8", "backslashreplace"))


def check_place(path: str) -> None:
    """Find out before the work whether a file can be written there. Raises `Unwritable`."""
    if not path:
        raise Unwritable("an empty name is no file to write to")
    try:
        folder = os.path.dirname(os.path.realpath(path))
        if _exists(path) and not os.path.isdir(path) and not os.path.isfile(path):  # /dev/stdout, a pipe
            folder = os.path.dirname(os.path.abspath(path))
    except (OSError, ValueError) as error:  # a current folder that was removed; a zero byte; too long a name
        raise Unwritable(f"cannot write to {path}: {getattr(error, 'strerror', None) or error}") from error
    if os.path.isdir(path):
        raise Unwritable(f"cannot write to {path}: it is a folder")
    if not os.path.isdir(folder):
        raise Unwritable(f"cannot write to {path}: there is no folder {folder}")
    target = path if os.path.exists(path) and not os.path.isfile(path) else folder
    if not os.access(target, os.W_OK):
        raise Unwritable(f"cannot write to {path}: permission denied")


def _to_file(text: Union[str, bytes], path: str) -> None:
    data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
    target = os.path.realpath(path)
    if _exists(path) and not os.path.isfile(path):  # /dev/stdout, a pipe: nothing to rename onto
        with open(path, "wb") as stream:
            stream.write(data)
        return
    # Not named after the file: a name may be as long as a file system allows.
    temporary = os.path.join(os.path.dirname(target), f".gpucheck-{os.getpid()}.part")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _exists(path: str) -> bool:
    """Raises OSError where that cannot be known: a name that is too long, a folder that must not be searched."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _to_stdout(text: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    if not encoding.lower().replace("-", "").startswith("utf8") and not text.isascii():
        from gpucheck.render.text import ascii_only

        text = ascii_only(text)
    data = memoryview(text.encode(encoding, "backslashreplace"))
    while data:  # under PYTHONUNBUFFERED a disk that fills up takes a part and says so only when asked for the rest
        written = sys.stdout.buffer.write(data)
        if written is None:  # the same for a pipe that is full and does not block
            raise BlockingIOError("it is not read")
        data = data[written:]
    sys.stdout.flush()


def _forget_stdout() -> None:
    """So that nobody, the interpreter's own last flush included, writes to it again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


def columns() -> int:
    """Width to lay out for: the terminal's, at most 100; 80 where there is none. ``COLUMNS`` wins."""
    import shutil

    return max(20, min(100, shutil.get_terminal_size((80, 24)).columns)) if at_terminal() else _asked_columns()


def _asked_columns() -> int:
    asked = os.environ.get("COLUMNS", "")
    return max(20, min(1000, int(asked))) if asked.isascii() and asked.isdigit() and len(asked) < 5 else 80


def at_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def colored() -> bool:
    """See no-color.org; TERM=dumb knows no colours either."""
    wanted = at_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    return wanted and (sys.platform != "win32" or _console_understands_colors())


def _console_understands_colors() -> bool:
    """Windows: ask the console to obey escape sequences; one before Windows 10 (1511) prints them instead."""
    import ctypes

    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    kernel.GetStdHandle.restype = ctypes.c_void_p
    console, mode = ctypes.c_void_p(kernel.GetStdHandle(-11)), ctypes.c_uint32()  # STD_OUTPUT_HANDLE
    if not kernel.GetConsoleMode(console, ctypes.byref(mode)):
        return False
    return bool(kernel.SetConsoleMode(console, mode.value | 4))  # ENABLE_VIRTUAL_TERMINAL_PROCESSING


def complain(message: str) -> None:
    """Say in one line on standard error what is wrong."""
    from contextlib import suppress

    from gpucheck.render.text import ascii_only, plain

    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(ascii_only(f"gpucheck: {plain(message)}"), file=sys.stderr)


def leave(code: int) -> NoReturn:
    """End now. A probe's thread may hang in a system call (a dead network disk), and nobody waits for it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)
