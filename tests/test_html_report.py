"""doctor's page: what it shows, that nothing in it can act, that a strict parser, a browser and axe-core accept it.

Its golden files are those of tests/test_render.py. Screenshots are looked at by people (docs/reports.md), not compared.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from html import unescape
from pathlib import Path

import bench_results
import browser
import container_files
import looked
import machines
import pytest
import sample
from browser import Chromium
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from test_hiding import places, without
from test_render import FORBIDDEN, named

from gpucheck import api
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import LibraryVersion
from gpucheck.findings import Finding, Report, Severity
from gpucheck.render import html
from gpucheck.render.causes import tree
from gpucheck.render.copies import copies
from gpucheck.render.copies.lanes import Lane
from gpucheck.render.formats import Asked
from gpucheck.render.text import plain

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 200_000  # of the page of a normal machine, without pictures

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</style></title></main><h1>mine</h1>",
    "<b><i><table><td>unclosed",
    "<!-- no end",
    "]]><![CDATA[",
    "&lt;b&gt; &amp;amp; &#x3c;",
    "\x00\x08\x1b[2J\r\n\x7f\x85",
    "\u202egnp.exe\u202c \u2066\u200f\u200b",
    "\udcff\ud800",
    "{{7*7}} ${7*7} %s {0}",
    "style=position:fixed;inset:0",
)


def recorded(name: str) -> Report:
    return api.judge(api.read_data({"schema": "gpucheck.machine/1", **machines.load(name)}))


@cache
def skeleton(page: str) -> tuple[str, ...]:
    """Every tag of a page with its attributes' names, as a browser's parser reads it; raises on any error of it."""
    html5lib = pytest.importorskip("html5lib", reason="html5lib is not installed (dependency group test)")
    parsed = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    return tuple(f"{one.tag} {sorted(one.attrib)}" for one in parsed.iter())


def text_of(page: str) -> str:
    """What a reader reads."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", page[page.index("<body>") :])).split())


# Nothing in it can act


