"""The 2017 network in numbers: its first weights, its batches, what is trained how. No framework here.

Written from the tutorial (tensorflow/models at 48251730, tutorials/image/mnist/convolutional.py), not from gpucheck's
worker, which the steps of this folder are a check on. Weights are drawn as the worker draws them, though: so the
losses of both can be compared step by step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

BATCH, EPOCH = 64, 55_000
RATE, DECAY, MOMENTUM, L2, DROPOUT = 0.01, 0.95, 0.9, 5e-4, 0.5
SEED = 66478
PARAMETERS = 1_663_370
DENSE = 4  # the weights from here on are of dense layers: they alone have L2


class Network(NamedTuple):
    """weights: kernel and bias of conv 1, conv 2, dense 1, dense 2; batches: images (64, 28, 28, 1) and labels."""

    weights: list[Any]
    images: Any
    labels: Any
    dropout: float  # 0 for the comparison of losses
    device: str  # cpu or gpu

    @property
    def batches(self) -> list[tuple[Any, Any]]:
        count = len(self.images) // BATCH
        pieces = [slice(at * BATCH, (at + 1) * BATCH) for at in range(count)]
        return [(np.ascontiguousarray(self.images[one]), np.ascontiguousarray(self.labels[one])) for one in pieces]


def network(sample: str, dropout: float, device: str) -> Network:
    """Everything at the start of training. sample: an .npz of MNIST (gpucheck/bench/sample)."""
    random = np.random.RandomState(SEED)
    weights = []
    for shape, bias in (((5, 5, 1, 32), 0.0), ((5, 5, 32, 64), 0.1), ((3136, 512), 0.1), ((512, 10), 0.1)):
        weights += [_truncated_normal(random, shape), np.full(shape[-1], bias, "float32")]
    assert sum(one.size for one in weights) == PARAMETERS
    with np.load(sample, allow_pickle=False) as file:
        images = (file["x_train"].reshape(-1, 28, 28, 1).astype("float32") - 127.5) / 255.0
        labels = file["y_train"].astype("int32")
    return Network(weights, images, labels, dropout, device)


def _truncated_normal(random: np.random.RandomState, shape: tuple[int, ...]) -> Any:
    """Deviation 0.1; what lies beyond two deviations is drawn again."""
    drawn = random.standard_normal(shape)
    while (beyond := np.abs(drawn) > 2).any():
        drawn[beyond] = random.standard_normal(int(beyond.sum()))
    return (0.1 * drawn).astype("float32")


def rate(step: int) -> float:
    """The learning rate falls once an epoch."""
    return float(RATE * DECAY ** (step * BATCH // EPOCH))
