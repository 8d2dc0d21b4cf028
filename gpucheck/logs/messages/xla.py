"""What XLA's compiler prints, in TensorFlow and JAX: libdevice, ptxas, PTX."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.tensorflow import kept
from gpucheck.logs.words import said, version_after, word_after

Values = Union[dict[str, str], None]
_ASM = "stream_executor/gpu/asm_compiler.cc, 1.13 to 2.21; jaxlib"


def _version_of_ptx(text: str) -> Values:
    return kept(wanted=version_after(text, "Unsupported .version"), has=version_after(text, "current version is"))


def _older(text: str) -> Values:
    used, least = (
        version_after(text, "using ptxas"),
        version_after(text, "older than") or word_after(text, "requires ptxas"),
    )
    return kept(ptxas=used, least=least) if used else None


MESSAGES = (
    Message(
        "libdevice-folder-not-found",
        ("find libdevice directory",),
        said,
        "XLA found no folder with libdevice.10.bc; what needs it will fail.",
        look=("find / -name libdevice.10.bc 2>/dev/null", "echo $XLA_FLAGS"),
        source="xla/service/gpu/llvm_gpu_backend/nvptx_utils.cc and its forerunners, 1.14 to 2.21",
    ),
    Message(
        "libdevice-not-found",
        (
            "libdevice not found at",
            "libdevice is required by this HLO module",
            "libdevice.10.bc not found",
            "not find libdevice",
        ),
        said,
        "XLA found no libdevice.10.bc, the part of CUDA's toolkit that its code is linked with.",
        look=("find / -name libdevice.10.bc 2>/dev/null", "echo $XLA_FLAGS"),
        source="xla/service/gpu/llvm_gpu_backend/nvptx_backend.cc and its forerunners, 1.14 to 2.21",
    ),
    Message(
        "ptxas-too-old-for-gpu",
        ("ptxas does not support CC", "ptxas too old", "defined for option gpu-name", "is not defined for option"),
        lambda text: kept(capability=version_after(text, "support CC")) if "ptxas" in text else None,
        "The ptxas that comes first on PATH is older than this generation of GPU.",
        look=("which -a ptxas", "ptxas --version"),
        source=_ASM,
    ),
    Message(
        "ptxas-version",
        ("You are using ptxas", "are using ptxas"),
        _older,
        "The ptxas that comes first on PATH is old.",
        look=("which -a ptxas", "ptxas --version"),
        source=_ASM,
    ),
    Message(
        "ptx-version-unsupported",
        ("Unsupported .version",),
        _version_of_ptx,
        "The ptxas that was run is older than the PTX that it was given.",
        look=("which -a ptxas", "ptxas --version"),
        source="ptxas itself",
    ),
    Message(
        "ptxas-failed",
        (
            "ptxas returned an error during compilation",
            "ptxas exited with non-zero",
        ),
        said,
        "ptxas failed.",
        look=("which -a ptxas", "ptxas --version", "df -h /tmp"),
        source="xla/service/gpu/nvptx_compiler.cc, 1.14 to 2.21",
    ),
    Message(
        "ptxas-has-a-bug",
        ("has a bug that we think can affect XLA",),
        lambda text: kept(ptxas=word_after(text, "ptxas ")) or None,
        "XLA refuses this release of ptxas.",
        look=("which -a ptxas", "ptxas --version"),
        source="xla/stream_executor/cuda/subprocess_compilation.cc, 2.16 to 2.21",
    ),
    Message(
        "ptxas-not-invoked",
        (
            "invoke ptxas",
            "find ptxas binary",
            "get ptxas version",
            "get ptxas/nvlink version",
            "Failed to launch ptxas",
        ),
        said,
        "There is no ptxas on PATH; the driver compiles in its place.",
        harmless="the driver compiles PTX as well, unless an error follows.",
        source=_ASM,
    ),
    Message(
        "driver-compiles-ptx",
        (
            "Relying on driver to perform ptx compilation",
            "Falling back to the driver to compile",
            "Falling back to compilation by driver",
        ),
        said,
        "PTX is compiled by the driver, not by ptxas.",
        harmless="the driver compiles PTX as well, only a little slower.",
        source=_ASM,
    ),
    Message(
        "driver-older-than-ptx-compiler",
        ("XLA is disabling parallel compilation", "which is older than the PTX compiler version"),
        said,
        "The driver's CUDA is older than ptxas.",
        harmless="XLA compiles one kernel after another, which takes longer and changes nothing else.",
        source="xla/service/gpu/nvptx_compiler.cc, 2.16 to 2.21; jaxlib",
    ),
    Message(
        "no-ptx-compiler",
        ("No PTX compilation provider is available",),
        said,
        "XLA has neither ptxas nor another compiler for PTX.",
        look=("which -a ptxas",),
        source="xla/stream_executor/cuda/compilation_provider, 2.19 to 2.21; jaxlib 0.5 and later",
    ),
)
