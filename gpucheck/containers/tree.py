"""YAML as a tree whose every piece knows its line. Bounded in size, depth and number of pieces; no object is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Union

MOST_CHARACTERS = 1 << 18
MOST_DEPTH = 40
MOST_PIECES = 50_000


class BadTree(ValueError):
    """It is no YAML, or too deep or too large; the message says which."""


class Leaf(NamedTuple):
    text: Union[str, None]  # None: nothing ("key:", null)
    source: str


class Row(NamedTuple):
    items: tuple[Any, ...]
    source: str


class Table(NamedTuple):
    members: dict[str, Any]
    source: str


Tree = Union[Leaf, Row, Table]


def load(text: str, name: str) -> Tree:
    """The tree of the first document. name: of the file, for sources. Raises `BadTree`."""
    import yaml

    if len(text) > MOST_CHARACTERS:
        raise BadTree(f"larger than {MOST_CHARACTERS >> 10} KiB")

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Gives up where nesting is deeper than anybody's file."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            if self.depth > MOST_DEPTH:
                raise BadTree(f"nested deeper than {MOST_DEPTH} levels")
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

    loader = Loader(text)
    try:
        node = loader.get_node() if loader.check_node() else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise BadTree(f"{where}{getattr(error, 'problem', None) or 'no YAML'}") from error
    except (RecursionError, ValueError) as error:
        raise BadTree(str(error) or "no YAML") from error
    finally:
        loader.dispose()
    return Leaf(None, f"{name}:1") if node is None else _Maker(name).made(node, 0)


class _Maker:
    """Nodes to trees. An alias is made once more each time, up to a number: a bomb of aliases ends there."""

    def __init__(self, name: str) -> None:
        self.name, self.pieces = name, 0

    def made(self, node: Any, depth: int) -> Tree:
        self.pieces += 1
        if self.pieces > MOST_PIECES or depth > MOST_DEPTH:
            raise BadTree("too many pieces, or one that holds itself")
        source = f"{self.name}:{node.start_mark.line + 1}"
        if node.id == "scalar":
            nothing = node.tag.endswith(":null") or (node.value == "" and not node.style)
            return Leaf(None if nothing else node.value, source)
        if node.id == "sequence":
            return Row(tuple(self.made(each, depth + 1) for each in node.value), source)
        members: dict[str, Any] = {}
        for key, value in node.value:
            if key.id != "scalar":
                continue
            if key.tag.endswith(":merge"):
                for each in value.value if value.id == "sequence" else [value]:
                    other = self.made(each, depth + 1)
                    if isinstance(other, Table):
                        members = {**other.members, **members}
            else:
                made = self.made(value, depth + 1)
                # A key's own line is where a reader looks for it.
                members[key.value] = made._replace(source=f"{self.name}:{key.start_mark.line + 1}")
        return Table(members, source)


def at(tree: Union[Tree, None], *keys: str) -> Union[Tree, None]:
    """What stands under these keys; None: nothing."""
    for key in keys:
        tree = tree.members.get(key) if isinstance(tree, Table) else None
    return tree


def items(tree: Union[Tree, None]) -> tuple[Tree, ...]:
    """A list's pieces, () for everything else."""
    return tree.items if isinstance(tree, Row) else ()


def word(tree: Union[Tree, None]) -> Union[str, None]:
    """A leaf's text."""
    return tree.text if isinstance(tree, Leaf) else None


def pairs(tree: Union[Tree, None]) -> Iterator[tuple[str, Union[str, None], str]]:
    """(name, value, source) of ``{NAME: value}`` and of ``[NAME=value, NAME]``; None: the name alone."""
    if isinstance(tree, Table):
        for name, value in tree.members.items():
            if isinstance(value, Leaf):
                yield name, value.text, value.source
    for one in items(tree):
        if isinstance(one, Leaf) and one.text:
            name, equals, text = one.text.partition("=")
            yield name, text if equals else None, one.source


def merged(base: Union[Tree, None], over: Union[Tree, None]) -> Union[Tree, None]:
    """A file and the one that overrides it, as Compose merges them: tables by key, lists one after the other."""
    if base is None or over is None:
        return base if over is None else over
    if isinstance(base, Table) and isinstance(over, Table):
        keys = dict.fromkeys((*base.members, *over.members))
        return Table({key: merged(at(base, key), at(over, key)) for key in keys}, base.source)
    if isinstance(base, Row) and isinstance(over, Row):
        return Row((*base.items, *over.items), base.source)
    return over
