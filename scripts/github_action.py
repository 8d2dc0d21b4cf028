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
import tempfile
import uuid
from pathlib import Path
from typing import Any

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
        _print_annotation("error", "gpucheck did not run", str(failure))
        _tell("exit-code", str(failure.code))
        return failure.code
    _annotate([gpucheck, "doctor", *_for_doctor(inputs, options)], inputs["sarif"])
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


def _for_doctor(inputs: dict[str, str], options: list[str]) -> list[str]:
    """Options that make doctor tell once more what was judged.

    After a smoke test the facts are in its report. What was expected is told by its parts alone: doctor would have to
    call a speed-up unknown.
    """
    if inputs["command"] == "doctor" or inputs["simulate"]:
        return options
    kept = [word for word in options if word.startswith(("--ignore=", "--strict"))]
    return [*kept, f"--snapshot={_report(inputs)}"]


def _report(inputs: dict[str, str]) -> Path:
    return Path(inputs["report"] or "gpucheck-report.json")


# ---------------------------------------------------------------- installing


def _installed(inputs: dict[str, str]) -> str:
    """Path of a gpucheck in an environment of its own. It stays for the job's other steps; GPUCHECK_VENV names one that
    a runner of one's own keeps for longer."""
    wanted = _wanted(inputs)
    stamp = json.dumps([wanted, _digest(inputs["requirements"]), sys.version])
    kept = os.environ.get("GPUCHECK_VENV")
    temporary = Path(os.environ.get("RUNNER_TEMP") or tempfile.gettempdir()) / "gpucheck"
    folder = Path(kept) if kept else temporary / hashlib.sha256(stamp.encode()).hexdigest()[:12]
    ending = ".exe" if WINDOWS else ""
    programs = folder / ("Scripts" if WINDOWS else "bin")
    gpucheck = programs / f"gpucheck{ending}"
    if not gpucheck.exists():
        print(f"::group::Installing gpucheck into {folder}", flush=True)
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)  # an installation that was cut short
        _make(folder)
        _run_pip(programs / f"python{ending}", wanted)
        print("::endgroup::", flush=True)
    return str(gpucheck)


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


def _digest(requirements: str) -> str:
    try:
        return hashlib.sha256(Path(requirements).read_bytes()).hexdigest() if requirements else ""
    except OSError as error:
        raise Failed(f"requirements: {error}", WRONG_USAGE) from error


def _make(folder: Path) -> None:
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if made.returncode == 0:
        return
    # Debian's python3 has no ensurepip without python3-venv.
    uv = shutil.which("uv")
    again = [uv, "venv", "--allow-existing", "--seed", "--python", sys.executable, str(folder)] if uv else []
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
    report = _report(inputs)
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
    if inputs["command"] == "smoke":
        _tell_smoke(told)
    return code


def _tell_smoke(told: dict[str, Any]) -> None:
    """What doctor does not tell after a smoke test: its parts, and what was expected."""
    rehearsal = f"SIMULATED ({told['simulated']}): " if told.get("simulated") else ""
    for part in told["parts"]:
        if part["outcome"] in ("error", "unknown"):
            _print_annotation("error", f"{rehearsal}smoke test, {part['name']}", part["said"])
    for finding in (told["report"] or {}).get("findings", ()):
        if finding["name"].startswith("expectation-not-"):
            _print_annotation(finding["severity"], f"{rehearsal}{finding['name']}", finding["message"])
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if place:
        lines = [f"    {part['name']}: {part['outcome']}: {' '.join(part['said'].split())}\n" for part in told["parts"]]
        with open(place, "a", encoding="utf-8") as file:
            file.write(f"{rehearsal}`gpucheck smoke`\n\n{''.join(lines)}\n")


def _print_annotation(kind: str, title: str, text: str) -> None:
    print(f"::{kind} title={_escaped(title).replace(':', '%3A').replace(',', '%2C')}::{_escaped(text)}", flush=True)


def _annotate(doctor: list[str], sarif: str) -> None:
    """Doctor's annotations and summary, and SARIF. The verdict is out: if these fail, it still stands."""
    subprocess.run([*doctor, "--format=github"])
    if sarif:
        Path(sarif).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*doctor, "--format=sarif", f"--output={sarif}"])
        if Path(sarif).exists():
            _tell("sarif", sarif)


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
