"""Workers as jobs of Slurm, by dask-jobqueue, which writes the script, submits and cancels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from distributed import Client

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
    """Submit, wait, and go on with those that have started. python: found there, with gpucheck-cli[fleet]."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise WrongUsage(f"--slurm needs dask-jobqueue: gpucheck-cli[fleet] ({error})") from error
    options: dict[str, Any] = {"memory": "4GB", "walltime": "00:15:00", **dict(asked.options), **more}
    # One process a node, without a nanny: what dies is told, not started again.
    with SLURMCluster(
        cores=1,
        processes=1,
        nanny=False,
        python=python,
        job_extra_directives=["--nodes=1", *asked.directives],
        scheduler_options={"dashboard": False, "dashboard_address": None},
        silence_logs=50,
        **options,
    ) as cluster:
        client = Client(cluster, set_as_default=False, name="gpucheck")
        try:
            cluster.scale(jobs=asked.nodes)
            with suppress(TimeoutError):
                client.wait_for_workers(asked.nodes, timeout=asked.wait)
            came = len(client.scheduler_info(n_workers=-1)["workers"])
            why = f"Slurm had started {came} of {asked.nodes} jobs after {asked.wait:g} s"
            missing = tuple(
                Answer(f"slurm job {number + 1} of {asked.nodes}", "slurm", None, Trouble("node-without-answer", why))
                for number in range(came, asked.nodes)
            )
            yield Reached(client, missing)
        finally:
            client.close(timeout=5)
