"""One page of thousands of nodes: self-contained, readable without script, on light and dark, and of bounded size.

Its frame, style and pieces are those of all pages (gpucheck/render/web), but it is written piece by piece, because the
pieces are counted: what would make the page too large for a browser is left to --format json, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from gpucheck.findings import Finding, Severity
from gpucheck.fleet.grouping import told
from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet, Group, Over, State
from gpucheck.render.causes import MARK
from gpucheck.render.fleet.words import closing, headline, share
from gpucheck.render.text import plain, shorten
from gpucheck.render.web import frame
from gpucheck.render.web.pieces import add, commands, element, text_of, words

MOST_BYTES = 4_500_000
_FOR_STATES = 2_500_000  # of these, so that the nodes' own table has room
_FOR_FINDINGS = 1_000_000
_CASES = 20

_STYLE = """
body { max-width: 78rem; }
h3 { font-size: 1rem; margin: 0; display: inline; }
details { border-left: 4px solid var(--line); padding: .2rem .8rem; }
details.error { border-color: var(--error); } details.warning { border-color: var(--warning); }
details.error, details.warning, details.note { color: inherit; }
table { min-width: 46rem; overflow-wrap: break-word; scroll-margin-top: 5rem; }
td.names { overflow-wrap: anywhere; min-width: 12rem; }
td.count { text-align: right; white-space: nowrap; }
tbody tr { content-visibility: auto; contain-intrinsic-size: auto 2rem; }
label { display: block; margin: .5rem 0; } input { font: inherit; padding: .2rem .4rem; max-width: 100%; }
@media screen and (max-width: 40rem) { td.count { text-align: left; } td.count::after { content: " \\d7"; }
  .stacked td.count, .stacked td.count + td, .stacked th + td, .stacked tbody th { display: inline; } }
