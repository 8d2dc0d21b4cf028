"""Rules about what an image's TensorFlow asks of it: CUDA, cuDNN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.libraries import checked_by, soname
from gpucheck.compat.tensorflow import ISSUES, Release
from gpucheck.containers.rules.engine import (
    Case,
    base_evidence,
    misfit,
    package_evidence,
    rule,
    severity,
    tensorflow_of,
    today,
    weight,
    with_cuda,
)
from gpucheck.containers.stack import Stack, TensorFlow
from gpucheck.facts.gap import Gap, Unknown, need
from gpucheck.facts.versions import CudaVersion, CudnnVersion, PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found

_FROM_PIP = "# CUDA's libraries from pip, whatever the base image:"
_BRING_CUDA = ("nvidia-", "torch", "jax", "cupy", "vllm", "tensorrt", "paddlepaddle")
_BASES = "https://hub.docker.com/r/nvidia/cuda"


def _of_pip(case: Case) -> Union[tuple[Stack, TensorFlow], None]:
    """A TensorFlow with CUDA that pip installs and that takes CUDA from the system."""
    made = tensorflow_of(case)
    if made is None or made[1].package is None or made[1].package.tool != "pip":
        return None
    stack, tensorflow = made
    if tensorflow.extra:
        return None
    if tensorflow.cuda is None:
        raise Unknown(Gap(tensorflow.doubt or f"whether {tensorflow.label} holds CUDA is not known"))
    if not tensorflow.cuda:
        return None
    # From 2.14 on TensorFlow finds pip's CUDA whoever brings it: PyTorch's wheels do, too.
    finds = not tensorflow.rows or any(row.cudnn_wheel for row in tensorflow.rows)
    for one in stack.image.packages:
        if one.tool == "pip" and one.name.startswith(_BRING_CUDA) and finds:
            raise Unknown(Gap(f"{one.source} installs {one.name}, which may bring libraries of CUDA along"))
    return made


@rule(Severity.ERROR, decisive=True)
def image_cuda_missing(case: Case) -> Iterator[Found]:
    """The image's TensorFlow can use a GPU, and nothing brings CUDA's libraries.

    ## What it means
    The wheel tensorflow holds none of them. They come with the extra [and-cuda] (from 2.14 on) or with the base image:
    nvidia/cuda's "runtime" and "devel" have them, "base" has libcudart alone, python, ubuntu and debian have none.

    ## Why it matters
    TensorFlow says "Could not find cuda drivers" or "Cannot dlopen some GPU libraries", and computes on the CPU. A note
    only where nothing says that a GPU is meant to be used.

    ## How to fix
    Install tensorflow[and-cuda], or take a base image with CUDA's libraries and cuDNN.

    ## References
    https://www.tensorflow.org/install/pip
    https://hub.docker.com/r/nvidia/cuda
    """
    made = _of_pip(case)
    if made is None:
        return
    stack, tensorflow = made
    if need(stack.libraries):
        return
    assert tensorflow.package is not None
    cuda = need(stack.cuda)
    there = f"the base image has CUDA {cuda}'s libcudart alone" if cuda else "the base image has no CUDA"
    late = "" if "and-cuda" not in tensorflow.package.extras else " (the extra [and-cuda] begins with 2.14)"
    meant = Severity.ERROR if tensorflow.package.name == "tensorflow-gpu" or cuda else weight(case)
    yield found(
        f"{case.name}: {there}, and {tensorflow.label} brings no libraries of its own{late}: "
        "it will compute on the CPU.",
        [package_evidence(tensorflow), base_evidence(stack)],
        _fix(tensorflow, stack),
        severity=meant,
    )


def _fix(tensorflow: TensorFlow, stack: Stack) -> tuple[str, ...]:
    """What would fit: the extra where the release has it, else a base image with its CUDA and cuDNN."""
    row = tensorflow.rows[-1] if tensorflow.rows else None
    if row is None or (row.cudnn_wheel and not tensorflow.pinned):
        return (_FROM_PIP, with_cuda(stack))
    if row.cudnn_wheel:
        return (_FROM_PIP, f"RUN pip install 'tensorflow[and-cuda]=={row.version}'")
    short = CudaVersion(row.cuda).short
    return (f"# a base image with CUDA {short} and cuDNN {row.cudnn} or later of that major: {_BASES}",)


def _same_sonames(row: Release, cuda: CudaVersion) -> bool:
    """Are the libraries that this release opens called so in that CUDA?"""
    if not row.cuda:
        return True
    built = CudaVersion(row.cuda)
    names = [name for name in checked_by(PackageVersion(row.version)) if name != "cudnn"]
    pairs = [(soname(name, built), soname(name, cuda)) for name in names]
    return all(mine == theirs for mine, theirs in pairs if mine is not None)


@rule(Severity.ERROR, decisive=True, explains=("image-cudnn-wrong-version", "image-cudnn-missing"))
def image_cuda_wrong_version(case: Case) -> Iterator[Found]:
    """The CUDA in the image is not the one that its TensorFlow is built for.

    ## What it means
    TensorFlow opens CUDA's libraries by names that hold a number: a build for CUDA 12 asks for libcublas.so.12, and an
    image with CUDA 11 has libcublas.so.11. Within CUDA 12, or from 11.1 to 11.8, the names are the same; before 11 each
    release has its own.

    ## Why it matters
    TensorFlow computes on the CPU. Where it is not pinned, an image that worked stops working when it is built anew.

    ## How to fix
    Take the base image of the CUDA that this release is built for, pin the release, or install tensorflow[and-cuda],
    which does not use the image's CUDA.

    ## References
    https://www.tensorflow.org/install/source#gpu
    https://hub.docker.com/r/nvidia/cuda
    """
    made = _of_pip(case)
    if made is None or made[0].libraries is False:
        return
    stack, tensorflow = made
    cuda = need(stack.cuda)
    if cuda is None:
        return
    wrong = misfit(tensorflow, lambda row: _same_sonames(row, cuda))
    if wrong is None:
        return
    yield found(
        f"{today(tensorflow, wrong)} is built for CUDA {wrong.row.cuda}; {case.name} has CUDA {cuda}.",
        [
            package_evidence(tensorflow),
            ("image.cuda", str(cuda), stack.cuda_source),
            base_evidence(stack),
            ("compat.tensorflow", f"{wrong.row.version}: CUDA {wrong.row.cuda}", wrong.row.source),
        ],
        [*_fix(tensorflow, stack), *_older(tensorflow, stack)],
        severity=severity(wrong),
    )


def _older(tensorflow: TensorFlow, stack: Stack) -> Iterator[str]:
    """The newest release that the image's CUDA and cuDNN fit, of those that may be installed."""
    cuda, have = stack.cuda, stack.cudnn
    if not isinstance(cuda, CudaVersion) or not isinstance(have, tuple) or tensorflow.pinned:
        return
    fitting = [
        row for row in tensorflow.rows if _same_sonames(row, cuda) and all(_takes(row, version) for version in have)
    ]
    if fitting:
        yield f"# or the newest that the CUDA {cuda} and cuDNN here fit:"
        yield f"RUN pip install 'tensorflow=={fitting[-1].version}'"


