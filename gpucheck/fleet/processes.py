"""Every node's files through `judging`, in as many processes as there are CPUs. Nothing is judged here."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import Union

from gpucheck.expecting.expectations import Expectations
from gpucheck.fleet.judging import judge_source, loaded
from gpucheck.fleet.nodes import Node
from gpucheck.fleet.reading import Source
from gpucheck.fleet.trouble import node_of

_TOGETHER = 25  # nodes in one message to a process
_FEW = 60  # up to which starting processes takes longer than the work

Judge = Callable[[Source], Node]


def judge_sources(
    found: Sequence[Source],
    ignore: Iterable[str] = (),
    wishes: Union[Expectations, None] = None,
    processes: int = 0,
) -> Iterator[Node]:
    """Every node, in any order. processes: default as many as there are CPUs to use."""
    return judged(found, partial(judge_source, ignore=tuple(ignore), wishes=wishes), processes or _cpus(len(found)))


def _cpus(count: int) -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if count <= _FEW else usable


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
    loaded()
    return ProcessPoolExecutor(processes, mp_context=get_context("fork" if forked else "spawn"), initializer=_start)


def _start() -> None:
    import gc

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's
    threading.Thread(target=_end_with_parent, daemon=True).start()
    loaded()
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
