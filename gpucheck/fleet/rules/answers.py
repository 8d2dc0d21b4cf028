"""Why there are no facts of a node. These findings are made where a node is read or asked (gpucheck.fleet.trouble)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gpucheck.findings import Severity
from gpucheck.fleet.nodes import Node
from gpucheck.fleet.rules.engine import Differing, rule


@rule(Severity.WARNING)
def node_without_answer(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A node was asked and did not answer: it could not be reached, its worker died, or it hangs.

    ## What it means
    The question was sent through Dask. The worker's process ended, did not come up, or gave no answer within the time.

    ## Why it matters
    Nothing is known of this machine; the others were judged without it.

    ## How to fix
    Log in and run `gpucheck doctor` there. A driver that hangs also hangs what asks it: look at the kernel's log.

    ## References
    https://distributed.dask.org/en/stable/killed.html
    """
    yield from ()


@rule(Severity.WARNING)
def node_incompatible(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A node's worker runs another Python, or has no gpucheck or another version of it, and could not be asked.

    ## What it means
    Dask sends the question as pickled Python: both sides need the same gpucheck, and a Python that understands it.

    ## Why it matters
    Nothing is known of this machine; the others were judged without it.

    ## How to fix
    Install the same version of gpucheck-cli into the environment of the workers, or collect files instead:
    `gpucheck snapshot` on each node needs nothing else.

    ## References
    https://distributed.dask.org/en/stable/client.html
    """
    yield from ()


@rule(Severity.WARNING)
def node_file_unreadable(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A node's file is not what `gpucheck snapshot` writes: cut off, empty, too large, or something else.

    ## What it means
    The file could not be read or judged; the message tells where it stops making sense. A copy that was interrupted
    ends too early.

    ## Why it matters
    Nothing is known of this machine; the others were judged without it.

    ## How to fix
    Collect it again: `gpucheck snapshot --output FILE` on that node writes the file whole or not at all.
    """
    yield from ()


@rule(Severity.WARNING)
def gpu_not_measured(nodes: Sequence[Node]) -> Iterator[Differing]:
    """A node was to be measured, and `gpucheck bench` came to no figure for one of its GPUs, or for none.

    ## What it means
    The node has or may have a GPU; the message tells what bench said: the framework is not installed, the GPU's memory
    is taken, the process crashed or hung.

    ## Why it matters
    Nothing is known of this GPU's speed, and a job would meet the same obstacle.

    ## How to fix
    Log in, run `gpucheck bench --devices all` there, and `gpucheck doctor --deep`.
    """
    yield from ()


@rule(Severity.INFO)
def gpucheck_version_drift(nodes: Sequence[Node]) -> Iterator[Differing]:
    """The facts of some nodes were taken by another version of gpucheck than those of the others.

    ## What it means
    A newer or older gpucheck looked at these machines. What it did not look for is unknown here, and the rules that
    need it were skipped.

    ## Why it matters
    Nodes are compared by what all of them tell; some may tell less.

    ## How to fix
    Collect again with the same version everywhere.
    """
    told = [node for node in nodes if node.trouble is None]
    (_, usual), *others = Counter(node.version for node in told).most_common() or [("", 0)]
    for version, number in others:
        those = [node for node in told if node.version == version]
        yield Differing(
            f"The facts of {number} of {len(nodes)} nodes were taken by gpucheck {version}, of {usual} by another.",
            (("version", version, f"{those[0].source}, for example"),),
            tuple(node.name for node in those),
            "all nodes",
            ("pipx upgrade gpucheck-cli",),
        )
