"""Where CUDA toolkits and CUDA's libraries lie on Linux: one row per place, the most specific first."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A folder. A `name` that ends in "*" stands for every entry of its folder that starts so."""

    folder: str
    name: str
    source: str


TOOLKITS: tuple[Place, ...] = (
    Place("/usr/local", "cuda*", "NVIDIA's runfile and packages (CUDA Installation Guide for Linux)"),
    Place("/opt", "cuda*", "Arch Linux's package cuda; many clusters"),
    Place("/usr/lib", "cuda", "Debian's and Ubuntu's package nvidia-cuda-toolkit"),
    Place("/usr/lib", "nvidia-cuda-toolkit", "Debian's and Ubuntu's package nvidia-cuda-toolkit: bin/nvcc"),
)

# Roots of the distribution's own package, whose headers are in /usr/include.
DEBIAN: tuple[str, ...] = ("/usr/lib/cuda", "/usr/lib/nvidia-cuda-toolkit")

# Environment variables that name a toolkit; NVIDIA's cuda-pathfinder prefers CUDA_PATH to CUDA_HOME.
POINTERS: tuple[str, ...] = ("CUDA_PATH", "CUDA_HOME", "CUDA_ROOT")
# XLA looks for libdevice and ptxas in the folder that this option in XLA_FLAGS names.
XLA_POINTER = "--xla_gpu_cuda_data_dir"

# Below a toolkit's root. targets/<machine> is where lib64 and include of NVIDIA's own toolkits lead.
LIBRARY_FOLDERS: tuple[str, ...] = ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib")
CUPTI_FOLDER = "extras/CUPTI/lib64"
STUBS = "stubs"
LIBDEVICE: tuple[str, ...] = ("nvvm/libdevice", "lib/nvidia-cuda-toolkit/libdevice")
HEADERS: tuple[str, ...] = ("include", "targets/x86_64-linux/include", "targets/sbsa-linux/include")

# System folders beside those of the loader where cuDNN and NCCL packages put their files.
CUDNN_HEADERS: tuple[str, ...] = ("/usr/include", "/usr/include/x86_64-linux-gnu", "/usr/include/aarch64-linux-gnu")
