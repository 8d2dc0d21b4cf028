"""The parent's end of a worker, against small programs that do what a worker must not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union

import psutil
import pytest
from planted import SCRIPT

from gpucheck.bench.job import WORKER
from gpucheck.bench.process import Worker, WorkerFailed
from gpucheck.facts.bench import Failure

pytestmark = pytest.mark.slow  # its processes, or its many rounds
slow = pytest.mark.slow

# What the small programs have at hand: `hear()` gives a command's number, `say` answers it.
BEGIN = """
import json, os, sys, time
def hear():
    return json.loads(sys.stdin.readline())["number"]
def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()
def answer(number, **more):
    say(json.dumps(dict(more, number=number, ok=True)) + chr(10))
"""
Start = Callable[..., Worker]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Worker] = []

    def run(program: str, hear: Callable[[str], None] = lambda what: None, **environ: str) -> Worker:
        worker = Worker([sys.executable, "-S", "-I", "-c", BEGIN + program], environ, hear)
        started.append(worker)
        worker.start()
        return worker

    yield run
    for worker in started:
        worker.kill()


def fails(worker: Worker, seconds: float = 20.0, do: str = "time") -> Failure:
    with pytest.raises(WorkerFailed) as caught:
        worker.ask(do, seconds)
    return caught.value.failure


def gone(pid: Union[int, None], within: float = 2.0) -> bool:
    assert pid is not None
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.005)
    return False


def test_answers_come_to_the_command_that_they_belong_to(start: Start) -> None:
    worker = start("answer(hear(), one=1)\nanswer(hear(), two=[2.5, None])\n")
    assert worker.ask("open", 20.0, backend="jax")["one"] == 1
    assert worker.ask("load", 20.0)["two"] == [2.5, None]
    assert worker.alive


def test_what_lies_between_answers_is_passed_over(start: Start) -> None:
    lines = [
        "hello",
        "",
        "{}",
        "[]",
        '"text"',
        "12",
        "null",
        '{"number": 99, "ok": true}',
        '{"number": "1", "ok": true}',
    ]
    binary = b"\xff\xfe\x00\n" + b"[" * 100000 + b'\n{"number": 1, "ok"\n'
    garbage = f"say(chr(10).join({lines!r}) + chr(10))\nsys.stdout.buffer.write({binary!r})\nsys.stdout.flush()"
    worker = start(f"number = hear()\n{garbage}\nanswer(number, kept=1)\n")
    assert worker.ask("time", 20.0)["kept"] == 1


def test_an_answer_that_came_before_its_command_is_none(start: Start) -> None:
    worker = start("number = hear()\nanswer(number + 1, early=1)\nanswer(number)\nanswer(hear(), late=1)\n")
    worker.ask("open", 20.0)
    assert worker.ask("load", 20.0) == {"number": 2, "ok": True, "late": 1}


def test_a_line_without_end_is_cut_and_what_follows_it_is_read(start: Start) -> None:
    worker = start("number = hear()\nsay('x' * 9_000_000 + chr(10))\nanswer(number, kept=1)\n")
    assert worker.ask("time", 20.0)["kept"] == 1


def test_what_begins_is_heard(start: Start) -> None:
    heard: list[str] = []
    program = "number = hear()\nsay(json.dumps({'event': 'begin', 'what': 'first-step'}) + chr(10))\nanswer(number)\n"
    start(program, heard.append).ask("build", 20.0)
    assert heard == ["first-step"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("memory", "memory"), ("no-device", "no-device"), ("import", "import"), ("new", "framework"), (None, "framework")],
)
def test_what_a_worker_says_it_cannot_is_told_in_its_words_and_it_lives(
    start: Start, kind: Union[str, None], told: str
) -> None:
    program = (
        f"say(json.dumps(dict(number=hear(), ok=False, kind={kind!r}, error='no room')) + chr(10))\nanswer(hear())\n"
    )
    worker = start(program)
    assert fails(worker) == Failure(told, "no room", "time")  # type: ignore[arg-type]
    assert worker.alive
    assert worker.ask("time", 20.0)["ok"] is True


def test_an_answer_that_is_not_ok_is_a_failure(start: Start) -> None:
    assert fails(start("say(json.dumps(dict(number=hear(), ok=1)) + chr(10))\nhear()")).kind == "framework"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("hear()\nos._exit(3)", "it ended with exit code 3"),
        ("hear()\nos.kill(os.getpid(), 11)", "it died of SIGSEGV"),
        ("hear()\nos.kill(os.getpid(), 9)", "it was killed (SIGKILL)"),
        ("hear()\nos.kill(os.getpid(), 50)", "it died of signal 50"),
        ("hear()", "it ended with exit code 0"),
        ('hear()\nsay(\'{"number": 1, "ok": tr\')', "it ended with exit code 0"),
        pytest.param("hear()\nos.close(1)\ntime.sleep(100)", "it closed its pipe and goes on running", marks=slow),
    ],
)
def test_how_a_worker_ended_is_told(start: Start, program: str, words: str) -> None:
    worker = start(program)
    failure = fails(worker)
    assert (failure.kind, failure.message, failure.phase) == ("crash", words, "time")
    assert not worker.alive
    assert gone(worker.pid)


def test_a_worker_that_ended_before_it_was_asked_is_told(start: Start) -> None:
    worker = start("os._exit(5)")
    assert gone(worker.pid)
    assert fails(worker).message == "it ended with exit code 5"


def test_a_silent_worker_is_killed_with_all_that_it_started(start: Start) -> None:
    program = (
        "import subprocess\nanswer(hear(), pid=subprocess.Popen(['sleep', '1000']).pid)\nhear()\ntime.sleep(1000)\n"
    )
    worker = start(program, PATH="/usr/bin:/bin")
    pid = worker.ask("open", 20.0)["pid"]
    failure = fails(worker, 0.05)
    assert (failure.kind, failure.message) == ("hang", "no answer within 0 s")
    assert gone(worker.pid)
    assert gone(pid)


def test_a_stopped_worker_is_killed(start: Start) -> None:
    worker = start("answer(hear())\nos.kill(os.getpid(), 19)\nhear()\n")
    worker.ask("open", 20.0)
    assert fails(worker, 0.05).kind == "hang"
    assert gone(worker.pid)


def test_its_last_words_are_kept_and_what_every_framework_says_is_not(start: Start) -> None:
    words = "I0000 cpu_feature_guard.cc: To enable the following instructions\\nFatal: no kernel image\\n" + "a\\n" * 3
    failure = fails(
        start(f"hear()\nsys.stderr.write('{words}')\nsys.stderr.buffer.write(b'\\xff' * 20000)\nos._exit(1)")
    )
    assert failure.detail[0] == "Fatal: no kernel image"
    assert len(failure.detail) <= 12
    assert max(map(len, failure.detail)) <= 400


def test_a_flood_of_words_does_not_stop_a_worker(start: Start) -> None:
    worker = start("number = hear()\nfor _ in range(3000): sys.stderr.write('x' * 1000 + chr(10))\nanswer(number)\n")
    worker.ask("time", 20.0)


def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    for argv in (["/nowhere/python"], [str(tmp_path)], [str(tmp_path / "text")], ["py\0thon"]):
        worker = Worker(argv, {})
        with pytest.raises(WorkerFailed) as caught:
            worker.start()
        assert caught.value.failure.kind == "import"
        assert "could not be run" in caught.value.failure.message
        assert not worker.alive
        worker.kill()


def test_killing_twice_or_before_the_start_is_nothing() -> None:
    worker = Worker([sys.executable, "-S", "-I", SCRIPT], {})
    worker.kill()
    worker = Worker([sys.executable, "-S", "-I", SCRIPT], {})
    worker.start()
    pid = worker.pid
    worker.kill()
    worker.kill()
    assert gone(pid)
    with pytest.raises(WorkerFailed):
        worker.ask("open", 1.0)


def test_a_worker_is_in_a_session_of_its_own(start: Start) -> None:
    """So a Ctrl-C at the terminal reaches the parent alone."""
    worker = start("answer(hear())\nhear()")
    worker.ask("open", 20.0)
    assert os.getsid(worker.pid or 0) != os.getsid(0)


# The real worker, without any framework: what it does before one is imported


class Real(NamedTuple):
    """gpucheck/bench/worker.py in this Python."""

    process: subprocess.Popen[str]

    def ask(self, **command: Any) -> str:
        import json

        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Callable[..., Real]]:
    kept: list[subprocess.Popen[str]] = []

    def run(**packages: str) -> Real:
        """packages: name to source, put where the worker finds them first."""
        for name, source in packages.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(source)
        pipe = subprocess.PIPE
        argv, environ = [sys.executable, "-S", WORKER], {"PYTHONPATH": str(tmp_path)}
        kept.append(subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environ, text=True))
        return Real(kept[-1])

    yield run
    for process in kept:
        process.kill()
        process.communicate()


OPEN = {"number": 1, "do": "open", "backend": "tensorflow", "device": "cpu", "tf32": False}


@slow
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise ImportError('libcudnn.so.9: cannot open')", '"kind": "import", "error": "ImportError: libcudnn.so.9'),
        ("raise SystemExit(0)", '"kind": "import", "error": "SystemExit'),
        ("raise KeyboardInterrupt", '"error": "KeyboardInterrupt'),
        ("raise MemoryError", '"kind": "memory"'),
        ("import os; os._exit(0)", ""),
        ("", '"kind": "import", "error": "ImportError: the package tensorflow is empty"'),
        ("__version__ = '1.15.5'", '"kind": "unsupported"'),
        (
            "import os\nfor at in range(3, 20):\n try: os.write(at, b'garbage')\n except OSError: pass\nprint('x')",
            "garbage",
        ),
    ],
)
def test_a_framework_that_fails_to_import_is_an_answer(real: Callable[..., Real], source: str, words: str) -> None:
    assert words in real(tensorflow=source).ask(**OPEN)


@slow
def test_what_a_framework_prints_does_not_reach_the_pipe(real: Callable[..., Real]) -> None:
    chatter = "import os, sys\nprint('out'); os.write(1, b'one'); os.system('echo shell'); print(sys.stdin.read())\n"
    told = real(tensorflow=chatter + "raise ImportError('after all')").ask(**OPEN)
    assert told.startswith("{")
    assert "after all" in told


@slow
def test_the_worker_ends_with_its_parents_pipe(real: Callable[..., Real]) -> None:
    worker = real(tensorflow="import time; time.sleep(1000)")
    assert worker.process.stdin is not None
    worker.process.stdin.write('{"number": 1, "do": "open", "backend": "tensorflow", "device": "cpu", "tf32": false}\n')
    worker.process.stdin.flush()
    time.sleep(0.3)
    assert worker.process.poll() is None
    worker.process.stdin.close()
    assert worker.process.wait(5.0) == 1
    worker.process.stdin = None


@slow
def test_an_unknown_command_or_argument_is_told_and_the_worker_goes_on(real: Callable[..., Real]) -> None:
    worker = real()
    assert '"ok": false' in worker.ask(number=1, do="dance")
    assert '"ok": false' in worker.ask(number=2, do="open", colour="red")
    assert '"ok": false' in worker.ask(number=3, do="build")
    assert '"ok": true' in worker.ask(number=4, do="drop", model="none")
    assert '"number": 5' in worker.ask(number=5, do="quit")
    assert worker.process.wait(5.0) == 0
