"""Rules about cuDNN's files: replaced by another framework's wheel, or not all of them there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts import paths
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.libraries import Wanted
from gpucheck.facts.python import Distribution
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import CudnnVersion, LibraryVersion
from gpucheck.findings import Severity
from gpucheck.rules import cudnn
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.missing import asked, names
from gpucheck.rules.recipes import pip
from gpucheck.rules.stakes import stakes
from gpucheck.rules.systems import on_windows


@rule(Severity.ERROR, explains=("cudnn-wrong-version", "cuda-lib-missing-partial-install"))
def torch_cudnn_pin_conflict(snapshot: Snapshot) -> Iterator[Found]:
    """PyTorch's cuDNN replaced TensorFlow's in one environment.

    ## What it means
    PyTorch and TensorFlow both use the wheel nvidia-cudnn-cu12 (or -cu11) and pin it to different versions. There is
    one copy per environment: whichever was installed last decided, and this TensorFlow does not take that version.
    PyTorch for CUDA 13 brings nvidia-cudnn-cu13, which unpacks into the same folder as TensorFlow's nvidia-cudnn-cu12:
    one of the two was overwritten, and which one suffers is told (a warning).

    ## Why it matters
    pip mentions "dependency conflicts" once; after that TensorFlow finds no libcudnn of its major, or fails at the
    first convolution.

    ## How to fix
    Give each framework an environment of its own, or choose releases whose cuDNN fits (PyTorch 2.4 and later use cuDNN
    9, as TensorFlow 2.18 and later do).

    ## References
    https://github.com/jax-ml/jax/issues/16078
    """
    python = need(snapshot.python)
    torch = need(python.torch)
    asked = cudnn.asked_of(snapshot) if torch is not None else None
    if torch is None or asked is None or asked.row is None:
        return
    wheels = [one for one in need(python.distributions) if one.name.startswith("nvidia-cudnn-cu")]
    wheel = f"nvidia-cudnn-cu{asked.row.cuda.split('.')[0]}"
    own = next((one for one in wheels if one.name == wheel), None)
    if own is not None and not asked.takes(CudnnVersion(own.version.text)) and _suffers(snapshot, asked):
        stake = stakes(snapshot)
        if stake:
            yield _conflict(snapshot, asked, own, str(torch.version), stake.severity, stake.remark)
    elif own is not None:
        yield from _shared(snapshot, own, wheels)


def _shared(snapshot: Snapshot, own: Distribution, wheels: list[Distribution]) -> Iterator[Found]:
    """Wheels for two CUDA majors unpack into the same nvidia/cudnn/lib; a file's size tells whose is in place."""
    folder = f"{own.location}/nvidia/cudnn"
    for other in (one for one in wheels if one.name != own.name and one.location == own.location):
        place = _in_place(snapshot, folder)
        words, lines = _who_suffers(snapshot, place.text if place else None, own, other)
        yield found(
            f"{own.name} {own.version} (TensorFlow's) and {other.name} {other.version} (PyTorch's) both unpack into "
            f"{folder}: {words}.",
            [
                *(("python.distributions", f"{one.name} {one.version}", one.location) for one in (own, other)),
                ("libraries.copies", f"libcudnn: {place or 'version not known'}", folder),
            ],
            ["# One environment for TensorFlow and one for PyTorch cures it.", *lines],
            severity=Severity.WARNING,
        )


def _in_place(snapshot: Snapshot, folder: str) -> Union[LibraryVersion, None]:
    """The version of the libcudnn that lies in a wheel's folder, where that is known."""
    libraries = snapshot.libraries
    for copy in () if isinstance(libraries, Gap) else known(libraries.copies, ()):
        if copy.path.startswith(f"{folder}/lib/libcudnn.so."):
            return known(copy.version, None)
    return None


