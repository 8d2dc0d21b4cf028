"""The network as a user of Keras writes it (Keras 2 or 3, any backend): fit and train_on_batch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from network import BATCH, DECAY, DENSE, EPOCH, L2, MOMENTUM, RATE, Network

if os.environ["KERAS_BACKEND"] == "tensorflow":
    from tensorflow import keras  # Keras 2 lacks parts of itself where it is imported alone
else:
    import keras


def model(network: Network) -> Any:
    """jit_compile stays what Keras takes by itself; on a CPU that is off for TensorFlow and PyTorch."""
    layers = keras.layers
    l2 = {name: keras.regularizers.L2(L2 / 2) for name in ("kernel_regularizer", "bias_regularizer")}
    parts = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(2, padding="same"),
        layers.Conv2D(64, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(2, padding="same"),
        layers.Flatten(),
        layers.Dense(512, activation="relu", **l2),
        *([layers.Dropout(network.dropout)] if network.dropout else []),
        layers.Dense(10, **l2),
    ]
    made = keras.Sequential(parts)
    made.set_weights(network.weights)
    falling = keras.optimizers.schedules.ExponentialDecay(RATE, EPOCH / BATCH, DECAY, staircase=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.SGD(falling, momentum=MOMENTUM), loss)
    return made


class OnBatch:
    """train_on_batch, which gives the loss as a number: each step is waited for."""

    def __init__(self, network: Network) -> None:
        self.model, self.network, self.batches, self.done = model(network), network, network.batches, 0
        self.parameters = self.model.count_params()

    def run(self, count: int) -> Any:
        loss: Any = None
        for _ in range(count):
            loss = self.model.train_on_batch(*self.batches[self.done % len(self.batches)])
            self.done += 1
        return loss

    def losses(self, count: int) -> list[float]:
        """Without the L2 part, which Keras counts in."""
        found = []
        for _ in range(count):
            penalty = L2 / 2 * sum(float(np.square(one).sum()) for one in self.model.get_weights()[DENSE:])
            self.model.reset_metrics()  # Keras 3 gives the mean since the last reset
            found.append(float(np.ravel(OnBatch.run(self, 1))[0]) - penalty)
        return found


class Fit(OnBatch):
    """fit. A call costs up to a tenth of a second whatever it does: a long one less a short one is what steps take."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        whole = len(self.batches) * BATCH
        self.images = np.concatenate([network.images[:whole]] * _LONGEST)
        self.labels = np.concatenate([network.labels[:whole]] * _LONGEST)

    def run(self, count: int) -> Any:
        images, labels = self.images[: count * BATCH], self.labels[: count * BATCH]
        return self.model.fit(images, labels, batch_size=BATCH, shuffle=False, verbose=0)

    def timed(self, count: int) -> float:
        begin = time.perf_counter()
        self.run(_SHORT)
        middle = time.perf_counter()
        self.run(_SHORT + count)
        return (time.perf_counter() - middle) - (middle - begin)


_LONGEST, _SHORT = 10, 2  # times the sample; steps


HAND: dict[str, Callable[[Network], Any]] = {}
OTHERS: dict[str, Callable[[Network], Any]] = {"Keras fit": Fit, "Keras train_on_batch": OnBatch}
