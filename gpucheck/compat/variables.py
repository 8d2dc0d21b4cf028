"""The environment variables that gpucheck may read. Whatever is not named here never gets into a snapshot.

Nothing that may hold a credential belongs here: no proxy, no index address, no token.
"""

from __future__ import annotations

# CUDA's installer for Windows sets one a toolkit: CUDA_PATH_V11_2.
TOOLKITS: tuple[str, ...] = tuple(
    f"CUDA_PATH_V{major}_{minor}"
    for major, last in ((8, 0), (9, 2), (10, 2), (11, 8), (12, 9), (13, 9))
    for minor in range(last + 1)
)

# Name -> what it decides, for the docs.
NAMES: dict[str, str] = {
    # where programs and libraries are found
    "PATH": "which nvcc, ptxas, nvidia-smi and python come first",
    "LD_LIBRARY_PATH": "folders searched for shared libraries before the RUNPATH and the system's",
    "LD_PRELOAD": "libraries loaded before all others",
    "CUDA_HOME": "a CUDA toolkit's folder",
    "CUDA_PATH": "a CUDA toolkit's folder; NVIDIA's own tools prefer it to CUDA_HOME",
    "CUDA_ROOT": "a CUDA toolkit's folder",
    "CUDNN_PATH": "cuDNN's folder",
    "XLA_FLAGS": "XLA's options, --xla_gpu_cuda_data_dir among them",
    # which GPUs a program sees
    "CUDA_VISIBLE_DEVICES": "the GPUs a program may use",
    "CUDA_DEVICE_ORDER": "what CUDA_VISIBLE_DEVICES counts",
    "NVIDIA_VISIBLE_DEVICES": "the GPUs a container is given",
    "NVIDIA_DRIVER_CAPABILITIES": "the driver's parts a container is given",
    "NVIDIA_REQUIRE_CUDA": "the driver that an image asks for",
    "ROCR_VISIBLE_DEVICES": "AMD GPUs a program may use",
    "CUDA_MODULE_LOADING": "lazy or eager loading of kernels",
    "CUDA_CACHE_DISABLE": "no cache of compiled PTX",
    "CUDA_CACHE_MAXSIZE": "size of the cache of compiled PTX, bytes",
    "CUDA_CACHE_PATH": "place of the cache of compiled PTX",
    "CUDA_FORCE_PTX_JIT": "ignore binary code, compile PTX",
    "CUDA_MPS_PIPE_DIRECTORY": "the MPS daemon's folder",
    # TensorFlow and Keras
    "TF_FORCE_GPU_ALLOW_GROWTH": "take GPU memory as needed",
    "TF_GPU_ALLOCATOR": "which allocator of GPU memory",
    "TF_CPP_MIN_LOG_LEVEL": "hides TensorFlow's messages",
    "TF_USE_LEGACY_KERAS": "tf.keras is Keras 2 (package tf-keras)",
    "TF_ENABLE_ONEDNN_OPTS": "oneDNN on the CPU",
    "TF_XLA_FLAGS": "XLA auto-clustering",
    "TF_CUDA_PATHS": "toolkit folders at build time",
    "KERAS_BACKEND": "tensorflow, jax or torch",
    "KERAS_HOME": "place of keras.json",
    "JAX_PLATFORMS": "the devices JAX may use",
    # which Python
    "VIRTUAL_ENV": "the active virtual environment",
    "CONDA_PREFIX": "the active conda environment",
    "CONDA_DEFAULT_ENV": "its name",
    "CONDA_OVERRIDE_CUDA": "the __cuda that conda's solver assumes",
    "PYTHONPATH": "folders on sys.path before site-packages",
    "PYTHONHOME": "where Python's own library lies",
    "PYTHONNOUSERSITE": "no ~/.local",
    "HOME": "the user's folder",
    "TMPDIR": "where pip unpacks",
    "USERPROFILE": "the user's folder (Windows)",
    "TEMP": "where pip unpacks (Windows)",
    "APPDATA": "settings of programs (Windows)",
    "LOCALAPPDATA": "programs of this user (Windows)",
    "PROGRAMFILES": "where programs are installed (Windows)",
    "PROGRAMW6432": "where 64-bit programs are installed (Windows)",
    "PROGRAMDATA": "settings for all users (Windows)",
    "SYSTEMROOT": "Windows' own folder",
    "SYSTEMDRIVE": "the drive of Windows",
    "PIPX_HOME": "where pipx keeps environments",
    "UV_TOOL_DIR": "where uv keeps tools",
    # where we are
    "LOADEDMODULES": "modules loaded on a cluster node",
    "SLURM_JOB_GPUS": "GPUs of this Slurm job",
    "SLURM_STEP_GPUS": "GPUs of this Slurm step",
    "SLURM_JOB_PARTITION": "partition of this Slurm job",
    "WSL_DISTRO_NAME": "under WSL",
    "WSL_INTEROP": "under WSL",
    "APPTAINER_CONTAINER": "in an Apptainer container",
    "SINGULARITY_CONTAINER": "in a Singularity container",
    "container": "in a container (podman, systemd-nspawn)",
    # names that only Windows has
    **dict.fromkeys(TOOLKITS, "the folder of one CUDA toolkit (Windows)"),
}
