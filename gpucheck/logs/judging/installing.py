"""An installation that failed as a whole: stubs, pins that cannot be met, a Python that refuses pip, a full disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Severity
from gpucheck.logs.judging import Place, cause, told
from gpucheck.logs.judging.setting import on_windows
from gpucheck.logs.judging.wheels import CONFLICT, NO_WHEEL, WHICH_PYTHON, lines_of, of_packages
from gpucheck.rules.engine import Found, found

_TENSORRT = ("tensorrt", "tensorrt-libs", "tensorrt-bindings", "nvidia-tensorrt")
_INSTALLERS = ("pip-", "uv-", "conda-")


@cause("tensorflow-gpu-package-removed", Place.INSTALLER, explains=(NO_WHEEL, CONFLICT))
def stub(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """tensorflow-gpu 2.12 is an empty package that fails to install on purpose.

    ## What it means
    Since TensorFlow 2.1 `tensorflow` holds the GPU support itself. The name tensorflow-gpu ended with 2.11; its last
    release, 2.12.0, holds no code. pip shows "The tensorflow-gpu package has been removed!", or only that
    `python setup.py egg_info` failed or that a requirement is invalid.

    ## Why it matters
    Nothing is installed, or an older tensorflow-gpu stays.

    ## How to fix
    Ask for `tensorflow`; on Linux `tensorflow[and-cuda]` brings CUDA, too. On Windows 2.10 is the last with a GPU.

    ## References
    The page of tensorflow-gpu 2.12 on PyPI
    https://github.com/tensorflow/tensorflow/issues/60886
    """
    failed = log.first("pip-setup-failed", "invalid-requirement", "pip-no-distribution")
    removed = log.first("tensorflow-gpu-removed")
    asked = of_packages(
        log,
        ("tensorflow-gpu", "tf-nightly-gpu"),
        "pip-collecting", "pip-fetched", "pip-no-version", "pip-no-distribution", "uv-build-failed",
    )  # fmt: skip
    built = [clue for clue in asked if clue.message == "uv-build-failed"]
    late = [clue for clue in asked if _stub_is_meant(clue)]
    if removed or built or (late and (failed or late[0].message == "pip-no-version")):
        windows = on_windows(log, snapshot)
        yield found(
            "tensorflow-gpu is an empty package since 2.12: `tensorflow` itself holds the GPU support.",
            lines_of(removed, *built[:1], *late[:2], failed),
            [
                "python -m pip uninstall tensorflow-gpu",
                f"python -m pip install 'tensorflow{'<2.11' if windows else '[and-cuda]'}'",
                *(["# on native Windows 2.10 is the last release with a GPU; later ones: in WSL2"] if windows else []),
            ],
        )


def _stub_is_meant(clue: Clue) -> bool:
    """Of tensorflow-gpu: 2.12 or later, or whichever is the newest."""
    wanted = clue.get("version") or (clue.get("requirement") or "").partition("==")[2]
    version = PackageVersion.parse(wanted) if wanted else None
    if version is not None:
        return version >= PackageVersion("2.12")
    if clue.message == "pip-no-version":
        return clue.get("oldest") == "2.12.0"
    return clue.message in ("pip-collecting", "pip-fetched")


@cause("and-cuda-tensorrt-unresolvable", Place.INSTALLER, explains=(NO_WHEEL, CONFLICT))
def tensorrt(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    asked = of_packages(
        log, _TENSORRT, "pip-no-version", "pip-no-distribution", "uv-not-found", "uv-no-version", "uv-no-wheel",
        "uv-wheels-for-others", "uv-build-failed",
    )  # fmt: skip
    wanted = [clue for clue in of_packages(log, _TENSORRT, "pip-collecting") if "tensorflow" in clue.text]
    failed = log.first("pip-setup-failed", "nvidia-placeholder") if wanted else None
    without = [clue for clue in log.all("pip-extra-missing") if clue.get("extra") == "and-cuda"]
    if asked or failed:
        yield found(
            "TensorRT, which this TensorFlow's extra [and-cuda] asks for, cannot be installed here: it is not on the "
            "index for this Python.",
            lines_of(*asked[:2], *wanted[:1], failed),
            ["python -m pip install 'tensorflow[and-cuda]>=2.15.1'", "# 2.15.1 and later do not ask for TensorRT"],
        )
    elif without:
        version = without[0].get("version")
        yield found(
            f"TensorFlow {version} has no extra [and-cuda], which begins with 2.14: pip went back to this release, and "
            "no CUDA was installed.",
            lines_of(*without),
            [
                "python -m pip install 'tensorflow[and-cuda]>=2.15.1'",
                "# with Python 3.9 or later",
                WHICH_PYTHON,
            ],
        )


@cause("pep668-externally-managed", Place.INSTALLER)
def managed(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("pip-externally-managed", "uv-externally-managed")
    if clue is not None:
        yield found(
            "The system's Python belongs to the distribution and refuses pip: nothing was installed.",
            [told(clue)],
            [
                "python3 -m venv tf   # Debian, Ubuntu: first sudo apt install python3-venv",
                "tf/bin/pip install 'tensorflow[and-cuda]'",
            ],
        )


_SHARED_MEMORY = ("/dev/shm", "posix_fallocate", "NCCL")  # Docker gives 64 MiB of it: no disk


@cause("disk-or-tmp-full", Place.INSTALLER, explains=("wrong-python-environment", "tensorflow-not-installed"))
def full(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [clue for clue in log.all("no-space-left") if not any(word in clue.text for word in _SHARED_MEMORY)]
    if not clues:
        return
    installs = _installs(log) or any(_is_installing(clue.text) for clue in clues)
    yield found(
        "A disk was full while something was installed: the environment's, or that of the temporary folder, which may "
        "be a small one in memory."
        if installs
        else "A disk was full.",
        lines_of(clues[0], log.first("pip-install-failed")),
        ["df -h . /tmp", "mkdir -p ~/tmp && TMPDIR=~/tmp python -m pip install --no-cache-dir 'tensorflow[and-cuda]'"],
        severity=None if installs else Severity.WARNING,
    )


def _installs(log: Log) -> Union[Clue, None]:
    return next((clue for clue in log.clues if clue.message.startswith(_INSTALLERS)), None)


def _is_installing(text: str) -> bool:
    low = text.lower()
    return any(word in low for word in ("pip", "site-packages", "conda", "/uv/", "uv-", "wheel", "docker"))
