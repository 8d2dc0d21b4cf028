"""cuDNN releases on Linux and the GPU generations that they hold code for. Look-up only."""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.versions import ComputeCapability, CudnnVersion


class CudnnRelease(NamedTuple):
    """From this release on (up to the next row).

    least: the lowest compute capability with code; "" where no source was read. soname: what programs ask for.
    """

    version: str
    least: str
    soname: str
    source: str


RELEASES: tuple[CudnnRelease, ...] = (
    CudnnRelease("5.1", "", "libcudnn.so.5", "tensorflow/docs source.md (range not read)"),
    CudnnRelease("6.0", "", "libcudnn.so.6", "tensorflow/docs source.md (range not read)"),
    CudnnRelease("7.0", "", "libcudnn.so.7", "tensorflow/docs source.md (range not read)"),
    CudnnRelease("7.6.0", "3.0", "libcudnn.so.7", "cuDNN 7.6.0 support matrix"),
    CudnnRelease("8.0", "3.0", "libcudnn.so.8", "cuDNN 8.0.3 support matrix (3.0 with CUDA 10, 3.5 with CUDA 11)"),
    CudnnRelease("8.1", "3.5", "libcudnn.so.8", "cuDNN 8.2.2 support matrix (CUDA 11)"),
    CudnnRelease("8.5", "3.5", "libcudnn.so.8", "cuDNN 8.5.0 support matrix"),
    CudnnRelease("8.6", "", "libcudnn.so.8", "range not read"),
    CudnnRelease("8.9.5", "5.0", "libcudnn.so.8", "cuDNN 8.9.5 and 8.9.6 support matrices"),
    CudnnRelease("9.0.0", "5.0", "libcudnn.so.9", "cuDNN 9.0.0 support matrix"),
    CudnnRelease("9.3.0", "5.0", "libcudnn.so.9", "cuDNN 9.5.1 support matrix"),
    CudnnRelease("9.10.2", "5.0", "libcudnn.so.9", "cuDNN 9.10.2 support matrix"),
    # Between the two matrices of 9.10.2 and 9.17.0; these threads name 9.11 as the first without Maxwell to Volta.
    CudnnRelease("9.11.0", "7.5", "libcudnn.so.9", "immich PR 23110; pytorch PR 165773; pytorch RFC 172352"),
    CudnnRelease("9.17.0", "7.5", "libcudnn.so.9", "cuDNN 9.17.0 support matrix"),
)

# The last wheel of nvidia-cudnn-cu12 with code below compute capability 7.5.
LAST_BEFORE_TURING = "9.10.2.21"


def find(version: CudnnVersion) -> Union[CudnnRelease, None]:
    """The row that a version falls under; ``None`` before the first."""
    fitting = [row for row in RELEASES if CudnnVersion(row.version) <= version]
    return fitting[-1] if fitting else None


def least_capability(version: CudnnVersion) -> Union[ComputeCapability, None]:
    """The lowest compute capability that this cuDNN has code for; ``None`` where no source says."""
    row = find(version)
    return ComputeCapability(row.least) if row and row.least else None
