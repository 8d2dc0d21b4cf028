"""One page of thousands of nodes: self-contained, readable without script, on light and dark, and of bounded size.

Built by ElementTree, which escapes what it writes; piece by piece, because the pieces are counted: what would make the
page too large for a browser is left to --format json, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from gpucheck.findings import Finding, Severity
from gpucheck.fleet.grouping import told
from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet, Group, Over, State
from gpucheck.render.fleet.words import MARK, closing, headline, share
from gpucheck.render.text import plain, shorten

MOST_BYTES = 4_500_000
_FOR_STATES = 2_500_000  # of these, so that the nodes' own table has room
_FOR_FINDINGS = 1_000_000
_CASES = 20

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1a1a1a; --soft: #595959; --line: #d8d8d8; --shade: #f3f4f6;
  --ok: #176b35; --error: #b3261e; --warning: #8a4b00; --note: #0b5a8a; --unknown: #7a3a9e; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --ink: #e8e8e8; --soft: #a8adb4; --line: #3a4048; --shade: #20252b;
    --ok: #6fd08c; --error: #ff8a80; --warning: #f0b35c; --note: #7cc4f0; --unknown: #d3a4f0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 75rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; margin: 0 0 .6rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; display: inline; }
.said { font-size: 1.15rem; margin: 0; }
.ok { color: var(--ok); } .error { color: var(--error); } .warning { color: var(--warning); }
.note { color: var(--note); } .unknown { color: var(--unknown); }
.soft { color: var(--soft); } p { margin: .3rem 0; }
details { border-left: 4px solid var(--line); padding: .2rem .8rem; margin: .5rem 0; }
details.error { border-color: var(--error); } details.warning { border-color: var(--warning); }
details.error, details.warning, details.note { color: inherit; }
summary { cursor: pointer; padding: .2rem 0; }
summary .error, summary .warning, summary .note { font-weight: 600; }
pre { white-space: pre-wrap; margin: .4rem 0; padding: .5rem .7rem; background: var(--shade); }
code { font-size: .92em; }
.wide { overflow-x: auto; } .wide:focus { outline: 2px solid var(--note); }
table { border-collapse: collapse; width: 100%; min-width: 46rem; font-variant-numeric: tabular-nums;
  overflow-wrap: break-word; }
td.names { overflow-wrap: anywhere; min-width: 12rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { font-size: .85rem; } tbody th { font-weight: 600; }
td.count { text-align: right; white-space: nowrap; }
tbody tr { content-visibility: auto; contain-intrinsic-size: auto 2rem; }
label { display: block; margin: .5rem 0; } input { font: inherit; padding: .2rem .4rem; max-width: 100%; }
footer { margin-top: 2rem; color: var(--soft); font-size: .85rem; }
@media print { body { max-width: none; padding: 0; } .wide { overflow: visible; } table { min-width: 0; }
  tr { break-inside: avoid; }
  h2 { break-after: avoid; } label { display: none; } }
"""

# Without it the table is whole; with it, one can look for a name.
_SCRIPT = """
const box = document.getElementById("filter"), rows = document.querySelectorAll("#nodes tbody tr");
box.parentElement.hidden = false;
box.addEventListener("input", () => {
  const wanted = box.value.toLowerCase();
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
"""


def render(fleet: Fleet, strict: bool = False) -> str:
    head = Element("head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    _add(head, "title", f"gpucheck fleet: {fleet.verdict}")
    SubElement(head, "style").text = _STYLE
    page = _Page([f'<!DOCTYPE html>\n<html lang="en">{_text(head)}<body><main>'])
    page.add(_element("h1", "gpucheck fleet"))
    said = Element("p", {"class": "said"})
    _add(said, "strong", fleet.verdict.upper(), fleet.verdict).tail = f" {plain(headline(fleet))}"
    page.add(said)
    _section(page, "On nodes", (_group(one, len(fleet.nodes)) for one in fleet.groups), _FOR_FINDINGS)
    _section(page, "Between nodes", (_over(one) for one in fleet.over), _FOR_FINDINGS)
    _states(page, fleet)
    _nodes(page, fleet)
    foot = Element("footer")
    _add(foot, "p", f"{closing(fleet)}. gpucheck {fleet.version}")
    page.parts.append(f"{_text(foot)}</main><script>{_SCRIPT}</script></body></html>\n")
    return "".join(page.parts)


class _Page:
    """Pieces of the page, and how many bytes they have."""

    def __init__(self, parts: list[str]) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))

    def add(self, element: Element, most: int = MOST_BYTES) -> bool:
        """False: it would make the page larger than that, and is left out."""
        text = _text(element)
        size = len(text.encode("utf-8"))
        if self.size + size > most:
            return False
        self.parts.append(text)
        self.size += size
        return True

    def add_all(self, elements: Iterable[Element], most: int) -> int:
        """How many were left out."""
        left, full = 0, False
        for one in elements:
            full = full or not self.add(one, most)
            left += full
        return left


