"""What conda, mamba and micromamba print. Wording: conda 4.6 to 25 (conda/exceptions.py), mamba 1 and 2 (libsolv)."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.pip import package_of
from gpucheck.logs.words import said, word_after

_CONDA = "conda/conda 4.6 to 25; mamba-org/mamba 1 and 2"

Values = Union[dict[str, str], None]


def _needs_cuda(text: str) -> Values:
    """nothing provides __cuda needed by tensorflow-2.11.0-cuda112py310he87a039_0"""
    package = word_after(text, "needed by ")
    return {"package": package_of(package.partition("-")[0]), "build": package} if package else {}


def _virtual(text: str) -> Values:
    """`conda info`: ``__cuda=12.2=0``; also the list of virtual packages in an error."""
    version = word_after(text, "__cuda==") or word_after(text, "__cuda=")
    return {"cuda": version.partition("=")[0]} if version and version[:1].isdigit() else None


def _build(text: str) -> Values:
    """A build in conda's lists and plans: ``tensorflow-2.10.0-mkl_py310…``, ``tensorflow 2.7.0 cpu_py39…``"""
    at = text.find("tensorflow")
    words = text[at : at + 160].replace("::", " ").replace("=", " ").split() if at >= 0 else []
    if not words or not words[0].startswith(("tensorflow", "tensorflow-base")):
        return None
    parts = [*words[0].replace("tensorflow-base", "tensorflow_base").split("-"), *words[1:]][:3]
    if len(parts) < 3 or not parts[1][:1].isdigit() or "_" not in parts[2]:
        return None
    kind = parts[2].partition("_")[0].rstrip("0123456789")
    if "py" in kind:
        kind = kind.partition("py")[0].rstrip("0123456789")
    if kind not in ("mkl", "eigen", "cpu", "cuda", "gpu"):
        return None
    return {"package": "tensorflow", "version": parts[1], "build": parts[2].rstrip(",)"), "kind": kind}


MESSAGES = (
    Message(
        "conda-cuda-not-there",
        ("nothing provides __cuda", "- __cuda", "feature:/linux-64::__cuda", "package __cuda", "missing __cuda"),
        _needs_cuda,
        "A GPU build asks for the virtual package __cuda, which conda has only where it sees an NVIDIA driver.",
        look=("conda info | grep __cuda", "CONDA_OVERRIDE_CUDA=12.4 conda install …"),
        source=_CONDA,
    ),
    Message(
        "conda-virtual-cuda",
        ("__cuda=",),
        _virtual,
        "conda sees an NVIDIA driver that offers this CUDA.",
        source=f"{_CONDA} (conda info)",
    ),
    Message(
        "conda-tensorflow-build",
        ("tensorflow-base", "tensorflow ", "/tensorflow-", "tensorflow-2.", "tensorflow-1.", "::tensorflow"),
        _build,
        "conda's build of TensorFlow; its build string says cuda or gpu, or of a CPU build mkl, eigen, cpu.",
        look=("conda list tensorflow",),
        source="build strings of defaults and conda-forge, 1.8 to 2.19",
    ),
    Message(
        "conda-not-found",
        ("PackagesNotFoundError", "ResolvePackageNotFound"),
        said,
        "The channels that conda asks have no such package for this system.",
        source=_CONDA,
    ),
    Message(
        "conda-unsatisfiable",
        ("LibMambaUnsatisfiableError", "UnsatisfiableError", "Encountered problems while solving"),
        said,
        "No choice of builds satisfies all that is asked for; the lines after it name who asks for what.",
        source=_CONDA,
    ),
)  # fmt: skip
