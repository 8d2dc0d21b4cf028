"""CUDA toolkits: what nvcc belongs to. Not the driver's CUDA version, not pip's runtime wheels."""

from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import CudaVersion


class Toolkit(NamedTuple):
    root: str  # real path
    version: Union[CudaVersion, None, Gap]
    version_source: Union[str, None]  # the file that the version was read from
    found_via: tuple[str, ...]  # CUDA_HOME, PATH, /usr/local/cuda, module cuda/12.4, dpkg …
    nvcc: Union[str, None]  # its path
    ptxas: Union[str, None]
    libdevice: Union[str, None, Gap]


class Pointer(NamedTuple):
    """A name that leads to a toolkit: CUDA_HOME, CUDA_PATH, /usr/local/cuda, nvcc on PATH, ptxas on PATH."""

    name: str
    value: str
    target: Union[str, None, Gap]  # the toolkit's real root; None: leads nowhere


class Toolkits(NamedTuple):
    found: tuple[Toolkit, ...]
    pointers: tuple[Pointer, ...]
