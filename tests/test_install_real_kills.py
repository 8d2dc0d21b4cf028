"""Real installations with uv, ended at random moments: by signals, and by a disk that is full.

How many moments: GPUCHECK_KILLS, 200 where it is not set.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Union

import local_index
import psutil
import pytest
from install_trees import Tree, rests, tree

from gpucheck.install.changing import journal

pytestmark = pytest.mark.slow

MOMENTS = int(os.environ.get("GPUCHECK_KILLS", "200"))
HERE = Path(__file__).parent
CHILD = str(HERE / "install_child.py")
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
OLD = ("alpha==1", "beta==1")
NEW = ("alpha==2", "beta==1", "gamma==1")


def make_wheels(folder: Path) -> None:
    """alpha's second version has other files than the first; gamma and alpha share one."""
    for version in ("1", "2"):
        names = [f"alpha/part{version}{number}.py" for number in range(40)]
        files = {name: name.encode() * 50 for name in names}
        files |= {"alpha/__init__.py": f"version = {version}\n".encode(), "shared/one.py": b"alpha"}
        local_index.make(folder, "alpha", version, files=files, size=300_000, scripts={"alpha": "alpha:main"})
    local_index.make(folder, "beta", "1", size=100_000)
    files = {f"gamma/deep/er/{number}.py": b"x" * number for number in range(40)}
    local_index.make(folder, "gamma", "1", files={**files, "gamma/__init__.py": b"", "shared/two.py": b"gamma"})


class Ended(NamedTuple):
    code: Union[int, None]
    seconds: float  # from "go"
    out: str
    err: str


class Stage:
    """An environment of two packages, or none, and what an installation makes of it."""

    def __init__(self, folder: Path, kind: str, cache: Path) -> None:
        self.kind, self.cache = kind, cache
        self.env = folder / "pro ject" / ".venv"
        self.backup, self.wheels = folder / "backup", folder / "wheels"
        self.env.parent.mkdir(parents=True)
        make_wheels(self.wheels)
        if kind == "existing":
            assert self.run("new", *OLD, "gamma").code == 0
            shutil.rmtree(journal.beside(str(self.env)))
            shutil.copytree(self.env, self.backup, symlinks=True)
        self.old = tree(self.env)
        ended = self.run(kind, *NEW)
        assert ended.code == 0, ended.err
        self.seconds = ended.seconds  # the shortest so far: this machine may have had other things to do
        self.new = tree(self.env)
        assert self.new
        assert self.new != self.old

    def start(self, kind: str, *requirements: str) -> subprocess.Popen[str]:
        arguments = [str(self.env), str(self.wheels), str(self.cache), sys.executable, kind, *requirements]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, CHILD, *arguments],
            stdout=pipe,
            stderr=pipe,
            text=True,
            env=ENVIRON,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        return process

    def run(self, kind: str, *requirements: str) -> Ended:
        process = self.start(kind, *requirements)
        begun = time.monotonic()
        out, err = process.communicate()
        return Ended(process.returncode, time.monotonic() - begun, out, err)

    def set_up(self) -> None:
        for folder in (self.env, Path(journal.beside(str(self.env)))):
            shutil.rmtree(folder, ignore_errors=True)
        if self.kind == "existing":
            shutil.copytree(self.backup, self.env, symlinks=True)

    def now(self) -> Union[Tree, None]:
        return tree(self.env)

    def recover(self) -> None:
        program = (
            "import sys; from gpucheck.install.changing import transaction;"
            "print(transaction.recover(sys.argv[1]).state)"
        )
        arguments = [sys.executable, "-c", program, str(self.env)]
        done = subprocess.run(arguments, capture_output=True, text=True, env=ENVIRON, check=False)
        assert done.returncode == 0, done.stderr

    def check(self, where: str) -> str:
        assert self.now() in (self.old, self.new), f"{where}: half an environment before recovery"
        self.recover()
        found = self.now()
        assert found in (self.old, self.new), f"{where}: neither old nor new"
        assert rests(self.env) == [], where
        return "old" if found == self.old else "new"


@pytest.fixture(scope="module", params=["new", "existing"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("kills")
    return Stage(folder, request.param, folder / "cache")


def _end(process: subprocess.Popen[str], how: str) -> None:
    """kill: it and its children. kill-parent: it alone, its uv may go on for a moment."""
    if how == "kill":
        family = [process.pid]
        with contextlib.suppress(psutil.Error):
            family += [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        for pid in family:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    else:
        number = {"kill-parent": signal.SIGKILL, "term": signal.SIGTERM, "interrupt": signal.SIGINT}[how]
        process.send_signal(number)


@pytest.mark.parametrize("how", ["kill", "kill-parent", "term", "interrupt"])
def test_an_installation_that_is_ended_at_a_random_moment_was_not_or_was_whole(stage: Stage, how: str) -> None:
    dice, ends = random.Random(f"{how} {stage.kind}"), Counter[str]()
    for number in range(max(1, MOMENTS // 8)):
        stage.set_up()
        process = stage.start(stage.kind, *NEW)
        moment = dice.uniform(0, stage.seconds)
        time.sleep(moment)
        _end(process, how)
        out, err = process.communicate()
        if process.returncode == 0:
            stage.seconds = min(stage.seconds, moment)
        end = stage.check(f"{how} {number} after {moment:.3f} s, exit code {process.returncode}: {err}")
        if "committed" in out:
            assert end == "new", f"{moment}: committed and gone"
        if how in ("term", "interrupt") and end == "old":
            assert process.returncode in (130, 143), err
        ends[f"{end}{', finished before' if process.returncode == 0 else ''}"] += 1
    print(f"\n{stage.kind}, {how}: {dict(ends)} in {stage.seconds:.2f} s each")


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "gpucheck-test", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine: no right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@pytest.mark.parametrize("kind", ["new", "existing"])
def test_a_disk_that_fills_up_at_a_random_moment_leaves_the_old_or_the_new_one(tmp_path: Path, kind: str) -> None:
    """uv's cache is elsewhere, so its files are copied here, and there is room for some of them only."""
    dice, ends = random.Random(kind), Counter[str]()
    with small_disk(tmp_path / "disk", 12) as disk:
        stage = Stage(disk, kind, tmp_path / "cache")
        stage.set_up()
        free = shutil.disk_usage(disk).free
        assert stage.run(kind, *NEW).code == 0
        needed = int((free - shutil.disk_usage(disk).free) * 1.2)
        for number in range(max(1, MOMENTS // 4)):
            stage.set_up()
            ballast = disk / "ballast"
            room = dice.randrange(0, needed)
            ballast.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - room)))
            ended = stage.run(kind, *NEW)
            end = stage.check(f"{number}: {room} bytes free, exit code {ended.code}: {ended.err}")
            assert (end == "new") == (ended.code == 0), ended.err
            assert ended.code in (0, 2, 3), ended.err
            ends[end] += 1
            ballast.unlink()
    print(f"\n{kind}, full disk: {dict(ends)}, {needed} bytes needed")
    assert ends["old"]
