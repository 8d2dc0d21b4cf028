"""The pieces of a page: each takes its parent and texts as the machine gave them, and makes them `plain`.

No markup is ever put together from strings: whatever a text holds, it stays a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from gpucheck.render.text import plain, shorten

MOST_WORDS = 4000  # characters of one text; a machine may call itself anything, and no page should carry a megabyte
Kind = Literal["ok", "error", "warning", "note", "unknown", "soft", ""]  # what colours a word


def element(tag: str, text: str = "", kind: str = "", **attributes: str) -> Element:
    """An element. kind: its classes. ``aria_label`` and ``class_`` are written ``aria-label`` and ``class``."""
    made = Element(tag, {"class": kind} if kind else {})
    for name, value in attributes.items():
        made.set(name.rstrip("_").replace("_", "-"), shorten(plain(value), MOST_WORDS))
    if text:
        made.text = shorten(plain(text), MOST_WORDS)
    return made


def add(parent: Element, tag: str, text: str = "", kind: str = "", **attributes: str) -> Element:
    """An element at the end of another."""
    made = element(tag, text, kind, **attributes)
    parent.append(made)
    return made


def words(parent: Element, text: str) -> None:
    """Text after what stands in `parent` already."""
    told = shorten(plain(text), MOST_WORDS)
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + told
    else:
        parent.text = (parent.text or "") + told


def heading(parent: Element, level: int, text: str, kind: str = "", **attributes: str) -> Element:
    """``<h2>`` … ``<h6>``."""
    return add(parent, f"h{min(level, 6)}", text, kind, **attributes)


def badge(parent: Element, text: str, kind: str) -> Element:
    """A word in the colour of what it says: ok, error, warning, note, unknown."""
    return add(parent, "span", text, f"badge {kind}")


def loud(parent: Element, title: str, text: str) -> None:
    """What nobody may overlook, on paper neither: SIMULATED."""
    line = add(parent, "p", "", "loud")
    add(line, "strong", title)
    words(line, f" {text}")


def folding(parent: Element, title: str, open: bool = False, kind: str = "") -> Element:
    """What is folded away until a reader wants it. With the class "printed" it is open on paper."""
    made = add(parent, "details", "", kind)
    if open:
        made.set("open", "")
    add(made, "summary", title)
    return made


def wide(parent: Element, label: str) -> Element:
    """What may be wider than a telephone: it scrolls in its own frame, by keyboard, too."""
    return add(parent, "div", "", "wide", tabindex="0", role="region", aria_label=label)


def table(parent: Element, caption: str, columns: Iterable[str], kind: str = "", **attributes: str) -> Element:
    """A table with its heads; gives its body, for `row`."""
    made = add(parent, "table", "", kind, **attributes)
    add(made, "caption", caption)
    head = SubElement(SubElement(made, "thead"), "tr")
    for column in columns:
        add(head, "th", column, scope="col")
    return SubElement(made, "tbody")


def row(body: Element, title: str, cells: Iterable[str]) -> Element:
    """One row: its heading and its cells."""
    made = SubElement(body, "tr")
    add(made, "th", title, scope="row")
    for cell in cells:
        add(made, "td", cell)
    return made


def facts(parent: Element, shown: Iterable[tuple[str, Sequence[str]]], most: int = 400) -> None:
    """Titles and their rows, as `summary.Block` has them; rows that begin with blanks belong to the one above.

    most: characters of a row.
    """
    found: Element | None = None
    for title, rows in shown:
        if not rows:
            continue
        if found is None:
            found = add(parent, "dl", "", "facts")
        add(found, "dt", title)
        body = SubElement(found, "dd")
        for one in rows:
            add(body, "p", shorten(plain(one.strip()), most), "words" if one.startswith("  ") else "")


def commands(parent: Element, lines: Sequence[str], style: str = "") -> None:
    """Lines for a shell, to be copied whole: half a command is worse than none. style: where there is no sheet."""
    if not lines:
        return
    made = add(parent, "pre", **({"style": style} if style else {}))
    for at, line in enumerate(lines):
        told = plain(line)
        if len(told) > MOST_WORDS:
            told = f"# A line of {len(told)} characters is left out here; --format json has it."
        one = SubElement(made, "span", {"class": "comment"} if told.startswith("#") else {})
        one.text = told
        one.tail = "\n" if at < len(lines) - 1 else None


def text_of(made: Element) -> str:
    """As HTML, with its end of line. In ASCII with references, so that no pipe and no code page spoils a sign."""
    told: bytes = tostring(made, encoding="us-ascii", method="html")
    return told.decode("ascii") + "\n"
