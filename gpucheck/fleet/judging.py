"""One node's files to a `Node`. The same rules as `gpucheck doctor`, machine by machine.

A file is anyone's: whatever it holds, there comes one node out of it, within a time and of a bounded size.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gpucheck import api
from gpucheck.facts.bench import SCHEMA as BENCH
from gpucheck.facts.bench import Result
from gpucheck.facts.codec import BadFacts
from gpucheck.facts.compiled import decode_fast
from gpucheck.facts.snapshot import SCHEMA as SNAPSHOT
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Evidence, Finding
from gpucheck.fleet import marks, reading
from gpucheck.fleet.nodes import MOST_FINDINGS, Node, Timing
from gpucheck.fleet.reading import Source, Unreadable
from gpucheck.fleet.timings import timings
from gpucheck.fleet.trouble import node_of

SECONDS = 5.0  # for one node; it takes two thousandths


def judge_source(source: Source, ignore: Sequence[str] = ()) -> Node:
    """One node. Never raises: what cannot be judged is a node with that trouble."""
    if source.refused is not None:
        return node_of(source.node, source.paths[0], "node-file-unreadable", source.refused)
    try:
        with _within(SECONDS):
            return _judge(source, ignore)
    except Unreadable as error:
        return node_of(
            source.node,
            error.args[1] if len(error.args) > 1 else source.paths[0],
            "node-file-unreadable",
            error.args[0],
        )
    except TimeoutError:
        return node_of(source.node, source.paths[0], "node-file-unreadable", f"not judged within {SECONDS:g} s")
    except (Exception, RecursionError, MemoryError) as error:
        # Facts that fit their types and make no sense together: a rule may trip over them.
        why = f"what it holds cannot be judged: {type(error).__name__}"
        return node_of(source.node, source.paths[0], "node-file-unreadable", why)


def judge_document(name: str, source: str, document: dict[str, Any], ignore: Sequence[str] = ()) -> Node:
    """A node whose answer came by another way than a file. Raises `Unreadable`."""
    return _node(name, source, _facts(document), (), ignore)


def _judge(source: Source, ignore: Sequence[str]) -> Node:
    newest: tuple[str, Snapshot] | None = None
    beside: Snapshot | None = None
    measured: list[Timing] = []
    for path in source.paths:
        try:
            document = reading.read(path)
            if document.get("schema") == BENCH:
                result = decode_fast(Result, document)
                measured += timings(result)
                beside = result.facts if isinstance(result.facts, Snapshot) else beside
            else:
                facts = _facts(document)
                if newest is None or facts.taken > newest[1].taken:
                    newest = (path, facts)
        except (Unreadable, BadFacts) as error:
            raise Unreadable(str(error), path) from error
    if newest is not None:
        return _node(source.node, newest[0], newest[1], measured, ignore)
    if beside is not None:
        return _node(source.node, source.paths[0], beside, measured, ignore)
    raise Unreadable("a result of bench without the machine's facts", source.paths[0])


def _facts(document: dict[str, Any]) -> Snapshot:
    try:
        if document.get("schema") == SNAPSHOT:
            facts = decode_fast(Snapshot, document)
            assert isinstance(facts, Snapshot)
            return facts
        return api.read_data(document)
    except (BadFacts, api.BadFile) as error:
        raise Unreadable(str(error)) from error


def _node(name: str, source: str, facts: Snapshot, measured: Sequence[Timing], ignore: Sequence[str]) -> Node:
    from gpucheck.rules import engine

    rules = engine.RULES if loaded() else None
    report = engine.judge_all(facts, ignore, rules)
    return Node(
        name,
        source,
        report.verdict,
        None,
        tuple(_small(one) for one in report.findings[:MOST_FINDINGS]),
        tuple(one._replace(reason=marks.clip(one.reason)) for one in report.skipped if one.decisive),
        marks.peers(facts),
        marks.product(facts),
        marks.marks(facts),
        marks.gpu_count(facts),
        marks.limited(facts),
        marks.gpus(facts),
        tuple(measured),
        marks.clip(facts.version),
        marks.clip(facts.taken),
    )


def loaded() -> bool:
    """The rules are put in order once: that takes as long as judging."""
    from gpucheck import rules

    global _ready  # noqa: PLW0603
    if not _ready:
        rules.load()
        _ready = True
    return _ready


_ready = False


def _small(finding: Finding) -> Finding:
    """Cut to a bound; of the fix whole lines, for half a command is worse than none."""
    evidence = tuple(Evidence(*map(marks.clip, one)) for one in finding.evidence[:4])
    fix = tuple(line for line in finding.fix[:10] if len(line) <= 1000)
    return finding._replace(message=marks.clip(finding.message), evidence=evidence, fix=fix)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """TimeoutError after so many seconds, where the system can: not on Windows, and in the main thread alone."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    try:
        before = signal.signal(signal.SIGALRM, stop)
    except (AttributeError, ValueError):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
