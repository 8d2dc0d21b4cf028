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
    "cudart": _since_8({"10.1": "101", "11": "110", "12": "12"}),
    "cublas": _since_8({"10.1": "10", "11": "11", "12": "12"}),
    "cublasLt": {"11": "11", "12": "12"},
    "cufft": _since_8({"10.1": "10", "11": "10", "12": "11"}),
    "curand": _since_8({"10.1": "10", "11": "10", "12": "10"}),
    "cusolver": _since_8({"10.1": "10", "11.0": "10", "11": "11", "12": "11"}),
    "cusparse": _since_8({"10.1": "10", "11": "11", "12": "12"}),
}


def dll(library: str, cuda: CudaVersion, cudnn: Union[CudnnVersion, None] = None) -> Union[str, None]:
    """The DLL that a build for this CUDA (for cuDNN: for this cuDNN) loads; None: there is none, or it is not known."""
    if library == "cudnn":
        return f"cudnn64_{cudnn.major}.dll" if cudnn else None
    numbers = _NUMBERS.get(library, {})
    number = numbers.get(cuda.short) or numbers.get(str(cuda.major))
    return f"{library}64_{number}.dll" if number else None
