"""Rehearsals: each recorded machine that is shipped yields its finding first, and every format says what it is."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from test_render import closed_schema

from gpucheck import api, simulating
from gpucheck.commands import arguments
from gpucheck.output import WrongUsage
from gpucheck.render import json as json_format
from gpucheck.render import markdown, notebook, terminal
from gpucheck.render.rules import every
from gpucheck.smoke.result import SCHEMA

LOUD = "SIMULATED: driver-library-version-mismatch"


@pytest.mark.slow
@pytest.mark.parametrize("name", simulating.names())
def test_a_rehearsal_has_the_finding_that_it_is_named_after_in_front(name: str) -> None:
    report = api.rehearse(name)
    assert report.simulated == name
    if name == "fine":
        assert (report.findings, report.verdict, report.exit_code()) == ((), "ok", 0)
    elif name == "unknown":
        assert (report.verdict, report.exit_code()) == ("unknown", 3)
    else:
        assert report.findings[0].name == name
        assert name in every()


@pytest.mark.slow
def test_a_rehearsal_ends_like_the_machine_that_it_shows() -> None:
    codes = {name: api.rehearse(name).exit_code() for name in ("driver-version-mismatch", "gpu-throttling", "fine")}
    assert codes == {"driver-version-mismatch": 1, "gpu-throttling": 0, "fine": 0}
    assert api.rehearse("gpu-throttling").exit_code(strict=True) == 1


def test_every_format_says_that_it_is_a_rehearsal_and_of_which_machine() -> None:
    report = api.rehearse("driver-library-version-mismatch")
    lines = terminal.render(report, 100).splitlines()
    assert lines[0].startswith(LOUD)
    assert any(line.startswith(LOUD) for line in lines[-3:])
    assert LOUD in markdown.render(report).splitlines()[0]
    assert LOUD in notebook.render(report)
    assert json.loads(json_format.render(report))["simulated"] == "driver-library-version-mismatch"


@pytest.mark.slow
def test_the_json_of_a_rehearsal_fits_the_schema() -> None:
    closed_schema("report").validate(json.loads(json_format.render(api.rehearse("fine"))))


def test_a_real_look_says_nothing_of_rehearsals() -> None:
    report = api.rehearse("fine")._replace(simulated="")
    for text in (terminal.render(report), markdown.render(report), notebook.render(report)):
        assert "SIMULATED" not in text
    assert json.loads(json_format.render(report))["simulated"] is None


def test_a_name_that_is_not_there_is_wrong_usage_with_near_ones() -> None:
    with pytest.raises(WrongUsage, match="did you mean driver-library-version-mismatch or driver-version-mismatch"):
        arguments.check_simulate("driver-library-mismatch", None, {})
    with pytest.raises(WrongUsage, match=r"is called \.\.; there are .*driver-version-mismatch.*fine"):
        arguments.check_simulate("..", None, {})
    with pytest.raises(WrongUsage, match="not together with --deep"):
        arguments.check_simulate("fine", None, {"--deep": True})


def test_what_people_read_calls_a_note_a_note_and_what_programs_read_stays() -> None:
    report = api.rehearse("ok-cpu-expected")
    assert "NOTE  ok-cpu-expected" in terminal.render(report)
    assert "### note: ok-cpu-expected" in markdown.render(report)
    assert "note: ok-cpu-expected" in notebook.render(report)
    assert json.loads(json_format.render(report))["findings"][0]["severity"] == "info"


def test_what_is_shipped_is_small_and_says_nothing_of_tests() -> None:
    shipped = (Path(simulating.__file__).parent / "machines.json").read_bytes()
    assert len(zlib.compress(shipped)) < 40_000
    assert not {b'"expect"', b'"source"'} & set(shipped.split())


def test_the_report_of_a_rehearsal_is_no_machines_facts_and_that_of_a_smoke_test_is() -> None:
    report = api.rehearse("fine")
    with pytest.raises(api.BadFile, match=r"rehearsal \(SIMULATED: 'fine'\)"):
        api.read_data(json_format.document(report))
    with pytest.raises(api.BadFile, match=r"rehearsal \(SIMULATED: 'fine'\)"):  # taken out of it
        api.read_data(json.loads(json_format.render(report))["facts"])
    looked = report.snapshot._replace(simulated=None)
    real = json.loads(json_format.render(report._replace(simulated="", snapshot=looked)))
    assert api.read_data(real) == looked
    assert api.read_data({"schema": SCHEMA, "report": real}) == looked
    assert api.SMOKE == SCHEMA