@rule(Severity.ERROR, decisive=True)
def image_cudnn_missing(case: Case) -> Iterator[Found]:
    """The image has CUDA's libraries, and no cuDNN.

    ## What it means
    nvidia/cuda has cuDNN only in tags with "cudnn" in their name. TensorFlow opens libcudnn before it registers a GPU.

    ## Why it matters
    TensorFlow says "Cannot dlopen some GPU libraries", and computes on the CPU.

    ## How to fix
    Take the same tag with cuDNN, or install tensorflow[and-cuda].

    ## References
    https://hub.docker.com/r/nvidia/cuda
    """
    made = _of_pip(case)
    if made is None or made[0].libraries is False or made[0].cuda is None:
        return
    stack, tensorflow = made
    if need(stack.cudnn) is not None or isinstance(stack.libraries, Gap):
        return
    need(stack.cuda)
    yield found(
        f"{case.name} has CUDA and no cuDNN, which {tensorflow.label} takes from the system.",
        [package_evidence(tensorflow), base_evidence(stack)],
        _fix(tensorflow, stack),
    )


def _takes(row: Release, have: CudnnVersion) -> bool:
    """TensorFlow's own test: the same major, and at least the minor that it was built with, where both are known."""
    least = CudnnVersion(row.cudnn)
    if not row.cudnn or have.major != least.major:
        return not row.cudnn
    return len(have.parts) < 2 or len(least.parts) < 2 or have.minor >= least.minor


