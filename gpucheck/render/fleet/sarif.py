"""SARIF 2.1.0: one result for each finding and its distinct form, on the file of the first node that has it.

Its message names all nodes. The blocks are those of `gpucheck.render.sarif`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet
from gpucheck.render.sarif import LEVEL, document, invocation, location, open_result, path_of, result
from gpucheck.render.text import plain, shorten

_MOST_LOCATIONS = 100  # of one result: GitHub shows no more
_MOST = 2000  # characters of a message


def render(fleet: Fleet, strict: bool = False) -> str:
    sources = {node.name: node.source for node in fleet.nodes}
    results = [*_groups(fleet, sources), *_over(fleet, sources), *_left_open(fleet, sources)]
    return document(fleet.version, results, invocation(fleet.exit_code(strict), [], fleet.ignored))


Sources = dict[str, str]


def _groups(fleet: Fleet, sources: Sources) -> Iterator[dict[str, Any]]:
    for group in fleet.groups:
        for case in group.cases:
            places = _places(case.nodes, sources)
            yield result(group.name, LEVEL[group.severity], _text(case.message, case.nodes), places, "")


def _over(fleet: Fleet, sources: Sources) -> Iterator[dict[str, Any]]:
    for one in fleet.over:
        name, text = one.finding.name, _text(one.finding.message, one.nodes, f" ({one.peers})")
        yield result(name, LEVEL[one.finding.severity], text, _places(one.nodes, sources), one.peers)


def _left_open(fleet: Fleet, sources: Sources) -> Iterator[dict[str, Any]]:
    nodes: dict[tuple[str, str], list[str]] = {}
    for node in fleet.nodes:
        for one in node.skipped if node.verdict == "unknown" else ():
            nodes.setdefault((one.name, one.reason), []).append(node.name)
    for (name, reason), names in nodes.items():
        yield open_result(name, _text(f"Could not be judged: {reason}.", names), _places(names, sources))


def _text(message: str, nodes: Sequence[str], more: str = "") -> str:
    return f"{shorten(plain(message), _MOST)} On {plain(folded(tuple(nodes), 20))}{plain(more)}.".replace("](", "] (")


def _places(nodes: Sequence[str], sources: Sources) -> list[dict[str, Any]]:
    return [location(path_of(sources.get(node, node)), name=node) for node in nodes[:_MOST_LOCATIONS]]
