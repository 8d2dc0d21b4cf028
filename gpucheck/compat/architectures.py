"""GPU generations: compute capability to architecture, first and last toolkit, last driver branch. Look-up only."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Union

from gpucheck.facts.versions import ComputeCapability, CudaVersion

PTXAS = "ptxas --help of NVIDIA's nvcc wheels 11.7, 11.8, 12.0, 12.5, 12.9, 13.0, 13.5"
NIXPKGS = "github.com/NixOS/nixpkgs pkgs/development/cuda-modules/_cuda/db/bootstrap/cuda.nix"
SCHEDULE = "NVIDIA's Unix driver deprecation schedule: R470 is the last branch for Kepler, R580 for Maxwell to Volta"


class Architecture(NamedTuple):
    """One compute capability.

    first_toolkit: the first that compiles binary code for it (None: not read). last_toolkit, last_driver: None where
    it is still supported by the newest known (CUDA 13.5, R610), last_driver also for boards that have none (Jetson).
    """

    capability: str
    name: str
    examples: str
    first_toolkit: Union[str, None]
    last_toolkit: Union[str, None]
    last_driver: Union[int, None]  # branch: R580 is 580
    source: str


ROWS: tuple[Architecture, ...] = (
    Architecture("3.5", "Kepler", "Tesla K40, GTX 780", None, "11.8", 470, f"{PTXAS}; {SCHEDULE}"),
    Architecture("3.7", "Kepler", "Tesla K80", None, "11.8", 470, f"{PTXAS}; {SCHEDULE}"),
    Architecture("5.0", "Maxwell", "GeForce 940M, GTX 750 Ti", None, "12.9", 580, f"{PTXAS}; {SCHEDULE}"),
    Architecture("5.2", "Maxwell", "GTX 970, GTX 980, Titan X", None, "12.9", 580, f"{PTXAS}; {SCHEDULE}"),
    Architecture("5.3", "Maxwell", "Jetson TX1, Jetson Nano", None, "12.9", None, PTXAS),
    Architecture("6.0", "Pascal", "Tesla P100", None, "12.9", 580, f"{PTXAS}; {SCHEDULE}"),
    Architecture("6.1", "Pascal", "GTX 1050 to 1080 Ti, Tesla P4, P40", None, "12.9", 580, f"{PTXAS}; {SCHEDULE}"),
    Architecture("6.2", "Pascal", "Jetson TX2", None, "12.9", None, PTXAS),
    Architecture("7.0", "Volta", "Tesla V100, Titan V", None, "12.9", 580, f"{PTXAS}; {SCHEDULE}"),
    Architecture("7.2", "Volta", "Jetson Xavier", None, "12.9", None, PTXAS),
    Architecture("7.5", "Turing", "RTX 20xx, GTX 16xx, T4", None, None, None, PTXAS),
    Architecture("8.0", "Ampere", "A100", None, None, None, PTXAS),
    Architecture("8.6", "Ampere", "RTX 30xx, A10, A40", None, None, None, PTXAS),
    Architecture("8.7", "Ampere", "Jetson Orin", None, None, None, PTXAS),
    Architecture("8.9", "Ada Lovelace", "RTX 40xx, L4, L40", "11.8", None, None, PTXAS),
    Architecture("9.0", "Hopper", "H100, H200, GH200", "11.8", None, None, PTXAS),
    Architecture("10.0", "Blackwell", "B100, B200, GB200", "12.8", None, None, f"{PTXAS}; {NIXPKGS}"),
    Architecture("10.3", "Blackwell", "B300", "12.9", None, None, PTXAS),
    Architecture("11.0", "Blackwell", "Jetson Thor", "13.0", None, None, PTXAS),
    Architecture("12.0", "Blackwell", "RTX 50xx, RTX PRO Blackwell", "12.8", None, None, f"{PTXAS}; {NIXPKGS}"),
    Architecture("12.1", "Blackwell", "GB10, DGX Spark", "12.9", None, None, PTXAS),
)


class Reach(NamedTuple):
    """From this toolkit on (up to the next row) CUDA's libraries hold code for GPUs up to this major version."""

    cuda: str
    newest: int
    source: str


_RECALLED = "NVIDIA's release notes of that toolkit, which brought this generation (recalled, not read again)"

REACHES: tuple[Reach, ...] = (
    Reach("8.0", 6, _RECALLED),
    Reach("9.0", 7, _RECALLED),
    Reach("11.0", 8, _RECALLED),
    Reach("11.8", 9, PTXAS),
    Reach("12.8", 12, NIXPKGS),
)

# The first toolkit that knows Blackwell. TensorFlow builds of an older one carry only PTX for it, which is reported to
# fail (CUDA_ERROR_INVALID_PTX, CUDA_ERROR_INVALID_HANDLE): tensorflow/tensorflow issues 89272, 97387, 99592, 101746.
BLACKWELL_TOOLKIT = CudaVersion("12.8")
BLACKWELL = 10  # first major of that generation


@cache
def architecture_of(capability: ComputeCapability) -> Architecture | None:
    """The row of a compute capability; None for one that no source here tells of."""
    return next((row for row in ROWS if ComputeCapability(row.capability) == capability), None)


def name_of(capability: ComputeCapability) -> str:
    """ "Pascal", or "" where it is not known."""
    row = architecture_of(capability)
    return row.name if row else ""


@cache
def reach_of(cuda: CudaVersion) -> Reach | None:
    """How new a GPU a toolkit's libraries know; None before the first row."""
    fitting = [row for row in REACHES if CudaVersion(row.cuda) <= cuda]
    return fitting[-1] if fitting else None
