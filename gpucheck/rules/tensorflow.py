"""Rules about the TensorFlow package itself: is it a build that can use a GPU. Is it whole: installation.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.driver import Driver, Nvml
from gpucheck.facts.gap import known, need
from gpucheck.facts.paths import join
from gpucheck.facts.python import Distribution, Python, TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.installed import TENSORFLOWS, by_conda, installed
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.recipes import install_lines, pip, replace_lines
from gpucheck.rules.stakes import stakes
from gpucheck.rules.systems import on_windows

_INFO = "python/platform/build_info.py"
_FIRST_WITHOUT_WINDOWS = PackageVersion("2.11")
_CONDA_CPU = ("cpu", "mkl", "eigen")


def _build(snapshot: Snapshot) -> tuple[Python, Union[TensorFlowBuild, None]]:
    python = need(snapshot.python)
    return python, need(python.tensorflow)


def _label(build: TensorFlowBuild) -> str:
    """ "tensorflow-cpu 2.20.0"."""
    return f"{build.distribution or 'tensorflow'} {known(build.version, None) or '(version unknown)'}"


@rule(Severity.ERROR)
def tf_windows_native_no_gpu(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow 2.11 and later do not use a GPU on native Windows.

    ## What it means
    Wheels for native Windows are CPU-only from 2.11 on. The extra [and-cuda] does not resolve there.

    ## Why it matters
    Nothing else counts: with the right driver, CUDA and cuDNN the list of GPUs stays empty, mostly without any message.

    ## How to fix
    Use WSL 2 (the same Windows driver, the Linux wheel with [and-cuda]), or TensorFlow 2.10.1 with Python 3.7 to 3.10,
    CUDA 11.2 and cuDNN 8.1.

    ## References
    https://www.tensorflow.org/install/pip#windows-native
    https://github.com/tensorflow/tensorflow/issues/64536
    """
    system = need(snapshot.system)
    if system.os != "windows":
        return
    _, build = _build(snapshot)
    version = None if build is None else need(build.version)
    if build is None or version is None or version < _FIRST_WITHOUT_WINDOWS or not nvidia_here(snapshot):
        return
    yield found(
        f"TensorFlow {version} on native Windows is CPU-only, as every release from 2.11 on.",
        [("python.tensorflow.version", version, build.root), ("system.os", "windows", "the system")],
        _two_ways_out(snapshot),
    )


def _two_ways_out(snapshot: Snapshot) -> list[str]:
    from gpucheck.rules import ways

    native = ways.natively(snapshot)
    head = ["# 2.10.1 is the last TensorFlow with a GPU on native Windows:", *native] if native else []
    return ["# WSL 2 runs Linux's TensorFlow with the same Windows driver:", *ways.in_wsl(snapshot), *head]


@rule(Severity.WARNING, explains=("cpu-only-package", "incomplete-installation"))
def cpu_package_overwrote_gpu_package(snapshot: Snapshot) -> Iterator[Found]:
    """Several TensorFlow distributions are installed over one another.

    ## What it means
    tensorflow, tensorflow-cpu, tensorflow-gpu, tf-nightly and their like all unpack into one folder tensorflow/. Two of
    them are installed in the same site-packages: the files of whichever came last lie over the other's.

    ## Why it matters
    With a CPU package last no GPU is seen, though `pip list` shows the GPU package. With mixed versions the import
    fails in odd ways, and uninstalling one takes files of the other along.

    ## How to fix
    Uninstall all of them, then install one.

    ## References
    https://github.com/tensorflow/tensorflow/issues/22472
    """
    python, build = _build(snapshot)
    mixed = _mixed(python)
    if len(mixed) < 2 or _windows_shim(snapshot, mixed):
        return
    cuda = known(build.cuda_build, None) if build else None
    last = "" if cuda is None else f"; the files in place are a {'CUDA' if cuda else 'CPU'} build"
    yield found(
        f"{' and '.join(f'{one.name} {one.version}' for one in mixed)} are installed over one another in "
        f"{mixed[0].location}{last}.",
        [("python.distributions", f"{one.name} {one.version}", one.location) for one in mixed],
        [pip(snapshot, "-y", *(one.name for one in mixed), action="uninstall"), *install_lines(snapshot)],
        severity=Severity.ERROR if cuda is False and nvidia_here(snapshot) else None,
    )


