"""Which TensorFlow a fix may name here, and the command for it: only what the table confirms. No rules."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.cudnn import LAST_BEFORE_TURING, least_capability
from gpucheck.compat.tensorflow import RELEASES, Release, final
from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.python import Python, capability_codes
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import System
from gpucheck.facts.versions import ComputeCapability, CudnnVersion, LibcVersion, PackageVersion, PythonVersion
from gpucheck.rules.presence import nvidia_here

TURING = ComputeCapability("7.5")
# Official wheels hold no code for Blackwell, and their PTX is reported to fail there (tensorflow#89272, #101746).
_BLACKWELL = 10
# pip's options in uv's words; uv never asks.
_UV_OPTIONS = {"--force-reinstall": "--reinstall", "-y": ""}
# Never named in a fix: an extra that does not resolve or is not there, RUNPATHs that miss CUDA, a candidate.
_NEVER = {"K02", "K06", "K07", "K20", "Q01"}


def capabilities(snapshot: Snapshot) -> tuple[ComputeCapability, ...]:
    """Of the GPUs that are known. For words only: what is not known does not rule a release out."""
    found = []
    for gpu in known(snapshot.gpus, ()):
        capability = known(gpu.compute_capability, None)
        if capability is not None:
            found.append(capability)
    return tuple(found)


def choose(snapshot: Snapshot, python: Union[PythonVersion, None] = None) -> Union[Release, None]:
    """The newest release with [and-cuda] that runs on this Python (or another, if given), glibc and these GPUs."""
    own = snapshot.python
    version = python or (known(own.version, None) if isinstance(own, Python) else None)
    if version is None or _machine(snapshot) != "x86_64":
        return None
    minor = f"{version.major}.{version.minor}"
    fitting = [row for row in RELEASES if _suits(row, minor) and _runs_here(row, snapshot)]
    return max(fitting, key=lambda row: PackageVersion(row.version), default=None)


def _machine(snapshot: Snapshot) -> Union[str, None]:
    return snapshot.system.machine if isinstance(snapshot.system, System) else None


def _suits(row: Release, minor: str) -> bool:
    issues = set(row.issues.split())
    if issues & _NEVER or not row.cudnn_wheel or not final(row):
        return False
    return minor in row.pythons.split() and not ("K01" in issues and minor == "3.11")


def _runs_here(row: Release, snapshot: Snapshot) -> bool:
    libc = snapshot.system.libc if isinstance(snapshot.system, System) else Gap("")
    if not isinstance(libc, Gap) and (libc is None or libc < LibcVersion(row.glibc)):
        return False
    return all(_has_code(row, one) for one in capabilities(snapshot))


def _has_code(row: Release, wanted: ComputeCapability) -> bool:
    if wanted.major >= _BLACKWELL:
        return False
    codes = capability_codes(row.capabilities)
    return any((code.major == wanted.major and code <= wanted) or (ptx and code <= wanted) for code, ptx in codes)


def requirements(row: Release, snapshot: Snapshot) -> tuple[str, ...]:
    """What to give pip: the release, and a bound on cuDNN where these GPUs need one."""
    extra: tuple[str, ...] = ()
    if "K10" in row.issues.split() and any(one < TURING for one in capabilities(snapshot)):
        extra = (f"nvidia-cudnn-cu12=={LAST_BEFORE_TURING}",)
    if "K03" in row.issues.split():
        extra = (*extra, "numpy<2")
    return (f"tensorflow{'' if _without_gpu(snapshot) else '[and-cuda]'}=={row.version}", *extra)


def _without_gpu(snapshot: Snapshot) -> bool:
    """Known to have no NVIDIA GPU: CUDA's 3 GB would be of no use. For words only."""
    try:
        return nvidia_here(snapshot) is None
    except Unknown:
        return False


def quoted(text: str) -> str:
    """Safe in a shell; a plain path stays as it is."""
    from shlex import quote

    return quote(text)


def pip(snapshot: Snapshot, *wanted: str, action: str = "install") -> str:
    """A command of pip's, or of uv's where pip is not installed, for the examined interpreter's environment."""
    python = snapshot.python
    executable = quoted(python.executable) if isinstance(python, Python) else "python3"
    uv = isinstance(python, Python) and _lacks_pip(python)
    options = [one for one in wanted if one.startswith("-")]
    if uv:
        options = [_UV_OPTIONS.get(one, one) for one in options]
    start = ["uv pip", action, "--python", executable] if uv else [executable, "-m pip", action]
    return " ".join([*start, *filter(None, options), *(quoted(one) for one in wanted if not one.startswith("-"))])


def _lacks_pip(python: Python) -> bool:
    """As uv makes virtual environments."""
    names = {one.name for one in known(python.distributions, ())}
    return bool(names) and "pip" not in names and known(python.environment, "system") in ("venv", "uv-tool")


def install_lines(snapshot: Snapshot, *options: str) -> tuple[str, ...]:
    """How to get a TensorFlow that uses the GPU here; prose where the table knows none."""
    row = choose(snapshot)
    if row is not None:
        if isinstance(snapshot.python, Python) and known(snapshot.python.externally_managed, None):
            python = quoted(snapshot.python.executable)
            wanted = " ".join(quoted(one) for one in requirements(row, snapshot))
            return (f"{python} -m venv tf-gpu", f"tf-gpu/bin/python -m pip install {wanted}")
        return (pip(snapshot, *options, *requirements(row, snapshot)),)
    if _machine(snapshot) not in (None, "x86_64"):
        return (f"# The index has no TensorFlow wheel with CUDA for {_machine(snapshot)}: use NVIDIA's NGC container.",)
    if any(one.major >= _BLACKWELL for one in capabilities(snapshot)):
        return ("# No official TensorFlow wheel has code for this GPU (Blackwell): use NVIDIA's NGC container.",)
    return _other_python(snapshot)


def _other_python(snapshot: Snapshot) -> tuple[str, ...]:
    """Lines for the newest Python that a release with CUDA has a wheel for on this machine."""
    for minor in ("3.13", "3.12", "3.11", "3.10", "3.9"):
        row = choose(snapshot, PythonVersion(minor))
        if row is not None:
            wanted = " ".join(quoted(one) for one in requirements(row, snapshot))
            return (
                f"# TensorFlow {row.version} is the newest that the table confirms here; it needs Python {minor}:",
                f"python{minor} -m venv tf-gpu",
                f"tf-gpu/bin/python -m pip install {wanted}",
            )
    return ("# The table knows no TensorFlow wheel with CUDA for this machine (glibc, architecture or GPU).",)


def cudnn_reaches(version: CudnnVersion, capability: ComputeCapability) -> Union[bool, None]:
    """Has this cuDNN code for that GPU? None: no source says."""
    least = least_capability(version)
    return None if least is None else capability >= least
