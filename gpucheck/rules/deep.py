"""What `--deep` proved: TensorFlow was imported and computed on every GPU. Silent where it was not asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.deep import Deep, Operation
from gpucheck.facts.gap import Gap, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes, operations
from gpucheck.rules.engine import Found, found, rule

_SOURCE = "TensorFlow in a child process (--deep)"
_XID = ["sudo dmesg | grep -iE 'nvrm|xid' | tail -n 20"]
_IMPORT_BREAKERS = (
    "cpu-no-avx", "numpy2-abi-break", "protobuf-incompatible", "keras2-keras3-mismatch", "python-32bit",
    "tensorflow-not-installed", "wrong-python-environment", "cpu-package-overwrote-gpu-package",
)  # fmt: skip
Evidence = list[tuple[str, object, str]]


@rule(Severity.ERROR, decisive=True, symptom_of=_IMPORT_BREAKERS)
def deep_import_failed(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow cannot be imported by the examined Python.

    ## What it means
    `--deep` started the examined Python in a child process and `import tensorflow` raised an exception, killed the
    process, or found no such package.

    ## Why it matters
    Nothing else counts until the import works: with a crash there is not even a message in a notebook, only
    "the kernel appears to have died".

    ## How to fix it
    Where a finding above explains it, follow that one. Otherwise read the exception: a missing or incompatible package
    is cured by installing TensorFlow into a fresh environment, SIGILL is a CPU without AVX, and any other signal is
    mostly a package compiled for another NumPy or protobuf.

    ## References
    - https://www.tensorflow.org/install/pip
    - https://www.tensorflow.org/install/errors
    """
    deep = need(snapshot.deep)
    if deep is None or deep.status in ("ok", "hung"):
        return
    what = {
        "not-installed": "has no TensorFlow",
        "import-failed": "cannot import TensorFlow",
        "crashed": "crashes with TensorFlow",
    }[deep.status]
    yield found(
        f"The examined Python {what}: {deep.error}",
        [("deep.status", deep.status, _SOURCE), ("deep.error", deep.error, _SOURCE), *_log(deep)],
        [
            "# Try a fresh environment:",
            f"{_python(snapshot)} -m venv fresh",
            "fresh/bin/pip install 'tensorflow[and-cuda]'",
        ],
    )


