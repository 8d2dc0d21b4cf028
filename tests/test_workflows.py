"""What CI is told to do: it can be read, runs every Python that gpucheck supports, and runs files that there are."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _jobs(path: Path) -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return jobs


def test_the_suite_runs_on_both_systems_with_every_supported_python() -> None:
    matrix = _jobs(ROOT / ".github" / "workflows" / "tests.yml")["tests"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "windows-latest"]
    oldest = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert oldest is not None
    minors = [int(version.partition(".")[2]) for version in matrix["python"]]
    assert minors == list(range(int(oldest[1]), minors[-1] + 1))
    assert minors[-1] >= sys.version_info[1]


def test_every_script_that_a_step_runs_is_there() -> None:
    commands = [
        step["run"] for path in WORKFLOWS for job in _jobs(path).values() for step in job["steps"] if "run" in step
    ]
    named = {name for command in commands for name in re.findall(r"[\w/]+\.py\b", command)}
    assert named == {"scripts/test.py"}
    assert all((ROOT / name).exists() for name in named)


def test_what_linux_needs_is_what_the_suite_would_install_itself() -> None:
    source = (ROOT / "scripts" / "test.py").read_text(encoding="utf-8")
    table = source.partition("SYSTEM = ")[2].partition("def ")[0]
    packages = re.findall(r'[\[ ]"([a-z0-9-]+)"[,\]]', table)
    assert {"gcc", "openssl", "wine64"} <= set(packages)
    steps = _jobs(ROOT / ".github" / "workflows" / "tests.yml")["tests"]["steps"]
    installed = " ".join(step.get("run", "") for step in steps)
    assert [one for one in packages if f" {one}" not in installed] == []
