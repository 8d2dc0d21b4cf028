"""The formats of a speed test: against golden files, against the schema, with pieces missing and with hostile strings.

After a change that is meant: ``GPUCHECK_UPDATE_GOLDEN=1 pytest tests/test_bench_render.py``, then read the difference.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin
from xml.etree import ElementTree

import bench_results
import jsonschema
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from pages import bare
from sample import HOSTILE
from test_render import FORBIDDEN, Reader, closed

from gpucheck.facts.bench import (
    Comparison,
    Difference,
    Failure,
    Figures,
    Interval,
    Leg,
    Part,
    Reason,
    Result,
    Trial,
    Verdict,
)
from gpucheck.facts.codec import BadFacts, hints
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.render.bench import html, markdown, progress, terminal
from gpucheck.render.bench import json as json_format
from gpucheck.render.bench.amounts import number, percent, setup, span, step
from gpucheck.render.bench.amounts import time as duration
from gpucheck.render.bench.strip import strips
from gpucheck.render.text import ascii_only, plain

GOLDEN = Path(__file__).parent / "golden"
FORMATS = {
    "terminal.txt": lambda result: terminal.render(result, 80),
    "narrow.txt": lambda result: terminal.render(result, 40),
    "verbose.txt": lambda result: terminal.render(result, 100, verbose=True),
    "issue.md": markdown.render,
    "page.html": lambda result: bare(html.render(result, with_pictures=False)),
}


def fixed(result: Result) -> Result:
    """With figures and verdicts of a simple arithmetic, so that another statistic changes no golden file."""
    return result._replace(trials=tuple(_fixed_trial(trial) for trial in result.trials))


def _fixed_trial(trial: Trial) -> Trial:
    legs = tuple(leg._replace(figures=_figures(leg, trial)) for leg in trial.legs)
    first, *others = legs
    return trial._replace(legs=legs, verdicts=tuple(_verdict(first, leg) for leg in others))


def _figures(leg: Leg, trial: Trial) -> Union[Figures, None]:
    means = [block.seconds / block.steps for block in leg.blocks if not block.left_out]
    if not means:
        return None
    middle = sorted(means)[len(means) // 2]
    gpu = leg.device != "cpu"
    return Figures(
        step=Interval(middle, middle * 0.98, middle * 1.02),
        p95=middle * 1.1,
        images_per_second=trial.batch_size / middle,
        gflops=trial.work.flops / middle / 1e9,
        joules_per_step=140 * middle if gpu else None,
        idle_watts=70.0 if gpu else None,
        noise=0.021,
        blocks=len(means),
        left_out=len(leg.blocks) - len(means),
    )


def _verdict(cpu: Leg, leg: Leg) -> Verdict:
    if cpu.figures is None or leg.figures is None:
        return Verdict(leg.device, "cannot-tell", None, None, "It cannot be told: the GPU has no figure.", ())
    value = cpu.figures.step.value / leg.figures.step.value
    ratio = Interval(value, value * 0.97, value * 1.03)
    reasons = (Reason("launch-bound", "a step takes less than three floors; try a larger batch"),)
    return Verdict(leg.device, "faster", ratio, 0.02, f"The GPU is {value:.1f} times faster than the CPU.", reasons)


def faster() -> Result:
    return fixed(bench_results.result())


def without_gpu() -> Result:
    return fixed(bench_results.result(gpu=None, cpu_step=65e-3))._replace(trials=_without_verdicts(65e-3))


def _without_verdicts(cpu_step: float) -> tuple[Trial, ...]:
    result = fixed(bench_results.result(gpu=None, cpu_step=cpu_step))
    return tuple(trial._replace(verdicts=()) for trial in result.trials)


def sweep() -> Result:
    result = bench_results.result(batch_sizes=(64, 256, 1024), left_out={2: ("clocks",), 4: ("foreign-cpu", "canary")})
    worse = Difference("gpu:0", 64, "SLOWER", Interval(1.2, 1.15, 1.25), 0.1, "gpu:0 is 1.20 times slower than before.")
    unlike = ("tensorflow 2.20.0, now 2.21.0",)
    return fixed(result._replace(comparison=Comparison("before.json", unlike, (worse,))))


def failed() -> Result:
    words = "the GPU is a CPU worker with a planted speed-up of 9.2"
    return fixed(bench_results.result(gpu_leg=bench_results.failed("gpu:0"), interrupted=True, simulated=words))


def hostile() -> Result:
    return spoiled(sweep(), HOSTILE)


def spoiled(value: Any, text: str) -> Any:
    """A value with every string that is no word of the contract replaced."""
    if isinstance(value, Gap):
        return Gap(text)
    if hasattr(value, "_fields"):
        kinds = hints(type(value))
        kept = {name for name in kinds if get_origin(kinds[name]) is Literal or name in ("schema", "device")}
        return value._replace(
            **{name: spoiled(getattr(value, name), text) for name in value._fields if name not in kept}
        )
    if isinstance(value, tuple):
        return tuple(spoiled(each, text) for each in value)
    return text if isinstance(value, str) else value


RESULTS = {"faster": faster, "without-gpu": without_gpu, "sweep": sweep, "failed": failed, "hostile": hostile}
ONE_FAST = ["faster", *(pytest.param(name, marks=pytest.mark.slow) for name in RESULTS if name != "faster")]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", RESULTS)
def test_a_format_writes_what_its_golden_file_holds(name: str, form: str) -> None:
    text = FORMATS[form](RESULTS[name]())
    golden = GOLDEN / f"bench-{name}.{form}"
    if os.environ.get("GPUCHECK_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


# JSON


@cache
def schema() -> jsonschema.Draft202012Validator:
    """What accepts nothing but what the schema describes."""
    made = json.loads((Path(json_format.__file__).parent / "bench.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(closed(made))


@pytest.mark.parametrize("name", ONE_FAST)
def test_a_result_fits_its_schema_and_comes_back_the_same(name: str) -> None:
    result = RESULTS[name]()
    text = json_format.render(result)
    schema().validate(json.loads(text))
    if name != "hostile":  # a byte that is no UTF-8 travels as an escape
        assert json_format.read(text) == result
    assert json_format.render(json_format.read(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", r"\$.schema: gpucheck.bench/1 expected"),
        ('{"schema": "gpucheck.report/1"}', "not gpucheck.report/1"),
        ('{"schema": "gpucheck.bench/1"}', r"\$.version: missing"),
    ],
)
def test_a_file_that_is_no_result_is_refused_with_the_place(text: str, told: str) -> None:
    with pytest.raises(BadFacts, match=told):
        json_format.read(text)


# Whatever is in it


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Any value that the contract allows, wrong numbers included; at most two of anything."""
    if kind is Snapshot:
        return st.just(Gap("not collected", "not-collected"))
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Union:
        return st.one_of(*(anything(one) for one in reversed(parts)))
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(anything(parts[0]), max_size=2).map(tuple)
    if hasattr(kind, "_fields"):
        return st.builds(kind, **{name: anything(hint) for name, hint in hints(kind).items()})
    return SIMPLE[kind]


SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.sampled_from(["cpu", "gpu:0", "first-step", HOSTILE, "", "$x^2_$ \u4e2d\u6587"]),
    int: st.sampled_from([0, 1, 64, 64, 2**40]),
    float: st.sampled_from([0.0, 1e-6, 0.0039, 0.0039, 0.5, 65.0, -1.0, 1e300, float("inf"), float("nan")]),
    bool: st.booleans(),
    Gap: st.just(Gap("permission denied: /dev/nvidia0", "denied")),
    type(None): st.none(),
}


@pytest.mark.slow
@given(anything(Result))
@examples(25)
def test_every_result_that_the_contract_allows_is_shown(result: Result) -> None:
    for form in FORMATS.values():
        assert not FORBIDDEN.search(form(result))
    assert not re.search(r"\b(NaN|Infinity)\b", json_format.render(result))  # JSON has no such words


@pytest.mark.slow
@pytest.mark.parametrize("field", ["trials", "samples", "environment", "canaries", "seed_lines", "arguments"])
def test_a_result_without_a_part_is_shown(field: str) -> None:
    result = sweep()._replace(**{field: ()})
    for form in FORMATS.values():
        assert form(result)


def test_a_run_that_was_interrupted_before_anything_was_measured_says_so() -> None:
    text = terminal.render(faster()._replace(trials=(), interrupted=True))
    assert text.startswith("INTERRUPTED   Not measured to the end; this is what is known so far.\nNO FIGURE ")


# The terminal


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("name", ONE_FAST)
def test_every_line_fits_the_width(name: str, width: int) -> None:
    for verbose in (False, True):
        lines = terminal.render(RESULTS[name](), width, verbose=verbose).splitlines()
        assert [line for line in lines if len(line) > width] == []


def test_the_plain_case_is_about_one_screen() -> None:
    result = faster()._replace(seed_lines=())
    assert len(terminal.render(result, 80).splitlines()) <= 34
    assert len(terminal.render(without_gpu()._replace(seed_lines=()), 80).splitlines()) <= 26


