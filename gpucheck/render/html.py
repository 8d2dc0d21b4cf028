"""One page of one report or several: self-contained, without script, for a browser and for paper, on light and on dark.

Each section is a module of gpucheck/render/report; the frame, the style and the pieces are those of all pages,
gpucheck/render/web. A saved speed test (`Asked.bench`) is shown below, as its own page shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from gpucheck.findings import Report
from gpucheck.render.causes import headline, rehearsal, verdict
from gpucheck.render.formats import Asked, Named
from gpucheck.render.report import causes, given, libraries, machine, rules
from gpucheck.render.report.style import STYLE
from gpucheck.render.text import plain
from gpucheck.render.web import frame
from gpucheck.render.web.pieces import add, badge, heading, loud, words


def render(report: Report) -> str:
    """The page of one report."""
    return tell([("", report)], Asked())


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """The page. Several reports have a section each, under a list of them."""
    bench_style = ""
    if asked.bench is not None:
        from gpucheck.render.bench import html as bench

        bench_style = bench.STYLE
    page = frame.page(f"gpucheck doctor: {_title(reports)}", STYLE + bench_style)
    _simulated(page.main, reports)
    if len(reports) == 1:
        file, report = reports[0]
        add(page.main, "h1", f"gpucheck doctor: {file}" if file else "gpucheck doctor")
        _report(page.main, report, 2)
    else:
        add(page.main, "h1", f"gpucheck doctor: {_many(reports)}")
        _contents(page.main, reports)
        for at, (file, report) in enumerate(reports, 1):
            part = add(page.main, "section", "", "machine", aria_labelledby=f"machine-{at}")
            heading(part, 2, file, id=f"machine-{at}")
            _report(part, report, 3)
    if asked.bench is not None:
        heading(page.main, 2, "Speed, as gpucheck bench measured it")
        bench.fill(page.main, asked.bench, 3, folded=True)
    add(page.foot, "p", f"gpucheck {reports[0][1].version}. This page holds all that it shows: it loads nothing.")
    return frame.render(page)


def _title(reports: Sequence[Named]) -> str:
    told = reports[0][1].verdict if len(reports) == 1 else _many(reports)
    return f"SIMULATED, {told}" if any(report.simulated for _, report in reports) else told


def _many(reports: Sequence[Named]) -> str:
    given = any(report.snapshot.of_text_alone for _, report in reports)
    return f"{len(reports)} {'reports' if given else 'machines'}"


def _simulated(parent: Element, reports: Sequence[Named]) -> None:
    for said in dict.fromkeys(rehearsal(report) for _, report in reports if report.simulated):
        title, _, text = said.partition(": ")
        loud(parent, f"{title}:", text)


def _contents(parent: Element, reports: Sequence[Named]) -> None:
    listed = add(add(parent, "nav", aria_label="Reports"), "ul", "", "machines")
    for at, (file, report) in enumerate(reports, 1):
        item = add(listed, "li")
        badge(item, report.verdict, report.verdict)
        words(item, " ")
        add(item, "a", file, href=f"#machine-{at}")
        words(item, f" {headline(report)}")


def _report(parent: Element, report: Report, level: int) -> None:
    said = add(parent, "p", "", f"verdict {report.verdict}")
    add(said, "strong", report.verdict.upper())
    add(said, "span", headline(report))
    looked = f". Looked at {plain(report.snapshot.taken)}" if report.snapshot.taken else ""
    add(parent, "p", f"{verdict(report)}{looked}.", "soft")
    causes.causes(parent, report, level)
    given.log(parent, report, level)
    given.files(parent, report, level)
    if not report.snapshot.of_text_alone:
        for section in (machine.gpus, libraries.libraries, machine.driver, machine.environment):
            section(parent, report, level)
    rules.rules(parent, report, level)
    rules.every_fact(parent, report, level)
