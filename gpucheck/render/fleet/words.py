"""Sentences that all formats share."""

from __future__ import annotations

from collections import Counter

from gpucheck.findings import Severity
from gpucheck.fleet.nodes import Fleet, NodeVerdict
from gpucheck.render.text import count

SAID: dict[NodeVerdict, str] = {
    "ok": "fine",
    "warning": "with warnings",
    "error": "with errors",
    "unknown": "could not be judged",
}


def tally(fleet: Fleet) -> str:
    """``9,988 of 10,000 nodes fine, 8 with errors, 4 could not be judged``"""
    counts = Counter(node.verdict for node in fleet.nodes)
    parts = [f"{counts[one]:,} {words}" for one, words in SAID.items() if counts[one]]
    return f"{_nodes(len(fleet.nodes))}: {', '.join(parts) or 'none'}"


def headline(fleet: Fleet) -> str:
    """What a reader must know who reads no further."""
    worst = next((one for one in fleet.groups if one.severity is Severity.ERROR), None)
    return f"{tally(fleet)}; most often {worst.name} ({_nodes(len(worst.nodes))})" if worst else tally(fleet)


def closing(fleet: Fleet) -> str:
    """The verdict and the counts it comes from."""
    found = count(len(fleet.groups), "finding") + " of nodes"
    return f"{fleet.verdict}: {found}, {len(fleet.over)} between them; {count(len(fleet.states), 'distinct state')}"


def _nodes(number: int) -> str:
    return f"{number:,} node{'' if number == 1 else 's'}"


def share(number: int, of: int) -> str:
    """``12 nodes``, of more than one ``12 of 40 nodes``."""
    return f"{number:,} of {of:,} nodes" if of > 1 else _nodes(number)
