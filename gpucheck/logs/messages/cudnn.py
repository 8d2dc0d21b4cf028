"""What is printed about cuDNN and cuBLAS: the pair of versions, handles that could not be made, parts not found."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.tensorflow import kept
from gpucheck.logs.sonames import first_name
from gpucheck.logs.words import number_after, said, version_after, word_after

Values = Union[dict[str, str], None]
_CUDNN = "stream_executor/cuda/cuda_dnn.cc, 0.6 to 2.21; jaxlib"


def dotted(version: Union[str, None]) -> Union[str, None]:
    """cuDNN's number as a version: 7201 is 7.2.1, 90100 is 9.1.0 (cudnn_version.h, CUDNN_VERSION)."""
    if version is None or not version.isdigit() or len(version) < 4:
        return version
    number = int(version[:6])
    base = 10000 if number >= 90000 else 1000
    return f"{number // base}.{number % base // 100}.{number % 100}"


def _pair(text: str) -> Values:
    loaded = version_after(text, "Loaded runtime CuDNN library:") or version_after(text, "runtime CuDNN library")
    built = version_after(text, "compiled with:") or version_after(text, "compiled with")
    return kept(cudnn_runtime=dotted(loaded), cudnn_compiled=dotted(built)) if loaded and built else None


def _jax_pair(text: str) -> Values:
    loaded, built = version_after(text, "Found cuDNN version"), version_after(text, "built against version")
    return kept(cudnn_runtime=dotted(loaded), cudnn_compiled=dotted(built)) if loaded and built else None


def _status(text: str) -> Values:
    if "Failed to determine cuDNN version" in text:  # "this is expected", as 2.20 and later say themselves
        return None
    for library in ("CUDNN_STATUS_", "CUBLAS_STATUS_"):
        if library in text:
            word = text.partition(library)[2]
            end = next((at for at, sign in enumerate(word) if not (sign.isupper() or sign == "_")), len(word))
            return {"error": library + word[:end]}
    return None


def _handle(text: str) -> Values:
    return _status(text) if "andle" in text else None


def _bare(text: str) -> Values:
    """A status with nothing of a handle: whoever prints it says no more."""
    return _status(text) if "andle" not in text and "STATUS_SUCCESS" not in text else None


def _memory(text: str) -> Values:
    return (
        kept(free_bytes=number_after(text, "Memory usage:"), total_bytes=number_after(text, "bytes free,"))
        if "bytes free" in text
        else None
    )


def _driver(text: str) -> Values:
    version = version_after(text, "insufficient driver version:")
    return kept(driver_version=version)


def _part(text: str) -> Values:
    """Could not load library X. Error: Y; Unable to load any of {X, …}; Could not locate X.dll."""
    name = first_name(text)
    if name is None or not ("cudnn" in name.lower() or "zlib" in name.lower()):
        return None
    why = text.partition("rror:")[2]
    cause = first_name(why)
    return kept(
        soname=name,
        needs=cause if cause and cause != name else None,
        code=word_after(text, "rror code") if "rror code" in text else None,
        symbol="undefined" if "undefined symbol" in text or "not defined in file" in text else None,
    )


def _symbol(text: str) -> Values:
    """X.so: undefined symbol: Y: one of CUDA's libraries has it in its name, or Y is a function of theirs."""
    files = ("libcudnn", "libcublas", "libnv", "libcus")
    symbol = word_after(text, "undefined symbol:") or ""
    if not any(one in text for one in files) and not symbol.startswith(("cudnn", "cublas", "cusolver", "nccl")):
        return None
    return kept(soname=first_name(text))


