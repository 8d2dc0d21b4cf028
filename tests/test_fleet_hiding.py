"""Not knowing never accuses, over many machines either: hide any one fact of a node, and no finding and no name appears
that was not there. (A slow GPU is found by statistics, and is no such promise.)"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fleets
import looked
import pytest
from test_hiding import Place, places, without

from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import Firmware
from gpucheck.fleet.nodes import Node
from gpucheck.fleet.rules.engine import judge_over

Facts = dict[str, Snapshot]
Accused = set[tuple[str, str]]


def accused(nodes: list[Node]) -> Accused:
    """Findings, and who is named as the odd one."""
    found = judge_over(nodes)
    names = {(one.finding.name, name) for one in found if one.odd for name in one.nodes}
    return {(one.finding.name, "") for one in found} | names


def with_bios(version: str, facts: Snapshot) -> Snapshot:
    system: Any = facts.system
    return facts._replace(system=system._replace(firmware=Firmware("DGX H100", version, "01/02/2026")))


def with_links(facts: Snapshot, **changed: int) -> Snapshot:
    every: Any = facts.gpus
    return facts._replace(gpus=(*every[:-1], every[-1]._replace(pcie=every[-1].pcie._replace(**changed))))


def barely() -> Facts:
    """A majority, or none, by one node."""
    usual = looked.snapshot(fleets.H100)
    return {
        "a": with_bios("1", usual),
        "b": with_bios("1", with_links(usual, width=8)),
        "c": with_bios("2", fleets.with_driver("550.163.01")),
        "d": with_bios("3", fleets.with_gpus(7)),
        "e": fleets.with_gpus(4),
        "f": usual._replace(libraries=looked.snapshot("tf221-and-cuda").libraries),
    }


def mixed() -> Facts:
    """Two kinds of GPU, MIG, no GPU, one that fell off, and drivers of which two nodes each have one."""
    t4 = looked.snapshot("t4-debian")
    return {
        "a": looked.snapshot("h100x8-mig"),
        "b": looked.snapshot(fleets.H100),
        "c": looked.snapshot("h100x8-one-lost"),
        "d": fleets.with_driver("550.163.01"),
        "e": t4,
        "f": fleets.with_driver("470.256.02", "t4-debian"),
        "g": looked.snapshot("no-gpu-vm"),
    }


def environments() -> Facts:
    """The same GPUs with other TensorFlows, so with other libraries."""
    return {
        "a": looked.snapshot("tf221-and-cuda"),
        "b": looked.snapshot("tf221-and-cuda"),
        "c": looked.snapshot("tf2161-and-cuda"),
        "d": looked.snapshot("old-cudnn-in-ld-library-path"),
    }


def links() -> Facts:
    """A node of half the width, so that one narrow GPU more is no exception: unless that node were not counted."""
    usual = looked.snapshot(fleets.H100)
    every: Any = usual.gpus
    narrow = usual._replace(gpus=tuple(one._replace(pcie=one.pcie._replace(width=8)) for one in every))
    return {"a": usual, "b": usual, "c": narrow, "d": with_links(usual, width=8)}


FLEETS = (barely, mixed, environments, links)


def judged(facts: Facts) -> dict[str, Node]:
    return {name: fleets.node(name, one) for name, one in facts.items()}


def added(facts: Facts, each: int) -> Iterator[tuple[str, Place, Accused]]:
    """What hiding adds. each: every such fact is hidden, and all sections."""
    nodes = judged(facts)
    before = accused(list(nodes.values()))
    for name, one in facts.items():
        for number, at in enumerate(places(one, Snapshot)):
            if len(at) == 1 or number % each == 0:
                changed = {**nodes, name: fleets.node(name, without(one, at))}
                if more := accused(list(changed.values())) - before:
                    yield name, at, more


@pytest.mark.parametrize("facts", FLEETS)
def test_hiding_a_section_or_some_fact_of_a_node_accuses_nobody(facts: Any) -> None:
    assert not list(added(facts(), 97))


@pytest.mark.slow
@pytest.mark.parametrize("facts", FLEETS)
def test_hiding_any_fact_of_a_node_accuses_nobody(facts: Any) -> None:
    assert not list(added(facts(), 1))


def test_the_property_has_something_to_lose() -> None:
    names = {name for facts in FLEETS for name, _ in accused(list(judged(facts()).values()))}
    assert {"driver-drift", "library-drift", "bios-drift", "pcie-link-below-peers"} <= names
