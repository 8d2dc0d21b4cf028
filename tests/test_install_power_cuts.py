"""A power cut during an installation: a real file system of ext4 that is shut down without writing what it holds back.

FS_IOC_SHUTDOWN with NOLOGFLUSH is what the kernel's own file system tests use for it (fstests, src/godown.c).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import select
import shutil
import signal
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from install_trees import SITE, environment, rests, tree, upgrade

from gpucheck.install.changing import transaction

pytestmark = pytest.mark.slow

TRIES = int(os.environ.get("GPUCHECK_POWER_CUTS", "60"))
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2  # linux/fs.h, EXT4_IOC_SHUTDOWN
_SEED = random.Random(4).randbytes(2_000_000)


class Disk:
    """An ext4 in a file. `whole`: a copy of it with the old environment, to begin each try with."""

    def __init__(self, folder: Path) -> None:
        self.image, self.whole, self.mount = folder / "image", folder / "whole", folder / "disk"
        self.mount.mkdir()
        with self.image.open("wb") as file:
            file.truncate(48 << 20)
        _must(["mkfs.ext4", "-q", "-F", str(self.image)])

    def attach(self) -> None:
        # A journal that is written late: what is not asked for by fsync is lost.
        _must(["mount", "-o", "loop,commit=300", str(self.image), str(self.mount)])

    def detach(self) -> None:
        subprocess.run(["umount", str(self.mount)], capture_output=True, check=False)

    def keep(self) -> None:
        self.detach()
        _must(["cp", "--sparse=always", str(self.image), str(self.whole)])

    def renew(self) -> None:
        _must(["cp", "--sparse=always", str(self.whole), str(self.image)])
        self.attach()

    def cut(self) -> None:
        handle = os.open(self.mount, os.O_RDONLY)
        fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        os.close(handle)


def _must(command: list[str]) -> None:
    if os.geteuid() or not shutil.which(command[0]):
        pytest.skip(f"this machine: no right to mount, or no {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    try:
        yield disk
    finally:
        disk.detach()


def _install(env: Path, new: bool, at_once: bool, told: int) -> None:
    with transaction.begin(str(env), new, at_once=at_once) as change:
        upgrade(change.workplace)
        for number in range(8):
            Path(change.workplace, SITE, f"data{number}").write_bytes(_SEED[number:])
        change.commit()
    os.write(told, b"committed")


def _in_child(env: Path, new: bool, at_once: bool) -> tuple[int, int]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            _install(env, new, at_once, writer)
        os._exit(0)
    os.close(writer)
    return pid, reader


@pytest.mark.parametrize(
    ("new", "at_once"),
    [(True, True), (False, True), (False, False)],
    ids=["new", "existing", "existing-in-two-renames"],
)
def test_a_power_cut_leaves_the_old_or_the_new_environment_and_what_was_told_as_done_stays(
    disk: Disk, new: bool, at_once: bool
) -> None:
    dice, ends = random.Random(f"{new}{at_once}"), Counter[str]()
    env = disk.mount / "project" / ".venv"
    disk.attach()
    env.parent.mkdir()
    if not new:
        environment(env)
    old = tree(env)
    disk.keep()
    disk.renew()
    begun = time.monotonic()
    pid, reader = _in_child(env, new, at_once)
    os.waitpid(pid, 0)
    seconds = time.monotonic() - begun
    assert os.read(reader, 20) == b"committed"
    os.close(reader)
    after = tree(env)
    disk.detach()
    for number in range(TRIES):
        disk.renew()
        pid, reader = _in_child(env, new, at_once)
        moment = dice.uniform(0, seconds * 1.2)
        time.sleep(moment)
        # What the child says after the cut is said by a machine without power.
        told = bool(select.select([reader], [], [], 0)[0]) and os.read(reader, 20)
        disk.cut()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)
        disk.detach()
        disk.attach()
        where = f"{number}: cut after {moment:.3f} of {seconds:.3f} s"
        if at_once:
            assert tree(env) in (old, after), f"{where}: half an environment before recovery"
        transaction.recover(str(env))
        found = tree(env)
        assert found in (old, after), where
        assert rests(env) == [], where
        if told:
            assert found == after, f"{where}: told as done, and gone"
        ends["old" if found == old else "new"] += 1
        ends["told as done"] += bool(told)
        disk.detach()
    print(f"\npower cuts, new={new}, at_once={at_once}: {dict(ends)} in {seconds:.2f} s each")
