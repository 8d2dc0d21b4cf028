"""What was judged and what was not, and all facts, folded away."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from gpucheck.findings import Report
from gpucheck.render.causes import verdict
from gpucheck.render.details import detail_blocks, skipped_block
from gpucheck.render.summary import blocks
from gpucheck.render.text import count, plain, shorten
from gpucheck.render.web.pieces import add, folding, heading

_OWN = ("Checked", "Skipped", "Ignored")
_MOST_ROWS = 400  # of one subject


def rules(parent: Element, report: Report, level: int) -> None:
    """Which rules were checked, skipped with their reasons, and waved through."""
    heading(parent, level, "Rules")
    add(parent, "p", verdict(report))
    if report.skipped:
        body = folding(parent, f"{count(len(report.skipped), 'rule')} could not be judged", kind="printed")
        listed = add(body, "ul", "", "rows")
        for reason, names in _reasons(report):
            item = add(listed, "li", shorten(plain(reason), 400))
            add(item, "p", names, "soft")
    if report.checked:
        _names(folding(parent, f"{count(len(report.checked), 'rule')} checked"), report.checked)
    if report.ignored:
        _names(
            folding(parent, f"{count(len(report.ignored), 'rule')} left out as asked", kind="printed"), report.ignored
        )


def _reasons(report: Report) -> list[tuple[str, str]]:
    """By reason, as `skipped_block` has them."""
    split = (one.rpartition(": ") for one in skipped_block(report).rows)
    return [(reason, names) for reason, _, names in split]


def _names(parent: Element, names: Iterable[str]) -> None:
    listed = add(parent, "ul", "", "names")
    for name in names:
        add(add(listed, "li"), "code", name)


def every_fact(parent: Element, report: Report, level: int) -> None:
    """All facts, folded away: what `--verbose` shows in a terminal."""
    heading(parent, level, "All facts")
    shown = [*blocks(report.snapshot), *(one for one in detail_blocks(report) if one.title not in _OWN)]
    box = add(parent, "div", "", "card facts-of-all")
    for block in shown:
        body = folding(box, f"{block.title} ({len(block.rows)})")
        listed = add(body, "ul", "", "rows")
        for one in block.rows[:_MOST_ROWS]:
            add(listed, "li", shorten(plain(one.strip()), 600))
        if len(block.rows) > _MOST_ROWS:
            add(body, "p", f"and {len(block.rows) - _MOST_ROWS} more (--format json has all)", "soft")
