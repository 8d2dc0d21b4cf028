"""Rules about cuDNN: does the one that would load fit this TensorFlow and these GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Union

from gpucheck.compat.cudnn import LAST_BEFORE_TURING, find, least_capability
from gpucheck.compat.tensorflow import Release
from gpucheck.compat.tensorflow import find as find_release
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.libraries import Wanted
from gpucheck.facts.paths import join
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import CudnnVersion, LibraryVersion, PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.installed import broken_clause, by_conda
from gpucheck.rules.missing import missing
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.recipes import install_lines, pip
from gpucheck.rules.stakes import stakes
from gpucheck.rules.systems import on_windows


class Asked(NamedTuple):
    """What this TensorFlow asks of cuDNN. least: major, and minor where it is known."""

    tensorflow: str
    least: CudnnVersion
    source: str
    row: Union[Release, None]

    def takes(self, version: CudnnVersion) -> bool:
        """TensorFlow's own test: the same major, and at least the minor that it was built with."""
        return version.major == self.least.major and version.minor >= self.least.minor


def asked_of(snapshot: Snapshot) -> Union[Asked, None]:
    build = need(need(snapshot.python).tensorflow)
    if build is None or not (need(build.cuda_build) or _before_build_info(snapshot, build)):
        return None
    version = str(need(build.version))
    row = find_release(version)
    own = need(build.cudnn_version)
    if row is not None and (own is None or own.major == CudnnVersion(row.cudnn).major):
        return Asked(version, CudnnVersion(row.cudnn), row.source, row)
    # A build of one's own: build_info names the major, and the minor only where it was asked for.
    return Asked(version, own, join(build.root, "python/platform/build_info.py"), None) if own else None


def takes(snapshot: Snapshot, version: Union[LibraryVersion, None, Gap]) -> Union[bool, None]:
    """Does this TensorFlow take that cuDNN? None: the file does not tell its version, or TensorFlow asks for none.

    Raises
    ------
    Unknown: the version could not be read, or what TensorFlow asks for is not known.
    """
    asked, known_version = asked_of(snapshot), need(version)
    return asked.takes(CudnnVersion(known_version.text)) if asked and known_version else None


def _before_build_info(snapshot: Snapshot, build: TensorFlowBuild) -> bool:
    """tensorflow-gpu 1.0 to 1.3 on Windows: no build_info.py, and a CUDA build by its name."""
    return build.cuda_build is None and build.distribution == "tensorflow-gpu" and on_windows(snapshot)


def loaded(snapshot: Snapshot) -> Union[Wanted, None]:
    """The cuDNN that would be loaded, None where none would."""
    for one in need(need(snapshot.libraries).wanted) or ():
        if one.library == "cudnn" and one.needed_for_gpu and need(one.path) and need(one.defect) is None:
            return one
    return None


def version_of(one: Wanted) -> Union[CudnnVersion, None]:
    version = need(one.version)
    return CudnnVersion(version.text) if version else None


@rule(Severity.ERROR, decisive=True)
def cudnn_wrong_version(snapshot: Snapshot) -> Iterator[Found]:
    """The cuDNN that would be loaded is not the one that TensorFlow needs.

    ## What it means
    TensorFlow takes a cuDNN of the same major and at least the minor version that it was built with: 9.3 for 2.18 to
    2.21, 8.9 for 2.15 to 2.17, 8.6 for 2.12 and 2.13, 8.1 for 2.5 to 2.11.

    ## Why it matters
    With another major the library is not found, and no GPU is registered. With a lower minor the GPU is listed as
    usual, and the first convolution fails: "Loaded runtime CuDNN library: X but source was compiled with: Y",
    "DNN library is not found".

    ## How to fix
    Install a fitting cuDNN into TensorFlow's environment, and take the other one out of its way.

    ## References
    https://github.com/tensorflow/tensorflow/issues/58986
    https://github.com/edwardyehuang/CAR/issues/1
    https://www.tensorflow.org/install/source#gpu
    """
    asked = asked_of(snapshot)
    if asked is None:
        return
    one = loaded(snapshot)
    version = version_of(one) if one else None
    if one is not None and version is not None and not asked.takes(version):
        stake = stakes(snapshot)
        if stake:
            yield found(
                f"TensorFlow {asked.tensorflow} needs cuDNN {asked.least} or a later {asked.least.major}.x, but "
                f"{one.soname} would be {version}: {known(one.path, None)}, found through {one.via}{stake.remark}.",
                [
                    ("libraries.wanted", f"{one.soname}: {known(one.path, None)} ({version})", f"through {one.via}"),
                    ("compat.tensorflow.cudnn", asked.least, asked.source),
                ],
                install(snapshot, asked),
                severity=stake.severity,
            )
    yield from _other_major(snapshot, asked)