@media print { table { min-width: 0; } label { display: none; } }
"""

# Without it the table is whole; with it, one can look for a name.
_SCRIPT = """
const box = document.getElementById("filter"), rows = [...document.querySelectorAll("#nodes tbody tr")];
let texts = null;
box.parentElement.hidden = false;
box.addEventListener("input", () => {
  texts ??= rows.map(row => row.textContent.toLowerCase());
  const wanted = box.value.toLowerCase();
  rows.forEach((row, at) => { row.hidden = !texts[at].includes(wanted); });
});
"""


def render(fleet: Fleet, strict: bool = False) -> str:
    page = _Page([frame.opening(f"gpucheck fleet: {fleet.verdict}", _STYLE, _SCRIPT)])
    page.add(element("h1", "gpucheck fleet"))
    said = element("p", "", "said")
    add(said, "strong", fleet.verdict.upper(), fleet.verdict)
    words(said, f" {headline(fleet)}")
    page.add(said)
    page.add(_ways(fleet))
    _section(page, "found", "On nodes", (_group(one, len(fleet.nodes)) for one in fleet.groups), _FOR_FINDINGS)
    _section(page, "between", "Between nodes", (_over(one) for one in fleet.over), _FOR_FINDINGS)
    _states(page, fleet)
    _nodes(page, fleet)
    foot = element("footer")
    add(foot, "p", f"{closing(fleet)}. gpucheck {fleet.version}")
    page.parts.append(frame.closing(foot, _SCRIPT))
    return "".join(page.parts)


def _ways(fleet: Fleet) -> Element:
    """To each part of a page that may be a thousand screens long."""
    made = element("p")
    parts = [("found", f"{len(fleet.groups)} findings on nodes"), ("between", f"{len(fleet.over)} between nodes")]
    parts += [("states", f"{len(fleet.states):,} states"), ("nodes", f"{len(fleet.nodes):,} nodes")]
    for at, (place, text) in enumerate(parts):
        words(made, ", " if at else "")
        add(made, "a", text, href=f"#{place}")
    return made


class _Page:
    """Pieces of the page, and how many bytes they have."""

    def __init__(self, parts: list[str]) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))

    def add(self, made: Element, most: int = MOST_BYTES) -> bool:
        """False: it would make the page larger than that, and is left out."""
        text = text_of(made)
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


def _section(page: _Page, place: str, title: str, pieces: Iterable[Element], most: int) -> None:
    head = element("h2", title)
    head.set("id", place)
    page.add(head)
    before = len(page.parts)
    left = page.add_all(pieces, page.size + most)
    if left:
        page.add(element("p", f"{left} more do not fit on a page; --format json has all.", "soft"))
    elif len(page.parts) == before:
        page.add(element("p", "Nothing.", "soft"))


def _over(one: Over) -> Element:
    made = _folding(one.finding.severity, one.finding.name, one.peers)
    add(made, "p", one.finding.message)
    _where(made, one.nodes)
    _evidence(made, one.finding)
    return made


def _group(group: Group, of: int) -> Element:
    made = _folding(group.severity, group.name, share(len(group.nodes), of))
    for case in group.cases[:_CASES]:
        add(made, "p", f"{len(case.nodes):,} × {case.message}")
        _where(made, case.nodes)
    if len(group.cases) > _CASES:
        add(made, "p", f"and {len(group.cases) - _CASES} more forms", "soft")
    _evidence(made, group.example, group.cases[0].nodes[0] if len(group.nodes) > 1 else "")
    return made


def _folding(severity: Severity, name: str, beside: str) -> Element:
    made = Element("details", {"class": MARK[severity]})
    if severity is Severity.ERROR:
        made.set("open", "")
    title = add(add(made, "summary"), "h3")
    add(title, "span", MARK[severity], f"badge {MARK[severity]}")
    words(title, f" {name}: {beside}")
    return made


def _where(parent: Element, nodes: tuple[str, ...]) -> None:
    add(add(parent, "p", "on ", "soft"), "code", shorten(folded(nodes, 40), 2000))


def _evidence(parent: Element, finding: Finding, on: str = "") -> None:
    """on: the node that it is of, where others have that finding, too."""
    if on and (finding.evidence or finding.fix):
        add(add(parent, "p", "Evidence and fix, of ", "soft"), "code", shorten(on, 80))
    for one in finding.evidence:
        line = add(parent, "p", f"{one.fact}: ", "soft")
        add(line, "code", shorten(one.value))
        words(line, f" ({one.source})")
    commands(parent, finding.fix)


def _states(page: _Page, fleet: Fleet) -> None:
    page.add(element("h2", "States"))
    _table(
        page, "states", "Nodes that look alike, worst first", ("nodes", "verdict", "found", "what they have", "which")
    )
    left = page.add_all((_state(one) for one in fleet.states), page.size + _FOR_STATES)
    page.parts.append("</tbody></table></div>\n")
    if left:
        page.add(element("p", f"{left} more states do not fit on a page; --format json has all.", "soft"))


def _state(state: State) -> Element:
    row = Element("tr")
    add(row, "td", f"{len(state.nodes):,}", "count")
    add(row, "td", state.verdict, state.verdict)
    add(row, "td", ", ".join(state.findings))
    add(row, "td", "; ".join(state.words))
    add(row, "td", shorten(folded(state.nodes, 12), 300), "names")
    return row


def _nodes(page: _Page, fleet: Fleet) -> None:
    page.add(element("h2", "All nodes"))
    box = Element("label", {"hidden": "", "for": "filter"})
    box.text = "Show only "
    add(box, "input", id="filter", type="search")
    page.add(box)
    _table(page, "nodes", "Every node by name", ("node", "verdict", "found", "GPUs", "driver"))
    left = page.add_all(_node_rows(fleet), MOST_BYTES - 2000)
    page.parts.append("</tbody></table></div>\n")
    if left:
        page.parts.append(
            text_of(element("p", f"{left:,} more nodes do not fit on a page; --format json has all.", "soft"))
        )


def _node_rows(fleet: Fleet) -> Iterator[Element]:
    for node in fleet.nodes:
        row = Element("tr")
        add(row, "th", shorten(plain(node.name), 80), scope="row")
        add(row, "td", node.verdict, node.verdict)
        names = told(node)
        add(row, "td", ", ".join(names[:6]) + (" …" if len(names) > 6 else ""))
        count = "" if node.gpu_count is None else f"{node.gpu_count} × "
        add(row, "td", shorten(plain(f"{count}{node.peers or ''}"), 60))
        add(row, "td", shorten(plain(next((one.value for one in node.marks if one.label == "driver"), "")), 30))
        yield row


def _table(page: _Page, name: str, caption: str, columns: tuple[str, ...]) -> None:
    head = "".join(f'<th scope="col">{one}</th>' for one in columns)
    page.parts.append(
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption}"><table id="{name}" class="stacked">'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n"
    )
