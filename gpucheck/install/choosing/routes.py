"""The next best ways, where no release fits here, or not as well as elsewhere: told, never taken. Pure.

Each route was checked against the table for the machine that it leads to: none is named that could not work either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat import architectures, drivers
from gpucheck.compat.releases import releases
from gpucheck.compat.tensorflow import Release, final
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.plan import Request, Route
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import ComputeCapability, CudaVersion, PackageVersion, PythonVersion
from gpucheck.install.choosing import interpreters
from gpucheck.rules import fitness
from gpucheck.rules.choice import capabilities
from gpucheck.rules.fixes import install_driver
from gpucheck.rules.here import Here, here
from gpucheck.rules.recipes import driver_lines, quoted

_CONTAINER = "https://catalog.ngc.nvidia.com/orgs/nvidia/containers/tensorflow"
_JETSON = "https://docs.nvidia.com/deeplearning/frameworks/install-tf-jetson-platform/"
_DOCS = "tensorflow/docs pip.md@7c365021"
_WSL = "tensorflow/docs pip.md@7c365021; https://docs.nvidia.com/cuda/wsl-user-guide/"
# Boards whose GPU shares its chip with aarch64 cores (compat/architectures.py).
_JETSONS = tuple(ComputeCapability(row.capability) for row in architectures.ROWS if "Jetson" in row.examples)
_USUAL = "3.12"
_MINORS = ("3.13", "3.12", "3.11", "3.10", "3.9", "3.8", "3.7", "3.6")


def routes(
    snapshot: Snapshot, at: Here, cpu: bool, request: Request, chosen: Union[Release, None]
) -> tuple[Route, ...]:
    """Other ways, the best first.

    Parameters
    ----------
    cpu: no GPU was wanted.
    chosen: what was chosen in spite of it: a release whose CUDA comes from elsewhere, a CPU build for a GPU; None.
    """
    found: list[Route] = []
    if not cpu and chosen is not None:
        found += [*_driver_first(at), *_system_cuda(chosen, at)]
    named = request.tensorflow is not None
    if chosen is None or not (cpu or fitness.brings_cuda(chosen) or (named and chosen.cuda)):
        found += _newer_driver(snapshot, at, request, chosen) if not cpu else ()
        found += _another_release(at, cpu, request, chosen) if named else ()
        found += _another_python(snapshot, cpu, request, chosen)
        found += _candidate_release(at, cpu, request, chosen)
        found += _another_system(snapshot, at, cpu)
    if not cpu and chosen is None:
        found += _cpu_build(at, request)
    return tuple(found)


def newest(
    rows: tuple[Release, ...], at: Here, cpu: bool, version: Union[str, None] = None, only_with_cuda: bool = False
) -> Union[Release, None]:
    """The newest that fits; of one version, where that is given."""
    for row in reversed(rows):
        brings = not only_with_cuda or cpu or fitness.brings_cuda(row)
        if version in (None, row.version) and brings and fitness.fits(row, at, cpu, fitness.CURES):
            return row
    return None


def _system_cuda(row: Release, at: Here) -> Iterator[Route]:
    """What has to be there for a release that brings no CUDA."""
    if not row.cuda or fitness.brings_cuda(row):
        return
    title = f"CUDA {row.cuda} and cuDNN {row.cudnn} have to be on this system"
    name = f"TensorFlow {row.version} finds them"
    if known(at.os, "linux") == "windows":
        steps = [f"# {name} on PATH. In a conda environment, and with that environment's Python:"]
        if (row.cuda, row.cudnn) == ("11.2", "8.1"):
            steps += ["conda install -c conda-forge cudatoolkit=11.2 cudnn=8.1.0"]
        else:
            steps = [
                f"# {name} on PATH: NVIDIA's installer of CUDA {row.cuda}, and cuDNN's files copied into its folder"
            ]
        if CudaVersion(row.cuda).major == 11:
            steps += ["# The runtime of every CUDA 11 is cudart64_110.dll (K27)"]
    else:
        steps = [f"# {name} by ldconfig or LD_LIBRARY_PATH: NVIDIA's runfile of CUDA {row.cuda}, and cuDNN {row.cudnn}"]
    steps += [f"# https://developer.nvidia.com/cuda-toolkit-archive (CUDA {row.cuda})"]
    yield Route(title, tuple(steps), row.source)


def _driver_first(at: Here) -> Iterator[Route]:
    if at.driver is None:
        yield Route("The NVIDIA driver comes first: none is loaded", ("gpucheck doctor",), "the snapshot")


def _newer_driver(snapshot: Snapshot, at: Here, request: Request, chosen: Union[Release, None]) -> Iterator[Route]:
    """Where a driver that this GPU can have would let a better release in."""
    row = newest(fitness.table(at), at._replace(driver=None), False, request.tensorflow)
    if row is None or not any(
        one.name == "driver-too-old" for one in fitness.objections(row, at, False, fitness.CURES)
    ):
        return
    if chosen is not None and chosen.cuda and not _better(row, chosen):
        return
    floor = drivers.floor_for(CudaVersion(row.cuda))
    windows = ["# the newest driver for this GPU, in Windows: https://www.nvidia.com/Download/index.aspx"]
    steps = windows if at.windows_driver else install_driver(snapshot)
    yield Route(
        f"A newer NVIDIA driver lets TensorFlow {row.version} in",
        (*driver_lines(row, snapshot), *steps, f"gpucheck install{_wanted(request)}"),
        floor.source if floor else "",
    )


def _another_release(at: Here, cpu: bool, request: Request, chosen: Union[Release, None]) -> Iterator[Route]:
    row = newest(fitness.table(at), at, cpu, only_with_cuda=True) or newest(fitness.table(at), at, cpu)
    if row is not None and row is not chosen:
        flag = " --cpu" if request.cpu else ""
        yield Route(
            f"TensorFlow {row.version} fits here", (f"gpucheck install{flag} tensorflow=={row.version}",), row.source
        )


def _another_python(snapshot: Snapshot, cpu: bool, request: Request, chosen: Union[Release, None]) -> Iterator[Route]:
    """The Python with which the newest release fits; one of this machine where there is one."""
    fitting = [(minor, row) for minor in _MINORS if (row := _with_python(snapshot, minor, cpu, request)) is not None]
    best = max((row for _, row in fitting), key=lambda row: PackageVersion(row.version), default=None)
    if best is None or (chosen is not None and chosen.cuda and not _better(best, chosen)):
        return
    alike = [minor for minor, row in fitting if row is best]
    minor = next((one for one in alike if interpreters.found(snapshot, one)), alike[0])
    paths = interpreters.found(snapshot, minor)
    take = [f"gpucheck install --python {quoted(path)}{_wanted(request)}" for path in paths[:1]]
    make = [f"uv python install {minor}", f'gpucheck install --python "$(uv python find {minor})"{_wanted(request)}']
    where = f"Python {minor}, which is on this machine" if paths else f"Python {minor}"
    yield Route(f"With {where}: TensorFlow {best.version}", tuple(take or make), best.source)


def _with_python(snapshot: Snapshot, minor: str, cpu: bool, request: Request) -> Union[Release, None]:
    at, version = here(snapshot, PythonVersion(minor)), request.tensorflow
    rows = fitness.table(at)
    if not cpu and not any(row.cuda for row in rows):
        return newest(rows, at, True, version) if version else None
    return newest(rows, at, cpu, version, only_with_cuda=True) or newest(rows, at, cpu, version)


def _wanted(request: Request) -> str:
    version = f" tensorflow=={request.tensorflow}" if request.tensorflow else ""
    return f"{' --cpu' if request.cpu else ''}{version}"


def _candidate_release(at: Here, cpu: bool, request: Request, chosen: Union[Release, None]) -> Iterator[Route]:
    """Where only a release candidate has a wheel."""
    if chosen is not None or request.tensorflow is not None:
        return
    for row in fitness.table(at):
        if not final(row) and fitness.fits(row, at, cpu, fitness.CURES, wanted=True):
            steps = (f"gpucheck install tensorflow=={row.version}",)
            yield Route(f"The release candidate {row.version} has a wheel for this Python", steps, row.source)


def _better(row: Release, other: Release) -> bool:
    """Later, or of the same age where only this one brings CUDA."""
    mine, theirs = PackageVersion(row.version), PackageVersion(other.version)
    return mine > theirs or (mine == theirs and fitness.brings_cuda(row) and not fitness.brings_cuda(other))


def _another_system(snapshot: Snapshot, at: Here, cpu: bool) -> Iterator[Route]:
    blackwell = any(one.major >= architectures.BLACKWELL for one in capabilities(snapshot))
    os, machine = known(at.os, ""), known(at.machine, "")
    if not cpu and os == "windows" and machine == "x86_64":
        yield from _wsl(snapshot, at)
    if not cpu and machine == "aarch64" and any(one in _JETSONS for one in capabilities(snapshot)):
        yield Route("NVIDIA's own wheels for Jetson", (f"# of the JetPack that is on the board: {_JETSON}",), _JETSON)
    if not cpu and (blackwell or machine == "aarch64"):
        yield _container(blackwell, os == "windows")
    if os == "linux" and not isinstance(at.libc, Gap):
        yield from _glibc(at, cpu)


def _wsl(snapshot: Snapshot, at: Here) -> Iterator[Route]:
    """Where a Linux release would fit: with a Python of its own, and the driver that Windows has."""
    there = at._replace(
        os="linux", libc=Gap("a new distribution"), python=PythonVersion(_USUAL), implementation="cpython"
    )
    there = there._replace(bits=64, windows_driver=True)
    row = newest(releases("linux", "x86_64"), there, False, only_with_cuda=True)
    if row is None:
        row = newest(releases("linux", "x86_64"), there._replace(driver=None), False, only_with_cuda=True)
    if row is None:
        return
    notes = ["# (NVIDIA does not officially support Maxwell under WSL 2; it may work)"]
    old = any(one < ComputeCapability("6.0") for one in capabilities(snapshot))
    floor = fitness.driver_floor(row, True)
    steps = (
        "# In PowerShell as administrator (Windows 10 21H2 or later):",
        "wsl --install -d Ubuntu",
        f"# Windows' NVIDIA driver {floor} or later is all that it needs: install no driver in Linux.",
        "# Then, in Ubuntu:",
        "gpucheck install",
    )
    yield Route(f"WSL2 has TensorFlow {row.version} with the GPU", (*steps, *(notes if old else ())), _WSL)


def _container(blackwell: bool, windows: bool) -> Route:
    why = "has code for Blackwell" if blackwell else "is built for aarch64 with CUDA"
    steps = (
        f"# choose a tag whose release notes name this GPU and driver: {_CONTAINER}",
        "docker run --gpus all -it --rm nvcr.io/nvidia/tensorflow:TAG",
        *(("# (Docker Desktop, on WSL2)",) if windows else ()),
    )
    return Route(f"NVIDIA's container {why}", steps, f"{_CONTAINER}; tensorflow#89272" if blackwell else _CONTAINER)


def _glibc(at: Here, cpu: bool) -> Iterator[Route]:
    """A container of a newer system, where it is the C library that is in the way."""
    usual = at._replace(python=PythonVersion(_USUAL), implementation="cpython", bits=64)
    rows = fitness.table(at)
    row = newest(rows, usual._replace(libc=Gap("a newer one")), cpu)
    if row is not None and newest(rows, usual, cpu) is None:
        gpus = "" if cpu else " --gpus all"
        steps = (f"docker run{gpus} -it --rm python:{_USUAL}-slim bash", "# and in it, with gpucheck: gpucheck install")
        yield Route(f"In a container with glibc: TensorFlow {row.version}", steps, "PEP 600; PEP 656")


def _cpu_build(at: Here, request: Request) -> Iterator[Route]:
    row = newest(fitness.table(at), at, True, request.tensorflow) or newest(fitness.table(at), at, True)
    if row is not None:
        wanted = f" tensorflow=={row.version}" if request.tensorflow == row.version else ""
        yield Route(f"Without the GPU: TensorFlow {row.version}", (f"gpucheck install --cpu{wanted}",), _DOCS)
