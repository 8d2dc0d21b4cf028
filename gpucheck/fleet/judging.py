"""One node's files to a `Node`. The same rules as `gpucheck doctor`, machine by machine.

A file is anyone's: whatever it holds, there comes one node out of it, within a time and of a bounded size.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Union

from gpucheck import api
from gpucheck.expecting.expectations import Expectations
from gpucheck.facts.bench import SCHEMA as BENCH
from gpucheck.facts.bench import Result
from gpucheck.facts.codec import BadFacts
from gpucheck.facts.compiled import decode_fast
from gpucheck.facts.snapshot import SCHEMA as SNAPSHOT
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Evidence, Finding, Report
from gpucheck.fleet import marks, reading
from gpucheck.fleet.nodes import MOST_FINDINGS, NO_GPU, Node, Timing
from gpucheck.fleet.reading import Source, Unreadable
from gpucheck.fleet.timings import failures, timings
from gpucheck.fleet.trouble import UNMEASURED, node_of, unmeasured_gpus

SECONDS = 5.0  # for one node; it takes two thousandths


def judge_source(source: Source, ignore: Sequence[str] = (), wishes: Union[Expectations, None] = None) -> Node:
    """One node. Never raises: what cannot be judged is a node with that trouble. wishes: what is expected of it."""
    if source.refused is not None:
        return node_of(source.node, source.paths[0], "node-file-unreadable", source.refused)
    try:
        with _within(SECONDS):
            documents = ((path, _read(path)) for path in source.paths)
            return _judged(source.node, documents, None, ignore, wishes)
    except Unreadable as error:
        return node_of(source.node, error.path or source.paths[0], "node-file-unreadable", str(error))
    except TimeoutError:
        return node_of(source.node, source.paths[0], "node-file-unreadable", f"not judged within {SECONDS:g} s")
    except (Exception, RecursionError, MemoryError) as error:
        # Facts that fit their types and make no sense together: a rule may trip over them.
        why = f"what it holds cannot be judged: {type(error).__name__}"
        return node_of(source.node, source.paths[0], "node-file-unreadable", why)


def judge_answer(
    name: str,
    source: str,
    documents: Iterable[dict[str, Any]],
    unmeasured: Union[str, None] = None,
    ignore: Sequence[str] = (),
    wishes: Union[Expectations, None] = None,
) -> Node:
    """A node whose answer came by another way than a file. unmeasured: bench was asked for, and why there is no result.

    Raises `Unreadable`.
    """
    try:
        return _judged(name, [(source, one) for one in documents], unmeasured, ignore, wishes)
    except Unreadable as error:
        raise error
    except (Exception, RecursionError, MemoryError) as error:
        raise Unreadable(f"what it holds cannot be judged: {type(error).__name__}") from error


def _read(path: str) -> dict[str, Any]:
    try:
        return reading.read(path)
    except Unreadable as error:
        raise Unreadable(str(error), path) from error


def _judged(
    name: str,
    documents: Iterable[tuple[str, dict[str, Any]]],
    unmeasured: Union[str, None],
    ignore: Sequence[str],
    wishes: Union[Expectations, None],
) -> Node:
    """The newest facts of several, and every timing."""
    newest: Union[tuple[str, Snapshot], None] = None
    beside: Union[tuple[str, Snapshot], None] = None
    results: list[Result] = []
    for path, document in documents:
        try:
            if document.get("schema") == BENCH:
                result = decode_fast(Result, document)
                results.append(result)
                beside = (path, result.facts) if isinstance(result.facts, Snapshot) else beside
            else:
                facts = _facts(document)
                if newest is None or facts.taken > newest[1].taken:
                    newest = (path, facts)
        except (Unreadable, BadFacts) as error:
            raise Unreadable(str(error), path) from error
    chosen = newest or beside
    if chosen is None:
        raise Unreadable("a result of bench without the machine's facts")
    source, snapshot = chosen
    report = _report(snapshot, results, ignore, wishes)
    failed = [
        *([] if unmeasured is None else [("bench", unmeasured)]),
        *(one for each in results for one in failures(each)),
    ]
    also = () if UNMEASURED in ignore or marks.peers(snapshot) == NO_GPU else unmeasured_gpus(failed, source)
    return _node(name, source, snapshot, report, also, [one for each in results for one in timings(each)])


def _report(
    facts: Snapshot, results: Sequence[Result], ignore: Sequence[str], wishes: Union[Expectations, None]
) -> Report:
    from gpucheck.rules import engine

    report = engine.judge_all(facts, ignore, engine.RULES if loaded() else None)
    if wishes is None:
        return report
    from gpucheck.expecting import judging as expecting
    from gpucheck.smoke.judging import speed

    # Where the CPU was measured beside the GPU; fleet --bench measures GPUs alone.
    beside = [one for one in results if any(trial.verdicts for trial in one.trials)]
    left_out = (*ignore, expecting.APPLIED)  # said once, not for each node
    return expecting.judge(report, wishes, left_out, speed(beside[-1]) if beside else None)


def _facts(document: dict[str, Any]) -> Snapshot:
    try:
        if document.get("schema") == SNAPSHOT:
            facts = decode_fast(Snapshot, document)
            assert isinstance(facts, Snapshot)
            return facts
        return api.read_data(document)
    except (BadFacts, api.BadFile) as error:
        raise Unreadable(str(error)) from error


def _node(
    name: str, source: str, facts: Snapshot, report: Report, also: tuple[Finding, ...], measured: Sequence[Timing]
) -> Node:
    return Node(
        name,
        source,
        "warning" if also and report.verdict == "ok" else report.verdict,
        None,
        (*(_small(one) for one in report.findings[:MOST_FINDINGS]), *also),
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
