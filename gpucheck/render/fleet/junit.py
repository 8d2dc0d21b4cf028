"""For CI: every node a test case, and every rule over many. The blocks are those of `gpucheck.render.junit`."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet, Node, Over
from gpucheck.render.junit import case, fails, left_out, stopped, suite, told, written
from gpucheck.render.text import plain


def render(fleet: Fleet, strict: bool = False) -> str:
    """strict: warnings fail, too."""
    root = Element("testsuites", {"name": "gpucheck fleet"})
    facts = {"gpucheck_version": fleet.version, "verdict": fleet.verdict, "exit_code": str(fleet.exit_code(strict))}
    nodes = suite(root, "nodes", facts)
    for node in fleet.nodes:
        _node(nodes, node, strict)
    between = suite(root, "between nodes")
    for name in fleet.checked:
        _rule(between, name, [one for one in fleet.over if one.finding.name == name], strict)
    for name in fleet.ignored:
        left_out(case(between, "gpucheck.fleet.between", name), "ignored")
    return written(root)


def _node(parent: Element, node: Node, strict: bool) -> None:
    made = case(parent, "gpucheck.fleet", node.name)
    if node.trouble is not None:
        stopped(made, node.findings[0].name, node.trouble)
        return
    if node.verdict == "unknown" and not any(fails(one.severity, strict) for one in node.findings):
        stopped(made, "could-not-tell", "; ".join(f"{one.name}: {one.reason}" for one in node.skipped))
    told(made, node.findings, strict)


def _rule(parent: Element, name: str, found: list[Over], strict: bool) -> None:
    where = "".join(f"\n{plain(one.finding.message)}\n  on {plain(folded(one.nodes, 50))}" for one in found)
    told(case(parent, "gpucheck.fleet.between", name), [one.finding for one in found], strict, where)
