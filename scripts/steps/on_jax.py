"""The training step in JAX, written by hand: one jitted function that gives its state away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Union

import jax
import jax.numpy as jnp
from jax import lax
from network import DENSE, L2, MOMENTUM, SEED, Network, rate

jax.config.update("jax_default_matmul_precision", "float32")


def window(x: Any) -> Any:
    """Max-pooling as XLA has it; its gradient is select-and-scatter."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")


def fold(x: Any) -> Any:
    """Max-pooling of windows that do not overlap, by a reshape: its gradient is a comparison."""
    n, rows, columns, channels = x.shape
    return x.reshape(n, rows // 2, 2, columns // 2, 2, channels).max((2, 4))


def convolve(x: Any, kernel: Any) -> Any:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


class Jitted:
    """pool: how. decay: L2 as its gradient, without its loss. random: another generator than Threefry."""

    def __init__(
        self,
        network: Network,
        pool: Callable[[Any], Any] = window,
        decay: bool = False,
        random: Union[str, None] = None,
    ) -> None:
        def loss_of(weights: list[Any], x: Any, y: Any, key: Any) -> Any:
            kernel1, bias1, kernel2, bias2, dense1, offset1, dense2, offset2 = weights
            x = pool(jax.nn.relu(convolve(x, kernel1) + bias1))
            x = pool(jax.nn.relu(convolve(x, kernel2) + bias2))
            x = jax.nn.relu(x.reshape(x.shape[0], -1) @ dense1 + offset1)
            if network.dropout:
                x = jnp.where(jax.random.bernoulli(key, 1 - network.dropout, x.shape), x / (1 - network.dropout), 0.0)
            chances = jax.nn.log_softmax(x @ dense2 + offset2)
            loss = -jnp.take_along_axis(chances, y[:, None], 1).mean()
            total = loss if decay else loss + L2 / 2 * sum(jnp.vdot(one, one) for one in weights[DENSE:])
            return total, loss

        @partial(jax.jit, donate_argnums=0)
        def step(state: Any, x: Any, y: Any, rate: Any) -> Any:
            weights, moments, key = state
            key, now = jax.random.split(key)
            (_total, loss), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights, x, y, now)
            if decay:
                slopes = [
                    g + L2 * w if at >= DENSE else g for at, (w, g) in enumerate(zip(weights, slopes, strict=True))
                ]
            moments = [MOMENTUM * m - rate * g for m, g in zip(moments, slopes, strict=True)]
            return ([w + m for w, m in zip(weights, moments, strict=True)], moments, key), loss

        self.done, self.step = 0, step
        weights = [jnp.array(one) for one in network.weights]
        self.parameters = sum(one.size for one in weights)
        self.state = (weights, [jnp.zeros_like(one) for one in weights], jax.random.key(SEED, impl=random))
        self.batches = [(jax.device_put(x), jax.device_put(y)) for x, y in network.batches]
        self.rates: dict[float, Any] = {}

    def run(self, count: int) -> Any:
        loss = None
        for _ in range(count):
            now = rate(self.done)
            if now not in self.rates:
                self.rates = {now: jnp.float32(now)}
            self.state, loss = self.step(self.state, *self.batches[self.done % len(self.batches)], self.rates[now])
            self.done += 1
        jax.block_until_ready(self.state)
        return loss

    def losses(self, count: int) -> list[float]:
        return [float(self.run(1)) for _ in range(count)]


# The first is the plain one.
HAND: dict[str, Callable[[Network], Any]] = {
    "jax.jit": Jitted,
    "jax.jit, L2 as a gradient": partial(Jitted, decay=True),
    "jax.jit, pool by reshape": partial(Jitted, pool=fold),
    "jax.jit, pool by reshape, L2 as a gradient": partial(Jitted, pool=fold, decay=True),
    "jax.jit, pool by reshape, generator rbg": partial(Jitted, pool=fold, random="rbg"),
}
OTHERS: dict[str, Callable[[Network], Any]] = {}
