"""Rules about installations that ended half-way or could not be made: is what pip calls installed really there?"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.tensorflow import has_issue
from gpucheck.facts.gap import need
from gpucheck.facts.python import Distribution, Python, TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.installed import TENSORFLOWS, by_conda
from gpucheck.rules.recipes import install_lines, pip
from gpucheck.rules.stakes import stakes

_INFO = "python/platform/build_info.py"
_FOLLOWERS = ("cuda-library-broken", "cuda-lib-missing-partial-install", "cuda-libraries-not-installed")
_JUDGED = (*TENSORFLOWS, "keras", "numpy", "protobuf", "h5py", "ml-dtypes")


@rule(Severity.ERROR, decisive=True)
def incomplete_installation(snapshot: Snapshot) -> Iterator[Found]:
    """An installation was cut short, and the package manager does not know.

    ## What it means
    pip and uv write a package's RECORD last. Where it is missing, or TensorFlow's own files are, the installation was
    killed, ran out of disk or was interrupted. Two records of one package are what a failed upgrade leaves behind.

    ## Why it matters
    Running the same command again prints "Requirement already satisfied", and `pip check` finds nothing, while up to
    20,569 of TensorFlow's 20,578 files are missing (measured).

    ## How to fix
    Install the package again by force.

    ## References
    https://github.com/astral-sh/uv/issues/11723
    https://github.com/conda/conda/issues/6418
    """
    python = need(snapshot.python)
    build = need(python.tensorflow)
    cut = [one for one in need(python.distributions) if _judged(one) and one.complete is False]
    if cut:
        yield _cut_short(snapshot, cut)
    yield from _twice(snapshot, python)
    owner = next((one for one in need(python.distributions) if one.name in TENSORFLOWS and not by_conda(one)), None)
    if build is None and owner is not None and owner.name in ("tensorflow", "tensorflow-cpu", "tf-nightly"):
        yield found(
            f"{owner.name} {owner.version} is recorded as installed in {owner.location}, but its folder tensorflow/ is "
            "missing or empty.",
            [
                ("python.distributions", f"{owner.name} {owner.version}", owner.location),
                ("python.tensorflow", None, owner.location),
            ],
            _again(snapshot, owner),
            explains=("tensorflow-not-installed",),
        )
    elif build is not None and owner is not None and owner.version >= PackageVersion("2.3"):
        yield from _hollow(snapshot, build, owner)


def _judged(one: Distribution) -> bool:
    return one.name in _JUDGED or one.name.startswith("nvidia-")


def _cut_short(snapshot: Snapshot, cut: list[Distribution]) -> Found:
    """One finding for all: an installation that was killed leaves many. That files are missing is judged apart."""
    listed = [f"{one.name} {one.version}" for one in cut]
    more = f" and {len(cut) - 3} more" if len(cut) > 3 else ""
    return found(
        f"The installation of {', '.join(listed[:3])}{more} in {cut[0].location} was cut short: its record of files is "
        "missing.",
        [("python.distributions", f"{one.name} {one.version}: no RECORD or INSTALLER", one.location) for one in cut],
        [pip(snapshot, "--force-reinstall", "--no-deps", *(f"{one.name}=={one.version}" for one in cut))],
        severity=Severity.WARNING,
        explains=_FOLLOWERS if any(one.name.startswith("nvidia-") for one in cut) else (),
    )


def _twice(snapshot: Snapshot, python: Python) -> Iterator[Found]:
    seen: dict[tuple[str, str], Distribution] = {}
    for one in need(python.distributions):
        before = seen.setdefault((one.name, one.location), one)
        if before.version != one.version and one.name in _JUDGED:
            yield found(
                f"{one.name} is recorded twice in {one.location}, as {before.version} and {one.version}: an upgrade "
                "that failed.",
                [("python.distributions", f"{two.name} {two.version}", two.location) for two in (before, one)],
                _again(snapshot, max(before, one, key=lambda two: two.version)),
                severity=Severity.WARNING,
            )


def _hollow(snapshot: Snapshot, build: TensorFlowBuild, owner: Distribution) -> Iterator[Found]:
    missing = []
    if need(build.cuda_build) is None:
        missing.append(_INFO)
    if not any(one.path.endswith("libtensorflow_framework.so.2") for one in need(build.objects)):
        missing.append("libtensorflow_framework.so.2")
    if missing and need(snapshot.system).os == "linux":
        yield found(
            f"{owner.name} {owner.version} in {build.root} lacks {' and '.join(missing)}.",
            [("python.tensorflow.objects", f"{name}: missing", build.root) for name in missing],
            _again(snapshot, owner),
        )


def _again(snapshot: Snapshot, one: Distribution) -> list[str]:
    return [pip(snapshot, "--force-reinstall", "--no-deps", f"{one.name}=={one.version}")]


@rule(Severity.ERROR, explains=("cuda-libraries-not-installed", "cuda-lib-missing-partial-install"))
def and_cuda_tensorrt_unresolvable(snapshot: Snapshot) -> Iterator[Found]:
    """The extra [and-cuda] of this release cannot be installed on this Python.

    ## What it means
    [and-cuda] of 2.14.x pins tensorrt 8.5.3.1, which has no wheel for Python 3.11, and that of 2.15.0 pins
    tensorrt-libs 8.6.1, which is not on the index at all. What is installed here is that TensorFlow without its
    CUDA libraries.

    ## Why it matters
    pip fails, or silently takes an older TensorFlow without CUDA libraries; no GPU is seen.

    ## How to fix
    Take 2.15.1, which dropped the pin, or a later release.

    ## References
    https://github.com/tensorflow/tensorflow/issues/61986
    https://github.com/NVIDIA/TensorRT/issues/2933
    """
    python = need(snapshot.python)
    build = need(python.tensorflow)
    version = need(build.version) if build else None
    if build is None or version is None or not has_issue(str(version), "K01", "K02"):
        return
    running = need(python.version)
    if has_issue(str(version), "K01") and (running is None or (running.major, running.minor) != (3, 11)):
        return
    if any(one.name.startswith("nvidia-cudnn") for one in need(python.distributions)):
        return
    wanted = need(need(snapshot.libraries).wanted) or ()
    if not any(one.needed_for_gpu and need(one.path) is None for one in wanted):
        return
    stake = stakes(snapshot)
    if stake:
        yield found(
            f"tensorflow[and-cuda]=={version} cannot be installed on Python {running}: its TensorRT pin has no wheel"
            f"{stake.remark}.",
            [("python.tensorflow.version", version, build.root), ("python.version", running, python.executable)],
            install_lines(snapshot),
            severity=stake.severity,
        )
