"""For CI: every node a test case, and every rule over many. ElementTree escapes what it writes."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gpucheck.findings import Finding, Severity
from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet, Node, Over
from gpucheck.render.text import plain


def render(fleet: Fleet, strict: bool = False) -> str:
    """strict: warnings fail, too."""
    root = Element("testsuites", {"name": "gpucheck fleet"})
    nodes = SubElement(root, "testsuite", {"name": "nodes"})
    for node in fleet.nodes:
        _node(nodes, node, strict)
    between = SubElement(root, "testsuite", {"name": "between nodes"})
    for name in fleet.checked:
        _rule(between, name, [one for one in fleet.over if one.finding.name == name], strict)
    for suite in (nodes, between):
        _count(suite)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _count(suite: Element) -> None:
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(tag if tag == "testcase" else f"testcase/{tag}"))))


def _fails(severity: Severity, strict: bool) -> bool:
    return severity is Severity.ERROR or (strict and severity is Severity.WARNING)


def _node(suite: Element, node: Node, strict: bool) -> None:
    case = SubElement(suite, "testcase", {"classname": "gpucheck.fleet", "name": plain(node.name)})
    failing = [one for one in node.findings if _fails(one.severity, strict)]
    rest = [one for one in node.findings if not _fails(one.severity, strict)]
    if node.trouble is not None:
        SubElement(case, "error", {"type": node.findings[0].name, "message": plain(node.trouble)})
    elif failing:
        told = SubElement(case, "failure", {"type": failing[0].name, "message": plain(failing[0].message)})
        told.text = "\n\n".join(_words(one) for one in failing)
    elif node.verdict == "unknown":
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in node.skipped)
        SubElement(case, "error", {"type": "could-not-tell", "message": plain(reasons)})
    if rest and node.trouble is None:
        SubElement(case, "system-out").text = "\n".join(f"{one.name}: {plain(one.message)}" for one in rest)


def _rule(suite: Element, name: str, found: list[Over], strict: bool) -> None:
    case = SubElement(suite, "testcase", {"classname": "gpucheck.fleet.between", "name": name})
    if not found:
        return
    text = "\n\n".join(f"{_words(one.finding)}\non {plain(folded(one.nodes, 50))}" for one in found)
    first = found[0].finding
    if _fails(first.severity, strict):
        SubElement(case, "failure", {"type": name, "message": plain(first.message)}).text = text
    else:
        SubElement(case, "system-out").text = text


def _words(finding: Finding) -> str:
    lines = [f"{finding.name}: {plain(finding.message)}"]
    lines += [f"  {plain(one.fact)}: {plain(one.value)} ({plain(one.source)})" for one in finding.evidence]
    lines += [f"    {plain(line)}" for line in finding.fix]
    return "\n".join(lines)