def test_the_sentence_stands_first_and_its_reasons_under_it() -> None:
    lines = terminal.render(faster()).splitlines()
    assert lines[0] == "FASTER        The GPU is 9.2 times faster than the CPU."
    assert lines[1].strip().startswith("launch-bound: a step takes less than three floors")


def test_a_reason_that_the_sentence_holds_is_not_said_twice() -> None:
    (trial,) = faster().trials
    verdict = trial.verdicts[0]._replace(sentence="Slower: PCIe x4.", reasons=(Reason("pcie", "PCIe x4"),))
    text = terminal.render(faster()._replace(trials=(trial._replace(verdicts=(verdict,)),)))
    assert text.count("PCIe x4") == 1


def test_without_a_gpu_the_cpu_s_step_and_the_reason_are_told() -> None:
    lines = terminal.render(without_gpu(), 100).splitlines()
    assert lines[0].startswith(
        "STEP          One step of mnist-cnn at batch 64 takes 65.4 ms (64.1 to 66.7) on cpu (AMD EPYC"
    )
    assert "NO GPU        no NVIDIA GPU was found" in lines


def test_what_was_simulated_is_said_before_all_else_in_every_format() -> None:
    for name, form in FORMATS.items():
        text = form(failed())
        assert text.index("SIMULATED") < text.index("CANNOT TELL"), name


def test_the_last_words_of_a_dead_worker_are_shown_all_of_them_only_when_asked() -> None:
    leg = bench_results.failed("gpu:0")
    many = Failure("crash", "killed by SIGSEGV", "first-step", tuple(f"word {at}" for at in range(9)))
    result = bench_results.result(gpu_leg=leg._replace(failure=many))
    assert re.findall(r"word \d", terminal.render(result)) == ["word 6", "word 7", "word 8"]
    assert len(re.findall(r"word \d", terminal.render(result, verbose=True))) == 9


def test_a_gap_is_told_as_not_available_and_its_reason_with_verbose() -> None:
    (trial,) = faster().trials
    cpu, gpu = trial.legs
    assert gpu.figures is not None
    unknown = gpu._replace(figures=gpu.figures._replace(joules_per_step=Gap("blocks shorter than 2 s")))
    result = faster()._replace(trials=(trial._replace(legs=(cpu, unknown)),))
    assert re.search(r"^gpu:0 .* n/a +1.42 GiB$", terminal.render(result), re.MULTILINE)
    assert "gpu:0, J/step: blocks shorter than 2 s" in terminal.render(result, verbose=True)


def test_the_historical_mark_stands_only_beside_its_own_network_and_batch_size() -> None:
    assert "370 ms CPU, 40 ms GeForce 940M" in terminal.render(faster())
    assert "940M" not in terminal.render(fixed(bench_results.result(workload="vit")))
    assert "940M" not in terminal.render(fixed(bench_results.result(batch_sizes=(256,))))


def test_parts_that_differ_stand_with_their_device_and_equal_ones_once() -> None:
    text = terminal.render(faster(), 200)
    assert text.count("tensorflow 2.21.0") == 1
    assert "gpu:0: NVIDIA H100 80GB HBM3, compute capability 9.0, cuDNN 9.3.0" in text


def test_losses_that_are_no_numbers_are_told_as_that() -> None:
    (trial,) = faster().trials
    cpu, gpu = trial.legs
    wrong = gpu._replace(losses=(*gpu.losses[:-1], float("nan")))
    text = terminal.render(faster()._replace(trials=(trial._replace(legs=(cpu, wrong)),)), 100)
    assert "gpu:0 nan; at most not a number apart" in text


def test_colours_appear_only_where_asked_for_and_ascii_suffices() -> None:
    assert "\x1b[" not in terminal.render(sweep())
    assert "\x1b[1;32mFASTER" in terminal.render(sweep(), color=True)
    assert ascii_only(terminal.render(faster())) == terminal.render(faster())


def test_strips_share_one_axis_that_is_logarithmic_where_devices_are_far_apart() -> None:
    (trial,) = faster().trials
    found = strips(trial.legs, 60)
    assert found is not None
    axis, (cpu, gpu) = found
    assert axis.logarithmic
    assert len(cpu.line) == len(gpu.line) == 60
    assert gpu.line.index("|") < 10
    assert cpu.line.index("|") > 50
    alone = strips(trial.legs[:1], 60)
    assert alone is not None
    assert not alone[0].logarithmic


