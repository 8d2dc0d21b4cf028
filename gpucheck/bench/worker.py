"""Run by the EXAMINED Python (3.7 to 3.14), where gpucheck is not installed: trains a network and times it, as told.

Commands come as JSON lines on standard input, each is answered by one JSON line on a private copy of standard output;
whatever a library prints goes to standard error. This process obeys and measures; what to do next, and what the numbers
mean, is the parent's. It must stay one file, so that it can be run anywhere.

The network comes as data (gpucheck/bench/workloads). `forward` is written once over the operations of a backend, one
class each: TensorFlow, Jax, Torch. Keras is used for ``input: fit`` alone: on a CPU its layers (3.15) cost
next to nothing on TensorFlow, half as much again on PyTorch, as much again on JAX, which is not the device's time.
"""

import os
import sys

# sys.path[0] is this file's folder, whose modules would hide others of the same name.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != _HERE]

import hashlib  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import queue  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

CLASSES = 10
MOST_BATCHES = 1000  # kept on the device: 196 MB of the tutorial's batches
MOST_BYTES = 512 << 20
LOSS_SCALE = 1024.0  # float16 gradients below 6e-8 would vanish; a power of two changes no digit
PRODUCT_SECONDS = 0.4
OUT_OF_MEMORY = (
    *("resourceexhausted", "resource_exhausted", "out of memory", "out_of_memory", "outofmemory"),
    *("alloc_failed", "can't allocate", "paging file is too small"),  # the last is Windows' (error 1455)
)


class BadData(ValueError):
    """The images are not what they should be."""


class NoDevice(RuntimeError):
    """The framework does not offer the device."""


class Unsupported(RuntimeError):
    """This cannot be asked of this backend or version."""


def main():
    hear, say = _private_streams()
    session = Session(say)
    while True:
        command = hear()
        number, name = command.pop("number", None), command.pop("do", "")
        if name == "quit":
            say(number=number, ok=True)
            os._exit(0)  # a framework's own end may hang or crash, and nothing depends on it
        try:
            session.simulate_fault(name)
            reply = dict(getattr(session, "do_" + name)(**command), ok=True)
        except BaseException as error:  # SystemExit, too: some broken packages leave that way
            reply = {"ok": False, "kind": _kind(error, name), "error": _words(error)}
        say(number=number, **reply)


def _private_streams():
    """Keep stdin and stdout for ourselves. The thread that listens ends this process when the parent is gone."""
    source = os.fdopen(os.dup(0), "r", encoding="utf-8")
    target = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    commands = queue.Queue()

    def listen():
        for line in source:
            commands.put(json.loads(line))
        os._exit(1)

    def say(**line):
        target.write(json.dumps(line) + "\n")
        target.flush()

    threading.Thread(target=listen, daemon=True).start()
    return commands.get, say


def _kind(error, command):
    words = (type(error).__name__ + " " + str(error)).lower()
    if isinstance(error, MemoryError) or any(one in words for one in OUT_OF_MEMORY):
        return "memory"
    for kind, name in (
        (BadData, "data"),
        (NoDevice, "no-device"),
        (Unsupported, "unsupported"),
        (ImportError, "import"),
    ):
        if isinstance(error, kind):
            return name
    return "import" if command == "open" else "framework"  # broken packages raise whatever they like


def _words(error):
    if isinstance(error, (BadData, NoDevice, Unsupported)):
        return str(error)
    return "{}: {}".format(type(error).__name__, " ".join(str(error).split()))[:1000]


class Session:
    """What one device does for the parent: one method a command."""

    def __init__(self, say):
        self.say = say
        self.simulate = {}
        self.engine = None
        self.models = {}

    def simulate_fault(self, name):
        """Plant a fault, where the parent asked for a simulation: hang, crash, memory or exit, at a command."""
        if self.simulate.get("fault") and self.simulate.get("at", "time") == name:
            fault = self.simulate["fault"]
            if fault == "hang":
                time.sleep(1e6)
            if fault == "crash":
                os.abort()
            if fault == "memory":
                raise MemoryError("simulated")
            os._exit(7)

    def do_start(self):
        """Nothing: an answer tells that this Python runs."""
        return {}

    def do_open(self, backend, device, tf32, simulate=None):
        """Import the framework and find the device."""
        self.simulate = simulate or {}
        self.simulate_fault("open")
        begin = time.perf_counter()
        posing = bool(self.simulate) and device == "gpu"
        self.engine = {"tensorflow": TensorFlow, "jax": Jax, "torch": Torch}[backend]("cpu" if posing else device, tf32)
        parts = dict(self.engine.parts(), python="{}.{}.{}".format(*sys.version_info[:3]))
        return {"seconds": time.perf_counter() - begin, "parts": parts, "name": None if posing else self.engine.name}

    def do_load(self, data, seed):
        """Read the images. The answer holds the sha256 of each array."""
        begin = time.perf_counter()
        arrays = load_arrays(data, seed)
        self.images = _scaled(arrays["x_train"])
        self.labels = arrays["y_train"].astype(self.engine.labels)
        self.test_images, self.test_labels = _scaled(arrays["x_test"]), arrays["y_test"].astype(self.engine.labels)
        self.seed = seed
        return {"seconds": time.perf_counter() - begin, "sha256": arrays["sha256"], "images": len(self.images)}

    def do_build(self, model, layers, recipe, batch_size, precision, jit, input, tf32=False):
        """Make a network ready under a name, compile its step where the backend can do that ahead, do a first one."""
        begin = time.perf_counter()
        self.models.pop(model, None)
        self.engine.set_tf32(tf32)
        if model == "main":
            self.engine.forget_memory()
        kind = Fitted if input == "fit" else Stepped
        made = kind(self, layers, recipe, batch_size, precision, jit, input)
        built = time.perf_counter()
        self.say(event="begin", what="first-step")
        made.compile()
        compiled = time.perf_counter()
        made.run(1)
        self.models[model] = made
        first = time.perf_counter() - compiled
        return {"parameters": made.parameters, "seconds": built - begin, "compile": compiled - built, "first": first}

    def do_drop(self, model):
        """Free a network."""
        self.models.pop(model, None)
        return {}

    def do_learn(self, model, steps):
        """Train from the start; the answer tells whether it learned."""
        losses, error = self.models[model].learn(steps)
        return {"losses": losses, "error": error}

    def do_check(self, model, steps):
        """Losses of the first steps with dropout off."""
        losses = self.models[model].check(steps)
        return {"losses": [loss * (1 + self.simulate.get("wrong", 0.0)) for loss in losses]}

    def do_time(self, model, steps, singles=0, lead=0.0):
        """Time some steps together, then some alone. lead: seconds of steps before, for the clocks to rise.

        seconds: of all steps, until the device is done; cpu: this process' own meanwhile; after: the command came."""
        made, came = self.models[model], time.perf_counter()
        end = came + lead
        while time.perf_counter() < end:
            made.run(1)
        made.run(1)
        self.say(event="begin", what="timed")
        begin, cpu = time.perf_counter(), time.process_time()
        steps = made.run(steps)
        self._pretend(model, time.perf_counter() - begin)
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        self.say(event="begin", what="untimed")
        alone = []
        for _ in range(singles if made.has_singles else 0):
            one = time.perf_counter()
            made.run(1)
            self._pretend(model, time.perf_counter() - one)
            alone.append(time.perf_counter() - one)
        return {"steps": steps, "seconds": seconds, "cpu": cpu, "singles": alone, "after": begin - came}

    def _pretend(self, model, seconds):
        """A simulated device takes longer than this CPU: so many times, with so much noise. The empty loop does not."""
        slower = self.simulate.get("slower", 1.0) if model != "empty" else 1.0
        if "noise" in self.simulate:
            import random

            slower *= 1 + self.simulate["noise"] * abs(random.gauss(0, 1))
        if slower > 1:
            time.sleep(seconds * (slower - 1))

    def do_product(self, precision):
        """The most that this device reaches on a large matrix product, in GFLOP/s."""
        size, best = 512, 0.0
        while size <= 8192:
            run = self.engine.product(size, precision)
            run()
            end, least, count = time.perf_counter() + PRODUCT_SECONDS / 4, None, 0
            while count < 2 or time.perf_counter() < end:
                begin = time.perf_counter()
                run()
                took = time.perf_counter() - begin
                least, count = took if least is None else min(least, took), count + 1
            best = max(best, 2.0 * size**3 / least / 1e9)
            if least > PRODUCT_SECONDS / 8:
                break
            size *= 2
        return {"gflops": best, "size": size}

    def do_memory(self):
        """Bytes of the device in use at most, as the framework tells; of a CPU, this process'. null: not told."""
        if self.engine.device == "gpu":
            return {"bytes": self.engine.memory()}
        try:
            import resource
        except ImportError:
            return {"bytes": _peak_of_windows()}
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"bytes": most if sys.platform == "darwin" else most * 1024}

    def do_validation(self, model, batches):
        """Seconds of forward passes, as the 2017 script made 79 of them every 100 steps."""
        made = self.models[model]
        made.forward(1)
        begin = time.perf_counter()
        made.forward(batches)
        self._pretend(model, time.perf_counter() - begin)
        return {"seconds": time.perf_counter() - begin}


