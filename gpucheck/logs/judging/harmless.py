"""Nothing is wrong: what the good lines and the harmless ones say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.logs.judging import Place, cause, told
from gpucheck.logs.judging.setting import DEVICE
from gpucheck.logs.messages import by_name
from gpucheck.rules.engine import Found, found

_NO_GPU = ("cudart-dlerror-ignorable", "tensorrt-not-found", "cuda-drivers-not-found", "jax-no-gpu-falling-back")


# On a GPU that is in use.
_TROUBLE = (
    "gpu-out-of-memory",
    "cuda-out-of-memory",
    "torch-out-of-memory",
    "cudnn-handle-failed",
    "cublas-handle-failed",
    "cudnn-status",
    "cublas-status",
    "convolution-algorithm-failed",
    "blas-unsupported",
    "dnn-library-not-found",
    "cudnn-part-not-loaded",
    "cudnn-version-mismatch",
    "libdevice-not-found",
    "ptxas-failed",
    "invalid-ptx",
    "no-kernel-image",
    "kernels-not-built-for-capability",
)


def _harmless(clue: Clue) -> str:
    message = by_name().get(clue.message)
    return message.harmless if message else ""


@cause("ok-cpu-expected", Place.NOTHING, severity=Severity.INFO)
def no_gpu_measured(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The log's lines are what a machine without an NVIDIA GPU prints, and it was measured to have none."""
    clue: Union[Clue, None] = log.first(*_NO_GPU)
    pci = None if isinstance(snapshot.driver, Gap) else snapshot.driver.pci
    if clue is None or pci is None or isinstance(pci, Gap) or any(one.vendor == "10de" for one in pci):
        return
    yield found("This machine has no NVIDIA GPU: the CPU is all there is.", [told(clue)])


@cause("ok-harmless-log-line", Place.NOTHING, severity=Severity.INFO)
def harmless_lines(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The log holds lines that look like errors and are none.

    ## What it means
    TensorFlow and XLA print some lines at every start, at the level of an error or a warning. They are no cause of
    anything: the same lines stand in the logs of programs that use the GPU.

    ## Why it matters
    They are what most reports quote, and what is wrong, if anything, stands elsewhere.

    ## How to fix
    Nothing. `TF_CPP_MIN_LOG_LEVEL=2` hides them, and hides what matters with them.

    ## References
    https://github.com/tensorflow/tensorflow/issues/62987
    """
    lines = {clue.message: clue for clue in reversed(log.clues) if _harmless(clue)}
    if not lines:
        return
    clues = [lines[name] for name in reversed(lines)]
    words = " ".join(dict.fromkeys(_sentence(_harmless(clue)) for clue in clues))
    yield found(f"Harmless: {words}", [told(clue) for clue in clues])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


@cause("ok-gpu-in-use-but-slow", Place.NOTHING, severity=Severity.INFO)
def gpu_in_use(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The GPU is in use; what is slow, if anything, is slow for another reason.

    ## What it means
    TensorFlow made a device for the GPU, and the log holds no error. A small network or a small batch does not fill a
    GPU: copying and starting kernels take longer than the computation, and the CPU can be faster.

    ## Why it matters
    Drivers and libraries that work are reinstalled in vain.

    ## How to fix
    Try larger batches, and time without the first step. `gpucheck bench` shows from which batch size on the GPU wins.

    ## References
    https://github.com/keras-team/keras/issues/249
    """
    clue = log.first(*DEVICE)
    if clue is not None and not log.all(*_TROUBLE):
        yield found(
            "TensorFlow has made a device for the GPU: the GPU is in use.",
            [told(clue)],
            ["gpucheck bench --batch-size 64,256,1024"],
        )
