"""What an image holds by its name and tag alone. Documented conventions only: every other image is a gap."""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.compat import images
from gpucheck.compat.releases import of_version
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import CudaVersion, CudnnVersion, LibcVersion, PythonVersion


class BaseTensorFlow(NamedTuple):
    """A TensorFlow that comes with the image. gpu: a build with CUDA. own: NVIDIA's own build."""

    version: Union[str, None]  # None: not told by the tag
    gpu: bool
    own: bool


class Contents(NamedTuple):
    """What is in an image. None: not there. A gap: not known.

    cuda: the system's CUDA. libraries: are cuBLAS and its like there, or libcudart alone? cudnn: the least and the most
    that the tag may stand for. system: in words. nvidia: does it set NVIDIA_VISIBLE_DEVICES? driver: what its
    publisher says that the host needs. gpu: is it an image for GPUs?
    """

    cuda: Union[CudaVersion, None, Gap]
    libraries: Union[bool, Gap]
    cudnn: Union[tuple[CudnnVersion, ...], None, Gap]
    system: str
    libc: Union[LibcVersion, None, Gap]
    python: Union[PythonVersion, None, Gap]
    tensorflow: Union[BaseTensorFlow, None, Gap]
    nvidia: Union[bool, Gap]
    gpu: Union[bool, Gap]
    driver: str = ""
    source: str = ""


# Docker's own registry by its other names, and two that mirror it under the same names.
_DOCKER = ("docker.io/", "index.docker.io/", "registry-1.docker.io/", "mirror.gcr.io/", "public.ecr.aws/docker/")


def split(reference: str) -> tuple[str, str]:
    """(name, tag) of "docker.io/nvidia/cuda:12.2.2-base@sha256:…", without Docker's own registry."""
    plain = reference.strip().split("@", 1)[0]
    head, colon, tag = plain.rpartition(":")
    if not colon or "/" in tag:
        head, tag = plain, ""
    for prefix in (
        "docker.io/",
        "index.docker.io/",
        "registry-1.docker.io/",
        "mirror.gcr.io/",
        "public.ecr.aws/docker/",
    ):
        head = head.removeprefix(prefix)
    return head.removeprefix("library/").lower(), tag


def contents(reference: Union[str, Gap]) -> Contents:
    """What is known of an image."""
    if isinstance(reference, Gap):
        return unknown(reference)
    name, tag = split(reference)
    if "@" in reference and not tag:
        return unknown(Gap(f"{reference.split('@')[0]} is named by a digest, which tells nothing of what is in it"))
    if name in ("nvidia/cuda", "nvcr.io/nvidia/cuda"):
        return _cuda(reference, tag)
    if name == "tensorflow/tensorflow":
        return _tensorflow(reference, tag)
    if name == "tensorflow/serving":
        gap = Gap(f"what {reference} holds is not told by its tag")
        return unknown(gap)._replace(gpu="gpu" in tag, tensorflow=BaseTensorFlow(None, "gpu" in tag, True))
    if name == "nvcr.io/nvidia/tensorflow":
        return _ngc(reference, tag)
    if name in ("pytorch/pytorch", "nvcr.io/nvidia/pytorch", "nvcr.io/nvidia/jax"):
        gap = Gap(f"the CUDA in {reference} is its framework's own")
        return unknown(gap)._replace(gpu="cpu" not in tag, tensorflow=None)
    if name == "python":
        return _python(reference, tag)
    if name in images.CONDA:
        gap = Gap(f"the Python in {reference} is not told by its tag")
        return _nothing()._replace(libc=gap, python=gap)
    if name in images.PLAIN:
        return _nothing()._replace(libc=Gap(f"the system of {reference} is not told by its tag"), python=None)
    return _system(reference, name, tag)


def unknown(gap: Gap) -> Contents:
    """An image of which nothing is known."""
    return Contents(gap, gap, gap, "", gap, gap, gap, gap, gap)


def _nothing() -> Contents:
    """No CUDA and no TensorFlow; the rest is to be filled in."""
    gap = Gap("not told")
    return Contents(None, False, None, "", gap, gap, None, False, False)


def _of_system(base: Contents, tag: str, reference: str) -> Contents:
    row = images.system(tag)
    if row is None:
        gap = Gap(f"the system of {reference} is not told by its tag")
        return base._replace(libc=gap, python=gap if isinstance(base.python, Gap) else base.python)
    libc = LibcVersion(row.glibc) if row.glibc else None
    return base._replace(libc=libc, system=row.names[0] if row.glibc else "Alpine Linux (musl)")