def _peak_of_windows():
    """The most RAM that this process held: PeakWorkingSetSize (psapi.h, PROCESS_MEMORY_COUNTERS). None: not told."""
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = [("size", wintypes.DWORD), ("faults", wintypes.DWORD), ("sizes", ctypes.c_size_t * 8)]

    kernel, told = ctypes.WinDLL("kernel32"), Counters(size=ctypes.sizeof(Counters))
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.K32GetProcessMemoryInfo.argtypes = (wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD)
    good = kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(told), told.size)
    return told.sizes[0] if good else None


# ---- Data ------------------------------------------------------------------------------------------------------------


def _scaled(images):
    """uint8 to [-0.5, 0.5], as the tutorial does."""
    return (images.reshape(-1, 28, 28, 1).astype("float32") - 127.5) / 255.0


LEAST_TRAIN, LEAST_TEST = 640, 100  # ten batches of 64; a test error that means something
MOST_IMAGES = 300000  # 0.9 GB as float32
LONGEST_HEADER = 4096  # of an .npy file; numpy's own is 128
PIXELS = 28 * 28


def load_arrays(spec, seed):
    """The images as uint8 arrays (n, 28, 28), labels (n,), and under "sha256" the sum of each one's bytes.

    spec: kind (sample, full, synthetic, npz, idx), path, sha256 (what the arrays must have, or None), download.
    Raises BadData with a message of one line.
    """
    import numpy

    raw = synthetic(seed, 2560 + 512, 512) if spec["kind"] == "synthetic" else read_images(spec)
    sums = {name: hashlib.sha256(raw[name]).hexdigest() for name in sorted(raw)}
    for name, wanted in sorted((spec.get("sha256") or {}).items()):
        if sums[name] != wanted:
            raise BadData("{} in {} is not what it should be: its sha256 differs".format(name, spec["path"]))
    arrays = {name: numpy.frombuffer(values, "uint8") for name, values in raw.items()}
    for name in ("x_train", "x_test"):
        arrays[name] = arrays[name].reshape(-1, 28, 28)
    return dict(arrays, sha256=sums)


def read_images(spec):
    """The four arrays as bytes, from files that may be anything. Runs nothing, reads no more than is promised."""
    path = spec["path"]
    try:
        if spec["kind"] == "full" and spec.get("download"):
            raw = _downloaded(path)
        elif spec["kind"] == "idx":
            raw = _read_idx(path)
        else:
            raw = _read_npz(path)
    except BadData:
        raise
    except Exception as error:  # a damaged zip or gzip raises a dozen kinds, not all of them documented
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadData("cannot read {}: {}".format(path, " ".join(str(words).split())[:300])) from error
    for part, least in (("train", LEAST_TRAIN), ("test", LEAST_TEST)):
        images, labels = len(raw["x_" + part]) // PIXELS, len(raw["y_" + part])
        if images != labels:
            raise BadData("{}: {} {} images, but {} labels".format(path, images, part, labels))
        if images < least:
            raise BadData("{}: {} {} images; at least {} are needed".format(path, images, part, least))
        if max(raw["y_" + part]) > 9:
            raise BadData("{}: y_{} holds the label {}; 0 to 9 are expected".format(path, part, max(raw["y_" + part])))
    return raw


def _read_npz(path):
    """Not through numpy.load: it makes room for what a header promises before it looks whether there is so much."""
    import zipfile

    if not os.path.isfile(path):
        raise BadData("there is no file {}".format(path))
    raw = {}
    with zipfile.ZipFile(path) as archive:
        present = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
        for name in ("x_train", "y_train", "x_test", "y_test"):
            if present.count(name) != 1:
                has = ", ".join(sorted(present)[:8])[:200] or "none"
                raise BadData("{} lacks the array {}, or has it twice; its arrays: {}".format(path, name, has))
            with archive.open(name + ".npy") as stream:
                raw[name] = _read_npy(stream, name, "{} in {}".format(name, path))
    return raw


def _read_npy(stream, name, where):
    """Values of one .npy file, as bytes. where: for messages."""
    order, kind, size, shape = _npy_header(stream, where)
    count = 1
    for each in shape:
        count *= each
    if name.startswith("x"):
        if (kind, size) != ("u", 1):
            raise BadData("{} is not of uint8".format(where))
        if tuple(shape[1:]) not in ((28, 28), (PIXELS,), (28, 28, 1)):
            raise BadData("{} has shape {}; (n, 28, 28) is expected".format(where, shape))
    elif kind not in "ui" or size not in (1, 2, 4, 8) or tuple(shape[1:]) not in ((), (1,)):
        raise BadData("{} is not one whole number an image".format(where))
    if shape[0] > MOST_IMAGES:
        raise BadData("{} promises {} images; at most {} are taken".format(where, shape[0], MOST_IMAGES))
    values = _exactly(stream, count * size, where)
    low = size - 1 if order == ">" else 0
    if any(any(values[at::size]) for at in range(size) if at != low):
        raise BadData("{} holds labels beyond 0 to 255".format(where))
    return values[low::size]


