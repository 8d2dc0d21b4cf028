"""Two snapshots compared fact by fact, and mixtures of them: one side's facts with some of the other's put back.

What is equal has no node. What one side does not know (a gap) is a leaf of its own kind: no change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, Union

from gpucheck.differing.rows import Pair, pairs
from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import Version


class Absent:
    """No such item in that side's list."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()

# How and when a snapshot was taken is no fact of the machine, and what a log or a container file says is none of it.
_NOT_COMPARED = ("schema", "version", "taken", "probes", "log", "containers")
# Where "none" means that nobody asked.
_NOT_ASKED = ("deep", "driver.wsl.gpus")


class Leaf(NamedTuple):
    """One fact that differs.

    place: "driver.libraries[/usr/lib/libcuda.so.1].version"; plain: the same without the items' keys, as evidence has
    it. item: both sides' outermost item of a list that it is in, ABSENT where that side has none.
    """

    place: str
    plain: str
    before: Any
    now: Any
    item: tuple[Any, Any]

    @property
    def unknown(self) -> bool:
        """One side does not know it."""
        return _unknown(self.place, self.before) or _unknown(self.place, self.now)

    @property
    def unknown_before(self) -> bool:
        """That side is the older one."""
        return _unknown(self.place, self.before)


def _unknown(place: str, value: Any) -> bool:
    return isinstance(value, Gap) or (value is None and place in _NOT_ASKED)


class Fields(NamedTuple):
    """A tuple with names of which some differ."""

    before: Any
    now: Any
    children: tuple[tuple[str, Node], ...]


class Row(NamedTuple):
    """An item of a list. node None: the same on both sides."""

    before: Any
    now: Any
    node: Union[Node, None]


class Rows(NamedTuple):
    """A list whose items have keys: every item of both sides, in the order of either."""

    by_before: tuple[Row, ...]
    by_now: tuple[Row, ...]


Node = Union[Leaf, Fields, Rows]


def tree(before: Snapshot, now: Snapshot) -> Fields:
    """Everything in which they differ."""
    children = ((name, getattr(before, name), getattr(now, name)) for name in before._fields)
    nodes = ((name, _node(one, two, name, name, None)) for name, one, two in children if name not in _NOT_COMPARED)
    return Fields(before, now, tuple((name, node) for name, node in nodes if node is not None))


def _node(before: Any, now: Any, place: str, plain: str, item: tuple[Any, Any] | None) -> Node | None:
    if isinstance(before, Gap) and isinstance(now, Gap):
        return None
    if hasattr(before, "_fields") and type(before) is type(now):
        made = (
            (name, _node(getattr(before, name), getattr(now, name), f"{place}.{name}", f"{plain}.{name}", item))
            for name in before._fields
        )
        children = tuple((name, node) for name, node in made if node is not None)
        return Fields(before, now, children) if children else None
    if isinstance(before, tuple) and isinstance(now, tuple) and not hasattr(before, "_fields") and before + now:
        found = pairs(before, now)
        if found is not None:
            return _rows(before, now, found, place, plain, item)
    return None if _equal(before, now) else Leaf(place, plain, before, now, item or (ABSENT, ABSENT))


def _rows(
    before: Any, now: Any, found: tuple[tuple[Pair, ...], ...], place: str, plain: str, item: tuple[Any, Any] | None
) -> Rows | None:
    rows: dict[str, Row] = {}
    for key, first, second in found[0]:
        one, two = ABSENT if first < 0 else before[first], ABSENT if second < 0 else now[second]
        inside = item or (one, two)
        if one is ABSENT or two is ABSENT:
            node: Node | None = Leaf(f"{place}[{key}]", plain, one, two, inside)
        else:
            node = _node(one, two, f"{place}[{key}]", plain, inside)
        rows[key] = Row(one, two, node)
    if not any(row.node for row in rows.values()):
        return None
    return Rows(tuple(rows.values()), tuple(rows[key] for key, _, _ in found[1]))


def _equal(before: Any, now: Any) -> bool:
    if isinstance(before, Version) and isinstance(now, Version):
        # 2.6.0+cpu and 2.6.0+cu124 are equal in order, and not the same.
        return before == now and before.text.partition("+")[2] == now.text.partition("+")[2]
    if isinstance(before, tuple) and isinstance(now, tuple):
        return len(before) == len(now) and all(map(_equal, before, now))
    return type(before) is type(now) and bool(before == now)


def leaves(node: Node | None) -> Iterator[Leaf]:
    """Every fact that differs, in the snapshot's order."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Rows):
        for row in node.by_before:
            yield from leaves(row.node)
    elif node is not None:
        for _, child in node.children:
            yield from leaves(child)


def mixed(whole: Fields, chosen: Collection[str], base_is_now: bool = True) -> Snapshot:
    """One side's facts with the other's at the chosen places.

    Parameters
    ----------
    chosen: places of leaves.
    base_is_now: of now, with what was before put back; else of before, with what came since.
    """
    made = _mixed(whole, chosen, base_is_now)
    assert isinstance(made, Snapshot)
    return made


def _mixed(node: Node, chosen: Collection[str], base_is_now: bool) -> Any:
    if isinstance(node, Leaf):
        return node.before if (node.place in chosen) is base_is_now else node.now
    if isinstance(node, Fields):
        base = node.now if base_is_now else node.before
        return base._replace(**{name: _mixed(child, chosen, base_is_now) for name, child in node.children})
    rows = node.by_now if base_is_now else node.by_before
    every = (
        (row.now if base_is_now else row.before) if row.node is None else _mixed(row.node, chosen, base_is_now)
        for row in rows
    )
    return tuple(one for one in every if one is not ABSENT)
