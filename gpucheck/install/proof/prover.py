"""Run by the NEW environment's Python (3.6 to 3.14): does what was installed load, import and compute?

    prover.py where | driver | libraries JSON | loader JSON | tensorflow JSON

One JSON object a line on a private copy of standard output, each flushed; a line "begin" comes before whatever may
never return, so that the parent can tell what it was that crashed or hung. Nothing of gpucheck is imported and, before
TensorFlow itself, nothing beyond the standard library. What the answers mean is the parent's (prove.py).
"""

import os
import sys

# sys.path[0] is this file's folder (not with -I), whose modules would hide others of the same name.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != _HERE]

import ctypes  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402

# float32 products differ by 1e-6 from exact ones, with TF32 (the default on Ampere and later) by 3e-4; faulty kernels
# and faulty memory are wrong by orders of magnitude.
TOLERANCE = 1e-2
LIBRARY_SECONDS = 60  # for one library: the largest (libcublasLt, 700 MB) loads in a second from a disk, not from NFS
OPERATIONS = ("matmul", "conv2d")
# stem -> how it tells its version. "property": NVIDIA's libraryPropertyType 0, 1, 2 is major, minor, patch level.
VERSIONS = {
    "libcudart": ("number", "cudaRuntimeGetVersion"),
    "libcudnn": ("cudnn", "cudnnGetVersion"),
    "libcublas": ("property", "cublasGetProperty"),
    "libcufft": ("property", "cufftGetProperty"),
    "libcurand": ("property", "curandGetProperty"),
    "libcusolver": ("property", "cusolverGetProperty"),
    "libcusparse": ("property", "cusparseGetProperty"),
    "libnccl": ("nccl", "ncclGetVersion"),
    "libnvrtc": ("pair", "nvrtcVersion"),
    "libnvJitLink": ("pair", "nvJitLinkVersion"),
}
# DsoLoader::TryDlopenCUDALibraries: in namespace tsl since 2.9 or so, before that in stream_executor.
SYMBOLS = (
    "_ZN3tsl8internal9DsoLoader22TryDlopenCUDALibrariesEv",
    "_ZN15stream_executor8internal9DsoLoader22TryDlopenCUDALibrariesEv",
)


def main():
    _with_its_parent(os.getppid() if hasattr(os, "getppid") else 0)
    say = _private_stdout()
    command = sys.argv[1]
    told = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    {"where": where, "driver": driver, "libraries": libraries, "loader": loader, "tensorflow": tensorflow}[command](
        say, **told
    )
    say(stage="done")
    sys.stderr.flush()
    os._exit(0)  # what libraries do at an interpreter's end may hang or crash, and nothing depends on it


def _with_its_parent(parent):
    """End when gpucheck ends, however it does: bytecode written later would disturb what is restored then."""
    try:
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL: linux/prctl.h
    except (OSError, TypeError, AttributeError):  # not on this system
        return
    if os.getppid() != parent:  # gone already
        os._exit(1)


def _private_stdout():
    """Keep stdout for ourselves; whatever a library prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**line):
        out.write(json.dumps(line) + "\n")
        out.flush()

    return say


def where(say, names=()):
    """This interpreter, its folders for packages, and the file that an import of these names would take."""
    import importlib.util
    import sysconfig

    found = {}
    for name in names:
        try:
            spec = importlib.util.find_spec(name)
            found[name] = None if spec is None else spec.origin
        except Exception as error:
            found[name] = _words(error)
    site = [sysconfig.get_path(kind) for kind in ("purelib", "platlib")]
    say(stage="where", version=list(sys.version_info[:3]), prefix=sys.prefix, site=sorted(set(site)), found=found)


def driver(say):
    """NVIDIA's driver, asked as TensorFlow asks it: cuInit and how many GPUs this process may use."""
    say(stage="begin", what="cuInit")
    names = ("nvcuda.dll",) if os.name == "nt" else ("libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1")
    library, error = None, ""
    for name in names:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError as failure:
            error = error or _words(failure)
    if library is None:
        say(stage="driver", library=False, error=error, code=None, count=None)
        return
    code, count = library.cuInit(0), ctypes.c_int(0)
    if code == 0:
        code = library.cuDeviceGetCount(ctypes.byref(count))
    say(stage="driver", library=True, error="", code=code, count=count.value)


def libraries(say, paths, seconds=LIBRARY_SECONDS):
    """Load each library, alone: one that crashes or hangs is nobody else's (where there is fork)."""
    for path in paths:
        say(stage="begin", what=path)
        if not hasattr(os, "fork"):
            say(**_library(path))
            continue
        answer, number = _apart(path, seconds)
        say(**(answer or {"stage": "library", "path": path, "ok": False, "signal": number}))


