"""Commands for native Windows: TensorFlow 2.10.1 with CUDA 11.2, or WSL 2; PATH; quoting for its shells. No rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

from gpucheck.compat.tensorflow import Release
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import LibcVersion, PackageVersion, PythonVersion
from gpucheck.rules import fitness
from gpucheck.rules.choice import for_cpu
from gpucheck.rules.here import Here, here

ENVIRONMENT = "tf-gpu"
# What Ubuntu 24.04, which `wsl --install` gives, has.
_WSL_PYTHON, _WSL_LIBC = PythonVersion("3.12"), LibcVersion("2.39")
ARCHIVES = (
    "# CUDA: https://developer.nvidia.com/cuda-toolkit-archive",
    "# cuDNN: https://developer.nvidia.com/rdp/cudnn-archive",
)


def quoted(text: str) -> str:
    """For cmd and PowerShell alike; a plain path or name stays as it is."""
    plain = text
    for sign in ("\\", ":", ".", "-", "_", "="):
        plain = plain.replace(sign, "")
    return text if plain.isalnum() else f'"{text}"'


def program(path: str) -> str:
    """A program to start: PowerShell starts a quoted one only behind "&"."""
    word = quoted(path)
    return f"& {word}" if word.startswith('"') else word


def last_with_gpu(snapshot: Snapshot, python: Union[PythonVersion, None] = None) -> Union[Release, None]:
    """The newest release for native Windows with CUDA that fits this machine and this Python."""
    at = here(snapshot, python)._replace(os="windows")
    rows = [row for row in fitness.table(at) if row.cuda and fitness.fits(row, at)]
    return max(rows, key=lambda row: PackageVersion(row.version), default=None)


def in_wsl(snapshot: Snapshot) -> list[str]:
    """TensorFlow with CUDA inside WSL 2: the same Windows driver, Linux's wheels."""
    at = here(snapshot, _WSL_PYTHON)._replace(os="linux", libc=_WSL_LIBC, windows_driver=True)
    row = _newest_with_cuda(at)
    newer_driver = row is None and at.driver is not None
    row = row or _newest_with_cuda(at._replace(driver=None))
    if row is None:
        return [
            "# No Linux wheel has code for this GPU either; NVIDIA's container, in WSL 2, may have:",
            "# https://catalog.ngc.nvidia.com/orgs/nvidia/containers/tensorflow",
        ]
    first = f"# First NVIDIA's driver for Windows, {fitness.driver_floor(row, True)} or later, then:"
    return [
        *([first] if newer_driver else []),
        "wsl --install -d Ubuntu-24.04",
        "# then, inside WSL:",
        "# sudo apt update && sudo apt install -y python3-venv",
        f"# python3 -m venv ~/{ENVIRONMENT} && ~/{ENVIRONMENT}/bin/pip install 'tensorflow[and-cuda]=={row.version}'",
    ]


def _newest_with_cuda(at: Here) -> Union[Release, None]:
    rows = [row for row in fitness.table(at) if fitness.brings_cuda(row) and fitness.fits(row, at)]
    return max(rows, key=lambda row: PackageVersion(row.version), default=None)


def natively(snapshot: Snapshot) -> list[str]:
    """The last release with a GPU, in the examined Python where that has a wheel for it, else in a new environment."""
    row = last_with_gpu(snapshot)
    if row is not None:
        return [*_pip(snapshot, row), *libraries_of(row)]
    for minor in ("3.10", "3.9", "3.8", "3.7"):
        row = last_with_gpu(snapshot, PythonVersion(minor))
        if row is not None:
            return [
                f"py -{minor} -m venv {ENVIRONMENT}",
                f"{ENVIRONMENT}\\Scripts\\python -m pip install {' '.join(map(quoted, wanted(row)))}",
                *libraries_of(row),
            ]
    return []


def wanted(row: Release) -> tuple[str, ...]:
    """For pip: releases before 2.18 break with the NumPy 2 that it would take."""
    return (f"{row.package}=={row.version}", *(("numpy<2",) if "K03" in row.issues.split() else ()))


def _pip(snapshot: Snapshot, row: Release) -> list[str]:
    python = snapshot.python
    executable = python.executable if isinstance(python, Python) else "python"
    return [f"{program(executable)} -m pip install {' '.join(map(quoted, wanted(row)))}"]


def libraries_of(row: Release) -> list[str]:
    """How to get the CUDA and cuDNN of a release: no wheel brings them on Windows."""
    return [
        f"# TensorFlow {row.version} takes CUDA {row.cuda} and cuDNN {row.cudnn} from PATH.",
        *by_conda(row.cuda, row.cudnn),
        "# NVIDIA's installer for CUDA, and cuDNN's bin, include and lib copied into the toolkit:",
        *ARCHIVES,
    ]


def by_conda(cuda: Union[str, None], cudnn: str) -> list[str]:
    """conda's packages, for the one pair that TensorFlow's guide names. cuda: None: cuDNN alone."""
    if cudnn != "8.1" or cuda not in (None, "11.2"):
        return []
    runtime = "cudatoolkit=11.2 " if cuda else ""
    return ["# In a conda environment:", f"conda install -c conda-forge {runtime}cudnn=8.1.0", "# or:"]


def lines(snapshot: Snapshot) -> tuple[str, ...]:
    """How to get a TensorFlow that uses the GPU here: natively where one fits, and in WSL 2."""
    if for_cpu(snapshot):
        return _for_cpu(snapshot)
    native = natively(snapshot)
    if not native:
        return ("# No release with CUDA for native Windows fits this machine; in WSL 2:", *in_wsl(snapshot))
    return (*native, "# or WSL 2, for newer releases:", *in_wsl(snapshot))


def _for_cpu(snapshot: Snapshot) -> tuple[str, ...]:
    at = here(snapshot)
    rows = [row for row in fitness.table(at) if row.package == "tensorflow" and fitness.fits(row, at, cpu=True)]
    row = max(rows, key=lambda one: PackageVersion(one.version), default=None)
    if row is None:
        return ("# TensorFlow has 64-bit wheels for Python 3.10 to 3.13: https://www.python.org/downloads/windows/",)
    return tuple(_pip(snapshot, row))


def on_path(folders: Iterable[str]) -> list[str]:
    """Put folders on PATH: for good by gpucheck, for this shell by hand."""
    listed = ";".join(folders)
    return [
        "gpucheck doctor --fix-paths  # shows the change to your own PATH, and makes it with --yes",
        "# or, for this PowerShell alone:",
        f'$env:Path = "{listed};" + $env:Path',
    ]


def folders(places: Iterable[str]) -> list[str]:
    """The folders of some files, each once."""
    return list({paths.key(paths.parent(one)): paths.parent(one) for one in places}.values())


def words(value: Union[object, Gap]) -> str:
    """A version for a message."""
    return str(known(value, None) or "version not known")
