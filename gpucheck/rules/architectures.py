"""Does this TensorFlow build have code for each GPU: natively, only by PTX compiled at start, or not at all?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Union

from gpucheck.compat.architectures import BLACKWELL, BLACKWELL_TOOLKIT, name_of
from gpucheck.facts.environment import Environment
from gpucheck.facts.gap import Gap, Unknown, need
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.python import TensorFlowBuild, capability_codes
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import ComputeCapability, CudaVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import alike, named, nvidia_here, usable
from gpucheck.rules.recipes import install_lines
from gpucheck.rules.systems import on_windows

# native: binary code. ptx: compiled by the driver at first use, minutes. ptx-fails: there is PTX, and for this
# generation and build it is reported to fail. ptx-driver: there is PTX that this driver is too old to compile.
Runs = Literal["native", "ptx", "ptx-fails", "ptx-driver", "too-old", "too-new"]


class Fit(NamedTuple):
    """How a TensorFlow build runs on one GPU.

    ptx: the capability whose PTX would be compiled. driver_cuda: the newest CUDA whose PTX the driver compiles.
    """

    gpu: Gpu
    capability: ComputeCapability
    runs: Runs
    ptx: Union[ComputeCapability, None]
    driver_cuda: Union[CudaVersion, None]


class Build(NamedTuple):
    """What a TensorFlow build has code for, and where that was read."""

    version: str
    cuda: Union[CudaVersion, None]
    codes: tuple[str, ...]
    source: str


def fit(codes: tuple[str, ...], capability: ComputeCapability) -> tuple[Runs, Union[ComputeCapability, None]]:
    """Match build_info's list with a GPU.

    Binary code runs on the same major with an equal or higher minor; PTX is compiled for any equal or higher
    capability (CUDA C++ programming guide, "Binary Compatibility", "PTX Compatibility").
    """
    pairs = capability_codes(codes)
    if any(code.major == capability.major and code.minor <= capability.minor for code, _ptx in pairs):
        return "native", None
    ptx = [code for code, has_ptx in pairs if has_ptx and code <= capability]
    if ptx:
        return "ptx", max(ptx)
    return ("too-new" if all(code < capability for code, _ptx in pairs) else "too-old"), None


def build_of(snapshot: Snapshot) -> Union[Build, None]:
    """The examined TensorFlow's list; None: there is no TensorFlow, or it is a CPU build.

    Raises
    ------
    Unknown: neither the build nor the table of releases tells the list.
    """
    tensorflow = need(need(snapshot.python).tensorflow)
    if tensorflow is None or not need(tensorflow.cuda_build):
        return None
    version = need(tensorflow.version)
    codes = need(tensorflow.compute_capabilities)
    if codes:
        return Build(str(version), need(tensorflow.cuda_version), codes, "build_info.py")
    return _from_table(tensorflow, str(version))


def _from_table(tensorflow: TensorFlowBuild, version: str) -> Build:
    from gpucheck.compat.tensorflow import find

    row = find(version)
    if row is None or not row.capabilities:
        raise Unknown(Gap(f"TensorFlow {version} does not tell for which GPUs it was built", "unsupported"))
    return Build(version, need(tensorflow.cuda_version) or CudaVersion(row.cuda), row.capabilities, row.source)


def fits(snapshot: Snapshot) -> tuple[tuple[Fit, ...], Union[Build, None]]:
    """How the examined TensorFlow runs on each GPU that is not lost."""
    if nvidia_here(snapshot) is None:
        return (), None
    build = build_of(snapshot)
    if build is None:
        return (), None
    return tuple(fit_gpu(snapshot, build, gpu) for gpu in usable(snapshot)), build


def fit_gpu(snapshot: Snapshot, build: Build, gpu: Gpu) -> Fit:
    capability = need(gpu.compute_capability)
    if capability is None:
        raise Unknown(Gap(f"GPU {gpu.number} does not tell its compute capability", "unsupported"))
    driver_cuda = None
    runs, ptx = fit(build.codes, capability)
    if runs == "ptx" and capability.major >= BLACKWELL and (build.cuda is None or build.cuda < BLACKWELL_TOOLKIT):
        runs = "ptx-fails"
    elif runs == "ptx" and build.cuda is not None:
        # Minor-version compatibility does not cover PTX: the driver compiles what is as old as itself, or older.
        driver_cuda = _driver_cuda(snapshot)
        if (driver_cuda.major, driver_cuda.minor) < (build.cuda.major, build.cuda.minor):
            runs = "ptx-driver"
    return Fit(gpu, capability, runs, ptx, driver_cuda)


def _driver_cuda(snapshot: Snapshot) -> CudaVersion:
    """The driver's CUDA version, of NVML or, where that does not tell, of libcuda."""
    driver = need(snapshot.driver)
    version = need(driver.nvml).cuda_version or need(driver.cuda).cuda_version
    if version is None:
        raise Unknown(Gap("neither NVML nor libcuda told the driver's CUDA version", "unsupported"))
    return version


