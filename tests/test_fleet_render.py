"""What `gpucheck fleet` writes: each format against a golden file and its readers' own rules, and the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import browser
import fleets
import pytest
from jsonschema import Draft202012Validator
from pages import bare

from gpucheck.findings import Severity
from gpucheck.fleet.grouping import fleet
from gpucheck.fleet.nodes import Fleet, Timing
from gpucheck.fleet.rules.engine import RULES
from gpucheck.fleet.trouble import node_of
from gpucheck.render.fleet import FORMATS, html

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {"terminal": "txt", "json": "json", "html": "html", "markdown": "md", "junit": "xml", "sarif": "sarif"}


def small() -> Fleet:
    """Eight nodes: four that are fine, one with another driver, one short of a GPU, one slow, one broken file."""

    def timed(step: float) -> tuple[Timing, ...]:
        return (Timing("gpu:0", "NVIDIA H100 80GB HBM3", "mnist-cnn, batch size 64", step, step * 0.99, None),)

    nodes = [fleets.node(f"gpu{at:02}", timings=timed(0.001)) for at in range(1, 6)]
    nodes += [
        fleets.node("gpu06", fleets.with_driver("550.163.01"), timed(0.001)),
        fleets.node("gpu07", fleets.with_gpus(7), timed(0.0014)),
        node_of("gpu08", "nodes/gpu08.json", "node-file-unreadable", "no JSON: it ends too early (line 3)"),
        fleets.plainly("gpu09", "error", ("gpu-lost", Severity.ERROR, "GPU 3 has fallen off the bus.")),
        fleets.plainly("gpu10", "error", ("gpu-lost", Severity.ERROR, "GPU 5 has fallen off the bus.")),
    ]
    return fleet(nodes, "1.0")


def rendered(format: str, told: Fleet) -> str:
    text = import_module(f"gpucheck.render.fleet.{format}").render(told)
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_is_as_its_golden_file(format: str) -> None:
    path = GOLDEN / f"fleet.{SUFFIX.get(format, format)}"
    text = rendered(format, small())
    text = bare(text) if format == "html" else text
    if os.environ.get("GPUCHECK_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_json_holds_to_its_schema() -> None:
    schema = json.loads((ROOT / "gpucheck/render/fleet/fleet.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    document = json.loads(rendered("json", small()))
    Draft202012Validator(schema).validate(document)
    assert not Draft202012Validator(schema).is_valid({**document, "verdict": "perhaps"})


def test_junit_counts_what_it_holds() -> None:
    root = ElementTree.fromstring(rendered("junit", small()))
    for suite in root:
        for attribute, path in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error")):
            assert int(suite.attrib[attribute]) == len(suite.findall(path))
    nodes, between = root
    assert (nodes.attrib["tests"], nodes.attrib["failures"], nodes.attrib["errors"]) == ("10", "2", "1")
    assert {case.attrib["name"] for case in between} == set(RULES)
    told = import_module("gpucheck.render.fleet.junit").render(small(), strict=True)
    assert int(ElementTree.fromstring(told)[1].attrib["failures"]) >= 3


def test_prometheus_own_parser_reads_it() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    families = {one.name: one for one in parser.text_string_to_metric_families(rendered("prometheus", small()))}
    verdicts = {one.labels["verdict"]: one.value for one in families["gpucheck_fleet_nodes"].samples}
    assert verdicts == {"ok": 5, "warning": 2, "error": 2, "unknown": 1}
    assert len(families["gpucheck_fleet_node_info"].samples) == 10


def test_sarif_describes_every_rule_and_places_every_result() -> None:
    (run,) = json.loads(rendered("sarif", small()))["runs"]
    rules = {one["id"]: one for one in run["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in run["results"]} == set(rules)
    for one in rules.values():
        assert one["help"]["markdown"]
        assert one["shortDescription"]["text"]
    for result in run["results"]:
        for place in result["locations"]:
            assert not place["physicalLocation"]["artifactLocation"]["uri"].startswith("/")
    marks = [one["partialFingerprints"]["primaryLocationLineHash"] for one in run["results"]]
    assert len(marks) == len(set(marks))


class Page(HTMLParser):
    """Tags that are open, and what would reach for the network."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing() -> None:
    page = Page()
    page.feed(rendered("html", small()))
    assert page.open == []
    assert page.fetched == ["#found", "#between", "#states", "#nodes"]


def nasty_fleet(number: int) -> Fleet:
    """Nodes of which no two are alike, with names and messages as long as may be, made of what must be escaped."""
    return fleet(
        (
            fleets.plainly(
                f"{'<&' * 140}{at}",
                "error",
                *((f"rule-{at}-{one}", Severity.ERROR, f"{'<&>' * 90}{at}") for one in range(3)),
            )
            for at in range(number)
        ),
        "1.0",
    )


def test_a_page_that_would_grow_too_large_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = html.render(nasty_fleet(40))
    assert "do not fit" not in whole
    for name, most in (("MOST_BYTES", 60_000), ("_FOR_STATES", 20_000), ("_FOR_FINDINGS", 20_000)):
        monkeypatch.setattr(html, name, most)
    text = html.render(nasty_fleet(40))
    assert len(text.encode()) <= 61_000 + 20_000
    assert "do not fit on a page" in text
    page = Page()
    page.feed(text)
    assert page.open == []


