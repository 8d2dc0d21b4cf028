"""Something else was installed than was meant: a CPU build, two packages in one folder, another one's cuDNN."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Severity
from gpucheck.logs.judging import Place, cause
from gpucheck.logs.judging.setting import gpu_works, on_windows
from gpucheck.logs.judging.wheels import lines_of, of_packages
from gpucheck.rules.engine import Found, found


@cause("cpu-package-overwrote-gpu-package", Place.INSTALLER, explains=("cpu-only-package",))
def both(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    listed = {clue.get("package"): clue for clue in _installed(log)}
    plain, gpu, cpu = (listed.get(name) for name in ("tensorflow", "tensorflow-gpu", "tensorflow-cpu"))
    over = cpu if cpu and (plain or gpu) else plain if plain and gpu and _is_cpu_build(plain) else None
    under = gpu or plain
    if over is not None and under is not None and not gpu_works(log):
        yield found(
            f"{over.get('package')} {over.get('version')}, a CPU build, is installed beside {under.get('package')}: "
            "both unpack into the same folder, and the last one wins.",
            lines_of(over, under),
            [
                f"python -m pip uninstall -y {over.get('package')} {under.get('package')}",
                f"python -m pip install {under.get('package')}=={under.get('version')}",
            ],
        )


def _installed(log: Log) -> list[Clue]:
    names = ("tensorflow", "tensorflow-gpu", "tensorflow-cpu")
    return of_packages(log, names, "package-listed", "pip-satisfied")


def _is_cpu_build(clue: Clue) -> bool:
    """Is `tensorflow` of this version the CPU build? 1.15.0 and 2.1 and later hold CUDA, of conda the build tells."""
    version = PackageVersion.parse(clue.get("version") or "")
    if version is None or clue.get("build"):
        return False
    first = version < PackageVersion("2.0") and version != PackageVersion("1.15.0")
    return first or PackageVersion("2.0") <= version < PackageVersion("2.1")


@cause("cpu-only-package", Place.INSTALLER, severity=Severity.WARNING)
def cpu_build(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    listed = _installed(log)
    names = {clue.get("package") for clue in listed}
    only = [clue for clue in listed if clue.get("package") == "tensorflow-cpu" or _is_cpu_build(clue)]
    only = [clue for clue in only if clue.get("package") != "tensorflow-gpu"]
    if only and "tensorflow-gpu" not in names and not gpu_works(log) and not (names - {only[0].get("package")}):
        version = only[0].get("version")
        yield found(
            f"{only[0].get('package')} {version} is a build for the CPU alone.",
            lines_of(*only[:1]),
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
            lines_of(*cpu[:2], refused),
            ["conda info | grep __cuda", "CONDA_OVERRIDE_CUDA=12.4 conda install 'tensorflow=*=*cuda*'"],
            severity=None if refused else Severity.WARNING,
        )


@cause("torch-cudnn-pin-conflict", Place.INSTALLER, explains=("cudnn-wrong-version",))
def pinned(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [clue for clue in log.all("pip-conflict") if (clue.get("needs") or "").startswith("nvidia-cudnn")]
    if clues:
        first = clues[0]
        yield found(
            f"{first.get('package')} needs {first.get('requirement')}, and another package brought "
            f"{first.get('has') or 'another one'}: both want their own cuDNN in one folder.",
            lines_of(*clues[:3]),
            ["# an environment for each framework, or the one that has to work installed last:", "python -m pip check"],
        )


@cause("tf-windows-native-no-gpu", Place.INSTALLER)
def native_windows(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """tensorflow-intel is what `tensorflow` pulls in on Windows from 2.11 to 2.18, and nowhere else."""
    named = of_packages(log, ("tensorflow-intel",), "pip-collecting", "pip-fetched", "pip-satisfied", "package-listed")
    brought = [clue for clue in log.all("pip-installed") if "tensorflow-intel==" in (clue.get("packages") or "")]
    clues = [*named, *brought]
    if clues and on_windows(log, snapshot) | bool(brought) | any(clue.message == "package-listed" for clue in named):
        yield found(
            "This is TensorFlow for native Windows (tensorflow-intel), which has had no GPU support since 2.11.",
            lines_of(*clues[:2]),
            ["python -m pip install 'tensorflow<2.11'", "# or in WSL2: python3 -m pip install 'tensorflow[and-cuda]'"],
        )
