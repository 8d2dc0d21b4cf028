"""The networks, one module each: layers as data. The worker runs them on every backend, work.py counts them.

A layer is a dict of JSON: its kind under "layer", and what that kind takes:

    conv       kernel, filters, activation, bias (initial value): stride 1, padding "same" or "valid"
    pool       size, padding: max-pooling, stride = size
    flatten
    dense      units, activation, bias, l2 (adds l2 * sum(w**2) / 2 of kernel and bias to the loss)
    dropout    rate
    patches    size: an image's square patches, one row each
    position   a learned vector for each row, added
    norm       layer normalisation over the last axis, with scale and offset
    attention  heads, key (units of a head): self-attention with projections
    residual   layers: their output is added to their input

An activation is "relu", "gelu" or None. "init" of conv and dense: "tutorial" (truncated normal of deviation 0.1) or
"glorot" (uniform).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

Layer = dict[str, Any]


class Workload(NamedTuple):
    """A network and how it is trained.

    optimizer: its own, unless --optimizer names another; decay: factor on the learning rate after each epoch of
    EPOCH_IMAGES; batch_size: the default; rates: learning rates that differ from LEARNING_RATES;
    learning_steps: after so many it must have learned.
    """

    name: str
    about: str
    layers: tuple[Layer, ...]
    optimizer: str = "adam"
    decay: float = 1.0
    batch_size: int = 64
    rates: tuple[tuple[str, float], ...] = ()
    learning_steps: int = 100

    def recipe(self, optimizer: str) -> dict[str, Any]:
        """How the worker trains it."""
        rate = {**LEARNING_RATES, **dict(self.rates)}[optimizer]
        return {"optimizer": optimizer, "rate": rate, "decay": self.decay, "epoch_images": EPOCH_IMAGES}

    @property
    def hash(self) -> str:
        """sha256 of what is computed, whatever it is called."""
        return hashlib.sha256(json.dumps([self.layers, self.decay], sort_keys=True).encode()).hexdigest()


# Chosen so that every workload here passes the learning check with each of them (tests/test_bench_real.py).
LEARNING_RATES = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adagrad": 0.02, "rmsprop": 0.001, "adam": 0.001}
IMAGE = (28, 28, 1)
CLASSES = 10
EPOCH_IMAGES = 55_000  # the tutorial's: 60,000 less 5,000 for validation


def load(name: str) -> Workload:
    """A workload by its name. Raises KeyError."""
    from gpucheck.bench.workloads import empty, keras_cnn, mlp, mnist_cnn, vit

    every = (mnist_cnn.WORKLOAD, keras_cnn.WORKLOAD, mlp.WORKLOAD, vit.WORKLOAD, empty.WORKLOAD)
    return {one.name: one for one in every}[name]
