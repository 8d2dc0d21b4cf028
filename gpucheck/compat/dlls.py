"""CUDA's libraries on Windows by name, per CUDA release. Look-up only; libraries.py has Linux's.

Source: strings and build_info of TensorFlow's Windows wheels, file lists of NVIDIA's win_amd64 wheels, read 2026-11-23
(compat/matrix.json, "libs"). build_info of 2.5 to 2.10 names cudart64_112.dll; what they load is cudart64_110.dll.
"""

from __future__ import annotations

from typing import Union

from gpucheck.facts.versions import CudaVersion, CudnnVersion


def _since_8(last: dict[str, str]) -> dict[str, str]:
    return {"8.0": "80", "9.0": "90", "10.0": "100", **last}


_NUMBERS: dict[str, dict[str, str]] = {
    "cudart": _since_8({"10.1": "101", "11": "110", "12": "12", "13": "13"}),
    "cublas": _since_8({"10.1": "10", "11": "11", "12": "12", "13": "13"}),
    "cublasLt": {"11": "11", "12": "12", "13": "13"},
    "cufft": _since_8({"10.1": "10", "11": "10", "12": "11", "13": "12"}),
    "curand": _since_8({"10.1": "10", "11": "10", "12": "10", "13": "10"}),
    "cusolver": _since_8({"10.1": "10", "11.0": "10", "11": "11", "12": "11", "13": "12"}),
    "cusparse": _since_8({"10.1": "10", "11": "11", "12": "12", "13": "12"}),
}


def dll(library: str, cuda: CudaVersion, cudnn: Union[CudnnVersion, None] = None) -> Union[str, None]:
    """The DLL that a build for this CUDA (for cuDNN: for this cuDNN) loads; None: there is none, or it is not known."""
    if library == "cudnn":
        return f"cudnn64_{cudnn.major}.dll" if cudnn else None
    numbers = _NUMBERS.get(library, {})
    number = numbers.get(cuda.short) or numbers.get(str(cuda.major))
    return f"{library}64_{number}.dll" if number else None


# Stems of file names, as NVIDIA writes them, and the library of compat.libraries that each belongs to.
_STEMS = {
    **{f"{name}64": name for name in _NUMBERS},
    "nvrtc64": "nvrtc",
    "nvJitLink": "nvjitlink",
    "cupti64": "cupti",
    "cudnn64": "cudnn",
    "nvinfer": "tensorrt",
}
_BY_STEM = {stem.lower(): (stem, name) for stem, name in _STEMS.items()}
# cuDNN opens these by name at first use: cudnn_ops_infer64_8.dll.
_PART = "cudnn_"

# cuDNN 8.3 to 8.9 calls zlibwapi.dll, which neither it nor CUDA brings (NVIDIA, "cuDNN Installation Guide", Windows;
# cupy/cupy#6226). It is opened by name: no import table shows it.
ZLIB = "zlibwapi.dll"


def needs_zlib(cudnn: CudnnVersion) -> bool:
    """Does this cuDNN open zlibwapi.dll?"""
    return cudnn.major == 8 and cudnn.minor >= 3


def library_of(file: str) -> Union[tuple[str, str], None]:
    """(library, the DLL's name as NVIDIA writes it) of a file name of any case; None: another file."""
    name = file.lower()
    if not name.endswith(".dll"):
        return None
    stem, found, rest = name.partition("_")
    if stem in _BY_STEM:
        written, library = _BY_STEM[stem]
        return library, f"{written}{found}{rest}"
    return ("cudnn", name) if name.startswith(_PART) else None


def part(name: str, major: int) -> str:
    """The DLL of one of cuDNN's parts (compat.libraries.CUDNN_PARTS)."""
    return f"{_PART}{name}64_{major}.dll"
