"""What NCCL prints. Wording: NVIDIA/nccl 2.4 to 2.32 (src/init.cc, src/transport, src/misc), and PyTorch's wrapper."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.codes import table
from gpucheck.logs.messages import Message
from gpucheck.logs.words import between, said, version_after

_NCCL = "NVIDIA/nccl 2.4 to 2.32"

Values = Union[dict[str, str], None]
# PyTorch and NCCL print a sentence for each code: ncclGetErrorString.
_WORDS = {
    "unhandled cuda error": "ncclUnhandledCudaError",
    "unhandled system error": "ncclSystemError",
    "internal error": "ncclInternalError",
    "invalid argument": "ncclInvalidArgument",
    "invalid usage": "ncclInvalidUsage",
    "remote process exited or there was a network error": "ncclRemoteError",
}


def _code(text: str) -> Values:
    name = next((code.name for code in table("nccl") if code.number and code.name in text), None)
    name = name or next((name for words, name in _WORDS.items() if words in text.lower()), None)
    version = version_after(text, "NCCL version")
    return {"error": name, **({"nccl": version} if version else {})} if name and name != "ncclInProgress" else None


def _cuda(text: str) -> Values:
    error = between(text, "Cuda failure '", "'") or text.partition("Cuda failure ")[2].strip()[:60]
    return {"error": error} if error else {}


MESSAGES = (
    Message(
        "nccl-error",
        ("ncclUnhandledCudaError", "ncclSystemError", "ncclInternalError", "ncclInvalidArgument", "ncclInvalidUsage",
         "ncclRemoteError", "NCCL error in:", "NCCL Error ", "NCCL failure"),
        _code,
        "A step of the communication between GPUs failed.",
        look=("NCCL_DEBUG=INFO python your_script.py",),
        source=f"{_NCCL} (nccl.h); torch/csrc/cuda/nccl.cpp",
    ),
    Message(
        "nccl-cuda-failure",
        ("NCCL WARN Cuda failure",),
        _cuda,
        "A call of CUDA failed inside NCCL; the words are CUDA's.",
        look=("nvidia-smi",),
        source=_NCCL,
    ),
    Message(
        "nccl-duplicate-gpu",
        ("Duplicate GPU detected",),
        said,
        "Two processes took the same GPU: each needs its own.",
        look=("echo $CUDA_VISIBLE_DEVICES", "# torch.cuda.set_device(local_rank)"),
        source=_NCCL,
    ),
    Message(
        "nccl-shared-memory",
        ("Error while creating shared memory segment", "Call to posix_fallocate failed",
         "unable to allocate shared memory"),
        said,
        "NCCL wants shared memory, and /dev/shm is too small: Docker gives a container 64 MB.",
        look=("df -h /dev/shm", "docker run --shm-size=1g --gpus all …"),
        source=_NCCL,
    ),
    Message(
        "nccl-no-interface",
        ("Bootstrap : no socket interface found", "no interface found", "NET/Socket : No interface found"),
        said,
        "NCCL found no network interface under the name that it was given.",
        look=("ip -br addr", "echo $NCCL_SOCKET_IFNAME"),
        source=_NCCL,
    ),
    Message(
        "nccl-timeout",
        ("Watchdog caught collective operation timeout", "collective operation timeout"),
        said,
        "A process waited too long for the others: one of them hangs, crashed, or does other work.",
        source="pytorch/pytorch torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp",
    ),
    Message(
        "nccl-no-plugin",
        ("No plugin found (libnccl-net.so)", "libnccl-net.so: cannot open", "Could not find: libnccl-net"),
        said,
        "NCCL looked for a network plugin, which is optional.",
        harmless="Without a plugin NCCL uses its own sockets and InfiniBand.",
        source=_NCCL,
    ),
)  # fmt: skip
