"""Rules about CUDA toolkits: names that lead nowhere or apart, and the compiler's files that XLA needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.architectures import architecture_of
from gpucheck.compat.places import XLA_POINTER
from gpucheck.facts.gap import known, need
from gpucheck.facts.paths import is_windows
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.toolkits import Pointer, Toolkit, Toolkits
from gpucheck.facts.versions import CudaVersion, PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.missing import is_bundled
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.recipes import pip

_LOCAL, _NVCC, _PTXAS = "/usr/local/cuda", "nvcc on PATH", "ptxas on PATH"


def _pointer(kits: Toolkits, name: str) -> Union[Pointer, None]:
    return next((one for one in kits.pointers if one.name == name), None)


def _toolkit(kits: Toolkits, pointer: Union[Pointer, None]) -> Union[Toolkit, None]:
    """The toolkit that a name leads to."""
    target = need(pointer.target) if pointer else None
    return next((one for one in kits.found if target is not None and one.root == target), None)


@rule(Severity.WARNING, on="linux")
def usr_local_cuda_differs_from_nvcc(snapshot: Snapshot) -> Iterator[Found]:
    """/usr/local/cuda is another CUDA version than nvcc on PATH.

    ## What it means
    Two toolkits are installed. Programs that look into /usr/local/cuda (CMake, build scripts, XLA for libdevice) use
    one, those that call nvcc the other.

    ## Why it matters
    What is compiled with one is linked to the other's libraries. pip's TensorFlow needs neither; its custom ops and
    packages that compile do.

    ## How to fix
    Set PATH and /usr/local/cuda to one of them.

    ## References
    https://docs.nvidia.com/cuda/cuda-installation-guide-linux/#environment-setup
    """
    kits = need(snapshot.toolkits)
    local, nvcc = _toolkit(kits, _pointer(kits, _LOCAL)), _toolkit(kits, _pointer(kits, _NVCC))
    if local is None or nvcc is None or local.root == nvcc.root:
        return
    mine, theirs = need(local.version), need(nvcc.version)
    if mine is None or theirs is None or (mine.major, mine.minor) == (theirs.major, theirs.minor):
        return
    at = _pointer(kits, _NVCC)
    yield found(
        f"/usr/local/cuda is CUDA {mine} ({local.root}), but nvcc on PATH ({at.value if at else ''}) is CUDA {theirs} "
        f"({nvcc.root}).",
        [
            ("toolkits.found", f"{local.root}: {mine}", local.version_source or local.root),
            ("toolkits.found", f"{nvcc.root}: {theirs}", nvcc.version_source or nvcc.root),
        ],
        ["export PATH=/usr/local/cuda/bin:$PATH", f"# or: sudo ln -sfn {nvcc.root} /usr/local/cuda"],
    )


@rule(Severity.WARNING)
def cuda_home_dangling(snapshot: Snapshot) -> Iterator[Found]:
    """CUDA_HOME, CUDA_PATH or /usr/local/cuda leads to no CUDA toolkit.

    ## What it means
    The variable (or --xla_gpu_cuda_data_dir in XLA_FLAGS) names a folder that does not exist or holds no toolkit, or
    the link /usr/local/cuda leads nowhere: the toolkit was removed or upgraded, or the value has a typo.

    ## Why it matters
    Whatever compiles CUDA code looks there first and fails; XLA looks there for libdevice and ptxas.

    ## How to fix
    Unset the variable, or let it name a toolkit that exists.

    ## References
    https://docs.nvidia.com/cuda/cuda-installation-guide-linux/#environment-setup
    """
    kits = need(snapshot.toolkits)
    for pointer in kits.pointers:
        if pointer.name in (_NVCC, _PTXAS) or need(pointer.target) is not None:
            continue
        variable = not pointer.name.startswith("/")
        others = ", ".join(f"{one.root} ({known(one.version, None) or 'version unknown'})" for one in kits.found)
        yield found(
            f"{pointer.name}{f'={pointer.value}' if variable else ''} leads to no CUDA toolkit.",
            [(f"toolkits.pointers.{pointer.name}", pointer.value, "the environment" if variable else pointer.name)],
            [
                _take_back(pointer),
                f"# Toolkits on this machine: {others or 'none'}.",
            ],
        )


def _take_back(pointer: Pointer) -> str:
    if pointer.name == XLA_POINTER:
        return f"# Take {XLA_POINTER} out of XLA_FLAGS, or let it name a folder with nvvm/libdevice in it."
    if is_windows(pointer.value):
        return f"Remove-Item Env:{pointer.name}  # and delete it in: rundll32 sysdm.cpl,EditEnvironmentVariables"
    return f"sudo rm {pointer.name}" if pointer.name.startswith("/") else f"unset {pointer.name}"


@rule(Severity.WARNING)
def libdevice_not_found(snapshot: Snapshot) -> Iterator[Found]:
    """No copy of libdevice.10.bc, which XLA needs to compile for a GPU.

    ## What it means
    XLA links NVIDIA's mathematical functions from libdevice.10.bc, which belongs to the CUDA compiler: in the wheel
    nvidia-cuda-nvcc-cu12 (part of [and-cuda]), or under a toolkit's nvvm/libdevice. There is none on this machine.

    ## Why it matters
    Everything works until something is compiled: fit() with jit_compile, or Keras' optimizers, ends with "libdevice not
    found at ./libdevice.10.bc".

    ## How to fix
    Install the wheel, or let XLA_FLAGS=--xla_gpu_cuda_data_dir=FOLDER name a folder with nvvm/libdevice in it.

    ## References
    https://github.com/keras-team/tf-keras/issues/62
    https://openxla.org/xla/flags_guidance
    """
    python = need(snapshot.python)
    build = need(python.tensorflow)
    if build is None or not need(build.cuda_build) or need(python.environment) == "conda":
        return  # conda's build brings its own, in folders of its own
    version = need(build.version)
    flags = need(snapshot.environment).get("XLA_FLAGS") or ""
    if version is None or version < PackageVersion("2.11"):
        return  # before 2.11 XLA was off unless it was asked for
    named = _pointer(need(snapshot.toolkits), XLA_POINTER)
    if need(named.target) is not None if named else XLA_POINTER in flags:
        return  # XLA is told where to look; of a relative folder nothing is known
    libraries = need(snapshot.libraries)
    wanted = [one for one in need(libraries.wanted) or () if one.needed_for_gpu]
    if not wanted or any(need(one.path) is None for one in wanted):
        return  # the GPU will not be used anyway, and [and-cuda] brings this, too
    if any(copy.library == "libdevice" for copy in need(libraries.copies)):
        return
    places = [kit.libdevice for kit in need(snapshot.toolkits).found]
    if any(isinstance(one, str) for one in places) or any(need(one) for one in places):
        return
    cuda = need(build.cuda_version)
    major = cuda.major if cuda else 12
    yield found(
        f"No libdevice.10.bc is on this machine; TensorFlow {version} needs it as soon as XLA compiles something.",
        [("libraries.copies", "libdevice: none", "site-packages"), ("toolkits.found.libdevice", None, "CUDA toolkits")],
        [pip(snapshot, f"nvidia-cuda-nvcc-cu{major}"), "# or: export XLA_FLAGS=--xla_gpu_cuda_data_dir=/path/to/cuda"],
    )


@rule(Severity.WARNING, on="linux")  # on Windows the last TensorFlow with a GPU leaves XLA off
def ptxas_missing_or_too_old(snapshot: Snapshot) -> Iterator[Found]:
    """The ptxas that XLA finds does not know this GPU.

    ## What it means
    XLA compiles its kernels with ptxas: the one of the wheel nvidia-cuda-nvcc where that is installed, else the first
    on PATH. That one belongs to a toolkit which is older than the GPU: compute capability 8.9 and 9.0 need 11.8,
    Blackwell needs 12.8. (That there is no ptxas at all is harmless: the driver compiles.)

    ## Why it matters
    "ptxas does not support CC 9.0", "ptxas too old. Falling back to the driver to compile": slower starts, and where
    the driver cannot do it an error.

    ## How to fix
    Install the wheel, or put a newer toolkit first on PATH.

    ## References
    https://github.com/openxla/xla/issues/5932
    """
    kits = need(snapshot.toolkits)
    kit = _toolkit(kits, _pointer(kits, _PTXAS))
    version = need(kit.version) if kit else None
    if kit is None or version is None:
        return
    build = need(need(snapshot.python).tensorflow)
    if build is None or not need(build.cuda_build):
        return
    copies = need(need(snapshot.libraries).copies)
    if any(copy.library == "ptxas" and is_bundled(copy.path, build) for copy in copies) or not nvidia_here(snapshot):
        return
    for gpu in need(snapshot.gpus):
        capability = need(gpu.compute_capability)
        row = architecture_of(capability) if capability else None
        if row is None or row.first_toolkit is None or version >= CudaVersion(row.first_toolkit):
            continue
        pointer = _pointer(kits, _PTXAS)
        yield found(
            f"ptxas on PATH ({pointer.value if pointer else kit.ptxas}) is of CUDA {version}; GPU {gpu.number} "
            f"({gpu.name}, compute capability {capability}) needs {row.first_toolkit} or later.",
            [
                ("toolkits.found", f"{kit.root}: {version}", kit.version_source or kit.root),
                ("gpus.compute_capability", capability, "NVML"),
                ("compat.architectures.first_toolkit", row.first_toolkit, row.source),
            ],
            [pip(snapshot, f"nvidia-cuda-nvcc-cu12>={row.first_toolkit},<13")],
        )
        return
