"""What JAX prints about its backends."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.tensorflow import kept
from gpucheck.logs.words import said, word_after

Values = Union[dict[str, str], None]
_BRIDGE = "jax/_src/xla_bridge.py"


def _backend(text: str) -> Values:
    """Other backends than CUDA's are tried at every start."""
    name = text.partition("initialize backend")[2][:12].lower()
    return {} if not any(one in name for one in ("cuda", "gpu")) else None


def _no_platform(text: str) -> Values:
    wanted = text.lower().partition("platform names are")[0]  # what follows is what there is
    return {} if "cuda" in wanted or "gpu" in wanted else None


def _parts(text: str) -> Values:
    """JAX looks for the TPU's parts at every start; a jaxlib for the CPU lacks the GPU's allocator."""
    if "tpu" in text or "GpuAllocatorConfig" in text:
        return None
    return {} if "has no attribute" in text or "cannot import name" in text else None


def _older(text: str) -> Values:
    return kept(library=word_after(text, "Found "), found=word_after(text, "version "))


MESSAGES = (
    Message(
        "jaxlib-without-cuda",
        ("a CUDA-enabled jaxlib is not installed", "but a CUDA-enabled jaxlib", "no attribute 'GpuAllocatorConfig'"),
        lambda text: {} if "'rocm'" not in text else None,
        "The jaxlib that is installed is the one for the CPU.",
        look=("pip list | grep -i jax",),
        source=f"{_BRIDGE}, 0.4.14 and later",
    ),
    Message(
        "jax-platform-missing",
        ("find registered platform with name", "Unknown backend", "NOT_FOUND: Could not find registered platform"),
        _no_platform,
        "This jaxlib knows no CUDA: it is the one for the CPU, or its CUDA plug-in is missing.",
        look=("pip list | grep -i jax",),
        source=f"{_BRIDGE}, 0.2 to 0.7",
    ),
    Message(
        "jax-plugin-failed",
        ("Jax plugin configuration error", "Exception when calling jax_plugins."),
        said,
        "JAX's CUDA plug-in is installed and did not start; the end of the traceback below it says why.",
        look=("pip list | grep -i jax",),
        source=f"{_BRIDGE}, 0.4.20 and later",
    ),
    Message(
        "jax-parts-differ",
        (
            "module 'jaxlib.",
            "module 'jax._src.lib",
            "from 'jax._src.lib",
            "from 'jaxlib",
            "from 'jax._src",
            "module 'jax._src",
        ),
        _parts,
        "jax, jaxlib and the CUDA plug-in are of versions that do not belong together.",
        look=("pip list | grep -i jax",),
        source="Python, of jax_plugins/xla_cuda12/__init__.py and jax/_src/lib",
    ),
    Message(
        "jax-library-too-old",
        ("but JAX was built against version",),
        lambda text: _older(text) if "cuDNN" not in text else None,
        "One of CUDA's libraries is older than the one that JAX was built with.",
        look=("pip list | grep -i nvidia", "echo $LD_LIBRARY_PATH"),
        source=f"{_BRIDGE}, 0.4.14 to 0.4.30",
    ),
    Message(
        "jax-no-gpu-falling-back",
        ("No GPU/TPU found, falling back to CPU",),
        said,
        "JAX computes on the CPU.",
        look=("pip list | grep -i jax", "nvidia-smi"),
        source=f"{_BRIDGE}, 0.1 to 0.4.14",
    ),
    Message(
        "jax-other-backend",
        ("Unable to initialize backend",),
        _backend,
        "JAX tries every backend that it knows (TPU, ROCm, Metal …).",
        harmless="it concerns a backend other than CUDA's.",
        source=f"{_BRIDGE}, 0.2 and later",
    ),
    Message(
        "jax-cudnn-not-loaded",
        ("Unable to load cuDNN",),
        said,
        "JAX's cuDNN did not load.",
        look=("pip list | grep -i cudnn", "echo $LD_LIBRARY_PATH"),
        source=f"{_BRIDGE}, 0.4.9 and later",
    ),
    Message(
        "jax-library-not-loaded",
        (
            "Unable to load CUDA. Is it",
            "Unable to load cuSPARSE",
            "Unable to load cuBLAS",
            "Unable to load cuSOLVER",
            "Unable to load cuFFT",
            "Unable to load CUPTI",
        ),
        said,
        "One of CUDA's libraries did not load.",
        look=("pip list | grep -i nvidia", "echo $LD_LIBRARY_PATH"),
        source=f"{_BRIDGE}, 0.4.9 and later",
    ),
    Message(
        "jax-no-supported-device",
        ("no supported devices found for platform CUDA",),
        said,
        "CUDA started and JAX could use no GPU: most often no memory was left for it.",
        look=("nvidia-smi",),
        source=f"{_BRIDGE}, 0.4 and later",
    ),
    Message(
        "jax-outdated-component",
        ("Outdated CU", "Outdated cu"),
        lambda text: {} if "installation found" in text and "cuDNN" not in text else None,
        "One of CUDA's libraries is older than the one that JAX was built with.",
        look=("pip list | grep -i nvidia", "echo $LD_LIBRARY_PATH"),
        source="jax_plugins/xla_cuda12/__init__.py, 0.4.31 and later",
    ),
    Message(
        "jax-no-visible-gpu",
        ("FAILED_PRECONDITION: No visible GPU devices", "No visible GPU devices"),
        said,
        "CUDA started and shows JAX no GPU.",
        look=("nvidia-smi -L", "echo $CUDA_VISIBLE_DEVICES"),
        source="xla/pjrt/gpu, 0.4 and later",
    ),
)
