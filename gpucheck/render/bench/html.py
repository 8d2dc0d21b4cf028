"""One page: self-contained, without script and without network, for a browser and for paper, on light and on dark.

Built as a tree by the standard library's ElementTree, which escapes every text and attribute as it writes: there is
no place where a string of the machine could be forgotten. A template engine would be one dependency more for a page.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from gpucheck.facts.bench import Result
from gpucheck.render.bench.answer import answer
from gpucheck.render.bench.figures import Table, batches, devices
from gpucheck.render.bench.pictures import GRID, INK, NoPictures, Picture, separate
from gpucheck.render.bench.sections import blocks
from gpucheck.render.summary import Block
from gpucheck.render.text import plain

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1a1a1a; --soft: #595959; --line: #d8d8d8; --shade: #f3f4f6;
  --faster: #176b35; --slower: #b3261e; --same: #0b5a8a; --cannot-tell: #7a3a9e; --failed: #b3261e; --cpu: #0b5a8a; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --ink: #e8e8e8; --soft: #a8adb4; --line: #3a4048; --shade: #20252b;
    --faster: #6fd08c; --slower: #ff8a80; --same: #7cc4f0; --cannot-tell: #d3a4f0; --failed: #ff8a80; --cpu: #7cc4f0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; margin: 0 0 1rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
p { margin: .4rem 0; }
.said { font-size: 1.15rem; }
.said strong { margin-right: .5rem; }
.faster strong { color: var(--faster); } .slower strong { color: var(--slower); } .same strong { color: var(--same); }
.cannot-tell strong { color: var(--cannot-tell); } .failed strong { color: var(--failed); }
.cpu strong { color: var(--cpu); }
.reason { margin-left: 1.2rem; color: var(--soft); }
.loud { border: 3px solid #b98d00; padding: .5rem .8rem; font-weight: bold; }
.wide { overflow-x: auto; }
.wide:focus { outline: 2px solid var(--same); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: bottom; }
th:first-child { text-align: left; } thead th { font-weight: 600; font-size: .85rem; }
tbody td, tbody th { white-space: nowrap; }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .35rem 1rem; margin: 0; }
dt { font-weight: 600; } dd { margin: 0; } dd p { margin: 0; }
dd p.words { padding-left: 1.2rem; color: var(--soft); }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .85rem; }
svg { display: block; width: 100%; min-width: 34rem; height: auto; }
svg text { font-family: "DejaVu Sans", Verdana, sans-serif; }
footer { margin-top: 2rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dt { margin-top: .6rem; } }
@media print { body { max-width: none; padding: 0; } .wide { overflow: visible; } svg { min-width: 0; }
  figure, tr, dd { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def render(result: Result, with_pictures: bool = True) -> str:
    """The page. Without matplotlib it says what would bring pictures; with_pictures False leaves them out."""
    title = f"gpucheck bench: {plain(result.settings.workload)}"
    page = Element("html", {"lang": "en"})
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    _add(head, "title", title)
    _add(head, "style", _STYLE)
    main = SubElement(SubElement(page, "body"), "main")
    _add(main, "h1", title)
    for said in answer(result):
        _said(main, said.title, said.text, said.kind)
    _tables(main, result)
    if with_pictures:
        _pictures(main, result)
    _add(main, "h2", "How it was measured")
    _blocks(main, blocks(result, verbose=True))
    _add(SubElement(page[1], "footer"), "p", f"gpucheck {result.version}, {result.taken}")
    return "<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def _add(parent: Element, tag: str, text: str, **attributes: str) -> Element:
    child = SubElement(parent, tag, {name.rstrip("_"): plain(value) for name, value in attributes.items()})
    child.text = text if tag == "style" else plain(text)
    return child


def _said(parent: Element, title: str, text: str, kind: str) -> None:
    line = SubElement(parent, "p", {"class": "reason" if kind == "reason" else f"said {kind}"})
    if not title:
        line.text = plain(text)
        return
    strong = _add(line, "strong", title)
    strong.tail = f" {plain(text)}"


def _tables(parent: Element, result: Result) -> None:
    if result.trials and result.trials[0].legs:
        _table(parent, devices(result.trials[0]), "Devices", f"at batch size {result.trials[0].batch_size}")
    sweep = batches(result)
    if sweep is not None:
        _table(parent, sweep, "Batch sizes", "median step, and how many times as long the CPU takes (95 % interval)")


def _table(parent: Element, table: Table, title: str, caption: str) -> None:
    _add(parent, "h2", title)
    frame = _wide(parent, title)
    made = SubElement(frame, "table")
    _add(made, "caption", caption)
    head = SubElement(SubElement(made, "thead"), "tr")
    for column in table.columns:
        _add(head, "th", column.long, scope="col")
    body = SubElement(made, "tbody")
    for heading, *cells in table.rows:
        row = SubElement(body, "tr")
        _add(row, "th", heading, scope="row")
        for cell in cells:
            _add(row, "td", cell)


def _wide(parent: Element, label: str) -> Element:
    """What may be wider than a telephone: it scrolls in its own frame, by keyboard, too."""
    return SubElement(parent, "div", {"class": "wide", "tabindex": "0", "role": "region", "aria-label": label})


def _pictures(parent: Element, result: Result) -> None:
    try:
        made = separate(result)
    except NoPictures as error:
        _add(parent, "h2", "Pictures")
        _add(parent, "p", f"There are none: {error}")
        return
    for picture in made:
        _add(parent, "h2", picture.title)
        figure = SubElement(parent, "figure")
        _wide(figure, picture.title).append(_svg(picture))
        _add(figure, "figcaption", picture.alt)


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


def _blocks(parent: Element, shown: tuple[Block, ...]) -> None:
    found = SubElement(parent, "dl")
    for block in shown:
        _add(found, "dt", block.title)
        body = SubElement(found, "dd")
        for row in block.rows:
            _add(body, "p", row.strip(), **({"class_": "words"} if row.startswith("  ") else {}))
