"""GitHub's and GitLab's runners as far as our files need them: read the file, put its inputs in, run its shell text."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent


class Ran(NamedTuple):
    """How a step or a job went. summary: what it wrote for GitHub's page of the run."""

    code: int
    said: str
    outputs: dict[str, str]
    summary: str = ""


def action() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return read


def run_action(workspace: Path, given: Mapping[str, str], environ: Mapping[str, str]) -> Ran:
    """The action's step for Linux, as actions/runner runs it: `sh -e FILE`."""
    temp = workspace.parent / "runner-temp"
    temp.mkdir(exist_ok=True)
    described = action()
    unknown = set(given) - set(described["inputs"])
    assert not unknown, unknown
    inputs = {name: given.get(name, about["default"]) for name, about in described["inputs"].items()}
    step = next(one for one in described["runs"]["steps"] if one["if"] == "runner.os != 'Windows'")
    assert step["shell"] == "sh"  # there is no bash in some containers
    output, summary, script = temp / "output", temp / "summary", temp / "script.sh"
    output.write_text("")
    summary.write_text("")
    script.write_text(step["run"])
    own = {name: _expression(text, inputs) for name, text in step["env"].items()}
    files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "RUNNER_TEMP": str(temp)}
    done = subprocess.run(
        ["sh", "-e", str(script)],
        cwd=workspace,
        env={**environ, "GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": str(ROOT), **files, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return Ran(done.returncode, done.stdout, outputs(output.read_text()), summary.read_text())


def _expression(text: str, inputs: Mapping[str, str]) -> str:
    if text == "${{ toJSON(inputs) }}":
        return json.dumps(inputs)
    assert "${{" not in text, text
    return text


def outputs(text: str) -> dict[str, str]:
    """The runner's own file format: name=value, or name<<END, lines, END."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, several, end = line.partition("<<")
        if several:
            value = []
            for each in lines:
                if each == end:
                    break
                value.append(each)
            else:
                raise AssertionError(f"{name}: its end {end} is missing")
            found[name] = "\n".join(value)
        else:
            name, _, found_value = line.partition("=")
            found[name] = found_value
    return found


def component(given: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline that GitLab makes of templates/gpucheck/template.yml and its inputs."""
    header, body = yaml.safe_load_all((ROOT / "templates" / "gpucheck" / "template.yml").read_text(encoding="utf-8"))
    declared = header["spec"]["inputs"]
    unknown = set(given) - set(declared)
    assert not unknown, unknown
    values = {name: given[name] if name in given else about["default"] for name, about in declared.items()}
    for name, value in values.items():
        _check_input(name, value, declared[name])
    made: dict[str, Any] = _interpolated(body, values)
    return made


def _check_input(name: str, value: Any, about: Mapping[str, Any]) -> None:
    kinds = {"string": str, "number": (int, float), "boolean": bool, "array": list}
    assert isinstance(value, kinds[about.get("type", "string")]), name  # type: ignore[arg-type]
    assert value in about.get("options", [value]), name
    if "regex" in about:
        assert re.search(about["regex"], value), (name, value)


def _interpolated(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, dict):
        return {_interpolated(key, values): _interpolated(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_interpolated(one, values) for one in node]
    if not isinstance(node, str):
        return node
    whole = re.fullmatch(r"\$\[\[ inputs\.([\w-]+) \]\]", node)
    if whole:
        return values[whole[1]]
    return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda match: str(values[match[1]]), node)


def run_job(job: Mapping[str, Any], folder: Path, environ: Mapping[str, str]) -> Ran:
    """A GitLab job in a shell executor: variables with `expand: false` as they stand, all script lines in one shell."""
    variables = {}
    for name, about in job.get("variables", {}).items():
        assert isinstance(about, dict), name
        assert about["expand"] is False, name
        variables[name] = str(about["value"])
    script = folder.parent / "job.sh"
    script.write_text("set -eo pipefail\n" + "\n".join([*job.get("before_script", []), *job["script"]]))
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", str(script)],
        cwd=folder,
        env={**environ, **variables, "CI_PROJECT_DIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return Ran(done.returncode, done.stdout, {})


def clean_environ(**more: str) -> dict[str, str]:
    """This process's own, less what would name another environment or change how gpucheck tells it."""
    gone = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS")
    kept = {name: value for name, value in os.environ.items() if name not in gone and not name.startswith("GPUCHECK_")}
    return {**kept, **more}