def _windows_shim(snapshot: Snapshot, mixed: list[Distribution]) -> bool:
    """From 2.11 to 2.18.0 Windows' tensorflow (or tensorflow-cpu) holds nothing but a demand for tensorflow-intel."""
    if not on_windows(snapshot):
        return False
    inner = next((one.version for one in mixed if one.name == "tensorflow-intel"), None)
    outer = [one for one in mixed if one.name != "tensorflow-intel"]
    if inner is None or len(outer) != 1 or outer[0].version != inner:
        return False
    return _FIRST_WITHOUT_WINDOWS <= inner <= PackageVersion("2.18.0")


def _mixed(python: Python) -> list[Distribution]:
    """Distributions that share one folder tensorflow/. conda's metapackages and aarch64's shim do so on purpose."""
    found_: list[Distribution] = []
    for one in need(python.distributions):
        shim = one.name == "tensorflow-cpu-aws"
        if one.name in TENSORFLOWS and not by_conda(one) and not shim:
            found_.append(one)
    first = found_[0].location if found_ else ""
    names = {one.name: one for one in found_ if one.location == first}
    return list(names.values())


@rule(Severity.ERROR)
def conda_solved_cpu_build(snapshot: Snapshot) -> Iterator[Found]:
    """conda chose a CPU build of TensorFlow.

    ## What it means
    conda has CPU and CUDA builds of one version. It takes a CUDA build only where it sees a driver (the virtual package
    __cuda): an environment that was made on a login node or in a container build gets the CPU build.

    ## Why it matters
    Version and package name look right; only the build string tells. TensorFlow sees no GPU.

    ## How to fix
    Solve again and tell conda which CUDA version the driver offers.

    ## References
    https://github.com/deepmodeling/deepmd-kit/issues/1362
    https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-virtual.html
    """
    python, build = _build(snapshot)
    if build is None or need(build.cuda_build) is not False:
        return
    one = installed(python, build.distribution or "tensorflow")
    if one is None or one.build is None or not one.build.startswith(_CONDA_CPU) or not nvidia_here(snapshot):
        return
    yield found(
        f"conda's {one.name} {one.version} is the CPU build {one.build}.",
        [
            ("python.distributions", f"{one.name} {one.version} {one.build}", "conda-meta"),
            ("python.tensorflow.cuda_build", "false", join(build.root, _INFO)),
        ],
        _conda_lines(snapshot),
    )


def _conda_lines(snapshot: Snapshot) -> list[str]:
    nvml = snapshot.driver.nvml if isinstance(snapshot.driver, Driver) else None
    version = nvml.cuda_version if isinstance(nvml, Nvml) else None
    if version is None:
        return [
            "# Set CONDA_OVERRIDE_CUDA to the CUDA version that nvidia-smi shows on the GPU machine, then:",
            "conda install -c conda-forge 'tensorflow=*=cuda*'",
        ]
    return [f"CONDA_OVERRIDE_CUDA={version.short} conda install -c conda-forge 'tensorflow=*=cuda*'"]


