"""Names on the index that are never installed: stubs, placeholders, forks that spoil a TensorFlow. Look-up only.

Each was seen on the index; what replaces it is in the row.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Union

_INDEX = "its summary and files on the index (2026-11-23)"
_STUB = "a package of NVIDIA's that only warns that it is the wrong one"


class Refusal(NamedTuple):
    """name: normalised. why: a clause without its subject. instead: what to ask for, in words."""

    name: str
    why: str
    instead: str
    source: str


REFUSED: tuple[Refusal, ...] = (
    Refusal(
        "tensorflow-gpu",
        "ended: 2.12.0 is a stub that fails to install, and since 2.1 tensorflow itself holds CUDA",
        "tensorflow (up to 2.0, for tensorflow==VERSION, gpucheck takes the CUDA build from tensorflow-gpu itself)",
        "files on the index; K17",
    ),
    Refusal(
        "tf-nightly-gpu",
        "was removed from the index: its last version is a stub that fails to install",
        "tensorflow; nightly builds are tf-nightly, which gpucheck does not install",
        _INDEX,
    ),
    Refusal(
        "tf-nightly",
        "is a build of one night that depends on keras-nightly and unpacks into TensorFlow's own folder",
        "tensorflow",
        "METADATA; K20",
    ),
    Refusal(
        "tensorflow-cuda13",
        "is a placeholder without any code (0.0.1rc1, a wheel of 1,796 bytes)",
        "tensorflow: no release is built with CUDA 13 yet",
        _INDEX,
    ),
    Refusal(
        "tf-gpu",
        "is a stranger's build of TensorFlow that unpacks into TensorFlow's own folder; it ended with 2.11 in 2023",
        "tensorflow",
        _INDEX,
    ),
    Refusal("tensorflow-gpu-optimized", "is a placeholder of another company", "tensorflow", _INDEX),
    Refusal("tensorflow-optimized", "is a placeholder of another company", "tensorflow", _INDEX),
    Refusal(
        "nvidia-tensorflow",
        f"is {_STUB}; the real one (TensorFlow 1.15) came from an index that is gone",
        "tensorflow, or NVIDIA's container (nvcr.io/nvidia/tensorflow)",
        f"{_INDEX}; NVIDIA/tensorflow#98",
    ),
    Refusal("nvidia-tensorflow-estimator", f"is {_STUB}", "tensorflow", _INDEX),
    Refusal("nvidia-tensorboard", f"is {_STUB}", "tensorboard", _INDEX),
    Refusal(
        "nvidia-pyindex",
        "writes a global pip.conf that points at an index which is gone, and stays there when it is uninstalled",
        "nothing: NVIDIA's libraries are on the index itself",
        "NVIDIA/tensorflow#98; pypa/pip#11981",
    ),
    Refusal("nvidia-cudnn", f"is {_STUB}", "nothing: TensorFlow brings the cuDNN that it needs", _INDEX),
    Refusal("nvidia-nccl", f"is {_STUB}", "nothing: TensorFlow brings the NCCL that it needs", _INDEX),
    Refusal(
        "nvidia-tensorrt",
        "is superseded, and no TensorFlow from 2.15.1 on asks for TensorRT",
        "tensorrt, by hand, where you build engines yourself",
        f"{_INDEX}; METADATA",
    ),
    Refusal(
        "theano",
        "ended: its developers stopped, and Keras dropped it as a backend with 2.4",
        "pytensor, which continues it (by way of Aesara); Keras' backends today are TensorFlow, JAX and PyTorch",
        "github.com/Theano/Theano; Keras 2.4's and 3's release notes",
    ),
    Refusal(
        "cntk",
        "ended with 2.7 in 2019, and Keras dropped it as a backend with 2.4",
        "Keras' backends today: TensorFlow, JAX and PyTorch",
        f"{_INDEX}; Keras 2.4's release notes",
    ),
    Refusal(
        "gpucheck",
        "is another project of that name (tests for GPU kernels)",
        "gpucheck-cli, if you mean this program",
        _INDEX,
    ),
    Refusal(
        "keras-gpu",
        "is a package of conda's alone: Keras needs no build for GPUs",
        "nothing: TensorFlow brings the Keras that fits",
        "not in the list of the index's packages (2026-11-23)",
    ),
    Refusal(
        "keras-nightly",
        "unpacks into Keras' own folder",
        "nothing: TensorFlow brings the Keras that fits",
        "METADATA of 2.22.0rc0; K20",
    ),
    Refusal(
        "tensorflow-directml-plugin",
        "asks for tensorflow-cpu==2.10.0 exactly, and has been paused since 2023",
        "WSL2, where TensorFlow uses NVIDIA's GPUs",
        "METADATA; tensorflow/docs gpu_plugins.md",
    ),
    Refusal("tensorflow-rocm", "is for AMD's GPUs and unpacks into TensorFlow's own folder", "tensorflow", _INDEX),
    Refusal(
        "tensorflow-intel",
        "is what tensorflow itself pulled in on Windows up to 2.18.0, and unpacks into TensorFlow's own folder",
        "tensorflow",
        "METADATA; K23",
    ),
    Refusal(
        "intel-tensorflow",
        "is a CPU build that ended with 2.14 and unpacks into TensorFlow's own folder",
        "tensorflow (oneDNN is in it)",
        _INDEX,
    ),
    Refusal("sklearn", "is a deprecated stub", "scikit-learn", _INDEX),
)

# Names of conda's and of NVIDIA's installers that are not on the index.
_OF_CONDA = ("cudatoolkit", "cudnn", "cuda", "tensorflow-base")
# nvidia-cublas-cu110 to -cu116 and the like; the real ones end in -cu11, -cu12 or -cu13.
_FAKE = re.compile(r"nvidia-[a-z0-9-]+-cu11[0-9]")


def find(name: str) -> Union[Refusal, None]:
    """Why a distribution of this (normalised) name is not installed; None: nothing is known against it."""
    row = next((row for row in REFUSED if row.name == name), None)
    if row is not None:
        return row
    if name in _OF_CONDA:
        why = "is conda's or NVIDIA's name for what TensorFlow brings itself, or needs from the system"
        return Refusal(name, why, "nothing: the plan says which CUDA and cuDNN are needed", "tensorflow/docs pip.md")
    if _FAKE.fullmatch(name):
        return Refusal(name, f"is {_STUB}", "nothing: TensorFlow brings CUDA's libraries", _INDEX)
    return None