def test_the_page_has_no_script_no_event_no_network_and_no_address_but_its_own_headings() -> None:
    page = html.tell([("a", sample.mismatch()), ("b", sample.hostile())], Asked())
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not re.search(r"<(script|iframe|img|link|object|form|base)\b|\bsrc=|@import|url\(", page)
    assert not re.search(r"<[^>]*\son\w+=", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {"#machine-1", "#machine-2"}
    assert "default-src 'none'" in page


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_a_nasty_name_changes_no_tag_of_the_page(text: str) -> None:
    page = html.tell([(text, named(text)), ("b", named("x"))], Asked())
    assert re.findall(r"</?\w+", page) == re.findall(
        r"</?\w+", html.tell([("a", named("x")), ("b", named("x"))], Asked())
    )
    assert not FORBIDDEN.search(page)


@pytest.mark.slow
@given(st.text(max_size=30))
@examples(60)
def test_whatever_a_machine_is_called_a_strict_parser_sees_the_same_page(text: str) -> None:
    page = html.render(named(text))
    assert skeleton(page) == skeleton(html.render(named("x")))
    assert " ".join(plain(text).split()) in " ".join(unescape(page).split())


def test_a_megabyte_of_a_name_makes_no_megabyte_of_a_page() -> None:
    page = html.render(named("A" * (1 << 20)))
    assert len(page) < MOST_BYTES
    assert "characters is left out here; --format json has it" in page  # half a command is worse than none


def test_the_page_is_ascii_so_that_no_code_page_spoils_a_name() -> None:
    page = html.render(named("\u4e2d\u6587 \u00b0 \U0001f600"))
    assert page.isascii()
    assert "\u4e2d\u6587 \u00b0 \U0001f600" in text_of(page)


# What it shows


def finding(name: str, severity: Severity, *explains: str) -> Finding:
    return Finding(name, severity, f"{name}.", (), (), explains)


def test_the_tree_of_causes_is_nested_as_deep_as_the_causes_are() -> None:
    found = (
        finding("a", Severity.ERROR, "b", "d"),
        finding("b", Severity.ERROR, "c"),
        finding("c", Severity.WARNING),
        finding("d", Severity.INFO),
    )
    report = sample.fine()._replace(findings=found)
    (root,) = tree(report)
    assert [one.finding.name for one in root.follows] == ["b", "d"]
    assert [one.finding.name for one in root.follows[0].follows] == ["c"]
    page = html.render(report)
    depth = {name: _depth(page, f" {name}<") for name in "abcd"}
    assert depth == {"a": 1, "b": 2, "c": 3, "d": 2}
    assert page.count("This explains") == 2


def _depth(page: str, text: str) -> int:
    """In how many trees a text stands."""
    before = page[: page.index(text)]
    lists = re.findall(r'<ul class="(tree[^"]*)">|(<ul)|(</ul>)', before)
    open_: list[bool] = []
    for opened, other, _closed in lists:
        if opened or other:
            open_.append(bool(opened))
        else:
            open_.pop()
    return sum(open_)


def test_a_long_chain_of_causes_is_no_fault() -> None:
    found = tuple(finding(f"n{at}", Severity.ERROR, f"n{at + 1}") for at in range(200))
    assert "n0" in html.render(sample.fine()._replace(findings=found))


def test_an_ok_machine_has_no_cause_and_says_so() -> None:
    page = html.render(sample.fine())
    assert "No rule found anything." in page
    assert "<strong>OK</strong>" in page


def test_what_could_not_be_judged_is_told_with_its_reason() -> None:
    page = text_of(html.render(sample.unknown()))
    assert "Could not be judged, so the question stays open" in page
    assert "libcuda-missing: the driver probe gave no answer within 4.0 s" in page


def test_a_rehearsal_says_so_before_all_else_and_in_its_title() -> None:
    page = html.render(sample.mismatch()._replace(simulated="some-machine"))
    assert page.index("SIMULATED:") < page.index("<h1>")
    assert "<title>gpucheck doctor: SIMULATED, error</title>" in page
    assert "SIMULATED" not in html.render(sample.mismatch())


def test_several_machines_have_a_section_each_and_a_list_that_leads_to_them() -> None:
    page = html.tell([("one.json", sample.fine()), ("two.json", sample.mismatch())], Asked())
    assert page.count("<h1>") == 1
    for number, name in ((1, "one.json"), (2, "two.json")):
        assert f'<a href="#machine-{number}">{name}</a>' in page
        assert f'<h2 id="machine-{number}">{name}</h2>' in page


def test_files_are_not_called_machines() -> None:
    one = api.judge_logs(api.log_of("CUDA_ERROR_NO_DEVICE"))
    assert "<h1>gpucheck doctor: 2 reports</h1>" in html.tell([("a.log", one), ("b.log", one)], Asked())
    two = container_files.judge("FROM ubuntu:24.04\n")
    assert "<h1>gpucheck doctor: 2 reports</h1>" in html.tell([("Dockerfile", two), ("other", two)], Asked())


def test_a_report_of_a_log_shows_its_lines_and_no_machine() -> None:
    log = api.log_of(
        "E0000 00:00:01.0 cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.3.0."
    )
    page = html.render(api.judge_logs(log))
    assert "Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.3.0" in page
    assert "<h2>Log</h2>" in page
    assert "<h2>GPUs</h2>" not in page


def test_what_a_log_leaves_open_is_named() -> None:
    possible = finding("a", Severity.WARNING)._replace(remaining=("cuda-init-failed", "libcuda-missing"))
    page = html.render(sample.fine()._replace(findings=(possible,)))
    assert "The log leaves open beside it: <code>cuda-init-failed</code>, <code>libcuda-missing</code>" in page
    assert '<span class="badge unknown">possible</span>' in page


def test_a_speed_test_stands_below_and_without_matplotlib_the_page_says_what_would_bring_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # what Python itself does for "not to be found"
    page = html.tell([("", sample.fine())], Asked(bench=bench_results.result()))
    assert "<h2>Speed, as gpucheck bench measured it</h2>" in page
    assert "There are none: pictures need matplotlib, which the extra gpucheck-cli[plot] brings" in page
    assert '<th scope="row">gpu:0</th>' in page


# The map of copies


def lane(report: Report, name: str) -> Lane:
    shown = copies(report.snapshot)
    return next(one for one in (*shown.driver, *shown.wanted, *shown.runtime) if name in one.names)


def test_the_map_shows_the_winner_first_then_what_it_shadows_and_why() -> None:
    found = lane(sample.mismatch(), "libcudnn.so.9")
    assert (found.outcome, [one.state for one in found.stops]) == ("loaded", ["loaded", "shadowed"])
    first, second = found.stops
    assert (first.why, first.files[0].version) == ("found through LD_LIBRARY_PATH", "9.1.0")
    assert (second.why, second.files[0].version) == ("further on the loader's way than LD_LIBRARY_PATH", "9.10.2.21")
    page = text_of(html.render(sample.mismatch()))
    assert "2 places, 1 shadowed libcudnn.so.9" in page


def test_what_is_not_found_shows_the_copies_out_of_reach() -> None:
    found = lane(sample.mismatch(), "libcusolver.so.11")
    assert (found.outcome, [one.state for one in found.stops]) == ("not found", ["out of reach"])
    assert "not found libcusolver.so.11 out of reach" in text_of(html.render(sample.mismatch()))


def _wanted(**changes: object) -> Wanted:
    taken = sample.libraries().wanted[0]  # type: ignore[index]
    return taken._replace(**changes)


@pytest.mark.parametrize(
    ("changes", "outcome", "told"),
    [
        ({"defect": "truncated"}, "broken", "broken libcudnn.so.9"),
        ({"path": Gap("permission denied"), "hides": ()}, "unknown", "unknown libcudnn.so.9 permission denied"),
        ({"path": None, "hides": (), "needed_for_gpu": False}, "not found", "not needed for the GPU libcudnn.so.9"),
    ],
)
def test_the_map_tells_broken_unknown_and_absent_apart(changes: dict[str, object], outcome: str, told: str) -> None:
    report = sample.fine()._replace(snapshot=sample.snapshot(libraries=sample.libraries(wanted=(_wanted(**changes),))))
    assert lane(report, "libcudnn.so.9").outcome == outcome
    assert told in text_of(html.render(report))


def test_a_copy_of_which_it_is_not_known_whether_it_loads_is_said_to_be_so() -> None:
    unsure = _wanted(defect=Gap("permission denied"))
    report = sample.fine()._replace(snapshot=sample.snapshot(libraries=sample.libraries(wanted=(unsure,))))
    assert "9.1.0 not known whether it loads" in text_of(html.render(report))


def test_names_that_lie_together_with_one_fate_make_one_lane() -> None:
    folder = f"{sample.SITE}/nvidia"
    names = {"libcublas.so.12": "cublas", "libcudart.so.12": "cudart", "libcudnn.so.9": "cudnn"}
    there = tuple(
        LibraryCopy(
            kind, name, f"{folder}/{kind}/lib/{name}", None, LibraryVersion("12.1"), None, ("wheels in x",), None, False
        )
        for name, kind in names.items()
    )
    wanted = tuple(
        _wanted(soname=one.soname, library=one.library, path=one.path, via="RUNPATH of a", hides=()) for one in there
    )
    shown = copies(sample.snapshot(libraries=sample.libraries(copies=there, wanted=wanted)))
    (only,) = shown.wanted
    assert only.names == ("libcudnn.so.9", "libcublas.so.12", "libcudart.so.12")  # cuDNN, on which most depends, first
    assert [(one.place, len(one.files), one.origin) for one in only.stops] == [(folder, 3, "pip's wheels")]


def test_a_stub_that_comes_before_the_driver_is_drawn_as_the_winner() -> None:
    found = lane(recorded("stub-first"), "libcuda.so.1")
    assert [(one.state, one.origin) for one in found.stops] == [("loaded", "CUDA's link-time stub"), ("shadowed", "")]


@pytest.mark.slow
def test_what_windows_lacks_for_tensorflow_is_on_the_map_and_what_it_has_is_loaded() -> None:
    found = lane(looked.report("windows-without-vc-runtime"), "msvcp140_1.dll")
    assert found.outcome == "not found"
    fine = lane(looked.report("windows-cudnn-8.9-with-zlib"), "zlibwapi.dll")
    assert (fine.outcome, fine.stops[0].state) == ("loaded", "loaded")
    assert "What TensorFlow and cuDNN need of Windows" in html.render(looked.report("windows-cudnn-8.9-with-zlib"))


def test_without_tensorflow_copies_are_listed_by_place_and_none_wins() -> None:
    report = sample.fine()._replace(snapshot=sample.snapshot(libraries=sample.libraries(wanted=None)))
    page = text_of(html.render(report))
    assert "There is no TensorFlow here that wants any" in page
    assert "Copies by place (2)" in page


# The command


@pytest.mark.slow
def test_the_command_writes_the_page_and_shows_a_saved_speed_test_on_it(tmp_path: Path) -> None:
    from gpucheck.render.bench import json as bench_json

    saved, page = tmp_path / "result.json", tmp_path / "page.html"
    saved.write_text(bench_json.render(bench_results.result()))
    line = (
        "doctor",
        "--format",
        "html",
        "--simulate",
        "driver-library-version-mismatch",
        "--bench",
        saved,
        "--output",
        page,
    )
    done = subprocess.run([sys.executable, "-m", "gpucheck", *map(str, line)], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    text = page.read_text(encoding="utf-8")
    assert "SIMULATED:" in text
    assert "Speed, as gpucheck bench measured it" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--bench", "x.json"), "with --format html"),
        (("--format", "html", "--bench", "README.md"), "no result of gpucheck bench"),
    ],
)
def test_a_speed_test_that_cannot_be_shown_is_wrong_usage(words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gpucheck", "doctor", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert said in done.stderr


# Every machine


@pytest.mark.slow
def test_the_page_of_every_recorded_machine_is_small_and_strictly_well_formed() -> None:
    for name in machines.names():
        page = html.render(looked.report(name))
        assert len(page.encode("utf-8")) < MOST_BYTES, name
        assert skeleton(page), name
    skeleton.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["h100x8-mig", "windows-older-cudnn-first", "wsl2-linux-driver", "deep-rtx4090-proven"]
)
def test_the_page_is_made_whatever_single_fact_is_not_known(name: str) -> None:
    facts = looked.report(name).snapshot
    for at in places(facts, Snapshot):
        assert html.render(looked.report(name)._replace(snapshot=without(facts, at))).endswith("</html>\n")


