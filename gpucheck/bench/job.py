"""What was asked for: one run, all choices made. And what every worker is told of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from gpucheck.bench.data import Data
from gpucheck.bench.devices import Device
from gpucheck.bench.workloads import Workload
from gpucheck.facts.bench import Settings

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
BACKENDS = ("tensorflow", "jax", "torch")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
INPUTS = ("resident", "host", "fit")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
WORKLOADS = ("mnist-cnn", "keras-cnn", "mlp", "vit")
SEED = 66478  # the tutorial's


class Limits(NamedTuple):
    """Seconds to wait for an answer before a worker counts as hung.

    A cold disk makes an import last 20 s and more; a GPU without binary code in the framework compiles for minutes; a
    download of 11 MB may be slow.
    """

    start: float = 60.0  # of Python itself
    open: float = 300.0
    load: float = 300.0
    build: float = 1800.0
    work: float = 300.0
    patience: float = 20.0  # so many times what steps took before


# With a fault that was planted: a hang should be seen, not sat out.
SIMULATED = Limits(open=60.0, load=60.0, build=60.0, work=30.0)


class Job(NamedTuple):
    """One run. environ: what the workers start from; python: the examined interpreter."""

    python: str
    environ: Mapping[str, str]
    devices: tuple[Device, ...]
    workload: Workload
    optimizer: str
    batch_sizes: tuple[int, ...]
    data: Data
    settings: Settings
    seed_line: bool = False
    arguments: tuple[str, ...] = ()
    limits: Limits = Limits()
    brief: bool = False  # the verdict alone: nothing of what is only told beside it

    def recipe(self) -> dict[str, Any]:
        return self.workload.recipe(self.optimizer)

    def command(self) -> list[str]:
        return [self.python, WORKER]

    def environ_of(self, device: Device) -> dict[str, str]:
        """The worker's environment: what the user's programs get, and one device alone in sight."""
        found = dict(self.environ, KERAS_BACKEND=self.settings.backend)
        for name, value in device.environ:
            if value is None:
                found.pop(name, None)
            else:
                found[name] = value
        return found


def workload_hash(workload: Workload) -> str:
    """sha256 of the network and of the worker that runs it: two results of one hash did the same."""
    with open(WORKER, "rb") as file:
        return hashlib.sha256(workload.hash.encode() + file.read()).hexdigest()


def compiled(backend: str, asked: bool | None) -> bool:
    """Whether the step is compiled (XLA, torch.compile). Off unless asked for; JAX knows no other way."""
    return backend == "jax" if asked is None else asked
