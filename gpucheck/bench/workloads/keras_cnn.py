"""Keras' own MNIST example.

Source: keras-team/keras-io, examples/vision/mnist_convnet.py: 34,826 parameters, Adam, batches of 128.
"""

from __future__ import annotations

from gpucheck.bench.workloads import Workload

_CONV = {"layer": "conv", "kernel": 3, "padding": "valid", "activation": "relu", "bias": 0.0, "init": "glorot"}

WORKLOAD = Workload(
    "keras-cnn",
    "Keras' MNIST example",
    (
        {**_CONV, "filters": 32},
        {"layer": "pool", "size": 2, "padding": "valid"},
        {**_CONV, "filters": 64},
        {"layer": "pool", "size": 2, "padding": "valid"},
        {"layer": "flatten"},
        {"layer": "dropout", "rate": 0.5},
        {"layer": "dense", "units": 10, "activation": None, "bias": 0.0, "init": "glorot"},
    ),
    batch_size=128,
    rates=(("adagrad", 0.05), ("momentum", 0.02), ("nesterov", 0.02), ("sgd", 0.2)),
)
