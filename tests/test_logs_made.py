"""Logs with known causes: made here by real programs (scripts/record_logs.py), and found in threads that were settled.

A log's head names its cause. The first finding has it; where the log alone cannot settle it, it is one of those that
remain, and then nothing is accused.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gpucheck import api
from gpucheck.findings import Severity

DATA = Path(__file__).parent / "data" / "logs"
LOGS = sorted([*DATA.glob("made/*.log"), *DATA.glob("found/*.log")])


def _read(path: Path) -> tuple[str, str]:
    """A log's cause, and its text without the head."""
    lines = path.read_text().splitlines()
    head = [line for line in lines[:3] if line.startswith(("# made:", "# source:", "# cause:"))]
    cause = next(line.removeprefix("# cause: ") for line in head if line.startswith("# cause:"))
    return cause, "\n".join(lines[len(head) :])


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_the_known_cause_comes_first(path: Path) -> None:
    cause, text = _read(path)
    report = api.judge_logs(api.log_of(text))
    assert report.findings, "nothing is said at all"
    first = report.findings[0]
    if first.name != cause:
        assert cause in first.remaining, (first.name, first.remaining)
        assert not [one for one in report.findings if one.severity is Severity.ERROR]


def test_most_causes_are_named_and_not_only_left_over() -> None:
    first = [api.judge_logs(api.log_of(text)).findings[0].name == cause for cause, text in map(_read, LOGS)]
    assert len(first) >= 45
    assert sum(first) / len(first) >= 0.9


def test_a_failure_that_tensorflow_itself_expects_is_none() -> None:
    """2.21 without CUDA's libraries asks for cuDNN's version all the same, and prints CUDNN_STATUS_INTERNAL_ERROR."""
    _, text = _read(DATA / "made" / "tfnocuda-driver.log")
    assert "CUDNN_STATUS_INTERNAL_ERROR" in text
    assert api.log_of(text).first("cudnn-status") is None


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_no_path_of_a_developers_machine_is_in_a_log(path: Path) -> None:
    text = path.read_text()
    for word in ("/root", "/opt/pypi", "/work/", "/tmp/lab", "file:///"):
        assert word not in text
