"""The real command on a machine that fights back: it answers in time, says what happened, and shows no traceback."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dead_folder import dead_folder
from fake_driver import FakeDriver

pytestmark = pytest.mark.slow

GPUCHECK = str(Path(sysconfig.get_path("scripts")) / "gpucheck")
TIMEOUT = 2.0
PLAIN = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}


class Ran(NamedTuple):
    code: int
    seconds: float
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


def run(
    *words: str,
    environ: dict[str, str] | None = None,
    patience: float = 30.0,
    begin: Callable[[], None] | None = None,
    **streams: Any,
) -> Ran:
    """Run `gpucheck` as a user does. begin: called in the child before it becomes gpucheck."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    start = time.monotonic()
    done = subprocess.run([GPUCHECK, *words], env=environ or PLAIN, timeout=patience, preexec_fn=begin, **streams)
    taken = time.monotonic() - start
    out, err = ((one or b"").decode("utf-8", "surrogateescape") for one in (done.stdout, done.stderr))
    assert "Traceback" not in err + out
    return Ran(done.returncode, taken, out, err)


def doctor(*words: str, **given: Any) -> Ran:
    """`gpucheck doctor --format json` within its deadline."""
    ran = run("doctor", "--format", "json", "--timeout", str(TIMEOUT), *words, **given)
    assert ran.seconds < TIMEOUT + 0.5 + STARTING, ran.seconds
    assert ran.code == ran.report["exit_code"]
    return ran


# An interpreter start and the imports, on a machine that does other things as well.
STARTING = 0.5


@pytest.mark.native
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"FAKE_HANG": "nvmlInit"}, "nvmlInit"),
        ({"FAKE_HANG": "nvmlDeviceGetName"}, "NVML"),
        ({"FAKE_HANG": "cuInit"}, "cuInit"),
        ({"FAKE_HANG": "nvmlInit", "FAKE_SEGV": "cuInit"}, "nvmlInit"),
    ],
)
def test_a_driver_that_hangs_is_named_and_the_rest_is_shown(
    fake_driver: FakeDriver, settings: dict[str, str], words: str
) -> None:
    ran = doctor(environ=fake_driver.environ(**settings))
    assert words in ran.out
    assert ran.report["facts"]["system"]["kernel"]
    assert "deadline" in ran.out


@pytest.mark.native
def test_nvidia_smi_that_hangs_is_named(fake_driver: FakeDriver) -> None:
    environ = fake_driver.environ(FAKE_CODES="nvmlInit=999,cuInit=999")
    environ["PATH"] = f"{fake_driver.root / 'smi-hangs'}:/usr/bin:/bin"
    assert doctor(environ=environ).report["facts"]["driver"]["smi"]["status"] == "hung"


def test_an_examined_python_that_hangs_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nsleep 600\n")
    python.chmod(0o755)
    ran = doctor("--python", str(python))
    assert "gave no answer in time" in ran.out
    assert ran.code == 3


def test_an_examined_python_that_babbles_without_end_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexec yes nonsense\n")
    python.chmod(0o755)
    assert doctor("--python", str(python)).code == 3


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Path]:
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(dead_folder(tmp_path / "dead"))
        except OSError as error:
            pytest.skip(f"this machine: no dead folder without root and FUSE: {error}")
        yield path


@pytest.mark.parametrize("place", ["PATH", "CUDA_HOME", "LD_LIBRARY_PATH", "--python", "TMPDIR"])
def test_a_disk_that_does_not_answer_is_left_behind(dead: Path, place: str) -> None:
    values = {
        "PATH": f"{dead}:/usr/bin:/bin",
        # Behind the C library's own folder: before it, not even the dynamic loader of `ls` comes past it.
        "LD_LIBRARY_PATH": f"{_folder_of_libc()}:{dead}",
    }
    words = ["--python", f"{dead}/python"] if place == "--python" else []
    environ = PLAIN if words else {**PLAIN, place: values.get(place, str(dead))}
    ran = doctor(*words, environ=environ)
    assert ran.report["facts"]["system"]


def _folder_of_libc() -> str:
    maps = Path("/proc/self/maps").read_text()
    return next(os.path.dirname(line.split()[-1]) for line in maps.splitlines() if "/libc.so" in line)


@pytest.mark.native
def test_a_child_that_is_killed_by_somebody_else_is_told(fake_driver: FakeDriver) -> None:
    environ = fake_driver.environ(FAKE_HANG="nvmlInit")
    words = [GPUCHECK, "doctor", "--format", "json", "--timeout", "20"]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        nursery = _wait_for_child(process.pid)
        time.sleep(0.5)
        os.killpg(nursery, signal.SIGKILL)
        begin = time.monotonic()
        out, err = process.communicate(timeout=25)
    assert time.monotonic() - begin < 3
    assert b"Traceback" not in err
    assert json.loads(out)["facts"]["system"]


