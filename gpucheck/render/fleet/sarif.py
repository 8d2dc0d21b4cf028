"""SARIF 2.1.0: one result for each finding and its distinct form, on the files of the nodes that have it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from gpucheck.findings import Severity
from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet
from gpucheck.render.rules import clean, find, summary
from gpucheck.render.text import plain
from gpucheck.rules.engine import Rule

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_MOST_LOCATIONS = 100  # of one result; GitHub shows the first


def render(fleet: Fleet, strict: bool = False) -> str:
    results = [*_groups(fleet), *_over(fleet)]
    names = list(dict.fromkeys(one["ruleId"] for one in results))
    rules = [_rule(rule) for name in names if (rule := find(name)) is not None]
    driver = {
        "name": "gpucheck",
        "version": fleet.version,
        "rules": rules,
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}],
    }
    return json.dumps(log, indent=1) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "shortDescription": {"text": summary(rule)},
        "help": {"text": clean(rule), "markdown": clean(rule)},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _groups(fleet: Fleet) -> Iterator[dict[str, Any]]:
    sources = {node.name: node.source for node in fleet.nodes}
    for group in fleet.groups:
        for case in group.cases:
            text = f"{case.message} On {folded(case.nodes, 20)}."
            yield _result(group.name, group.severity, text, case.nodes, sources, group.name)


def _over(fleet: Fleet) -> Iterator[dict[str, Any]]:
    sources = {node.name: node.source for node in fleet.nodes}
    for one in fleet.over:
        text = f"{one.finding.message} On {folded(one.nodes, 20)} ({one.peers})."
        yield _result(
            one.finding.name, one.finding.severity, text, one.nodes, sources, f"{one.finding.name} {one.peers}"
        )


def _result(
    name: str, severity: Severity, text: str, nodes: tuple[str, ...], sources: dict[str, str], identity: str
) -> dict[str, Any]:
    mark = hashlib.sha256(f"{identity}\n{nodes[0]}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return {
        "ruleId": name,
        "level": _LEVEL[severity],
        "message": {"text": plain(text)},
        "locations": [_location(node, sources.get(node, node)) for node in nodes[:_MOST_LOCATIONS]],
        "partialFingerprints": {"gpucheckFleet/v1": mark},
    }


def _location(node: str, source: str) -> dict[str, Any]:
    # An absolute path or an address would be refused by GitHub; the last part of it is a name of the file.
    path = plain(source).replace("\\", "/").lstrip("/")
    return {
        "physicalLocation": {"artifactLocation": {"uri": quote(path, safe="/-_.~")}, "region": {"startLine": 1}},
        "logicalLocations": [{"name": plain(node), "kind": "resource"}],
    }
