"""The frameworks themselves: builds for the CPU, Keras' backend, Keras 2 and 3, XLA's libdevice and ptxas."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.log import Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import gpu_works, on_windows
from gpucheck.rules.engine import Found, found


@cause("cpu-only-package", Place.TRACEBACK)
def torch_for_the_cpu(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("torch-without-cuda")
    if clue is not None:
        yield found(
            "The PyTorch that runs is a build for the CPU.",
            [told(clue), *(told(one) for one in log.all("torch-version-cpu")[:1])],
            [
                "python -c 'import torch; print(torch.__version__, torch.version.cuda)'",
                "# install the build with CUDA: https://pytorch.org/get-started/locally/",
            ],
        )


@cause("cpu-only-package", Place.TRACEBACK)
def jaxlib_for_the_cpu(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("jaxlib-without-cuda", "jax-platform-missing")
    if clue is not None and log.first("jax-plugin-failed", "jax-parts-differ") is None:
        yield found(
            "The jaxlib that runs is the one for the CPU: JAX's CUDA plug-in is not installed.",
            [told(clue)],
            ["pip install --upgrade 'jax[cuda12]'", "pip list | grep -i jax"],
        )


@cause("jax-plugin-version-mismatch", Place.TRACEBACK)
def jax_parts(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """jax, jaxlib and JAX's CUDA plug-in are of versions that do not belong together.

    ## What it means
    The CUDA plug-in (jax-cuda12-plugin, jax-cuda12-pjrt) or jaxlib was installed or upgraded alone: one of them asks
    the others for a function that they do not have yet, or no longer have.

    ## Why it matters
    The plug-in does not start, and JAX computes on the CPU.

    ## How to fix
    Install all of them in one command, which chooses versions that fit: pip install --upgrade "jax[cuda12]".

    ## References
    https://docs.jax.dev/en/latest/installation.html
    https://github.com/jax-ml/jax/issues/26750
    """
    clue = log.first("jax-parts-differ")
    if clue is not None and not gpu_works(log):
        yield found(
            "jax, jaxlib and JAX's CUDA plug-in are of versions that do not belong together.",
            [told(one) for one in (log.first("jax-plugin-failed"), clue) if one],
            ["pip list | grep -i jax", 'pip install --upgrade "jax[cuda12]"'],
        )


@question(Place.TRACEBACK)
def why_the_plugin_failed(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """JAX's plug-in did not start, and the end of the traceback says nothing that is known, or is cut off."""
    clue = log.first("jax-plugin-failed")
    if clue is not None and not gpu_works(log) and log.first("jax-parts-differ") is None:
        yield left(
            "JAX's CUDA plug-in is installed and did not start.",
            [told(clue)],
            {
                "jax-plugin-version-mismatch": "pip list shows jax and jax-cuda12-plugin of different versions",
                "nvidia-kernel-module-not-loaded": "nvidia-smi shows no GPU",
                "pip-cuda-wheels-not-found": "the traceback names a library of CUDA",
            },
            "pip list | grep -i jax; nvidia-smi -L",
        )


