"""What was given instead of a machine or beside it: logs with every line that gpucheck knows, container files."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from gpucheck.findings import Report
from gpucheck.render.containers import container_rows
from gpucheck.render.logs import log_rows
from gpucheck.render.text import plain, shorten
from gpucheck.render.web.pieces import add, badge, heading, words

_MOST_LINES = 300


def log(parent: Element, report: Report, level: int) -> None:
    """The section, where a log was given."""
    read = report.snapshot.log
    if read is None:
        return
    heading(parent, level, "Log")
    for one in log_rows(read):
        add(parent, "p", shorten(plain(one), 400))
    listed = add(parent, "ol", "", "clues") if read.clues else parent
    for clue in read.clues[:_MOST_LINES]:
        item = add(listed, "li")
        head = add(item, "p", "", "head")
        place = "standard input" if clue.file == "-" else clue.file
        add(head, "span", f"{place}, line {clue.line}", "soft")
        words(head, " ")
        badge(head, clue.message, "soft")
        if clue.times > 1:
            words(head, f" {clue.times:,} times")
        add(item, "pre", shorten(plain(clue.text), 500))
    if len(read.clues) > _MOST_LINES:
        add(parent, "p", f"and {len(read.clues) - _MOST_LINES} more (--format json has all)", "soft")


def files(parent: Element, report: Report, level: int) -> None:
    """Dockerfiles and compose files, where some were given."""
    read = report.snapshot.containers
    if read is None:
        return
    heading(parent, level, "Container files")
    box = add(add(parent, "div", "", "card"), "ul", "", "rows")
    for one in container_rows(read):
        add(box, "li", shorten(plain(one), 400))