MESSAGES = (
    Message(
        "cudnn-version-mismatch",
        ("Loaded runtime CuDNN library",),
        _pair,
        "The cuDNN that was loaded is not the one that the build needs: the same major, and at least its minor.",
        look=("gpucheck doctor --verbose",),
        source=_CUDNN,
    ),
    Message(
        "cudnn-loaded",
        ("Loaded cuDNN version",),
        lambda text: kept(cudnn_runtime=dotted(version_after(text, "Loaded cuDNN version"))) or None,
        "The cuDNN that TensorFlow works with.",
        source=_CUDNN,
    ),
    Message(
        "cudnn-version-mismatch-jax",
        ("Found cuDNN version",),
        _jax_pair,
        "The cuDNN that was loaded is older than the one that JAX was built with.",
        look=("gpucheck doctor --verbose",),
        source="jax/_src/xla_bridge.py, 0.4.9 to 0.4.30",
    ),
    Message(
        "cudnn-outdated",
        ("Outdated cuDNN installation found", "Outdated cuDNN"),
        said,
        "The cuDNN that was loaded is older than the one that JAX was built with.",
        look=("gpucheck doctor --verbose",),
        source="jax/_src/xla_bridge.py, 0.4.31 and later",
    ),
    Message(
        "cudnn-handle-failed",
        (
            "reate cudnn handle",
            "reate cuDNN handle",
            "cudnn library could not create a handle",
            "before creating cudnn handle",
        ),
        lambda text: _handle(text) or {"error": "unknown"} if "destroy" not in text else None,
        "cuDNN could not be started on the GPU, most often for want of memory.",
        look=("nvidia-smi",),
        source=_CUDNN,
    ),
    Message(
        "cublas-handle-failed",
        ("reate cublas handle", "cublasCreate", "cublas error", "create cuBlas instance", "cuBlas call failed"),
        lambda text: (
            _status(text) or ({"error": "CUBLAS_STATUS_NOT_INITIALIZED"} if "not initialized" in text else None)
        ),
        "cuBLAS could not be started on the GPU, most often for want of memory.",
        look=("nvidia-smi",),
        source="stream_executor/cuda/cuda_blas.cc, 0.6 to 2.21; ATen/cuda/CublasHandlePool.cpp",
    ),
    Message(
        "blas-unsupported",
        ("without BLAS support", "Blas GEMM launch failed", "Blas xGEMM", "failed to run cuBLAS routine"),
        said,
        "A product of matrices failed, most often because cuBLAS could not be started for want of memory.",
        look=("nvidia-smi",),
        source="stream_executor/stream.cc, matmul_op.cc, 0.6 to 2.21",
    ),
    Message(
        "convolution-algorithm-failed",
        (
            "Failed to get convolution algorithm",
            "best cudnn convolution algorithm",
            "GetConvolveAlgorithms",
            "GetRnnAlgorithms",
            "No algorithm worked",
            "cuDNN launch failure",
            "cuDNN Launch failed",
            "cuDNN failed to initialize",
        ),
        said,
        "cuDNN did not start or found no memory to work in; the lines before say why.",
        look=("nvidia-smi",),
        source="tensorflow/core/kernels/conv_ops.cc, 0.8 to 2.21; xla/service/gpu/autotuning",
    ),
    Message(
        "cudnn-status",
        (
            "CUDNN_STATUS_NOT_INITIALIZED",
            "CUDNN_STATUS_INTERNAL_ERROR",
            "CUDNN_STATUS_ALLOC_FAILED",
            "CUDNN_STATUS_EXECUTION_FAILED",
            "CUDNN_STATUS_ARCH_MISMATCH",
            "CUDNN_STATUS_VERSION_MISMATCH",
            "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH",
            "CUDNN_STATUS_MAPPING_ERROR",
            "CUDNN_STATUS_NOT_SUPPORTED",
        ),
        _bare,
        "An error of cuDNN.",
        look=("nvidia-smi",),
        source="cudnn.h",
    ),
    Message(
        "cublas-status",
        ("CUBLAS_STATUS_NOT_INITIALIZED", "CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ARCH_MISMATCH"),
        _bare,
        "An error of cuBLAS.",
        look=("nvidia-smi",),
        source="cublas_api.h",
    ),
    Message(
        "driver-possibly-insufficient",
        ("insufficient driver version:",),
        _driver,
        "TensorFlow prints it after every cuDNN handle that could not be made, whatever the reason.",
        look=("nvidia-smi",),
        source=_CUDNN,
    ),
    Message(
        "cudnn-memory",
        ("Memory usage:",),
        _memory,
        "How much of the GPU's memory was free when cuDNN could not be started.",
        source="stream_executor/cuda/cuda_dnn.cc, 2.12 to 2.21",
    ),
    Message(
        "dnn-library-not-found",
        (
            "DNN library is not found",
            "DNN library initialization failed",
            "No DNN in stream executor",
            "Dnn is not found",
            "cuDNN could not be found or could not be loaded",
            "Cudnn version is too old",
            "Fail to find the dnn implementation",
            "Cannot load symbol cudnn",
        ),
        said,
        "cuDNN did not start; a line before says why.",
        source="tensorflow/core/kernels, xla/service/gpu, 2.8 to 2.21",
    ),
    Message(
        "cudnn-part-not-loaded",
        (
            "Could not load library",
            "Unable to load any of",
            "Could not locate",
            "Cannot load symbol cudnn",
            "Please make sure",
        ),
        _part,
        "cuDNN did not find one of its own parts, or something that a part needs.",
        look=("gpucheck doctor --verbose",),
        source="cuDNN 8 and 9 themselves",
    ),
    Message(
        "library-symbol-undefined",
        ("undefined symbol", "not defined in file"),
        _symbol,
        "Libraries of different releases were mixed: one of them lacks what another expects.",
        look=("echo $LD_LIBRARY_PATH", "gpucheck doctor --verbose"),
        source="glibc's loader",
    ),
)
