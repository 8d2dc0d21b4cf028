"""How a rule over many is declared and how all of them are judged. Pure: nodes in, findings out.

As with one machine, not knowing never accuses: what a rule finds does not grow when a fact is hidden. So a majority is
one of all peers, those of which it is not known included. (The tests of speed are statistics, and no such promise.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple, Union, cast

from gpucheck.findings import Evidence, Finding, Severity
from gpucheck.fleet.nodes import Node, Over
from gpucheck.rules.engine import Judge, Rule, name_of

# The order is the order of decisiveness within a severity.
SUBJECTS = ("answers", "counts", "drift", "speed", "links")

RULES: dict[str, Rule] = {}


class Differing(NamedTuple):
    """What a rule over many yields. evidence: (fact, value, source) triples. peers, odd: as in `Over`."""

    message: str
    evidence: tuple[tuple[str, object, str], ...]
    nodes: tuple[str, ...]
    peers: str
    fix: tuple[str, ...] = ()
    odd: bool = True


JudgeMany = Callable[[Sequence[Node]], Iterable[Differing]]


def rule(severity: Severity) -> Callable[[JudgeMany], JudgeMany]:
    """Register a rule over many: its name is its function's, its docstring its documentation."""

    def register(judge: JudgeMany) -> JudgeMany:
        name = name_of(judge, RULES)
        RULES[name] = Rule(name, severity, False, (), judge.__doc__ or "", cast(Judge, judge))
        return judge

    return register


def load() -> None:
    """Import every subject, which registers its rules, and put them in the order above, whoever was imported first."""
    from importlib import import_module

    places = {import_module(f"{__package__}.{subject}").__name__: place for place, subject in enumerate(SUBJECTS)}
    ordered = sorted(RULES.items(), key=lambda item: places[item[1].judge.__module__])
    RULES.clear()
    RULES.update(ordered)


def judge_over(nodes: Sequence[Node], ignore: Iterable[str] = ()) -> tuple[Over, ...]:
    """Every rule over many, worst first."""
    load()
    ignored = set(ignore)
    found = [over for one in RULES.values() if one.name not in ignored for over in _judged(one, nodes)]
    weight = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
    order = {name: at for at, name in enumerate(RULES)}
    return tuple(sorted(found, key=lambda one: (weight[one.finding.severity], order[one.finding.name])))


def _judged(one: Rule, nodes: Sequence[Node]) -> Iterator[Over]:
    for case in cast(JudgeMany, one.judge)(nodes):
        evidence = tuple(Evidence(fact, str(value), source) for fact, value, source in case.evidence)
        yield Over(Finding(one.name, one.severity, case.message, evidence, case.fix), case.nodes, case.peers, case.odd)


class Peers(NamedTuple):
    """Nodes that should be alike. of: how many they may be, those included of which it is not known what they are."""

    kind: str
    nodes: list[Node]
    of: int


Key = tuple[Union[str, None], ...]


def alike(nodes: Sequence[Node], key: Callable[[Node], Key]) -> Iterator[Peers]:
    """Nodes of one kind together. A node whose kind is not known is compared with nobody, and may be anybody's peer:
    were it left out of the count, hiding what it is would make a majority of a minority."""
    groups: dict[Key, list[Node]] = {}
    for node in nodes:
        if node.trouble is None:
            groups.setdefault(key(node), []).append(node)
    for kind, group in groups.items():
        words = [one for one in kind if one is not None]
        if len(words) == len(kind):
            masked = set(product(*((None, word) for word in words)))
            yield Peers(", ".join(words), group, sum(len(groups.get(one, ())) for one in masked))


def by_peers(nodes: Sequence[Node]) -> Iterator[Peers]:
    """Nodes with the same GPU models together: only they should be alike."""
    yield from alike(nodes, lambda node: (node.peers,))
