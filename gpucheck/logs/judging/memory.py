"""The GPU's memory: what TensorFlow took for itself, what another process holds. cuDNN fails for want of it, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.cudnn import handle_failed
from gpucheck.logs.judging.driver import below_floor
from gpucheck.logs.judging.setting import driver_of
from gpucheck.rules.engine import Found, found

_GROW = [
    "export TF_FORCE_GPU_ALLOW_GROWTH=true",
    "# in the program: tf.config.experimental.set_memory_growth(gpu, True), before the GPU is used",
]
_PREALLOCATION, _HELD = "gpu-memory-preallocation", "gpu-memory-held-by-other-process"
_MUCH = 1 << 30  # bytes: cuDNN and cuBLAS start with less
_LITTLE = 300 << 20
_OWN = ("cudnn-version-mismatch", "cudnn-version-mismatch-jax", "cudnn-outdated", "cudnn-part-not-loaded")


def bytes_of(text: Union[str, None]) -> Union[float, None]:
    """7.93GiB, 20.00 MiB, 392.00MiB, 1234 in bytes; None where it is no amount."""
    if not text:
        return None
    number = text.strip().rstrip("iBbytes ").rstrip()
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}.get(number[-1:], 1)
    try:
        return float(number.rstrip("KMGT ")) * factor
    except ValueError:
        return None


def _free(log: Log) -> Union[float, None]:
    values = log.values("cudnn-memory", "free_bytes")
    return bytes_of(values[-1]) if values else None


@cause(_PREALLOCATION, Place.DEVICE)
def took_all(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow took nearly all of the GPU's memory for itself, and cuDNN or cuBLAS found none.

    ## What it means
    TensorFlow takes most of the free memory at its start and shares it out itself. cuDNN, cuBLAS, a second process or
    another framework in the same one ask the driver, which has none left. The error then is
    CUDNN_STATUS_INTERNAL_ERROR, CUDNN_STATUS_NOT_INITIALIZED, CUBLAS_STATUS_NOT_INITIALIZED or "failed to allocate".

    ## Why it matters
    The GPU is listed as usual, and the first convolution or product of matrices fails.

    ## How to fix
    Let TensorFlow take memory as it needs it: TF_FORCE_GPU_ALLOW_GROWTH=true, or set_memory_growth in the program.

    ## References
    https://github.com/tensorflow/tensorflow/issues/24496
    https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth
    """
    clue, free = handle_failed(log), _free(log)
    totals = [bytes_of(one) for one in log.values("cudnn-memory", "total_bytes")]
    taken = [int(one) << 20 for one in log.values("gpu-device-created", "megabytes")]
    own = bool(taken and totals and totals[0] and taken[0] > totals[0] / 2)
    if clue is not None and free is not None and free < _LITTLE and own:
        yield found(
            f"TensorFlow took {taken[0] >> 20} MB of the GPU's memory, and {free / (1 << 20):.0f} MB were left when "
            "cuDNN started.",
            [told(one) for one in (clue, *log.all("cudnn-memory")[:1], *log.all("gpu-device-created")[:1])],
            _GROW,
        )


