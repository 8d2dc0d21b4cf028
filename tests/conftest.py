"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import examples  # noqa: F401 - registers the profiles
import pytest
from fake_driver import FakeDriver, build
from hypothesis import settings
from windows_lab import Lab

settings.load_profile("full")
# A shell's background job ignores Ctrl-C, and so would everything that tests start from one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fake_driver(tmp_path_factory: pytest.TempPathFactory) -> FakeDriver:
    """libnvidia-ml.so.1, libcuda.so.1 and their broken forms, compiled once a session."""
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Windows of this session's own, with real Windows Pythons."""
    one = Lab(tmp_path_factory.mktemp("windows"))
    yield one
    one.close()


# On Windows itself (CI's; it was tried under Wine) the suite runs without what is about POSIX itself: signals, fork,
# fcntl, file modes, shells, device files, ELF. What gpucheck does there instead is in test_windows_*.py.
_POSIX_MODULES = (
    *("always_answers", "bench_cli", "bench_data", "bench_process", "bench_telemetry", "children", "cli", "fix_paths"),
    *("fuzz_host", "fuzz_software", "install_cli", "install_fetch", "install_index", "install_kills", "install_place"),
    *("install_power_cuts", "install_real", "install_real_kills", "install_records", "install_transaction"),
    *("install_warm", "native", "scripts"),
)
_POSIX_WORDS = ("SIGSEGV", "crash_on_one_gpu", "pipe_that_is_ascii", "was_planted")
if sys.platform == "win32":
    collect_ignore = [f"test_{name}.py" for name in _POSIX_MODULES]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform == "win32":
        for item in items:
            if item.get_closest_marker("native") or any(word in item.nodeid for word in _POSIX_WORDS):
                item.add_marker(pytest.mark.skip(reason="this machine: signals and libraries of POSIX"))


# For the fast part a file that is slow as a whole is not even imported (Dask alone takes a second).
_WHOLE = re.compile(r"^pytestmark = (?:\[[^\]]*\]|.*)", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    left_out = set(re.findall(r"not (\w+)", config.getoption("markexpr")))
    if not left_out or collection_path.suffix != ".py":
        return None
    whole = _WHOLE.search(collection_path.read_text(encoding="utf-8"))
    return True if whole and left_out & set(re.findall(r"mark\.(\w+)", whole[0])) else None


def pytest_report_header() -> list[str]:
    return [f"left out on Windows: {', '.join(_POSIX_MODULES)}"] if sys.platform == "win32" else []


# In CI nothing is skipped for want of something that could have been installed. What only another machine could give
# (a GPU, a user who is not root) says so: its reason begins with "this machine:".
_LACKING: list[str] = []


def _note_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith("this machine:"):
            _LACKING.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note_skip(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note_skip(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _LACKING and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _LACKING:
        terminalreporter.write_line(f"FAILED in CI, as it was skipped for want of something: {line}", red=True)