def _groups(all_: tuple[Fit, ...], *runs: Runs) -> list[tuple[str, Fit]]:
    """ "GPUs 0, 1 (Tesla T4) have compute capability 7.5 (Turing)", and the first one's fit: one group a finding."""
    wanted = {one.gpu.number: one for one in all_ if one.runs in runs}
    groups = []
    for group in alike(one.gpu for one in wanted.values()):
        first = wanted[group[0].number]
        architecture = name_of(first.capability)
        have = "has" if len(group) == 1 else "have"
        words = f"{named(*group)} {have} compute capability {first.capability}"
        groups.append((words + (f" ({architecture})" if architecture else ""), first))
    return groups


def _evidence(one: Fit, build: Build) -> list[tuple[str, object, str]]:
    return [
        ("gpus.compute_capability", one.capability, one.gpu.source),
        ("python.tensorflow.compute_capabilities", ", ".join(build.codes), build.source),
    ]


def _severity(all_: tuple[Fit, ...]) -> Union[Severity, None]:
    """Not an error while TensorFlow has another GPU here that it runs on."""
    return Severity.WARNING if any(one.runs in ("native", "ptx") for one in all_) else None


@rule(
    Severity.ERROR,
    decisive=True,
    explains=("cudnn-dropped-gpu-generation",),
)
def gpu_arch_too_old_for_build(snapshot: Snapshot) -> Iterator[Found]:
    """This TensorFlow build has no code for a GPU of this age.

    ## What it means
    A build carries machine code for a list of compute capabilities. Code runs on its own major version with an equal or
    higher minor; nothing can be made for an older GPU. TensorFlow dropped 3.5 with 2.15 and 5.x (Maxwell) with 2.17.

    ## Why it matters
    TensorFlow says "Ignoring visible gpu device ... minimum required Cuda capability is ..." and uses the CPU.

    ## How to fix
    Install the last TensorFlow whose list has the GPU: for Maxwell (5.x) 2.16.2, for Kepler 3.5 and 3.7 2.14.

    ## References
    https://github.com/ildoonet/tf-pose-estimation/issues/387
    https://github.com/tensorflow/tensorflow/blob/master/RELEASE.md
    """
    all_, build = fits(snapshot)
    for about, one in _groups(all_, "too-old"):
        assert build is not None
        yield found(
            f"{about}, and TensorFlow {build.version} has no code for that: not at all.",
            _evidence(one, build),
            install_lines(snapshot),
            severity=_severity(all_),
        )


@rule(Severity.ERROR, decisive=True)
def gpu_arch_too_new_for_build(snapshot: Snapshot) -> Iterator[Found]:
    """This TensorFlow build has no code that runs on a GPU as new as this.

    ## What it means
    The build has no machine code for the GPU, and its PTX (code that the driver compiles at first use) does not help:
    there is none, the driver is older than the CUDA that made it, or it is reported to fail. The last is so for
    Blackwell (compute capability 10.x and 12.x) with every wheel up to 2.21, all built with CUDA 12.5.

    ## Why it matters
    list_physical_devices still shows the GPU; the first operation ends with CUDA_ERROR_INVALID_PTX,
    CUDA_ERROR_INVALID_HANDLE or "not built with CUDA kernel binaries compatible with compute capability 12.0".
    Only `gpucheck doctor --deep` proves it on this machine.

    ## How to fix
    Blackwell: NVIDIA's container (nvcr.io/nvidia/tensorflow), whose TensorFlow has code for it, or a build of one's
    own. Otherwise a newer TensorFlow or, where only the driver is too old, a newer driver.

    ## References
    https://github.com/tensorflow/tensorflow/issues/89272
    https://github.com/tensorflow/tensorflow/issues/99592
    """
    all_, build = fits(snapshot)
    for about, one in _groups(all_, "too-new", "ptx-fails", "ptx-driver"):
        assert build is not None
        said, fix = _too_new(snapshot, one, build)
        yield found(f"{about}, and {said}.", _evidence(one, build), fix, severity=_severity(all_))


