"""One node's files to a `Node`, and all of them in processes. The same rules as `gpucheck doctor`, machine by machine.

A file is anyone's: whatever it holds, there comes one node out of it, within a time and of a bounded size.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
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
_TOGETHER = 25  # nodes in one message to a process
_FEW = 60  # up to which starting processes takes longer than the work

Judge = Callable[[Source], Node]


def judge_sources(found: Sequence[Source], ignore: Iterable[str] = (), processes: int = 0) -> Iterator[Node]:
    """Every node, in any order. processes: default as many as there are CPUs to use."""
    return judged(found, partial(judge_source, ignore=tuple(ignore)), processes or _cpus(len(found)))


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

    rules = engine.RULES if _loaded() else None
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


def _loaded() -> bool:
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


def _cpus(count: int) -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if count <= _FEW else usable


# --- processes


def judged(found: Sequence[Source], judge: Judge, processes: int) -> Iterator[Node]:
    """Each source through `judge`, in so many processes; with one: here. A process that dies costs one node."""
    if processes <= 1:
        yield from map(judge, found)
        return
    waiting = deque(found[at : at + _TOGETHER] for at in range(0, len(found), _TOGETHER))
    while waiting:
        broken: list[Sequence[Source]] = []
        yield from _in_processes(waiting, judge, processes, broken)
        suspects = deque(source for batch in broken for source in batch)
        if suspects and not _can_start():  # it is not the files: no process lives here
            yield from map(judge, (*suspects, *(source for batch in waiting for source in batch)))
            return
        yield from _one_by_one(suspects, judge)


def _in_processes(
    waiting: deque[Sequence[Source]], judge: Judge, processes: int, broken: list[Sequence[Source]]
) -> Iterator[Node]:
    """Until all is done or a process has died; what was on its way then comes into `broken`."""
    with _pool(processes) as pool:
        running: deque[tuple[Future[list[Node]], Sequence[Source]]] = deque()
        while running or (waiting and not broken):
            while waiting and not broken and len(running) < 2 * processes:
                batch = waiting.popleft()
                try:
                    running.append((pool.submit(_batch, judge, batch), batch))
                except BrokenProcessPool:
                    broken.append(batch)
            if running:
                future, batch = running.popleft()
                try:
                    nodes = future.result()
                except BrokenProcessPool:
                    broken.append(batch)
                    continue
                yield from nodes


def _one_by_one(waiting: deque[Source], judge: Judge) -> Iterator[Node]:
    """To find the one that a process dies of; the others are innocent."""
    while waiting:
        with _pool(1) as pool:
            while waiting:
                source = waiting.popleft()
                try:
                    yield pool.submit(judge, source).result()
                except BrokenProcessPool:
                    why = "the process that judged it died"
                    yield node_of(source.node, source.paths[0], "node-file-unreadable", why)
                    break


def _can_start() -> bool:
    with _pool(1) as pool:
        try:
            return pool.submit(os.getpid).result() > 0
        except BrokenProcessPool:
            return False


def _pool(processes: int) -> ProcessPoolExecutor:
    # By fork, what is loaded is there at once. Not where threads may hold locks: on macOS, and beside Dask's.
    forked = sys.platform == "linux" and threading.active_count() == 1
    _loaded()
    return ProcessPoolExecutor(processes, mp_context=get_context("fork" if forked else "spawn"), initializer=_start)


def _start() -> None:
    import gc

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _loaded()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # facts have no circles; looking for them takes a fifth of the time


def _end_with_parent() -> None:
    """A parent that was killed says nothing, and a process that waits for work would wait for ever."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _batch(judge: Judge, batch: Sequence[Source]) -> list[Node]:
    return [judge(source) for source in batch]