def _npy_header(stream, where):
    """Byte order, kind, size in bytes and shape. numpy.lib.format describes it: a dict of Python's, written out."""
    import ast
    import re

    begin = stream.read(8)
    if begin[:6] != b"\x93NUMPY" or begin[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise BadData("{} is not an array of numpy's".format(where))
    length = int.from_bytes(stream.read(2 if begin[6:7] == b"\x01" else 4), "little")
    if length > LONGEST_HEADER:
        raise BadData("{} has a header of {} bytes".format(where, length))
    try:
        header = ast.literal_eval(stream.read(length).decode("latin-1").strip())
        found, shape = re.match(r"([<>|=]?)([a-zA-Z])(\d{1,3})$", header["descr"]), header["shape"]
        whole = isinstance(shape, tuple) and shape and all(type(each) is int and each >= 0 for each in shape)
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise BadData("{} has a header that cannot be understood".format(where)) from error
    if not found or not whole:  # objects ("|O") would need pickle
        raise BadData("{} has type {!r:.40} and shape {!r:.40}".format(where, header["descr"], shape))
    if header.get("fortran_order") and len(shape) > 1:
        raise BadData("{} is in Fortran order: save it through numpy.ascontiguousarray".format(where))
    return found.group(1), found.group(2), int(found.group(3)), shape


def _read_idx(folder):
    """The original format. Source: yann.lecun.com/exdb/mnist, "FILE FORMATS FOR THE MNIST DATABASE"."""
    import gzip

    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    raw = {}
    for name, key in zip(names, ("x_train", "y_train", "x_test", "y_test")):
        dotted = name.replace("-idx", ".idx")
        spellings = [os.path.join(folder, one) for one in (name, dotted, name + ".gz", dotted + ".gz")]
        path = next((one for one in spellings if os.path.isfile(one)), None)
        if path is None:
            raise BadData("the folder {} lacks {}".format(folder, name))
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as stream:
            raw[key] = _read_idx_file(stream, key, path)
    return raw


def _read_idx_file(stream, key, path):
    images = key.startswith("x")
    begin = stream.read(16 if images else 8)
    numbers = [int.from_bytes(begin[at : at + 4], "big") for at in range(0, len(begin), 4)]
    if len(begin) < 8 or numbers[0] != (0x803 if images else 0x801):
        raise BadData("{} does not begin as an IDX file of {}".format(path, "images" if images else "labels"))
    if images and numbers[2:] != [28, 28]:
        raise BadData("{} holds images of {}, not of 28x28".format(path, "x".join(map(str, numbers[2:]))))
    if numbers[1] > MOST_IMAGES:
        raise BadData("{} promises {} images; at most {} are taken".format(path, numbers[1], MOST_IMAGES))
    return _exactly(stream, numbers[1] * (PIXELS if images else 1), path)


def _exactly(stream, size, where):
    """So many bytes and then the end, in parts: what is promised may be far more than what is there."""
    parts, left = [], size
    while left:
        part = stream.read(min(left, 1 << 20))
        if not part:
            raise BadData("{} is cut off: {} of {} bytes".format(where, size - left, size))
        parts.append(part)
        left -= len(part)
    if stream.read(1):  # this also makes zip and gzip compare their check sums
        raise BadData("{} is longer than the {} bytes that it promises".format(where, size))
    return b"".join(parts)


def _downloaded(path):
    """The full set through Keras, which keeps it where the parent looks. The only access to a network."""
    try:
        try:
            import keras
        except ImportError:
            from tensorflow import keras
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises bare Exception where a download fails
        words = " ".join("{}: {}".format(type(error).__name__, error).split())[:300]
        raise BadData(
            "the full MNIST is not at {} and Keras could not download it ({}): put mnist.npz there, "
            "name a file with --data PATH, or use --data sample".format(path, words)
        ) from error
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    return {name: values.astype("uint8").tobytes() for name, values in arrays.items()}


def synthetic(seed, count, test):
    """Not digits, but ten things that can be told apart: a coarse pattern each, brighter or darker, under a weaker one
    of any class and noise, so that they are not learned within a few steps. The last `test` images are for testing.
    """
    import numpy

    random = numpy.random.RandomState(seed)
    # Of 49 squares of 4x4 pixels each class lights 12; the pattern does not depend on how many images are asked for.
    patterns = numpy.zeros((10, 49), "float32")
    for pattern in patterns:
        pattern[random.permutation(49)[:12]] = 160
    patterns = patterns.reshape(10, 7, 7).repeat(4, axis=1).repeat(4, axis=2)
    labels, others = random.randint(0, 10, count).astype("uint8"), random.randint(0, 10, count)
    images = patterns[labels] * random.uniform(0.4, 1.0, (count, 1, 1))
    images += patterns[others] * random.uniform(0.0, 0.5, (count, 1, 1)) + random.normal(0, 40, (count, 28, 28))
    images = images.clip(0, 255).astype("uint8")
    train = count - test
    return {
        "x_train": images[:train].tobytes(),
        "y_train": labels[:train].tobytes(),
        "x_test": images[train:].tobytes(),
        "y_test": labels[train:].tobytes(),
    }


# ---- Networks --------------------------------------------------------------------------------------------------------


def initial(layers, shape, seed):
    """First values of all weights, the same on every device and backend.

    Gives (array, l2 coefficient) in order, and the shape after the last layer.
    """
    import numpy

    random = numpy.random.RandomState(seed)
    weights = []

    def values(kind, size, fan_in, fan_out):
        if kind == "tutorial":  # truncated normal of deviation 0.1: redrawn beyond two deviations
            drawn = random.standard_normal(size)
            while (abs(drawn) > 2).any():
                far = abs(drawn) > 2
                drawn[far] = random.standard_normal(int(far.sum()))
            return (drawn * 0.1).astype("float32")
        most = math.sqrt(6.0 / (fan_in + fan_out))
        return random.uniform(-most, most, size).astype("float32")

    def add(array, l2=0.0):
        weights.append((array, l2))

    def dense(inside, outside, layer):
        add(values(layer.get("init"), (inside, outside), inside, outside), layer.get("l2", 0.0))
        add(numpy.full(outside, layer.get("bias", 0.0), "float32"), layer.get("l2", 0.0))

    def walk(layers, shape):
        for layer in layers:
            kind = layer["layer"]
            if kind == "conv":
                size, filters = layer["kernel"], layer["filters"]
                fans = size * size * shape[2], size * size * filters
                add(values(layer.get("init"), (size, size, shape[2], filters), *fans))
                add(numpy.full(filters, layer["bias"], "float32"))
                less = 0 if layer["padding"] == "same" else size - 1
                shape = (shape[0] - less, shape[1] - less, filters)
            elif kind == "pool":
                up = layer["size"] - 1 if layer["padding"] == "same" else 0  # "same": a last window may be half full
                shape = ((shape[0] + up) // layer["size"], (shape[1] + up) // layer["size"], shape[2])
            elif kind == "flatten":
                shape = (int(numpy.prod(shape)),)
            elif kind == "dense":
                dense(shape[-1], layer["units"], layer)
                shape = shape[:-1] + (layer["units"],)
            elif kind == "patches":
                size = layer["size"]
                shape = (shape[0] // size * (shape[1] // size), size * size * shape[2])
            elif kind == "position":
                add((random.standard_normal((1,) + shape) * 0.02).astype("float32"))
            elif kind == "norm":
                add(numpy.ones(shape[-1], "float32"))
                add(numpy.zeros(shape[-1], "float32"))
            elif kind == "attention":
                inner = layer["heads"] * layer["key"]
                for _ in range(3):
                    dense(shape[-1], inner, layer)
                dense(inner, shape[-1], layer)
            elif kind == "residual":
                walk(layer["layers"], shape)
        return shape

    return weights, walk(layers, shape)


def forward(ops, layers, weights, x, training):
    """Logits of a batch. weights: an iterator over the device's arrays, in the order of `initial`."""
    for layer in layers:
        kind = layer["layer"]
        if kind == "conv":
            x = ops.activate(ops.conv(x, next(weights), next(weights), layer["padding"]), layer["activation"])
        elif kind == "pool":
            x = ops.pool(x, layer["size"], layer["padding"])
        elif kind == "flatten":
            x = ops.flatten(x)
        elif kind == "dense":
            x = ops.activate(ops.dense(x, next(weights), next(weights)), layer["activation"])
        elif kind == "dropout":
            x = ops.dropout(x, layer["rate"]) if training else x
        elif kind == "patches":
            size = layer["size"]
            rows, columns = x.shape[1] // size, x.shape[2] // size
            x = ops.reshape(x, (-1, rows, size, columns, size))
            x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, rows * columns, size * size))
        elif kind == "position":
            x = x + next(weights)
        elif kind == "norm":
            x = ops.norm(x, next(weights), next(weights))
        elif kind == "attention":
            x = _attention(ops, layer, weights, x)
        elif kind == "residual":
            x = x + forward(ops, layer["layers"], weights, x, training)
    return x


def _attention(ops, layer, weights, x):
    heads, key, rows = layer["heads"], layer["key"], x.shape[1]

    def split(order):
        projected = ops.reshape(ops.dense(x, next(weights), next(weights)), (-1, rows, heads, key))
        return ops.transpose(projected, order)

    query, keys, value = split((0, 2, 1, 3)), split((0, 2, 3, 1)), split((0, 2, 1, 3))
    scores = ops.softmax(ops.matmul(query, keys) * (1.0 / math.sqrt(key)))
    mixed = ops.transpose(ops.matmul(scores, value), (0, 2, 1, 3))
    return ops.dense(ops.reshape(mixed, (-1, rows, heads * key)), next(weights), next(weights))


class Stepped:
    """A network with a training step of the backend's own kind."""

    has_singles = True

    def __init__(self, session, layers, recipe, batch_size, precision, jit, input):
        self.engine, self.recipe, self.batch_size = session.engine, recipe, batch_size
        self.test = session.test_images, session.test_labels
        self.weights, _shape = initial(layers, (28, 28, 1), session.seed)
        self.parameters = sum(array.size for array, _l2 in self.weights)
        self.batches = _batches(session.images, session.labels, batch_size)
        if input == "resident":
            self.batches = [self.engine.put(*batch) for batch in self.batches]
        make = self.engine.stepper
        self.stepper = make(layers, self.weights, recipe, precision, jit, session.seed)
        self.done = 0

    def rate(self):
        """The learning rate falls by a factor after each epoch of the tutorial's 55,000 images."""
        epoch = self.done * self.batch_size // self.recipe["epoch_images"]
        return self.recipe["rate"] * self.recipe["decay"] ** epoch

    def _steps(self, count, training=True, keep=False):
        losses = []
        for _ in range(count):
            x, y = self.batches[self.done % len(self.batches)]
            loss = self.stepper.step(x, y, self.rate(), training)
            self.done += 1
            if keep:
                losses.append(self.engine.number(loss))
        self.stepper.wait(count > 1)
        return losses

    def compile(self):
        x, y = self.batches[0]
        self.stepper.compile(x, y, self.rate())

    def run(self, count):
        """Do so many steps; the device is done when this returns."""
        self._steps(count)
        return count

    def _restart(self):
        self.stepper.reset(self.weights)
        self.done = 0

    def learn(self, steps):
        self._restart()
        losses = self._steps(steps, keep=True)
        return losses, self._error()

    def check(self, steps):
        self._restart()
        losses = self._steps(steps, training=False, keep=True)
        self._restart()
        return losses

    def _error(self):
        images, labels = self.test
        wrong = 0
        for at in range(0, len(images), 256):
            answer = self.stepper.logits(images[at : at + 256])
            wrong += int((answer.argmax(axis=1) != labels[at : at + 256]).sum())
        return wrong / len(images)

    def forward(self, count):
        """So many forward passes of a fed batch, each read back, as the tutorial's eval_in_batches does."""
        images = self.test[0]
        for at in range(count):
            chosen = [(at * self.batch_size + one) % len(images) for one in range(self.batch_size)]
            self.stepper.logits(images[chosen])


def _batches(images, labels, size):
    """The images in order, without shuffling, as host arrays; the last batch goes on from the first image."""
    import numpy

    bytes_each = images[0].nbytes * size
    count = max(2, min(MOST_BATCHES, MOST_BYTES // bytes_each, -(-len(images) // size)))
    found = []
    for at in range(count):
        chosen = numpy.arange(at * size, (at + 1) * size) % len(images)
        found.append((numpy.ascontiguousarray(images[chosen]), numpy.ascontiguousarray(labels[chosen])))
    return found


class Fitted:
    """The network as a user of Keras writes it: compile, fit."""

    has_singles = False  # a callback for each batch would make Keras wait for the device

    def __init__(self, session, layers, recipe, batch_size, precision, jit, input):
        import numpy

        keras = session.engine.keras()
        policy = keras.mixed_precision
        (getattr(policy, "set_global_policy", None) or keras.config.set_dtype_policy)(precision)
        self.session, self.keras, self.batch_size = session, keras, batch_size
        self.arrays, _shape = initial(layers, (28, 28, 1), session.seed)
        self.parameters = sum(array.size for array, _l2 in self.arrays)
        self.model = keras_model(keras, layers)
        self.jit = jit
        recipe = {
            "optimizer": keras_optimizer(keras, recipe),
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        }
        try:
            # Said in any case: Keras 3's "auto" compiles where a GPU is in sight, and not where none is.
            self.model.compile(jit_compile=jit, **recipe)
        except TypeError:  # Keras before 2.7 compiles nothing
            if jit:
                raise Unsupported("this Keras has no compile(jit_compile=...)") from None
            self.model.compile(**recipe)
        self._restart()
        count = max(2, min(MOST_BATCHES, MOST_BYTES // (session.images[0].nbytes * batch_size)))
        chosen = numpy.arange(min(count, -(-len(session.images) // batch_size)) * batch_size) % len(session.images)
        self.images, self.labels = session.images[chosen], session.labels[chosen]

    def _restart(self):
        self.model.set_weights(
            [array.reshape(have.shape) for (array, _l2), have in zip(self.arrays, self.model.get_weights())]
        )

    def compile(self):
        """Keras compiles within its first step."""

    def run(self, count):
        size, have = self.batch_size, len(self.images) // self.batch_size
        epochs = 1 if count < have else round(count / have)
        each = min(count, have)
        self.model.fit(
            self.images[: each * size],
            self.labels[: each * size],
            batch_size=size,
            epochs=epochs,
            shuffle=False,
            verbose=0,
        )
        self.session.engine.wait_for(self.model)
        return epochs * each

    def learn(self, steps):
        self._restart()
        done = 0
        while done < steps:
            done += self.run(min(steps - done, len(self.images) // self.batch_size))
        size = self.batch_size
        at = (done - 1) * size % len(self.images)
        loss = _cross_entropy(self._logits(self.images[at : at + size]), self.labels[at : at + size])
        wrong = self._logits(self.session.test_images).argmax(axis=1) != self.session.test_labels
        return [loss], float(wrong.mean())

    def _logits(self, images):
        return self.model.predict(images, batch_size=256, verbose=0).astype("float64")

    def check(self, steps):
        raise Unsupported("dropout cannot be left out of fit")

    def forward(self, count):
        raise Unsupported("the 2017 script has no fit")


def _cross_entropy(logits, labels):
    import numpy

    shifted = logits - logits.max(axis=1, keepdims=True)
    picked = shifted[numpy.arange(len(labels)), labels]
    return float((numpy.log(numpy.exp(shifted).sum(axis=1)) - picked).mean())


def keras_model(keras, layers):
    """The same network in Keras' layers (2 or 3), its weights in the order of `initial`."""
    kinds = keras.layers

    class Position(kinds.Layer):
        def build(self, shape):
            self.rows = self.add_weight(name="rows", shape=tuple(shape[1:]), initializer="zeros")

        def call(self, x):
            return x + keras_cast(self.rows, x.dtype)

    def keras_cast(value, dtype):
        return keras.ops.cast(value, dtype) if hasattr(keras, "ops") else keras.backend.cast(value, dtype)

    def l2(layer):  # Keras' L2 adds l2 * sum(w**2), ours half of it
        return keras.regularizers.L2(layer["l2"] / 2) if layer.get("l2") else None

    def walk(layers, x):
        for layer in layers:
            kind = layer["layer"]
            if kind == "conv":
                size = layer["kernel"]
                x = kinds.Conv2D(layer["filters"], size, padding=layer["padding"], activation=layer["activation"])(x)
            elif kind == "pool":
                x = kinds.MaxPooling2D(layer["size"], padding=layer["padding"])(x)
            elif kind == "flatten":
                x = kinds.Flatten()(x)
            elif kind == "dense":
                both = {"kernel_regularizer": l2(layer), "bias_regularizer": l2(layer)}
                x = kinds.Dense(layer["units"], activation=layer["activation"], **both)(x)
            elif kind == "dropout":
                x = kinds.Dropout(layer["rate"])(x)
            elif kind == "patches":
                size, rows, columns = layer["size"], x.shape[1] // layer["size"], x.shape[2] // layer["size"]
                x = kinds.Permute((1, 3, 2, 4))(kinds.Reshape((rows, size, columns, size))(x))
                x = kinds.Reshape((rows * columns, size * size))(x)
            elif kind == "position":
                x = Position()(x)
            elif kind == "norm":
                x = kinds.LayerNormalization(epsilon=1e-6)(x)
            elif kind == "attention":
                x = kinds.MultiHeadAttention(layer["heads"], layer["key"])(x, x)
            elif kind == "residual":
                x = kinds.Add()([x, walk(layer["layers"], x)])
        return x

    inputs = keras.Input((28, 28, 1))
    return keras.Model(inputs, kinds.Activation("linear", dtype="float32")(walk(layers, inputs)))


def keras_optimizer(keras, recipe):
    name, rate, kinds = recipe["optimizer"], recipe["rate"], keras.optimizers
    if name in ("sgd", "momentum", "nesterov"):
        return kinds.SGD(rate, momentum=0.0 if name == "sgd" else 0.9, nesterov=name == "nesterov")
    return {"adagrad": kinds.Adagrad, "rmsprop": kinds.RMSprop, "adam": kinds.Adam}[name](rate)


# ---- TensorFlow ------------------------------------------------------------------------------------------------------


class TensorFlow:
    """tf.function, eager variables, the optimizers' own fused operations."""

    labels = "int64"  # int32 would stay in the host's memory, and be copied at every step

    def __init__(self, device, tf32):
        import tensorflow as tf

        if not hasattr(tf, "__version__"):  # a folder "tensorflow" without TensorFlow in it
            raise ImportError("the package tensorflow is empty")
        if int(tf.__version__.split(".")[0]) < 2:
            raise Unsupported("TensorFlow {}: 2.4 or newer is needed".format(tf.__version__))
        self.tf = tf
        gpus = tf.config.list_physical_devices("GPU")
        if device == "gpu" and not gpus:
            raise NoDevice("TensorFlow {} lists no GPU".format(tf.__version__))
        if device == "cpu" and gpus:
            raise NoDevice("TensorFlow {} still lists a GPU".format(tf.__version__))
        for gpu in gpus:  # otherwise it takes all memory of the GPU
            tf.config.experimental.set_memory_growth(gpu, True)
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        self.device, self.name, self._details = device, details.get("device_name"), details
        self.place = "/GPU:0" if gpus else "/CPU:0"
        self.set_tf32(tf32)

    def set_tf32(self, on):
        self.tf.config.experimental.enable_tensor_float_32_execution(on)

    def parts(self):
        tf, found = self.tf, {"tensorflow": self.tf.__version__}
        capability = self._details.get("compute_capability")
        if capability:
            found["compute capability"] = ".".join(map(str, capability))
            build = tf.sysconfig.get_build_info()
            for name, key in (("CUDA (built for)", "cuda_version"), ("cuDNN (built for)", "cudnn_version")):
                if build.get(key):
                    found[name] = str(build[key])
        threads = tf.config.threading.get_intra_op_parallelism_threads()
        found["threads"] = str(threads) if threads else "all"
        found["oneDNN"] = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default")
        return found

    def put(self, x, y):
        with self.tf.device(self.place):
            return self.tf.constant(x), self.tf.constant(y)

    def number(self, loss):
        return float(loss)

    def keras(self):
        return self.tf.keras

    def wait_for(self, model):
        self.wait(self.tf.convert_to_tensor(model.trainable_variables[-1]))

    def forget_memory(self):
        """Count the most in use from now on."""
        forget = getattr(self.tf.config.experimental, "reset_memory_stats", None)  # since 2.5
        if self.device == "gpu" and forget:
            forget("GPU:0")

    def wait(self, last, whole=True):
        """Read what was written last: it waits for all that was queued before. whole: for every stream, too."""
        sync = getattr(getattr(self.tf.test, "experimental", None), "sync_devices", None)  # since 2.11
        if whole and sync is not None and self.device == "gpu":
            sync()
        last.numpy()

    def memory(self):
        tell = getattr(self.tf.config.experimental, "get_memory_info", None)  # since 2.5
        return int(tell("GPU:0")["peak"]) if tell else None

    def product(self, size, precision):
        tf = self.tf
        left = tf.cast(tf.random.normal((size, size)), _half(precision) or "float32")
        multiply = tf.function(lambda a: tf.matmul(a, a))

        def run():
            self.wait(multiply(left)[0, 0])

        return run

    def stepper(self, *recipe):
        return TensorFlowStepper(self, *recipe)

    # The operations of `forward`.

    def conv(self, x, kernel, bias, padding):
        tf = self.tf
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, padding.upper()), bias)

    def pool(self, x, size, padding):
        return self.tf.nn.max_pool2d(x, size, size, padding.upper())

    def flatten(self, x):
        rest = 1
        for size in x.shape[1:]:
            rest *= size
        return self.tf.reshape(x, (-1, rest))

    def dense(self, x, kernel, bias):
        return self.tf.nn.bias_add(self.tf.linalg.matmul(x, kernel), bias)

    def activate(self, x, name):
        return x if name is None else self.tf.nn.relu(x) if name == "relu" else self.tf.nn.gelu(x)

    def dropout(self, x, rate):
        return self.tf.nn.dropout(x, rate)

    def softmax(self, x):
        return self.tf.nn.softmax(x)

    def matmul(self, a, b):
        return self.tf.linalg.matmul(a, b)

    def reshape(self, x, shape):
        return self.tf.reshape(x, shape)

    def transpose(self, x, order):
        return self.tf.transpose(x, order)

    def norm(self, x, scale, offset):
        tf = self.tf
        mean, variance = tf.nn.moments(tf.cast(x, tf.float32), [-1], keepdims=True)
        return (
            tf.cast(tf.nn.batch_normalization(tf.cast(x, tf.float32), mean, variance, None, None, 1e-6), x.dtype)
            * scale
            + offset
        )


class TensorFlowStepper:
    def __init__(self, engine, layers, weights, recipe, precision, jit, seed):
        tf = engine.tf
        tf.random.set_seed(seed)
        self.engine, half = engine, _half(precision)
        self.variables = [tf.Variable(array) for array, _l2 in weights]
        self.l2 = [(at, l2) for at, (_array, l2) in enumerate(weights) if l2]
        self.slots = [[tf.Variable(tf.zeros_like(one)) for one in self.variables] for _ in range(_slots(recipe))]
        self.powers = [tf.Variable(1.0), tf.Variable(1.0)]
        self.recipe, self.rates = recipe, {}
        scale = LOSS_SCALE if half == "float16" else 1.0

        def logits(x, training):
            compute = [tf.cast(one, half) for one in self.variables] if half else self.variables
            return tf.cast(
                forward(engine, layers, iter(compute), tf.cast(x, half) if half else x, training), tf.float32
            )

        def step(x, y, rate, training):
            with tf.GradientTape() as tape:
                ours = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(x, training))
                loss = tf.reduce_mean(ours)
                total = loss + sum(l2 * tf.nn.l2_loss(self.variables[at]) for at, l2 in self.l2)
                scaled = total * scale if scale != 1.0 else total
            gradients = tape.gradient(scaled, self.variables)
            self._update([one / scale for one in gradients] if scale != 1.0 else gradients, rate)
            return loss

        old = tuple(map(int, tf.__version__.split(".")[:2])) < (2, 5)
        compiled = {"experimental_compile" if old else "jit_compile": True} if jit else {}
        compiled["autograph"] = False
        self._train = tf.function(lambda x, y, rate: step(x, y, rate, True), **compiled)
        self._plain = tf.function(lambda x, y, rate: step(x, y, rate, False), **compiled)
        self._logits = tf.function(lambda x: logits(x, False), **compiled)
        self.reset(weights)

    def _update(self, gradients, rate):
        raw, name, tf = self.engine.tf.raw_ops, self.recipe["optimizer"], self.engine.tf
        beta1, beta2 = tf.constant(0.9), tf.constant(0.999)
        if name == "adam":
            self.powers[0].assign(self.powers[0] * beta1)
            self.powers[1].assign(self.powers[1] * beta2)
        for at, (one, gradient) in enumerate(zip(self.variables, gradients)):
            var, slot = one.handle, [slots[at].handle for slots in self.slots]
            if name == "sgd":
                raw.ResourceApplyGradientDescent(var=var, alpha=rate, delta=gradient)
            elif name in ("momentum", "nesterov"):
                raw.ResourceApplyKerasMomentum(
                    var=var, accum=slot[0], lr=rate, grad=gradient, momentum=0.9, use_nesterov=name == "nesterov"
                )
            elif name == "adagrad":
                raw.ResourceApplyAdagradV2(var=var, accum=slot[0], lr=rate, epsilon=1e-7, grad=gradient)
            elif name == "rmsprop":
                raw.ResourceApplyRMSProp(
                    var=var, ms=slot[0], mom=slot[1], lr=rate, rho=0.9, momentum=0.0, epsilon=1e-7, grad=gradient
                )
            else:
                raw.ResourceApplyAdam(
                    var=var, m=slot[0], v=slot[1], beta1_power=self.powers[0], beta2_power=self.powers[1], lr=rate,
                    beta1=beta1, beta2=beta2, epsilon=1e-7, grad=gradient,
                )  # fmt: skip

    def compile(self, x, y, rate):
        """Trace and optimise the graph. XLA compiles it within the first step."""
        self._train.get_concrete_function(*self.engine.put(x, y), self.engine.tf.constant(rate, "float32"))

    def step(self, x, y, rate, training):
        if rate not in self.rates:
            with self.engine.tf.device(self.engine.place):
                self.rates = {rate: self.engine.tf.constant(rate, "float32")}
        return (self._train if training else self._plain)(x, y, self.rates[rate])

    def wait(self, whole=True):
        self.engine.wait(self.variables[-1], whole)

    def logits(self, images):
        return self._logits(images).numpy()

    def reset(self, weights):
        for have, (array, _l2) in zip(self.variables, weights):
            have.assign(array)
        for slots in self.slots:
            for one in slots:
                one.assign(self.engine.tf.fill(one.shape, _slot_start(self.recipe)))
        for power in self.powers:
            power.assign(1.0)


# ---- JAX -------------------------------------------------------------------------------------------------------------


class Jax:
    """jax.jit with a donated state."""

    labels = "int32"

    def __init__(self, device, tf32):
        import jax

        self.jax, self.np = jax, jax.numpy
        found = jax.devices()
        if (found[0].platform != "cpu") != (device == "gpu"):
            raise NoDevice(
                "JAX {} offers {}".format(jax.__version__, ", ".join(sorted({one.platform for one in found})))
            )
        self.device, self.name = device, found[0].device_kind if device == "gpu" else None
        self._first = found[0]
        self.set_tf32(tf32)

    def set_tf32(self, on):
        self.jax.config.update("jax_default_matmul_precision", "tensorfloat32" if on else "float32")

    def parts(self):
        import jaxlib

        found = {"jax": self.jax.__version__, "jaxlib": jaxlib.__version__, "threads": "all"}
        if self.device == "gpu":
            found["compute capability"] = str(getattr(self._first, "compute_capability", "unknown"))
        return found

    def put(self, x, y):
        return self.jax.device_put(x), self.jax.device_put(y)

    def number(self, loss):
        return float(loss)

    def keras(self):
        return _keras("jax")

    def wait_for(self, model):
        self.jax.block_until_ready([one.value for one in model.trainable_variables])

    def forget_memory(self):
        """JAX counts from its start on."""

    def memory(self):
        stats = self._first.memory_stats() if self.device == "gpu" else None
        return int(stats["peak_bytes_in_use"]) if stats and "peak_bytes_in_use" in stats else None

    def product(self, size, precision):
        left = self.jax.random.normal(self.jax.random.PRNGKey(0), (size, size), _half(precision) or "float32")
        multiply = self.jax.jit(lambda a: a @ a)
        return lambda: self.jax.block_until_ready(multiply(left))

    def stepper(self, *recipe):
        return JaxStepper(self, *recipe)

    def conv(self, x, kernel, bias, padding):
        dimensions = ("NHWC", "HWIO", "NHWC")
        lax = self.jax.lax
        return lax.conv_general_dilated(x, kernel, (1, 1), padding.upper(), dimension_numbers=dimensions) + bias

    def pool(self, x, size, padding):
        images, rows, columns, channels = x.shape
        if padding == "valid" or (rows % size == 0 and columns % size == 0):
            # XLA's window reduction takes its gradient by select-and-scatter: on a CPU half of the whole step.
            rows, columns = rows // size, columns // size
            whole = x[:, : rows * size, : columns * size]
            return whole.reshape(images, rows, size, columns, size, channels).max((2, 4))
        lax, window = self.jax.lax, (1, size, size, 1)
        return lax.reduce_window(x, -self.np.inf, lax.max, window, window, padding.upper())

    def flatten(self, x):
        return x.reshape(x.shape[0], -1)

    def dense(self, x, kernel, bias):
        return x @ kernel + bias

    def activate(self, x, name):
        return x if name is None else self.jax.nn.relu(x) if name == "relu" else self.jax.nn.gelu(x, approximate=False)

    def dropout(self, x, rate):
        self.key, one = self.jax.random.split(self.key)
        return self.np.where(self.jax.random.bernoulli(one, 1 - rate, x.shape), x / (1 - rate), 0).astype(x.dtype)

    def softmax(self, x):
        return self.jax.nn.softmax(x)

    def matmul(self, a, b):
        return a @ b

    def reshape(self, x, shape):
        return x.reshape(shape)

    def transpose(self, x, order):
        return x.transpose(order)

    def norm(self, x, scale, offset):
        wide = x.astype("float32")
        mean = wide.mean(-1, keepdims=True)
        variance = ((wide - mean) ** 2).mean(-1, keepdims=True)
        return ((wide - mean) * self.jax.lax.rsqrt(variance + 1e-6)).astype(x.dtype) * scale + offset


class JaxStepper:
    def __init__(self, engine, layers, weights, recipe, precision, jit, seed):
        if not jit:
            raise Unsupported("JAX has no training step that is not compiled")
        jax, np = engine.jax, engine.np
        self.engine, self.recipe, self.seed, half = engine, recipe, seed, _half(precision)
        l2s = [(at, l2) for at, (_array, l2) in enumerate(weights) if l2]
        scale = LOSS_SCALE if half == "float16" else 1.0

        def logits(weights, x, training, key):
            engine.key = key  # traced: dropout splits it
            if half:
                weights, x = [one.astype(half) for one in weights], x.astype(half)
            return forward(engine, layers, iter(weights), x, training).astype("float32")

        def loss_of(weights, x, y, training, key):
            chances = jax.nn.log_softmax(logits(weights, x, training, key))
            loss = -np.take_along_axis(chances, y[:, None], 1).mean()
            return (loss + sum(l2 / 2 * (weights[at] ** 2).sum() for at, l2 in l2s)) * scale, loss

        def step(state, x, y, rate, training):
            weights, slots, key, count = state
            key, one = jax.random.split(key)
            (_total, loss), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, x, y, training, one)
            gradients = [g / scale for g in gradients] if scale != 1.0 else gradients
            weights, slots = self._updated(weights, slots, gradients, rate, count + 1)
            return (weights, slots, key, count + 1), loss

        self._train = jax.jit(lambda s, x, y, rate: step(s, x, y, rate, True), donate_argnums=0)
        self._plain = jax.jit(lambda s, x, y, rate: step(s, x, y, rate, False), donate_argnums=0)
        self._logits = jax.jit(lambda weights, x: logits(weights, x, False, None))
        self.rates = {}
        self.reset(weights)

    def _updated(self, weights, slots, gradients, rate, count):
        np, name = self.engine.np, self.recipe["optimizer"]
        if name == "sgd":
            return [w - rate * g for w, g in zip(weights, gradients)], slots
        if name in ("momentum", "nesterov"):
            moved = [0.9 * m - rate * g for m, g in zip(slots[0], gradients)]
            if name == "nesterov":
                return [w + 0.9 * m - rate * g for w, m, g in zip(weights, moved, gradients)], [moved]
            return [w + m for w, m in zip(weights, moved)], [moved]
        if name == "adagrad":
            sums = [s + g * g for s, g in zip(slots[0], gradients)]
            return [w - rate * g / (np.sqrt(s) + 1e-7) for w, g, s in zip(weights, gradients, sums)], [sums]
        if name == "rmsprop":
            means = [0.9 * s + 0.1 * g * g for s, g in zip(slots[0], gradients)]
            return [w - rate * g / np.sqrt(s + 1e-7) for w, g, s in zip(weights, gradients, means)], [means, slots[1]]
        first = [0.9 * m + 0.1 * g for m, g in zip(slots[0], gradients)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(slots[1], gradients)]
        rate = rate * np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        return [w - rate * m / (np.sqrt(v) + 1e-7) for w, m, v in zip(weights, first, second)], [first, second]

    def compile(self, x, y, rate):
        """Trace, and let XLA compile."""
        self._train = self._train.lower(self.state, x, y, self.engine.np.float32(rate)).compile()

    def step(self, x, y, rate, training):
        if rate not in self.rates:
            self.rates = {rate: self.engine.np.float32(rate)}
        self.state, loss = (self._train if training else self._plain)(self.state, x, y, self.rates[rate])
        return loss

    def wait(self, whole=True):
        # The state, not the loss: that is ready before the update is.
        self.engine.jax.block_until_ready(self.state)

    def logits(self, images):
        import numpy

        return numpy.asarray(self._logits(self.state[0], images))

    def reset(self, weights):
        np, start = self.engine.np, _slot_start(self.recipe)
        ours = [np.array(array) for array, _l2 in weights]
        slots = [[np.full(array.shape, start, "float32") for array, _l2 in weights] for _ in range(_slots(self.recipe))]
        self.state = (ours, slots, self.engine.jax.random.PRNGKey(self.seed), np.float32(0))


# ---- PyTorch ---------------------------------------------------------------------------------------------------------


class Torch:
    """Eager, channels last; compiled with torch.compile where jit is on."""

    labels = "int64"

    def __init__(self, device, tf32):
        import torch

        self.torch = torch
        if device == "gpu" and not torch.cuda.is_available():
            raise NoDevice("PyTorch {} offers no CUDA device".format(torch.__version__))
        self.device = device
        self.place = torch.device("cuda:0" if device == "gpu" else "cpu")
        self.name = torch.cuda.get_device_name(0) if device == "gpu" else None
        torch.backends.cudnn.benchmark = True  # the shapes stay the same; TensorFlow and JAX choose by trial, too
        self.set_tf32(tf32)

    def set_tf32(self, on):
        self.torch.backends.cuda.matmul.allow_tf32 = on
        self.torch.backends.cudnn.allow_tf32 = on

    def parts(self):
        found = {"torch": str(self.torch.__version__), "threads": str(self.torch.get_num_threads())}
        if self.device == "gpu":
            found["compute capability"] = "{}.{}".format(*self.torch.cuda.get_device_capability(0))
            found["CUDA (built for)"] = str(self.torch.version.cuda)
            found["cuDNN"] = str(self.torch.backends.cudnn.version())
        return found

    def put(self, x, y):
        torch = self.torch
        return torch.from_numpy(x).to(self.place), torch.from_numpy(y).to(self.place, torch.int64)

    def number(self, loss):
        return float(loss)

    def keras(self):
        return _keras("torch")

    def wait_for(self, model):
        self.wait()

    def wait(self):
        if self.device == "gpu":
            self.torch.cuda.synchronize()

    def forget_memory(self):
        if self.device == "gpu":
            self.torch.cuda.reset_peak_memory_stats()

    def memory(self):
        return int(self.torch.cuda.max_memory_allocated())

    def product(self, size, precision):
        torch = self.torch
        left = torch.randn(size, size, device=self.place, dtype=getattr(torch, _half(precision) or "float32"))

        def run():
            left @ left
            self.wait()

        return run

    def stepper(self, *recipe):
        return TorchStepper(self, *recipe)

    def conv(self, x, kernel, bias, padding):
        # The kernel is kept in PyTorch's order, channels last in memory; x is a view of NHWC.
        size = kernel.shape[2]
        x = x.permute(0, 3, 1, 2)
        out = self.torch.nn.functional.conv2d(x, kernel, bias, padding=size // 2 if padding == "same" else 0)
        return out.permute(0, 2, 3, 1)

    def pool(self, x, size, padding):
        functional = self.torch.nn.functional
        return functional.max_pool2d(x.permute(0, 3, 1, 2), size, ceil_mode=padding == "same").permute(0, 2, 3, 1)

    def flatten(self, x):
        return x.reshape(x.shape[0], -1)

    def dense(self, x, kernel, bias):
        return self.torch.nn.functional.linear(x, kernel, bias)

    def activate(self, x, name):
        functional = self.torch.nn.functional
        return x if name is None else functional.relu(x) if name == "relu" else functional.gelu(x)

    def dropout(self, x, rate):
        return self.torch.nn.functional.dropout(x, rate)

    def softmax(self, x):
        return self.torch.softmax(x, -1)

    def matmul(self, a, b):
        return a @ b

    def reshape(self, x, shape):
        return x.reshape(shape)

    def transpose(self, x, order):
        return x.permute(order)

    def norm(self, x, scale, offset):
        normed = self.torch.nn.functional.layer_norm(x.float(), x.shape[-1:], eps=1e-6)
        return normed.to(x.dtype) * scale + offset


class TorchStepper:
    def __init__(self, engine, layers, weights, recipe, precision, jit, seed):
        torch = engine.torch
        torch.manual_seed(seed)
        self.engine, self.recipe, half = engine, recipe, _half(precision)
        self.weights = [self._parameter(array) for array, _l2 in weights]
        self.l2s = [l2 for _array, l2 in weights]
        half = getattr(torch, half) if half else None
        self.scale = LOSS_SCALE if half is torch.float16 else 1.0

        def logits(x, training):
            compute = [one.to(half) for one in self.weights] if half else self.weights
            return forward(engine, layers, iter(compute), x.to(half) if half else x, training).float()

        def loss_of(x, y, training):
            loss = torch.nn.functional.cross_entropy(logits(x, training), y)
            return loss, loss * self.scale if self.scale != 1.0 else loss

        if jit:
            # All networks here share one code object; beyond its limit Dynamo would run them eagerly, and with its
            # default it would make the second batch size the first of dynamic ones.
            limits = torch._dynamo.config
            for name in ("recompile_limit", "cache_size_limit"):
                if hasattr(limits, name):
                    setattr(limits, name, 64)
        self._loss_of = torch.compile(loss_of, dynamic=False) if jit else loss_of
        self._logits = logits
        self.reset(weights)

    def _parameter(self, array):
        torch = self.engine.torch
        made = torch.from_numpy(array.copy())
        if made.dim() == 4:
            made = made.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        elif made.dim() == 2:  # a dense kernel, and as torch.nn.Linear keeps it
            made = made.t().contiguous()
        return made.to(self.engine.place).requires_grad_()

    def _optimizer(self):
        """The L2 term's gradient, l2 * w, is what weight_decay adds: the same update, and no pass over the weights."""
        optim, name, rate = self.engine.torch.optim, self.recipe["optimizer"], self.recipe["rate"]
        groups = [
            {"params": [weight for weight, its in zip(self.weights, self.l2s) if its == l2], "weight_decay": l2}
            for l2 in sorted(set(self.l2s))
        ]
        if name in ("sgd", "momentum", "nesterov"):
            return optim.SGD(groups, rate, momentum=0.0 if name == "sgd" else 0.9, nesterov=name == "nesterov")
        if name == "adagrad":
            return optim.Adagrad(groups, rate, initial_accumulator_value=_slot_start(self.recipe), eps=1e-7)
        if name == "rmsprop":
            return optim.RMSprop(groups, rate, alpha=0.9, eps=1e-7)
        return optim.Adam(groups, rate, eps=1e-7)

    def compile(self, x, y, rate):
        """Nothing, or by torch.compile within the first step."""

    def step(self, x, y, rate, training):
        if not hasattr(x, "permute"):  # fed from the host, as numpy gives it
            x, y = self.engine.put(x, y)
        if rate != self.rate:
            self.rate = rate
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)  # first: the forward pass may use their memory
        loss, total = self._loss_of(x, y, training)
        total.backward()
        if self.scale != 1.0:
            self.engine.torch._foreach_mul_([one.grad for one in self.weights], 1 / self.scale)
        self.optimizer.step()
        return loss.detach()

    def wait(self, whole=True):
        self.engine.wait()

    def logits(self, images):
        torch = self.engine.torch
        with torch.no_grad():
            return self._logits(torch.from_numpy(images).to(self.engine.place), False).cpu().numpy()

    def reset(self, weights):
        torch = self.engine.torch
        with torch.no_grad():
            for have, (array, _l2) in zip(self.weights, weights):
                have.copy_(self._parameter(array))
        self.optimizer, self.rate = self._optimizer(), self.recipe["rate"]


# ---- Common to the backends ------------------------------------------------------------------------------------------


def _half(precision):
    """The type to compute in, or None for float32. Weights stay float32 (mixed precision)."""
    return {"float32": None, "mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}[precision]


def _slots(recipe):
    """Arrays that the optimizer keeps beside each weight (RMSprop's second is TensorFlow's momentum, unused)."""
    return {"sgd": 0, "momentum": 1, "nesterov": 1, "adagrad": 1, "rmsprop": 2, "adam": 2}[recipe["optimizer"]]


def _slot_start(recipe):
    return 0.1 if recipe["optimizer"] == "adagrad" else 0.0  # Keras' initial accumulator


def _keras(backend):
    import keras

    if int(keras.__version__.split(".")[0]) < 3:
        raise Unsupported("Keras {} runs on TensorFlow alone".format(keras.__version__))
    if keras.backend.backend() != backend:
        raise Unsupported("Keras runs on {} here".format(keras.backend.backend()))
    return keras


if __name__ == "__main__":
    main()