def test_blocks_stand_in_the_strips_where_no_single_step_was_timed() -> None:
    (trial,) = faster().trials
    legs = tuple(leg._replace(blocks=tuple(one._replace(singles=()) for one in leg.blocks)) for leg in trial.legs)
    text = terminal.render(faster()._replace(trials=(trial._replace(legs=legs),)))
    assert "blocks' means on a logarithmic axis, | median: cpu 8, gpu:0 8" in text


def test_what_was_left_out_is_not_in_the_strips() -> None:
    result = fixed(bench_results.result(left_out=dict.fromkeys(range(8), ("clocks",))))
    assert strips(result.trials[0].legs[1:], 60) is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (number(0.041234), "0.0412"),
        (number(9.996), "10.0"),
        (number(65.31), "65.3"),
        (number(15_812.0), "15,800"),
        (number(0.0), "0"),
        (number(-3.14159), "-3.14"),
        (number(float("nan")), "not a number"),
        (duration(0.0653), "65.3 ms"),
        (duration(0.000_212), "0.212 ms"),
        (duration(0.000_012_3), "12.3 µs"),
        (duration(2.345), "2.35 s"),
        (step(Interval(0.0653, 0.0641, 0.0669)), "65.3 ms (64.1 to 66.9)"),
        (percent(0.0844), "8.4 %"),
        (percent(0.664), "66 %"),
        (percent(0.000_184), "0.018 %"),
        (setup(0.9), "0.9 s"),
        (setup(38.2), "38 s"),
        (setup(125.0), "2 min 05 s"),
        (span(8.4), "8 s"),
    ],
)
def test_amounts_have_three_significant_digits_and_a_unit_that_fits(said: str, told: str) -> None:
    assert said == told


# Markdown and HTML


def named(text: str) -> Result:
    return spoiled(faster(), text)


