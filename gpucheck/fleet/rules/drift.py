"""What should be the same on machines of a kind and is not: the majority, and who differs from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Union

from gpucheck.findings import Severity
from gpucheck.fleet.nodes import NO_GPU, Mark, Node
from gpucheck.fleet.rules.engine import Differing, Peers, alike, by_peers, rule

_MOST_VALUES = 6


@rule(Severity.WARNING)
def driver_drift(nodes: Sequence[Node]) -> Iterator[Differing]:
    """Machines with the same GPUs run different NVIDIA drivers.

    ## What it means
    Among the nodes with these GPUs the loaded kernel modules have different versions.

    ## Why it matters
    What works on one node fails on another: a CUDA release too new for the older driver, a fixed bug that is still
    there, jobs over several nodes that disagree.

    ## How to fix
    Install the majority's driver on the nodes that differ, and reboot them.

    ## References
    https://docs.nvidia.com/datacenter/tesla/drivers/
    """
    yield from _drift(
        nodes, "driver", ("# on the nodes that differ: install the driver that the others have, then", "sudo reboot")
    )


@rule(Severity.WARNING)
def library_drift(nodes: Sequence[Node]) -> Iterator[Differing]:
    """Machines with the same GPUs have different versions of Python, TensorFlow or a CUDA library that it loads.

    ## What it means
    The examined environments are not the same: another TensorFlow, or the loader takes another copy of cuDNN, cuBLAS …

    ## Why it matters
    Results and speed differ from node to node, and an error shows on some of them alone.

    ## How to fix
    Give all nodes the same environment: a lock (`gpucheck install --lock pylock.toml`), an image, or a shared folder.

    ## References
    https://packaging.python.org/en/latest/specifications/pylock-toml/
    """
    yield from _drift(nodes, "framework", _SAME)
    # Another TensorFlow brings other libraries: those are compared among nodes with the same one.
    for one in alike(nodes, lambda node: (node.peers, _tensorflow(node))):
        if one.nodes[0].peers != NO_GPU:
            yield from _together(_of_peers(one, "library", _SAME))


def _tensorflow(node: Node) -> Union[str, None]:
    return next((mark.value for mark in node.marks if mark.label == "TensorFlow"), None)


_SAME = (
    "# on a node that is as it should be:",
    "gpucheck install --lock pylock.toml",
    "# on the nodes that differ:",
    "gpucheck install --from-lock pylock.toml",
)


def _together(found: Iterable[Differing]) -> Iterator[Differing]:
    """cuBLAS, cuFFT and cuSPARSE of the same nodes are one case: an environment that is another's."""
    by_nodes: dict[tuple[str, ...], list[Differing]] = {}
    for one in found:
        by_nodes.setdefault(one.nodes, []).append(one)
    for first, *rest in by_nodes.values():
        message = first.message.rstrip(".")
        message += (
            f"; {len(rest)} more {'library' if len(rest) == 1 else 'libraries'} of the same nodes" if rest else ""
        )
        evidence = tuple(triple for one in (first, *rest) for triple in one.evidence)
        yield first._replace(message=f"{message}.", evidence=evidence[:20])


@rule(Severity.INFO)
def toolkit_drift(nodes: Sequence[Node]) -> Iterator[Differing]:
    """Machines with the same GPUs have different CUDA toolkits.

    ## What it means
    The toolkits (nvcc and what belongs to it) that were found are not the same versions.

    ## Why it matters
    TensorFlow brings its own CUDA; what is compiled on a node, and XLA's ptxas, may differ.

    ## How to fix
    Install the same toolkits, or let jobs load them from a module.
    """
    yield from _drift(nodes, "toolkit", ())


@rule(Severity.INFO)
def bios_drift(nodes: Sequence[Node]) -> Iterator[Differing]:
    """Computers of the same model have different BIOS versions, or their GPUs have.

    ## What it means
    The firmware of the computer (compared within one model) or of the GPUs is not the same.

    ## Why it matters
    PCIe links, power limits and Resizable BAR depend on it.

    ## How to fix
    Update the firmware of those that differ, with the maker's tools.
    """
    for one in alike(nodes, lambda node: (node.product, node.peers)):
        yield from _of_peers(one, "bios", ())


@rule(Severity.INFO)
def system_drift(nodes: Sequence[Node]) -> Iterator[Differing]:
    """Machines with the same GPUs run different kernels or distributions, or have other GPU settings.

    ## What it means
    Kernel, distribution, or the GPUs' ECC, MIG or persistence mode are not the same on all.

    ## Why it matters
    A node that missed an upgrade, or a setting that was lost at a reboot. With ECC off errors of the memory go unseen.

    ## How to fix
    Set them alike: `nvidia-smi -e`, `nvidia-smi -mig`, `nvidia-smi -pm`; upgrade the nodes that differ.
    """
    yield from _drift(nodes, "system", ())


def _drift(nodes: Sequence[Node], subject: str, fix: tuple[str, ...]) -> Iterator[Differing]:
    for one in by_peers(nodes):
        if one.kind != NO_GPU:  # what they have in common is what they lack: they are of no kind
            yield from _of_peers(one, subject, fix)


def _of_peers(peers: Peers, subject: str, fix: tuple[str, ...]) -> Iterator[Differing]:
    """One finding for each label of which peers have more than one value."""
    labels: dict[str, list[tuple[Node, Mark]]] = {}
    for node in peers.nodes:
        for mark in node.marks:
            if mark.subject == subject:
                labels.setdefault(mark.label, []).append((node, mark))
    for label, known in labels.items():
        counts = Counter(mark.value for _, mark in known)
        if len(counts) > 1:
            yield _differing(label, known, counts, peers, fix)


def _differing(
    label: str, known: list[tuple[Node, Mark]], counts: Counter[str], peers: Peers, fix: tuple[str, ...]
) -> Differing:
    kind, _, of = peers
    (most, number), *rest = counts.most_common()
    examples = {mark.value: (node, mark) for node, mark in reversed(known)}
    evidence = tuple(
        (mark.fact, f"{value} ({counts[value]} of {of})", f"{mark.source} on {node.name}, for example")
        for value in [one for one, _ in counts.most_common(_MOST_VALUES)]
        for node, mark in [examples[value]]
    )
    others = ", ".join(f"{count} {value}" for value, count in rest[: _MOST_VALUES - 1])
    more = len(rest) - (_MOST_VALUES - 1)
    others += f" and {more} more" if more > 0 else ""
    if 2 * number > of:
        nodes = tuple(node.name for node, mark in known if mark.value != most)
        return Differing(f"{label}: {number} of {of} nodes have {most}; {others}.", evidence, nodes, kind, fix)
    nodes = tuple(node.name for node, _ in known)
    return Differing(
        f"{label} differs, without a majority of {of} nodes: {number} {most}, {others}.",
        evidence,
        nodes,
        kind,
        fix,
        False,
    )
