"""The short way through the command line gives what typer would have given, or leaves it to typer."""

from __future__ import annotations

import inspect

import pytest
import typer

from gpucheck.cli import FORMATS, plain
from gpucheck.commands.doctor import Words
from gpucheck.options import Format, app

_PLAIN = [
    "doctor",
    "doctor --format json",
    "doctor --format=markdown --verbose",
    "doctor --python /opt/env/bin/python --timeout 3 --strict",
    "doctor --deep --output report.json --format json --timeout=0.5",
]
_FOR_TYPER = [
    "",
    "--help",
    "--version",
    "doctor --help",
    "doctor --list-rules",
    "doctor --snapshot a.json b.json",
    "doctor --ignore libdevice-not-found",
    "doctor --format xml",
    "doctor --format",
    "doctor --format --verbose",
    "doctor --timeout soon",
    "doctor --deep=yes",
    "doctor --strict --strict",
    "doctor --pyth /opt/python",
    "doctor extra",
    "doctor --",
    "snapshot --raw",
    "explain libcuda-missing",
]


@pytest.mark.parametrize("line", _PLAIN)
def test_a_plain_line_gives_the_arguments_that_typer_gives(line: str):
    words = line.split()
    command = typer.main.get_command(app).commands["doctor"]  # type: ignore[attr-defined]
    parsed = command.make_context("doctor", words[1:]).params
    short = plain(words)
    assert short is not None
    for name, default in Words._field_defaults.items():
        long = parsed[name].value if isinstance(parsed[name], Format) else parsed[name]
        assert (short.get(name, default) or None) == (long or None), name


@pytest.mark.parametrize("line", _FOR_TYPER)
def test_every_other_line_is_left_to_typer(line: str):
    assert plain(line.split()) is None


def test_both_ways_know_the_same_formats_and_options():
    assert tuple(one.value for one in Format) == FORMATS
    declared = inspect.signature(app.registered_commands[0].callback).parameters  # type: ignore[arg-type]
    assert set(Words._fields) == set(declared) - {"context"}
