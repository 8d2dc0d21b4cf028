"""Run by Windows' Python: installations that are ended at any step, hindered, and taken back. Nothing of it is a mock.

    windows_changes.py cuts SCENE FOLDER COUNT      ended by TerminateProcess before steps that audit hooks tell of
    windows_changes.py kills FOLDER WHEELS PYTHON COUNT  real ones, with uv, ended from outside at random moments
    windows_changes.py hindered FOLDER              while somebody holds a file of the environment or stands in it
    windows_changes.py ended                        what becomes of programs that it has started

The last line says "good" and numbers. Wine renames a folder in which files are open, which Windows refuses: so it is
looked for beforehand (in_use.py) here and there alike, and what a refused rename leaves is tried on Linux (a mount
point, a read-only folder).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Union

import psutil

from gpucheck.host.waiting import wait
from gpucheck.install.changing import in_use, journal, records, transaction
from gpucheck.install.errors import InstallError, Refused
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.settings import Settings
from gpucheck.interruption import Interrupted, listen

STEPS = {
    *("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "open", "os.scandir"),
    *("os.listdir", "os.utime", "shutil.copyfile", "shutil.rmtree", "msvcrt.locking", "ctypes.dlsym"),
}
SITE = "Lib/site-packages"
Tree = dict[str, str]


def environment(folder: Path) -> None:
    """What venv makes, and one package."""
    files = {
        "pyvenv.cfg": "home = C:\\python\nversion = 3.10.1\n",
        "Scripts/python.exe": "MZ no program",
        "Scripts/activate.bat": f"set VIRTUAL_ENV={folder}\n",
        f"{SITE}/alpha/__init__.py": "version = 1\n",
        f"{SITE}/alpha/data/big": "1" * 5000,
        f"{SITE}/alpha-1.dist-info/METADATA": "Name: alpha\nVersion: 1\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def upgrade(workplace: str) -> None:
    """As uv does it: remove, then make anew. A new workplace is made, too."""
    root = Path(workplace)
    if not root.exists():
        environment(root)
    site = root / SITE
    shutil.rmtree(site / "alpha-1.dist-info")
    (site / "alpha" / "__init__.py").unlink()
    (site / "alpha" / "__init__.py").write_text("version = 2\n")
    (site / "alpha-2.dist-info").mkdir()
    (site / "alpha-2.dist-info" / "METADATA").write_text("Name: alpha\nVersion: 2\n")


def tree(folder: Path) -> Union[Tree, None]:
    """Every file, by its content; None where there is no folder."""
    if not folder.is_dir():
        return None
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.parts and path.name != ".lock"]
    return {
        path.relative_to(folder).as_posix(): ""
        if path.is_dir() or path.name == "transaction"
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def rests(env: Path) -> list[str]:
    """What of ours lies beside an environment and is neither a state to go back to nor kept for the user."""
    folder = Path(journal.beside(str(env)))
    usual = ("lock", "journal.json", ".gitignore", "before-", "listing-", "kept-")
    return [name for name in os.listdir(folder) if not name.startswith(usual)] if folder.exists() else []


# A child that ends itself


def install(env: str, new: bool) -> None:
    with transaction.begin(env, new) as change:
        upgrade(change.workplace)
        change.commit()


def watched(stop_at: int) -> list[int]:
    count = [0]

    def hook(event: str, _arguments: object) -> None:
        if event in STEPS:
            count[0] += 1
            if count[0] == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)  # TerminateProcess: no handler runs

    sys.addaudithook(hook)
    return count


def child(act: str, env: str, stop_at: str) -> int:
    count = watched(int(stop_at))
    if act == "undo":
        transaction.undo(env)
    else:
        install(env, act == "new")
    print(count[0], flush=True)
    return 0


def ended_at(act: str, env: Path, stop_at: int) -> int:
    """Steps that it took; 0: it was ended."""
    words = [sys.executable, __file__, "child", act, str(env), str(stop_at)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=False, timeout=120)
    return int(done.stdout or 0) if done.returncode == 0 else 0


def cuts(scene: str, folder: str, count: str) -> str:
    """new, existing, undo: gives how often the old state was found afterwards, and how often the new one."""
    env = Path(folder) / "a ü" / ".venv"

    def set_up() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        env.parent.mkdir(parents=True)
        if scene != "new":
            environment(env)
        if scene == "undo":
            install(str(env), False)

    set_up()
    old = tree(env)
    steps = ended_at(scene, env, 0)
    new = tree(env)
    assert steps > 20, steps
    ends = {"old": 0, "between": 0, "new": 0}
    for step in random.Random(5).sample(range(1, steps + 1), int(count)):
        set_up()
        ended_at(scene, env, step)
        ends["between"] += scene == "existing" and not env.exists()
        transaction.recover(str(env))
        found, where = tree(env), f"{scene}, step {step} of {steps}"
        assert found in (old, new), f"{where}: neither old nor new"
        assert rests(env) == [], f"{where}: {rests(env)}"
        ends["old" if found == old else "new"] += 1
        if scene == "undo" and found == old:  # it can still be done
            transaction.undo(str(env))
            assert tree(env) == new, f"{where}: the way back is lost"
        elif scene != "undo" and found == new:
            transaction.undo(str(env))
            assert tree(env) == old, f"{where}: the way back is lost"
    return f"{steps} steps, {ends}"


# Real ones


def real(env: str, wheels: str, cache: str, python: str, *requirements: str) -> int:
    settings = Settings(find_links=(wheels,), no_index=True, offline=True, cache=cache)
    listen()
    new = not os.path.isdir(env)
    with transaction.begin(env, new) as change:
        if new:
            _uv(settings, "venv", "--python", python, change.workplace)
            change.let_move()
        _uv(settings, "pip", "install", *uv.options(settings), "--python", change.python, *requirements)
        change.settle()
        if records.damaged(os.path.join(change.workplace, "Lib", "site-packages")):
            raise InstallError("not proven")
        change.commit()
    return 0


def _uv(settings: Settings, *arguments: str) -> None:
    done = uv.run(arguments, settings=settings, deadline=100)
    if done.code:
        raise InstallError(f"uv {arguments[0]} failed: {done.err}")


def kills(folder: str, wheels: str, python: str, count: str) -> str:
    """Into an existing environment, upgraded; ended after a random time. uv must have ended with it.

    python: no environment's (in the laboratory, an environment's python.exe is a copy that knows no way back).
    """
    env, cache = Path(folder) / "a ü" / ".venv", str(Path(folder) / "cache")
    env.parent.mkdir(parents=True)
    begin = [sys.executable, __file__, "real", str(env), wheels, cache, python]
    subprocess.run([*begin, "alpha==1"], check=True, timeout=300)
    script = subprocess.run([env / "Scripts" / "alpha.exe"], stdout=subprocess.PIPE, check=True, timeout=60)
    assert script.stdout.split() == [b"1"], script.stdout
    for path in (env / "Scripts").iterdir():  # nothing names the folder it was built in
        assert b"work-" not in path.read_bytes(), path
    old = tree(env)
    began = time.monotonic()
    subprocess.run([*begin, "alpha==2"], check=True, timeout=300)
    whole, new = time.monotonic() - began, tree(env)
    transaction.undo(str(env))
    assert tree(env) == old
    ends = {"old": 0, "new": 0, "with uv": 0}
    for moment in [random.Random(6).uniform(0.2, whole) for _ in range(int(count))]:
        process = subprocess.Popen([*begin, "alpha==2"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        started = [one.pid for one in children_of(process.pid)]
        process.kill()
        process.wait(60)
        assert gone(started), "uv outlives a killed gpucheck"
        ends["with uv"] += bool(started)
        transaction.recover(str(env))
        found = tree(env)
        assert found in (old, new), f"{moment:.2f} s: neither old nor new"
        assert rests(env) == [], rests(env)
        ends["old" if found == old else "new"] += 1
        if found == new:
            transaction.undo(str(env))
            assert tree(env) == old
    return f"{whole:.1f} s a time, {ends}"


def children_of(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error, OSError):
        return psutil.Process(pid).children(recursive=True)
    return []


def gone(pids: Sequence[int]) -> bool:
    """A moment later at the latest."""
    for _ in range(50):
        if not set(psutil.pids()) & set(pids):
            return True
        time.sleep(0.1)
    return False


# Ended ones

SLEEPING = [sys.executable, "-c", "import time; time.sleep(300)"]


def waiting() -> int:
    """A gpucheck that waits for a program, as it waits for uv."""
    listen()
    process = subprocess.Popen(SLEEPING, stdin=subprocess.DEVNULL, creationflags=0x200)  # CREATE_NEW_PROCESS_GROUP
    print(process.pid, flush=True)
    try:
        wait(process)
    except Interrupted as stop:
        process.kill()
        return stop.exit_code
    return 1


def ended() -> str:
    """By TerminateProcess, which no handler hears; and by Ctrl-Break, which must be heard while it waits."""
    with subprocess.Popen([sys.executable, __file__, "waiting"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        started = int(process.stdout.readline())
        process.kill()
    assert gone([started]), "a program outlives the gpucheck that started it"
    ctypes.WinDLL("kernel32").AllocConsole()  # whoever runs this through pipes alone may have none
    words = [sys.executable, __file__, "waiting"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, creationflags=0x200) as process:
        assert process.stdout is not None
        started = int(process.stdout.readline())
        begin = time.monotonic()
        try:
            os.kill(process.pid, signal.CTRL_BREAK_EVENT)
        except (OSError, SystemError):  # Wine without a screen has no console, through which it would go
            process.kill()
            return "Ctrl-Break cannot be sent here"
        code, heard = process.wait(60), time.monotonic() - begin
    assert code == 130, hex(code)
    assert gone([started])
    return f"heard after {heard:.1f} s"


# Hindered ones


def hindered(folder: str) -> str:
    env = Path(folder) / ".venv"
    environment(env)
    old = tree(env)
    with (env / SITE / "alpha" / "__init__.py").open():
        refused(env, "__init__.py", "in use by another program")
    with standing_in(env / "Scripts"):
        refused(env, str(env / "Scripts"), "or the current folder of one")
    assert in_use.paths(str(env)) == ()
    install(str(env), False)
    with (env / SITE / "alpha" / "__init__.py").open(), refusing("in use"):
        transaction.undo(str(env))
    transaction.undo(str(env))
    assert tree(env) == old
    return "2 refused"


@contextlib.contextmanager
def standing_in(folder: Path) -> Iterator[None]:
    """Another program whose current folder it is."""
    sleeping = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(sleeping, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def refused(env: Path, *words: str) -> None:
    """An installation is, with these words, and all is as it was."""
    old = tree(env)
    with refusing(*words):
        install(str(env), False)
    assert tree(env) == old
    assert not Path(journal.beside(str(env))).exists(), "rests"


@contextlib.contextmanager
def refusing(*words: str) -> Iterator[None]:
    said = None
    try:
        yield
    except Refused as error:
        said = str(error)
    assert said is not None, "not refused"
    assert all(word in said for word in words), said


if __name__ == "__main__":
    told = globals()[sys.argv[1]](*sys.argv[2:])
    if isinstance(told, int):
        sys.exit(told)
    print("good:", told, flush=True)
