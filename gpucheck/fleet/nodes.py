"""What is kept of one machine of a fleet, and what is said of all of them. Only types, and how large they may get.

A node is small whatever its file holds: that is what makes ten thousand of them fit.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Union

from gpucheck.findings import Finding, Severity, Skipped

SCHEMA = "gpucheck.fleet/1"

# What could be a fact of the machine that gpucheck runs on is none of a node: a node without an answer is "unknown".
NodeVerdict = Literal["ok", "warning", "error", "unknown"]

NO_GPU = "no NVIDIA GPU"  # the peers of machines without one

MOST_TEXT = 300  # characters of a name or a value
MOST_FINDINGS = 40
MOST_MARKS = 60
MOST_GPUS = 64
MOST_TIMINGS = 64


class Mark(NamedTuple):
    """Something that should be the same on machines of a kind.

    subject: the rule that compares it. label: what a reader calls it. value: as text. fact, source: as in evidence.
    """

    subject: Literal["driver", "framework", "library", "toolkit", "bios", "system"]
    label: str
    value: str
    fact: str
    source: str


class NodeGpu(NamedTuple):
    """One GPU's own limits: what does not change with its load. None: not known, or this GPU has no such thing."""

    number: int
    name: Union[str, None]
    working: bool  # NVML could open it
    power_limit_w: Union[float, None]
    clock_max_mhz: Union[int, None]
    link_width: Union[int, None]  # lanes
    link_width_max: Union[int, None]
    link_generation_max: Union[int, None]
    nvlinks: Union[int, None]


class Timing(NamedTuple):
    """One GPU's training step, of a bench result.

    kind: what was timed (network, precision, batch size …): only equal kinds are compared. step, low: seconds, the
    median and the lower end of its interval. clock_mhz: median SM clock while it computed.
    """

    device: str
    gpu: str
    kind: str
    step: float
    low: float
    clock_mhz: Union[float, None]


class Node(NamedTuple):
    """One machine.

    trouble: why there are no facts of it (then it has one finding, and no more). peers: GPU model and machine type;
    None: not known, and then it is compared with no one. limited: a container or a job may show only some of its GPUs.
    """

    name: str
    source: str  # the file or the address that the facts came from
    verdict: NodeVerdict
    trouble: Union[str, None]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]  # the decisive ones
    peers: Union[str, None]
    product: Union[str, None]
    marks: tuple[Mark, ...]
    gpu_count: Union[int, None]  # that NVML lists and can open
    limited: bool
    gpus: tuple[NodeGpu, ...]
    timings: tuple[Timing, ...]
    version: str  # gpucheck's, that took the facts
    taken: str
    differs: tuple[str, ...] = ()  # rules over many that name this node as the odd one; a warning at least


class Over(NamedTuple):
    """A finding over many nodes.

    nodes: those that it is about. peers: whom they were compared with. odd: these nodes are the exception; False: they
    differ among each other, and nobody can say which of them is right.
    """

    finding: Finding
    nodes: tuple[str, ...]
    peers: str
    odd: bool = True


class Case(NamedTuple):
    """One distinct form of a finding: an example of its words, and the nodes that have it."""

    message: str
    nodes: tuple[str, ...]


class Group(NamedTuple):
    """A finding that nodes have for themselves, its forms by frequency, and an example with evidence and fix."""

    name: str
    severity: Severity
    nodes: tuple[str, ...]
    cases: tuple[Case, ...]
    example: Finding


class State(NamedTuple):
    """Nodes that look alike: what they have, in words, and what was found on each of them."""

    verdict: NodeVerdict
    words: tuple[str, ...]
    findings: tuple[str, ...]
    nodes: tuple[str, ...]


class Fleet(NamedTuple):
    """Everything that `gpucheck fleet` has to say. groups and over are sorted, worst first."""

    version: str
    nodes: tuple[Node, ...]
    over: tuple[Over, ...]
    groups: tuple[Group, ...]
    states: tuple[State, ...]
    checked: tuple[str, ...]  # rules over many
    ignored: tuple[str, ...]

    @property
    def verdict(self) -> NodeVerdict:
        """The worst there is: an error outweighs "could not tell", that a warning."""
        verdicts = {node.verdict for node in self.nodes}
        severities = {one.finding.severity for one in self.over}
        if "error" in verdicts or Severity.ERROR in severities:
            return "error"
        if "unknown" in verdicts or not self.nodes:
            return "unknown"
        return "warning" if "warning" in verdicts or Severity.WARNING in severities else "ok"

    def exit_code(self, strict: bool = False) -> int:
        """0 fine, 1 an error was found (with `strict` a warning, too), 3 a node could not be judged."""
        severities = {one.severity for one in self.groups} | {one.finding.severity for one in self.over}
        if strict and Severity.WARNING in severities:
            return 1
        return {"ok": 0, "warning": 0, "error": 1, "unknown": 3}[self.verdict]
