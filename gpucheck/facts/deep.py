"""What `doctor --deep` saw: TensorFlow imported in a child, and a real operation on every GPU."""

from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap


class Operation(NamedTuple):
    """One computation on one GPU, compared with the CPU's numbers."""

    device: str  # GPU:0
    operation: Literal["matmul", "conv2d"]
    status: Literal["ok", "wrong-numbers", "error", "hung", "crashed"]
    error: Union[str, None]
    relative_error: Union[float, None]  # ||gpu - cpu|| / ||cpu||
    seconds: Union[float, None]  # first run, kernels compiled included


class Deep(NamedTuple):
    status: Literal["ok", "import-failed", "crashed", "hung", "not-installed"]
    error: Union[str, None]  # the exception or signal
    tensorflow_version: Union[str, None]
    built_with_cuda: Union[bool, None]
    import_seconds: Union[float, None]
    devices: Union[tuple[str, ...], Gap]  # GPU:0 … as TensorFlow lists them
    operations: Union[tuple[Operation, ...], Gap]
    log: tuple[str, ...]  # lines of TensorFlow's stderr that speak of GPUs and are not said in healthy runs, at most 40
    failed_libraries: tuple[str, ...]  # sonames that TensorFlow's own loader could not open