@rule(Severity.ERROR, decisive=True)
def image_cudnn_wrong_version(case: Case) -> Iterator[Found]:
    """The cuDNN in the image is not one that its TensorFlow takes.

    ## What it means
    TensorFlow takes a cuDNN of the same major version as it was built with, and of the same minor or a later one.
    nvidia/cuda's tags name the major at most: 12.4.1-cudnn has 9.1 and 12.5.1-cudnn 9.2; TensorFlow 2.18 and later
    want 9.3.

    ## Why it matters
    "Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.3.0": every convolution fails.

    ## How to fix
    Take a base image with a later cuDNN, or install tensorflow[and-cuda].

    ## References
    https://github.com/tensorflow/tensorflow/issues/60913
    https://gitlab.com/nvidia/container-images/cuda
    """
    made = _of_pip(case)
    if made is None or made[0].libraries is False or made[0].cuda is None:
        return
    stack, tensorflow = made
    have = need(stack.cudnn)
    if have is None:
        return
    # What a tag stands for may have been rebuilt: only what is true of every version that it has had is said.
    wrong = misfit(tensorflow, lambda row: any(_takes(row, version) for version in have))
    if wrong is None:
        return
    versions = " or ".join(dict.fromkeys(str(version) for version in have))
    yield found(
        f"{today(tensorflow, wrong)} wants cuDNN {wrong.row.cudnn} or later of that major; {case.name} has {versions}.",
        [
            package_evidence(tensorflow),
            ("image.cudnn", versions, stack.cudnn_source),
            base_evidence(stack),
            ("compat.images", versions, stack.contents.source),
        ],
        _fix(tensorflow, stack),
        severity=severity(wrong),
    )


@rule(Severity.ERROR)
def image_pip_cuda_not_found(case: Case) -> Iterator[Found]:
    """pip brings CUDA's libraries into the image, and this release of TensorFlow does not find them.

    ## What it means
    TensorFlow finds pip's CUDA by the RUNPATH in its own files. In some releases it names too few folders.

    ## Why it matters
    No GPU after a plain installation of tensorflow[and-cuda], on a base image without CUDA.

    ## How to fix
    Take another release, or let `gpucheck install` put it right in the image's build.

    ## References
    https://github.com/tensorflow/tensorflow/issues/63362
    """
    made = tensorflow_of(case)
    if made is None or not made[1].extra:
        return
    stack, tensorflow = made
    path = stack.image.setting("LD_LIBRARY_PATH")
    linked = stack.image.marked("library-link") is not None
    if linked or (path is not None and "nvidia" in path.value) or need(stack.libraries):
        return
    if path is not None and "${" in path.value:
        raise Unknown(Gap(f"{path.source}: what else LD_LIBRARY_PATH holds is not known"))
    wrong = misfit(tensorflow, lambda row: not {"K06", "Q01"} & set(row.issues.split()))
    if wrong is None:
        return
    issue = next(one for one in ISSUES if one.name in ("K06", "Q01") and one.name in wrong.row.issues.split())
    yield found(
        f"{today(tensorflow, wrong)} does not find the CUDA that [and-cuda] brings: {issue.what}.",
        [package_evidence(tensorflow), base_evidence(stack), ("compat.tensorflow", issue.name, issue.source)],
        [
            "# in the Dockerfile, instead of pip (it links what is not found):",
            f"RUN gpucheck install --yes 'tensorflow[and-cuda]=={wrong.row.version}'",
        ],
        severity=severity(wrong),
    )


@rule(Severity.INFO)
def image_two_cudas(case: Case) -> Iterator[Found]:
    """The image holds CUDA twice: the base image's and pip's.

    ## What it means
    tensorflow[and-cuda] brings all of CUDA's libraries and cuDNN, and TensorFlow loads these. The base image's are used
    by nothing, unless other programs in the image use them.

    ## Why it matters
    Gigabytes that are built, pushed and pulled for nothing, and two versions that LD_LIBRARY_PATH may mix up.

    ## How to fix
    Take a plain base image (python:3.12-slim, ubuntu) with [and-cuda], or the CUDA image without the extra.

    ## References
    https://www.tensorflow.org/install/pip
    """
    made = tensorflow_of(case)
    if made is None or not made[1].extra or made[1].package is None:
        return
    stack, tensorflow = made
    if stack.contents.libraries is not True:
        return
    yield found(
        f"{case.name} holds CUDA twice: the base image's, and the one that {tensorflow.label} brings and uses.",
        [base_evidence(stack), package_evidence(tensorflow)],
        ["# a plain base will do:", "FROM python:3.12-slim"],
    )
