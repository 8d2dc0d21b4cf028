"""What one training step takes, by formula: parameters, floating-point operations, bytes. No machine, no measurement.

Each layer becomes operations; each operation is counted once for the forward and once for the backward pass.

FLOPs, of a batch of B images, where a multiply-add is two and a root, exponential or division is one:

    forward   2·B·Σmacs
    backward  2·B·(2·Σmacs − macs of the first operation with weights: nothing needs the gradient of its input)
    the rest  B·3·Σelementwise (twice its forward cost in backward, as for products) + 4 a weight with L2 (square, sum,
              scale, add) + what the optimizer takes for each weight

Bytes, all values float32 (mixed precision halves what is not a weight):

    unfused   every operation reads its inputs and writes its output. A product adds its bias on the way; it is three
              operations in backward (gradient of the weights, of the bias, of the input). Others read in backward the
              gradient and what they kept, and write a gradient. L2: 8 passes of the weights (square 2, sum 1, scale 2,
              add 3). Optimizer: reads weight, gradient and slots, writes weight and slots.
    fused     what must pass through memory even if everything between two products were one kernel: the input of each
              product, once in forward, once in backward, and its gradient once; one bit, written and read, for each
              element that a pool or a dropout may have stopped; each weight once in forward and once in backward, its
              gradient written once, and the optimizer's traffic.

Reshapes and transpositions move nothing; labels and the batch's way to the device are left out.

mnist-cnn with 64 images: 4.633 GFLOP of products and 0.033 of the rest; 59 MiB fused, of which 50.8 are weights (8
passes) and 8.2 activations; 218 MiB unfused, of which 137.3 are operations, 49.2 L2 and 31.7 the optimizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import NamedTuple, Union

from gpucheck.bench.workloads import CLASSES, IMAGE, Layer, Workload
from gpucheck.facts.bench import Work

FLOAT = 4  # bytes

# Arrays kept for each weight, FLOPs for each weight. RMSprop needs one; TensorFlow keeps a second, for a momentum
# that is 0 here.
OPTIMIZERS = {
    "sgd": (0, 2),
    "momentum": (1, 4),
    "nesterov": (1, 6),
    "adagrad": (1, 7),
    "rmsprop": (1, 9),
    "adam": (2, 12),
}
_ELEMENTWISE = {"relu": 1, "gelu": 5, "norm": 7, "softmax": 5, "loss": 5}  # FLOPs an element, forward

Shape = tuple[int, ...]


class Operation(NamedTuple):
    """One operation on one image. Sizes are numbers of values.

    weights: parameters; regularised: of these, with L2; elementwise: FLOPs beside the multiply-adds, forward; forward
    and backward: values read and written, weights not counted; input_gradient: the part of backward that only the
    operation before needs; passes: input that no fusion spares; bits: what backward must remember beside that.
    """

    macs: int = 0
    weights: int = 0
    regularised: int = 0
    elementwise: int = 0
    forward: int = 0
    backward: int = 0
    input_gradient: int = 0
    passes: int = 0
    bits: int = 0


def work(workload: Workload, batch_size: int, optimizer: Union[str, None] = None) -> Work:
    """One training step with so many images. optimizer: the workload's own unless named.

    Raises KeyError for an optimizer or a layer that is not known.
    """
    slots, update = OPTIMIZERS[optimizer or workload.optimizer]
    each = operations(workload.layers)
    first = next(at for at, one in enumerate(each) if one.weights)
    parameters, regularised = sum(one.weights for one in each), sum(one.regularised for one in each)
    read_again = parameters - each[first].weights  # for gradients of inputs
    optimizing = (3 + 2 * slots) * parameters
    fused = sum(_fused(one, at > first) for at, one in enumerate(each))
    unfused = sum(_unfused(one, at - first) for at, one in enumerate(each))
    flops = sum(_flops(one, at - first) for at, one in enumerate(each))
    gradients = 2 * parameters + read_again  # weights read in forward and backward, their gradients written
    return Work(
        parameters=parameters,
        flops=float(batch_size * flops + 4 * regularised + update * parameters),
        bytes_fused=float(batch_size * fused + FLOAT * (gradients + optimizing)),
        bytes_unfused=float(FLOAT * (batch_size * unfused + gradients + 8 * regularised + optimizing)),
    )


def _flops(one: Operation, after_first: int) -> int:
    """Of both passes. after_first: the operation's distance from the first with weights; before it is no backward."""
    products = 1 if after_first < 0 else 2 if after_first == 0 and one.macs else 3
    return 2 * one.macs * products + one.elementwise * (1 if after_first < 0 else 3)


def _unfused(one: Operation, after_first: int) -> int:
    """Values moved in both passes."""
    return (
        one.forward
        + (one.backward if after_first >= 0 else 0)
        + (one.input_gradient if after_first > 0 else 0)
    )  # fmt: skip


def _fused(one: Operation, gradient: bool) -> float:
    """Bytes in both passes."""
    return FLOAT * one.passes * (3 if gradient else 2) + 2 * one.bits / 8