def _too_new(snapshot: Snapshot, one: Fit, build: Build) -> tuple[str, Iterable[str]]:
    if one.runs == "ptx-driver":
        return (
            f"TensorFlow {build.version} has only PTX of CUDA {build.cuda} for that, "
            f"and the driver compiles PTX of CUDA {one.driver_cuda} at most",
            ["# upgrade the driver to one of that CUDA version or newer"],
        )
    if one.runs == "ptx-fails":
        where = " (in WSL 2)" if on_windows(snapshot) else ""
        return (
            f"TensorFlow {build.version} (CUDA {build.cuda}) has only PTX of {one.ptx} for that, "
            "which is reported to fail on this generation",
            [
                f"# NVIDIA's container{where} has code for it: https://catalog.ngc.nvidia.com/orgs/nvidia/containers/tensorflow",
                "# prove it here: gpucheck doctor --deep",
            ],
        )
    return (
        f"TensorFlow {build.version} has neither code nor PTX for that: not at all",
        install_lines(snapshot),
    )


@rule(Severity.WARNING)
def ptx_jit_slow_start(snapshot: Snapshot) -> Iterator[Found]:
    """This TensorFlow runs on this GPU only by compiling PTX at first use: minutes of start.

    ## What it means
    The build has no machine code for the GPU, but PTX that the driver compiles for it. The result is kept in
    ~/.nv/ComputeCache (256 MB unless CUDA_CACHE_MAXSIZE says more); CUDA_CACHE_DISABLE=1 forbids that.
    CUDA_FORCE_PTX_JIT=1 makes the driver compile PTX even where the build has machine code for the GPU.

    ## Why it matters
    The first start seems to hang for many minutes after "Adding visible gpu devices"; with a small or disabled cache
    every start does.

    ## How to fix
    Install a TensorFlow that has code for the GPU. Until then let the cache hold it all:
    CUDA_CACHE_MAXSIZE=4294967296, without CUDA_CACHE_DISABLE. CUDA_FORCE_PTX_JIT is for tests: unset it.

    ## References
    https://github.com/tensorflow/tensorflow/issues/48450
    https://github.com/tensorflow/tensorflow/issues/41148
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables
    """
    all_, build = fits(snapshot)
    environment = need(snapshot.environment)
    when, no_cache = "at first use", _switched_on(environment, "CUDA_CACHE_DISABLE")
    unset = ["unset CUDA_CACHE_DISABLE"] if no_cache else []
    if no_cache:
        when = "at every start (CUDA_CACHE_DISABLE forbids to keep it)"
    for about, one in _groups(all_, "ptx"):
        assert build is not None
        yield found(
            f"{about}, and TensorFlow {build.version} has only PTX of {one.ptx} for that: "
            f"the driver compiles it {when}, which takes minutes.",
            [*_evidence(one, build), *no_cache],
            [*unset, "export CUDA_CACHE_MAXSIZE=4294967296", "# or install a TensorFlow built for this GPU"],
        )
    forced = _switched_on(environment, "CUDA_FORCE_PTX_JIT")
    for about, one in _groups(all_, "native") if forced else ():
        assert build is not None
        yield found(
            f"{about}, for which TensorFlow {build.version} has machine code; CUDA_FORCE_PTX_JIT makes the driver "
            f"compile PTX {when} all the same, which takes minutes, and fails where there is none.",
            [*_evidence(one, build), *forced, *no_cache],
            ["unset CUDA_FORCE_PTX_JIT", *unset],
        )


def _switched_on(environment: Environment, name: str) -> list[tuple[str, object, str]]:
    """The variable as evidence, where it is 1."""
    value = environment.get(name)
    return [(f"environment.{name}", value, "the environment")] if value == "1" else []
