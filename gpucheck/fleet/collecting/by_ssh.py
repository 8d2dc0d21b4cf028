"""Workers started over SSH, by Dask's own class for that; the scheduler runs here.

Dask's SSHCluster fails as a whole where one host does not answer. Here such a host is a worker that did not start, and
the rest still answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Union

from distributed import Client, Scheduler, SpecCluster
from distributed.core import Status
from distributed.deploy.ssh import Worker

from gpucheck.fleet.collecting import Answer, Reached, Trouble
from gpucheck.fleet.hostlist import expanded
from gpucheck.output import WrongUsage

_SECONDS = 60.0  # to log in and to start a worker there


class Host(NamedTuple):
    """Where to log in. user, port: None for what ~/.ssh/config says."""

    name: str
    user: Union[str, None]
    port: Union[int, None]


def hosts(text: str) -> tuple[Host, ...]:
    """``gpu[01-08],admin@login:2222`` or ``@FILE`` with one such word a line. Raises `WrongUsage`."""
    if text.startswith("@"):
        try:
            with open(text[1:], encoding="utf-8") as file:
                words = [word for line in file for word in line.split("#", 1)[0].split()]
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(f"--ssh: {text[1:]}: {getattr(error, 'strerror', None) or error}") from error
    else:
        words = [text]
    try:
        return _some(tuple(dict.fromkeys(_host(one) for word in words for one in expanded(word))), text)
    except ValueError as error:
        raise WrongUsage(f"--ssh: {error}") from error


def _some(found: tuple[Host, ...], text: str) -> tuple[Host, ...]:
    if not found:
        raise WrongUsage(f"--ssh: no host is named{f' in {text[1:]}' if text.startswith('@') else ''}")
    return found


def _host(word: str) -> Host:
    user, at, rest = word.rpartition("@")
    name, colon, port = rest.partition(":")
    if not name or name.startswith("-") or (colon and not port.isdecimal()):
        raise ValueError(f"no host: {word}")
    return Host(name, user if at else None, int(port) if colon else None)


class _Tolerant(Worker):  # type: ignore[misc]
    """A worker whose failure to start is kept, not raised."""

    failures: dict[str, str]

    def __init__(self, *given: Any, failures: dict[str, str], **options: Any) -> None:
        super().__init__(*given, **options)
        self.failures = failures

    async def start(self) -> None:
        try:
            await asyncio.wait_for(super().start(), _SECONDS)
        except Exception as error:
            self.failures[str(self.name)] = await self._why() or _words(error)
            self.status = Status.running  # for the cluster; the scheduler never hears of it

    async def _why(self) -> str:
        """What is missing there: Dask tells only that the worker did not start."""
        if self.connection is None:
            return ""
        with suppress(Exception):
            command = f"{self.remote_python} -c 'import distributed, gpucheck.fleet.collecting'"
            told = await asyncio.wait_for(self.connection.run(command), 20.0)
            said = str(told.stderr or "").strip().splitlines()
            return said[-1][:200] if told.exit_status and said else ""
        return ""


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no worker within {_SECONDS:g} s"
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__


@contextmanager
def reached(asked: Sequence[Host], python: str, **connecting: Any) -> Iterator[Reached]:
    """Start a worker on each host.

    Parameters
    ----------
    python: the one to run there; it needs gpucheck-cli[fleet].
    connecting: further options of asyncssh.connect; without them ~/.ssh decides.

    Raises
    ------
    WrongUsage: none of them has a worker.
    """
    failures: dict[str, str] = {}
    spec = {
        host.name: {"cls": _Tolerant, "options": {**_options(host, python, connecting), "failures": failures}}
        for host in asked
    }
    scheduler = {"cls": Scheduler, "options": {"port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}}
    with SpecCluster(spec, scheduler, silence_logs=50, name="gpucheck", shutdown_on_close=True) as cluster:
        client = Client(cluster, set_as_default=False, name="gpucheck")
        try:
            if len(failures) < len(asked):
                with suppress(TimeoutError):
                    client.wait_for_workers(len(asked) - len(failures), timeout=10)
            missing = tuple(
                Answer(name, name, None, Trouble("node-without-answer", f"no worker could be started by SSH: {why}"))
                for name, why in failures.items()
            )
            if len(missing) == len(asked):
                raise WrongUsage(f"--ssh: no host could be asked; {missing[0].node}: {failures[missing[0].node]}")
            yield Reached(client, missing, named=True)
        finally:
            client.close(timeout=5)


def _options(host: Host, python: str, connecting: dict[str, Any]) -> dict[str, Any]:
    connect = {"username": host.user, "port": host.port}
    return {
        "address": host.name,
        "connect_options": {**{name: value for name, value in connect.items() if value is not None}, **connecting},
        "kwargs": {"nthreads": 1, "name": host.name},
        "worker_class": "distributed.Worker",
        "remote_python": python,
        "name": host.name,
    }
