"""A small vision transformer: self-attention over the 16 patches of 7×7, two blocks, pre-normalised.

After Dosovitskiy et al., "An Image is Worth 16x16 Words" (arXiv 2010.11929), much reduced: normalised patches, and all
rows in place of the class token, because the original does not learn from 6,400 images.
"""

from __future__ import annotations

from gpucheck.bench.workloads import Layer, Workload

_WIDTH, _HEADS, _BLOCKS = 128, 4, 2
_DENSE = {"layer": "dense", "bias": 0.0, "init": "glorot"}
_BLOCK: tuple[Layer, ...] = (
    {
        "layer": "residual",
        "layers": [{"layer": "norm"}, {"layer": "attention", "heads": _HEADS, "key": _WIDTH // _HEADS}],
    },
    {
        "layer": "residual",
        "layers": [
            {"layer": "norm"},
            {**_DENSE, "units": 2 * _WIDTH, "activation": "gelu"},
            {**_DENSE, "units": _WIDTH, "activation": None},
        ],
    },
)

WORKLOAD = Workload(
    "vit",
    "a small vision transformer on 7×7 patches",
    (
        {"layer": "patches", "size": 7},
        {"layer": "norm"},
        {**_DENSE, "units": _WIDTH, "activation": None},
        {"layer": "position"},
        *_BLOCK * _BLOCKS,
        {"layer": "norm"},
        {"layer": "flatten"},
        {**_DENSE, "units": 10, "activation": None},
    ),
    rates=(("adagrad", 0.01), ("rmsprop", 0.0005), ("nesterov", 0.005), ("momentum", 0.005), ("sgd", 0.02)),
    learning_steps=200,
)
