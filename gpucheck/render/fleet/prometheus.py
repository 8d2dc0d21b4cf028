"""For node_exporter's textfile collector: how many nodes, of what verdict, with which finding; and each node's verdict.

The blocks are those of `gpucheck.render.prometheus`.
"""

from __future__ import annotations

from collections import Counter

from gpucheck.fleet.nodes import Fleet
from gpucheck.render.prometheus import VERDICTS, Sample, metric


def render(fleet: Fleet, strict: bool = False) -> str:
    counts = Counter(node.verdict for node in fleet.nodes)
    differing: dict[tuple[str, str, str], set[str]] = {}
    for one in fleet.over:
        differing.setdefault((one.finding.name, one.finding.severity.value, one.peers), set()).update(one.nodes)
    metrics: dict[tuple[str, str], list[Sample]] = {
        ("nodes", "Nodes by verdict."): [({"verdict": one}, counts[one]) for one in VERDICTS],
        ("finding_nodes", "Nodes that have a finding."): [
            ({"name": one.name, "severity": one.severity.value}, len(one.nodes)) for one in fleet.groups
        ],
        ("difference_nodes", "Nodes that differ from others with the same GPUs."): [
            ({"name": name, "severity": severity, "peers": peers}, len(those))
            for (name, severity, peers), those in differing.items()
        ],
        ("node_info", "A node and its verdict; the value is always 1."): [
            ({"node": node.name, "verdict": node.verdict}, 1) for node in fleet.nodes
        ],
        ("node_gpus", "Working GPUs that NVML lists."): [
            ({"node": node.name}, node.gpu_count) for node in fleet.nodes if node.gpu_count is not None
        ],
        ("exit_code", "Of gpucheck fleet: 0 fine, 1 an error, 3 a node could not be judged."): [
            ({}, fleet.exit_code(strict))
        ],
    }
    return "".join(metric(f"gpucheck_fleet_{name}", help, samples) for (name, help), samples in metrics.items())
