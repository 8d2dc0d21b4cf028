"""The fleet for programs: one JSON document, described by fleet.schema.json beside this file. It only ever grows."""

from __future__ import annotations

from typing import Any

from gpucheck.facts.codec import encode
from gpucheck.fleet.nodes import SCHEMA, Fleet, Node
from gpucheck.render.json import text


def render(fleet: Fleet, strict: bool = False) -> str:
    return text(document(fleet, strict))


def document(fleet: Fleet, strict: bool = False) -> dict[str, Any]:
    """The document as parsed JSON. Findings of nodes stand once, in groups; a node names them."""
    return {
        "schema": SCHEMA,
        "version": fleet.version,
        "verdict": fleet.verdict,
        "exit_code": fleet.exit_code(strict),
        "over": [{**encode(one.finding), "nodes": encode(one.nodes), "peers": encode(one.peers)} for one in fleet.over],
        "groups": encode(fleet.groups),
        "states": encode(fleet.states),
        "nodes": [_node(node) for node in fleet.nodes],
        "checked": encode(fleet.checked),
        "ignored": encode(fleet.ignored),
    }


def _node(node: Node) -> dict[str, Any]:
    told = encode(node)
    told["findings"] = [f"{one.severity.value}: {one.name}" for one in node.findings]
    told["marks"] = {encode(mark.label): encode(mark.value) for mark in node.marks}
    return dict(told)
