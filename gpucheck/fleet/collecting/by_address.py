"""A cluster that is already there, however it was started: dask-jobqueue, dask-kubernetes, dask-cuda, by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client

from gpucheck.fleet.collecting import Reached
from gpucheck.output import WrongUsage


@contextmanager
def reached(address: str, seconds: float = 10.0) -> Iterator[Reached]:
    """Connect. Raises `WrongUsage`: there is no scheduler within so many seconds, or it has no worker."""
    if not address.strip():
        raise WrongUsage("--dask takes the address of a scheduler: tcp://HOST:8786")
    try:
        client = Client(address, timeout=seconds, set_as_default=False, name="gpucheck")
    except (OSError, TimeoutError, ValueError) as error:
        raise WrongUsage(f"--dask: no scheduler answers at {address}: {error}") from error
    try:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise WrongUsage(f"--dask: the scheduler at {address} has no worker")
        yield Reached(client)
    finally:
        client.close(timeout=5)
