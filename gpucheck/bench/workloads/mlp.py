"""Three dense layers on normalised images: little arithmetic for the memory it moves, so a GPU matters less."""

from __future__ import annotations

from gpucheck.bench.workloads import Workload

_DENSE = {"layer": "dense", "bias": 0.0, "init": "glorot"}

WORKLOAD = Workload(
    "mlp",
    "three dense layers",
    (
        {"layer": "flatten"},
        {"layer": "norm"},  # without it 6,400 images teach too little
        {**_DENSE, "units": 512, "activation": "relu"},
        {**_DENSE, "units": 512, "activation": "relu"},
        {**_DENSE, "units": 10, "activation": None},
    ),
)