@question(Place.TRACEBACK)
def why_jax_on_the_cpu(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("jax-no-gpu-falling-back")
    if clue is not None and log.first("jaxlib-without-cuda", "jax-platform-missing") is None:
        yield left(
            "JAX computes on the CPU.",
            [told(clue)],
            {
                "cpu-only-package": "pip list shows jaxlib without +cuda and no jax-cuda plug-in",
                "ok-cpu-expected": "the machine has no NVIDIA GPU",
            },
            "pip list | grep -i jax; nvidia-smi -L",
        )


@cause("keras-backend-not-tensorflow", Place.TRACEBACK)
def other_backend(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = next((one for one in log.all("keras-backend") if one.get("name") not in ("tensorflow", "tf")), None)
    if clue is not None and not any(one.get("name") in ("tensorflow", "tf") for one in log.all("keras-backend")):
        yield found(
            f"Keras computes with {clue.get('name')}, not with TensorFlow.",
            [told(clue)],
            ['cat ~/.keras/keras.json  # "backend": "tensorflow"', "echo $KERAS_BACKEND"],
            severity=None if clue.get("name") in ("theano", "cntk", "plaidml", "mxnet") else Severity.WARNING,
        )


@cause("keras2-keras3-mismatch", Place.TRACEBACK)
def keras_majors(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("legacy-keras-without-tf-keras", "keras-3-not-supported")
    if clue is not None:
        yield found(
            "Code for Keras 2 met Keras 3, and the package tf_keras, which is Keras 2, is not installed.",
            [told(clue)],
            ["pip install tf_keras  # of TensorFlow's own minor", "# or unset TF_USE_LEGACY_KERAS"],
        )


@cause("keras2-keras3-mismatch", Place.TRACEBACK)
def keras_mixed(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("keras-modules-mixed")
    if clue is not None and log.first("legacy-keras-without-tf-keras", "keras-3-not-supported") is None:
        yield found(
            "Keras and TensorFlow are of releases that do not belong together.",
            [told(clue)],
            [
                "pip list | grep -iE 'keras|tensorflow'",
                "# keras 2.x belongs to TensorFlow 2.x of the same minor, up to 2.15",
            ],
        )


@cause("libdevice-not-found", Place.DEVICE)
def no_libdevice(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("libdevice-not-found", "libdevice-folder-not-found")
    if clue is not None:
        yield found(
            "XLA found no libdevice.10.bc.",
            [told(clue)],
            [
                "find / -name libdevice.10.bc 2>/dev/null  # it has to lie in DIR/nvvm/libdevice",
                "export XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR",
            ],
            severity=None if log.first("libdevice-not-found") else Severity.WARNING,
        )


_OLD = ("ptxas-too-old-for-gpu", "ptx-version-unsupported", "ptxas-version", "ptxas-has-a-bug", "no-ptx-compiler")
_FATAL = ("ptxas-failed", "ptx-version-unsupported", "ptxas-has-a-bug", "no-ptx-compiler")


@cause("ptxas-missing-or-too-old", Place.DEVICE, explains=("gpu-arch-too-new-for-build",))
def old_ptxas(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first(*_OLD)
    if clue is None:
        return
    capability = clue.get("capability")
    yield found(
        "The ptxas that comes first on PATH is too old"
        + (f" for compute capability {capability}." if capability else "."),
        [told(one) for one in log.all(*_OLD, "ptxas-failed")[:4]],
        [
            "which -a ptxas; ptxas --version",
            "# put the ptxas of a newer CUDA first on PATH: pip install nvidia-cuda-nvcc-cu12",
        ],
        severity=None if log.first(*_FATAL) else Severity.WARNING,
    )


@question(Place.DEVICE)
def why_ptxas_failed(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """ptxas failed and did not say why."""
    clue = log.first("ptxas-failed")
    if clue is not None and log.first(*_OLD) is None:
        yield left(
            "ptxas failed.",
            [told(clue)],
            {
                "ptxas-missing-or-too-old": "ptxas --version is older than the program's CUDA",
                "disk-or-tmp-full": "df -h /tmp shows no room",
            },
            "which -a ptxas; ptxas --version; df -h /tmp",
        )


@question(Place.TRACEBACK)
def why_no_gpu_to_place_on(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The program asks for a GPU, and TensorFlow registered none; the lines that say why are cut off."""
    clue = log.first("gpu-asked-for-in-vain", "gpu-operation-on-cpu")
    if clue is None or gpu_works(log):
        return
    cpu = {"cpu-only-package": "tf.sysconfig.get_build_info()['is_cuda_build'] is False"}
    wrong = {"cuda-toolkit-wrong-version": "the lines of TensorFlow's start name libraries that did not load"}
    hidden = {"cuda-visible-devices-hides-gpu": "CUDA_VISIBLE_DEVICES is -1, empty, or names a GPU that is not there"}
    yield left(
        "The program asks for a GPU, and TensorFlow has none.",
        [told(clue)],
        {**wrong, **hidden} if clue.get("xla") else {**cpu, **wrong, **hidden},
        "python -c 'import tensorflow as tf; print(tf.sysconfig.get_build_info(), tf.config.list_physical_devices())'",
    )


@cause("cpu-only-package", Place.TRACEBACK)
def tensorflow_for_the_cpu(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("tensorflow-built-without-cuda")
    if clue is not None and not on_windows(log, snapshot):
        yield found(
            "This TensorFlow was built for the CPU.", [told(clue)], ["gpucheck install --dry-run  # one with CUDA"]
        )


@question(Place.TRACEBACK)
def why_without_cuda_on_windows(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("tensorflow-built-without-cuda")
    if clue is not None and on_windows(log, snapshot):
        yield left(
            "This TensorFlow was built for the CPU.",
            [told(clue)],
            {
                "tf-windows-native-no-gpu": "it is 2.11 or later: none of them has CUDA on Windows itself",
                "cpu-only-package": "it is 2.10 or earlier",
            },
            "pip show tensorflow",
        )
