"""Rules about which TensorFlow an image installs: is it one that can use a GPU, and can it be installed at all?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.tensorflow import ISSUES
from gpucheck.containers.contents import contents
from gpucheck.containers.rules.engine import (
    Case,
    base_evidence,
    misfit,
    package_evidence,
    rule,
    severity,
    stack_of,
    tensorflow_of,
    today,
    weight,
    with_cuda,
)
from gpucheck.containers.stack import Stack, candidates
from gpucheck.facts.containers import Package
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.versions import LibcVersion, PackageVersion, PythonVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found


@rule(Severity.ERROR, explains=("image-cuda-missing", "image-cuda-wrong-version", "image-cudnn-wrong-version"))
def image_tensorflow_gpu_removed(case: Case) -> Iterator[Found]:
    """The image installs tensorflow-gpu, which is no package any more.

    ## What it means
    tensorflow-gpu 2.12.0 is an empty package whose installation fails on purpose; 2.11.0 was the last real one. Since
    2.1 the package tensorflow itself is the build for GPUs.

    ## Why it matters
    The image cannot be built.

    ## How to fix
    Install tensorflow[and-cuda] instead; to keep an old release, pin it: tensorflow==2.10.1.

    ## References
    https://github.com/tensorflow/tensorflow/releases/tag/v2.12.0
    """
    stack = stack_of(case)
    one = _gpu_package(stack) if stack is not None else None
    if stack is None or one is None:
        return
    python = stack.python
    if isinstance(python, PythonVersion) and (python.major, python.minor) < (3, 7):
        return  # what pip takes for such a Python was not looked up
    sure = one.wanted == "==2.12.0" or isinstance(python, PythonVersion)
    label = f"{one.name}{one.wanted}"
    yield found(
        f"{case.name} installs {label}: pip takes 2.12.0, an empty package whose installation fails.",
        [("image.packages", label, one.source)],
        ["# in the Dockerfile:", with_cuda(stack)],
        severity=Severity.ERROR if sure else Severity.WARNING,
    )


def _gpu_package(stack: Stack) -> Union[Package, None]:
    """What makes pip take tensorflow-gpu 2.12.0. A requirement that what is there meets takes nothing."""
    from packaging.specifiers import SpecifierSet

    there = _holds_gpu_package(stack)
    for one in stack.image.packages:
        if one.name != "tensorflow-gpu":
            continue
        if one.tool == "pip" and one.certain and isinstance(one.wanted, str):
            open_to_it = not there and SpecifierSet(one.wanted).contains("2.12.0")
            if open_to_it or one.wanted == "==2.12.0":
                return one
        there = True
    return None


def _holds_gpu_package(stack: Stack) -> bool:
    """May the base image's TensorFlow be called tensorflow-gpu? tensorflow/tensorflow's is not, since 2.1."""
    made = stack.contents.tensorflow
    if made is None or isinstance(made, Gap):
        return isinstance(made, Gap)
    return made.own or (made.version is not None and PackageVersion(made.version) < PackageVersion("2.1"))


@rule(Severity.ERROR)
def image_python_without_wheel(case: Case) -> Iterator[Found]:
    """The TensorFlow that the image installs has no wheel for the image's Python.

    ## What it means
    TensorFlow comes as wheels for certain versions of Python and in no other form.

    ## Why it matters
    pip says "No matching distribution found", and the image cannot be built.

    ## How to fix
    Take a base image with a Python that this release has wheels for, or a release that has them for this Python.

    ## References
    https://www.tensorflow.org/install/source#tested_build_configurations
    """
    made = tensorflow_of(case)
    if made is None or made[1].package is None or made[1].package.tool != "pip":
        return
    stack, tensorflow = made
    assert tensorflow.package is not None
    rows = candidates(tensorflow.package)
    python = need(stack.python)
    if not rows or python is None:
        return
    short = f"{python.major}.{python.minor}"
    if any(short in row.pythons.split() for row in rows):
        return
    pythons = dict.fromkeys(each for row in rows for each in row.pythons.split())
    yield found(
        f"{case.name} installs {tensorflow.label} into Python {short}, for which no such release has a wheel.",
        [
            package_evidence(tensorflow),
            base_evidence(stack),
            ("compat.tensorflow", ", ".join(pythons), rows[-1].source),
        ],
        [f"# a base image with Python {rows[-1].pythons.split()[-1]}, or another TensorFlow"],
    )


@rule(Severity.ERROR)
def image_glibc_does_not_fit(case: Case) -> Iterator[Found]:
    """TensorFlow's wheels need a glibc that the image does not have.

    ## What it means
    The wheels are built for glibc of a certain version or later. Alpine Linux has musl instead, for which TensorFlow
    has no wheel at all.

    ## Why it matters
    pip says "No matching distribution found", and the image cannot be built.

    ## How to fix
    Take an image of Debian or Ubuntu (python:3.12-slim instead of python:3.12-alpine), or a newer one.

    ## References
    https://github.com/tensorflow/tensorflow/issues/15563
    """
    made = tensorflow_of(case)
    if made is None or made[1].package is None or made[1].package.tool != "pip":
        return
    stack, tensorflow = made
    libc = need(stack.contents.libc)
    if libc is None:
        yield found(
            f"{case.name} installs {tensorflow.label} on {stack.contents.system or 'musl'}, "
            "for which TensorFlow has no wheel.",
            [package_evidence(tensorflow), base_evidence(stack)],
            ["# in the Dockerfile, a base with glibc:", "FROM python:3.12-slim"],
        )
        return
    wrong = misfit(tensorflow, lambda row: not row.glibc or libc >= LibcVersion(row.glibc))
    if wrong is not None:
        yield found(
            f"{today(tensorflow, wrong)} needs glibc {wrong.row.glibc}; {case.name} has {libc} "
            f"({stack.contents.system}).",
            [package_evidence(tensorflow), base_evidence(stack), ("compat.tensorflow", "glibc", wrong.row.source)],
            ["# a base image of a newer distribution"],
            severity=severity(wrong),
        )


@rule(Severity.ERROR)
def image_and_cuda_unresolvable(case: Case) -> Iterator[Found]:
    """The extra [and-cuda] of the release that the image installs asks for packages that are not to be had.

    ## What it means
    The extra of 2.14 pins a TensorRT without wheels for Python 3.11, that of 2.15.0 one that is not on the index.

    ## Why it matters
    pip gives up, and the image cannot be built.

    ## How to fix
    Take 2.15.1 or later.

    ## References
    https://github.com/tensorflow/tensorflow/issues/61986
    """
    made = tensorflow_of(case)
    if made is None or not made[1].extra:
        return
    stack, tensorflow = made
    python = known(stack.python, None)
    new = python is not None and (python.major, python.minor) >= (3, 11)
    bad = {"K02"} | ({"K01"} if new else set())
    wrong = misfit(tensorflow, lambda row: not bad & set(row.issues.split()))
    if wrong is None:
        return
    issue = next(one for one in ISSUES if one.name in bad & set(wrong.row.issues.split()))
    yield found(
        f"{today(tensorflow, wrong)} cannot be installed with [and-cuda]: {issue.what}.",
        [package_evidence(tensorflow), ("compat.tensorflow", issue.name, issue.source)],
        ["# in the Dockerfile:", with_cuda(stack)],
        severity=severity(wrong),
    )


@rule(Severity.ERROR, decisive=True)
def image_cpu_only_tensorflow(case: Case) -> Iterator[Found]:
    """The TensorFlow in the image is a build for the CPU alone.

    ## What it means
    tensorflow-cpu, the images tensorflow/tensorflow without "-gpu" in their tag, and TensorFlow up to 2.0 under the
    name tensorflow hold no code for GPUs.

    ## Why it matters
    With the right driver and a GPU passed in, it computes on the CPU all the same. An error where a compose file gives
    the service a GPU, a warning on an image for GPUs, else a note: it may be meant.

    ## How to fix
    Install tensorflow[and-cuda], or take the image tensorflow/tensorflow:…-gpu.

    ## References
    https://www.tensorflow.org/install/docker
    """
    made = tensorflow_of(case)
    if made is None or made[1].cuda is not False:
        return
    stack, tensorflow = made
    of_base = tensorflow.package is None
    fix = "FROM tensorflow/tensorflow:latest-gpu" if of_base else with_cuda(stack)
    if of_base and isinstance(stack.image.reference, str) and ":" in stack.image.reference:
        tag = stack.image.reference.split("@")[0]
        fix = f"FROM {tag.replace('-jupyter', '')}-gpu{'-jupyter' if tag.endswith('-jupyter') else ''}"
    yield found(
        f"{case.name}: {tensorflow.label} is a build for the CPU alone.",
        [base_evidence(stack) if of_base else package_evidence(tensorflow), *_asked(case)],
        ["# in the Dockerfile:", fix],
        severity=weight(case),
    )


def _asked(case: Case) -> Iterator[tuple[str, object, str]]:
    if case.service is not None:
        for one in case.service.requests[:1]:
            yield ("service.requests", one.way, one.source)


@rule(Severity.WARNING)
def image_stage_without_effect(case: Case) -> Iterator[Found]:
    """A Dockerfile names an image for GPUs in a FROM that has no effect: another FROM follows.

    ## What it means
    Each FROM begins anew. Of several only the last makes the image; of the others nothing is in it but what COPY --from
    takes. They do not add up.

    ## Why it matters
    The CUDA or TensorFlow of the first FROM is not in the image.

    ## How to fix
    Begin from the image for GPUs, and install what the other one was for.

    ## References
    https://docs.docker.com/build/building/multi-stage/
    """
    stack = need(case.stack)
    if stack is None or stack.contents.gpu is True:
        return
    for one in stack.image.unused:
        if contents(one.text).gpu is True:
            yield found(
                f"{case.name}: FROM {one.text} has no effect, because another FROM follows.",
                [("image.unused", one.text, one.source), base_evidence(stack)],
                [f"# begin the last stage from it: FROM {one.text}"],
            )


@rule(Severity.WARNING)
def image_conda_cpu_build(case: Case) -> Iterator[Found]:
    """While an image is built conda sees no GPU, and so takes TensorFlow's build for the CPU.

    ## What it means
    conda-forge's builds with CUDA depend on the virtual package __cuda, which is there where a driver is. In
    `docker build` there is none. The channel defaults has a build for the CPU under the same name.

    ## Why it matters
    The image computes on the CPU, on every machine.

    ## How to fix
    Set CONDA_OVERRIDE_CUDA for that command, or ask for the build: tensorflow=*=cuda*.

    ## References
    https://conda-forge.org/docs/user/tipsandtricks/#installing-cuda-enabled-packages-like-tensorflow-and-pytorch
    """
    made = tensorflow_of(case)
    if made is None or made[1].package is None or made[1].package.tool != "conda":
        return
    stack, tensorflow = made
    one = made[1].package
    if one.name != "tensorflow" or any("cuda" in extra or "gpu" in extra for extra in one.extras):
        return
    if stack.image.setting("CONDA_OVERRIDE_CUDA") is not None or stack.image.marked("conda-override") is not None:
        return
    yield found(
        f"{case.name} installs {tensorflow.label}: without a driver, as in docker build, conda takes the CPU's build.",
        [package_evidence(tensorflow)],
        ["# in the Dockerfile:", "RUN CONDA_OVERRIDE_CUDA=12.5 conda install -y -c conda-forge 'tensorflow=*=cuda*'"],
        severity=Severity.INFO if weight(case) is Severity.INFO else Severity.WARNING,
    )


@rule(Severity.WARNING)
def image_replaces_tensorflow(case: Case) -> Iterator[Found]:
    """pip puts another TensorFlow in the place of NVIDIA's own build.

    ## What it means
    nvcr.io/nvidia/tensorflow holds a TensorFlow that NVIDIA has built for the CUDA in the image. A release that is
    pinned by pip is the index's wheel, built for another CUDA.

    ## Why it matters
    What the image was chosen for is gone, and the wheel's CUDA and cuDNN may not be there.

    ## How to fix
    Leave TensorFlow out of the requirements, or take an image without one.

    ## References
    https://docs.nvidia.com/deeplearning/frameworks/tensorflow-release-notes/
    """
    made = tensorflow_of(case)
    if made is None or made[1].package is None:
        return
    stack, tensorflow = made
    base = stack.contents.tensorflow
    if base is None or isinstance(base, Gap) or not base.own:
        return
    yield found(
        f"{case.name} installs {tensorflow.label} over NVIDIA's own TensorFlow.",
        [package_evidence(tensorflow), base_evidence(stack)],
        [f"# leave it out of what {tensorflow.source.rsplit(':', 1)[0]} installs"],
    )
