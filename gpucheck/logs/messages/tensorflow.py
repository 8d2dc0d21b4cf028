"""What TensorFlow's own C++ and Python print. (L1's small example: L2 owns this file from here.)"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.words import said, word_after


def _device(text: str) -> Union[dict[str, str], None]:
    if "GPU:" not in text:  # "Created device /job:localhost/…/device:CPU:0" is another thing
        return None
    values = {"device": f"GPU:{text.partition('GPU:')[2].partition(' ')[0]}"}
    capability = word_after(text, "compute capability:")
    return {**values, "capability": capability} if capability else values


def _cuinit(text: str) -> Union[dict[str, str], None]:
    error = word_after(text, "failed call to cuInit:")
    return {"error": error} if error else None


MESSAGES = (
    Message(
        "gpu-device-created",
        ("Created device /job", "Created TensorFlow device (/"),
        _device,
        "TensorFlow made a device for this GPU: the driver and the CUDA libraries work, and it computes there.",
        source="tensorflow/core/common_runtime/gpu/gpu_device.cc, 1.0 to 2.21",
    ),
    Message(
        "cuinit-failed",
        ("failed call to cuInit",),
        _cuinit,
        "The driver refused to start CUDA for this program, with the error that is named.",
        look=("nvidia-smi -L", "echo $CUDA_VISIBLE_DEVICES"),
        source="xla/stream_executor/cuda/cuda_executor.cc and its forerunners, TensorFlow 0.6 to 2.21",
    ),
    Message(
        "tensorrt-not-found",
        ("TF-TRT Warning: Could not find TensorRT", "Could not find TensorRT"),
        said,
        "TensorRT, which is optional, is not installed.",
        harmless="TensorFlow uses a GPU without TensorRT.",
        source="tensorflow/compiler/tf2tensorrt/utils/py_utils.cc, 2.9 to 2.19",
    ),
)
