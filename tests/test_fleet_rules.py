"""Rules over many: who differs from the majority, who has less than peers, who is slow, and when nothing is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import fleets
import looked
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucheck.facts.gap import Gap
from gpucheck.facts.system import Firmware
from gpucheck.facts.versions import LibraryVersion
from gpucheck.findings import Severity
from gpucheck.fleet.grouping import fleet, groups, states
from gpucheck.fleet.hostlist import expanded, folded
from gpucheck.fleet.nodes import Mark, Node, NodeGpu, Over
from gpucheck.fleet.rules.engine import RULES, judge_over, load

load()


def over(nodes: Iterable[Node]) -> dict[str, list[Over]]:
    found: dict[str, list[Over]] = {}
    for one in judge_over(tuple(nodes)):
        found.setdefault(one.finding.name, []).append(one)
    return found


def same(count: int, **changed: Any) -> list[Node]:
    return [fleets.node(f"node{at:02}", **changed) for at in range(count)]


# --- drift


def test_machines_that_are_the_same_differ_in_nothing() -> None:
    assert over(same(8)) == {}


def test_a_node_with_another_driver_is_named_with_its_version_and_the_majoritys() -> None:
    nodes = [*same(6), fleets.node("odd", fleets.with_driver("550.163.01"))]
    (found,) = over(nodes)["driver-drift"]
    assert found.nodes == ("odd",)
    assert found.finding.message == "driver: 6 of 7 nodes have 580.126.09; 1 550.163.01."
    assert [one.value for one in found.finding.evidence] == ["580.126.09 (6 of 7)", "550.163.01 (1 of 7)"]
    assert found.finding.fix


def test_the_odd_one_is_no_longer_fine() -> None:
    told = fleet([*same(6), fleets.node("odd", fleets.with_driver("550.163.01"))], "1")
    assert {one.name: one.differs for one in told.nodes if one.verdict == "warning"} == {"odd": ("driver-drift",)}
    assert ("driver-drift",) in [one.findings for one in told.states]


def test_without_a_majority_nobody_is_accused() -> None:
    nodes = [*same(2), fleets.node("c", fleets.with_driver("1")), fleets.node("d", fleets.with_driver("1"))]
    (found,) = over(nodes)["driver-drift"]
    assert set(found.nodes) == {"node00", "node01", "c", "d"}
    assert "without a majority" in found.finding.message
    assert {one.verdict for one in fleet(nodes, "1").nodes} == {"ok"}


def test_machines_of_another_kind_may_have_another_driver() -> None:
    others = [fleets.node(f"t{at}", fleets.with_driver("470.256.02", "t4-debian")) for at in range(3)]
    assert "driver-drift" not in over([*same(3), *others])


def test_machines_without_a_gpu_are_of_no_kind() -> None:
    nodes = [fleets.node("a", machine="no-gpu-vm"), fleets.node("b", machine="tensorflow-cpu-without-gpu")]
    assert over(nodes) == {}


def test_a_bios_is_compared_within_one_model_of_computer() -> None:
    def with_bios(product: str, version: str) -> Any:
        facts = looked.snapshot(fleets.H100)
        system: Any = facts.system
        return facts._replace(system=system._replace(firmware=Firmware(product, version, "01/02/2026")))

    nodes = [fleets.node(f"a{at}", with_bios("DGX H100", "1.2")) for at in range(3)]
    assert "bios-drift" not in over([*nodes, fleets.node("other", with_bios("XE9680", "2.0"))])
    (found,) = over([*nodes, fleets.node("odd", with_bios("DGX H100", "1.1"))])["bios-drift"]
    assert found.nodes == ("odd",)
    assert found.finding.severity is Severity.INFO


def test_libraries_are_compared_among_nodes_with_the_same_tensorflow() -> None:
    usual = [fleets.node(f"a{at}", machine="tf221-and-cuda") for at in range(3)]
    other = [fleets.node(f"b{at}", machine="tf2161-and-cuda") for at in range(3)]
    found = over([*usual, *other])["library-drift"]
    assert {one.finding.message.split()[0] for one in found} <= {"TensorFlow", "Python"}


def test_libraries_that_differ_on_the_same_nodes_are_one_finding() -> None:
    def copy(node: Node, name: str, version: str) -> Node:
        marks = [
            mark._replace(value=version) if mark.subject == "library" and mark.label in ("cublas", "cufft") else mark
            for mark in node.marks
        ]
        return node._replace(name=name, marks=tuple(marks))

    usual = fleets.node("a", machine="tf221-and-cuda")
    (found,) = over([copy(usual, f"n{at}", "12.9") for at in range(3)] + [copy(usual, "odd", "12.1")])["library-drift"]
    assert found.nodes == ("odd",)
    assert "1 more library of the same nodes" in found.finding.message


def test_the_same_cudnn_from_a_wheel_and_from_apt_is_no_drift() -> None:
    def with_cudnn(version: str) -> Any:
        facts = looked.snapshot("tf221-and-cuda")
        libraries: Any = facts.libraries
        wanted = tuple(
            one._replace(version=LibraryVersion(version)) if one.library == "cudnn" else one for one in libraries.wanted
        )
        return facts._replace(libraries=libraries._replace(wanted=wanted))

    usual = [fleets.node(f"n{at}", with_cudnn("9.28.0.42")) for at in range(3)]
    assert over([*usual, fleets.node("apt", with_cudnn("9.28.0"))]) == {}
    assert over([*usual, fleets.node("old", with_cudnn("9.27.0"))])["library-drift"][0].nodes == ("old",)


def test_a_node_with_some_gpus_in_mig_mode_says_so() -> None:
    mig = fleets.node("mig", machine="h100x8-mig")
    (found,) = [one for one in over([*same(3), mig])["system-drift"] if one.finding.message.startswith("MIG")]
    assert found.finding.message == "MIG: 3 of 4 nodes have off; 1 off and on."
    assert "nvlinks-below-peers" not in over([*same(3), mig])


def test_facts_of_another_gpucheck_are_told() -> None:
    nodes = [*same(3), fleets.node("old")._replace(version="0.0.9")]
    (found,) = over(nodes)["gpucheck-version-drift"]
    assert found.nodes == ("old",)


# --- less than peers


def test_a_node_with_seven_of_eight_gpus_is_found() -> None:
    (found,) = over([*same(4), fleets.node("short", fleets.with_gpus(7))])["fewer-gpus-than-peers"]
    assert found.nodes == ("short",)


def test_many_nodes_with_fewer_gpus_are_another_kind_of_machine() -> None:
    four = [fleets.node(f"four{at}", fleets.with_gpus(4)) for at in range(3)]
    assert "fewer-gpus-than-peers" not in over([*same(5), *four])


def test_a_container_may_have_been_given_fewer() -> None:
    facts = fleets.with_gpus(2)
    system: Any = facts.system
    given = fleets.node("pod", facts._replace(system=system._replace(container="kubernetes")))
    assert "fewer-gpus-than-peers" not in over([*same(5), given])


@pytest.mark.parametrize(
    ("rule", "field", "usual", "less"),
    [
        ("clocks-below-peers", "power_limit_w", 700.0, 500.0),
        ("clocks-below-peers", "clock_max_mhz", 1980, 1200),
        ("pcie-link-below-peers", "link_width", 16, 8),
        ("pcie-link-below-peers", "link_width_max", 16, 8),
        ("pcie-link-below-peers", "link_generation_max", 5, 4),
        ("nvlinks-below-peers", "nvlinks", 18, 12),
    ],
)
def test_one_gpu_with_less_than_the_others_is_named(rule: str, field: str, usual: float, less: float) -> None:
    def limited_to(node: Node, *values: float) -> Node:
        every = [gpu._replace(**{field: usual}) for gpu in node.gpus]
        lower = [every[0]._replace(**{field: one}) for one in values]
        return node._replace(gpus=(*every[len(values) :], *lower))

    nodes = [limited_to(one) for one in same(3)]
    (found,) = over([*nodes, limited_to(fleets.node("slow"), less)])[rule]
    assert found.nodes == ("slow",)
    assert f"{less:g}" in found.finding.message
    assert f"{usual:g}" in found.finding.message
    assert rule not in over(nodes)
    assert rule not in over([*nodes, limited_to(fleets.node("fast"), usual * 2)])
    half = [limited_to(fleets.node(f"other{at}"), *[less] * 8) for at in range(2)]
    assert rule not in over([*nodes, *half]), "two of five nodes are no exception"


# --- not knowing never accuses


VALUES = st.lists(st.sampled_from([None, None, "a", "a", "a", "b", "c"]), min_size=2, max_size=9)


@given(VALUES, st.data())
@settings(max_examples=60, deadline=None)
def test_hiding_a_mark_or_a_limit_adds_no_finding(values: list[str | None], data: Any) -> None:
    hidden = data.draw(st.integers(0, len(values) - 1))
    before = Counter(one.finding.name for one in judge_over(of_values(values)))
    after = Counter(one.finding.name for one in judge_over(of_values([*values[:hidden], None, *values[hidden + 1 :]])))
    assert not after - before


def of_values(values: list[str | None]) -> list[Node]:
    """Driver, GPUs and links from one draw: a < b < c, None not known."""
    numbers = {"a": 8, "b": 4, "c": 2}
    return [
        fleets.node(f"n{at}")._replace(
            marks=() if value is None else (Mark("driver", "driver", value, "driver", "test"),),
            gpu_count=numbers.get(value or ""),
            limited=False,
            gpus=(NodeGpu(0, "H100", True, None, None, None, numbers.get(value or ""), None, None),),
        )
        for at, value in enumerate(values)
    ]


def test_the_property_sees_findings_come_and_go() -> None:
    assert {one.finding.name for one in judge_over(of_values(["a", "a", "a", "a", "b"]))} == {
        "driver-drift",
        "fewer-gpus-than-peers",
        "pcie-link-below-peers",
    }


def test_a_gap_is_compared_with_nobody() -> None:
    facts = looked.snapshot(fleets.H100)
    hidden = facts._replace(gpus=Gap("hidden", "not-collected"), driver=Gap("hidden", "not-collected"))
    node = fleets.node("hidden", hidden)
    assert (node.peers, node.gpu_count) == (None, None)
    assert over([*same(4), node]) == {}


# --- grouping


def test_findings_are_grouped_worst_first_and_causes_before_what_follows() -> None:
    nodes = [
        fleets.plainly("a", "error", ("x", Severity.ERROR, "GPU 1 is lost."), ("w", Severity.WARNING, "warm")),
        fleets.plainly("b", "error", ("x", Severity.ERROR, "GPU 7 is lost.")),
        fleets.plainly("c", "warning", ("w", Severity.WARNING, "warm")),
    ]
    found = groups(nodes)
    assert [(one.name, one.nodes) for one in found] == [("x", ("a", "b")), ("w", ("a", "c"))]
    assert len(found[0].cases) == 1, "which GPU it is makes no other case"


def test_nodes_that_look_alike_are_one_state() -> None:
    found = states([*same(5), fleets.plainly("bad", "error", ("x", Severity.ERROR, "bad"))])
    assert [(one.verdict, len(one.nodes)) for one in found] == [("error", 1), ("ok", 5)]
    assert found[1].words[0] == "8 × NVIDIA H100 80GB HBM3"


def test_a_rule_over_many_can_be_left_out() -> None:
    nodes = [*same(6), fleets.node("odd", fleets.with_driver("550.163.01"))]
    told = fleet(nodes, "1", ["driver-drift"])
    assert "driver-drift" not in {one.finding.name for one in told.over}
    assert "driver-drift" not in told.checked
    assert told.ignored == ("driver-drift",)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["gpu01", "gpu02", "gpu03", "login"], "gpu[01-03], login"),
        (["n9", "n10", "n11"], "n9, n[10-11]"),
        (["rack1/n1", "rack2/n1"], "rack1/n1, rack2/n1"),
        (["a"], "a"),
        (["n7"], "n7"),
        (["n1", "n3"], "n[1,3]"),
    ],
)
def test_names_are_folded_as_slurm_writes_them(names: list[str], text: str) -> None:
    assert folded(names) == text
    assert set(expanded(text.replace(" ", ""))) == set(names)


def test_a_folded_list_says_how_many_more_there_are() -> None:
    assert folded(["a", "b", "c"], 2) == "a, b and 1 more"


@given(st.sets(st.from_regex(r"[a-z]{0,2}[0-9]{1,4}[a-z]?", fullmatch=True), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_folding_and_expanding_lose_no_name(names: set[str]) -> None:
    text = folded(sorted(names), 1000)
    if "…" not in text:
        assert set(expanded(text.replace(" ", ""))) == names


@pytest.mark.parametrize("text", ["gpu[01-", "gpu[a-b]", "gpu[1-99999999]", "gpu]1["])
def test_what_is_no_list_of_hosts_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no list|more than"):
        expanded(text)


def test_every_rule_over_many_is_documented() -> None:
    for rule in RULES.values():
        for heading in ("## What it means", "## Why it matters", "## How to fix"):
            assert heading in rule.documentation, rule.name
