"""The GPU's generation against the build's: too old, too new, or new enough to be compiled for at every first start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.architectures import reach_of
from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import ComputeCapability
from gpucheck.findings import Severity
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import capability_of, cuda_of
from gpucheck.rules.engine import Found, found

_OLD, _NEW, _SLOW = "gpu-arch-too-old-for-build", "gpu-arch-too-new-for-build", "ptx-jit-slow-start"
_LONG = 45  # seconds
_BLACKWELL = ComputeCapability("10.0")
_OLDEST_RECENT = ComputeCapability("7.0")  # what builds of today have left out in part


@cause(_OLD, Place.DEVICE)
def left_out(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("gpu-ignored-capability", "torch-gpu-too-old")
    if clue is not None:
        yield found(
            f"The build leaves {clue.get('name') or 'this GPU'} out: compute capability {clue.get('capability') or '?'}"
            f", and it needs {clue.get('minimum_capability') or 'more'}.",
            [told(clue)],
            ["# a build that still has code for it, or a newer GPU"],
        )


def _failed(log: Log) -> Union[Clue, None]:
    return log.first("invalid-ptx", "no-kernel-image")


@cause(_NEW, Place.DEVICE, explains=(_SLOW,))
def too_new(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """No code for this generation, and the driver cannot make it from PTX."""
    built = log.first("kernels-not-built-for-capability")
    capability = _capability(log)
    fails = _failed(log) or log.first("cudnn-handle-failed") or _invalid_handle(log)
    new = capability is not None and capability >= _BLACKWELL
    clue = log.first("invalid-ptx")
    if not (new and (built or fails)):
        return
    shown = [one for one in (clue, built, fails) if one]
    yield found(
        f"The build has no code for this generation of GPU{f' (compute capability {capability})' if capability else ''}"
        ", and its PTX does not become any.",
        dict.fromkeys(told(one) for one in shown),
        ["# a release that was built for it (CUDA 12.8 or later for Blackwell), or NVIDIA's container of it"],
    )


@question(Place.DEVICE)
def why_invalid_ptx(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The driver could not compile the PTX: made for an older GPU than this one, or by a newer CUDA than the driver."""
    clue, capability = log.first("invalid-ptx"), _capability(log)
    if clue is None or (capability is not None and capability >= _BLACKWELL) or log.first("ptx-toolchain-unsupported"):
        return
    new = {_NEW: "the GPU is newer than the build (nvidia-smi tells 10.0 or later)"}
    driver = {"driver-too-old-for-cuda": "the driver is older than the CUDA that made the PTX"}
    yield left(
        "The driver could not compile the program's PTX.",
        [told(clue)],
        {**new, **driver} if capability is None else {**driver, **new},
        "nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv",
    )


def _invalid_handle(log: Log) -> Union[Clue, None]:
    return next((one for one in log.clues if "CUDA_ERROR_INVALID_HANDLE" in one.text), None)


def _capability(log: Log) -> Union[ComputeCapability, None]:
    text = capability_of(log)
    return ComputeCapability.parse(text) if text else None


@cause(_SLOW, Place.DEVICE, severity=Severity.WARNING)
def compiled_at_start(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    built, capability = log.first("kernels-not-built-for-capability"), _capability(log)
    clue = built or _beyond_reach(log, snapshot, capability)
    if clue is None or (capability is not None and capability >= _BLACKWELL and built):
        return
    yield found(
        "The build has only PTX for this GPU: the driver compiles every kernel, minutes long, when the program starts "
        "for the first time.",
        [told(clue)],
        [
            "export CUDA_CACHE_MAXSIZE=4294967296  # so that what was compiled is kept",
            "# a release that was built for this generation starts at once",
        ],
    )


@question(Place.DEVICE)
def why_slow(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """Minutes pass between two lines of TensorFlow's start."""
    after = log.first("device-interconnect", "gpu-device-created")
    timed = [one for one in log.clues if after and one.line < after.line and _seconds(one.text) is not None]
    ended = _seconds(after.text) if after else None
    if after is None or ended is None or not timed or log.first("kernels-not-built-for-capability"):
        return
    before = timed[-1]
    waited = ended - (_seconds(before.text) or 0.0)
    if waited > _LONG:
        yield left(
            f"{waited:.0f} seconds pass while TensorFlow starts on the GPU.",
            [told(before), told(after)],
            {
                _SLOW: "the build has no machine code for this GPU: the second start, from ~/.nv/ComputeCache, is fast",
                "nvidia-smi-hangs": "nvidia-smi takes as long: the driver itself is slow",
            },
            "time nvidia-smi; ls ~/.nv/ComputeCache",
        )


def _seconds(text: str) -> Union[float, None]:
    """The time of day at the front of TensorFlow's lines: 2018-09-05 09:54:50.375571."""
    clock = text[11:26].split(":")
    try:
        return int(clock[0]) * 3600 + int(clock[1]) * 60 + float(clock[2].rstrip(": "))
    except (ValueError, IndexError):
        return None


def _beyond_reach(log: Log, snapshot: Snapshot, capability: Union[ComputeCapability, None]) -> Union[Clue, None]:
    """A GPU newer than the libraries of the CUDA that the build opened."""
    cuda = cuda_of(log, snapshot)
    reach = reach_of(cuda) if cuda else None
    if capability is None or reach is None or capability.major <= reach.newest:
        return None
    return log.first("gpu-properties", "gpu-device-created")


@cause(_OLD, Place.DEVICE)
def torch_too_old(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    yield from _torch(log, older=True)


@cause(_NEW, Place.DEVICE)
def torch_too_new(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    yield from _torch(log, older=False)


_LISTS = ("torch-architectures", "torch-supported-range")


def _torch(log: Log, older: bool) -> Iterator[Found]:
    """PyTorch names the GPU's generation and those that it has code for."""
    clue, list_ = log.first("torch-gpu-not-supported", "torch-found-gpu"), log.first(*_LISTS)
    capability = ComputeCapability.parse(clue.get("capability") or "") if clue else None
    if clue is None or capability is None or log.first("torch-gpu-too-old"):
        return
    ends = [ComputeCapability.parse(one.get("newest") or "") for one in log.all(*_LISTS)]
    newest = max((one for one in ends if one), default=None)
    new = capability > newest if newest else capability >= _BLACKWELL
    if new is not older:
        yield found(
            f"This PyTorch has no code for {clue.get('name') or 'this GPU'} (compute capability {capability}): it is "
            f"{'older' if older else 'newer'} than what the build was made for.",
            [told(one) for one in (clue, list_) if one],
            ["# a build of PyTorch for this generation: https://pytorch.org/get-started/locally/"],
        )


@question(Place.DEVICE)
def why_no_image(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue, capability = log.first("no-kernel-image"), _capability(log)
    if clue is None or log.first("torch-gpu-not-supported", "torch-gpu-too-old"):
        return
    new = {_NEW: "the GPU is newer than the build"}
    old = {_OLD: "the GPU is older than the oldest that the build has code for"}
    yield left(
        "The build has no code for this generation of GPU.",
        [told(clue)],
        {**old, **new} if capability is not None and capability < _OLDEST_RECENT else {**new, **old},
        "nvidia-smi --query-gpu=name,compute_cap --format=csv",
    )
