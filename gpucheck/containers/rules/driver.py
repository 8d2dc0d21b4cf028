"""Rules about the driver: what the host needs for an image, and that an image holds none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Union

from gpucheck.compat import drivers
from gpucheck.compat.driver_packages import PREFIXES
from gpucheck.containers.rules.engine import Case, base_evidence, package_evidence, rule, tensorflow_of
from gpucheck.containers.stack import Stack, TensorFlow
from gpucheck.facts.gap import Gap, need
from gpucheck.facts.versions import CudaVersion, DriverVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found
from gpucheck.rules.here import driver_version, windows_driver

_NO_DRIVER = ("nvidia-container-toolkit", "cuda-compat", "nvidia-prime")


class Need(NamedTuple):
    """The driver that an image needs. cuda: the CUDA that TensorFlow uses there; None where the publisher says it."""

    driver: DriverVersion
    cuda: Union[CudaVersion, None]
    source: str


def _need(stack: Stack, tensorflow: TensorFlow, windows: bool = False) -> Union[Need, None]:
    cuda: Union[CudaVersion, None, Gap] = stack.cuda
    if tensorflow.extra and tensorflow.rows:
        cuda = CudaVersion(tensorflow.rows[-1].cuda)
    elif stack.contents.driver and tensorflow.package is None:
        return Need(DriverVersion(stack.contents.driver), None, stack.contents.source)
    if isinstance(cuda, Gap) or cuda is None or tensorflow.cuda is False:
        return None
    floor = drivers.floor_for(cuda)
    lowest = drivers.lowest(floor, windows) if floor else None
    return Need(lowest, cuda, floor.source) if floor and lowest else None


@rule(Severity.INFO)
def image_needs_driver(case: Case) -> Iterator[Found]:
    """The NVIDIA driver that a host needs for this image.

    ## What it means
    An image brings CUDA and never the driver: that is the host's. Each CUDA asks for a driver of a certain version or
    later; images of nvidia/cuda refuse to start on one that offers a lower CUDA than theirs, data-centre GPUs apart.

    ## Why it matters
    On an older driver the container does not start, or TensorFlow computes on the CPU.

    ## How to fix
    Nothing, where the hosts are as new. `gpucheck doctor --dockerfile FILE --here`, or with --snapshot FILE of a host,
    compares.

    ## References
    https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/
    """
    made = tensorflow_of(case)
    wanted = _need(*made) if made is not None else None
    if made is None or wanted is None:
        return
    about = f"CUDA {wanted.cuda}" if wanted.cuda else "its publisher"
    host = _host_runs(case)
    yield found(
        f"{case.name} needs a host with NVIDIA driver {wanted.driver} or later ({about}){host}.",
        [base_evidence(made[0]), ("compat.drivers", str(wanted.driver), wanted.source)],
        [] if host else ["# on the host:", "nvidia-smi --query-gpu=driver_version --format=csv"],
    )


def _host_runs(case: Case) -> str:
    """What is known of the host's driver. A machine that only builds images needs none: no finding of its own."""
    if case.facts is None or isinstance(running := driver_version(case.facts), Gap):
        return ""
    return f"; this host runs {running}" if running else "; this host has no NVIDIA driver loaded"


@rule(Severity.ERROR, explains=("image-needs-driver",))
def image_host_driver_too_old(case: Case) -> Iterator[Found]:
    """The host's driver is older than what the image's CUDA needs.

    ## What it means
    Judged only together with a host's facts: --here, or --snapshot FILE.

    ## Why it matters
    "CUDA driver version is insufficient for CUDA runtime version", or the container does not start.

    ## How to fix
    Upgrade the host's driver, or take an image with an older CUDA.

    ## References
    https://docs.nvidia.com/deploy/cuda-compatibility/
    """
    if case.facts is None:
        return
    made = tensorflow_of(case)
    wanted = _need(*made, windows_driver(case.facts)) if made is not None else None
    if made is None or wanted is None:
        return
    running = need(driver_version(case.facts))
    if running is None or running >= wanted.driver:
        return
    yield found(
        f"{case.name} needs NVIDIA driver {wanted.driver} or later; the host runs {running}.",
        [
            ("driver.module_version", str(running), "the host's facts"),
            base_evidence(made[0]),
            package_evidence(made[1]),
            ("compat.drivers", str(wanted.driver), wanted.source),
        ],
        [f"# on the host: a driver of {wanted.driver} or later"],
    )


@rule(Severity.WARNING)
def image_holds_driver(case: Case) -> Iterator[Found]:
    """The image installs parts of an NVIDIA driver.

    ## What it means
    The driver's libraries in a container have to be those of the host's kernel module. NVIDIA's container toolkit
    mounts them when a container starts. The metapackages cuda, cuda-12-2 and cuda-runtime-12-2 pull a driver in, too.

    ## Why it matters
    A libcuda of another version in the image may be found first: "driver/library version mismatch".

    ## How to fix
    Leave them out. Of CUDA install cuda-toolkit-12-2 or cuda-libraries-12-2.

    ## References
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html
    """
    stack = need(case.stack)
    for one in stack.image.packages if stack is not None else ():
        if one.tool == "system" and one.certain and brings_driver(one.name):
            yield found(
                f"{case.name} installs {one.name}, which brings an NVIDIA driver into the image.",
                [("image.packages", one.name, one.source)],
                ["# leave it out; of CUDA take cuda-toolkit-… or cuda-libraries-… alone"],
            )


def brings_driver(name: str) -> bool:
    """Is a package of Debian or NVIDIA part of a driver, or does it depend on one?"""
    if name.startswith(_NO_DRIVER) or name.endswith(("-dev", "$")):
        return False
    words = name.split("-")
    meta = words[:1] == ["cuda"] and all(word.isdigit() for word in words[1:]) and len(words) in (1, 3)
    runtime = words[:2] == ["cuda", "runtime"] and all(word.isdigit() for word in words[2:])
    return meta or runtime or name.startswith(PREFIXES)
