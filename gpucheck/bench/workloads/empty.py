"""No network to speak of: what a step of the same loop costs when there is nothing to compute. The harness' floor."""

from __future__ import annotations

from gpucheck.bench.workloads import Workload

WORKLOAD = Workload(
    "empty",
    "one dense layer of 10",
    ({"layer": "flatten"}, {"layer": "dense", "units": 10, "activation": None, "bias": 0.0, "init": "glorot"}),
    optimizer="sgd",
)
