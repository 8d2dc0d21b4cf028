"""CUDA's libraries by name: sonames per CUDA release, file names, pip's folders and wheels, and what TensorFlow opens.

Rows and look-up only. Sources: the file lists of NVIDIA's wheels on the index (cu11, cu12, cu13), the strings of
TensorFlow's wheels and its logs for CUDA 8 to 10 (compat/matrix.json, "libs"), and for what TensorFlow opens runs of
the real wheels over a fake libcuda and libnvidia-ml with TF_CPP_MAX_VLOG_LEVEL=1 and LD_DEBUG=libs, 2026-11-23.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.versions import CudaVersion, CudnnVersion, PackageVersion


class Library(NamedTuple):
    """One library.

    stem: file names are stem + ".so" + a version; or the whole name of a file that is no shared object.
    sonames: what follows ".so." per CUDA release ("12", "10.1"); the longest release that fits counts.
    folders: where pip puts it, below site-packages.
    wheel: the distribution's name without "-cu12"; CUDA 13's wheels have no such ending.
    """

    name: str
    stem: str
    sonames: dict[str, str]
    folders: tuple[str, ...]
    wheel: str
    source: str


def _since_8(last: str) -> dict[str, str]:
    """Up to CUDA 10.0 every soname ended in the release's number; 10.1 gave most of them `last`."""
    return {"8.0": "8.0", "9.0": "9.0", "10.0": "10.0", "10.1": last}


_WHEELS = "file lists of NVIDIA's wheels; compat/matrix.json libs"
_13 = "nvidia/cu13/lib"

LIBRARIES: tuple[Library, ...] = (
    Library(
        "cudart",
        "libcudart",
        {**_since_8("10.1"), "10.2": "10.2", "11": "11.0", "12": "12", "13": "13"},
        ("nvidia/cuda_runtime/lib", _13),
        "nvidia-cuda-runtime",
        _WHEELS,
    ),
    Library(
        "cublas",
        "libcublas",
        {**_since_8("10"), "10.2": "10", "11": "11", "12": "12", "13": "13"},
        ("nvidia/cublas/lib", _13),
        "nvidia-cublas",
        _WHEELS,
    ),
    Library(
        "cublasLt",
        "libcublasLt",
        {"10.1": "10", "10.2": "10", "11": "11", "12": "12", "13": "13"},
        ("nvidia/cublas/lib", _13),
        "nvidia-cublas",
        _WHEELS,
    ),
    Library(
        "cufft",
        "libcufft",
        {**_since_8("10"), "10.2": "10", "11": "10", "12": "11", "13": "12"},
        ("nvidia/cufft/lib", _13),
        "nvidia-cufft",
        _WHEELS,
    ),
    Library(
        "curand",
        "libcurand",
        {**_since_8("10"), "10.2": "10", "11": "10", "12": "10", "13": "10"},
        ("nvidia/curand/lib", _13),
        "nvidia-curand",
        _WHEELS,
    ),
    Library(
        "cusolver",
        "libcusolver",
        {**_since_8("10"), "10.2": "10", "11.0": "10", "11": "11", "12": "11", "13": "12"},
        ("nvidia/cusolver/lib", _13),
        "nvidia-cusolver",
        _WHEELS,
    ),
    Library(
        "cusparse",
        "libcusparse",
        {**_since_8("10"), "10.2": "10", "11": "11", "12": "12", "13": "12"},
        ("nvidia/cusparse/lib", _13),
        "nvidia-cusparse",
        _WHEELS,
    ),
    Library(
        "nvjitlink",
        "libnvJitLink",
        {"12": "12", "13": "13"},
        ("nvidia/nvjitlink/lib", _13),
        "nvidia-nvjitlink",
        _WHEELS,
    ),
    Library("cudnn", "libcudnn", {}, ("nvidia/cudnn/lib",), "nvidia-cudnn", _WHEELS),
    Library("nccl", "libnccl", {"11": "2", "12": "2", "13": "2"}, ("nvidia/nccl/lib",), "nvidia-nccl", _WHEELS),
    Library(
        "cupti", "libcupti", {"12": "12", "13": "13"}, ("nvidia/cuda_cupti/lib", _13), "nvidia-cuda-cupti", _WHEELS
    ),
    Library(
        "nvrtc",
        "libnvrtc",
        {"11": "11.2", "12": "12", "13": "13"},
        ("nvidia/cuda_nvrtc/lib", _13),
        "nvidia-cuda-nvrtc",
        _WHEELS,
    ),
    Library("tensorrt", "libnvinfer", {}, ("tensorrt_libs", "tensorrt"), "tensorrt", "TensorFlow's RUNPATH; its logs"),
    Library("nvvm", "libnvvm", {}, ("nvidia/cuda_nvcc/nvvm/lib64",), "nvidia-cuda-nvcc", _WHEELS),
)

