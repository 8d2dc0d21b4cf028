"""A node without facts: one finding that says why, and no more. Also what may be wrong with how a node was asked."""

from __future__ import annotations

from collections.abc import Sequence

from gpucheck.findings import Evidence, Finding
from gpucheck.fleet.marks import clip
from gpucheck.fleet.nodes import Node
from gpucheck.fleet.rules.engine import RULES, load


def node_of(name: str, source: str, rule: str, why: str, fix: tuple[str, ...] = ()) -> Node:
    """The node that could not be judged. rule: node-file-unreadable, node-without-answer or node-incompatible."""
    load()
    finding = Finding(
        rule,
        RULES[rule].severity,
        clip(f"{_WORDS[rule]}: {why}."),
        (Evidence("node", clip(name), clip(source)),),
        fix or _FIX[rule],
    )
    return Node(
        clip(name), clip(source), "unknown", clip(why), (finding,), (), None, None, (), None, True, (), (), "", ""
    )


def unmeasured_gpus(failed: Sequence[tuple[str, str]], source: str) -> tuple[Finding, ...]:
    """What bench could not measure: devices and why, in one finding."""
    load()
    if not failed:
        return ()
    listed = "; ".join(f"{device}: {why}" for device, why in failed[:8])
    more = f" and {len(failed) - 8} more" if len(failed) > 8 else ""
    evidence = tuple(Evidence(f"bench.{device}", clip(why), clip(source)) for device, why in failed[:8])
    message = clip(f"bench measured no step: {listed}{more}")
    fix = ("# on that node:", "gpucheck bench --devices all", "gpucheck doctor --deep")
    return (Finding(UNMEASURED, RULES[UNMEASURED].severity, message, evidence, fix),)


UNMEASURED = "gpu-not-measured"
_WORDS = {
    "node-file-unreadable": "The node's file tells nothing",
    "node-without-answer": "The node did not answer",
    "node-incompatible": "The node cannot be asked by this gpucheck",
}
_FIX = {
    "node-file-unreadable": ("# on that node, to a file of its own:", "gpucheck snapshot --output NODE.json"),
    "node-without-answer": ("# on that node:", "gpucheck doctor"),
    "node-incompatible": (
        "# the same gpucheck in the environment of the workers:",
        "python3 -m pip install 'gpucheck-cli[fleet]'",
    ),
}
