"""What an image would hold in the end: its base and what its Dockerfile adds. Pure; nothing is judged here.

A release that is pinned is one candidate; a range is every release that it allows and that has a wheel for the image's
Python, of which pip takes the newest.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Union

from gpucheck.compat import images
from gpucheck.compat.releases import of_version
from gpucheck.compat.tensorflow import RELEASES, Release, final
from gpucheck.containers.contents import BaseTensorFlow, Contents, contents
from gpucheck.facts.containers import Image, Package, Said
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import CudaVersion, CudnnVersion, PackageVersion, PythonVersion
from gpucheck.rules.installed import TENSORFLOWS

_NIGHTLY = ("tf-nightly", "tf-nightly-cpu", "tf-nightly-gpu", "nvidia-tensorflow", "tensorflow-rocm")
_CPU = ("tensorflow-cpu", "intel-tensorflow", "tensorflow-cpu-aws")
# Ubuntu 18.04's pip 9 knows no wheels of manylinux2010, which TensorFlow's are from 1.15 on.
_FIRST_WITH_NEW_PIP = (3, 7)
_LAST_GPU_PACKAGE = PackageVersion("2.11.0")
OTHER_FRAMEWORKS = ("torch", "jax", "jaxlib", "cupy-cuda12x", "cupy-cuda11x", "vllm", "tensorrt", "onnxruntime-gpu")


class TensorFlow(NamedTuple):
    """The TensorFlow of an image.

    label: in words. package: what is asked for; None: it comes with the base image. rows: the releases that it may be,
    oldest first; () where gpucheck's table has none. pinned: it is one certain release. cuda: is it a build with CUDA?
    extra: pip brings CUDA's libraries, too ([and-cuda]). own: NVIDIA's own build. doubt: why it is not known which of
    the rows pip takes, "" where it is the newest.
    """

    label: str
    source: str
    package: Union[Package, None]
    rows: tuple[Release, ...]
    pinned: bool
    cuda: Union[bool, None]  # None: not known
    extra: bool
    own: bool = False
    doubt: str = ""


class Stack(NamedTuple):
    image: Image
    contents: Contents
    tensorflow: Union[TensorFlow, None, Gap]
    cuda: Union[CudaVersion, None, Gap]
    cuda_source: str
    libraries: Union[bool, Gap]
    cudnn: Union[tuple[CudnnVersion, ...], None, Gap]
    cudnn_source: str
    python: Union[PythonVersion, None, Gap]


def stack(image: Image) -> Stack:
    """Gather an image."""
    base = contents(image.reference)
    if image.platform and not image.platform.startswith("linux/amd64") and "$" not in image.platform:
        gap = Gap(f"the image is for {image.platform}, where other wheels and images count")
        base = base._replace(cuda=gap, cudnn=gap, libraries=gap)
    cuda, cuda_source, libraries = _cuda(image, base)
    cudnn, cudnn_source = _cudnn(image, base)
    found = _asked(image)
    python = _python(image, base, found)
    tensorflow = _tensorflow(image, base, found, python)
    return Stack(image, base, tensorflow, cuda, cuda_source, libraries, cudnn, cudnn_source, python)


def named(image: Image, *prefixes: str) -> Union[Package, None]:
    """The first package of the system whose name begins so."""
    return next((one for one in image.packages if one.tool == "system" and one.name.startswith(prefixes)), None)


def _cuda(image: Image, base: Contents) -> tuple[Union[CudaVersion, None, Gap], str, Union[bool, Gap]]:
    if any(one.tool == "conda" and one.name in ("cudatoolkit", "cuda-toolkit", "cuda") for one in image.packages):
        gap = Gap("conda brings a CUDA of its own")
        return gap, image.source, gap
    added = [one for one in image.packages if one.tool == "system" and _is_cuda(one.name)]
    doubt = image.marked("cuda")
    unread = _may_bring_cuda(image)
    if not added and unread is not None and base.libraries is not True:
        gap = Gap(f"{unread.source} may bring CUDA: {unread.text}", "not-collected")
        return gap, unread.source, gap
    if not added:
        if doubt is not None and base.libraries is not True:
            gap = Gap(f"{doubt.source} does something with CUDA that gpucheck does not read")
            return gap, doubt.source, gap
        return base.cuda, image.source, base.libraries
    versions = {_cuda_version(one.name) for one in added}
    source = added[0].source
    if base.libraries is True:
        return base.cuda, image.source, True
    if len(versions) == 1 and None not in versions and all(one.certain for one in added):
        return next(iter(versions)), source, Gap(f"which of CUDA's libraries {source} installs is not looked up")
    gap = Gap(f"which CUDA {source} installs is not known")
    return gap, source, gap


def _may_bring_cuda(image: Image) -> Union[Said, None]:
    """An environment of conda, or a script, that is not here. A list of pip's packages brings TensorFlow's own only."""
    for one in image.open:
        words = one.text.split()
        if "conda" in one.text or (words[:1] == ["runs"] and "install" not in words) or ".y" in words[0]:
            return one
    return None


def _is_cuda(name: str) -> bool:
    return name.startswith(("cuda-", "libcublas", "libcufft", "libcusparse")) or name in ("cuda", "nvidia-cuda-toolkit")


def _cuda_version(name: str) -> Union[CudaVersion, None]:
    """12.2 of "cuda-libraries-12-2"."""
    words = name.split("-")
    if len(words) > 2 and words[-1].isdigit() and words[-2].isdigit():
        return CudaVersion(f"{words[-2]}.{words[-1]}")
    return None


def _cudnn(image: Image, base: Contents) -> tuple[Union[tuple[CudnnVersion, ...], None, Gap], str]:
    for one in image.packages:
        if one.name.startswith(("libcudnn", "cudnn")) and one.tool == "system":
            number = one.name.removeprefix("lib").removeprefix("cudnn").split("-")[0]
            if isinstance(one.wanted, str) and one.wanted.startswith("=="):
                return (CudnnVersion(one.wanted[2:]),), one.source
            if number.isdigit():
                return (CudnnVersion(number),), one.source
            return Gap(f"which cuDNN {one.source} installs is not known"), one.source
        if one.name.startswith("nvidia-cudnn") or (one.tool == "conda" and one.name == "cudnn"):
            return Gap(f"{one.source} installs {one.name}: whether it is found there is not known"), one.source
    unread, doubt = _may_bring_cuda(image), image.marked("cudnn")
    if unread is not None and not isinstance(base.cudnn, tuple):
        return Gap(f"{unread.source} may bring cuDNN: {unread.text}", "not-collected"), unread.source
    if doubt is not None and not isinstance(base.cudnn, tuple):
        return Gap(f"{doubt.source} does something with cuDNN that gpucheck does not read"), doubt.source
    return base.cudnn, image.source


def _asked(image: Image) -> list[Package]:
    """Every TensorFlow that is asked for, by pip or conda."""
    return [one for one in image.packages if one.tool != "system" and one.name.rstrip("$") in TENSORFLOWS]


def _python(image: Image, base: Contents, found: list[Package]) -> Union[PythonVersion, None, Gap]:
    """The Python that TensorFlow is installed into."""
    by_pip = [one for one in found if one.tool == "pip" and one.python]
    if by_pip:
        return PythonVersion(by_pip[-1].python)
    conda = [one for one in image.packages if one.tool == "conda" and one.name == "python"]
    if conda and isinstance(conda[-1].wanted, str) and conda[-1].wanted.startswith("=="):
        return PythonVersion(conda[-1].wanted[2:].removesuffix(".*"))
    doubt = image.marked("python")
    if doubt is not None or conda:
        return Gap(f"{doubt.source if doubt else conda[-1].source} may change which Python is used")
    own = [one for one in image.packages if one.tool == "system" and one.name.startswith("python")]
    others = [one for one in own if (one.name[6:7].isdigit() and "." in one.name) or "$" in one.name]
    if others:
        return Gap(f"{others[0].source} installs {others[0].name}: which Python is used is not known")
    if base.python is not None:
        return base.python
    row = images.system(base.system) if base.system else None
    if row is not None and row.python and named(image, "python3", "python-pip") is not None:
        return PythonVersion(row.python)
    if row is not None and row.python and found:
        return Gap("where the Python of this image comes from is not known")
    return None


def _tensorflow(
    image: Image, base: Contents, found: list[Package], python: Union[PythonVersion, None, Gap]
) -> Union[TensorFlow, None, Gap]:
    if not found:
        if isinstance(base.tensorflow, Gap):
            return base.tensorflow
        if image.open:
            what = "is installed" if base.tensorflow is None else "is replaced"
            first = image.open[0]
            return Gap(f"whether TensorFlow {what} is not known: {first.source} {first.text}", "not-collected")
        return None if base.tensorflow is None else _of_base(image, base)
    doubtful = next((one for one in found if not one.certain or one.name.endswith("$")), None)
    if doubtful is not None:
        return Gap(f"{doubtful.source} installs {doubtful.name.rstrip('$')} under a condition, or by an unknown name")
    if len({one.name for one in found}) > 1:
        names = " and ".join(dict.fromkeys(one.name for one in found))
        return Gap(f"{names} are both installed: which one is left is not known")
    pinned = [one for one in found if one.wanted != ""]
    last = pinned[-1] if pinned else found[-1]
    if isinstance(base.tensorflow, BaseTensorFlow) and last.wanted == "":
        return _of_base(image, base)  # pip finds it there
    return _of_package(last, python)


def _of_base(image: Image, base: Contents) -> TensorFlow:
    made = base.tensorflow
    assert made is not None
    assert not isinstance(made, Gap)
    row = of_version("linux", "x86_64", made.version) if made.version and not made.own else None
    label = f"TensorFlow {made.version}" if made.version else "the image's TensorFlow"
    return TensorFlow(label, image.source, None, (row,) if row else (), True, made.gpu, False, made.own)


def _of_package(one: Package, python: Union[PythonVersion, None, Gap]) -> Union[TensorFlow, Gap]:
    if isinstance(one.wanted, Gap):
        return one.wanted
    if one.tool == "conda":
        label = f"conda's {one.name} {one.wanted}".strip()
        return TensorFlow(label, one.source, one, (), False, None, False)
    if one.name in _NIGHTLY:
        return Gap(f"{one.name} is not in gpucheck's table of releases")
    rows = candidates(one)
    exact = one.wanted.startswith("==") and "," not in one.wanted and "*" not in one.wanted
    if exact and not rows and one.name != "tensorflow-gpu":
        return Gap(f"gpucheck's table has no TensorFlow {one.wanted[2:]}")
    doubt = ""
    if isinstance(python, PythonVersion):
        short = f"{python.major}.{python.minor}"
        rows = tuple(row for row in rows if short in row.pythons.split()) or rows
        if (python.major, python.minor) < _FIRST_WITH_NEW_PIP:
            doubt = f"which {one.name} the pip of Python {short} takes is not known: an old pip passes new wheels over"
    else:
        reason = python.reason if isinstance(python, Gap) else "no Python is seen in it"
        doubt = f"which {one.name} pip takes depends on the Python: {reason}"
    cuda, extra = _with_cuda(one, rows), _bundled(one, rows)
    return TensorFlow(
        f"{one.name}{one.wanted}", one.source, one, rows, exact, cuda, extra, doubt="" if exact else doubt
    )


def candidates(one: Package) -> tuple[Release, ...]:
    """The releases that a requirement allows, oldest first."""
    return _allowed(one.name, str(one.wanted))


@cache
def _allowed(name: str, requirement: str) -> tuple[Release, ...]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(requirement)
    except InvalidSpecifier:
        return ()
    found = [row for row in RELEASES if wanted.contains(row.version, prereleases="==" in requirement)]
    if name == "tensorflow-gpu":
        found = [row for row in found if PackageVersion(row.version) <= _LAST_GPU_PACKAGE]
    whole = [row for row in found if final(row)]
    return tuple(whole or found)


def _with_cuda(one: Package, rows: tuple[Release, ...]) -> Union[bool, None]:
    if one.name in _CPU:
        return False
    if one.name == "tensorflow-gpu":
        return True
    # Up to 2.0 CUDA is in tensorflow-gpu; 1.15's tensorflow is told to hold it, too (release notes of 1.15).
    kinds = {None if row.version.startswith("1.15") else row.package == "tensorflow" for row in rows}
    return kinds.pop() if len(kinds) == 1 else None  # of several kinds, where the Python is not known


def _bundled(one: Package, rows: tuple[Release, ...]) -> bool:
    """Does pip bring CUDA's libraries? The extra is there from 2.14 on."""
    return "and-cuda" in one.extras and (not rows or bool(rows[-1].cudnn_wheel))
