"""Logs with known causes: made here by real programs (scripts/record_logs.py), and found in threads that were settled.

A log's head names its cause. The first finding has it; where the log alone cannot settle it, it is one of those that
remain, and then nothing is accused.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from gpucheck import api
from gpucheck.findings import Severity

pytestmark = pytest.mark.slow  # a hundred logs, or all of them
DATA = Path(__file__).parent / "data" / "logs"
LOGS = sorted([*DATA.glob("made/*.log"), *DATA.glob("found/*.log")])


def _read(path: Path) -> tuple[str, str]:
    """A log's cause, and its text without the head."""
    lines = path.read_text().splitlines()
    head = [line for line in lines[:3] if line.startswith(("# made:", "# source:", "# cause:"))]
    cause = next(line.removeprefix("# cause: ") for line in head if line.startswith("# cause:"))
    return cause, "\n".join(lines[len(head) :])


@functools.cache
def _judged(path: Path) -> api.Report:
    return api.judge_logs(api.log_of(_read(path)[1]))


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_the_known_cause_comes_first(path: Path) -> None:
    cause, report = _read(path)[0], _judged(path)
    assert report.findings, "nothing is said at all"
    first = report.findings[0]
    if first.name != cause:
        assert cause in first.remaining, (first.name, first.remaining)
        assert not [one for one in report.findings if one.severity is Severity.ERROR]


def test_most_causes_are_named_and_not_only_left_over() -> None:
    first = [_judged(path).findings[0].name == _read(path)[0] for path in LOGS]
    assert len(first) >= 100
    assert sum(first) / len(first) >= 0.9


def test_a_failure_that_tensorflow_itself_expects_is_none() -> None:
    """2.21 without CUDA's libraries asks for cuDNN's version all the same, and prints CUDNN_STATUS_INTERNAL_ERROR."""
    _, text = _read(DATA / "made" / "tfnocuda-driver.log")
    assert "CUDNN_STATUS_INTERNAL_ERROR" in text
    assert api.log_of(text).first("cudnn-status") is None


def test_no_path_of_a_developers_machine_is_in_a_log() -> None:
    ours = (str(Path.home()), str(Path(__file__).parents[1]), "file:///")
    for path in LOGS:
        assert not [word for word in ours if word in path.read_text()], path.name
