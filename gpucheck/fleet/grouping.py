"""Many nodes in few lines: the same finding once, the same state once, names folded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gpucheck.findings import Finding, Severity
from gpucheck.fleet.hostlist import natural
from gpucheck.fleet.nodes import NO_GPU, Case, Fleet, Group, Node, Over, State
from gpucheck.fleet.rules.engine import RULES, judge_over

_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_BADNESS = {"error": 0, "unknown": 1, "warning": 2, "ok": 3}

# What differs between machines that have the same thing: which GPU, how hot, which process, which file of a home.
_OWN = re.compile(
    r"GPU-[0-9a-f-]{8,}|[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]|(?<=GPU )\d+|(?<=GPUs )\d+(?:, \d+)*"
    r"|\b\d+(?:\.\d+)?(?= ?(?:°C|%|GiB|MiB|kB|W|ms|s)\b)|(?<=process )\d+|(?<=pid )\d+|\d+(?= uncorrected)",
    re.IGNORECASE,
)


def fleet(nodes: Iterable[Node], version: str, ignore: Iterable[str] = ()) -> Fleet:
    """The report of all of them. version: gpucheck's. ignore: names of rules over many to leave out."""
    every = sorted(_distinct(nodes), key=lambda node: natural(node.name))
    ignored = set(ignore)
    over = judge_over(every, ignored)
    every = list(_marked(every, over))
    checked = tuple(name for name in RULES if name not in ignored)
    return Fleet(version, tuple(every), over, groups(every), states(every), checked, tuple(sorted(ignored)))


def _distinct(nodes: Iterable[Node]) -> Iterator[Node]:
    """Two machines of one name (both "localhost", a file's and one that was asked) are told apart by their source."""
    taken: set[str] = set()
    for node in nodes:
        name = plain = node.name if node.name not in taken else f"{node.name} ({node.source})"
        number = 1
        while name in taken:
            number += 1
            name = f"{plain} {number}"
        taken.add(name)
        yield node._replace(name=name)


def _marked(nodes: Iterable[Node], over: Iterable[Over]) -> Iterator[Node]:
    """Nodes with what they differ in. One that is fine by itself and is the odd one is no longer fine."""
    names: dict[str, list[str]] = {}
    for one in over:
        for name in one.nodes if one.odd and one.finding.severity is not Severity.INFO else ():
            names.setdefault(name, []).append(one.finding.name)
    for node in nodes:
        differs = tuple(dict.fromkeys(names.get(node.name, ())))
        verdict = "warning" if differs and node.verdict == "ok" else node.verdict
        yield node._replace(differs=differs, verdict=verdict)


def groups(nodes: Sequence[Node]) -> tuple[Group, ...]:
    """Each finding once, worst first, then what is a cause on most nodes: what follows from another comes after."""
    found: dict[tuple[str, Severity], dict[str, list[tuple[Node, Finding]]]] = {}
    roots: dict[tuple[str, Severity], int] = {}
    for node in nodes:
        explained = {name for finding in node.findings for name in finding.explains}
        for finding in node.findings:
            key = (finding.name, finding.severity)
            found.setdefault(key, {}).setdefault(_OWN.sub("…", finding.message), []).append((node, finding))
            roots[key] = roots.get(key, 0) + (finding.name not in explained)
    made = [(_group(name, severity, cases), roots[name, severity]) for (name, severity), cases in found.items()]
    made.sort(key=lambda one: (_WEIGHT[one[0].severity], -one[1], -len(one[0].nodes), one[0].name))
    return tuple(group for group, _ in made)


def _group(name: str, severity: Severity, cases: dict[str, list[tuple[Node, Finding]]]) -> Group:
    ordered = sorted(cases.values(), key=lambda those: -len({node.name for node, _ in those}))
    made = tuple(Case(those[0][1].message, _names(node for node, _ in those)) for those in ordered)
    return Group(name, severity, _names(node for those in ordered for node, _ in those), made, ordered[0][0][1])


def _names(nodes: Iterable[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.name for node in nodes))


def states(nodes: Sequence[Node]) -> tuple[State, ...]:
    """Nodes that look alike, worst first, then the largest groups."""
    alike: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Node]] = {}
    for node in nodes:
        names = told(node)
        alike.setdefault((node.verdict, words(node), names), []).append(node)
    made = [State(those[0].verdict, key[1], key[2], _names(those)) for key, those in alike.items()]
    return tuple(sorted(made, key=lambda one: (_BADNESS[one.verdict], -len(one.nodes))))


def told(node: Node) -> tuple[str, ...]:
    """Names of what was found on a node and of what it differs in; notes left away."""
    own = (one.name for one in node.findings if one.severity is not Severity.INFO)
    return tuple(dict.fromkeys((*own, *node.differs)))


def words(node: Node) -> tuple[str, ...]:
    """What a machine has, in a few words: GPUs, driver, TensorFlow."""
    if node.trouble is not None:
        return ("no facts",)
    values = {mark.label: mark.value for mark in node.marks}
    # peers tells the models; a count is known where NVML answers
    count = f"{node.gpu_count} × " if node.gpu_count else ""
    driver = values.get("driver")
    tensorflow = values.get("TensorFlow", "TensorFlow unknown")
    tensorflow = "no TensorFlow" if tensorflow == "none" else tensorflow
    return (
        f"{count}{node.peers}" if node.peers else "GPUs unknown",
        f"driver {driver}" if driver else "driver unknown" if node.peers != NO_GPU else "no driver",
        tensorflow,
    )
