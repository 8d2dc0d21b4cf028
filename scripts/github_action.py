"""What action.yml does once it has found a Python: install gpucheck apart, run it, and tell GitHub what came of it.

Standard library only: it runs before anything is installed. The inputs come as JSON in GPUCHECK_INPUTS. The exit code
is gpucheck's own; where gpucheck could not be installed or says nothing, it is 3, "could not tell".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WINDOWS = os.name == "nt"
COULD_NOT_TELL = 3
WRONG_USAGE = 2
_OPTIONS = ("python", "expect", "fail-under", "timeout", "simulate")
_NOT_SIMULATED = ("python", "fail-under", "timeout")  # a recorded machine has its own Python, and nothing is measured


class Failed(Exception):
    """Why gpucheck did not run, and the exit code that this has."""

    def __init__(self, why: str, code: int = COULD_NOT_TELL) -> None:
        super().__init__(why)
        self.code = code


def main() -> int:
    inputs = {name: str(value).strip() for name, value in json.loads(os.environ["GPUCHECK_INPUTS"]).items()}
    try:
        options = _options(inputs)
        gpucheck = _installed(inputs)
        code = _gate(gpucheck, inputs, options)
    except Failed as failure:
        print(f"::error title=gpucheck did not run::{_escaped(str(failure))}", flush=True)
        _tell("exit-code", str(failure.code))
        return failure.code
    _annotate(gpucheck, inputs, _for_doctor(options))
    return code


def _options(inputs: dict[str, str]) -> list[str]:
    """The command's own. Raises `Failed` for what cannot be one."""
    if inputs["command"] not in ("smoke", "doctor"):
        raise Failed(f"command is smoke or doctor, not {inputs['command']!r}", WRONG_USAGE)
    if inputs["strict"] not in ("true", "false", ""):
        raise Failed(f"strict is true or false, not {inputs['strict']!r}", WRONG_USAGE)
    if inputs["fail-under"] and inputs["command"] != "smoke":
        raise Failed("fail-under goes with command: smoke, which measures", WRONG_USAGE)
    given = [name for name in _OPTIONS if inputs[name] and not (inputs["simulate"] and name in _NOT_SIMULATED)]
    words = [f"--{name}={inputs[name]}" for name in given]
    for name in re.split(r"[\s,]+", inputs["ignore"]):
        words += [f"--ignore={name}"] * bool(name)
    return words + ["--strict"] * (inputs["strict"] == "true")


def _for_doctor(options: list[str]) -> list[str]:
    return [word for word in options if not word.startswith("--fail-under")]


# ---------------------------------------------------------------- installing


def _installed(inputs: dict[str, str]) -> str:
    """Path of a gpucheck in an environment of its own: one of this job that has what is wanted, or a new one."""
    wanted = _wanted(inputs)
    stamp = json.dumps([wanted, _stamp(inputs), sys.version])
    folder = Path(os.environ.get("RUNNER_TEMP") or ".") / "gpucheck" / hashlib.sha256(stamp.encode()).hexdigest()[:12]
    programs = folder / ("Scripts" if WINDOWS else "bin")
    ending = ".exe" if WINDOWS else ""
    ready = folder / "ready"
    if not ready.exists():
        print(f"::group::Installing gpucheck into {folder}", flush=True)
        _make(folder)
        _run_pip(programs / f"python{ending}", wanted)
        ready.touch()
        print("::endgroup::", flush=True)
    return str(programs / f"gpucheck{ending}")


def _wanted(inputs: dict[str, str]) -> list[str]:
    """What pip is to install."""
    version, requirements = inputs["version"], inputs["requirements"]
    if requirements:
        if version:
            raise Failed("version or requirements, not both", WRONG_USAGE)
        return ["--require-hashes", f"--requirement={requirements}"]
    if not version:
        return [str(ROOT)]
    if not re.fullmatch(r"[0-9][0-9A-Za-z.!+]*", version):
        raise Failed(f"version is a release of gpucheck-cli, as in 1.2.3, not {version!r}", WRONG_USAGE)
    return [f"gpucheck-cli=={version}"]


