"""What TensorFlow's own C++ and Python print: devices, libraries that it opens, memory, and what is harmless.

StreamExecutor's words about the driver stand in cuda.py, about cuDNN in cudnn.py, the compiler's in xla.py.
"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.sonames import first_name, is_optional, library, names_in
from gpucheck.logs.words import between, number_after, said, version_after, word_after

Values = Union[dict[str, str], None]
_GPU_DEVICE = "tensorflow/core/common_runtime/gpu/gpu_device.cc"
_DSO_LOADER = "stream_executor/platform/default/dso_loader.cc, 1.14 to 2.21 (stream_executor/dso_loader.cc before)"


def kept(**values: Union[str, None]) -> dict[str, str]:
    """The values that the line really holds."""
    return {name: value for name, value in values.items() if value}


def _device(text: str) -> Values:
    if "XLA_" in text or not ("GPU:" in text or "gpu:" in text):  # CPU:0 and XLA_GPU:0 are other things
        return None
    number = text.replace("gpu:", "GPU:").partition("GPU:")[2]
    digits = number[: len(number) - len(number.lstrip("0123456789"))]
    capability = word_after(text, "compute capability:")
    name = between(text, "name: ", ", pci") or between(text, "name: ", ",")
    return kept(device=f"GPU:{digits}", capability=capability, name=name, megabytes=_before(text, " MB memory"))


def _before(text: str, after: str) -> Union[str, None]:
    """The digits that stand in front of a literal."""
    head, found, _ = text.partition(after)
    word = head.rpartition(" ")[2]
    return word if found and word.isdigit() else None


def _listed(text: str) -> Values:
    """The list of physical devices, as a prompt shows it."""
    if "PhysicalDevice(" in text or "device_type" in text:
        listed = "GPU:" in text or '"GPU"' in text or "'GPU'" in text
    else:  # an operation that ran there, not one that asks for it
        listed = "/task:0/device:GPU:" in text and not any(word in text for word in ("specification", "annot assign"))
    return {} if listed and "XLA_" not in text else None


def _without_cuda(text: str) -> Values:
    """The answer beside the question: 'is_cuda_build': False."""
    rest = text.partition("cuda_build")[2] or text.partition("built_with_cuda")[2]
    return {} if rest.lstrip("'\"()=: ,").startswith("False") else None


def _properties(text: str) -> Values:
    name = between(text, "name: ", " major:") or between(text, "name: ", " computeCapability") or None
    name = name or between(text, "StreamExecutor device (", ", Compute")
    capability = word_after(text, "computeCapability:") or word_after(text, "Compute Capability ")
    major, minor = number_after(text, "major:"), number_after(text, "minor:")
    if capability is None and major and minor:
        capability = f"{major}.{minor}"
    if name and "): " in name:
        name = name.partition("): ")[2]
    if name and name.startswith("<undefined"):  # the CPU's platform "Host" has devices, too
        return None
    return kept(name=name, capability=capability) or None


def _memory(text: str) -> Values:
    values = kept(total=word_after(text, "otalMemory:"), free=word_after(text, "freeMemory:"))
    values = values or kept(total=word_after(text, "deviceMemorySize:"))
    return values or kept(total=word_after(text, "Total memory:"), free=word_after(text, "Free memory:")) or None


def _not_loaded(text: str) -> Values:
    """Could not load dynamic library 'X'; dlerror: Y; LD_LIBRARY_PATH: Z."""
    said_of, _, why = text.partition("dlerror")
    name = first_name(said_of) or first_name(text)
    if name is None or is_optional(name):
        return None
    cause = first_name(why.partition("LD_LIBRARY_PATH")[0])
    return kept(
        soname=name,
        needs=cause if cause and cause != name else None,
        search=word_after(text, "LD_LIBRARY_PATH:", ends=" \t'\"") if "LD_LIBRARY_PATH:" in text else None,
    )


_FAILED = (
    "cannot open shared object",
    "could not find",
    "cannot load",
    "can't load",
    "could not load",
    "not found",
    "no such file",
    "unable to load",
    "could not be found",
    "cannot find",
    "is missing",
    "failed to load",
)


def _not_imported(text: str) -> Values:
    """Any other sentence that says of one of CUDA's libraries that it is not there."""
    low = text.lower()
    if (
        "dynamic library" in low
        or "dlopen library" in low
        or "cuda library" in low
        or "uccessfully" in low
        or ("could not load library" in low and "cudnn" in low)
    ):
        return None
    if not any(word in low for word in _FAILED) or "undefined symbol" in low:
        return None
    names = [name for name in names_in(text) if not is_optional(name) and library(name) not in (None, "cuda", "zlib")]
    parts = ("could not locate", "unable to load any", "cudnn_")
    if not names or any(one in low for one in parts):
        return None
    return kept(soname=names[0], ctypes="yes" if text.lstrip().startswith("OSError") else None)