@pytest.mark.slow
def test_the_page_of_ten_thousand_hostile_nodes_stays_below_five_megabytes() -> None:
    assert len(html.render(nasty_fleet(10_000)).encode()) < 5_000_000


@pytest.mark.slow
def test_a_browser_shows_a_thousand_nodes_and_finds_one_of_them(tmp_path: Path) -> None:
    usual = fleets.node("n")
    nodes = [usual._replace(name=f"rack{at % 9}/gpu{at:04}") for at in range(1000)]
    nodes += [fleets.plainly(f"bad{at}", "error", ("gpu-lost", Severity.ERROR, "GPU 3 is lost.")) for at in range(5)]
    nodes += [node_of("broken", "broken.json", "node-file-unreadable", "no JSON (line 3)")]
    nodes += [fleets.node("odd", fleets.with_driver("550.163.01"))]
    text = html.render(fleet(nodes, "1.0"))
    with browser.chromium(tmp_path) as chromium:
        for width, dark in ((1400, False), (400, True)):
            with chromium.showing(text, width, dark) as page:
                assert browser.overflow(page) <= 0
                assert page.evaluate("window.find('gpu0999')")
                for place in ("found", "between", "states", "nodes"):
                    assert page.locator(f"#{place}").count() == 1
                page.fill("#filter", "GPU-LOST")
                assert page.locator("#nodes tbody tr:not([hidden])").count() == 5
                assert page.locator("#nodes tbody tr", has_text="gpu0998").is_hidden()
                for table in page.locator(".wide").all():  # a telephone shows which nodes they are, too
                    assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
                page.fill("#filter", "")
                assert page.locator("#nodes tbody tr:not([hidden])").count() == 1007
                if dark:
                    browser.unfold(page)
                    assert browser.overflow(page) <= 0
        few = html.render(small())
        for dark in (False, True):
            with chromium.showing(few, 1400, dark) as page:
                browser.unfold(page)
                assert browser.violations(page) == []


# --- the command


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpucheck", "fleet", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        timeout=60,
    )


@pytest.mark.slow
def test_the_command_judges_a_folder_and_ends_with_the_worst(tmp_path: Path) -> None:
    folder = fleets.write(tmp_path / "nodes", good=fleets.text("no-gpu-vm"), bad="{")
    done = command(str(folder))
    assert done.returncode == 3
    assert "node-file-unreadable" in done.stdout
    lost = fleets.write(tmp_path / "lost", one=fleets.text("only-gpu-lost"))
    assert command(str(lost), str(folder / "bad.json")).returncode == 1
    told = json.loads(command(str(folder), "--format", "json", "--ignore", "driver-drift").stdout)
    assert told["exit_code"] == 3
    assert "driver-drift" in told["ignored"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "give snapshots or a folder"),
        (["no-such-folder"], "No such file"),
        (["--dask", "a", "--ssh", "b"], "one way to collect"),
        (["tests/golden", "--save", "x"], "is for machines that are asked"),
        (["tests/golden", "--ignore", "no-such-rule"], "no rule is called"),
        (["tests/golden", "--output", "no/such/folder/x"], "there is no folder"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], complaint: str) -> None:
    done = command(*words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_expectations_of_a_file_are_the_commands_and_those_of_a_project_are_not(tmp_path: Path) -> None:
    folder = fleets.write(tmp_path / "nodes", good=fleets.text("no-gpu-vm"))
    (tmp_path / "cluster.toml").write_text('driver = ">=999"\nignore = ["tensorflow-not-installed"]\n')
    done = command(str(folder), "--expect", str(tmp_path / "cluster.toml"), "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["groups"][0]["name"] == "expectation-not-met"
    assert told["ignored"] == ["tensorflow-not-installed"]
    done = command(str(folder), "--expect", str(tmp_path / "none.toml"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    (tmp_path / "pyproject.toml").write_text('[tool.gpucheck]\ndriver = ">=999"\n')
    words = [sys.executable, "-m", "gpucheck", "fleet", "nodes"]
    done = subprocess.run(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == 0


@pytest.mark.slow
def test_what_dask_would_load_is_not_loaded_for_files(tmp_path: Path) -> None:
    folder = fleets.write(tmp_path, good=fleets.text("no-gpu-vm"))
    words = f"import sys; sys.argv = ['gpucheck', 'fleet', {str(folder)!r}]; from gpucheck.options import app\n"
    words += "try: app()\nexcept SystemExit: pass\n"
    words += "print([one for one in ('distributed', 'dask', 'asyncssh') if one in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.stdout.rstrip().endswith("[]")


def test_explain_knows_the_rules_over_many() -> None:
    from gpucheck.render import rules

    found = rules.find("driver_drift")
    assert found is not None
    assert "majority" in rules.document(found)
    assert "driver-drift" in rules.alike("driver-drfit")
    assert "driver-drift" not in rules.names()


def test_no_text_of_a_rule_over_many_is_too_long_for_a_table() -> None:
    from gpucheck.render.rules import summary

    for rule in RULES.values():
        assert re.fullmatch(r"[^|\n]{20,200}", summary(rule))