@rule(Severity.ERROR, symptom_of=("*",))
def deep_no_gpu_listed(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow was imported and lists no GPU.

    ## What it means
    `tf.config.list_physical_devices('GPU')` is empty in the examined Python, in this environment. This is the symptom
    itself; the cause is another finding, or stands in TensorFlow's own lines, which are shown as evidence. The
    libraries that TensorFlow's loader could not open are named (since 2.12 it keeps their names to itself).

    ## Why it matters
    Every program runs on the CPU, mostly without a word.

    ## How to fix it
    Follow the finding that explains this one. A library that could not be opened is missing, or lies where the loader
    does not look.

    ## References
    - https://www.tensorflow.org/install/pip
    - https://github.com/tensorflow/tensorflow/issues/66987
    """
    deep = need(snapshot.deep)
    if deep is None or deep.status != "ok" or need(deep.devices):
        return
    missing = needed_libraries(deep)
    # Where no GPU is known to be there is none to list: the taxonomy's ok-cpu-expected.
    severity = None if _machine_has_gpu(snapshot) else Severity.INFO
    why = f"; its loader could not open {', '.join(missing)}" if missing else ""
    build = "; this TensorFlow is a build without CUDA" if deep.built_with_cuda is False else ""
    yield found(
        f"TensorFlow {deep.tensorflow_version} lists no GPU{build or why}",
        [
            ("deep.devices", "[]", _SOURCE),
            ("deep.built_with_cuda", deep.built_with_cuda, _SOURCE),
            *(("deep.failed_libraries", name, _SOURCE) for name in missing),
            *_log(deep),
        ],
        severity=severity,
    )


@rule(Severity.WARNING)
def deep_gpu_left_out(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow uses fewer GPUs than the driver offers.

    ## What it means
    NVML lists more healthy GPUs than TensorFlow does, and CUDA_VISIBLE_DEVICES is not set. TensorFlow leaves out a GPU
    that has far fewer multiprocessors than the best one, or too low a compute capability, and says so only in its log.

    ## Why it matters
    A GPU stands idle.

    ## How to fix it
    For a small GPU beside a large one set TF_MIN_GPU_MULTIPROCESSOR_COUNT to its number of multiprocessors.

    ## References
    - https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/common_runtime/gpu/gpu_device.cc
    """
    deep = need(snapshot.deep)
    if deep is None or deep.status != "ok":
        return
    listed = need(deep.devices)
    if not listed or need(snapshot.environment).get("CUDA_VISIBLE_DEVICES") is not None:
        return
    gpus = [gpu for gpu in need(snapshot.gpus) if gpu.error is None]
    if any(need(gpu.mig_mode) for gpu in gpus) or len(listed) >= len(gpus):
        return
    yield found(
        f"TensorFlow lists {len(listed)} of {len(gpus)} GPUs",
        [
            ("deep.devices", ", ".join(listed), _SOURCE),
            ("gpus", ", ".join(gpu.name or f"GPU {gpu.number}" for gpu in gpus), "NVML"),
            *_log(deep),
        ],
        fixes.spoken(
            snapshot,
            [
                "# Name the smallest number of multiprocessors that you accept:",
                "export TF_MIN_GPU_MULTIPROCESSOR_COUNT=4",
            ],
        ),
    )


@rule(Severity.ERROR, decisive=True, symptom_of=("*",))
def deep_operation_failed(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU is listed, but a computation on it fails.

    ## What it means
    A matrix product (cuBLAS) or a convolution (cuDNN) on the GPU raised an error or killed the process. A listed GPU
    is no proof: cuDNN may be of another version than TensorFlow wants, a library may be missing that is opened only
    when needed, or the GPU's generation may have no kernels in this build.

    ## Why it matters
    Training stops at its first step.

    ## How to fix it
    Follow the finding that explains this one; otherwise read the error. DNN or CUDNN: the cuDNN that is found first is
    not the one this TensorFlow was built for. INVALID_PTX or "no kernel image": the GPU is newer than the build.
    OUT_OF_MEMORY: another program holds the memory.

    ## References
    - https://www.tensorflow.org/install/source#gpu
    - https://docs.nvidia.com/deeplearning/cudnn/latest/reference/support-matrix.html
    """
    for deep, operation in _operations(snapshot, "error", "crashed"):
        cause = operations.cause_of(operation, deep)
        yield found(
            f"{operation.device} is listed, but {_WORDS[operation.operation]} on it "
            f"{'killed the process' if operation.status == 'crashed' else 'fails'}: {operation.error}"
            + (f" (most likely {cause.said})" if cause else ""),
            _proof(operation, deep),
            fixes.spoken(snapshot, operations.fix_of(cause, fixes.on_machine(snapshot, _XID))),
        )


@rule(Severity.ERROR, decisive=True)
def deep_wrong_numbers(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU computes wrong numbers.

    ## What it means
    A computation on the GPU differs from the CPU's by more than 1 % (relative error of the whole result, or NaN). Less
    than that is normal: TF32, the default since Ampere, gives about 0.03 %.

    ## Why it matters
    Training seems to run and learns nothing, or its loss turns to NaN.

    ## How to fix it
    Faulty memory (see the ECC and row remapping findings), an overclocked or overheated card, or a broken combination
    of driver and libraries. Try another driver; where the error stays, test the card on another machine.

    ## References
    - https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/index.html
    """
    for deep, operation in _operations(snapshot, "wrong-numbers"):
        off = operation.error or f"the relative error is {operation.relative_error:.2g}"
        yield found(
            f"{operation.device} computes wrong numbers in {_WORDS[operation.operation]}: {off}",
            _proof(operation, deep),
        )


@rule(
    Severity.ERROR, symptom_of=("ptx-jit-slow-start", "gpu-arch-too-new-for-build", "gpu-memory-held-by-other-process")
)
def deep_hung(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow gave no answer before the deadline.

    ## What it means
    The import, the listing of devices or a computation was still running when the time of `--timeout` was over. What
    came before it is shown. On a GPU newer than the TensorFlow build, the driver compiles all kernels from PTX at first
    use, which takes minutes and happens once (they are cached in ~/.nv/ComputeCache).

    ## Why it matters
    A program hangs in the same place.

    ## How to fix it
    Give more time (`--timeout 1800`). Where that does not help: a driver that hangs shows in `dmesg` (Xid lines), a
    dead network disk in the import.

    ## References
    - https://docs.nvidia.com/deploy/xid-errors/index.html
    - https://developer.nvidia.com/blog/cuda-pro-tip-understand-fat-binaries-jit-caching/
    """
    fix = [
        "# Give it more time; kernels that are compiled at first use need it once:",
        "gpucheck doctor --deep --timeout 1800",
    ]
    deep = need(snapshot.deep)
    if deep is not None and deep.status == "hung":
        evidence: Evidence = [("deep.status", "hung", _SOURCE), ("deep.error", deep.error, _SOURCE), *_log(deep)]
        yield found(f"TensorFlow hangs: {deep.error}", evidence, fix)
    for deep, operation in _operations(snapshot, "hung"):
        what = _WORDS[operation.operation]
        yield found(f"{operation.device}: no answer to {what} before the deadline", _proof(operation, deep), fix)


_WORDS = {"matmul": "a matrix product", "conv2d": "a convolution"}


def needed_libraries(deep: Deep) -> list[str]:
    """What the loader could not open, without TensorRT's libraries, which no TensorFlow needs for a GPU."""
    return [name for name in deep.failed_libraries if not name.startswith("libnvinfer")]


def _operations(snapshot: Snapshot, *statuses: str) -> Iterator[tuple[Deep, Operation]]:
    deep = need(snapshot.deep)
    if deep is None or deep.status != "ok":
        return
    need(deep.devices)
    for operation in need(deep.operations):
        if operation.status in statuses:
            yield deep, operation


def _machine_has_gpu(snapshot: Snapshot) -> bool:
    """Known to have one, by the driver or by the PCI bus (which needs no driver)."""
    gpus, driver = snapshot.gpus, snapshot.driver
    if not isinstance(gpus, Gap) and gpus:
        return True
    if isinstance(driver, Gap) or isinstance(driver.pci, Gap) or driver.pci is None:
        return False
    return any(gpu.vendor == "10de" for gpu in driver.pci)


def _proof(operation: Operation, deep: Deep) -> Evidence:
    value = f"{operation.device} {operation.operation}: {operation.status}"
    return [("deep.operations", value, _SOURCE), *_log(deep)]


def _log(deep: Deep) -> Evidence:
    return [("deep.log", line, "TensorFlow's stderr") for line in operations.shown(deep.log)]


def _python(snapshot: Snapshot) -> str:
    python: Union[str, None] = None if isinstance(snapshot.python, Gap) else snapshot.python.executable
    return python or "python3"
