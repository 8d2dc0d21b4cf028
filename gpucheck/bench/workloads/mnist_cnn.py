"""The network of the 2017 guide: TensorFlow's tutorial ``convolutional.py``.

Source: tensorflow/models at 48251730, tutorials/image/mnist/convolutional.py.
"""

from __future__ import annotations

from gpucheck.bench.workloads import Workload

_CONV = {"layer": "conv", "kernel": 5, "padding": "same", "activation": "relu", "init": "tutorial"}
_DENSE = {"layer": "dense", "l2": 5e-4, "bias": 0.1, "init": "tutorial"}

WORKLOAD = Workload(
    "mnist-cnn",
    "the CNN of TensorFlow's MNIST tutorial, 2017",
    (
        {**_CONV, "filters": 32, "bias": 0.0},
        {"layer": "pool", "size": 2, "padding": "same"},
        {**_CONV, "filters": 64, "bias": 0.1},
        {"layer": "pool", "size": 2, "padding": "same"},
        {"layer": "flatten"},
        {**_DENSE, "units": 512, "activation": "relu"},
        {"layer": "dropout", "rate": 0.5},
        {**_DENSE, "units": 10, "activation": None},
    ),
    optimizer="momentum",
    decay=0.95,
)
