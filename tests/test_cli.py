"""The commands as a user runs them: in a process of their own, with real pipes, signals and locales."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sample
from dead_folder import dead_folder

from gpucheck.render import json as json_format
from gpucheck.rules import load
from gpucheck.rules.engine import RULES

SCHEMAS = Path(json_format.__file__).parent


def run(*arguments: object, **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Keyword arguments in capitals are environment variables."""
    argv = [sys.executable, "-m", "gpucheck", *map(str, arguments)]
    environ = {**os.environ, **{name: value for name, value in changes.items() if name.isupper()}}
    others = {name: value for name, value in changes.items() if not name.isupper()}
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environ, "timeout": 60, **others}
    return subprocess.run(argv, check=False, encoding="utf-8", errors="surrogateescape", **given)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Snapshots on disk: `fine`, `mismatch`, `unknown`, `hostile`."""
    load()
    tmp_path = tmp_path_factory.mktemp("snapshots")
    paths = {}
    for name in ("fine", "mismatch", "unknown", "hostile"):
        path = tmp_path / f"{name}.json"
        path.write_text(json_format.render_snapshot(getattr(sample, name)().snapshot))
        paths[name] = str(path)
    return paths


def first(number: int, cases: list[Any]) -> list[Any]:
    """Of cases that start a process each, so many for the fast part of the suite; the rest is slow."""
    rest = [one if isinstance(one, tuple) else (one,) for one in cases[number:]]
    return cases[:number] + [pytest.param(*one, marks=pytest.mark.slow) for one in rest]


def fits(document: Any, schema: str) -> None:
    """The document is as the schema says. That the schema is one is seen in test_render.py."""
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{schema}.schema.json").read_text())).validate(document)


def wrong(done: subprocess.CompletedProcess[str]) -> str:
    """What a wrong usage says: one exit code, nothing on stdout, no traceback."""
    assert (done.returncode, done.stdout) == (2, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


EXIT_CODES = [
    *[("json", "fine", 0), ("terminal", "mismatch", 1), ("markdown", "unknown", 3)],
    *[("json", "mismatch", 1), ("terminal", "unknown", 3), ("markdown", "fine", 0)],
    *[("json", "unknown", 3), ("terminal", "fine", 0), ("markdown", "mismatch", 1)],
]


@pytest.mark.parametrize(("form", "machine", "code"), first(3, EXIT_CODES))
def test_the_exit_code_is_the_same_in_every_format(files: dict[str, str], form: str, machine: str, code: int) -> None:
    done = run("doctor", "--snapshot", files[machine], "--format", form)
    assert (done.returncode, done.stderr) == (code, "")


def test_json_is_one_document_and_nothing_else(files: dict[str, str]) -> None:
    done = run("doctor", "--snapshot", files["mismatch"], "--format", "json")
    report = json.loads(done.stdout)
    fits(report, "report")
    assert report["verdict"] == "error"
    assert report["exit_code"] == done.returncode == 1
    assert report["findings"][0]["name"] == "driver-library-version-mismatch"


@pytest.mark.slow
def test_several_snapshots_are_one_document_and_the_worst_counts(files: dict[str, str]) -> None:
    done = run("doctor", "--format", "json", "--snapshot", files["unknown"], files["mismatch"], files["fine"])
    found = json.loads(done.stdout)
    assert found["schema"] == "gpucheck.reports/1"
    assert [one["file"] for one in found["reports"]] == [files["unknown"], files["mismatch"], files["fine"]]
    assert found["exit_code"] == done.returncode == 1


@pytest.mark.slow
def test_several_snapshots_on_a_terminal_stand_under_their_names(files: dict[str, str]) -> None:
    done = run("doctor", "--snapshot", files["unknown"], "--snapshot", files["mismatch"])
    assert [line for line in done.stdout.splitlines() if line.startswith("== ")] == [
        f"== {files['unknown']}",
        f"== {files['mismatch']}",
    ]


@pytest.mark.slow
def test_an_ignored_rule_finds_nothing_and_is_named(files: dict[str, str]) -> None:
    named = ("driver-library-version-mismatch", "libcuda-missing")
    done = run("doctor", "--snapshot", files["mismatch"], "--format", "json", "--ignore", *named)
    report = json.loads(done.stdout)
    assert set(report["ignored"]) == set(named)
    assert "driver-library-version-mismatch" not in {one["name"] for one in report["findings"]}


@pytest.mark.slow
def test_strict_makes_a_warning_exit_with_1(tmp_path: Path) -> None:
    hot = sample.gpu(clocks_event_reasons=("hw-thermal-slowdown",))
    facts = sample.healthy()._replace(gpus=(hot,))
    path = tmp_path / "warning.json"
    path.write_text(json_format.render_snapshot(facts))
    lenient, strict = (run("doctor", "--snapshot", path, "--format", "json", *more) for more in ((), ("--strict",)))
    assert [one["name"] for one in json.loads(lenient.stdout)["findings"]] == ["gpu-throttling"]
    assert (lenient.returncode, strict.returncode, json.loads(strict.stdout)["exit_code"]) == (0, 1, 1)


RUBBISH = [
    "{",
    '{"schema": "gpucheck.snapshot/1", "version": 3}',
    '{"schema": "gpucheck.machine/1", "paths": {"/x": 3}}',
    "[" * 100_000,
    "",
    "[]",
    "null",
    "\x00\xff",
    '{"schema": "other/1"}',
    '{"schema": ["x"]}',
    '{"schema": "gpucheck.snapshot/1"}',
    '{"schema": "gpucheck.machine/1", "about": 5}',
    '{"schema": "gpucheck.machine/1", "about": {"moon": 1}}',
    '{"schema": "gpucheck.machine/1", "paths": []}',
    '{"schema": "gpucheck.machine/1", "env": [], "children": 7}',
    '{"schema": "gpucheck.snapshot/1", "probes": ' + "[" * 900 + "]" * 900 + "}",
]


@pytest.mark.slow
@pytest.mark.parametrize("content", first(2, RUBBISH))
def test_a_file_of_rubbish_is_wrong_usage(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rubbish.json"
    path.write_text(content, encoding="latin-1")
    said = wrong(run("doctor", "--snapshot", path))
    assert said.startswith(f"gpucheck: {path}: ")
    assert said.count("\n") == 1


WRONG_USAGE: list[Any] = [
    (["doctor", "--snapshot", "/no/such.json"], "No such file"),
    (["doctor", "--ignore", "no-such-rule"], "no rule is called no-such-rule"),
    (["doctor", "--timeout", "0"], "--timeout takes seconds"),
    (["doctor", "--format", "xml"], "terminal"),
    (["doctor", "--output", "/no/such/folder/out.txt"], "no folder /no/such/folder"),
    (["explain", "zzz\x1b[31m"], "no rule is called zzz\\x1b[31m"),
    (["doctor", "--snapshot", "/"], "Is a directory"),
    (["doctor", "--python", "/no/such/python"], "no Python to run at /no/such/python"),
    (["doctor", "--python", "no-such-python"], "no Python to run at no-such-python"),
    (["doctor", "--python", ""], "no Python to run at"),
    (["doctor", "--output", "/"], "it is a folder"),
    (["doctor", "--timeout", "nan"], "--timeout takes seconds"),
    (["doctor", "--timeout", "soon"], "not a valid float"),
    (["doctor", "--deep", "--snapshot", "x"], "not together with --snapshot"),
    (["doctor", "stray"], "unexpected argument stray"),
    (["doctor", "--nonsense"], "No such option"),
    (["snapshot", "--output", "/no/such/folder/out.json"], "no folder /no/such/folder"),
    (["explain", "libcuda-mising"], "did you mean libcuda-missing"),
    (["doctor", "--python", "a\nb"], "no Python to run at a\\nb"),
    (["explain"], "Missing argument"),
    (["diagnose"], "No such command"),
]


@pytest.mark.parametrize(("arguments", "words"), first(3, WRONG_USAGE))
def test_wrong_usage_is_said_in_a_line_and_exits_with_2(arguments: list[str], words: str) -> None:
    assert words in wrong(run(*arguments))


@pytest.mark.slow
def test_output_goes_to_the_file_and_stdout_stays_empty(files: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "out" / "report.json"
    target.parent.mkdir()
    target.write_text("old")
    done = run("doctor", "--snapshot", files["mismatch"], "--format", "json", "--output", target)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert json.loads(target.read_text())["verdict"] == "error"
    assert os.listdir(target.parent) == ["report.json"]


@pytest.mark.slow
def test_output_through_a_link_keeps_the_link(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    run("doctor", "--snapshot", files["mismatch"], "--output", tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert "driver-library-version-mismatch" in (tmp_path / "real.txt").read_text()


@pytest.mark.slow
def test_output_to_a_device_is_written_there(files: dict[str, str]) -> None:
    assert run("doctor", "--snapshot", files["mismatch"], "--output", "/dev/null").returncode == 1


@pytest.mark.slow
def test_a_full_disk_is_told_without_a_traceback(files: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        done = run("doctor", "--snapshot", files["mismatch"], stdout=full)
    assert (done.returncode, done.stderr) == (2, "gpucheck: cannot write to standard output: No space left on device\n")


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_takes_a_part_of_the_answer_is_told_too(
    files: dict[str, str], tmp_path: Path, unbuffered: str
) -> None:
    """With PYTHONUNBUFFERED, as in many images, a short write is no error to Python."""
    # What a file may not grow beyond stands for a disk that fills up.
    command = [sys.executable, "-m", "gpucheck", "doctor", "--snapshot", files["mismatch"], "--format", "json"]
    limited = ["prlimit", "--fsize=4096", *command]
    with open(tmp_path / "report.json", "wb") as place:
        environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(limited, stdout=place, stderr=subprocess.PIPE, text=True, env=environ, timeout=60)
    assert (done.returncode, done.stderr) == (2, "gpucheck: cannot write to standard output: File too large\n")


@pytest.mark.slow
def test_a_reader_who_leaves_early_is_no_error(files: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run("doctor", "--snapshot", files["mismatch"], "--verbose", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.slow
@pytest.mark.parametrize("closed", first(1, [">&- 2>&-", ">&-", "2>&-", "<&-"]))
def test_closed_streams_change_nothing_about_the_exit_code(files: dict[str, str], closed: str) -> None:
    command = f'"{sys.executable}" -m gpucheck doctor --snapshot "{files["mismatch"]}" {closed}'
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.slow
@pytest.mark.parametrize("form", first(1, ["terminal", "json", "markdown"]))
def test_an_ascii_locale_gets_ascii(files: dict[str, str], form: str) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    done = run("doctor", "--snapshot", files["hostile"], "--format", form, "--verbose", **ascii_only)
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert done.stdout


def on_a_terminal(*arguments: str, **changes: str) -> tuple[int, str]:
    """Run a command on a pseudo-terminal and give its exit code and screen."""
    environ = {**os.environ, "TERM": "xterm", **changes}
    environ = {name: value for name, value in environ.items() if value}
    pid, screen = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "gpucheck", *arguments], environ)
    shown = b""
    end = time.monotonic() + 60
    while time.monotonic() < end and select.select([screen], [], [], 60)[0]:
        try:
            piece = os.read(screen, 65536)
        except OSError:  # Linux: the other side is closed
            break
        shown += piece
    os.close(screen)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.slow
def test_colours_on_a_terminal_none_with_no_color_none_in_a_pipe(files: dict[str, str]) -> None:
    doctor = ("doctor", "--snapshot", files["mismatch"])
    code, colored = on_a_terminal(*doctor, COLUMNS="80", NO_COLOR="")
    assert (code, "\x1b[1;31mERROR" in colored) == (1, True)
    assert "\x1b" not in on_a_terminal(*doctor, NO_COLOR="1")[1]
    assert "\x1b" not in on_a_terminal(*doctor, TERM="dumb")[1]
    assert "\x1b" not in run(*doctor).stdout


@pytest.mark.slow
def test_a_narrow_terminal_gets_narrow_lines(files: dict[str, str]) -> None:
    _, screen = on_a_terminal("doctor", "--snapshot", files["unknown"], COLUMNS="40", NO_COLOR="1")
    assert max(map(len, screen.split("\r\n"))) <= 60  # the verdict is one line


def test_explain_prints_the_documentation(files: dict[str, str]) -> None:
    done = run("explain", "driver_library_version_mismatch")
    assert done.returncode == 0
    assert done.stdout.startswith("# driver-library-version-mismatch\n")
    assert "How to fix" in done.stdout
    code, screen = on_a_terminal("explain", "driver-library-version-mismatch", NO_COLOR="1")
    assert (code, "## How" in screen) == (0, False)


@pytest.mark.slow
def test_list_rules_names_every_rule_in_every_format() -> None:
    load()
    listed = json.loads(run("doctor", "--list-rules", "--format", "json").stdout)
    names = [one["name"] for one in listed["rules"]]
    assert names[: len(RULES)] == list(RULES)
    assert {"log-does-not-settle", "gpu-xid"} <= set(names[len(RULES) :])  # what only a log can show
    assert [line.split()[1] for line in run("doctor", "--list-rules").stdout.splitlines()[::2]] == names
    assert run("doctor", "--list-rules", "--format", "markdown").stdout.count("\n") == len(names) + 2


def test_version_is_told() -> None:
    assert re.fullmatch(r"gpucheck \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.slow
def test_help_is_plain_and_exits_with_0() -> None:
    for arguments in (["--help"], ["doctor", "--help"], ["snapshot", "--help"], ["explain", "--help"]):
        done = run(*arguments, COLUMNS="80")
        assert (done.returncode, done.stderr) == (0, "")
        assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.slow
def test_this_machine_is_examined_recorded_and_judged_alike_elsewhere(tmp_path: Path) -> None:
    raw, facts = tmp_path / "raw.json", tmp_path / "facts.json"
    here = run("doctor", "--python", sys.executable, "--format", "json")
    assert run("snapshot", "--raw", "--python", sys.executable, "--output", raw).returncode == 0
    assert run("snapshot", "--python", sys.executable, "--output", facts).returncode == 0
    assert json.loads(raw.read_text())["schema"] == "gpucheck.machine/1"
    fits(json.loads(facts.read_text()), "snapshot")
    for file in (raw, facts):
        there = run("doctor", "--snapshot", file, "--format", "json")
        assert there.returncode == here.returncode
        for part in ("verdict", "findings", "checked", "skipped"):
            assert json.loads(there.stdout)[part] == json.loads(here.stdout)[part]


@pytest.fixture
def stuck_python(tmp_path: Path) -> str:
    """An interpreter that never answers."""
    path = tmp_path / "python3"
    path.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    path.chmod(0o755)
    return str(path)


def gone(pid: int) -> bool:
    """Has a process ended (a zombie has)? SIGKILL takes a moment."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_an_interpreter_that_never_answers_is_named_in_time_and_left_dead(stuck_python: str) -> None:
    begin = time.monotonic()
    done = run("doctor", "--python", stuck_python, "--timeout", "2", "--format", "json")
    assert time.monotonic() - begin < 5
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"] != 2
    assert "gap" in report["facts"]["python"]["version"]
    assert gone(int((Path(stuck_python).parent / "pid").read_text()))