@cause("driver-too-old-for-cuda", Place.START)
def driver_fails_cudnn(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """cuDNN does not start and the driver is below what the build's CUDA needs."""
    clue = handle_failed(log)
    free = _free(log)
    if clue is not None and below_floor(log, snapshot) and (free is None or free > _LITTLE):
        yield found(
            f"The driver {driver_of(log, snapshot)} is older than the program's CUDA needs; that is why cuDNN did not "
            "start.",
            [told(clue), *(told(one) for one in log.all("driver-possibly-insufficient")[:1])],
            ["nvidia-smi", "# install a newer NVIDIA driver"],
        )


@question(Place.DEVICE)
def why_no_handle(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """cuDNN or cuBLAS did not start. TensorFlow's own words accuse the driver; free memory tells."""
    clue = handle_failed(log)
    if (
        clue is None
        or log.first(*_OWN)
        or log.first("no-kernel-image", "invalid-ptx", "kernels-not-built-for-capability")
    ):
        return
    beside = (
        *log.all("cudnn-memory")[-1:],
        *log.all("driver-possibly-insufficient")[:1],
        *log.all("gpu-device-created")[:1],
    )
    yield left(
        f"{'cuBLAS' if 'cublas' in clue.message else 'cuDNN'} did not start on the GPU ({clue.get('error')}).",
        [told(clue), *(told(one) for one in beside)],
        _remaining_without_handle(log, snapshot, clue),
        "nvidia-smi  # who holds the memory, and which driver is it?",
    )


@question(Place.DEVICE)
def why_no_algorithm(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The convolution failed, and the lines that say why are cut off."""
    clue = log.first("blas-unsupported", "convolution-algorithm-failed", "jax-no-supported-device")
    if (
        clue is None
        or handle_failed(log)
        or log.first(*_OWN, "dnn-library-not-found", "no-kernel-image", "invalid-ptx")
    ):
        return
    yield left(
        "cuDNN or cuBLAS did not start, or found no memory to work in.",
        [told(clue)],
        {
            _PREALLOCATION: "with TF_FORCE_GPU_ALLOW_GROWTH=true (JAX: XLA_PYTHON_CLIENT_PREALLOCATE=false) it works",
            _HELD: "nvidia-smi lists another process with much of the memory",
        }
        if clue.message == "blas-unsupported"
        else {
            _PREALLOCATION: "with TF_FORCE_GPU_ALLOW_GROWTH=true (JAX: XLA_PYTHON_CLIENT_PREALLOCATE=false) it works",
            "cudnn-wrong-version": '"Loaded runtime CuDNN library: X but source was compiled with: Y" stands above',
            _HELD: "nvidia-smi lists another process with much of the memory",
        },
        "# the lines above the error, from the first one of cuda_dnn.cc on; and nvidia-smi before the program starts",
    )


def _remaining_without_handle(log: Log, snapshot: Snapshot, clue: Clue) -> dict[str, str]:
    grow = {_PREALLOCATION: "with TF_FORCE_GPU_ALLOW_GROWTH=true it works: the program itself had taken all memory"}
    held = {_HELD: "nvidia-smi lists another process with much of the memory"}
    driver = {"driver-too-old-for-cuda": "much memory is free, and the driver is older than the program's CUDA needs"}
    version = {"cudnn-wrong-version": "another cuDNN than the program's own is loaded"}
    free, below = _free(log), below_floor(log, snapshot)
    if _took_little(log):
        return {**held, **grow}
    if free is not None and free > _MUCH and below is not False:
        # Of a driver that is too old cuDNN says NOT_INITIALIZED.
        internal = below is None and clue.get("error") == "CUDNN_STATUS_INTERNAL_ERROR"
        return {**version, **grow, **driver} if internal else {**driver, **version, **grow}
    if free is not None and free > _MUCH:
        return {**version, **grow}
    if clue.message.endswith("-status") and clue.get("error") == "CUDNN_STATUS_NOT_INITIALIZED" and below is None:
        return {**grow, **held, **driver} if _of_tensorflow(log) else {**driver, **held}
    if clue.message.endswith("-status") and "VERSION_MISMATCH" in (clue.get("error") or ""):
        return {**version, "ld-library-path-shadows-bundled-cuda": "LD_LIBRARY_PATH names another cuDNN"}
    if clue.message.endswith("-status") and "ARCH_MISMATCH" in (clue.get("error") or ""):
        return {"gpu-arch-too-old-for-build": "the GPU is older than what this cuDNN has code for", **version}
    if _of_torch(log):  # which takes memory as it needs it
        return {**held, **driver}
    return {**grow, **held, **(driver if below is None else version)}


def _of_torch(log: Log) -> bool:
    words = ("RuntimeError: cuDNN error", "RuntimeError: CUDA error", "torch")
    return any(word in clue.text for clue in log.clues for word in words) and not _of_tensorflow(log)


def _of_tensorflow(log: Log) -> bool:
    words = ("tensorflow", "stream_executor", "cuda_dnn.cc", "xla", "keras")
    return any(word in clue.text for clue in log.clues for word in words)


def _took_little(log: Log) -> bool:
    """TensorFlow takes nearly all that is free: a device with a small part of the GPU's memory means that another
    process holds the rest."""
    total = next((one for one in map(bytes_of, log.values("gpu-memory", "total")) if one), None)
    taken = [int(one) * (1 << 20) for one in log.values("gpu-device-created", "megabytes")]
    least = total / 3 if total else 700 << 20
    return _little_was_free(log) or (bool(taken) and taken[0] < least)


def _little_was_free(log: Log) -> bool:
    """TensorFlow counted it when it started."""
    total = next((one for one in map(bytes_of, log.values("gpu-memory", "total")) if one), None)
    free = next((one for one in map(bytes_of, log.values("gpu-memory", "free")) if one), None)
    return bool(total and free is not None and free < total / 2)


@cause(_HELD, Place.DEVICE)
def held(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The log itself counts the memory that is not this program's."""
    clue = next((one for one in log.all("torch-out-of-memory") if _others(one)), None)
    if clue is not None:
        yield found(
            f"Of the GPU's {clue.get('total')} another process holds most: this one has {clue.get('own') or 'little'}, "
            f"and {clue.get('free') or 'nothing'} is free.",
            [told(clue)],
            ["nvidia-smi", "# end the process that holds it (a notebook's kernel that was left open, say)"],
        )


def _others(clue: Clue) -> bool:
    if clue.get("others"):
        return True
    total, free, own = (bytes_of(clue.get(name)) for name in ("total", "free", "own"))
    return bool(total and own is not None and free is not None and total - free - own > max(total * 0.35, 1 << 30))


@cause(_HELD, Place.DEVICE)
def nothing_left(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The GPU could not even be opened for want of memory, or TensorFlow got a small part of it."""
    clue = next(
        (one for one in log.all("device-context-failed", "cuinit-failed") if "MEMORY" in (one.get("error") or "")), None
    )
    small = log.first("gpu-out-of-memory", "cuda-out-of-memory") if _little_was_free(log) else None
    if clue is None and small is None:
        return
    memory = log.all("gpu-memory")[:1] + log.all("gpu-device-created")[:1]
    yield found(
        "Most of the GPU's memory was taken before this program started: another process holds it.",
        [told(one) for one in (clue, small, *memory) if one],
        ["nvidia-smi", "# end the process that holds it (a notebook's kernel that was left open, say)"],
    )


@question(Place.DEVICE)
def why_out_of_memory(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The GPU's memory does not do: another process, this program's own pool, or simply too large a model."""
    clue = log.first("gpu-out-of-memory", "torch-out-of-memory", "cuda-out-of-memory")
    if clue is None or _little_was_free(log):
        return
    held_ = {_HELD: "nvidia-smi lists another process (an old kernel of a notebook, say) with much of the memory"}
    grow = {_PREALLOCATION: "the program itself, or a second one, took all of it at the start"}
    refused = log.first("cuda-out-of-memory") is not None and log.first("gpu-out-of-memory") is None
    yield left(
        "The GPU has no memory left for what was asked; if nothing else holds it, the model or the batch is too large.",
        [told(clue)],
        {**grow, **held_}
        if refused and clue.message == "cuda-out-of-memory" and not (_took_little(log) or _of_torch(log))
        else {**held_, **grow},
        "nvidia-smi  # before the program starts: is the memory free?",
    )