@pytest.mark.slow
@given(st.text(alphabet="`~<>|&\\[]()@#\n *_ab:/-", max_size=30))
@examples(40)
def test_no_string_can_act_as_markdown(text: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse(markdown.render(named(text)))
    html_blocks = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert html_blocks == ["<details><summary>How it was measured</summary>", "</details>"]
    inline = [one for token in tokens for one in token.children or ()]
    assert {one.content for one in inline if one.type == "html_inline"} <= {"<!-- -->"}
    assert not [one for one in inline if one.type in ("link_open", "image", "code_inline")]
    assert sum(token.type == "table_open" for token in tokens) == 1
    assert sum(token.type == "td_open" for token in tokens) == 16


class Page(Reader):
    """A whole page: its head has tags without an end."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "meta":
            self.open.pop()


@pytest.mark.slow
@given(st.text(max_size=30))
@examples(30)
def test_whatever_a_machine_is_called_the_page_stays_well_formed(text: str) -> None:
    page = Page()
    page.feed(html.render(named(text), with_pictures=False))
    page.close()
    assert not page.open
    assert "script" not in page.tags
    assert " ".join(plain(text).split()) in " ".join(page.text.split())


def test_the_page_has_a_language_a_heading_and_headed_tables_and_loads_nothing() -> None:
    text = html.render(sweep(), with_pictures=False)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert text.count("<h1>") == 1
    assert text.count("<caption>") == text.count("<table ") == 2
    assert "<th>" not in text  # each says of what it is the heading
    assert not re.search(r"https?://|<script|@import|url\(", text)


def test_the_page_says_what_would_bring_pictures_where_matplotlib_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # what Python itself does for "not to be found"
    assert "There are none: pictures need matplotlib, which the extra gpucheck-cli[plot] brings" in html.render(
        faster()
    )


def test_no_format_but_pictures_loads_matplotlib() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); import bench_results\n"
        "from gpucheck.render.bench import html, json, markdown, progress, terminal\n"
        "result = bench_results.result()\n"
        "html.render(result, False), json.render(result), markdown.render(result), terminal.render(result)\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    root = Path(__file__).resolve().parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


# Pictures


PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*RESULTS, "nothing"])
def test_pictures_are_drawn_of_every_result(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    from gpucheck.render.bench import pictures

    result = faster()._replace(trials=(), samples=()) if name == "nothing" else RESULTS[name]()
    assert pictures.draw(result, "png").startswith(PNG)
    svg = pictures.draw(result, "svg").decode()
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    made = [picture.name for picture in pictures.separate(result)]
    wanted = {"nothing": [], "sweep": ["steps", "timeline", "batches"], "hostile": ["steps", "timeline", "batches"]}
    assert made == wanted.get(name, ["steps", "timeline"])
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.slow
def test_the_same_result_makes_the_same_svg_without_date_or_place() -> None:
    from gpucheck.render.bench import pictures

    one, other = pictures.draw(faster(), "svg"), pictures.draw(faster(), "svg")
    assert one == other
    assert not re.search(rb"dc:date|/home/|/root|/work", one)


@pytest.mark.slow
def test_telemetry_that_is_missing_has_no_empty_row() -> None:
    from gpucheck.render.bench import timeline

    full, bare = faster(), faster()._replace(samples=())
    assert timeline.timeline_height(full) > timeline.timeline_height(without_gpu()) > timeline.timeline_height(bare) > 0
    assert "power" not in timeline.timeline_alt(without_gpu())


@pytest.mark.slow
def test_the_page_holds_its_pictures_in_the_page_s_own_colours_and_no_name_twice() -> None:
    text = html.render(sweep())
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names)) > 50
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
    assert used
    assert set(used) <= set(names)
    assert text.count('role="img"') == 3
    assert "currentColor" in text
    assert "#010203" not in text
    assert "#040506" not in text
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", text)


@pytest.mark.slow
@given(anything(Result))
@examples(25)
def test_pictures_of_every_result_that_the_contract_allows(result: Result) -> None:
    from gpucheck.render.bench import pictures

    assert pictures.draw(result, "svg")
    assert html.render(result)


# Progress


class Left(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def run(shown: progress.Progress) -> None:
    shown.begin("batch 64")
    shown.phase("gpu:0: first step")
    shown.note(HOSTILE)
    shown.phase("measuring")
    for done in range(3):
        shown.round(done, 3, 1.0 * (3 - done), "9.21 times")
    shown.close()
    shown.close()


def wait_for(stream: io.StringIO, text: str) -> None:
    until = time.monotonic() + 5
    while text not in stream.getvalue():
        assert time.monotonic() < until, stream.getvalue()
        time.sleep(0.005)


def test_in_a_pipe_a_line_comes_when_something_changed_and_a_sign_of_life_when_nothing_does() -> None:
    stream = io.StringIO()
    shown = progress.Lines(stream, quiet=0.01, beat=0.05)
    shown.begin("batch 64")
    shown.phase("gpu:0, first step")
    wait_for(stream, "gpucheck: batch 64, gpu:0, first step\n")
    wait_for(stream, "gpucheck: batch 64, gpu:0, first step (0 s so far)\n")
    shown.round(3, 12, 20.4, "9.21 times")
    wait_for(stream, "gpucheck: batch 64, gpu:0, first step, round 3 of 12, about 20 s to go, 9.21 times\n")
    shown.close()


@pytest.mark.slow
def test_in_a_pipe_lines_come_no_more_often_than_promised() -> None:
    stream = io.StringIO()
    shown = progress.Lines(stream, quiet=0.1, beat=60)
    begun = time.monotonic()
    while time.monotonic() < begun + 0.25:
        shown.phase(f"phase {time.monotonic()}")
        time.sleep(0.005)
    shown.close()
    assert 2 <= len(stream.getvalue().splitlines()) <= 4


def test_on_a_terminal_notes_stay_and_nothing_hostile_gets_through() -> None:
    stream = io.StringIO()
    run(progress.start(stream, True, 60, color=False))
    text = re.sub(r"\x1b\[(\?25[lh]|\d*[AK]|2K|1A|\d*;?\d*m)", "", stream.getvalue()).replace("\r", "")
    assert "\\x1b[31mred" in text
    assert not FORBIDDEN.search(text)


@pytest.mark.parametrize("terminal_", [True, False])
def test_a_reader_who_has_left_disturbs_nothing(terminal_: bool) -> None:
    run(progress.start(Left(), terminal_, 60))


def test_without_a_stream_nothing_is_shown() -> None:
    run(progress.start(None, False))


def test_a_pipe_that_is_ascii_gets_ascii() -> None:
    raw = io.BytesIO()
    shown = progress.Lines(io.TextIOWrapper(raw, encoding="ascii", write_through=True), quiet=0.0)
    shown.note("µs")
    shown.close()
    assert raw.getvalue() == b"gpucheck: \\xb5s\n"


def test_part_names_are_shown_as_given() -> None:
    assert "XLA_FLAGS --x" in terminal.render(
        faster()._replace(environment=(Part("XLA_FLAGS", "--x"),)), verbose=True
    ).replace(": ", " ")
