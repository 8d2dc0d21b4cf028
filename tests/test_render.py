"""The formats: against golden files, against the schema, and with strings chosen by an enemy.

After a change that is meant: ``GPUCHECK_UPDATE_GOLDEN=1 pytest tests/test_render.py``, then read the difference.
"""

from __future__ import annotations

import copy
import json
import os
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sample
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from pages import bare

from gpucheck.facts.codec import decode
from gpucheck.facts.deep import Deep, Operation
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Evidence, Finding, Report, Severity, Skipped
from gpucheck.render import json as json_format
from gpucheck.render import markdown, notebook, terminal
from gpucheck.render.causes import causes, headline, verdict
from gpucheck.render.formats import Asked, tell
from gpucheck.render.text import ascii_only, plain

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path(json_format.__file__).parent
REPORTS = {"fine": sample.fine, "mismatch": sample.mismatch, "unknown": sample.unknown, "hostile": sample.hostile}
FORMATS = {
    "terminal.txt": lambda report: terminal.render(report, 80),
    "narrow.txt": lambda report: terminal.render(report, 40),
    "verbose.txt": lambda report: terminal.render(report, 100, verbose=True),
    "report.json": json_format.render,
    "issue.md": markdown.render,
    "notebook.html": notebook.render,
    **{
        f"{form}.{suffix}": (lambda report, form=form: tell(form, [("", report)], Asked()))
        for form, suffix in (("junit", "xml"), ("sarif", "json"), ("github", "txt"), ("prometheus", "prom"))
    },
    "page.html": lambda report: bare(tell("html", [("", report)], Asked())),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("machine", REPORTS)
def test_a_format_writes_what_its_golden_file_holds(machine: str, form: str) -> None:
    text = FORMATS[form](REPORTS[machine]())
    golden = GOLDEN / f"{machine}.{form}"
    if os.environ.get("GPUCHECK_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def closed(schema: Any) -> Any:
    """The schema with every object closed: a member that it does not describe is an error."""
    schema = copy.deepcopy(schema)
    todo = [schema]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            if "properties" in one:
                one["additionalProperties"] = False
            todo.extend(one.values())
        elif isinstance(one, list):
            todo.extend(one)
    return schema


@cache
def closed_schema(name: str) -> jsonschema.Draft202012Validator:
    """What accepts nothing but what that schema describes."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(closed(schema))


@pytest.mark.parametrize("machine", REPORTS)
def test_the_json_report_holds_exactly_what_its_schema_describes(machine: str) -> None:
    closed_schema("report").validate(json.loads(json_format.render(REPORTS[machine]())))


@pytest.mark.parametrize("machine", REPORTS)
def test_a_snapshot_fits_its_schema_and_comes_back_the_same(machine: str) -> None:
    facts = REPORTS[machine]().snapshot
    text = json_format.render_snapshot(facts)
    closed_schema("snapshot").validate(json.loads(text))
    if machine != "hostile":  # a byte that is no UTF-8 travels as an escape
        assert decode(Snapshot, json.loads(text)) == facts


def test_the_schema_refuses_a_report_with_a_wrong_verdict() -> None:
    data = json_format.document(sample.fine())
    data["verdict"] = "great"
    with pytest.raises(jsonschema.ValidationError, match="'great' is not one of"):
        closed_schema("report").validate(data)


def test_json_has_no_nan_even_where_a_gpu_computed_one() -> None:
    wrong = Operation("GPU:0", "matmul", "wrong-numbers", None, float("nan"), 0.1)
    deep = Deep("ok", None, "2.21.0", True, 3.0, ("GPU:0",), (wrong,), (), ())
    text = json_format.render(sample.fine()._replace(snapshot=sample.snapshot(deep=deep)))

    def refuse(word: str) -> None:
        raise AssertionError(word)

    facts = json.loads(text, parse_constant=refuse)["facts"]
    assert facts["deep"]["operations"][0]["relative_error"] is None


def test_several_reports_make_one_document_with_the_worst_exit_code() -> None:
    found = json.loads(json_format.render_several([("a", sample.fine()), ("b", sample.unknown())]))
    assert (found["schema"], found["exit_code"]) == ("gpucheck.reports/1", 3)
    assert [(one["file"], one["verdict"]) for one in found["reports"]] == [("a", "ok"), ("b", "unknown")]
    assert json_format.worst([0, 3, 1, 0]) == 1


FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\u2028\u2029]")


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_lets_a_control_character_through(form: str) -> None:
    assert not FORBIDDEN.search(FORMATS[form](sample.hostile()))


@given(st.text(max_size=40))
@examples(200)
def test_plain_text_is_one_printable_line(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)
    assert ascii_only(plain(text)).isascii()


class Reader(HTMLParser):
    """Every tag of a page and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def named(text: str) -> Report:
    finding = Finding("a-name", Severity.ERROR, text, (Evidence("driver", text, text),), (f"ls {text}",))
    facts = sample.snapshot(gpus=(sample.gpu(name=text),))
    return Report("0.1.0", (finding,), (), (Skipped("b-name", text, True),), (), facts)


@given(st.text(max_size=30))
@examples(60)
def test_whatever_a_machine_is_called_the_notebook_page_stays_well_formed(text: str) -> None:
    reader = Reader()
    reader.feed(notebook.render(named(text)))
    reader.close()
    assert not reader.open
    tags = "div p b br ul li code pre span strong details summary table tr th td"
    assert set(reader.tags) <= set(tags.split())
    assert plain(text) in reader.text


@given(st.text(alphabet="`~<>|&\\[]()@#\n *_ab:/-", max_size=30))
@examples(200)
def test_markdown_code_spans_and_blocks_cannot_be_left(text: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(markdown.render(named(text)))
    spans = [one.content for token in tokens for one in token.children or () if one.type == "code_inline"]
    fences = [token.content for token in tokens if token.type == "fence"]
    assert [fence for fence in fences if fence.startswith("ls ")] == [f"ls {plain(text)}\n"]
    assert any(plain(text) in fence for fence in fences[-1:])
    assert plain(text).strip() in [span.strip() for span in spans]
    html = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert html == ["<details><summary>Facts</summary>", "</details>"]
    inline = [one.content for token in tokens for one in token.children or () if one.type == "html_inline"]
    assert set(inline) <= {"<!-- -->"}
    assert not [one for token in tokens for one in token.children or () if one.type in ("link_open", "image")]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_command_stays_on_one_line_at_any_width(width: int) -> None:
    report = sample.mismatch()
    lines = terminal.render(report, width).splitlines()
    for command in report.findings[0].fix:
        assert any(line.endswith(command) for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_all_but_commands_fits_the_width(width: int) -> None:
    report = sample.mismatch()
    commands = {"gpucheck explain", *report.findings[0].fix, "ERROR", "WARNING"}
    too_long = [
        line
        for line in terminal.render(report, width).splitlines()[:-1]
        if len(line) > width and not any(command in line for command in commands)
    ]
    assert too_long == []


def test_the_first_line_is_the_cause_and_the_last_the_verdict() -> None:
    lines = terminal.render(sample.mismatch()).strip().splitlines()
    assert lines[0].startswith("ERROR      driver-library-version-mismatch: The loaded kernel module is")
    assert lines[-1] == "error: 2 errors, 1 warning; 3 rules checked, 1 skipped, 1 ignored"


def test_colours_appear_only_where_asked_for() -> None:
    assert "\x1b[" not in terminal.render(sample.mismatch())
    assert "\x1b[1;31mERROR" in terminal.render(sample.mismatch(), color=True)


def test_a_healthy_machine_takes_one_screen() -> None:
    assert len(terminal.render(sample.fine()).splitlines()) <= 24


def finding(name: str, severity: Severity, *explains: str) -> Finding:
    return Finding(name, severity, f"{name}.", (), (), explains)


def test_findings_stand_under_the_cause_that_explains_them() -> None:
    found = (
        finding("a", Severity.ERROR, "b"),
        finding("b", Severity.ERROR, "c"),
        finding("c", Severity.WARNING),
        finding("d", Severity.WARNING, "e"),
        finding("e", Severity.ERROR),
        finding("f", Severity.WARNING),
    )
    report = sample.fine()._replace(findings=found)
    assert [(one.finding.name, [each.name for each in one.follows]) for one in causes(report)] == [
        ("a", ["b", "c"]),
        ("d", ["e"]),
        ("f", []),
    ]


def test_findings_that_explain_each_other_do_not_vanish() -> None:
    found = (finding("a", Severity.ERROR, "b"), finding("b", Severity.ERROR, "a"))
    shown = causes(sample.fine()._replace(findings=found))
    assert [(one.finding.name, [each.name for each in one.follows]) for one in shown] == [("a", ["b"])]


def test_eight_gpus_with_one_trouble_make_one_finding_with_eight_messages() -> None:
    cases = tuple(
        Finding("gpu-throttling", Severity.WARNING, f"GPU {number} is slow.", (), ("nvidia-smi -q",))
        for number in range(8)
    )
    report = sample.fine()._replace(findings=cases)
    (cause,) = causes(report)
    assert [one.message for one in cause.same] == [f"GPU {number} is slow." for number in range(1, 8)]
    for render in (terminal.render, markdown.render, notebook.render):
        text = render(report)
        assert all(text.count(f"GPU {number} is slow.") >= 1 for number in range(8))
        assert text.count("nvidia-smi -q") == 1
    assert len(json.loads(json_format.render(report))["findings"]) == 8


def test_the_verdict_claims_a_proof_only_where_the_gpu_computed() -> None:
    right = Operation("GPU:0", "matmul", "ok", None, 1e-6, 0.1)
    deep = Deep("ok", None, "2.21.0", True, 3.0, ("GPU:0",), (right,), (), ())
    report = sample.fine()._replace(snapshot=sample.snapshot(deep=deep))
    assert headline(report) == "no problem found; computed on GPU:0, the numbers agree with the CPU's"
    assert headline(sample.fine()) == "no problem found on 1 GPU by looking (--deep computes there)"
    assert verdict(sample.unknown()) == "unknown: nothing found; 0 rules checked, 2 skipped"


def test_a_gap_is_shown_as_unknown_with_its_reason_and_absence_as_none() -> None:
    text = terminal.render(sample.unknown(), 200)
    assert "Driver     unknown (the driver probe gave no answer within 4.0 s)" in text
    absent = sample.snapshot(python=sample.python(tensorflow=None, torch=None))
    assert "TensorFlow none;" in terminal.render(sample.fine()._replace(snapshot=absent), 200)
