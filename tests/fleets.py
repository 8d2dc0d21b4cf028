"""Fleets to test with: the recorded machines, some of their facts changed, as files of nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import looked

from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import DriverVersion
from gpucheck.findings import Evidence, Finding, Severity
from gpucheck.fleet import judging
from gpucheck.fleet.marks import gpu_count, gpus, limited, marks, peers, product
from gpucheck.fleet.nodes import Node, Timing
from gpucheck.render.json import render_snapshot

H100 = "h100x8-ubuntu"


def text(machine: str = H100, **changed: Any) -> str:
    """A snapshot as a node would write it. changed: sections of it."""
    return render_snapshot(looked.snapshot(machine)._replace(**changed))


def write(folder: Path, **nodes: str) -> Path:
    """Files of nodes in a folder."""
    folder.mkdir(exist_ok=True)
    for name, content in nodes.items():
        (folder / f"{name}.json").write_text(content)
    return folder


def node(name: str, facts: Snapshot | None = None, timings: tuple[Timing, ...] = (), machine: str = H100) -> Node:
    """A node of these facts; its own findings left away."""
    facts = looked.snapshot(machine) if facts is None else facts
    return Node(
        name,
        f"{name}.json",
        "ok",
        None,
        (),
        (),
        peers(facts),
        product(facts),
        marks(facts),
        gpu_count(facts),
        limited(facts),
        gpus(facts),
        timings,
        facts.version,
        "2026-11-23T12:00:00Z",
    )


def with_driver(version: str, machine: str = H100) -> Snapshot:
    facts = looked.snapshot(machine)
    driver: Any = facts.driver
    return facts._replace(driver=driver._replace(module_version=DriverVersion(version)))


def with_gpus(count: int, machine: str = H100, **changed: Any) -> Snapshot:
    """The first `count` GPUs, and of the last of them other fields."""
    facts = looked.snapshot(machine)
    every: Any = facts.gpus
    shown = list(every[:count])
    if changed:
        shown[-1] = shown[-1]._replace(**changed)
    return facts._replace(gpus=tuple(shown))


def plainly(name: str, verdict: Any, *findings: tuple[str, Severity, str]) -> Node:
    """A node of a few words, to be rendered."""
    made = tuple(
        Finding(what, severity, message, (Evidence("driver", "1", "somewhere"),), ("sudo reboot",))
        for what, severity, message in findings
    )
    return node(name)._replace(verdict=verdict, findings=made)


def judged(folder: Path) -> dict[str, Node]:
    """Every node of a folder, in this process."""
    from gpucheck.fleet import reading

    return {one.name: one for one in map(judging.judge_source, reading.sources([str(folder)]))}