def _apart(path, seconds):
    """What a fork said of one library (None: it died first), and the signal that ended it."""
    import signal

    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _with_its_parent(parent)
            os.close(reader)
            signal.alarm(seconds)
            with os.fdopen(writer, "w") as out:
                out.write(json.dumps(_library(path)))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as source:
        text = source.read()
    status = os.waitpid(pid, 0)[1]
    return (json.loads(text) if text else None), status & 0x7F


def _library(path):
    answer = {"stage": "library", "path": path, "ok": True, "error": "", "version": None, "code": 0, "mapped": None}
    try:
        library = _windows_dll(path, answer) if os.name == "nt" else ctypes.CDLL(path, mode=os.RTLD_NOW)
    except OSError as error:
        return dict(answer, ok=False, error=_words(error))
    stem = os.path.basename(path).partition(".so")[0]
    if stem in VERSIONS:
        answer["version"], answer["code"] = _version(library, *VERSIONS[stem])
    return dict(answer, mapped=_mapped(), path=path)


def _windows_dll(name, answer):
    """As TensorFlow loads it: by PATH, which Python 3.8 and later leave out unless told otherwise."""
    library = ctypes.CDLL(name, winmode=0) if sys.version_info >= (3, 8) else ctypes.CDLL(name)
    file = ctypes.create_unicode_buffer(1024)
    ctypes.windll.kernel32.GetModuleFileNameW(ctypes.c_void_p(library._handle), file, 1024)
    answer["file"] = file.value
    return library