SIGNALS: list[Any] = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), first(1, SIGNALS))
def test_a_signal_ends_it_at_once_without_a_word_and_takes_the_children_along(
    stuck_python: str, number: signal.Signals, code: int
) -> None:
    argv = [sys.executable, "-m", "gpucheck", "doctor", "--python", stuck_python, "--timeout", "60"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    mark = Path(stuck_python).parent / "pid"
    end = time.monotonic() + 20
    while not (mark.exists() and mark.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.communicate(timeout=10) == (b"", b"")
    assert process.returncode == code
    assert gone(int(mark.read_text()))


def test_the_python_api_gives_a_report_that_jupyter_can_show() -> None:
    import gpucheck

    report = gpucheck.doctor(timeout=10)
    assert report.verdict in ("ok", "warning", "error", "unknown")
    assert report.snapshot.python.executable == sys.executable  # type: ignore[union-attr]
    assert report.snapshot.python.chosen_by == "this process"  # type: ignore[union-attr]
    page = report._repr_html_()  # type: ignore[attr-defined]
    assert page.startswith("<div")
    assert gpucheck.snapshot().schema == "gpucheck.snapshot/1"


@pytest.mark.slow
def test_a_toolkit_on_a_dead_disk_does_not_keep_the_process(tmp_path: Path) -> None:
    with dead_folder(tmp_path / "dead") as dead:
        begin = time.monotonic()
        done = run("doctor", "--timeout", "3", "--format", "json", CUDA_HOME=str(dead))
        assert time.monotonic() - begin < 4.5
    assert done.returncode in (0, 1, 3)
    assert [probe for probe in json.loads(done.stdout)["facts"]["probes"] if "no answer within" in probe["outcome"]]


@pytest.mark.slow
def test_a_current_folder_that_was_removed_is_no_fault(files: dict[str, str], tmp_path: Path) -> None:
    gone_folder = tmp_path / "gone"
    gone_folder.mkdir()
    command = f'rmdir "{gone_folder}"; "$0" -m gpucheck "$@"'
    for arguments, code in (
        (["doctor", "--snapshot", files["mismatch"]], 1),
        (["doctor", "--python", "./x"], 2),
        (["doctor", "--output", "x.txt"], 2),
    ):
        gone_folder.mkdir(exist_ok=True)
        argv = ["bash", "-c", command, sys.executable, *arguments]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=gone_folder, timeout=60)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
