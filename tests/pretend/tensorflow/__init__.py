"""A pretended TensorFlow with faults on demand: what a broken GPU does cannot be had on a machine without one.

PRETEND_GPUS: how many it lists. PRETEND: "WHERE=FAULT" words; WHERE is import, devices or GPU:0/conv2d; FAULT is raise,
crash, hang, wrong, nan, cpu (computed elsewhere than asked for).
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from numpy import Numbers

__version__ = "2.99.0"
_FAULTS = dict(word.split("=") for word in os.environ.get("PRETEND", "").split())
_at = "CPU:0"


def _fault(where: str) -> str:
    fault = _FAULTS.get(where, "")
    if fault == "raise":
        raise RuntimeError(f"pretended trouble in {where}")
    if fault == "crash":
        os.kill(os.getpid(), 11)
    if fault == "hang":
        time.sleep(600)
    return fault


class _Tensor:
    def __init__(self, numbers: Any, device: str) -> None:
        self._numbers, self.device = numbers, f"/job:localhost/replica:0/task:0/device:{device}"

    def numpy(self) -> Any:
        return self._numbers


def _compute(operation: str, left: _Tensor) -> _Tensor:
    fault = _fault(f"{_at}/{operation}")
    numbers = left.numpy()
    if fault == "wrong":
        numbers = Numbers(one * 1.5 for one in numbers)
    if fault == "nan":
        numbers = Numbers([float("nan"), *numbers[1:]])
    return _Tensor(numbers, "CPU:0" if fault == "cpu" else _at)


@contextlib.contextmanager
def device(name: str) -> Iterator[None]:
    global _at  # noqa: PLW0603
    before, _at = _at, name.lstrip("/")
    try:
        yield
    finally:
        _at = before


def constant(numbers: Any) -> _Tensor:
    return _Tensor(numbers, _at)


def matmul(left: _Tensor, _right: _Tensor) -> _Tensor:
    return _compute("matmul", left)


class nn:
    @staticmethod
    def conv2d(left: _Tensor, _right: _Tensor, strides: int, padding: str) -> _Tensor:
        return _compute("conv2d", left)


class test:
    @staticmethod
    def is_built_with_cuda() -> bool:
        return True


class _Device:
    def __init__(self, number: int) -> None:
        self.name = f"/physical_device:GPU:{number}"


class config:
    class experimental:
        @staticmethod
        def set_memory_growth(_device: _Device, _on: bool) -> None:
            pass

    @staticmethod
    def list_physical_devices(_kind: str) -> list[_Device]:
        _fault("devices")
        return [_Device(at) for at in range(int(os.environ.get("PRETEND_GPUS", "1")))]


print("chatter on stdout, as oneDNN does")
print("Could not load dynamic library 'libcudnn.so.9'; dlerror: no such file", file=sys.stderr)
if "dso_loader=1" not in os.environ["TF_CPP_VMODULE"] or os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
    raise AssertionError("TensorFlow would keep the names of the libraries to itself")
with contextlib.suppress(ImportError):
    import cuda

    raise AssertionError(f"a file of gpucheck hides NVIDIA's package: {cuda}")
_fault("import")
