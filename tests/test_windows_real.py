"""gpucheck installed from its wheel into a real Windows Python, and what it says there.

Wine is evidence, not proof: it says that it is Windows 10 (18362), its console obeys no escape sequence, and only eight
bits of an exit code come out of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import machines
import pytest
from windows_lab import ROOT, Lab

from gpucheck import api

pytestmark = pytest.mark.windows

COMMANDS = ("doctor", "snapshot", "bench", "install", "download", "repair", "undo", "explain")
# What no single Windows code page has, and a terminal should not obey.
STRANGE = "caf\u00e9 \u4e2d\u6587 \U0001f600 \u2192 \x1b[31m \u202e"


@pytest.fixture(scope="module")
def bare(lab: Lab) -> str:
    """An environment without any package."""
    return lab.path(lab.environment("bare", "3.10") / "Scripts" / "python.exe")


def strange_machine(folder: Path) -> Path:
    """A recorded Windows machine with a GPU, a user and a toolkit of such names."""
    text = json.dumps(machines.load("windows-tf2101"), ensure_ascii=False)
    assert "NVIDIA GeForce RTX 3060" in text
    path = folder / "caf\u00e9 \u4e2d\u6587.json"
    name = json.dumps(f"RTX {STRANGE}")[1:-1]
    path.write_text(text.replace("NVIDIA GeForce RTX 3060", name), encoding="utf-8")
    return path


def test_the_laboratory_is_a_windows_of_its_own(lab: Lab) -> None:
    told = lab.run([lab.python("3.8"), "-c", "import os, sys; print(sys.platform, sys.version_info[:2], os.sep)"])
    assert told == (0, "win32 (3, 8) \\\n", "")
    program = "import os; print(os.environ['PATH'], os.environ['Odd'], ascii(os.environ['Temp']), 'HOME' in os.environ)"
    env = {"PATH": r"C:\a b;C:\c", "Odd": "1", "TEMP": "C:\\\u00fc"}
    told = lab.run([lab.python("3.10"), "-c", program], env, without=["HOME"])
    assert told.out == "C:\\a b;C:\\c 1 'C:\\\\\\xfc' False\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_its_help(lab: Lab, command: str) -> None:
    # "..." stands in the help of some; the oldest console's code page has no such character
    told = lab.gpucheck(command, "--help", env={"PYTHONIOENCODING": "cp437:strict"})
    assert (told.code, told.err) == (0, "")
    assert f"Usage: gpucheck {command}" in told.out


def test_the_command_itself_has_help_and_a_version(lab: Lab) -> None:
    told = lab.gpucheck("--help")
    assert told.code == 0
    assert all(f"  {command} " in told.out for command in COMMANDS)
    assert lab.gpucheck("--version").out.startswith("gpucheck ")


def test_the_exit_code_tells_the_verdict(lab: Lab, bare: str, tmp_path: Path) -> None:
    fine, broken = tmp_path / "fine.json", tmp_path / "broken.json"
    fine.write_text(json.dumps(machines.load("windows-tf2101")))
    broken.write_text(json.dumps(machines.load("windows-native-tf220")))
    assert lab.gpucheck("doctor", "--snapshot", lab.path(fine)).code == 0
    assert lab.gpucheck("doctor", "--snapshot", lab.path(broken)).code == 1
    assert lab.gpucheck("doctor", "--nonsense").code == 2
    assert lab.gpucheck("doctor", "--snapshot", r"C:\nowhere.json").code == 2
    assert lab.gpucheck("doctor", "--python", r"C:\nowhere\python.exe").code == 2
    told = lab.gpucheck("doctor", env={"PATH": r"C:\windows\system32"}, without=["VIRTUAL_ENV", "CONDA_PREFIX"])
    assert (told.code, "could not tell" in told.out) == (3, True), "there is no Python on PATH"


def test_doctor_looks_at_this_windows_in_every_format(lab: Lab, bare: str, tmp_path: Path) -> None:
    told = lab.gpucheck("doctor", "--python", bare, "--format", "json")
    assert told.err == ""
    report = json.loads(told.out)
    facts = report["facts"]
    assert (facts["system"]["os"], facts["python"]["version"], facts["python"]["bits"]) == ("windows", "3.10.11", 64)
    assert facts["python"]["executable"].lower() == bare.lower()
    failed = {one["name"]: one["outcome"] for one in facts["probes"] if one["outcome"] != "ok"}
    assert failed in ({}, {"gpus": "NVML is not there: there is no nvml.dll"})
    assert "tensorflow-not-installed" in [one["name"] for one in report["findings"]]
    for name in ("terminal", "markdown"):
        target = tmp_path / f"{name} \u00e9.txt"
        done = lab.gpucheck("doctor", "--python", bare, "--format", name, "--output", lab.path(target))
        assert (done.code, done.out, done.err) == (told.code, "", "")
        assert "tensorflow-not-installed" in target.read_text(encoding="utf-8")


def test_what_was_recorded_there_is_judged_alike_on_linux(lab: Lab, bare: str, tmp_path: Path) -> None:
    raw, facts = tmp_path / "raw.json", tmp_path / "facts.json"
    for path, more in ((raw, ["--raw"]), (facts, [])):
        done = lab.gpucheck("snapshot", "--python", bare, *more, "--output", lab.path(path))
        assert (done.code, done.err) == (0, "")
    there = json.loads(lab.gpucheck("doctor", "--python", bare, "--format", "json").out)
    for path in (raw, facts):
        here = api.judge(api.read_file(str(path)))
        assert [one.name for one in here.findings] == [one["name"] for one in there["findings"]], path
        assert here.verdict == there["verdict"]
    recorded = json.loads(raw.read_text())
    assert recorded["flavour"] == "windows"
    assert recorded["registry"]


def test_the_module_and_the_function_answer_like_the_command(lab: Lab, bare: str) -> None:
    python = lab.path(lab.gpuchecks() / "Scripts" / "python.exe")
    program = f"import gpucheck; print(gpucheck.doctor({bare!r}).verdict)"
    verdict = lab.run([python, "-c", program]).out.strip()
    told = lab.run([python, "-m", "gpucheck", "doctor", "--python", bare, "--format", "json"])
    assert json.loads(told.out)["verdict"] == verdict


@pytest.mark.parametrize(
    ("form", "encoding"),
    [
        ("terminal", ""),
        ("terminal", "cp437:strict"),
        ("terminal", "utf-8"),
        ("markdown", ""),
        ("markdown", "ascii:strict"),
        ("json", ""),
    ],
)
def test_no_output_stumbles_over_a_character(lab: Lab, tmp_path: Path, encoding: str, form: str) -> None:
    # "": a pipe has the code page of the system there, cp1252
    path = lab.path(strange_machine(tmp_path))
    env = {"PYTHONIOENCODING": encoding} if encoding else {}
    told = lab.gpucheck("doctor", "--verbose", "--snapshot", path, "--format", form, env=env)
    assert (told.code, told.err) == (0, "")
    assert "RTX caf" in told.out
    assert "\x1b" not in told.out
    assert ("\u4e2d\u6587" in told.out) is (encoding == "utf-8" and form != "json")


def test_a_word_that_cannot_be_printed_is_complained_of_all_the_same(lab: Lab) -> None:
    for words in (("doctor", "--format", "\u4e2d\U0001f600"), ("doctor", "--python", "\u4e2d")):
        told = lab.gpucheck(*words, env={"PYTHONIOENCODING": "cp437"})
        assert told.code in (1, 2, 3), told
        assert "Traceback" not in told.err, told


def console(lab: Lab, tmp_path: Path, words: list[str], code_page: int = 1252, ctrl_c: float = 0) -> dict[str, Any]:
    python, script = lab.path(lab.gpuchecks() / "Scripts" / "python.exe"), tmp_path / "in_console.py"
    script.write_bytes((ROOT / "tests" / "windows_console.py").read_bytes())
    program = lab.path(lab.gpuchecks() / "Scripts" / "gpucheck.exe")
    done = lab.run([python, lab.path(script), str(code_page), str(ctrl_c), program, *words])
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.parametrize("code_page", [437, 1252])
def test_a_real_console_shows_it_and_is_told_to_obey_colours(lab: Lab, tmp_path: Path, code_page: int) -> None:
    seen = console(lab, tmp_path, ["doctor", "--snapshot", lab.path(strange_machine(tmp_path))], code_page)
    assert seen["code"] == 0, seen
    assert any("RTX caf\u00e9" in line for line in seen["screen"]), seen["screen"]
    assert seen["mode"] & 4, "ENABLE_VIRTUAL_TERMINAL_PROCESSING"


def test_ctrl_c_ends_doctor_at_once_though_it_waits_for_a_child(lab: Lab, tmp_path: Path) -> None:
    words = ["doctor", "--timeout", "60", "--python", lab.path(_hanging_python(lab, tmp_path))]
    seen = console(lab, tmp_path, words, ctrl_c=4)
    assert seen["code"] == 130, seen
    assert seen["seconds"] < 3, seen


def _hanging_python(lab: Lab, folder: Path) -> Path:
    """A program that never ends: a batch file, which Windows runs as it runs a program."""
    path = folder / "python.bat"
    path.write_bytes(b"@echo off\r\n:again\r\nping -n 100 127.0.0.1 >nul\r\ngoto again\r\n")
    return path
