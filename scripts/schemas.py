"""JSON Schemas of what programs read, made from the types themselves, so that they cannot drift from them."""

from __future__ import annotations

import inspect
import re
from typing import Any, Literal, Union, get_args, get_origin

from gpucheck.differing.difference import SCHEMA as DIFF
from gpucheck.differing.difference import Difference
from gpucheck.facts.bench import SCHEMA as BENCH
from gpucheck.facts.bench import Result
from gpucheck.facts.codec import hints
from gpucheck.facts.gap import Gap, GapKind
from gpucheck.facts.plan import (
    EXPLANATION_SCHEMA,
    FAILURE_SCHEMA,
    RECEIPT_SCHEMA,
    REFUSAL_SCHEMA,
    Choice,
    Objection,
    Plan,
    Proof,
    Receipt,
    Route,
    Target,
)
from gpucheck.facts.plan import SCHEMA as PLAN
from gpucheck.facts.snapshot import SCHEMA as SNAPSHOT
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import Version
from gpucheck.findings import SCHEMA as REPORT
from gpucheck.findings import Finding, Severity, Skipped, Verdict
from gpucheck.fleet.nodes import SCHEMA as FLEET
from gpucheck.fleet.nodes import Group, Node, NodeVerdict, State
from gpucheck.smoke.result import SCHEMA as SMOKE
from gpucheck.smoke.result import SmokePart

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SIMPLE: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_NOTE = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)


def snapshot() -> dict[str, Any]:
    """What `gpucheck snapshot` writes."""
    defs: dict[str, Any] = {}
    root = _object(Snapshot, defs)
    root["properties"]["schema"] = {"const": SNAPSHOT}
    return {"$schema": _DIALECT, "title": "The facts of a machine", **root, "$defs": dict(sorted(defs.items()))}


def report() -> dict[str, Any]:
    """What `gpucheck doctor --format json` writes."""
    defs: dict[str, Any] = {}
    names = {"type": "array", "items": {"type": "string"}}
    properties = {
        "schema": {"const": REPORT},
        "version": {"type": "string", "description": "gpucheck's"},
        "simulated": {
            "type": ["string", "null"],
            "description": "a rehearsal on the recorded machine of that name: nothing is about this machine",
        },
        "verdict": {"enum": list(get_args(Verdict))},
        "exit_code": {"enum": [0, 1, 3], "description": "0 fine, 1 an error was found, 3 could not tell"},
        "findings": {"type": "array", "items": _of(Finding, defs), "description": "most decisive first"},
        "checked": {**names, "description": "rules that were judged, with or without a finding"},
        "skipped": {"type": "array", "items": _of(Skipped, defs), "description": "rules that could not be judged"},
        "ignored": {**names, "description": "rules that --ignore left out"},
        "facts": _of(Snapshot, defs),
    }
    defs["Snapshot"]["properties"]["schema"] = {"const": SNAPSHOT}
    return {
        "$schema": _DIALECT,
        "title": "A report of gpucheck doctor",
        "description": "Members may be added; none is removed or changes its meaning within gpucheck.report/1.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "$defs": dict(sorted(defs.items())),
    }


def smoke() -> dict[str, Any]:
    """What `gpucheck smoke --format json` writes: doctor's report and bench's result are those of their schemas."""
    defs: dict[str, Any] = {}
    inner = report()
    defs |= inner["$defs"]
    properties = {
        "schema": {"const": SMOKE},
        "version": {"type": "string", "description": "gpucheck's"},
        "simulated": inner["properties"]["simulated"],
        "taken": {"type": "string", "description": "ISO 8601, UTC"},
        "verdict": {"enum": list(get_args(Verdict)), "description": "the worst part's"},
        "exit_code": {
            "type": "integer",
            "description": "the command's: 0 it works, 1 it does not, 3 could not tell, 128 and a signal's number; "
            "or 0, 1, 2, 3 as Nagios has them",
        },
        "timeout": {"type": "number", "description": "seconds for all of it"},
        "seconds": {"type": "number", "description": "that it took"},
        "stopped": {"type": ["string", "null"], "description": "what ended it early: timeout, or a signal's name"},
        "parts": {"type": "array", "items": _of(SmokePart, defs), "description": "doctor, operation, bench"},
        "report": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Report"}], "description": "null: it came to none"},
        "bench": {"anyOf": [{"type": "null"}, _of(Result, defs)], "description": "null: nothing was measured"},
    }
    defs["Report"] = {key: inner[key] for key in ("type", "properties", "required")}
    defs["Snapshot"]["properties"]["schema"] = {"const": SNAPSHOT}
    defs["Result"]["properties"]["schema"] = {"const": BENCH}
    return {
        "$schema": _DIALECT,
        "title": "A smoke test of gpucheck smoke",
        "description": "Members may be added; none is removed or changes its meaning within gpucheck.smoke/1.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "$defs": dict(sorted(defs.items())),
    }


def bench() -> dict[str, Any]:
    """What `gpucheck bench --format json` and `--save` write."""
    defs: dict[str, Any] = {}
    root = _object(Result, defs)
    root["properties"]["schema"] = {"const": BENCH}
    defs["Snapshot"]["properties"]["schema"] = {"const": SNAPSHOT}
    return {"$schema": _DIALECT, "title": "A result of gpucheck bench", **root, "$defs": dict(sorted(defs.items()))}


