"""GPUs with a lower limit than the others of their model: clocks, power, PCIe, NVLink. Nothing that load changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gpucheck.findings import Severity
from gpucheck.fleet.nodes import Node, NodeGpu
from gpucheck.fleet.rules.engine import Differing, rule
from gpucheck.fleet.rules.majority import below


class _Limit(NamedTuple):
    field: str  # of NodeGpu
    label: str
    unit: str
    fact: str


@rule(Severity.WARNING)
def clocks_below_peers(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A GPU may clock or draw less than the others of its model.

    ## What it means
    Its power limit or its highest SM clock, as NVML tells it, is lower than that of most GPUs of this model.

    ## Why it matters
    It is slower under load, and a job over many GPUs waits for the slowest.

    ## How to fix
    Set the limit as on the others. It is lost at a reboot unless a service sets it.

    ## References
    https://docs.nvidia.com/deploy/nvidia-smi/
    """
    fix = (
        "nvidia-smi -q -d POWER,CLOCK",
        "# as on the other nodes:",
        "sudo nvidia-smi -pl WATTS",
        "sudo nvidia-smi -rgc",
    )
    yield from _lower(nodes, _Limit("power_limit_w", "power limit", " W", "gpus.power_limit_w"), fix)
    yield from _lower(nodes, _Limit("clock_max_mhz", "highest SM clock", " MHz", "gpus.clock_max_mhz"), fix)


@rule(Severity.WARNING)
def pcie_link_below_peers(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A GPU's PCIe link is narrower or slower than those of the others of its model.

    ## What it means
    Compared are the width, and the width and generation that card and slot could do: not the generation in use, which
    sinks at rest. A slot that is too narrow shows only beside other machines.

    ## Why it matters
    Feeding data to this GPU takes longer, and a job over many GPUs waits for it.

    ## How to fix
    Reseat the card, look at riser, slot and the BIOS' link settings.

    ## References
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
    """
    fix = ("nvidia-smi -q -d PCIE 2>/dev/null || nvidia-smi -q", "# reseat the card; look at riser, slot and BIOS")
    yield from _lower(nodes, _Limit("link_width", "PCIe width", " lanes", "gpus.pcie.width"), fix)
    yield from _lower(nodes, _Limit("link_width_max", "possible PCIe width", " lanes", "gpus.pcie.width_max"), fix)
    yield from _lower(
        nodes, _Limit("link_generation_max", "possible PCIe generation", "", "gpus.pcie.generation_max"), fix
    )


@rule(Severity.WARNING)
def nvlinks_below_peers(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A GPU has fewer active NVLinks than the others of its model.

    ## What it means
    NVML counts fewer links that are up than on most GPUs of this model.

    ## Why it matters
    GPUs exchange gradients over them: training on several GPUs slows down or fails.

    ## How to fix
    Look at `nvidia-smi nvlink --status`, at the bridge, and on NVSwitch machines at nvidia-fabricmanager.

    ## References
    https://docs.nvidia.com/deploy/nvidia-smi/
    """
    fix = ("nvidia-smi nvlink --status", "systemctl status nvidia-fabricmanager")
    yield from _lower(nodes, _Limit("nvlinks", "active NVLinks", "", "gpus.nvlinks_active"), fix)


def _lower(nodes: Sequence[Node], limit: _Limit, fix: tuple[str, ...]) -> Iterator[Differing]:
    """One finding for each model and each lower value."""
    models: dict[str, list[tuple[Node, NodeGpu]]] = {}
    for node in nodes:
        for gpu in node.gpus:
            if gpu.name is not None:
                models.setdefault(gpu.name, []).append((node, gpu))
    unknown = sum(node.trouble is None and node.peers is None and not node.gpus for node in nodes)
    for model, every in models.items():
        # A node whose GPUs are not known may have as many of this model as the fullest has.
        fullest = max(Counter(node.name for node, _ in every).values())
        found = below([getattr(gpu, limit.field) for _, gpu in every], unknown * fullest)
        if found is None:
            continue
        by_value: dict[float, list[tuple[Node, NodeGpu]]] = {}
        for at in found.at:
            by_value.setdefault(getattr(every[at][1], limit.field), []).append(every[at])
        for value, those in sorted(by_value.items()):
            yield _named(limit, value, found.usual, those, found.of, model, fix)


def _named(
    limit: _Limit,
    value: float,
    usual: float,
    those: list[tuple[Node, NodeGpu]],
    of: int,
    model: str,
    fix: tuple[str, ...],
) -> Differing:
    which = ", ".join(f"GPU {gpu.number} of {node.name}" for node, gpu in those[:3])
    which += f" and {len(those) - 3} more" if len(those) > 3 else ""
    return Differing(
        f"{limit.label} {value:g}{limit.unit} where most have {usual:g}{limit.unit}: {which}.",
        (
            (
                limit.fact,
                f"{value:g}{limit.unit} ({len(those)} of {of} GPUs)",
                f"NVML on {those[0][0].name}, for example",
            ),
            (limit.fact, f"{usual:g}{limit.unit}", f"NVML, the majority of {of} GPUs"),
        ),
        tuple(dict.fromkeys(node.name for node, _ in those)),
        model,
        fix,
    )
