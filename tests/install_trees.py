"""Small environments that no interpreter runs in, what a tree holds, and a child that is ended at a chosen step.

A step is what Python's audit hooks tell of: each rename, link, mkdir, unlink, open, chmod. So every place between two
changes of the disk is reached, without a mock of anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Union

from gpucheck.install.changing import journal, transaction

SITE = "lib/python3.12/site-packages"
_STEPS = {
    *("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.chmod", "os.chown", "os.truncate"),
    *("open", "os.scandir", "os.listdir", "os.utime", "shutil.copyfile", "shutil.rmtree", "ctypes.dlsym"),
}
_COMMITTED = [False]  # in a child: what its transaction says of itself
Tree = dict[str, tuple[str, int, str]]


@contextlib.contextmanager
def quick_place(otherwise: Path) -> Iterator[Path]:
    """A folder in memory where that can be: each commit waits for the disk otherwise, and for all that others write."""
    if not os.access("/dev/shm", os.W_OK):
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def environment(folder: Path) -> Path:
    """What venv makes, and one package."""
    for name in ("bin", f"{SITE}/alpha/data", f"{SITE}/alpha-1.dist-info", "empty"):
        (folder / name).mkdir(parents=True)
    files = {
        "pyvenv.cfg": "home = /usr/bin\nversion = 3.12.1\n",
        "bin/activate": f"VIRTUAL_ENV={folder}\n",
        "bin/alpha": f"#!{folder}/bin/python\n",
        f"{SITE}/alpha/__init__.py": "version = 1\n",
        f"{SITE}/alpha/data/big": "1" * 5000,
        f"{SITE}/alpha-1.dist-info/METADATA": "Name: alpha\nVersion: 1\n",
        f"{SITE}/mine.pth": "/somewhere\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "lib64").symlink_to("lib")
    (folder / "bin" / "alpha").chmod(0o755)
    (folder / SITE / "alpha" / "data").chmod(0o750)
    return folder


def upgrade(workplace: str) -> None:
    """As uv does it: remove, then make anew. A new workplace is made, too."""
    root = Path(workplace)
    if not root.exists():
        environment(root)
    site = root / SITE
    shutil.rmtree(site / "alpha-1.dist-info")
    (site / "alpha" / "__init__.py").unlink()
    (site / "alpha" / "__init__.py").write_text("version = 2\n")
    (site / "alpha" / "more.py").write_text("x = 1\n")
    (site / "alpha-2.dist-info").mkdir()
    (site / "alpha-2.dist-info" / "METADATA").write_text("Name: alpha\nVersion: 2\n")


def tree(folder: Union[str, Path]) -> Union[Tree, None]:
    """Everything in it: type, rights and content; None where there is none. The name of a transaction is left out."""
    root = Path(folder)
    if not root.is_dir():
        return None
    found: Tree = {"": ("folder", stat.S_IMODE(root.stat().st_mode), "")}
    for path in sorted(root.rglob("*")):
        status, name = path.lstat(), path.relative_to(root).as_posix()
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            found[name] = ("link", 0, os.readlink(path))
        elif stat.S_ISDIR(status.st_mode):
            found[name] = ("folder", mode, "")
        elif name == ".gpucheck/transaction":
            found[name] = ("file", mode, "")
        else:
            found[name] = ("file", mode, hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def rests(env: Path) -> list[str]:
    """What of ours lies beside an environment and is neither a state to go back to nor kept for the user."""
    folder = Path(journal.beside(str(env)))
    usual = ("lock", "journal.json", ".gitignore", "before-", "listing-", "kept-")
    return [name for name in os.listdir(folder) if not name.startswith(usual)] if folder.exists() else []


class Ended(NamedTuple):
    """How a child ended. whole: it came to its end. steps: how many it took, if it did. committed: by `install`."""

    whole: bool
    steps: int
    error: str
    committed: bool = False


def in_child(
    work: Callable[[], object], stop_at: int = 0, fault: int = 0, signal_number: int = signal.SIGKILL
) -> Ended:
    """Run it in a forked child.

    stop_at: this signal before this step. fault: an errno that this step fails with instead (ENOSPC, EACCES).
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            os.close(reader)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            count = _watch(stop_at, fault, signal_number)
            error = ""
            try:
                work()
            except (Exception, KeyboardInterrupt) as raised:
                error = f"{type(raised).__name__}: {raised}"
            os.write(writer, f"{count[0]} {int(_COMMITTED[0])} {error}".encode())
        except BaseException:
            code = 1
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    _, status = os.waitpid(pid, 0)
    count, committed, error = (told or "0 0 ").split(" ", 2)
    return Ended(status == 0, int(count), error, committed == "1")


def _watch(stop_at: int, fault: int, number: int) -> list[int]:
    count = [0]

    def hook(event: str, _arguments: object) -> None:
        if event in _STEPS:
            count[0] += 1
            if count[0] == stop_at:
                if fault:
                    raise OSError(fault, os.strerror(fault))
                os.kill(os.getpid(), number)

    sys.addaudithook(hook)
    return count


def install(env: Path, new: bool = False, at_once: bool = True, fail: bool = False) -> Callable[[], None]:
    """A whole installation, for a child."""

    def work() -> None:
        change = transaction.begin(str(env), new, at_once=at_once)
        try:
            with change:
                upgrade(change.workplace)
                if fail:
                    raise RuntimeError("not proven")
                change.commit()
        finally:
            _COMMITTED[0] = change.committed

    return work


__all__ = ["Ended", "Tree", "environment", "in_child", "install", "quick_place", "rests", "tree", "upgrade"]
