"""Run by the EXAMINED Python (3.6 to 3.14): import TensorFlow, list its GPUs, compute on each and compare with the CPU.

Argument: how many operations to leave out, because an earlier child died or hung in the last of them. One JSON object
a line, each flushed; a line "begin" comes before whatever may never return. Nothing of gpucheck is imported here.
"""

import json
import math
import os
import sys
import time

# TF32, the default on Ampere and later, keeps 10 bits of mantissa: about 3e-4 in a product like these. Faulty kernels
# and faulty memory are wrong by orders of magnitude, so TensorFlow runs as a user's program does and 1e-2 tells.
TOLERANCE = 1e-2
OPERATIONS = ("matmul", "conv2d")


def main(leave_out: int) -> None:
    # sys.path[0] is this folder, whose cuda.py would hide NVIDIA's package of that name.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != here]
    _with_its_parent(os.getppid())
    say = _private_stdout()
    # Since 2.12 only this makes TensorFlow name the libraries that it cannot open (tsl/platform/default/dso_loader.cc).
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
    os.environ["TF_CPP_VMODULE"] = ",".join(filter(None, [os.environ.get("TF_CPP_VMODULE"), "dso_loader=1"]))
    tf = _import(say)
    if tf is None:
        return
    devices = _devices(say, tf)
    todo = [(device, operation) for device in devices for operation in OPERATIONS]
    for device, operation in todo[leave_out:]:
        say(stage="begin", what=operation, device=device)
        say(stage="operation", device=device, operation=operation, **_judge(tf, device, operation))
    say(stage="done")


def _with_its_parent(parent):  # type: ignore[no-untyped-def]
    """End when gpucheck ends, however it does: an import that hangs would keep the GPU's memory for ever."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL: linux/prctl.h
    except (ImportError, OSError, TypeError, AttributeError):  # not on this system
        return
    if os.getppid() != parent:  # gone already
        os._exit(1)


def _private_stdout():  # type: ignore[no-untyped-def]
    """Keep stdout for ourselves; whatever a library prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**line: object) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    return say


def _import(say):  # type: ignore[no-untyped-def]
    say(stage="begin", what="import")
    begin = time.time()
    try:
        import tensorflow as tf
    except BaseException as error:  # SystemExit, too: some broken packages leave that way
        absent = isinstance(error, ImportError) and getattr(error, "name", None) == "tensorflow"
        say(stage="import", ok=False, installed=not absent, error=_words(error), seconds=time.time() - begin)
        return None
    try:
        say(
            stage="import",
            ok=True,
            version=str(tf.__version__),
            built_with_cuda=bool(tf.test.is_built_with_cuda()),
            seconds=time.time() - begin,
        )
        if tf.__version__.startswith("1."):
            tf.compat.v1.enable_eager_execution()
    except AttributeError as error:  # a folder "tensorflow" without TensorFlow in it imports as a namespace package
        say(stage="import", ok=False, installed=True, error=_words(error), seconds=time.time() - begin)
        return None
    return tf


def _devices(say, tf):  # type: ignore[no-untyped-def]
    say(stage="begin", what="devices")
    try:
        config = tf.config if hasattr(tf.config, "list_physical_devices") else tf.config.experimental
        found = config.list_physical_devices("GPU")
        names = [device.name.replace("/physical_device:", "") for device in found]
        # Otherwise TensorFlow takes all memory of every GPU, and fails where another program holds some.
        for device in found:
            tf.config.experimental.set_memory_growth(device, True)
    except Exception as error:
        say(stage="devices", devices=None, error=_words(error))
        return []
    say(stage="devices", devices=names, error=None)
    return names


def _judge(tf, device, operation):  # type: ignore[no-untyped-def]
    try:
        expected, _seconds = _compute(tf, "CPU:0", operation)
        got, seconds = _compute(tf, device, operation)
        off = float(((got - expected) ** 2).sum() ** 0.5 / (expected**2).sum() ** 0.5)
    except Exception as error:
        return {"status": "error", "error": _words(error), "relative_error": None, "seconds": None}
    if not math.isfinite(off):
        error = "the result holds NaN or infinity"
        return {"status": "wrong-numbers", "error": error, "relative_error": None, "seconds": seconds}
    status = "ok" if off <= TOLERANCE else "wrong-numbers"
    return {"status": status, "error": None, "relative_error": off, "seconds": seconds}


def _compute(tf, device, operation):  # type: ignore[no-untyped-def]
    """The numbers (float64) and the seconds of a first run, copies to and from the GPU included."""
    import numpy

    random = numpy.random.RandomState(20)
    shapes = {"matmul": ((512, 512), (512, 512)), "conv2d": ((8, 28, 28, 32), (5, 5, 32, 64))}[operation]
    left, right = (random.standard_normal(shape).astype("float32") for shape in shapes)
    begin = time.time()
    with tf.device("/" + device):
        left, right = tf.constant(left), tf.constant(right)
        out = tf.matmul(left, right) if operation == "matmul" else tf.nn.conv2d(left, right, strides=1, padding="SAME")
    wanted = device.split(":")[0]
    if wanted not in out.device:
        raise RuntimeError("the result lies on " + out.device)  # soft placement: computed elsewhere, proves nothing
    return out.numpy().astype("float64"), time.time() - begin


def _words(error: BaseException) -> str:
    return "{}: {}".format(type(error).__name__, " ".join(str(error).split()))[:1000]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