def _stamp(inputs: dict[str, str]) -> str:
    try:
        return hashlib.sha256(Path(inputs["requirements"]).read_bytes()).hexdigest() if inputs["requirements"] else ""
    except OSError as error:
        raise Failed(f"requirements: {error}", WRONG_USAGE) from error


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if made.returncode == 0:
        return
    # Debian's python3 has no ensurepip without python3-venv.
    uv = shutil.which("uv")
    again = [uv, "venv", "--clear", "--seed", "--python", sys.executable, str(folder)] if uv else []
    if not again or subprocess.run(again).returncode:
        raise Failed(f"Python's venv did not work: {(made.stdout + made.stderr).strip()}")


def _run_pip(python: Path, wanted: list[str]) -> None:
    environ = {**os.environ, "PIP_USER": "0"}
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *wanted]
    if subprocess.run(command, env=environ).returncode:
        raise Failed(f"pip could not install {' '.join(wanted)}; its own words stand above")


# ---------------------------------------------------------------- running and telling


def _gate(gpucheck: str, inputs: dict[str, str], options: list[str]) -> int:
    """Run the command that decides, and give its exit code."""
    report = Path(inputs["report"] or "gpucheck-report.json")
    report.unlink(missing_ok=True)
    report.parent.mkdir(parents=True, exist_ok=True)
    code = subprocess.run([gpucheck, inputs["command"], *options, "--format=json", f"--output={report}"]).returncode
    try:
        told = json.loads(report.read_text(encoding="utf-8"))
        verdict = str(told["verdict"])
    except (OSError, ValueError, KeyError) as error:
        why = f"it wrote no report (exit code {code}); its own words stand above"
        raise Failed(why, code or COULD_NOT_TELL) from error
    _tell("verdict", verdict)
    _tell("report", str(report))
    _tell("exit-code", str(code))
    _tell_parts(told.get("parts", []), str(told.get("simulated") or ""))
    return code


def _tell_parts(parts: list[dict[str, object]], simulated: str) -> None:
    """What came of each part of a smoke test: what failed as an annotation, all of it in the step's summary."""
    rehearsal = f"SIMULATED ({simulated}): " if simulated else ""
    for part in parts:
        if part["outcome"] in ("error", "unknown") and part["name"] != "doctor":  # doctor annotates for itself
            title = f"{rehearsal}smoke test, {part['name']}".replace(":", "%3A").replace(",", "%2C")
            print(f"::error title={title}::{_escaped(str(part['said']))}", flush=True)
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if parts and place:
        lines = [f"    {part['name']}: {part['outcome']}: {' '.join(str(part['said']).split())}\n" for part in parts]
        with open(place, "a", encoding="utf-8") as file:
            file.write(f"{rehearsal}`gpucheck smoke`\n\n{''.join(lines)}\n")


def _annotate(gpucheck: str, inputs: dict[str, str], options: list[str]) -> None:
    """Doctor's annotations and summary, and SARIF. The verdict is out: if these fail, it still stands."""
    subprocess.run([gpucheck, "doctor", *options, "--format=github"])
    if inputs["sarif"]:
        sarif = Path(inputs["sarif"])
        sarif.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([gpucheck, "doctor", *options, "--format=sarif", f"--output={sarif}"])
        if sarif.exists():
            _tell("sarif", str(sarif))


def _tell(name: str, value: str) -> None:
    """An output of the step. A value with lines of its own must not become other outputs."""
    place = os.environ.get("GITHUB_OUTPUT")
    if place:
        end = f"end-{uuid.uuid4()}"
        with open(place, "a", encoding="utf-8") as file:
            file.write(f"{name}<<{end}\n{value}\n{end}\n")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    sys.exit(main())