BY_NAME = {row.name: row for row in LIBRARIES}

# Files that are no shared objects: (library, folder below site-packages, file, wheel).
OTHER_FILES = (
    ("ptxas", "nvidia/cuda_nvcc/bin", "ptxas", "nvidia-cuda-nvcc"),
    ("ptxas", "nvidia/cu13/bin", "ptxas", "nvidia-cuda-nvcc"),
    ("libdevice", "nvidia/cuda_nvcc/nvvm/libdevice", "libdevice.10.bc", "nvidia-cuda-nvcc"),
    ("libdevice", "nvidia/cu13/nvvm/libdevice", "libdevice.10.bc", "nvidia-nvvm"),
)

# cuDNN is a thin library that opens these at first use, with its own RPATH ($ORIGIN in the wheels).
CUDNN_PARTS: dict[int, tuple[str, ...]] = {
    8: ("ops_infer", "ops_train", "cnn_infer", "cnn_train", "adv_infer", "adv_train"),
    9: ("graph", "ops", "cnn", "adv", "heuristic", "engines_precompiled", "engines_runtime_compiled"),
}

# In the order of TensorFlow's own check (tsl/platform/default/dso_loader.cc, TryDlopenCUDALibraries): all of them must
# open or no GPU is registered ("Cannot dlopen some GPU libraries"). Seen in runs of 2.10.1, 2.16.1, 2.18.1 and 2.21.0;
# GetCurandDsoHandle is in the wheels of 2.11.1 and 2.13.1 and not in 2.14.1 and 2.15.1. NCCL, CUPTI, nvJitLink, NVRTC
# and TensorRT are not among them: a GPU is registered without them.
CHECKED = ("cudart", "cublas", "cublasLt", "cufft", "curand", "cusolver", "cusparse", "cudnn")


# The first release that registers no GPU where libnvidia-ml.so.1 cannot be opened, though libcuda.so.1 and all of the
# above are there (a container without the driver capability "utility"): 2.21.0 lists none and only its verbose log
# says why, 2.18.1, 2.19.1 and 2.20.0 list the GPU. Run over a fake libcuda, 2026-11-23.
NVML_NEEDED_SINCE = PackageVersion("2.21")


def checked_by(version: Union[PackageVersion, None]) -> tuple[str, ...]:
    """The libraries without any of which this TensorFlow registers no GPU; an unknown version counts as a new one."""
    old = version is not None and version < PackageVersion("2.14")
    return tuple(name for name in CHECKED if old or name != "curand")


def soname(library: str, cuda: CudaVersion, cudnn: Union[CudnnVersion, None] = None) -> Union[str, None]:
    """The soname that a build for this CUDA (for cuDNN: for this cuDNN) asks for; None: not known."""
    row = BY_NAME[library]
    if library == "cudnn":
        return f"{row.stem}.so.{cudnn.major}" if cudnn else None
    ending = row.sonames.get(cuda.short) or row.sonames.get(str(cuda.major))
    return f"{row.stem}.so.{ending}" if ending else None


def library_of(name: str) -> Union[str, None]:
    """The library that a file or soname belongs to; None: another file."""
    stem, found, _ = name.partition(".so")
    if not found:
        return None
    exact = _STEMS.get(stem)
    return exact if exact else "cudnn" if stem.startswith("libcudnn_") else None


_STEMS = {row.stem: row.name for row in LIBRARIES}
