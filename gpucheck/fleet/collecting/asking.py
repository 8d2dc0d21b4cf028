"""Ask the workers of a Dask cluster, one a machine, and hear each: answered, failed, died, silent.

A task is bound to its worker and never moved: the machine is what is asked. So a worker that dies takes its task with
it, which Dask would wait for; here the list of workers is watched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread
from typing import Any, NamedTuple, Union
from uuid import uuid4

from distributed import Client, Future, wait
from distributed.scheduler import KilledWorker

from gpucheck.fleet.collecting import Answer, Question, Trouble
from gpucheck.fleet.reading import MOST_BYTES

_BESIDE = 20.0  # seconds beyond the look itself: importing gpucheck there, from a cold disk, and the way back
BENCH_BESIDE = 600.0  # beyond the measuring: importing a framework for each GPU, compiling its first step
_STEP = 0.5
_VERSIONS = 5.0
_OURS = "gpucheck-cli"

# As words, not as a function of ours: a worker without this gpucheck cannot unpickle that, and dies of it (Dask reads
# the tasks in the loop that keeps it connected). Words fail inside the task.
_evaluate = eval
_THERE = "__import__('gpucheck.fleet.collecting.there', fromlist=['there'])"
_LOOK, _MEASURE = f"{_THERE}.look(*question)", f"{_THERE}.measure(*question)"

Work = Callable[..., tuple[str, str]]


class _Asked(NamedTuple):
    node: str  # as far as it is known before it answers
    address: str
    name: str
    future: Future


def ask(
    client: Client,
    question: Question,
    look: Union[Work, None] = None,
    measure: Union[Work, None] = None,
    *,
    every_worker: bool = False,
    named: bool = False,
    seconds: Union[float, None] = None,
) -> Iterator[Answer]:
    """Every machine's answer, as they come.

    Parameters
    ----------
    look, measure: other things to run there than gpucheck's own.
    every_worker: ask each, where several run on one host (in containers, say).
    named: workers are called as their hosts are.
    seconds: to wait for all of them together, each time that they are asked.
    """
    workers = _workers(client)
    chosen = workers if every_worker else _one_a_host(workers)
    nodes = {address: (_called(address, about, every_worker, named), about) for address, about in chosen.items()}
    asked = _sent(client, nodes, look or _LOOK, question[:3])
    limit = question.timeout + _BESIDE if seconds is None else seconds
    answers = (_answer(client, one, said, every_worker, named) for one, said in _heard(client, asked, limit))
    if question.bench is None:
        yield from answers
        return
    # Measured is who has answered: what is known of a machine stays, whatever its GPUs do then.
    known = {}
    for answer in answers:
        if answer.text is None:
            yield answer
        else:
            known[answer.address] = answer
    within = question.bench + BENCH_BESIDE if seconds is None else seconds
    words = (question.python, question.bench, within)
    asked = _sent(client, {address: nodes[address] for address in known}, measure or _MEASURE, words)
    for one, said in _heard(client, asked, within + _BESIDE if seconds is None else seconds):
        yield _measured(client, one, said, known[one.address])


def _sent(
    client: Client, nodes: dict[str, tuple[str, dict[str, Any]]], work: Union[str, Work], question: tuple[Any, ...]
) -> dict[str, _Asked]:
    run = uuid4().hex
    posed = (_evaluate, work, {"question": question}) if isinstance(work, str) else (work, *question)
    return {
        address: _Asked(
            node,
            address,
            str(about.get("name", "")),
            client.submit(
                *posed,
                workers=[address],
                allow_other_workers=False,
                pure=False,
                retries=0,
                priority=10,
                key=f"gpucheck-{run}-{number}",
            ),
        )
        for number, (address, (node, about)) in enumerate(nodes.items())
    }


def _workers(client: Client) -> dict[str, Any]:
    return dict(client.scheduler_info(n_workers=-1)["workers"])


def _one_a_host(workers: dict[str, Any]) -> dict[str, Any]:
    hosts: dict[str, str] = {}
    for address, about in sorted(workers.items()):
        hosts.setdefault(str(about.get("host", address)), address)
    return {address: workers[address] for address in hosts.values()}


def _called(address: str, about: dict[str, Any], every_worker: bool, named: bool) -> str:
    name, host = str(about.get("name", "")), str(about.get("host", address))
    return name if named else f"{host}/{name}" if every_worker else host


def _heard(client: Client, asked: dict[str, _Asked], seconds: float) -> Iterator[tuple[_Asked, Union[Trouble, None]]]:
    """Each that was asked, when it is done (None) or will not be."""
    waiting, limit = dict(asked), time.monotonic() + seconds
    try:
        while waiting:
            left = limit - time.monotonic()
            if left <= 0:
                for one in waiting.values():
                    yield one, _without("no answer in time: it hangs, or its worker is busy with other work")
                return
            with suppress(TimeoutError), client.as_current():
                wait([one.future for one in waiting.values()], timeout=min(_STEP, left), return_when="FIRST_COMPLETED")
            done = [one for one in waiting.values() if one.future.done()]
            for one in done:
                del waiting[one.address]
                yield one, None
            if done or not waiting:
                continue
            try:
                alive = _workers(client)
            except Exception as error:
                for one in waiting.values():
                    yield one, _without(f"the connection to Dask's scheduler was lost ({type(error).__name__})")
                return
            for one in [one for one in waiting.values() if one.address not in alive and not one.future.done()]:
                del waiting[one.address]
                yield one, _without("its worker died while it was asked")
    finally:
        with suppress(Exception):
            client.cancel([one.future for one in asked.values()], force=True)


def _without(why: str, rule: str = "node-without-answer") -> Trouble:
    return Trouble(rule, why)


def _answer(client: Client, one: _Asked, said: Union[Trouble, None], every_worker: bool, named: bool) -> Answer:
    told = said or _read(client, one)
    if isinstance(told, Trouble):
        return Answer(one.node, one.address, None, told)
    host, text = told
    return Answer(one.node if named else f"{host}/{one.name}" if every_worker else host, one.address, text)


def _measured(client: Client, one: _Asked, said: Union[Trouble, None], answer: Answer) -> Answer:
    told = said or _read(client, one)
    if isinstance(told, Trouble):
        return answer._replace(unmeasured=told.why)
    text, why = told
    return answer._replace(bench=text) if text else answer._replace(unmeasured=why[:300])


def _read(client: Client, one: _Asked) -> Union[tuple[str, str], Trouble]:
    """What came back: two texts, or why there are none."""
    if one.future.status != "finished":
        return _failed(client, one)
    try:
        told = one.future.result(timeout=30)
        if isinstance(told, tuple) and len(told) == 2 and all(isinstance(text, str) for text in told):
            first, second = told
            if len(first) + len(second) <= MOST_BYTES:
                return first, second
        return _without("its answer is none of gpucheck's", "node-incompatible")
    except Exception as error:
        return _without(f"its answer was lost on the way ({type(error).__name__})")


def _failed(client: Client, one: _Asked) -> Trouble:
    try:
        error: Union[BaseException, None] = one.future.exception(timeout=5)
    except Exception as failure:  # it was cancelled, or cannot be unpickled here
        error = failure
    if isinstance(error, KilledWorker):
        return _without("its worker died while it was asked")
    said = f"{type(error).__name__}: {error}"[:200]
    theirs = versions(client, one.address)
    # The question could not be understood there: pickled functions are found by their module's name.
    if isinstance(error, (ImportError, AttributeError, TypeError)) or "serializ" in said or "pickle" in said.lower():
        return _without(f"{theirs}{said}", "node-incompatible")
    return _without(f"gpucheck failed there: {said}")


def versions(client: Client, address: str) -> str:
    """What the worker runs, in words; nothing where it does not tell within some seconds."""
    told: list[dict[str, Any]] = []

    def ask_it() -> None:
        message = {"op": "versions", "packages": [_OURS]}
        with suppress(Exception):  # it alone, for another one may hang
            told.append(client.sync(client.scheduler.broadcast, msg=message, workers=[address])[address])

    thread = Thread(target=ask_it, daemon=True)
    thread.start()
    thread.join(_VERSIONS)
    if not told:
        return ""
    from gpucheck import __version__

    python = str(told[0].get("host", {}).get("python", "")).split(".final")[0]
    theirs = told[0].get("packages", {}).get(_OURS)
    return f"it runs Python {python} with {f'gpucheck {theirs}' if theirs else 'no gpucheck'}, here is {__version__}; "