def _text(element: Element) -> str:
    return tostring(element, encoding="unicode", method="html") + "\n"


def _element(tag: str, text: str, kind: str = "") -> Element:
    made = Element(tag, {"class": kind} if kind else {})
    made.text = plain(text)
    return made


def _add(parent: Element, tag: str, text: str, kind: str = "", **attributes: str) -> Element:
    child = SubElement(parent, tag, {**({"class": kind} if kind else {}), **attributes})
    child.text = plain(text)
    return child


def _section(page: _Page, title: str, pieces: Iterable[Element], most: int) -> None:
    page.add(_element("h2", title))
    before = len(page.parts)
    left = page.add_all(pieces, page.size + most)
    if left:
        page.add(_element("p", f"{left} more do not fit on a page; --format json has all.", "soft"))
    elif len(page.parts) == before:
        page.add(_element("p", "Nothing.", "soft"))


def _over(one: Over) -> Element:
    made = _folding(one.finding.severity, one.finding.name, one.peers)
    _add(made, "p", one.finding.message)
    _where(made, one.nodes)
    _evidence(made, one.finding)
    return made


def _group(group: Group, of: int) -> Element:
    made = _folding(group.severity, group.name, share(len(group.nodes), of))
    for case in group.cases[:_CASES]:
        _add(made, "p", f"{len(case.nodes):,} × {case.message}")
        _where(made, case.nodes)
    if len(group.cases) > _CASES:
        _add(made, "p", f"and {len(group.cases) - _CASES} more forms", "soft")
    _evidence(made, group.example)
    return made


def _folding(severity: Severity, name: str, beside: str) -> Element:
    made = Element("details", {"class": MARK[severity]})
    if severity is Severity.ERROR:
        made.set("open", "")
    heading = SubElement(SubElement(made, "summary"), "h3")
    _add(heading, "span", MARK[severity], MARK[severity]).tail = f" {plain(name)}: {plain(beside)}"
    return made


def _where(parent: Element, nodes: tuple[str, ...]) -> None:
    _add(_add(parent, "p", "on ", "soft"), "code", shorten(folded(nodes, 40), 2000))


def _evidence(parent: Element, finding: Finding) -> None:
    for one in finding.evidence:
        line = _add(parent, "p", f"{one.fact}: ", "soft")
        _add(line, "code", shorten(one.value)).tail = f" ({plain(one.source)})"
    if finding.fix:
        made = SubElement(parent, "pre")
        made.text = "\n".join(plain(line) for line in finding.fix)


def _states(page: _Page, fleet: Fleet) -> None:
    page.add(_element("h2", "States"))
    _table(
        page, "states", "Nodes that look alike, worst first", ("nodes", "verdict", "what they have", "found", "which")
    )
    left = page.add_all((_state(one) for one in fleet.states), page.size + _FOR_STATES)
    page.parts.append("</tbody></table></div>\n")
    if left:
        page.add(_element("p", f"{left} more states do not fit on a page; --format json has all.", "soft"))


def _state(state: State) -> Element:
    row = Element("tr")
    _add(row, "td", f"{len(state.nodes):,}", "count")
    _add(row, "td", state.verdict, state.verdict)
    _add(row, "td", "; ".join(state.words))
    _add(row, "td", ", ".join(state.findings))
    _add(row, "td", shorten(folded(state.nodes, 12), 300), "names")
    return row


def _nodes(page: _Page, fleet: Fleet) -> None:
    page.add(_element("h2", "All nodes"))
    box = Element("label", {"hidden": "", "for": "filter"})
    box.text = "Show only "
    SubElement(box, "input", {"id": "filter", "type": "search"})
    page.add(box)
    _table(page, "nodes", "Every node by name", ("node", "verdict", "GPUs", "driver", "found"))
    left = page.add_all(_node_rows(fleet), MOST_BYTES - 2000)
    page.parts.append("</tbody></table></div>\n")
    if left:
        page.parts.append(
            _text(_element("p", f"{left:,} more nodes do not fit on a page; --format json has all.", "soft"))
        )


def _node_rows(fleet: Fleet) -> Iterator[Element]:
    for node in fleet.nodes:
        row = Element("tr")
        _add(row, "th", shorten(plain(node.name), 80), scope="row")
        _add(row, "td", node.verdict, node.verdict)
        count = "" if node.gpu_count is None else f"{node.gpu_count} × "
        _add(row, "td", shorten(plain(f"{count}{node.peers or ''}"), 60))
        _add(row, "td", shorten(plain(next((one.value for one in node.marks if one.label == "driver"), "")), 30))
        names = told(node)
        _add(row, "td", ", ".join(names[:6]) + (" …" if len(names) > 6 else ""))
        yield row


def _table(page: _Page, name: str, caption: str, columns: tuple[str, ...]) -> None:
    head = "".join(f'<th scope="col">{one}</th>' for one in columns)
    page.parts.append(
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption}"><table id="{name}">'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n"
    )