def _version(library, way, function):
    """(numbers, 0), or (None, the code with which it refused)."""
    if not hasattr(library, function):
        return None, None
    ask = getattr(library, function)
    if way == "cudnn":
        ask.restype = ctypes.c_size_t
        return _digits(ask(), 90000), 0
    one, two = ctypes.c_int(0), ctypes.c_int(0)
    if way == "property":
        parts = []
        for kind in range(3):
            code = ask(kind, ctypes.byref(one))
            if code:
                return None, code
            parts.append(one.value)
        return parts, 0
    code = ask(ctypes.byref(one), ctypes.byref(two)) if way == "pair" else ask(ctypes.byref(one))
    if code:
        return None, code
    if way == "pair":
        return [one.value, two.value], 0
    if way == "nccl":
        return _digits(one.value, 10000), 0
    return [one.value // 1000, one.value % 1000 // 10], 0


def _digits(number, wide):
    """cuDNN 9 and NCCL 2.9 went from 1000s (8907) to 10000s (90300, 23203) for the major version."""
    unit = 10000 if number >= wide else 1000
    return [number // unit, number % unit // 100, number % 100]


def _mapped():
    """The files that this process has mapped for execution; None where the system does not tell."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as source:
            lines = [line.rstrip("\n").split(None, 5) for line in source]
    except OSError:
        return None
    return sorted({line[5] for line in lines if len(line) == 6 and "x" in line[1] and ".so" in line[5]})


class _Status(ctypes.Structure):
    """Room for a tensorflow::Status (four words in 2.10) or absl::Status (one word). Larger than two words, so that any
    ABI passes a pointer for it, as C++ does for a class with a destructor. Not read: its layout changed with releases.
    """

    _fields_ = [("word", ctypes.c_uint64 * 32)]


def loader(say, path):
    """TensorFlow's own check of the CUDA libraries, without importing TensorFlow.

    It logs each library that does not open; those that do are mapped afterwards.
    """
    _loud()
    say(stage="begin", what=path)
    library = ctypes.CDLL(path)
    symbol = next((name for name in SYMBOLS if hasattr(library, name)), None)
    if symbol is None:
        say(stage="loader", symbol=None, mapped=None)
        return
    say(stage="begin", what="DsoLoader::TryDlopenCUDALibraries")
    check = getattr(library, symbol)
    check.restype = _Status
    check()
    say(stage="loader", symbol=symbol, mapped=_mapped())


def _loud():
    # Since 2.12 only this makes TensorFlow name the libraries that it cannot open (tsl/platform/default/dso_loader.cc).
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
    os.environ["TF_CPP_VMODULE"] = "dso_loader=1"


def tensorflow(say, leave_out=0):
    """Import it, ask Keras for its version, compute on the CPU and on each GPU. leave_out: operations done before."""
    _loud()
    tf = _import(say)
    if tf is None:
        return
    if leave_out == 0:
        _keras(say, tf)
    todo = [("CPU:0", "matmul")] + [("CPU:0", "layer")] * hasattr(tf, "keras")
    todo += [(device, name) for device in _devices(say, tf) for name in OPERATIONS]
    for device, operation in todo[leave_out:]:
        say(stage="begin", what=operation, device=device)
        say(stage="operation", device=device, operation=operation, **_judge(tf, device, operation))


def _import(say):
    say(stage="begin", what="import")
    begin = time.time()
    try:
        import tensorflow as tf

        say(
            stage="import",
            ok=True,
            version=str(tf.__version__),
            built_with_cuda=bool(tf.test.is_built_with_cuda()),
            file=str(tf.__file__),
            seconds=time.time() - begin,
        )
    except BaseException as error:  # SystemExit, too: some broken packages leave that way
        say(stage="import", ok=False, error=_words(error), seconds=time.time() - begin)
        return None
    return tf


def _keras(say, tf):
    """tf.keras and, where there is one, the package keras that it is."""
    say(stage="begin", what="keras")
    answer = {"ok": True, "error": "", "version": None, "backend": None, "file": None}
    try:
        if hasattr(tf, "keras"):
            answer["version"] = str(getattr(tf.keras, "__version__", "") or "") or None
            backend = getattr(tf.keras, "backend", None)
            answer["backend"] = str(backend.backend()) if hasattr(backend, "backend") else "tensorflow"
            answer["file"] = getattr(sys.modules.get("keras"), "__file__", None)
    except BaseException as error:
        answer.update(ok=False, error=_words(error))
    say(stage="keras", **answer)


def _devices(say, tf):
    """ "GPU:0" and so on; none where they cannot be listed."""
    say(stage="begin", what="devices")
    try:
        config = getattr(tf, "config", None)
        config = config if hasattr(config, "list_physical_devices") else getattr(config, "experimental", None)
        if config is None or not hasattr(config, "list_physical_devices"):  # before 1.14
            from tensorflow.python.client import device_lib

            names = [one.name.rpartition("device:")[2].strip("/") for one in device_lib.list_local_devices()]
            names = [name.upper() for name in names if name.upper().startswith("GPU")]
        else:
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


def _judge(tf, device, operation):
    try:
        if operation == "layer":
            return _layer(tf)
        import numpy

        random = numpy.random.RandomState(20)
        shapes = {"matmul": ((256, 256), (256, 256)), "conv2d": ((8, 28, 28, 32), (5, 5, 32, 64))}[operation]
        left, right = (random.standard_normal(shape).astype("float32") for shape in shapes)
        begin = time.time()
        got = _compute(tf, device, operation, left, right).astype("float64")
        seconds = time.time() - begin
        if operation == "matmul":
            expected = left.astype("float64").dot(right.astype("float64"))
        else:
            expected = _compute(tf, "CPU:0", operation, left, right).astype("float64")
        off = float(((got - expected) ** 2).sum() ** 0.5 / (expected**2).sum() ** 0.5)
    except Exception as error:
        return {"status": "error", "error": _words(error), "off": None, "seconds": None}
    good = math.isfinite(off) and off <= TOLERANCE
    return {
        "status": "ok" if good else "wrong-numbers",
        "error": None,
        "off": off if math.isfinite(off) else None,
        "seconds": seconds,
    }


def _layer(tf):
    """A layer of Keras whose weights are made: 3 times 2 and 2 more."""
    begin = time.time()
    with tf.device("/cpu:0"):
        layer = tf.keras.layers.Dense(2)
        layer.build((None, 3))
    good = layer.count_params() == 8
    return {
        "status": "ok" if good else "wrong-numbers",
        "error": None,
        "off": None,
        "seconds": time.time() - begin,
    }


def _compute(tf, device, operation, left, right):
    """As an array. Eagerly where TensorFlow is eager (2.x), else in a session of its own."""

    def work():
        with tf.device("/" + device.lower()):
            one, two = tf.constant(left), tf.constant(right)
            return tf.matmul(one, two) if operation == "matmul" else tf.nn.conv2d(one, two, [1, 1, 1, 1], "SAME")

    if hasattr(tf, "executing_eagerly") and tf.executing_eagerly():
        out = work()
        if device.split(":")[0] not in out.device.upper():
            raise RuntimeError("the result lies on " + out.device)  # soft placement: computed elsewhere, proves nothing
        return out.numpy()
    one = tf.compat.v1 if hasattr(tf, "compat") and hasattr(tf.compat, "v1") else tf
    config = one.ConfigProto()
    config.gpu_options.allow_growth = True
    with tf.Graph().as_default(), one.Session(config=config) as session:
        return session.run(work())


def _words(error):
    text = str(error)
    if "Traceback (most recent call last)" in text:  # TensorFlow 1.x wraps the cause so
        causes = [line for line in text.splitlines() if line.partition(":")[0].strip().endswith("Error")]
        text = causes[-1] if causes else text
        return " ".join(text.split())[:1000]
    return "{}: {}".format(type(error).__name__, " ".join(text.split()))[:1000]


if __name__ == "__main__":
    main()
