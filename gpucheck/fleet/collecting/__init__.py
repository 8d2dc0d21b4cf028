"""Ask machines for their facts through Dask: a scheduler that is there, hosts by SSH, or jobs of Slurm.

Every way ends in a `Client`, and asking.py asks that. No way of our own to start or to watch a process elsewhere.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Union

from gpucheck.output import WrongUsage

if TYPE_CHECKING:
    from distributed import Client

    from gpucheck.expecting.expectations import Expectations
    from gpucheck.fleet.nodes import Node


class Question(NamedTuple):
    """What each machine is asked. python: None for the one that runs the worker. timeout: seconds, for the look.
    bench: seconds to measure its GPUs for; None: not at all."""

    python: Union[str, None]
    deep: bool
    timeout: float
    bench: Union[float, None] = None


class Trouble(NamedTuple):
    """Why there is no answer. rule: node-without-answer or node-incompatible."""

    rule: str
    why: str


class Answer(NamedTuple):
    """One machine's: the text of a snapshot, or why there is none. address: the worker's.

    bench: a result of bench, as text; unmeasured: it was asked for, and why there is none.
    """

    node: str
    address: str
    text: Union[str, None]
    trouble: Union[Trouble, None] = None
    bench: Union[str, None] = None
    unmeasured: Union[str, None] = None


class Reached(NamedTuple):
    """A client whose workers are to be asked, and those who are known to have none, with the reason."""

    client: Client
    missing: tuple[Answer, ...] = ()
    named: bool = False  # the workers' names are those of their hosts


def collect(
    question: Question,
    *,
    dask: Union[str, None] = None,
    ssh: Union[str, None] = None,
    slurm: Union[str, None] = None,
    every_worker: bool = False,
) -> Iterator[Answer]:
    """One answer a machine (a worker, with `every_worker`), as they come. Raises `WrongUsage`: nothing to ask."""
    try:
        from distributed.versions import VersionMismatchWarning

        from gpucheck.fleet.collecting import asking
    except ImportError as error:
        raise WrongUsage(f"asking machines needs more packages: gpucheck-cli[fleet] ({error})") from error
    _open_many()
    # Dask warns of workers with other versions. The question is words that they may understand; who does not is told.
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)
    with _reached(question, dask, ssh, slurm) as reached:
        yield from reached.missing
        yield from asking.ask(reached.client, question, every_worker=every_worker, named=reached.named)


def _open_many() -> None:
    """A worker takes some sockets, and a process may often open no more than 1024 unless it asks for more."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _reached(
    question: Question, dask: Union[str, None], ssh: Union[str, None], slurm: Union[str, None]
) -> AbstractContextManager[Reached]:
    if ssh is not None:
        from gpucheck.fleet.collecting import by_ssh

        return by_ssh.reached(by_ssh.hosts(ssh), question.python or "python3")
    if slurm is not None:
        from gpucheck.fleet.collecting import by_slurm

        return by_slurm.reached(by_slurm.wishes(slurm), question.python or sys.executable)
    assert dask is not None
    from gpucheck.fleet.collecting import by_address

    return by_address.reached(dask, min(question.timeout, 15.0))


def judged(answer: Answer, ignore: Sequence[str] = (), wishes: Union[Expectations, None] = None) -> Node:
    """The node of an answer: what came over the network is read as a file from elsewhere is."""
    from gpucheck.fleet import judging, reading
    from gpucheck.fleet.trouble import node_of

    if answer.text is None:
        trouble = answer.trouble or Trouble("node-without-answer", "it said nothing")
        return node_of(answer.node, answer.address, trouble.rule, trouble.why)
    try:
        documents = [
            reading.parsed(text.encode("utf-8", "surrogatepass")) for text in (answer.text, answer.bench) if text
        ]
        return judging.judge_answer(answer.node, answer.address, documents, answer.unmeasured, ignore, wishes)
    except reading.Unreadable as error:
        return node_of(answer.node, answer.address, "node-incompatible", f"its answer cannot be read: {error}")
