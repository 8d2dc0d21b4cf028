"""For node_exporter's textfile collector: how many nodes, of what verdict, with which finding; and each node's verdict.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gpucheck.fleet.nodes import Fleet, NodeVerdict
from gpucheck.render.text import plain

_VERDICTS: tuple[NodeVerdict, ...] = ("ok", "warning", "error", "unknown")

Sample = tuple[dict[str, str], int]


def render(fleet: Fleet, strict: bool = False) -> str:
    counts = Counter(node.verdict for node in fleet.nodes)
    found = [({"name": one.name, "severity": one.severity.value}, len(one.nodes)) for one in fleet.groups]
    differing: dict[tuple[str, str, str], set[str]] = {}
    for one in fleet.over:
        differing.setdefault((one.finding.name, one.finding.severity.value, one.peers), set()).update(one.nodes)
    nodes = [({"node": node.name, "verdict": node.verdict}, 1) for node in fleet.nodes]
    gpus = [({"node": node.name}, node.gpu_count) for node in fleet.nodes if node.gpu_count is not None]
    return "".join(
        (
            _metric("nodes", "Nodes by verdict.", (({"verdict": one}, counts[one]) for one in _VERDICTS)),
            _metric("finding_nodes", "Nodes that have a finding.", found),
            _metric(
                "difference_nodes",
                "Nodes that differ from others with the same GPUs.",
                (
                    ({"name": name, "severity": severity, "peers": peers}, len(those))
                    for (name, severity, peers), those in differing.items()
                ),
            ),
            _metric("node_info", "A node and its verdict; the value is always 1.", nodes),
            _metric("node_gpus", "Working GPUs that NVML lists.", gpus),
            _metric(
                "exit_code",
                "Of gpucheck fleet: 0 fine, 1 an error, 3 a node could not be judged.",
                [({}, fleet.exit_code(strict))],
            ),
        )
    )


def _metric(name: str, help: str, samples: Iterable[Sample]) -> str:
    full = f"gpucheck_fleet_{name}"
    lines = [f"# HELP {full} {help}", f"# TYPE {full} gauge"]
    lines += [f"{full}{_labels(labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escape(value: str) -> str:
    return plain(value).replace("\\", "\\\\").replace('"', '\\"')
