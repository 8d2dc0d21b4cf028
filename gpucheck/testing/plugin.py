"""pytest's hooks: options, the marker, and one look at the machine for all the tests that ask for a GPU.

Every pytest start of an environment imports this module, so it imports nothing of gpucheck before a marked test is
about to run. What a machine lacks is judged in judging.py.
"""

from __future__ import annotations

import os
import sys

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from gpucheck.findings import Report

MARKER = "gpu_required"
VARIABLE = "GPUCHECK_GPU_REQUIRED"
MODES = ("skip", "fail")

# What doctor found, or why it found nothing: looked for once a process (with pytest-xdist: once a worker).
_LOOKED = pytest.StashKey["Union[Report, str]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gpucheck", f"gpucheck: tests that need a GPU (the marker {MARKER})")
    group.addoption(
        "--gpu-required",
        choices=MODES,
        help=f"What becomes of tests marked {MARKER} where no GPU fits: skip them (default) or fail them. "
        f"Also ${VARIABLE} and the ini option {MARKER}, in this order.",
    )
    group.addoption(
        "--gpu-simulate",
        metavar="NAME",
        help="Judge a recorded machine instead of this one, to see that the gate works: driver-version-mismatch, fine…",
    )
    parser.addini(MARKER, f"Where no GPU fits: skip (default) or fail tests marked {MARKER}.", default="")


def pytest_configure(config: pytest.Config) -> None:
    words = 'count=1, compute_capability="8.0", memory_gib=16, framework="tensorflow"|"torch"|"jax"|"cuda"'
    config.addinivalue_line(
        "markers", f"{MARKER}({words}): skip this test, or fail it (--gpu-required=fail), where no such GPU works."
    )
    mode = _mode(config)
    if mode not in MODES:
        raise pytest.UsageError(f"{VARIABLE} or the ini option {MARKER} says {mode!r}: give skip or fail")
    if config.getoption("--gpu-simulate") is not None:
        _check_simulated(config.getoption("--gpu-simulate"))


def _check_simulated(name: str) -> None:
    from gpucheck.commands.arguments import check_simulate
    from gpucheck.output import WrongUsage

    try:
        check_simulate(name, None, {})
    except WrongUsage as mistake:
        raise pytest.UsageError(f"--gpu-simulate {name}: {str(mistake).partition(': ')[2]}") from mistake


def pytest_report_header(config: pytest.Config) -> list[str]:
    """One line, where something is not as usual: with pytest-xdist nothing else tells what the workers do."""
    told = []
    if config.getoption("--gpu-simulate") is not None:
        told.append(f"SIMULATED machine {config.getoption('--gpu-simulate')!r}, nothing about this one is judged")
    if _mode(config) != MODES[0]:
        told.append(f"tests marked {MARKER} fail where no GPU fits")
    return [f"gpucheck: {'; '.join(told)}"] if told else []


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """One line, where there are marked tests: what they are going to meet."""
    marked = sum(item.get_closest_marker(MARKER) is not None for item in items)
    if not marked or config.getoption("collectonly"):
        return []
    try:
        told = _summary(_looked(config))
    except Exception as fault:
        told = _fault(fault)
    return [f"gpucheck: {told} ({marked} test{'s' if marked > 1 else ''} marked {MARKER})"]


# Not "tryfirst": a test that is skipped for another reason is skipped for that one.
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers(MARKER):
        try:
            reason, more = _lack(item.config, mark)
        except Exception as fault:  # whatever it is: it must cost no more than the tests that asked
            reason, more = _fault(fault), ()
        if not reason:
            continue
        if more is None or _mode(item.config) == "fail":
            pytest.fail("\n".join((reason, *(more or ()))), pytrace=False)
        pytest.skip(reason)


def _lack(config: pytest.Config, mark: pytest.Mark) -> tuple[str, Union[tuple[str, ...], None]]:
    """The reason not to run ("": none) and more lines on it; None in their place: the marker itself is wrong."""
    from gpucheck.testing.requirement import BadMarker, read

    try:
        wanted = read(mark.args, mark.kwargs)
    except BadMarker as mistake:
        return f"{MARKER}: {mistake}", None
    from gpucheck.testing.judging import lacking

    looked = _looked(config)
    if isinstance(looked, str):
        return looked, ()
    lack = lacking(looked, wanted)
    return ("", ()) if lack is None else (lack.reason, lack.more)


def _summary(looked: Union[Report, str]) -> str:
    from gpucheck.testing.judging import summary

    return looked if isinstance(looked, str) else summary(looked)


def _looked(config: pytest.Config) -> Union[Report, str]:
    if _LOOKED not in config.stash:
        try:
            config.stash[_LOOKED] = _look(config.getoption("--gpu-simulate"))
        except Exception as fault:
            config.stash[_LOOKED] = _fault(fault)
    return config.stash[_LOOKED]


def _look(simulated: Union[str, None]) -> Report:
    from gpucheck import api

    if simulated is not None:
        return api.rehearse(simulated)
    return api.doctor(sys.executable, timeout=30.0)  # workers may start many at once on a busy machine


def _fault(fault: Exception) -> str:
    return f"gpucheck itself failed, so whether a GPU works is not known: {type(fault).__name__}: {fault}"


def _mode(config: pytest.Config) -> str:
    given = config.getoption("--gpu-required") or os.environ.get(VARIABLE) or config.getini(MARKER)
    return str(given or MODES[0])
