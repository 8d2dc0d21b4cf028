"""The examined interpreter (not gpucheck's own) and what is installed for it."""

from functools import cache
from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import ComputeCapability, CudaVersion, CudnnVersion, PackageVersion, PythonVersion


class Distribution(NamedTuple):
    name: str  # normalised: lower case, "-"
    version: PackageVersion
    location: str  # the folder on sys.path
    build: Union[str, None]  # conda's build string
    complete: Union[bool, None, Gap]  # False: RECORD is missing, an installation that was killed


class SharedObject(NamedTuple):
    """An ELF file of TensorFlow and how it finds others."""

    path: str
    needed: tuple[str, ...]
    runpath: tuple[str, ...]  # $ORIGIN resolved
    rpath: tuple[str, ...]


class TensorFlowBuild(NamedTuple):
    """Read from tensorflow/python/platform/build_info.py with ast and from ELF headers, never by importing."""

    version: Union[PackageVersion, None, Gap]
    distribution: Union[str, None]  # tensorflow, tensorflow-cpu, tensorflow-gpu, tf-nightly
    root: str  # .../site-packages/tensorflow
    cuda_build: Union[bool, None, Gap]  # None: build_info.py is not there
    rocm_build: Union[bool, None, Gap]
    cuda_version: Union[CudaVersion, None, Gap]
    cudnn_version: Union[CudnnVersion, None, Gap]
    compute_capabilities: Union[tuple[str, ...], None, Gap]  # sm_60 … compute_90, as build_info has them
    objects: Union[tuple[SharedObject, ...], Gap]


class FrameworkBuild(NamedTuple):
    """PyTorch or jaxlib: its version file or its plugins."""

    version: PackageVersion
    cuda_version: Union[CudaVersion, None, Gap]  # None: CPU build


class Kernel(NamedTuple):
    """A Jupyter kernel and the interpreter that its kernel.json starts."""

    name: str
    path: str
    interpreter: Union[str, None]
    # Where that leads: None: nowhere (a deleted environment). A bare "python" is Jupyter's own and leads to no gap.
    real_interpreter: Union[str, None, Gap] = Gap("not looked for", "not-collected")
    # Real paths of the environments: of the interpreter (by its own name, for its target leaves a venv), of this file.
    starts: Union[str, None, Gap] = Gap("not looked for", "not-collected")
    belongs_to: Union[str, None, Gap] = Gap("not looked for", "not-collected")


class Interpreter(NamedTuple):
    """Another Python on PATH."""

    path: str
    real_path: str
    # Version of the tensorflow that lies in its own site-packages; None: looked, not there.
    tensorflow: Union[str, None, Gap] = Gap("not looked for", "not-collected")


class Python(NamedTuple):
    executable: str  # as given or found
    chosen_by: str  # --python, VIRTUAL_ENV, CONDA_PREFIX, PATH, this process
    real_executable: Union[str, None, Gap]
    version: Union[PythonVersion, None, Gap]
    read_from: Union[str, None]  # pyvenv.cfg, the interpreter itself
    implementation: Union[str, None, Gap]  # cpython, pypy, free-threaded cpython
    bits: Union[int, None, Gap]  # 64 or 32
    machine: Union[str, None, Gap]  # x86_64, aarch64 of the executable itself
    environment: Union[Literal["venv", "conda", "pipx", "uv-tool", "system", "pyenv"], Gap]
    prefix: Union[str, None, Gap]
    externally_managed: Union[str, None, Gap]  # path of the EXTERNALLY-MANAGED file
    site_dirs: Union[tuple[str, ...], Gap]
    user_site: Union[str, None, Gap]  # ~/.local's site-packages, if it is on the path
    distributions: Union[tuple[Distribution, ...], Gap]  # of the frameworks and what they hang on, all copies
    tensorflow: Union[TensorFlowBuild, None, Gap]
    torch: Union[FrameworkBuild, None, Gap]
    jax: Union[FrameworkBuild, None, Gap]
    keras_backend: Union[str, None, Gap]  # "backend" in ~/.keras/keras.json
    keras_config: Union[str, None]  # that file's path
    kernels: Union[tuple[Kernel, ...], Gap]
    others: Union[tuple[Interpreter, ...], Gap]


@cache
def capability_codes(names: tuple[str, ...]) -> tuple[tuple[ComputeCapability, bool], ...]:
    """Read build_info's list.

    Returns pairs (compute capability, has PTX). ``sm_89`` is binary code only, ``compute_90`` binary and PTX
    (TensorFlow's configure.py, TF_CUDA_COMPUTE_CAPABILITIES).
    """
    return tuple((ComputeCapability(name), name.startswith("compute_")) for name in names if "_" in name)
