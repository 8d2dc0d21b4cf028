"""How a plan, an explanation and the end of an installation look."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import install_plans
import jsonschema
import pytest

from gpucheck.facts.codec import encode
from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Candidate, Room
from gpucheck.facts.versions import PackageVersion
from gpucheck.render.install import json as json_format
from gpucheck.render.install import outcome, plan, progress
from gpucheck.render.install.amounts import size

GOLDEN = Path(__file__).parent / "golden"
WHERE = outcome.Where(
    "/home/user/p/.venv", "source /home/user/p/.venv/bin/activate", "gpucheck undo --env /home/user/p/.venv"
)
CHOICE = install_plans.choice()
ROUTES = install_plans.choice(None).routes
NEWEST, OLD = CHOICE.candidates[1:]
PAGES = {
    "plan": lambda width: plan.render(install_plans.plan(), width),
    "plan-brief": lambda width: plan.render(install_plans.plan(), width, brief=True),
    "refused": lambda width: plan.refused(install_plans.choice(None), width),
    "explained-not": lambda width: plan.explained(OLD, CHOICE, ROUTES, width),
    "explained-chosen": lambda width: plan.explained(
        install_plans.choice().candidates[1], install_plans.choice(), (), width
    ),
    "outcome": lambda width: outcome.render(install_plans.receipt(), WHERE, width, verbose=True),
    "failed": lambda width: outcome.failed(install_plans.proof(False), width),
}
HOSTILE = "\x1b]0;owned\x07 [red]markup[/red] \u202e \n== fake line"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_its_golden_file_holds(name: str) -> None:
    text = PAGES[name](80)
    golden = GOLDEN / f"install-{name}.txt"
    if os.environ.get("GPUCHECK_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("name", PAGES)
def test_lines_fit_the_width_except_commands_and_rows_of_packages(name: str, width: int) -> None:
    commands, rows = ("uv ", "gpucheck ", "source "), (" MB", "size unknown")
    for line in PAGES[name](width).splitlines():
        assert len(line) <= width or line.strip().startswith(commands) or line.endswith(rows), line


def test_nothing_a_machine_says_acts_on_a_terminal() -> None:
    for text in (
        plan.render(install_plans.plan(HOSTILE), 80),
        outcome.render(install_plans.receipt(HOSTILE), WHERE, 80, verbose=True),
    ):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\n== fake" not in text
    assert "[red]" in plan.render(install_plans.plan(HOSTILE), 80)


def test_too_little_room_and_unknown_room_are_said() -> None:
    assert "too little" in plan.render(install_plans.plan(free=1_000_000), 80)
    unknown = install_plans.plan()._replace(rooms=(Room("downloads", "/x", 5, Gap("no permission")),))
    text = plan.render(unknown, 80)
    assert "free room unknown" in text
    assert "too little" not in text


def test_a_release_that_fits_but_is_older_is_said_to_fit() -> None:
    older = Candidate(PackageVersion("2.20.0"), ())
    text = " ".join(plan.explained(older, install_plans.choice(), (), 80).split())
    assert "fits" in text
    assert "2.21.0 is newer and fits, too" in text


def test_every_document_fits_its_schema() -> None:
    schema = json.loads((Path(json_format.__file__).parent / "install.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    refusal = install_plans.choice(None)
    for text in (
        json_format.plan(install_plans.plan()),
        json_format.receipt(install_plans.receipt()),
        json_format.refused(refusal, "1", 1),
        json_format.refused(refusal._replace(target=Gap("no Python", "unreadable")), "1", 1),
        json_format.explained(OLD, CHOICE, ROUTES, "1", 1),
        json_format.explained(OLD, CHOICE, (), "1", 1),
        json_format.failed("a disk is full", ("No space left",), None, "1", 2),
        json_format.failed("not proven", (), install_plans.proof(False), "1", 3),
    ):
        validator.validate(json.loads(text))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**json.loads(json_format.plan(install_plans.plan())), "packages": [{}]})


def test_json_holds_the_whole_plan_and_the_exit_code() -> None:
    read = json.loads(json_format.plan(install_plans.plan(), 0))
    assert read == {**encode(install_plans.plan()), "exit_code": 0}
    assert json.loads(json_format.refused(install_plans.choice(None), "1", 1))["choice"]["release"] is None
    told = json.loads(json_format.explained(OLD, install_plans.choice(), ROUTES, "1", 1))
    assert (told["instead"], [route["title"] for route in told["routes"]]) == ("2.21.0", ["Another Python"])
    assert (told["fits"], told["chosen"], told["exit_code"]) == (False, False, 1)
    assert [one["name"] for one in told["objections"]] == ["K06", "python-without-wheel"]


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (3_440_017_013, "3.44 GB")],
)
def test_sizes_have_three_digits(number: int, told: str) -> None:
    assert size(number) == told


def test_in_a_pipe_a_step_is_a_line_and_a_long_one_tells_how_far_it_is() -> None:
    stream = io.StringIO()
    lines = progress.Lines(stream, quiet=0.0)
    lines.begin("downloading", 2_000_000)
    lines.advance(1_000_000)
    lines.begin("installing")
    lines.note("again\x1b")
    assert stream.getvalue().splitlines() == [
        "gpucheck: downloading, 2.00 MB",
        "gpucheck: downloading, 1.00 MB of 2.00 MB",
        "gpucheck: installing",
        "gpucheck: again\\x1b",
    ]


def test_a_reader_who_has_left_disturbs_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    lines = progress.start(stream, False)
    lines.begin("downloading", 5)
    lines.advance(5)
    lines.close()


def test_on_a_terminal_the_bar_is_gone_at_the_end_and_notes_stay() -> None:
    stream = io.StringIO()
    bar = progress.start(stream, True, color=False)
    bar.begin("downloading", 100)
    bar.advance(50)
    bar.note("a retry [red]")
    bar.begin("installing")
    bar.close()
    assert "a retry [red]" in stream.getvalue()