def _other_major(snapshot: Snapshot, asked: Asked) -> Iterator[Found]:
    lacking = missing(snapshot)
    for one, copies in lacking.other if lacking else ():
        stake = stakes(snapshot) if one.library == "cudnn" else None
        if stake:
            there = ", ".join(f"{copy.path} ({known(copy.version, None) or copy.soname})" for copy in copies)
            yield found(
                f"TensorFlow {asked.tensorflow} asks for {one.soname}; this machine has only {there}{stake.remark}.",
                [
                    ("libraries.wanted", f"{one.soname}: not found", f"asked for by {one.wanted_by}"),
                    *(("libraries.copies", copy.path, ", ".join(copy.found_via)) for copy in copies),
                ],
                install(snapshot, asked),
                severity=stake.severity,
            )


def install(snapshot: Snapshot, asked: Asked) -> list[str]:
    """The wheel that the release itself asks for; releases before [and-cuda] find no wheel, conda's look for none."""
    if _by_conda(snapshot):
        return [f"conda install 'cudnn>={asked.least},<{asked.least.major + 1}'"]
    if asked.row is None or not asked.row.cudnn_wheel:
        first = f"# Install cuDNN {asked.least} (same major, this minor or later)."
        if on_windows(snapshot):
            from gpucheck.rules import ways

            return [first, *ways.by_conda(None, str(asked.least)), *ways.ARCHIVES]
        return [first, *install_lines(snapshot)]
    wheel = f"nvidia-cudnn-cu{asked.row.cuda.split('.')[0]}"
    return [pip(snapshot, f"{wheel}{asked.row.cudnn_wheel}")]


@rule(Severity.ERROR)
def cudnn_dropped_gpu_generation(snapshot: Snapshot) -> Iterator[Found]:
    """This cuDNN has no code for a GPU of this machine.

    ## What it means
    cuDNN 9.11 and later hold no code below compute capability 7.5: Maxwell, Pascal (GTX 10xx, P100) and Volta (V100)
    are gone. TensorFlow 2.20 and later still have code for Pascal and Volta, but do not bound cuDNN, so pip installs
    the newest.

    ## Why it matters
    The GPU is listed and matrix products work; convolutions and recurrent layers fail.

    ## How to fix
    Install the last cuDNN with that code, 9.10.2.21. TensorFlow 2.18.1 and 2.19.1 pin an older one themselves.

    ## References
    https://docs.nvidia.com/deeplearning/cudnn/backend/latest/reference/support-matrix.html
    https://github.com/immich-app/immich/pull/23110
    """
    one = loaded(snapshot)
    version = version_of(one) if one else None
    least = least_capability(version) if version else None
    if one is None or version is None or least is None:
        return
    if not nvidia_here(snapshot):
        return
    row = find(version)
    for gpu in need(snapshot.gpus):
        capability = need(gpu.compute_capability)
        if capability is None or capability >= least:
            continue
        yield found(
            f"cuDNN {version} ({known(one.path, None)}) has no code for GPU {gpu.number} ({gpu.name}): "
            f"compute capability {capability}, and it needs {least} or later.",
            [
                ("libraries.wanted", f"{one.soname}: {known(one.path, None)} ({version})", f"through {one.via}"),
                ("gpus.compute_capability", capability, "NVML"),
                ("compat.cudnn.least", least, row.source if row else "compat.cudnn"),
            ],
            _older_cudnn(snapshot),
        )


def _by_conda(snapshot: Snapshot) -> bool:
    """conda's build of TensorFlow: it loads the libraries of the environment's lib/, never pip's wheels."""
    python = snapshot.python
    if isinstance(python, Gap) or isinstance(python.tensorflow, Gap) or python.tensorflow is None:
        return False
    name = python.tensorflow.distribution or "tensorflow"
    return any(one.name == name and by_conda(one) for one in known(python.distributions, ()))


def _older_cudnn(snapshot: Snapshot) -> list[str]:
    if _by_conda(snapshot):
        return ["conda install 'cudnn<9.11'"]
    build = known(snapshot.python.tensorflow, None) if not isinstance(snapshot.python, Gap) else None
    row = find_release(str(known(build.version, None))) if build else None
    if row and row.cudnn_wheel and broken_clause(row.cudnn_wheel, PackageVersion(LAST_BEFORE_TURING)) is None:
        return [pip(snapshot, f"nvidia-cudnn-cu{row.cuda.split('.')[0]}=={LAST_BEFORE_TURING}")]
    return ["# Install a release whose cuDNN still has that code:", *install_lines(snapshot)]
