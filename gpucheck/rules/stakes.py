"""How bad is it, where TensorFlow could not use CUDA: with a GPU here, without one, or on a machine that wants none.

No rule lives here. `presence` says whether there is a GPU; this says what follows from that for the libraries.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.gap import Unknown, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.presence import nvidia_here

# Wheels that come only with a wish for CUDA. nvidia-ml-py and nvidia-nccl-* are not among them: monitors and XGBoost
# bring those along.
_CUDA_WHEELS = ("nvidia-cuda-", "nvidia-cublas", "nvidia-cudnn")


class Stakes(NamedTuple):
    """severity of a defect that keeps TensorFlow off the GPU; remark: to be put behind the message."""

    severity: Severity
    remark: str


def stakes(snapshot: Snapshot) -> Union[Stakes, None]:
    """What a broken CUDA side means here; None: nothing, no GPU and no sign that anybody wants one.

    Raises
    ------
    Unknown: whether there is an NVIDIA GPU, or what is installed.
    """
    if nvidia_here(snapshot):
        return Stakes(Severity.ERROR, "")
    if wants_cuda(snapshot):
        return Stakes(Severity.WARNING, " (there is no NVIDIA GPU here; on a machine with one it would not be used)")
    return None


def wants_cuda(snapshot: Snapshot) -> bool:
    """Are there runtime wheels or a toolkit, which nobody installs for the CPU?"""
    wheels = need(need(snapshot.python).distributions)
    return any(one.name.startswith(_CUDA_WHEELS) for one in wheels) or bool(need(snapshot.toolkits).found)


def gpu_seen(snapshot: Snapshot) -> bool:
    """An NVIDIA GPU was seen: only to choose a severity, because "not known" is no here."""
    try:
        return nvidia_here(snapshot) is not None
    except Unknown:
        return False