def _wait_for_child(pid: int) -> int:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.02)
    raise AssertionError("no child was started")


@pytest.mark.native
def test_ctrl_c_ends_it_at_once_and_leaves_no_child(fake_driver: FakeDriver) -> None:
    environ = fake_driver.environ(FAKE_HANG="nvmlInit")
    process = subprocess.Popen(
        [GPUCHECK, "doctor", "--timeout", "30"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    nursery = _wait_for_child(process.pid)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=10)  # a third of what the hang would take
    assert process.returncode == 130
    assert b"Traceback" not in err
    last = time.monotonic() + 5
    while _group_lives(nursery) and time.monotonic() < last:
        time.sleep(0.05)
    assert not _group_lives(nursery)


def _group_lives(group: int) -> bool:
    """Is a process of that group there that is no zombie?"""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                return (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("streams", [(1,), (0, 1), (0, 1, 2), (2,)])
def test_closed_streams_are_no_fault(streams: tuple[int, ...]) -> None:
    def close() -> None:
        for number in streams:
            os.close(number)

    assert run("doctor", begin=close).code in (0, 1, 3)


def test_a_reader_who_leaves_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = run("doctor", stdout=writer)
    os.close(writer)
    assert ran.code in (0, 1, 3)
    assert ran.err == ""


def test_a_full_disk_behind_standard_output_is_told() -> None:
    with open("/dev/full", "wb") as full:
        ran = run("doctor", "--format", "json", stdout=full)
    assert ran.code == 2
    assert ran.err == "gpucheck: cannot write to standard output: No space left on device\n"


def test_a_full_disk_behind_output_is_told_and_leaves_no_half_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk]).returncode == 0
    )
    if not mounted:
        pytest.skip("this machine: no small disk without root")
    try:
        ran = run("doctor", "--format", "json", "--output", str(disk / "report.json"))
        assert ran.code == 2
        assert "No space left on device" in ran.err
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("place", ["/nowhere/report.json", "/proc/report.json", "/"])
def test_an_output_that_cannot_be_is_told(place: str) -> None:
    ran = run("doctor", "--output", place)
    assert ran.code == 2
    assert place in ran.err


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"PATH": ""},
        {"PATH": "/usr/bin:/bin", "HOME": ""},
        {"PATH": "/usr/bin:/bin", "TMPDIR": "/nowhere", "HOME": "/proc"},
        {
            "PATH": ":".join(f"/deep/{at}" for at in range(4000)),
            "LD_LIBRARY_PATH": ":".join(f"/l/{at}" for at in range(4000)),
        },
        {
            "PATH": "/usr/bin",
            "HOME": "/\udcff",
            "CUDA_VISIBLE_DEVICES": "\udcfe",
            "LC_ALL": "C",
            "PYTHONIOENCODING": "ascii",
        },
        {"PATH": "/usr/bin", "LANG": "de_DE.UTF-8", "LANGUAGE": "de", "LC_ALL": "tr_TR.UTF-8"},
    ],
)
def test_an_odd_environment_is_no_fault(environ: dict[str, str]) -> None:
    assert run("doctor", "--verbose", environ=environ or {"A": "B"}).code in (0, 1, 3)
    assert doctor(environ=environ or {"A": "B"}).report["schema"] == "gpucheck.report/1"


def test_a_folder_that_was_removed_is_no_fault(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def leave() -> None:
        os.chdir(gone)
        gone.rmdir()

    assert run("doctor", begin=leave).code in (0, 1, 3)


@pytest.mark.parametrize("most", [12, 20, 64])
def test_few_file_descriptors_are_no_fault(most: int) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    assert run("doctor", "--format", "json", begin=limit).code in (0, 1, 3)


@pytest.mark.skipif(os.geteuid() != 0, reason="this machine: only root can become nobody")
@pytest.mark.skipif(not os.access(sys.prefix, os.R_OK), reason="this machine: nobody may not read this environment")
def test_a_user_who_may_do_nothing_gets_an_answer() -> None:
    def become_nobody() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    try:
        ran = run("doctor", "--format", "json", begin=become_nobody)
    except PermissionError:
        pytest.skip("this machine: nobody may not run this environment's Python")
    if "Permission denied" in ran.err and not ran.out:
        pytest.skip("this machine: nobody may not run this environment's Python")
    assert ran.report["schema"] == "gpucheck.report/1"
