"""One page: self-contained, without script and without network, for a browser and for paper, on light and on dark.

Its frame, style and pieces are those of all pages: gpucheck/render/web. `fill` puts the same into another page.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, fromstring

from gpucheck.facts.bench import Result
from gpucheck.render.bench.answer import answer
from gpucheck.render.bench.figures import Table, batches, devices
from gpucheck.render.bench.pictures import GRID, INK, NoPictures, Picture, separate
from gpucheck.render.bench.sections import blocks
from gpucheck.render.text import plain
from gpucheck.render.web import frame
from gpucheck.render.web.pieces import add, facts, folding, heading, loud, row, table, wide, words

STYLE = """
.faster strong { color: var(--ok); } .slower strong, .failed strong { color: var(--error); }
.same strong, .cpu strong { color: var(--note); } .cannot-tell strong { color: var(--unknown); }
.figures th, .figures td { text-align: right; vertical-align: bottom; }
.figures tbody th, .figures thead th:first-child { text-align: left; }
.figures tbody td, .figures tbody th { white-space: nowrap; } .figures { overflow-wrap: normal; }
"""


def render(result: Result, with_pictures: bool = True) -> str:
    """The page. Without matplotlib it says what would bring pictures; with_pictures False leaves them out."""
    title = f"gpucheck bench: {plain(result.settings.workload)}"
    page = frame.page(title, STYLE)
    add(page.main, "h1", title)
    fill(page.main, result, 2, with_pictures)
    add(page.foot, "p", f"gpucheck {result.version}, {result.taken}")
    return frame.render(page)


def fill(parent: Element, result: Result, level: int, with_pictures: bool = True, folded: bool = False) -> None:
    """All that there is to say of a result, under headings of that level. folded: how it was measured, on demand."""
    for said in answer(result):
        _said(parent, said.title, said.text, said.kind)
    _tables(parent, result, level)
    if with_pictures:
        _pictures(parent, result, level)
    title = "How it was measured"
    if not folded:
        heading(parent, level, title)
    body = folding(parent, title) if folded else parent
    facts(body, ((block.title, block.rows) for block in blocks(result, verbose=True)))


def _said(parent: Element, title: str, text: str, kind: str) -> None:
    if kind == "loud":
        loud(parent, title, text)
        return
    line = add(parent, "p", "", "reason" if kind == "reason" else f"said {kind}")
    if title:
        add(line, "strong", title)
    words(line, f" {text}" if title else text)


def _tables(parent: Element, result: Result, level: int) -> None:
    if result.trials and result.trials[0].legs:
        size = f"at batch size {result.trials[0].batch_size}"
        _table(parent, devices(result.trials[0]), "Devices", size, level)
    sweep = batches(result)
    if sweep is not None:
        what = "median step, and how many times as long the CPU takes (95 % interval)"
        _table(parent, sweep, "Batch sizes", what, level)


def _table(parent: Element, shown: Table, title: str, caption: str, level: int) -> None:
    heading(parent, level, title)
    body = table(wide(parent, title), caption, (column.long for column in shown.columns), "figures")
    for name, *cells in shown.rows:
        row(body, name, cells)


def _pictures(parent: Element, result: Result, level: int) -> None:
    try:
        made = separate(result)
    except NoPictures as error:
        heading(parent, level, "Pictures")
        add(parent, "p", f"There are none: {error}")
        return
    for picture in made:
        heading(parent, level, picture.title)
        figure = add(parent, "figure")
        wide(figure, picture.title).append(_svg(picture))
        add(figure, "figcaption", picture.alt)


_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def _svg(picture: Picture) -> Element:
    """matplotlib's drawing as a part of the page: its colours of text and grid, no name that another drawing has."""
    root = fromstring(picture.svg)
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag.endswith(("}metadata", "}style"))]:
            parent.remove(child)
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
        one.attrib = {
            name.rpartition("}")[2]: _local(name.rpartition("}")[2], value, picture.name)
            for name, value in one.attrib.items()
        }
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", picture.title)  # the words are the caption
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    return root


def _local(attribute: str, value: str, name: str) -> str:
    if attribute == "id":
        return f"{name}-{value}"
    if attribute == "href" and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    value = _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", value)
    return value.replace(INK, "currentColor").replace(GRID, "var(--line)")