def operations(layers: Iterable[Layer]) -> list[Operation]:
    """The network's operations in order, the loss last."""
    made, shape = _walk(layers, IMAGE)
    if shape != (CLASSES,):
        raise ValueError(f"a network must end in {CLASSES} classes, not {shape}")
    return [*made, _kept(CLASSES, _ELEMENTWISE["loss"])._replace(passes=CLASSES)]


def _walk(layers: Iterable[Layer], shape: Shape) -> tuple[list[Operation], Shape]:
    made: list[Operation] = []
    for layer in layers:
        add, shape = _LAYERS[layer["layer"]](layer, shape)
        made += add
    return made, shape


def _kept(size: int, flops: int, weights: int = 0) -> Operation:
    """Value by value; backward reads the gradient and what went in (or came out), and writes a gradient."""
    return Operation(
        weights=weights, elementwise=flops * size, forward=2 * size, backward=2 * size, input_gradient=size
    )


def _product(inside: int, outside: int, macs: int, weights: int, l2: float = 0.0) -> Operation:
    """A product with weights, and its bias. Backward: input and gradient for the weights, the gradient for the bias."""
    return Operation(
        macs=macs,
        weights=weights,
        regularised=weights if l2 else 0,
        elementwise=outside,
        forward=inside + outside,
        backward=inside + 2 * outside,
        input_gradient=inside + outside,
        passes=inside,
    )


def _matmul(left: int, right: int, outside: int, macs: int) -> Operation:
    """A product of two inputs. Backward: a product for each of them."""
    everything = left + right + outside
    return Operation(macs=macs, forward=everything, backward=2 * everything)


def _activated(layer: Layer, shape: Shape) -> Iterator[Operation]:
    if layer.get("activation"):
        yield _kept(prod(shape), _ELEMENTWISE[layer["activation"]])


def _conv(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    rows, columns, channels = shape
    size, filters = layer["kernel"], layer["filters"]
    less = 0 if layer["padding"] == "same" else size - 1
    out = (rows - less, columns - less, filters)
    taps = size * size * channels
    made = _product(prod(shape), prod(out), prod(out) * taps, (taps + 1) * filters, layer.get("l2", 0.0))
    return [made, *_activated(layer, out)], out


def _dense(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    inside, units = shape[-1], layer["units"]
    out = (*shape[:-1], units)
    made = _product(prod(shape), prod(out), prod(out) * inside, (inside + 1) * units, layer.get("l2", 0.0))
    return [made, *_activated(layer, out)], out


def _pool(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    size = layer["size"]
    up = size - 1 if layer["padding"] == "same" else 0
    out = ((shape[0] + up) // size, (shape[1] + up) // size, shape[2])
    large, small = prod(shape), prod(out)
    # Backward finds the largest again: it reads what went in, as MaxPoolGrad and select-and-scatter do.
    made = Operation(
        elementwise=(size * size - 1) * small,
        forward=large + small,
        backward=large + small,
        input_gradient=large,
        bits=large,
    )
    return [made], out


def _dropout(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    made = _kept(prod(shape), 2)
    return [made._replace(forward=3 * prod(shape), bits=prod(shape))], shape  # the third is the mask


def _flatten(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    return [], (prod(shape),)


def _patches(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    size = layer["size"]
    return [], ((shape[0] // size) * (shape[1] // size), size * size * shape[2])


def _position(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    size = prod(shape)
    return [Operation(weights=size, elementwise=size, forward=2 * size, backward=size)], shape


def _norm(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    return [_kept(prod(shape), _ELEMENTWISE["norm"], weights=2 * shape[-1])], shape


def _attention(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    """Query, key and value in one product. Fused, the scores never pass through memory: only these three do."""
    rows, width = shape
    inner = layer["heads"] * layer["key"]
    scores = layer["heads"] * rows * rows
    values, l2 = rows * inner, layer.get("l2", 0.0)
    projections = _product(rows * width, 3 * values, 3 * values * width, 3 * (width + 1) * inner, l2)
    weighed = _matmul(values, values, scores, rows * values)._replace(passes=3 * values)
    scaled = Operation(elementwise=scores, forward=2 * scores, backward=2 * scores)
    mixed = _matmul(scores, values, values, rows * values)
    out = _product(values, rows * width, values * width, (inner + 1) * width, l2)
    return [projections, weighed, scaled, _kept(scores, _ELEMENTWISE["softmax"]), mixed, out], shape


def _residual(layer: Layer, shape: Shape) -> tuple[list[Operation], Shape]:
    made, out = _walk(layer["layers"], shape)
    if out != shape:
        raise ValueError(f"a residual must keep the shape {shape}, not make it {out}")
    size = prod(shape)
    # Backward adds the gradients of the two ways.
    return [*made, Operation(elementwise=size, forward=3 * size, backward=3 * size)], shape


_LAYERS = {
    "conv": _conv,
    "pool": _pool,
    "flatten": _flatten,
    "dense": _dense,
    "dropout": _dropout,
    "patches": _patches,
    "position": _position,
    "norm": _norm,
    "attention": _attention,
    "residual": _residual,
}
