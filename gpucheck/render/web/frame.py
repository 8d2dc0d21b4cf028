"""The frame of a page: its head, its style, where its content goes, and what a browser may do with it (nothing)."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

from gpucheck.render.web.pieces import add, text_of
from gpucheck.render.web.style import STYLE


class Page(NamedTuple):
    """A page that is being made: put the content into `main`; `foot` stands below."""

    root: Element
    main: Element
    foot: Element


def page(title: str, style: str = "") -> Page:
    """An empty page. style: rules beyond the common ones, of this kind of page alone."""
    root = Element("html", {"lang": "en"})
    root.append(_head(title, style))
    body = SubElement(root, "body")
    return Page(root, SubElement(body, "main"), SubElement(body, "footer"))


def render(made: Page) -> str:
    """The whole file."""
    return f"<!DOCTYPE html>\n{text_of(made.root)}"


def opening(title: str, style: str = "", script: str = "") -> str:
    """For a page that is written piece by piece: all up to the content. script: the one that `closing` writes."""
    return f'<!DOCTYPE html>\n<html lang="en">{text_of(_head(title, style, script))}<body><main>'


def closing(foot: Element, script: str = "") -> str:
    """All after the content."""
    told = f"<script>{script}</script>" if script else ""
    return f"</main>{text_of(foot)}{told}</body></html>\n"


def _head(title: str, style: str, script: str = "") -> Element:
    head = Element("head")
    add(head, "meta", charset="utf-8")
    add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    add(head, "meta", name="color-scheme", content="light dark")
    # Belt and braces: even if a string of a machine became markup, nothing would run and nothing be fetched.
    policy = f"default-src 'none'; style-src 'unsafe-inline'{_allowed(script)}; base-uri 'none'; form-action 'none'"
    add(head, "meta", http_equiv="Content-Security-Policy", content=policy)
    add(head, "title", title)
    SubElement(head, "style").text = STYLE + style
    return head


def _allowed(script: str) -> str:
    """This very script and no other."""
    if not script:
        return ""
    from base64 import b64encode
    from hashlib import sha256

    return f"; script-src 'sha256-{b64encode(sha256(script.encode('utf-8')).digest()).decode('ascii')}'"
