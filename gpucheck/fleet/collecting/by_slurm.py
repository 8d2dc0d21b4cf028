"""Workers as jobs of Slurm, by dask-jobqueue, which writes the script, submits and cancels."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from distributed import Client
from distributed.core import Status

from gpucheck.fleet.collecting import Answer, Reached, Trouble
from gpucheck.output import WrongUsage


class Wishes(NamedTuple):
    """nodes: jobs to submit, a node each. wait: seconds for them to start. words: further options of sbatch."""

    nodes: int
    wait: float
    options: tuple[tuple[str, str], ...]
    directives: tuple[str, ...]


# Those that dask-jobqueue has a name for; every other word becomes an option of sbatch as it is.
_NAMED = {"partition": "queue", "queue": "queue", "account": "account", "time": "walltime", "mem": "memory"}


def wishes(text: str) -> Wishes:
    """``nodes=8,partition=gpu,gres=gpu:8,time=00:10:00,exclusive``. Raises `WrongUsage`."""
    nodes, wait = 0, 120.0
    options: dict[str, str] = {}
    directives: list[str] = []
    for word in filter(None, text.split(",")):
        name, equals, value = word.strip().lstrip("-").partition("=")
        if any(sign.isspace() for sign in word.strip()) or not name:
            raise WrongUsage(f"--slurm: no option: {word!r}")
        if name == "nodes":
            nodes = int(value) if value.isdecimal() and len(value) < 6 else 0
        elif name == "wait":
            wait = float(value) if value.isdecimal() and len(value) < 6 else 120.0
        elif name in _NAMED and equals:
            options[_NAMED[name]] = value
        else:
            directives.append(f"--{name}={value}" if equals else f"--{name}")
    if nodes < 1:
        raise WrongUsage("--slurm takes nodes=NUMBER,partition=NAME,gres=gpu:8,…: how many nodes is missing")
    return Wishes(nodes, wait, tuple(options.items()), tuple(directives))


@contextmanager
def reached(asked: Wishes, python: str, **more: Any) -> Iterator[Reached]:
    """Submit, wait, and go on with those that have started.

    python: found there, with gpucheck-cli[fleet]. Raises `WrongUsage`: there is no Slurm, or it takes none of the jobs.
    """
    if shutil.which("sbatch") is None:
        raise WrongUsage("--slurm: there is no sbatch on the PATH; run it where Slurm's jobs are submitted")
    failures: list[str] = []
    options: dict[str, Any] = {"memory": "4GB", "walltime": "00:15:00", **dict(asked.options), **more}
    # One process a node, without a nanny: what dies is told, not started again.
    with _cluster(failures)(
        cores=1,
        processes=1,
        nanny=False,
        python=python,
        job_extra_directives=["--nodes=1", *asked.directives],
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=50,
        **options,
    ) as cluster:
        client = Client(cluster, set_as_default=False, name="gpucheck")
        try:
            cluster.scale(jobs=asked.nodes)
            came = _wait(client, asked, failures)
            if failures and not came:
                raise WrongUsage(f"--slurm: {failures[0]}")
            yield Reached(client, tuple(_missing(asked, came, failures)))
        finally:
            client.close(timeout=5)


def _wait(client: Client, asked: Wishes, failures: list[str]) -> int:
    """How many have come when all have, or the time is over. Jobs that Slurm did not take are not waited for."""
    limit, came = time.monotonic() + asked.wait, 0
    while came + len(failures) < asked.nodes and time.monotonic() < limit:
        time.sleep(0.2)
        came = len(client.scheduler_info(n_workers=-1)["workers"])
    return came


def _missing(asked: Wishes, came: int, failures: list[str]) -> Iterator[Answer]:
    waiting = f"Slurm had started {came} of {asked.nodes} jobs after {asked.wait:g} s"
    for number in range(came, asked.nodes):
        why = failures[number - came] if number - came < len(failures) else waiting
        name = f"slurm job {number + 1} of {asked.nodes}"
        yield Answer(name, "slurm", None, Trouble("node-without-answer", why))


def _cluster(failures: list[str]) -> Any:
    """dask-jobqueue's cluster, whose jobs that Slurm does not take are told, and cost only themselves."""
    try:
        from dask_jobqueue import SLURMCluster
        from dask_jobqueue.slurm import SLURMJob
    except ImportError as error:
        raise WrongUsage(f"--slurm needs dask-jobqueue: gpucheck-cli[fleet] ({error})") from error

    class Job(SLURMJob):  # type: ignore[misc]
        async def start(self) -> None:
            try:
                await super().start()
            except (RuntimeError, ValueError, OSError) as error:
                failures.append(_words(error))
                self.status = Status.running  # for the cluster; the scheduler never hears of it

        async def close(self) -> None:
            if self.job_id is None:
                self.status = Status.closed
            else:
                await super().close()

    return type("Cluster", (SLURMCluster,), {"job_cls": Job})


def _words(error: Exception) -> str:
    """Of dask-jobqueue's many lines what sbatch said."""
    said = str(error).partition("stderr:\n")[2].strip().splitlines()
    return f"sbatch: {(said or str(error).splitlines() or [type(error).__name__])[0]}"[:200].replace(
        "sbatch: sbatch: ", "sbatch: "
    )
