"""Where CUDA toolkits and CUDA's libraries lie: one row per place, the most specific first. Windows at the end."""

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

# --- Windows: the same, with the names that NVIDIA's installers and guides use there

# %ProgramFiles% is put before these.
WINDOWS_TOOLKITS = Place(
    "NVIDIA GPU Computing Toolkit\\CUDA", "v*", "NVIDIA's installer (CUDA Installation Guide for Windows)"
)
WINDOWS_CUDNN = Place("NVIDIA\\CUDNN", "v*", "cuDNN 9's installer; user scripts for 9.4 to 9.24")
# Where TensorFlow's guide unpacked cuDNN 8 and older.
WINDOWS_UNPACKED: tuple[str, ...] = ("C:\\tools\\cuda", "C:\\cuda")

# Below a toolkit's root: CUDA 13 moved its DLLs to bin\x64.
WINDOWS_BIN: tuple[str, ...] = ("bin", "bin\\x64")
WINDOWS_CUPTI: tuple[str, ...] = ("extras\\CUPTI\\lib64", "extras\\CUPTI\\lib\\x64")
WINDOWS_LIB = "lib\\x64"
# conda's packages, below the environment's folder.
CONDA_LIBRARY = "Library"
# pip's wheels, below site-packages\nvidia\<library>: bin (CUDA 11 and 12), bin\x86_64 (CUDA 13).
WINDOWS_WHEELS: tuple[str, ...] = ("bin", "bin\\x86_64")
# NVIDIA's driver has put nvml.dll and nvidia-smi.exe into System32 since 2018, before into its own folder below
# %ProgramFiles% (Chromium, gpu/config/gpu_info_collector_win.cc).
NVSMI = "NVIDIA Corporation\\NVSMI"