def _optional_not_loaded(text: str) -> Values:
    name = first_name(text)
    return {"soname": name} if name and is_optional(name) else None


def _opened(text: str) -> Values:
    name = first_name(text)
    return {"soname": name} if name else None


def _ignoring(text: str) -> Values:
    return kept(
        name=between(text, "name: ", ", pci"),
        capability=word_after(text, "with Cuda compute capability") or word_after(text, "compute capability:"),
        minimum_capability=word_after(text, "required Cuda capability is"),
    )


def _not_built_for(text: str) -> Values:
    capability = word_after(text, "compute capability")
    return kept(capability=capability)


def _no_memory(text: str) -> Values:
    if "GPU" not in text and "gpu" not in text and "host" in text.lower():
        return None
    return kept(wanted=word_after(text, "to allocate") or word_after(text, "failed to allocate"))


def _version(text: str) -> Values:
    for before in ("tensorflow-gpu==", "tensorflow==", "tensorflow-gpu-", "tensorflow-", "ensorFlow version:"):
        version = version_after(text, before) if before in text else None
        if version and "." in version:
            return {"tensorflow": version.removesuffix(".tar.gz").partition("-")[0]}
    return None


MESSAGES = (
    Message(
        "gpu-device-created",
        ("Created device /job", "Created TensorFlow device (/", "Creating TensorFlow device (/"),
        _device,
        "TensorFlow made a device for this GPU: the driver and the CUDA libraries work, and it computes there.",
        source=f"{_GPU_DEVICE}, 0.8 to 2.21",
    ),
    Message(
        "gpu-listed",
        ("PhysicalDevice(name=", "device_type:", "/device:GPU:"),
        _listed,
        "TensorFlow lists a GPU: the driver and the CUDA libraries work.",
        source="tf.config.list_physical_devices, device_lib.list_local_devices, names of operations on a device",
    ),
    Message(
        "gpu-asked-for-in-vain",
        ("explicit device specification",),
        lambda text: {"xla": "yes"} if "XLA_GPU" in text else {} if "GPU" in text.upper() else None,
        "The program asks for a GPU, and TensorFlow has none.",
        look=("python -c 'import tensorflow as tf; print(tf.sysconfig.get_build_info())'", "gpucheck doctor"),
        source="tensorflow/core/common_runtime/placer.cc, 0.6 to 2.21",
    ),
    Message(
        "gpu-operation-on-cpu",
        ("only supports NHWC", "only supports the NHWC", "No OpKernel was registered to support Op 'Cudnn"),
        lambda text: {} if "Cudnn" not in text or "GPU" not in text.partition("Registered devices:")[2] else None,
        "An operation that only the GPU can do was given to the CPU: TensorFlow has no GPU.",
        look=("python -c 'import tensorflow as tf; print(tf.config.list_physical_devices())'",),
        source="tensorflow/core/kernels/conv_ops.cc, maxpooling_op.cc, 1.0 to 2.21",
    ),
    Message(
        "tensorflow-built-without-cuda",
        ("is_cuda_build", "is_built_with_cuda", "built_with_cuda"),
        _without_cuda,
        "This TensorFlow was built for the CPU.",
        look=("python -c 'import tensorflow as tf; print(tf.sysconfig.get_build_info())'",),
        source="tf.sysconfig.get_build_info, tf.test.is_built_with_cuda",
    ),
    Message(
        "gpu-properties",
        ("computeCapability:", "memoryClockRate", "StreamExecutor device ("),
        _properties,
        "The driver told TensorFlow of this GPU.",
        source=f"{_GPU_DEVICE}, 1.0 to 2.4; xla/service/service.cc",
    ),
    Message(
        "gpu-memory",
        ("otalMemory:", "freeMemory:", "deviceMemorySize:", "Total memory: ", "Free memory: "),
        _memory,
        "How much memory the GPU has, and how much of it was free when TensorFlow started.",
        source=f"{_GPU_DEVICE}, 0.6 to 1.14 and 2.1 to 2.4",
    ),
    Message(
        "library-not-loaded",
        ("Could not load dynamic library", "Could not dlopen library", "open CUDA library"),
        lambda text: None if "uccessfully" in text else _not_loaded(text),
        "TensorFlow did not get this library. Without one of CUDA's or cuDNN's it uses no GPU.",
        look=("gpucheck doctor", "ldconfig -p | grep -E 'libcu(dart|blas|dnn)'"),
        source=_DSO_LOADER,
    ),
    Message(
        "library-import-failed",
        (
            "libcudart",
            "libcublas",
            "libcufft",
            "libcurand",
            "libcusolver",
            "libcusparse",
            "libcudnn",
            "cudart64_",
            "cublas64_",
            "cufft64_",
            "curand64_",
            "cusolver64_",
            "cusparse64_",
            "cudnn64_",
        ),
        _not_imported,
        "Python or a program did not get this library.",
        look=("gpucheck doctor", "ldconfig -p | grep -E 'libcu(dart|blas|dnn)'"),
        source="glibc's loader; tensorflow/python/platform/self_check.py, 1.0 to 2.21",
    ),
    Message(
        "device-interconnect",
        ("Device interconnect StreamExecutor",),
        said,
        "TensorFlow has looked at the GPUs.",
        harmless="it tells how the GPUs are connected.",
        source=f"{_GPU_DEVICE}, 1.5 to 2.6",
    ),
    Message(
        "optional-library-not-loaded",
        ("Could not load dynamic library", "Could not dlopen library", "open CUDA library"),
        lambda text: None if "uccessfully" in text else _optional_not_loaded(text),
        "A library that TensorFlow can do without (TensorRT, CUPTI) is not there.",
        harmless="TensorFlow uses a GPU without TensorRT, and without CUPTI unless it is profiled.",
        source=_DSO_LOADER,
    ),
    Message(
        "library-loaded",
        ("uccessfully opened dynamic library", "uccessfully opened CUDA library"),
        _opened,
        "TensorFlow got this library.",
        source=_DSO_LOADER,
    ),
    Message(
        "cannot-dlopen-gpu-libraries",
        ("Cannot dlopen some GPU libraries", "Cannot dlopen all CUDA libraries"),
        said,
        "A GPU and its driver are there, and at least one of CUDA's libraries did not load. Up to 2.11 the lines "
        "above name it; later releases name none.",
        look=("gpucheck doctor", "TF_CPP_MAX_VLOG_LEVEL=3 python -c 'import tensorflow' 2>&1 | grep -i dlerror"),
        source=f"{_GPU_DEVICE}, 1.14 to 2.21",
    ),
    Message(
        "cuda-drivers-not-found",
        ("Could not find cuda drivers on your machine",),
        said,
        "libcudart did not load. In spite of its words this says nothing of the driver.",
        look=("nvidia-smi", "gpucheck doctor"),
        source="tsl/cuda/cudart_stub.cc, 2.12 to 2.21",
    ),
    Message(
        "cudart-dlerror-ignorable",
        ("Ignore above cudart dlerror if you do not have a GPU",),
        said,
        "libcudart did not load.",
        harmless="without a GPU in the machine it means nothing; with one it is why TensorFlow does not use it.",
        source="stream_executor/cuda/cudart_stub.cc, 2.1 to 2.11",
    ),
    Message(
        "gpu-ignored-capability",
        ("required Cuda capability is",),
        _ignoring,
        "TensorFlow leaves this GPU out: it is older than the oldest that the build has code for.",
        source=f"{_GPU_DEVICE}, 0.5 to 2.21",
    ),
    Message(
        "gpu-ignored-multiprocessors",
        ("TF_MIN_GPU_MULTIPROCESSOR_COUNT",),
        said,
        "TensorFlow leaves this GPU out because a larger one is there.",
        harmless="it concerns a second, smaller GPU; set TF_MIN_GPU_MULTIPROCESSOR_COUNT to use it all the same.",
        source=f"{_GPU_DEVICE}, 0.8 to 2.21",
    ),
    Message(
        "kernels-not-built-for-capability",
        ("not built with CUDA kernel binaries compatible with compute capability",),
        _not_built_for,
        "The build has no machine code for this GPU, only PTX that the driver compiles when the program starts.",
        source=f"{_GPU_DEVICE}, 2.5 to 2.21",
    ),
    Message(
        "adding-visible-gpus",
        ("Adding visible gpu devices:",),
        said,
        "TensorFlow sees these GPUs.",
        harmless="the numbers are those of the GPUs that it sees: 0 is the first one, not their count.",
        source=f"{_GPU_DEVICE}, 1.5 to 2.6",
    ),
    Message(
        "no-gpu-devices-available",
        ("No GPU devices available on machine",),
        said,
        "TensorFlow found no GPU.",
        source="tensorflow/core/common_runtime/gpu/gpu_init.cc, 0.6 to 1.0",
    ),
    Message(
        "gpu-out-of-memory",
        (
            "ut of memory trying to allocate",
            "ut of memory while trying to allocate",
            "OOM when allocating tensor",
            "Dst tensor is not initialized",
            "ran out of memory trying",
            "Failed to allocate request for",
        ),
        _no_memory,
        "The memory that TensorFlow has on the GPU does not hold this tensor.",
        look=("nvidia-smi",),
        source="tensorflow/core/framework/bfc_allocator.cc, 0.6 to 2.21",
    ),
    Message(
        "tensorflow-version",
        ("tensorflow==", "tensorflow-gpu==", "ensorFlow version:"),
        _version,
        "A release of TensorFlow is named.",
        source="pip, conda, issue templates",
    ),
    # What stands in most logs and is nothing.
    Message(
        "plugin-factory-registered-twice",
        ("factory for plugin",),
        lambda text: {} if "already been registered" in text or "already registered" in text else None,
        "A plug-in of XLA is registered twice within the build.",
        harmless="TensorFlow 2.14 and later print it at every start, with and without a GPU.",
        source="xla/stream_executor/cuda/cuda_dnn.cc, cuda_fft.cc, cuda_blas.cc, 2.14 to 2.21",
    ),
    Message(
        "computation-placer-registered-twice",
        ("computation placer already registered",),
        said,
        "A part of XLA is registered twice within the build.",
        harmless="TensorFlow 2.18 and later print it at every start.",
        source="xla/service/computation_placer.cc, 2.18 to 2.21",
    ),
    Message(
        "tensorrt-not-found",
        ("Could not find TensorRT", "Cannot dlopen some TensorRT libraries", "Cannot dlopen all TensorRT libraries"),
        said,
        "TensorRT, which is optional, is not installed.",
        harmless="TensorFlow uses a GPU without TensorRT.",
        source="tensorflow/compiler/tf2tensorrt/utils/py_utils.cc, 2.1 to 2.17",
    ),
    Message(
        "numa-node-unknown",
        (
            "NUMA node read from SysFS had negative value",
            "to read NUMA node",
            "built without NUMA support",
            "identify NUMA node",
            "built with NUMA support",
        ),
        said,
        "The kernel names no NUMA node for the GPU, as on every machine with one socket, and under WSL.",
        harmless="the kernel does not tell which processor the GPU hangs on; TensorFlow takes node 0.",
        source="stream_executor/cuda/cuda_gpu_executor.cc, 0.6 to 2.21",
    ),
    Message(
        "cpu-features",
        (
            "binary was not compiled to use",
            "optimized to use available CPU instructions",
            "wasn't compiled to use SSE",
            "was optimized with oneAPI Deep Neural Network",
            "optimized with oneDNN",
        ),
        said,
        "The processor can do more than the build makes use of.",
        harmless="it concerns the speed of the CPU alone.",
        source="tensorflow/core/platform/cpu_feature_guard.cc, 0.12 to 2.21",
    ),
    Message(
        "multi-node-nvlink-only",
        ("Ignore this message unless multi-node NVLink is used",),
        said,
        "The driver cannot tell how machines are joined by NVLink.",
        harmless="it says so itself: it concerns racks that are joined by NVLink.",
        source="xla/stream_executor/cuda/cuda_executor.cc, 2.20 to 2.21",
    ),
    Message(
        "allow-growth-overridden",
        ("Overriding allow_growth setting", "Overriding orig_value setting"),
        said,
        "TF_FORCE_GPU_ALLOW_GROWTH or a device decides how memory is taken.",
        harmless="it says which of two settings of yours counts.",
        source="tensorflow/core/common_runtime/gpu/gpu_bfc_allocator.cc, 1.14 to 2.21",
    ),
    Message(
        "delay-kernel-skipped",
        ("Skipping the delay kernel",),
        said,
        "XLA's timing of kernels is less exact.",
        harmless="it concerns how exactly XLA times kernels when it chooses between them.",
        source="xla/stream_executor/gpu/gpu_timer.cc, 2.17 to 2.21",
    ),
    Message(
        "mlir-crash-reproducer-off",
        (
            "disabling MLIR crash reproducer",
            "None of the MLIR optimization passes are enabled",
            "None of the MLIR Optimization Passes are enabled",
        ),
        said,
        "A help for TensorFlow's developers is off.",
        harmless="it concerns the development of TensorFlow.",
        source="tensorflow/compiler/mlir, 2.4 to 2.21",
    ),
    Message(
        "end-of-sequence",
        (
            "OUT_OF_RANGE: End of sequence",
            "Out of range: End of sequence",
            "Local rendezvous is aborting",
            "Local rendezvous recv item cancelled",
        ),
        said,
        "A data set came to its end.",
        harmless="every data set ends so.",
        source="tensorflow/core/framework/local_rendezvous.cc, base_collective_executor.cc, 2.0 to 2.21",
    ),
    Message(
        "xla-service-initialized",
        ("this does not guarantee that XLA will be used", "Compiled cluster using XLA"),
        said,
        "XLA is there and sees the platform.",
        harmless="it tells that XLA can compile.",
        source="xla/service/service.cc, 1.12 to 2.21",
    ),
    Message(
        "log-before-initialize",
        ("before absl::InitializeLog()",),
        said,
        "Lines that come before the log is set up.",
        harmless="it tells only where lines go.",
        source="absl/log, TensorFlow 2.17 to 2.21",
    ),
    Message(
        "tensor-float-32-used",
        ("TensorFloat-32 will be used",),
        said,
        "Products of matrices use TensorFloat-32.",
        harmless="it makes them faster and a little less exact (enable_tensor_float_32_execution turns it off).",
        source="stream_executor/cuda/cuda_blas.cc, 2.4 to 2.16",
    ),
    Message(
        "allocation-exceeds-share",
        ("of free system memory", "of system memory"),
        lambda text: {} if "Allocation of" in text else None,
        "A large piece of the computer's memory was taken.",
        harmless="it is the computer's memory, not the GPU's.",
        source="tensorflow/core/framework/cpu_allocator_impl.cc, 1.8 to 2.21",
    ),
    Message(
        "libraries-linked-statically",
        ("GPU libraries are statically linked, skip dlopen check",),
        said,
        "CUDA's libraries are part of this build.",
        harmless="this build needs no CUDA libraries beside it.",
        source="tensorflow/core/common_runtime/gpu/gpu_device.cc, 2.3 to 2.21",
    ),
    Message(
        "optimizer-of-plugin-enabled",
        ("Plugin optimizer for device_type",),
        said,
        "An optimizer of graphs is on.",
        harmless="it tells only that it is on.",
        source="tensorflow/core/grappler, 2.9 to 2.21",
    ),
    Message(
        "onednn-on",
        ("oneDNN custom operations are on",),
        said,
        "TensorFlow uses oneDNN on the CPU.",
        harmless="it concerns the CPU alone.",
        source="tensorflow/core/util/port.cc, 2.5 to 2.21",
    ),
    Message(
        "xla-devices-not-created",
        ("Not creating XLA devices",),
        said,
        "The devices of an experiment of long ago are not made.",
        harmless="TensorFlow needs no XLA devices to use a GPU.",
        source="tensorflow/compiler/jit/xla_cpu_device.cc, 2.4 to 2.6",
    ),
    Message(
        "executor-aborting-debug",
        ("this does not indicate an error and you can ignore this message",),
        said,
        "An iterator came to its end.",
        harmless="it says so itself.",
        source="tensorflow/core/common_runtime/executor.cc, 2.12 to 2.14",
    ),
)
