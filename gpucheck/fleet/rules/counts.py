"""Nodes that show fewer GPUs than the others of their kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gpucheck.findings import Severity
from gpucheck.fleet.nodes import Node
from gpucheck.fleet.rules.engine import Differing, by_peers, rule
from gpucheck.fleet.rules.majority import few


@rule(Severity.WARNING)
def fewer_gpus_than_peers(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A node has fewer working GPUs than the other nodes with the same model.

    ## What it means
    Most nodes with this model have more GPUs that NVML can open. A count that a quarter of the nodes or more have is
    taken for another kind of machine, and a container or a job may have been given only some: neither is reported.

    ## Why it matters
    A GPU has fallen off the bus, is not seated, or was left out by the driver: jobs for a whole node fail there.

    ## How to fix
    Look for the missing one on the PCI bus and in the kernel's log (Xid 79: fallen off the bus); power-cycle the node.

    ## References
    https://docs.nvidia.com/deploy/xid-errors/
    """
    for peers, group, of in by_peers(nodes):
        free = [node for node in group if not node.limited and node.gpu_count is not None]
        counts = Counter(node.gpu_count for node in free)
        if not counts:
            continue
        usual, number = counts.most_common(1)[0]
        assert usual is not None
        if 2 * number <= of:
            continue
        fewer = [node for node in free if node.gpu_count is not None and node.gpu_count < usual]
        if fewer and few(of - number, of):
            each = sorted({node.gpu_count for node in fewer if node.gpu_count is not None})
            have = " or ".join(map(str, each))
            yield Differing(
                f"{len(fewer)} of {of} nodes with fewer working GPUs: {have} where {number} have {usual}.",
                (
                    ("gpus", f"{fewer[0].gpu_count}", f"NVML on {fewer[0].name}"),
                    ("gpus", f"{usual}", f"NVML on {number} nodes"),
                ),
                tuple(node.name for node in fewer),
                peers,
                (
                    "lspci -d 10de:",
                    "sudo dmesg | grep -i -e xid -e nvrm",
                    "# a card that is gone from PCI: power off, reseat it",
                ),
            )
