"""The libcuda that programs get, and whether the driver is new enough for the CUDA of this TensorFlow build."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat import drivers
from gpucheck.compat.architectures import architecture_of
from gpucheck.compat.errors import CUDA_COMPAT_NOT_SUPPORTED, CUDA_DRIVER_MISMATCH, CUDA_STUB
from gpucheck.facts.driver import CudaDriver, Driver
from gpucheck.facts.gap import Gap, Unknown, known, need
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import CudaVersion, DriverVersion
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import compat_first, copies_of, cuda_works, driver_here, on_wsl
from gpucheck.rules.systems import on_windows


@rule(Severity.ERROR, explains=("cuda-init-failed",), on="linux")
def libcuda_stub_on_path(snapshot: Snapshot) -> Iterator[Found]:
    """The libcuda that programs get is the toolkit's stub, which is for linking and drives nothing.

    ## What it means
    CUDA toolkits have a folder lib64/stubs with an empty libcuda.so. It is on LD_LIBRARY_PATH or in the loader's cache
    before the driver's own, and cuInit answers code 34, CUDA_ERROR_STUB_LIBRARY.

    ## Why it matters
    Every CUDA program fails, although driver and GPU are in order.

    ## How to fix
    Take the stubs folder out of LD_LIBRARY_PATH and out of /etc/ld.so.conf.d, then run ldconfig.

    ## References
    https://github.com/numba/numba/issues/9732
    """
    driver = driver_here(snapshot)
    if driver is None or cuda_works(driver):
        return
    answer = driver.cuda
    stubs = [copy for copy in copies_of(driver, "libcuda.so.1") if copy.origin == "stub"]
    if (isinstance(answer, Gap) or answer.code != CUDA_STUB) and not [copy for copy in stubs if copy.first]:
        need(driver.cuda)
        need(driver.libraries)
        return
    path = next((copy.path for copy in stubs), known(_path(answer), None) or "libcuda.so.1")
    folder = path.rpartition("/")[0]
    yield found(
        f"Programs get the toolkit's stub {path} in place of the driver's libcuda.so.1.",
        [
            ("driver.libraries.origin", "stub", path),
            ("driver.cuda.code", "none" if isinstance(answer, Gap) else str(answer.code), "cuInit"),
        ],
        [f"# take {folder} out of LD_LIBRARY_PATH and of:", f"grep -rn {folder} /etc/ld.so.conf.d", "sudo ldconfig"],
    )


def _path(answer: CudaDriver | Gap) -> str | None | Gap:
    return answer if isinstance(answer, Gap) else answer.path


@rule(Severity.ERROR, explains=("cuda-init-failed", "driver-library-version-mismatch"), on="linux")
def cuda_compat_libcuda_on_geforce(snapshot: Snapshot) -> Iterator[Found]:
    """CUDA's forward-compatibility libcuda is used on a GPU, or with a driver, that does not support it.

    ## What it means
    The package cuda-compat brings a newer libcuda for older drivers. It works on data-centre GPUs only, and only with
    some driver branches; elsewhere cuInit answers 804 ("forward compatibility was attempted on non supported HW") or
    803. Containers with a CUDA image often put it first.

    ## Why it matters
    No CUDA program runs, although the driver's own libcuda would do.

    ## How to fix
    Take the compat folder out of LD_LIBRARY_PATH and of /etc/ld.so.conf.d, or remove the package cuda-compat-*. To use
    a newer CUDA on a GeForce, upgrade the driver.

    ## References
    https://docs.nvidia.com/deploy/cuda-compatibility/
    """
    driver = driver_here(snapshot)
    if driver is None or cuda_works(driver):
        return
    answer = need(driver.cuda)
    if answer.code != CUDA_COMPAT_NOT_SUPPORTED and (answer.code != CUDA_DRIVER_MISMATCH or not compat_first(driver)):
        return
    path = next((one.path for one in copies_of(driver, "libcuda.so.1") if one.origin == "compat"), answer.path)
    gpus = [gpu.name for gpu in known(snapshot.gpus, ()) if gpu.name]
    on = f" on {gpus[0]}" if gpus else " here"
    yield found(
        f"The forward-compatibility library {path or 'libcuda'} is not supported{on} (cuInit: {answer.code}).",
        [
            ("driver.cuda.code", str(answer.code), "cuInit"),
            ("driver.libraries.origin", "compat", path or "libcuda.so.1"),
        ],
        [
            f"# take {(path or '').rpartition('/')[0] or 'the compat folder'} out of LD_LIBRARY_PATH, and:",
            "grep -rn compat /etc/ld.so.conf.d",
            "sudo ldconfig",
        ],
    )


@rule(Severity.ERROR, decisive=True, explains=("cuda-init-failed",))
def driver_too_old_for_cuda(snapshot: Snapshot) -> Iterator[Found]:
    """The driver is older than the CUDA that this TensorFlow was built with can use.

    ## What it means
    A CUDA build needs at least the driver of its major release: CUDA 13 needs 580, CUDA 12 525.60.13 (under WSL the
    Windows driver 527.41), CUDA 11 450.80.02. Within a major release older drivers run newer builds (minor-version
    compatibility). A driver is never too new for a CUDA build.

    ## Why it matters
    TensorFlow says "driver version is insufficient for CUDA runtime version", or cuDNN fails to initialise.

    ## How to fix
    Upgrade the driver (under WSL: on Windows), or install a TensorFlow that was built with an older CUDA.

    ## References
    https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/
    https://github.com/invoke-ai/InvokeAI/issues/25
    """
    driver = driver_here(snapshot)
    if driver is None:
        return
    build = build_cuda(snapshot)
    if build is None:
        return
    fact, version, source = _version_of(driver, on_wsl(snapshot))
    row = drivers.floor_for(build)
    floor = drivers.lowest(row, on_wsl(snapshot) or on_windows(snapshot)) if row else None
    if row is None or floor is None:
        raise Unknown(Gap(f"no table here tells which driver CUDA {build} needs", "unsupported"))
    if (version is not None and version >= floor) or _compat_covers(driver, build):
        return
    if version is None:
        _without_version(driver)
        return
    yield found(
        f"Driver {version} is too old: this TensorFlow was built with CUDA {build}, which needs at least {floor}.",
        [
            (fact, str(version), source),
            ("python.tensorflow.cuda_version", str(build), "build_info.py"),
            ("compat.drivers", f">= {floor}", row.source),
        ],
        _newer_driver(snapshot, build, floor),
    )


def _newer_driver(snapshot: Snapshot, build: CudaVersion, floor: DriverVersion) -> list[str]:
    if on_wsl(snapshot):
        return ["# on Windows: install a current NVIDIA driver"]
    for gpu in known(snapshot.gpus, ()):
        capability = known(gpu.compute_capability, None)
        row = architecture_of(capability) if capability else None
        if row and row.last_driver and row.last_driver < floor.major:
            return [
                f"# {row.name}'s last driver branch is {row.last_driver}: for it no driver runs CUDA {build.major}",
                f"# install a TensorFlow that was built with a CUDA before {build.major}",
            ]
    return fixes.install_driver(snapshot)


def build_cuda(snapshot: Snapshot) -> CudaVersion | None:
    """The CUDA that the examined TensorFlow was built with; None: no TensorFlow here, or a CPU build."""
    python: Python = need(snapshot.python)
    tensorflow = need(python.tensorflow)
    if tensorflow is None or not need(tensorflow.cuda_build):
        return None
    build = need(tensorflow.cuda_version)
    if build is None:
        raise Unknown(Gap("this TensorFlow does not tell which CUDA it was built with", "unsupported"))
    return build


def _version_of(driver: Driver, wsl: bool) -> tuple[str, DriverVersion | None, str]:
    """Fact, version, source: of the module; under WSL, and without a module's word of what it runs, as NVML tells."""
    module = None if wsl else need(driver.module_version)
    if module is not None:
        return "driver.module_version", module, driver.module_source or "/proc/driver/nvidia/version"
    return "driver.nvml.driver_version", need(driver.nvml).driver_version, "NVML"


def _without_version(driver: Driver) -> None:
    """Unknown where libcuda runs; where it does not there is nothing to be too old."""
    if cuda_works(driver):
        raise Unknown(Gap("neither the kernel module nor NVML told the driver's version", "unsupported"))


def _compat_covers(driver: Driver, build: CudaVersion) -> bool:
    """A forward-compatibility libcuda that works makes up for an old module."""
    cuda = need(driver.cuda)
    return cuda.status == "ok" and cuda.cuda_version is not None and cuda.cuda_version.major >= build.major
