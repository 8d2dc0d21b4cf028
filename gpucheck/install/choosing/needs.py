"""What a chosen release is asked for with: its extra, the bounds that this machine and its age need, and why. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Union

from gpucheck.compat import cudnn, extras
from gpucheck.compat.releases import cpu_package
from gpucheck.compat.tensorflow import Release
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.plan import Request
from gpucheck.facts.versions import ComputeCapability, CudnnVersion, PackageVersion
from gpucheck.rules import doubts, fitness
from gpucheck.rules.choice import TURING
from gpucheck.rules.here import Here
from gpucheck.rules.installed import broken_clause
from gpucheck.rules.presence import named

# Built for NumPy 1, and with dependencies of its own time; from 2.18 on every release was resolved and imported with
# today's packages.
_FIRST_OF_TODAY = PackageVersion("2.18")
_FIRST_WITH_PROTOBUF_4 = PackageVersion("2.12")
_WEEKS = 4
# TensorFlow 2.2 to 2.9 have no wheels of all their dependencies before termcolor 2 and wrapt 1.14 came.
_EARLIEST = date(2022, 12, 14)
_MAXWELL = ComputeCapability("5.0")
_CUDNN_BOUND = "nvidia-cudnn-cu12<9.11"


class Need:
    """Requirements as they gather, each with its reason ("" where it speaks for itself)."""

    def __init__(self) -> None:
        self.requirements: list[str] = []
        self.reasons: list[str] = []

    def add(self, requirement: str, reason: str = "") -> None:
        self.requirements.append(requirement)
        if reason:
            self.reasons.append(reason)


def needs(row: Release, at: Here, cpu: bool, request: Request) -> Need:
    """The release's own requirement first, then the bounds, then what else was asked for."""
    need = Need()
    package = package_of(row, at, cpu, request)
    extra = "[and-cuda]" if not cpu and fitness.brings_cuda(row) else ""
    need.add(f"{package}{extra}=={row.version}", _about_package(package, row, at, cpu, request))
    if not cpu:
        _bound_cudnn(need, row, at)
    _bound_dependencies(need, row)
    for name in request.extras:
        one = extras.find(name)
        for requirement in one.requirements if one else (name,):
            need.add(requirement)
        if one and one.note:
            need.reasons.append(f"--with {name}: {one.note}")
    for requirement in request.packages:
        need.add(requirement)
    need.requirements = list(dict.fromkeys(need.requirements))
    return need


def package_of(row: Release, at: Here, cpu: bool, request: Request) -> str:
    """The distribution that holds the release: for the CPU the smallest one that satisfies what else was asked for."""
    if not cpu:
        return row.package
    os, machine = known(at.os, "linux"), known(at.machine, "x86_64")
    package = cpu_package(os, machine, row.version)
    return row.package if package == "tensorflow-cpu" and _asks_by_name(request) else package


def _asks_by_name(request: Request) -> bool:
    """Does something require the distribution `tensorflow` itself? Of other packages that is not known: yes."""
    rows = [extras.find(name) for name in request.extras]
    return bool(request.packages) or any(row is None or row.by_name for row in rows)


def _about_package(package: str, row: Release, at: Here, cpu: bool, request: Request) -> str:
    if not cpu or package == "tensorflow-gpu":
        return ""
    if package == "tensorflow-cpu":
        return (
            "tensorflow-cpu is the same release without the GPU's code, in less than half the size; "
            "packages that require tensorflow by that name go behind --with, so that no second copy is laid over it"
        )
    if cpu_package(known(at.os, "linux"), known(at.machine, "x86_64"), row.version) == "tensorflow-cpu":
        asked = ", ".join((*request.extras, *request.packages))
        return f"tensorflow and not the smaller tensorflow-cpu, because of --with {asked}, which may require that name"
    return ""


def _bound_cudnn(need: Need, row: Release, at: Here) -> None:
    """K10: an open range brings a cuDNN that dropped everything older than Turing."""
    if not fitness.open_cudnn(row) or not fitness.takes_cudnn(row, cudnn.LAST_BEFORE_TURING):
        return
    older = [gpu for gpu in known(at.gpus, ()) if _older(gpu)]
    unknown = isinstance(at.gpus, Gap) or not at.gpus or any(_capability(gpu) is None for gpu in at.gpus)
    dropped = f"cuDNN {cudnn.LAST_BEFORE_TURING} is the last with code below compute capability {TURING}"
    if older:
        have = f"{named(*older)} {'has' if len(older) == 1 else 'have'} {_capability(older[0])}"
        need.add(_CUDNN_BOUND, f"{dropped}, and {have}: cuDNN stays below 9.11")
    elif unknown:
        need.add(_CUDNN_BOUND, f"{dropped}, and this GPU's is not known: cuDNN stays below 9.11")


def _older(gpu: Gpu) -> bool:
    capability = _capability(gpu)
    return capability is not None and capability < TURING


def _capability(gpu: Gpu) -> Union[ComputeCapability, None]:
    return known(gpu.compute_capability, None)


def _bound_dependencies(need: Need, row: Release) -> None:
    version = PackageVersion(row.version)
    if version < _FIRST_OF_TODAY and broken_clause(row.numpy, PackageVersion("2.0.0")) is None:
        need.add("numpy<2", f"TensorFlow {row.version} is built for NumPy 1, which its own requirements do not say")
    if version < _FIRST_WITH_PROTOBUF_4 and broken_clause(row.protobuf, PackageVersion("4.21.0")) is None:
        need.add("protobuf<3.20", "protobuf 4 breaks it, which its own requirements do not say")
    if "K05" in row.issues.split():
        need.add("keras<2.7", "its own requirement lets in a Keras of another TensorFlow")


def exclude_newer(row: Release) -> Union[str, None]:
    """The end of a release's own time (RFC 3339), None for releases of today and where the day is not known."""
    if PackageVersion(row.version) >= _FIRST_OF_TODAY or not row.uploaded:
        return None
    end = max(date.fromisoformat(row.uploaded) + timedelta(weeks=_WEEKS), _EARLIEST)
    return f"{end.isoformat()}T00:00:00Z"


def remarks(row: Release, at: Here, cpu: bool, request: Request) -> list[str]:
    """What a user of this release should know, and what is not known."""
    told = []
    if not cpu:
        told += [line for gpu in known(at.gpus, ()) for line in _about_gpu(row, gpu)]
        if "Q01" in row.issues.split():
            told.append(
                f"TensorFlow {row.version} does not find libcusolver by itself (Q01): a link to it is made after the "
                "installation, and recorded"
            )
    told += doubts.open_questions(row, at, cpu)
    if PackageVersion(row.version) >= PackageVersion("2.21") and "tensorboard" not in request.extras:
        told.append("TensorBoard is no longer among TensorFlow's requirements (K14): --with tensorboard")
    return told


def _about_gpu(row: Release, gpu: Gpu) -> list[str]:
    capability = _capability(gpu)
    if capability is None or not row.cuda:
        return []
    told = []
    if row.capabilities and not fitness.native(row, capability):
        told.append(
            f"{named(gpu)}: TensorFlow {row.version} has only PTX for compute capability {capability}, which the "
            "driver compiles at first use: minutes, kept afterwards (K25)"
        )
    version = CudnnVersion(row.cudnn)
    # Between the matrices of 8.5 (3.5 and higher) and of 8.9.5 (5.0 and higher).
    if version.major == 8 and capability < _MAXWELL and cudnn.least_capability(version) is None:
        told.append(f"whether cuDNN {row.cudnn} has code for {named(gpu)} ({capability}) is not known: no source read")
    return told
