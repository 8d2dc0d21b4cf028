"""An installation that failed, or installed something else than was meant: what pip, uv and conda say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Union

from gpucheck.compat.releases import of_version
from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Severity
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import gpu_works, on_windows
from gpucheck.rules.engine import Found, found

_NO_WHEEL, _32_BIT, _NEW_ENVIRONMENT = "python-version-no-wheel", "python-32bit", "python3 -m venv tf"
_WHICH_PYTHON = "python -c \"import struct, sys; print(sys.version, struct.calcsize('P') * 8, 'bit')\""
_FRAMEWORKS = ("tensorflow", "tensorflow-gpu", "tensorflow-cpu", "tf-nightly", "torch", "torchvision", "jaxlib", "jax")
_TENSORRT = ("tensorrt", "tensorrt-libs", "tensorrt-bindings", "nvidia-tensorrt")
_INSTALLERS = ("pip-", "uv-", "conda-")


def _of(log: Log, packages: Iterable[str], *messages: str) -> list[Clue]:
    """The clues of these messages that speak of one of these packages."""
    wanted = tuple(packages)
    return [clue for clue in log.all(*messages) if clue.get("package") in wanted]


def _evidence(*clues: Union[Clue, None]) -> list[tuple[str, object, str]]:
    """At most four lines, in their order."""
    lines = {clue.line: clue for clue in clues if clue is not None}
    return [told(lines[line]) for line in sorted(lines)[:4]]


# --- requests that cannot be met


@cause("tensorflow-gpu-package-removed", Place.INSTALLER, explains=(_NO_WHEEL,))
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
    https://pypi.org/project/tensorflow-gpu/
    https://github.com/tensorflow/tensorflow/issues/60886
    """
    failed = log.first("pip-setup-failed", "invalid-requirement", "pip-no-distribution")
    removed = log.first("tensorflow-gpu-removed")
    asked = _of(
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
            _evidence(removed, *built[:1], *late[:2], failed),
            [
                "python -m pip uninstall tensorflow-gpu",
                "python -m pip install 'tensorflow<2.11'" if windows else "python -m pip install 'tensorflow[and-cuda]'",
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


@cause("and-cuda-tensorrt-unresolvable", Place.INSTALLER, explains=(_NO_WHEEL,))
def tensorrt(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    asked = _of(
        log, _TENSORRT, "pip-no-version", "pip-no-distribution", "uv-not-found", "uv-no-version", "uv-no-wheel",
        "uv-wheels-for-others", "uv-build-failed",
    )  # fmt: skip
    wanted = [clue for clue in log.all("pip-collecting") if clue.get("package") in _TENSORRT and "tensorflow" in clue.text]
    failed = log.first("pip-setup-failed", "nvidia-placeholder") if wanted else None
    without = [clue for clue in log.all("pip-extra-missing") if clue.get("extra") == "and-cuda"]
    if asked or failed:
        yield found(
            "TensorRT, which this TensorFlow's extra [and-cuda] asks for, cannot be installed here: it is not on the "
            "index for this Python.",
            _evidence(*asked[:2], *wanted[:1], failed),
            ["python -m pip install 'tensorflow[and-cuda]>=2.15.1'", "# 2.15.1 and later do not ask for TensorRT"],
        )
    elif without:
        version = without[0].get("version")
        yield found(
            f"TensorFlow {version} has no extra [and-cuda], which begins with 2.14: pip went back to this release, and "
            "no CUDA was installed.",
            _evidence(*without),
            ["python -m pip install 'tensorflow[and-cuda]>=2.15.1'", f"# needs a Python that it has wheels for: {_WHICH_PYTHON}"],
        )


@cause("pep668-externally-managed", Place.INSTALLER)
def managed(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("pip-externally-managed", "uv-externally-managed")
    if clue is not None:
        yield found(
            "The system's Python belongs to the distribution and refuses pip: nothing was installed.",
            [told(clue)],
            [_NEW_ENVIRONMENT, "tf/bin/pip install 'tensorflow[and-cuda]'", "# Debian, Ubuntu: first sudo apt install python3-venv"],
        )


@cause("disk-or-tmp-full", Place.INSTALLER, explains=("wrong-python-environment", "tensorflow-not-installed"))
def full(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [clue for clue in log.all("no-space-left") if "/dev/shm" not in clue.text]
    if not clues:
        return
    installs = _installs(log) or any(_is_installing(clue.text) for clue in clues)
    yield found(
        "A disk was full while something was installed: the environment's, or that of the temporary folder, which may be "
        "a small one in memory."
        if installs
        else "A disk was full.",
        _evidence(clues[0], log.first("pip-install-failed")),
        ["df -h . /tmp", "mkdir -p ~/tmp && TMPDIR=~/tmp python -m pip install --no-cache-dir 'tensorflow[and-cuda]'"],
        severity=None if installs else Severity.WARNING,
    )


def _installs(log: Log) -> Union[Clue, None]:
    return next((clue for clue in log.clues if clue.message.startswith(_INSTALLERS)), None)


def _is_installing(text: str) -> bool:
    return any(word in text.lower() for word in ("pip", "site-packages", "conda", ".whl", "/uv/", "uv-", "wheel", "docker"))


# --- no wheel for this Python


def _signs_of_32_bit(log: Log) -> list[Clue]:
    told_ = [clue for clue in log.all("python-banner", "traceback-file") if clue.get("bits") == "32"]
    return [*told_, *log.all("windows-32-bit-program")]


@cause(_32_BIT, Place.INSTALLER, explains=(_NO_WHEEL, "msvc-redistributable-missing"))
def too_narrow(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    refused = [*_refused(log), *log.all("dll-load-failed"), *log.all("windows-error")]
    signs = _signs_of_32_bit(log)
    own = [clue for clue in log.all("pip-wheel-not-supported") if _for_this_python(clue, log)]
    if (refused and signs) or own:
        yield found(
            "This Python is a 32-bit program, and there are only 64-bit wheels.",
            _evidence(*refused[:2], *signs[:1], *own[:1]),
            ["# install a 64-bit Python, then:", "py -m venv tf", _WHICH_PYTHON],
        )


def _for_this_python(clue: Clue, log: Log) -> bool:
    """A 64-bit Windows wheel for just this version of Python was refused: it is the bits."""
    tag = clue.get("python_tag") or ""
    pythons = {value.replace(".", "")[: len(tag) - 2] for value in _pythons(log)}
    return clue.get("platform_tag") == "win_amd64" and bool(pythons) and pythons == {tag.removeprefix("cp")}


def _pythons(log: Log) -> tuple[str, ...]:
    """The versions of Python that the log names, "3.12"."""
    said = [value for message in ("python-banner", "traceback-file") for value in log.values(message, "python")]
    return tuple(dict.fromkeys(".".join(value.split(".")[:2]) for value in said))


def _refused(log: Log) -> list[Clue]:
    """The lines that say that there is no wheel of a framework for this Python."""
    clues = _of(
        log, _FRAMEWORKS, "pip-no-version", "pip-wheel-not-supported", "pip-other-python", "uv-no-wheel",
        "uv-wheels-for-others", "uv-other-python",
    )  # fmt: skip
    return [clue for clue in clues if clue.message != "pip-no-version" or _of_python(clue)]


def _of_python(clue: Clue) -> bool:
    """pip found nothing at all, or the release that was asked for exists and is not in the list for this Python."""
    if clue.get("versions") is None:
        return False
    if clue.get("versions") == "0":
        return True
    wanted = (clue.get("requirement") or "").partition("==")[2].strip()
    if not wanted or clue.get("package") not in ("tensorflow", "tensorflow-gpu", "tensorflow-cpu"):
        return bool(wanted) and clue.get("package") in _FRAMEWORKS
    version, oldest = PackageVersion.parse(wanted), PackageVersion.parse(clue.get("oldest") or "")
    if version is None or oldest is None:
        return False
    exists = any(of_version(os, "x86_64", wanted) is not None for os in ("linux", "windows"))
    return version < oldest or exists


@cause(_NO_WHEEL, Place.INSTALLER, explains=("tensorflow-not-installed", "wrong-python-environment"))
def no_wheel(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    refused = _refused(log)
    nothing = all(clue.message == "pip-no-version" and clue.get("versions") == "0" for clue in refused)
    if not refused or (nothing and log.first("index-unreachable")) or _contradicts(refused, log):
        return
    first = refused[0]
    ignored = log.first("pip-ignored-for-python")
    yield found(
        f"There is no wheel of {first.get('requirement') or first.get('package')} for this Python{_known(first, log)}.",
        _evidence(*refused[:3], ignored),
        [_WHICH_PYTHON, *_advice(first, log, snapshot)],
    )


def _contradicts(refused: list[Clue], log: Log) -> bool:
    """A wheel for just this Python was refused: then its version is not the reason."""
    return any(_for_this_python(clue, log) for clue in refused)


def _known(clue: Clue, log: Log) -> str:
    have = clue.get("python") or next(iter(_pythons(log)), None)
    if have is not None:
        return f", which is {have}"
    if clue.get("tag"):
        return f" ({clue.get('tag')})"
    oldest = clue.get("oldest")
    return f": what pip offers it begins with {oldest}" if oldest else ": its version, or it is a 32-bit one"


def _advice(clue: Clue, log: Log, snapshot: Snapshot) -> Iterator[str]:
    wanted = (clue.get("requirement") or "").partition("==")[2].strip() or clue.get("version")
    os = "windows" if on_windows(log, snapshot) else "linux"
    row = of_version(os, "x86_64", wanted) if wanted and clue.get("package", "").startswith("tensorflow") else None
    if row is not None:
        newest = row.pythons.split()[-1]
        yield f"# {row.version} has wheels for Python {', '.join(row.pythons.split())}"
        yield f"uv venv --python {newest} tf" if os == "linux" else f"py -{newest} -m venv tf"
    else:
        yield "# make an environment with a 64-bit Python that it has wheels for: gpucheck install --dry-run names it"


@question(Place.INSTALLER)
def why_no_distribution(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """pip's last line alone, or an empty list behind a network that does not answer."""
    clues = _of(log, _FRAMEWORKS, "pip-no-distribution")
    if clues:
        yield left(
            f"pip found nothing to install for {clues[0].get('requirement')}.",
            _evidence(*clues[:1], log.first("index-unreachable")),
            {_NO_WHEEL: "this Python is older or newer than the release's wheels",
             _32_BIT: "the line says 32 bit"},
            _WHICH_PYTHON,
        )  # fmt: skip


# --- something else than what was meant


@cause("cpu-package-overwrote-gpu-package", Place.INSTALLER, explains=("cpu-only-package",))
def both(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    listed = {clue.get("package"): clue for clue in _installed(log)}
    plain, gpu, cpu = (listed.get(name) for name in ("tensorflow", "tensorflow-gpu", "tensorflow-cpu"))
    over = cpu if cpu and (plain or gpu) else plain if plain and gpu and _is_cpu_build(plain) else None
    under = gpu or plain
    if over is not None and under is not None and not gpu_works(log):
        yield found(
            f"{over.get('package')} {over.get('version')}, a CPU build, is installed beside {under.get('package')}: both "
            "unpack into the same folder, and the last one wins.",
            _evidence(over, under),
            [
                f"python -m pip uninstall -y {over.get('package')} {under.get('package')}",
                f"python -m pip install {under.get('package')}=={under.get('version')}",
            ],
        )


def _installed(log: Log) -> list[Clue]:
    names = ("tensorflow", "tensorflow-gpu", "tensorflow-cpu")
    return _of(log, names, "package-listed", "pip-satisfied")


def _is_cpu_build(clue: Clue) -> bool:
    """Is `tensorflow` of this version the CPU build? 1.15 and 2.1 and later hold CUDA, of conda the build tells."""
    version = PackageVersion.parse(clue.get("version") or "")
    if version is None or clue.get("build"):
        return False
    return version < PackageVersion("1.15") or PackageVersion("2.0") <= version < PackageVersion("2.1")


@cause("cpu-only-package", Place.INSTALLER)
def cpu_build(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    listed = _installed(log)
    names = {clue.get("package") for clue in listed}
    only = [clue for clue in listed if clue.get("package") == "tensorflow-cpu" or _is_cpu_build(clue)]
    only = [clue for clue in only if clue.get("package") != "tensorflow-gpu"]
    if only and "tensorflow-gpu" not in names and not gpu_works(log) and not (names - {only[0].get("package")}):
        version = only[0].get("version")
        yield found(
            f"{only[0].get('package')} {version} is a build for the CPU alone.",
            _evidence(*only[:1]),
            [
                f"python -m pip uninstall -y {only[0].get('package')}",
                f"python -m pip install {'tensorflow-gpu' if _is_cpu_build(only[0]) else 'tensorflow'}=={version}",
            ],
        )


@cause("conda-solved-cpu-build", Place.INSTALLER)
def conda(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    builds = log.all("conda-tensorflow-build")
    cpu = [clue for clue in builds if clue.get("kind") in ("mkl", "eigen", "cpu")]
    refused = log.first("conda-cuda-not-there")
    if gpu_works(log) or (len(cpu) < len(builds) and refused is None):
        return
    if cpu or refused:
        what = f"conda took a CPU build ({cpu[0].get('build')})" if cpu else "conda sees no NVIDIA driver (__cuda)"
        yield found(
            f"{what}: it takes GPU builds only where it sees a driver, or is told to.",
            _evidence(*cpu[:2], refused),
            ["conda info | grep __cuda", "CONDA_OVERRIDE_CUDA=12.4 conda install 'tensorflow=*=*cuda*'"],
        )


@cause("torch-cudnn-pin-conflict", Place.INSTALLER, explains=("cudnn-wrong-version", "ld-library-path-shadows-bundled-cuda"))
def pinned(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [clue for clue in log.all("pip-conflict") if (clue.get("needs") or "").startswith("nvidia-cudnn")]
    if clues:
        first = clues[0]
        yield found(
            f"{first.get('package')} needs {first.get('requirement')}, and another package brought "
            f"{first.get('has') or 'another one'}: both want their own cuDNN in one folder.",
            _evidence(*clues[:3]),
            ["# an environment for each framework, or the one that has to work installed last:", "python -m pip check"],
        )


@cause("tf-windows-native-no-gpu", Place.INSTALLER)
def native_windows(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """tensorflow-intel is what `tensorflow` pulls in on Windows from 2.11 to 2.18, and nowhere else."""
    named = _of(log, ("tensorflow-intel",), "pip-collecting", "pip-fetched", "pip-satisfied", "package-listed")
    brought = [clue for clue in log.all("pip-installed") if "tensorflow-intel==" in (clue.get("packages") or "")]
    clues = [*named, *brought]
    if clues and on_windows(log, snapshot) | bool(brought) | any(clue.message == "package-listed" for clue in named):
        yield found(
            "This is TensorFlow for native Windows (tensorflow-intel), which has had no GPU support since 2.11.",
            _evidence(*clues[:2]),
            ["python -m pip install 'tensorflow<2.11'", "# or in WSL2: python3 -m pip install 'tensorflow[and-cuda]'"],
        )
