"""Children of the real host: what is run, what is not, and what is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from gpucheck.facts.gap import Gap
from gpucheck.host import Child
from gpucheck.host.local import LocalHost

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this machine: POSIX children")


def _host() -> LocalHost:
    return LocalHost(timeout=5.0, environ={"PATH": "/usr/bin:/bin"})


def test_a_text_file_without_an_interpreter_is_not_run_as_a_shell_script(tmp_path: Path):
    notes, traces = tmp_path / "nvidia-smi", tmp_path / "traces"
    notes.write_text(f"touch {traces}\n")
    notes.chmod(0o755)
    host = _host()
    host.start(Child("smi", None, (str(notes),)))
    assert host.answer("smi").ended == "not-started"
    assert not traces.exists()


def test_scripts_and_programs_are_run_and_their_ends_told(tmp_path: Path):
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho said\nexit 3\n")
    script.chmod(0o755)
    host = _host()
    host.start(Child("a", None, (str(script),)), Child("b", None, ("/bin/sh", "-c", "kill -11 $$")))
    assert host.answer("a")[:3] == ("exit", 3, ("said",))
    assert host.answer("b")[:2] == ("signal", 11)


def test_nothing_is_left_open_after_many_looks():
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = opened()
    for _ in range(5):
        host = _host()
        host.start(Child("cuda", "cuda"), Child("x", None, ("/bin/sh", "-c", "exit 0")))
        host.answer("cuda")
        host.close()
    assert opened() == before


def test_an_error_while_reading_is_a_gap():
    found = _host().read("/proc/self/mem")
    assert isinstance(found, Gap)
    assert "/proc/self/mem" in found.reason


def test_a_variable_that_is_not_on_the_list_cannot_be_asked_for_even_without_assertions():
    with pytest.raises(LookupError):
        _host().env("AWS_SECRET_ACCESS_KEY")


def test_a_child_that_somebody_else_reaped_has_no_known_exit_status():
    host, before = _host(), psutil.Process().children()
    host.start(Child("x", None, ("/bin/sh", "-c", "exit 7")))
    (child,) = set(psutil.Process().children()) - set(before)
    os.waitpid(child.pid, 0)  # as a notebook's SIGCHLD handler does
    assert host.answer("x")[:2] == ("exit", None)