def _cuda(reference: str, tag: str) -> Contents:
    words = tag.lower().split("-")
    if not words[0].replace(".", "").isdigit() or "." not in words[0]:
        return unknown(Gap(f"the tag of {reference} tells no CUDA version"))._replace(
            gpu=True, nvidia=True, tensorflow=None
        )
    said = next((word for word in words if word.startswith("cudnn")), "")
    # nvidia/cuda:10.0 alone is the same as 10.0-devel; older tags without a flavour hold the libraries, too.
    flavour = next((word for word in words if word in ("base", "runtime", "devel")), "devel")
    rows = images.cudnn_of(words[0], said) if said else ()
    cudnn: Union[tuple[CudnnVersion, ...], None, Gap] = None
    if rows:
        cudnn = (CudnnVersion(min(rows, key=_least).least), CudnnVersion(max(rows, key=_most).most))
    elif said.removeprefix("cudnn").isdigit():
        cudnn = (CudnnVersion(said.removeprefix("cudnn")),)
    elif said:
        cudnn = Gap(f"which cuDNN is in {reference} is not in gpucheck's table")
    base = Contents(CudaVersion(words[0]), flavour != "base", cudnn, "", Gap(""), Gap(""), None, True, True)
    made = _of_system(base, tag, reference)
    row = images.system(tag)
    python = Gap(f"which Python {reference} gets is not told by its tag")
    source = rows[0].source if rows else images.DIST
    return made._replace(python=python if row is None or not row.python else None, source=source)


def _least(row: images.CudaImage) -> tuple[int, ...]:
    return CudnnVersion(row.least).parts


def _most(row: images.CudaImage) -> tuple[int, ...]:
    return CudnnVersion(row.most).parts


def _tensorflow(reference: str, tag: str) -> Contents:
    words = tag.lower().split("-")
    gpu = "gpu" in words
    version = words[0] if words[0].replace(".post", ".").replace(".", "").isdigit() and "." in words[0] else None
    row = of_version("linux", "x86_64", version) if version else None
    gap = Gap(f"the tag of {reference} tells no TensorFlow version that gpucheck's table has")
    python = Gap(f"which Python is in {reference} is not told by its tag")
    cuda = CudaVersion(row.cuda) if row and row.cuda else gap
    cudnn: Union[tuple[CudnnVersion, ...], Gap] = (CudnnVersion(row.cudnn),) if row and row.cudnn else gap
    tensorflow = BaseTensorFlow(version, gpu, False)
    if not gpu:
        return Contents(None, False, None, "", gap, python, tensorflow, False, False)
    return Contents(cuda, True, cudnn, "", gap, python, tensorflow, True, True, source="hub.docker.com/r/tensorflow")


def _ngc(reference: str, tag: str) -> Contents:
    row = images.ngc(tag[:5])
    gap = Gap(f"gpucheck's table has no row for {reference}")
    cudnn = (CudnnVersion(row.cudnn),) if row and row.cudnn else gap
    python = PythonVersion(row.python) if row and row.python else gap
    cuda = CudaVersion(row.cuda) if row else gap
    tensorflow = BaseTensorFlow(None, True, True)
    source = row.source if row else ""
    return Contents(cuda, True, cudnn, "", gap, python, tensorflow, True, True, row.driver if row else "", source)


def _python(reference: str, tag: str) -> Contents:
    number = tag.split("-", maxsplit=1)[0]
    parts = number.split(".")
    known = len(parts) > 1 and all(part.isdigit() for part in parts[:2])
    gap = Gap(f"which Python {reference} is, its tag does not tell")
    made = _of_system(_nothing(), tag, reference)
    return made._replace(python=PythonVersion(".".join(parts[:2])) if known else gap)


def _system(reference: str, name: str, tag: str) -> Contents:
    short = name.rsplit("/", 1)[-1]
    # ubuntu:22.04, debian:bookworm-slim, rockylinux:9, registry.access.redhat.com/ubi9/ubi
    guess = {"ubuntu": f"ubuntu{tag[:5]}", "centos": f"centos{tag.removeprefix('centos')[:1]}"}.get(short, "")
    if name in ("rockylinux", "almalinux", "rockylinux/rockylinux"):
        guess = f"{short}{tag[:1]}"
    if name == "debian" and tag[:1].isdigit():
        guess = f"debian{tag.split('.', maxsplit=1)[0].split('-', maxsplit=1)[0]}"
    if name.startswith("registry.access.redhat.com/ubi"):
        guess = name.split("/")[1][:4]
    if name in ("ubuntu", "centos", "debian", "rockylinux", "almalinux", "rockylinux/rockylinux") or guess[:3] == "ubi":
        row = images.system(f"{guess}-{tag}")
        if row is not None:
            return _nothing()._replace(libc=LibcVersion(row.glibc), python=None, system=row.names[0])
        gap = Gap(f"which release {reference} is, its tag does not tell")
        return _nothing()._replace(libc=gap, python=gap)
    if name == "alpine":
        return _nothing()._replace(libc=None, python=None, system="Alpine Linux (musl)")
    return unknown(Gap(f"what is in the image {reference} is not known", "not-collected"))