def _who_suffers(
    snapshot: Snapshot, place: Union[str, None], own: Distribution, other: Distribution
) -> tuple[str, list[str]]:
    """In words; and TensorFlow's wheel again where it is TensorFlow's that was hit."""
    if place == own.version.text and place != other.version.text:
        return (
            "TensorFlow's files are in place and sound; PyTorch's were overwritten, and it is PyTorch that may fail",
            [],
        )
    again = pip(snapshot, "--force-reinstall", "--no-deps", f"{own.name}=={own.version}")
    if place == other.version.text and place != own.version.text:
        words = "PyTorch's files are in place; TensorFlow's were overwritten, and it is TensorFlow that may fail"
        return words, ["# Or give TensorFlow's back (PyTorch may then fail):", again]
    return "files of the one that was installed last lie over the other's; whose, is not known", []


def _suffers(snapshot: Snapshot, asked: cudnn.Asked) -> bool:
    """The wheel's version is what TensorFlow would get, or it gets none: a good copy elsewhere makes up for it."""
    one = cudnn.loaded(snapshot)
    version = cudnn.version_of(one) if one else None
    return one is None or (version is not None and not asked.takes(version))


def _conflict(
    snapshot: Snapshot, asked: cudnn.Asked, one: Distribution, torch: str, severity: Severity, remark: str
) -> Found:
    return found(
        f"{one.name} {one.version} in {one.location} is what PyTorch {torch} asked for, but TensorFlow "
        f"{asked.tensorflow} needs cuDNN {asked.least} or a later {asked.least.major}.x{remark}.",
        [
            ("python.distributions", f"{one.name} {one.version}", one.location),
            ("python.torch.version", torch, "torch/version.py"),
            ("compat.tensorflow.cudnn", asked.least, asked.source),
        ],
        [
            "# Best: one environment for each. Else give TensorFlow's back (PyTorch may then fail):",
            *cudnn.install(snapshot, asked),
        ],
        severity=severity,
    )


@rule(Severity.ERROR, decisive=True)
def cudnn_companions_missing(snapshot: Snapshot) -> Iterator[Found]:
    """cuDNN's main library is here without the others that it opens when it computes.

    ## What it means
    libcudnn.so.9 and cudnn64_8.dll are fronts: the work is done by companions (libcudnn_cnn.so.9, libcudnn_ops.so.9,
    cudnn_ops_infer64_8.dll ...), which they open by name. Somebody copied the one file that an error message had named,
    or a companion was removed.

    ## Why it matters
    The GPU is listed, and the first convolution ends the program: "Unable to load any of {libcudnn_cnn.so.9 ...",
    "Could not load library cudnn_cnn_infer64_8.dll. Error code 126".

    ## How to fix
    Bring back all files of the same cuDNN, into the same folder.

    ## References
    https://docs.nvidia.com/deeplearning/cudnn/archives/cudnn-890/install-guide/index.html#install-windows
    https://github.com/tensorflow/tensorflow/issues/45200
    """
    ours = [one for one in need(need(snapshot.libraries).wanted) or () if one.library == "cudnn"]
    lost = tuple(one for one in ours if not one.needed_for_gpu and need(one.path) is None)
    stake = stakes(snapshot) if lost else None
    if not stake:
        return
    whole = next(one for one in ours if one.needed_for_gpu)
    path = known(whole.path, None) or whole.soname
    yield found(
        f"{path} is here without {names(lost)}, which it opens when it computes{stake.remark}.",
        [asked(one, f"not found; {', '.join(one.elsewhere) or 'no copy on this machine'}") for one in lost],
        _again(snapshot, whole, path),
        severity=stake.severity,
    )


def _again(snapshot: Snapshot, whole: Wanted, path: str) -> list[str]:
    """The wheel that the front is from, once more; or all files from where they came."""
    if on_windows(snapshot):
        from gpucheck.rules import ways

        first = f"# Copy all DLLs of the same cuDNN ({ways.words(whole.version)}) into {paths.parent(path)}"
        return [first, *ways.ARCHIVES[1:]]
    for one in need(need(snapshot.python).distributions):
        if one.name.startswith("nvidia-cudnn-cu") and path.startswith(f"{one.location}/nvidia/cudnn/"):
            return [pip(snapshot, "--force-reinstall", "--no-deps", f"{one.name}=={one.version}")]
    version = known(whole.version, None)
    return [f"# Install cuDNN{f' {version}' if version else ''} again, whole, from where it came: {paths.parent(path)}"]
