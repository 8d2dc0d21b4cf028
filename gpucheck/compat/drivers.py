"""The driver that a CUDA build needs. Look-up only; rules/driver.py judges.

A driver is never too new for a CUDA build: the upper bounds in NVIDIA's Table 2 ("< 580" for 12.x) end the range that
works *only* by minor-version compatibility, and a later driver runs the build by backward compatibility.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Union

from gpucheck.facts.versions import CudaVersion, DriverVersion

RELEASE_NOTES = "https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ (13.2 Update 2, Tables 2 and 3)"
CUDNN_MATRIX = "https://docs.nvidia.com/deeplearning/cudnn/ (support matrix of 8.9 and 9.10)"


class Floor(NamedTuple):
    """The lowest driver for a CUDA major (minor-version compatibility) or, below 11, for one toolkit.

    windows: also what counts under WSL, where NVML tells the Windows driver's version. None: no exact floor published.
    """

    cuda: str  # "12" for every 12.x, "10.1" for that toolkit alone
    linux: str
    windows: Union[str, None]
    source: str


FLOORS: tuple[Floor, ...] = (
    Floor("13", "580.65.06", "580", RELEASE_NOTES),
    Floor("12", "525.60.13", "527.41", CUDNN_MATRIX),
    Floor("11", "450.80.02", "452.39", CUDNN_MATRIX),
    # No minor-version compatibility before CUDA 11: the toolkit's own driver is the lowest.
    Floor("10.2", "440.33", "441.22", RELEASE_NOTES),
    Floor("10.1", "418.39", "418.96", RELEASE_NOTES),
    Floor("10.0", "410.48", "411.31", RELEASE_NOTES),
    Floor("9.2", "396.26", "397.44", RELEASE_NOTES),
    Floor("9.1", "390.46", "391.29", RELEASE_NOTES),
    Floor("9.0", "384.81", "385.54", RELEASE_NOTES),
    Floor("8.0", "367.48", "369.30", RELEASE_NOTES),
    Floor("7.5", "352.31", "353.66", RELEASE_NOTES),
    Floor("7.0", "346.46", "347.62", RELEASE_NOTES),
)


@cache
def floor_for(cuda: CudaVersion) -> Floor | None:
    """The row for a CUDA version that something was built with; None for one that no table tells of."""
    for row in FLOORS:
        if row.cuda in (str(cuda.major), cuda.short):
            return row
    return None


def lowest(row: Floor, windows: bool) -> DriverVersion | None:
    """The floor as a driver version: of the Windows driver under WSL, else of the Linux driver."""
    text = row.windows if windows else row.linux
    return DriverVersion(text) if text else None
