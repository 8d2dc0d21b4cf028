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
_STEP = 0.5
_VERSIONS = 5.0
_OURS = "gpucheck-cli"

# As words, not as a function of ours: a worker without this gpucheck cannot unpickle that, and dies of it (Dask reads
# the tasks in the loop that keeps it connected). Words fail inside the task.
_evaluate = eval
_LOOK = "__import__('gpucheck.fleet.collecting.there', fromlist=['look']).look(*question)"

Look = Callable[[Union[str, None], bool, float], tuple[str, str]]


class _Asked(NamedTuple):
    node: str  # as far as it is known before it answers
    address: str
    name: str
    future: Future


def ask(
    client: Client,
    question: Question,
    look: Union[Look, None] = None,
    *,
    every_worker: bool = False,
    named: bool = False,
    seconds: Union[float, None] = None,
) -> Iterator[Answer]:
    """Every machine's answer, as they come.

    Parameters
    ----------
    look: another thing to run there than gpucheck's own look.
    every_worker: ask each, where several run on one host (in containers, say).
    named: workers are called as their hosts are.
    seconds: to wait for all of them together.
    """
    workers = _workers(client)
    chosen = workers if every_worker else _one_a_host(workers)
    run = uuid4().hex
    asked = {
        address: _Asked(
            _called(address, about, every_worker, named),
            address,
            str(about.get("name", "")),
            client.submit(
                *((_evaluate, _LOOK, {"question": tuple(question)}) if look is None else (look, *question)),
                workers=[address],
                allow_other_workers=False,
                pure=False,
                retries=0,
                priority=10,
                key=f"gpucheck-{run}-{number}",
            ),
        )
        for number, (address, about) in enumerate(chosen.items())
    }
    limit = time.monotonic() + (question.timeout + _BESIDE if seconds is None else seconds)
    try:
        yield from _heard(client, asked, limit, every_worker, named)
    finally:
        with suppress(Exception):
            client.cancel([one.future for one in asked.values()], force=True)


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


def _heard(client: Client, asked: dict[str, _Asked], limit: float, every_worker: bool, named: bool) -> Iterator[Answer]:
    waiting = dict(asked)
    while waiting:
        left = limit - time.monotonic()
        if left <= 0:
            for one in waiting.values():
                yield _without(one, "no answer in time: it hangs, or its worker is busy with other work")
            return
        with suppress(TimeoutError), client.as_current():
            wait([one.future for one in waiting.values()], timeout=min(_STEP, left), return_when="FIRST_COMPLETED")
        done = [one for one in waiting.values() if one.future.done()]
        for one in done:
            del waiting[one.address]
            yield _read(client, one, every_worker, named)
        if done or not waiting:
            continue
        try:
            alive = _workers(client)
        except Exception as error:
            for one in waiting.values():
                yield _without(one, f"the connection to Dask's scheduler was lost ({type(error).__name__})")
            return
        for one in [one for one in waiting.values() if one.address not in alive and not one.future.done()]:
            del waiting[one.address]
            yield _without(one, "its worker died while it was asked")


def _without(one: _Asked, why: str, rule: str = "node-without-answer") -> Answer:
    return Answer(one.node, one.address, None, Trouble(rule, why))


def _read(client: Client, one: _Asked, every_worker: bool, named: bool) -> Answer:
    if one.future.status != "finished":
        return _failed(client, one)
    try:
        host, text = one.future.result(timeout=30)
        if not isinstance(host, str) or not isinstance(text, str) or len(text) > MOST_BYTES:
            return _without(one, "its answer is none of gpucheck's", "node-incompatible")
    except Exception as error:
        return _without(one, f"its answer was lost on the way ({type(error).__name__})")
    return Answer(one.node if named else f"{host}/{one.name}" if every_worker else host, one.address, text)


def _failed(client: Client, one: _Asked) -> Answer:
    try:
        error: Union[BaseException, None] = one.future.exception(timeout=5)
    except Exception as failure:  # it was cancelled, or cannot be unpickled here
        error = failure
    if isinstance(error, KilledWorker):
        return _without(one, "its worker died while it was asked")
    said = f"{type(error).__name__}: {error}"[:200]
    theirs = versions(client, one.address)
    # The question could not be understood there: pickled functions are found by their module's name.
    if isinstance(error, (ImportError, AttributeError, TypeError)) or "serializ" in said or "pickle" in said.lower():
        return _without(one, f"{theirs}{said}", "node-incompatible")
    return _without(one, f"gpucheck failed there: {said}")


def versions(client: Client, address: str) -> str:
    """What the worker runs, in words; nothing where it does not tell within some seconds."""
    told: list[dict[str, Any]] = []

    def ask_them() -> None:
        with suppress(Exception):
            told.append(client.get_versions(packages=[_OURS])["workers"][address])

    thread = Thread(target=ask_them, daemon=True)
    thread.start()
    thread.join(_VERSIONS)
    if not told:
        return ""
    from gpucheck import __version__

    python = str(told[0].get("host", {}).get("python", "")).split(".final")[0]
    theirs = told[0].get("packages", {}).get(_OURS)
    return f"it runs Python {python} with {f'gpucheck {theirs}' if theirs else 'no gpucheck'}, here is {__version__}; "