def install() -> dict[str, Any]:
    """What `gpucheck install --format json` writes: one of five documents, told apart by "schema"."""
    defs: dict[str, Any] = {}
    code = {"type": "integer", "description": "the command's"}
    text = {"type": "string"}
    explanation = {
        "schema": {"const": EXPLANATION_SCHEMA},
        "version": {**text, "description": "gpucheck's"},
        "target": _of(Union[Target, Gap], defs),
        "release": text,
        "fits": {"type": "boolean"},
        "chosen": {"type": "boolean", "description": "it is what install would take"},
        "objections": {"type": "array", "items": _of(Objection, defs), "description": "most decisive first"},
        "instead": {"type": ["string", "null"], "description": "what is taken then"},
        "routes": {"type": "array", "items": _of(Route, defs), "description": "other ways, the best first"},
        "exit_code": code,
    }
    refusal = {"schema": {"const": REFUSAL_SCHEMA}, "version": text, "choice": _of(Choice, defs), "exit_code": code}
    failure = {
        "schema": {"const": FAILURE_SCHEMA},
        "version": text,
        "message": text,
        "lines": {"type": "array", "items": text, "description": "what a program said"},
        "proof": _of(Union[Proof, None], defs),
        "exit_code": code,
    }
    documents = [_document(explanation), _document(refusal), _document(failure)]
    for kind, schema in ((Plan, PLAN), (Receipt, RECEIPT_SCHEMA)):
        root = _object(kind, defs)
        documents.append(_document({**root["properties"], "schema": {"const": schema}, "exit_code": code}))
    return {
        "$schema": _DIALECT,
        "title": "A plan of gpucheck install, what came of it, or why there is none",
        "oneOf": documents,
        "$defs": dict(sorted(defs.items())),
    }


def fleet() -> dict[str, Any]:
    """What `gpucheck fleet --format json` writes."""
    defs: dict[str, Any] = {}
    names = {"type": "array", "items": {"type": "string"}}
    over = _object(Finding, defs)["properties"]
    node = _object(Node, defs)["properties"]
    node["findings"] = {**names, "description": "severity and name; their words are in groups"}
    node["marks"] = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "what is compared with others: driver, TensorFlow, cudnn …",
    }
    properties = {
        "schema": {"const": FLEET},
        "version": {"type": "string", "description": "gpucheck's"},
        "verdict": {"enum": list(get_args(NodeVerdict))},
        "exit_code": {"enum": [0, 1, 3], "description": "0 fine, 1 an error was found, 3 a node could not be judged"},
        "over": {
            "type": "array",
            "items": _document({**over, "nodes": names, "peers": {"type": "string"}}),
            "description": "findings over many nodes, worst first",
        },
        "groups": {"type": "array", "items": _of(Group, defs), "description": "findings of nodes, worst first"},
        "states": {"type": "array", "items": _of(State, defs), "description": "nodes that look alike, worst first"},
        "nodes": {"type": "array", "items": _document(node)},
        "checked": {**names, "description": "rules over many that were judged"},
        "ignored": {**names, "description": "rules that --ignore left out"},
    }
    return {
        "$schema": _DIALECT,
        "title": "A report of gpucheck fleet",
        **_document(properties),
        "$defs": dict(sorted(defs.items())),
    }


def diff() -> dict[str, Any]:
    """What `gpucheck diff --format json` writes."""
    defs: dict[str, Any] = {}
    root = _object(Difference, defs)
    properties = {
        "schema": {"const": DIFF},
        "version": {"type": "string", "description": "of the gpucheck that compared"},
        "verdict": {"enum": list(get_args(Verdict)), "description": "of what is new, as in a report"},
        "exit_code": {"enum": [0, 1, 3], "description": "0 no new error, 1 a new one, 3 could not tell"},
        **{name: each for name, each in root["properties"].items() if name != "version"},
    }
    return {
        "$schema": _DIALECT,
        "title": "What gpucheck diff found out",
        "description": "Members may be added; none is removed or changes its meaning within gpucheck.diff/1.",
        **_document(properties),
        "$defs": dict(sorted(defs.items())),
    }


def _document(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _of(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin is Union:
        return _union([_of(one, defs) for one in get_args(kind)])
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin is tuple:
        return {"type": "array", "items": _of(get_args(kind)[0], defs)}
    if kind is Severity:
        return {"enum": [one.value for one in Severity]}
    if kind in _SIMPLE:
        return {"type": _SIMPLE[kind]}
    if kind is Gap:
        defs["Gap"] = _GAP
    elif issubclass(kind, Version):
        defs[kind.__name__] = {"type": "string", "description": _first_line(kind)}
    elif kind.__name__ not in defs:
        defs[kind.__name__] = {}  # a place first: a type may hold itself
        defs[kind.__name__] = _object(kind, defs)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _union(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    plain = [one["type"] for one in kinds if list(one) == ["type"]]
    others = [one for one in kinds if list(one) != ["type"]]
    simple: list[dict[str, Any]] = [{"type": plain[0] if len(plain) == 1 else plain}] if plain else []
    every = others + simple
    return every[0] if len(every) == 1 else {"anyOf": every}


def _object(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    notes = dict(_NOTE.findall(inspect.getsource(kind)))
    properties = {}
    for name, hint in hints(kind).items():
        properties[name] = _of(hint, defs)
        if name in notes:
            properties[name] = {**properties[name], "description": notes[name]}
    return {
        "type": "object",
        "description": _first_line(kind),
        "properties": properties,
        "required": [name for name in properties if name not in kind._field_defaults],
    }


def _first_line(kind: type) -> str:
    text = kind.__dict__.get("__doc__") or ""
    return "" if text.startswith(f"{kind.__name__}(") else text.strip().split("\n", 1)[0]


_GAP = {
    "type": "object",
    "description": "A fact that could not be learned, and why; null is a fact: looked, not there.",
    "properties": {"gap": {"type": "string"}, "kind": {"enum": list(get_args(GapKind))}},
    "required": ["gap", "kind"],
}