# In a browser


def _several() -> str:
    reports = [(f"{name}.json", recorded(name)) for name in ("rtx4090-ubuntu", "windows-cudnn-7", "nvml-hangs")]
    return html.tell([*reports, ('"><script>alert(1)</script>', sample.hostile())], Asked())


def _with_bench() -> str:
    from test_bench_render import sweep

    return html.tell([("", recorded("h100x8-worn"))], Asked(bench=sweep()))


def _log() -> str:
    return html.render(api.judge_logs(api.read_logs([str(ROOT / "tests/data/logs/azure-docs-111536.log")])))


def _fleet() -> str:
    from test_fleet_render import rendered, small

    return rendered("html", small())


def _diff() -> str:
    from test_diff import rendered, told

    return rendered("html", told("tf221-and-cuda", "old-cudnn-in-ld-library-path"))


def _bench() -> str:
    from test_bench_render import sweep

    from gpucheck.render.bench import html as bench

    return bench.render(sweep())


PAGES: dict[str, Callable[[], str]] = {
    "healthy": lambda: html.render(recorded("deep-rtx4090-proven")),
    "mismatch": lambda: html.render(recorded("driver-upgraded-not-rebooted")),
    "shadowed": lambda: html.render(recorded("old-cudnn-in-ld-library-path")),
    "wsl": lambda: html.render(recorded("wsl2-linux-driver")),
    "windows": lambda: html.render(recorded("windows-older-cudnn-first")),
    "hostile": lambda: html.render(sample.hostile()),
    "nasty": lambda: html.render(named(" ".join(NASTY) + "W" * 900)),
    "unknown": lambda: html.render(sample.unknown()),
    "simulated": lambda: html.render(sample.mismatch()._replace(simulated="some-machine")),
    "log": _log,
    "several": _several,
    "with bench": _with_bench,
    "bench": _bench,
    "fleet": _fleet,
    "diff": _diff,
}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with browser.chromium(tmp_path_factory.mktemp("pages")) as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_fits_a_telephone_and_has_nothing_that_axe_objects_to(
    chromium: Chromium, name: str, dark: bool
) -> None:
    text = PAGES[name]()
    for width in (320, 400, 1400):
        with chromium.showing(text, width, dark) as page:
            assert browser.overflow(page) <= 0
            browser.unfold(page)
            assert browser.overflow(page) <= 0
            if width != 320:
                assert browser.violations(page) == []


@pytest.mark.slow
def test_axe_would_object_to_a_colour_that_cannot_be_read_and_to_a_table_without_heads(chromium: Chromium) -> None:
    page = html.render(sample.fine()).replace("--soft: #565b62", "--soft: #c8c8c8").replace("<h1>", "<h1></h1><h4>")
    with chromium.showing(page) as shown:
        found = {one.partition(":")[0] for one in browser.violations(shown)}
    assert {"color-contrast", "empty-heading"} <= found


@pytest.mark.slow
def test_the_banner_of_a_rehearsal_and_folded_evidence_are_on_paper_and_the_paper_is_white(chromium: Chromium) -> None:
    many = sample.mismatch().findings[0]
    many = many._replace(evidence=many.evidence * 4)
    report = sample.mismatch()._replace(simulated="some-machine", findings=(many,))
    with chromium.showing(html.render(report), dark=True) as page:
        fact = page.locator("details.printed .evidence li").first
        assert not fact.is_visible()
        page.emulate_media(media="print")
        assert page.locator(".loud").is_visible()
        assert fact.is_visible()
        colours = "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
        ground, ink = page.evaluate(colours)
    assert (ground, ink) == ("rgb(255, 255, 255)", "rgb(26, 28, 31)")