@rule(Severity.ERROR)
def tf_aarch64_wheel_is_cpu_only(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow's aarch64 wheel is CPU-only, with [and-cuda] too.

    ## What it means
    On Linux aarch64 (GH200, Grace, Jetson, DGX Spark) the index has CPU-only wheels. `tensorflow[and-cuda]` resolves
    all the same and installs gigabytes of CUDA libraries, which this TensorFlow never loads.

    ## Why it matters
    Everything looks installed, and no GPU is seen.

    ## How to fix
    Use NVIDIA's container (NGC) or, on Jetson, NVIDIA's own wheels.

    ## References
    https://github.com/tensorflow/tensorflow/issues/121157
    https://catalog.ngc.nvidia.com/orgs/nvidia/containers/tensorflow
    """
    python, build = _build(snapshot)
    if build is None or need(python.machine) != "aarch64" or need(build.cuda_build) is not False:
        return
    one = installed(python, build.distribution or "tensorflow")
    if one is None or by_conda(one):
        return
    stake = stakes(snapshot)
    if stake is None:
        return
    wheels = [wheel.name for wheel in need(python.distributions) if wheel.name.startswith("nvidia-cu")]
    extra = f", though {len(wheels)} CUDA wheels are installed beside it" if wheels else ""
    yield found(
        f"{_label(build)} for aarch64 is a CPU build{extra}{stake.remark}.",
        [
            ("python.machine", "aarch64", python.executable),
            ("python.tensorflow.cuda_build", "false", join(build.root, _INFO)),
        ],
        ["# Use NVIDIA's container, or on Jetson NVIDIA's own wheels: the index has none with CUDA for aarch64."],
        severity=stake.severity,
    )


@rule(Severity.ERROR, decisive=True)
def cpu_only_package(snapshot: Snapshot) -> Iterator[Found]:
    """A CPU build is installed on a machine with an NVIDIA GPU.

    ## What it means
    The installed package has no CUDA in it: tensorflow-cpu, `tensorflow` 2.0.x, 1.15.2 to 1.15.5 or before 1.15 (there
    the CUDA build was named tensorflow-gpu). A CPU build of PyTorch is mentioned as an information.

    ## Why it matters
    No driver, CUDA or cuDNN changes anything: this build cannot use a GPU.

    ## How to fix
    Uninstall it and install a CUDA build.

    ## References
    https://www.tensorflow.org/install/pip
    https://github.com/rail-berkeley/softlearning/issues/26
    https://github.com/ziatdinovmax/gpax/issues/63
    """
    python, build = _build(snapshot)
    if build is not None and _cpu_build(snapshot, python, build) and nvidia_here(snapshot):
        name = build.distribution or "tensorflow"
        yield found(
            f"{_label(build)} is a CPU build: it cannot use a GPU.",
            [
                ("python.tensorflow.cuda_build", known(build.cuda_build, None), join(build.root, _INFO)),
                ("python.tensorflow.distribution", _label(build), build.root),
            ],
            replace_lines(snapshot, name),
        )
    torch = known(python.torch, None)
    if torch is not None and torch.cuda_version is None and nvidia_here(snapshot):
        yield found(
            f"PyTorch {torch.version} is a CPU build.",
            [("python.torch.cuda_version", None, "torch/version.py")],
            ["# Choose a CUDA build at https://pytorch.org/get-started/locally/"],
            severity=Severity.INFO,
        )


def _cpu_build(snapshot: Snapshot, python: Python, build: TensorFlowBuild) -> bool:
    """A CPU build that no more exact rule speaks of (conda's, aarch64's, native Windows')."""
    cuda = need(build.cuda_build)
    if installed(python, "tensorflow-directml-plugin"):
        return False  # Microsoft's plugin uses the GPU by DirectX, with tensorflow-cpu 2.10
    if need(snapshot.system).os == "windows":
        newer = need(build.version)
        if newer is not None and newer >= _FIRST_WITHOUT_WINDOWS:
            return False
    if cuda is None:  # before 1.15 there was no build_info.py, and the package's name alone tells
        version = need(build.version)
        return build.distribution == "tensorflow" and version is not None and version < PackageVersion("1.15")
    if cuda or need(build.rocm_build) or need(python.machine) == "aarch64":
        return False
    one = installed(python, build.distribution or "tensorflow")
    return one is None or one.build is None or not one.build.startswith(_CONDA_CPU)
