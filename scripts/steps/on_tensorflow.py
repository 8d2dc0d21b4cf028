"""The training step in TensorFlow, written by hand: tf.function, XLA, and the session of 2017."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf
from network import BATCH, DECAY, DENSE, EPOCH, L2, MOMENTUM, RATE, Network, rate

for _gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(_gpu, True)
tf.config.experimental.enable_tensor_float_32_execution(False)


def logits(weights: list[Any], x: Any, dropout: float) -> Any:
    """The network; TensorFlow 1 and 2 alike."""
    kernel1, bias1, kernel2, bias2, dense1, offset1, dense2, offset2 = weights
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel1, 1, "SAME"), bias1))
    x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel2, 1, "SAME"), bias2))
    x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    x = tf.nn.relu(tf.nn.bias_add(tf.matmul(tf.reshape(x, (BATCH, 3136)), dense1), offset1))
    if dropout:
        x = tf.nn.dropout(x, rate=dropout)
    return tf.nn.bias_add(tf.matmul(x, dense2), offset2)


class Function:
    """One call of a tf.function a step. xla: compiled by XLA. decay: L2 as its gradient, without its loss."""

    def __init__(self, network: Network, xla: bool = False, decay: bool = False) -> None:
        self.done = 0
        self.rate = tf.Variable(RATE)
        self.weights = [tf.Variable(one) for one in network.weights]
        moments = [tf.Variable(tf.zeros_like(one)) for one in self.weights]
        self.batches = [(tf.constant(x), tf.constant(y)) for x, y in network.batches]
        self.parameters = sum(one.shape.num_elements() for one in self.weights)

        def step(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                answer = logits(self.weights, x, network.dropout)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=answer))
                total = loss if decay else loss + L2 * tf.add_n([tf.nn.l2_loss(one) for one in self.weights[DENSE:]])
            gradients = tape.gradient(total, self.weights)
            # B905: the autograph of TensorFlow 2.10 has a zip that knows no `strict`.
            for at, (weight, moment, gradient) in enumerate(zip(self.weights, moments, gradients)):  # noqa: B905
                slope = gradient + L2 * weight if decay and at >= DENSE else gradient
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=weight.handle, accum=moment.handle, lr=self.rate, grad=slope, momentum=MOMENTUM
                )
            return loss

        self.inner = step
        x, y = self.batches[0]
        signature = [tf.TensorSpec(x.shape, x.dtype), tf.TensorSpec(y.shape, y.dtype)]
        function = tf.function(step, input_signature=signature, **({"jit_compile": True} if xla else {}))
        self.step: Callable[..., Any] = function.get_concrete_function()

    def run(self, count: int) -> Any:
        loss = None
        for _ in range(count):
            if self.done and rate(self.done) != rate(self.done - 1):
                self.rate.assign(rate(self.done))
            loss = self.step(*self.batches[self.done % len(self.batches)])
            self.done += 1
        self.weights[-1].numpy()
        return loss

    def losses(self, count: int) -> list[float]:
        return [float(self.run(1)) for _ in range(count)]


class Loop(Function):
    """All steps of a block in one call: a tf.while_loop over batches that lie in one tensor."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        images = tf.constant(network.images[: len(self.batches) * BATCH].reshape(-1, BATCH, 28, 28, 1))
        labels = tf.constant(network.labels[: len(self.batches) * BATCH].reshape(-1, BATCH))

        @tf.function(input_signature=[tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int32)])
        def steps(first: Any, count: Any) -> Any:
            loss = tf.constant(0.0)
            for number in tf.range(first, first + count):
                at = number % len(self.batches)
                loss = self.inner(images[at], labels[at])
            return loss

        self.steps = steps

    def run(self, count: int) -> Any:
        # An epoch ends between two calls: blocks are shorter than the 859 steps of one.
        self.rate.assign(rate(self.done))
        loss = self.steps(self.done, count)
        self.done += count
        self.weights[-1].numpy()
        return loss


class Session:
    """A graph, a session, a fed batch: as the tutorial did it."""

    def __init__(self, network: Network) -> None:
        old = tf.compat.v1
        self.done, self.batches = 0, network.batches
        with tf.Graph().as_default():
            self.x, self.y = old.placeholder(tf.float32, (BATCH, 28, 28, 1)), old.placeholder(tf.int64, (BATCH,))
            weights = [old.Variable(one, use_resource=False) for one in network.weights]
            self.parameters = sum(one.size for one in network.weights)
            answer = logits(weights, self.x, network.dropout)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=self.y, logits=answer)
            self.loss = tf.reduce_mean(losses)
            total = self.loss + L2 * sum(tf.nn.l2_loss(one) for one in weights[DENSE:])
            batch = old.Variable(0, dtype=tf.float32, trainable=False, use_resource=False)
            falling = old.train.exponential_decay(RATE, batch * BATCH, EPOCH, DECAY, staircase=True)
            self.train = old.train.MomentumOptimizer(falling, MOMENTUM).minimize(total, global_step=batch)
            self.session = old.Session()
            self.session.run(old.global_variables_initializer())

    def run(self, count: int) -> Any:
        loss = None
        for _ in range(count):
            x, y = self.batches[self.done % len(self.batches)]
            _, loss = self.session.run([self.train, self.loss], {self.x: x, self.y: y})
            self.done += 1
        return loss

    def losses(self, count: int) -> list[float]:
        return [float(self.run(1)) for _ in range(count)]


# The first is the plain one.
HAND: dict[str, Callable[[Network], Any]] = {
    "tf.function": Function,
    "tf.function, L2 as a gradient": partial(Function, decay=True),
    "tf.function, one call a block": Loop,
}
OTHERS: dict[str, Callable[[Network], Any]] = {
    "XLA": partial(Function, xla=True),
    "TF1 session, feed_dict": Session,
}
