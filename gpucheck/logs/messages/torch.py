"""What PyTorch prints of CUDA. Texts of CUDA itself (Error 802 …) are in cuda.py."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.messages.tensorflow import kept
from gpucheck.logs.words import between, said, version_after, word_after

Values = Union[dict[str, str], None]
_INIT = "torch/cuda/__init__.py, 1.0 to 2.9"


def _not_compatible(text: str) -> Values:
    capability = word_after(text, "CUDA capability sm_") or word_after(text, "cuda capability ")
    if capability and capability.isdigit() and len(capability) > 1:
        capability = f"{capability[:-1]}.{capability[-1]}"
    name = text.partition(" with CUDA capability")[0].rpartition("Warning: ")[2].strip()
    return kept(capability=capability, name=name if len(name) < 60 else None)


def _supported(text: str) -> Values:
    """The newest generation that the build has code for: sm_90 of sm_37 sm_50 … sm_90."""
    rest = text.partition("supports CUDA capabilities")[2] or text.partition("cuda capabilities")[2]
    found = [word.strip(".,") for word in rest.split()[:30] if word.startswith("sm_")]
    numbers = [int(word[3:].rstrip("af")) for word in found if word[3:].rstrip("af").isdigit()]
    return (
        {"newest": f"{max(numbers) // 10}.{max(numbers) % 10}", "oldest": f"{min(numbers) // 10}.{min(numbers) % 10}"}
        if numbers
        else None
    )


def _range(text: str) -> Values:
    """ "… is (7.5) - (12.0)" up to 2.9, later a list: "- 9.0 which supports hardware CC >=9.0,<10.0"."""
    if "which supports hardware CC" in text:
        one = text.partition("which supports")[0].strip(" -")
        return {"oldest": one, "newest": one} if one[:1].isdigit() else None
    rest = text.partition("PyTorch is")[2].replace("(", " ").replace(")", " ").split()
    found = [word.rstrip(".") for word in rest if word[:1].isdigit()]
    return {"oldest": found[0], "newest": found[-1]} if found else None


def _memory(text: str) -> Values:
    """CUDA out of memory. Tried to allocate 20 MiB (GPU 0; 7.93 GiB total …; 2.81 GiB already allocated; … free)."""
    total = between(text, "GPU 0; ", " total") or between(text, "total capacity of ", " of which")
    total = total or between(text, "; ", " total capacity")
    free = between(text, "allocated; ", " free") or between(text, "of which ", " is free")
    own = between(text, "free; ", " reserved") or between(text, "free; ", " cached")
    own = own or between(text, "this process has ", " memory in use")
    others = (
        "yes" if "Process " in text and "memory in use" in text.partition("Process ")[2].partition(".")[0] else None
    )
    others = others or ("yes" if "Process " in text and " has " in text.partition("Process ")[2][:30] else None)
    return kept(wanted=between(text, "Tried to allocate ", " ("), total=total, free=free, own=own, others=others)


MESSAGES = (
    Message(
        "torch-without-cuda",
        ("Torch not compiled with CUDA enabled", "not linked with CUDA"),
        said,
        "The PyTorch that is installed is the one for the CPU.",
        look=("python -c 'import torch; print(torch.__version__, torch.version.cuda)'",),
        source=_INIT,
    ),
    Message(
        "torch-version-cpu",
        ("0+cpu", "1+cpu", "2+cpu", "3+cpu"),
        lambda text: {"package": "torch"} if "torch" in text and "+cpu" in text else None,
        "A build of PyTorch for the CPU.",
        source="pip",
    ),
    Message(
        "torch-no-driver",
        ("Found no NVIDIA driver on your system",),
        said,
        "PyTorch found no NVIDIA driver.",
        look=("nvidia-smi",),
        source=_INIT,
    ),
    Message(
        "torch-no-gpus",
        ("No CUDA GPUs are available",),
        said,
        "The driver shows this program no GPU.",
        look=("nvidia-smi -L", "echo $CUDA_VISIBLE_DEVICES"),
        source=_INIT,
    ),
    Message(
        "torch-gpu-not-supported",
        ("is not compatible with the current PyTorch installation",),
        _not_compatible,
        "This PyTorch has no code for this generation of GPU.",
        look=("python -c 'import torch; print(torch.cuda.get_arch_list())'",),
        source=_INIT,
    ),
    Message(
        "torch-architectures",
        ("supports CUDA capabilities", "PyTorch install supports"),
        _supported,
        "The generations that this PyTorch has code for.",
        source=_INIT,
    ),
    Message(
        "torch-found-gpu",
        ("which is of compute capability (CC)", "which is of cuda capability"),
        lambda text: kept(
            capability=version_after(text, "(CC)") or version_after(text, "of cuda capability"),
            name=between(text, "GPU0 ", " which") or between(text, "GPU1 ", " which"),
        ),
        "PyTorch looks at this GPU because it has no code for it.",
        source=_INIT,
    ),
    Message(
        "torch-supported-range",
        ("cuda capability supported by this version of PyTorch", "which supports hardware CC"),
        _range,
        "The generations that this PyTorch has code for.",
        source=_INIT,
    ),
    Message(
        "torch-gpu-too-old",
        ("no longer supports this GPU because it is too old", "minimum cuda capability supported by this library is"),
        lambda text: kept(
            capability=word_after(text, "of cuda capability"),
            minimum_capability=version_after(text, "supported by this library is"),
            name=between(text, "Found GPU0 ", " which"),
        ),
        "This PyTorch no longer has code for this generation of GPU.",
        source=_INIT,
    ),
    Message(
        "torch-device-count-differs",
        ("device < num_gpus INTERNAL ASSERT FAILED",),
        said,
        "PyTorch counted other GPUs than CUDA shows it.",
        look=("nvidia-smi -L", "echo $CUDA_VISIBLE_DEVICES"),
        source="aten/src/ATen/cuda/CUDAContext.cpp, 2.1 to 2.9",
    ),
    Message(
        "torch-out-of-memory",
        ("CUDA out of memory",),
        _memory,
        "The GPU has no memory left for this tensor.",
        look=("nvidia-smi",),
        source="c10/cuda/CUDACachingAllocator.cpp, 0.4 to 2.9",
    ),
    Message(
        "torch-cudnn-mismatch",
        ("cuDNN version incompatibility",),
        said,
        "PyTorch loaded another cuDNN than the one it was built with.",
        look=("echo $LD_LIBRARY_PATH",),
        source="torch/backends/cudnn/__init__.py, 1.12 to 2.9",
    ),
)
