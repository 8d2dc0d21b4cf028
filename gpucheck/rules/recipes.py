"""Commands for the examined environment: pip, uv, conda. Which release they name: choice.py. No rules here."""

from __future__ import annotations

from collections.abc import Callable

from gpucheck.compat.cudnn import LAST_BEFORE_TURING
from gpucheck.compat.tensorflow import AARCH64, Release, final
from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion, PythonVersion
from gpucheck.rules.choice import (
    BLACKWELL,
    TURING,
    capabilities,
    choose,
    driver_floor,
    driver_version,
    for_cpu,
    machine_of,
)
from gpucheck.rules.systems import on_windows

# pip's options in uv's words; uv never asks.
_UV_OPTIONS = {"--force-reinstall": "--reinstall", "-y": ""}
_NEW_ENVIRONMENT = "tf-gpu"


def quoted(text: str) -> str:
    """Safe in a shell; a plain path stays as it is."""
    from shlex import quote

    return quote(text)


def requirements(row: Release, snapshot: Snapshot) -> tuple[str, ...]:
    """What to give pip: the release, and a bound on cuDNN where these GPUs need one."""
    cuda = not for_cpu(snapshot)
    extra: tuple[str, ...] = ()
    if cuda and "K10" in row.issues.split() and any(one < TURING for one in capabilities(snapshot)):
        extra = (f"nvidia-cudnn-cu12=={LAST_BEFORE_TURING}",)
    if "K03" in row.issues.split():
        extra = (*extra, "numpy<2")
    return (f"tensorflow{'[and-cuda]' if cuda else ''}=={row.version}", *extra)


def pip(snapshot: Snapshot, *wanted: str, action: str = "install") -> str:
    """A command of pip's, or of uv's where pip is not installed, for the examined interpreter's environment.

    Where the interpreter refuses pip (PEP 668) it is prose: the command would end with an error there.
    """
    python = snapshot.python
    word, start = _words(snapshot)
    executable = start(python.executable) if isinstance(python, Python) else "python3"
    names = [word(one) for one in wanted if not one.startswith("-")]
    options = [one for one in wanted if one.startswith("-")]
    if _refuses_pip(snapshot):
        command = " ".join(["python -m pip", action, *options, *names])
        return f"# {executable} refuses pip (PEP 668). In a virtual environment that holds TensorFlow: {command}"
    if isinstance(python, Python) and _lacks_pip(python):
        options = [_UV_OPTIONS.get(one, one) for one in options]
        return " ".join(["uv pip", action, "--python", executable, *filter(None, options), *names])
    return " ".join([executable, "-m pip", action, *options, *names])


def _words(snapshot: Snapshot) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """How an argument and a program are written for this system's shells."""
    if not _on_windows(snapshot):
        return quoted, quoted
    from gpucheck.rules import ways

    return ways.quoted, ways.program


def _on_windows(snapshot: Snapshot) -> bool:
    """For words only: not known counts as Linux."""
    try:
        return on_windows(snapshot)
    except Unknown:
        return False


def _refuses_pip(snapshot: Snapshot) -> bool:
    return isinstance(snapshot.python, Python) and known(snapshot.python.externally_managed, None) is not None


def _lacks_pip(python: Python) -> bool:
    """As uv makes virtual environments, and `python -m venv --without-pip`."""
    listed = python.distributions
    if isinstance(listed, Gap) or known(python.environment, "system") not in ("venv", "uv-tool"):
        return False
    return all(one.name != "pip" for one in listed)


def install_lines(snapshot: Snapshot, *options: str) -> tuple[str, ...]:
    """How to get a TensorFlow that uses the GPU here (on a machine without one: TensorFlow); prose where none is known.

    The first lines are about the driver where only a newer one helps.
    """
    if _on_windows(snapshot):
        from gpucheck.rules import ways

        return ways.lines(snapshot)
    row = choose(snapshot)
    newer_driver = row is None and not _other_python(snapshot)
    row = choose(snapshot, any_driver=True) if newer_driver else row
    if row is not None:
        return (*(driver_lines(row, snapshot) if newer_driver else ()), *_lines_for(row, snapshot, options))
    if machine_of(snapshot) not in (None, "x86_64"):
        return _other_architecture(snapshot)
    if any(one.major >= BLACKWELL for one in capabilities(snapshot)):
        return ("# No official TensorFlow wheel has code for this GPU (Blackwell): use NVIDIA's NGC container.",)
    lines = _other_python(snapshot, newer_driver)
    return lines or ("# The table knows no TensorFlow wheel with CUDA for this machine (glibc, architecture or GPU).",)


def _lines_for(row: Release, snapshot: Snapshot, options: tuple[str, ...]) -> tuple[str, ...]:
    if _refuses_pip(snapshot) and isinstance(snapshot.python, Python):
        return _new_environment(quoted(snapshot.python.executable), requirements(row, snapshot))
    return (pip(snapshot, *options, *requirements(row, snapshot)),)


def _new_environment(python: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    listed = " ".join(map(quoted, wanted))
    return (f"{python} -m venv {_NEW_ENVIRONMENT}", f"{_NEW_ENVIRONMENT}/bin/python -m pip install {listed}")


def driver_lines(row: Release, snapshot: Snapshot) -> tuple[str, ...]:
    """What to say where a newer driver is what a release needs."""
    floor, version = driver_floor(row, snapshot), driver_version(snapshot)
    return (f"# First upgrade the driver: TensorFlow {row.version} needs {floor} or later, this is {version}. Then:",)


def _other_python(snapshot: Snapshot, any_driver: bool = False) -> tuple[str, ...]:
    """Lines for the newest Python that a release has a wheel for on this machine; none where there is no such one."""
    for minor in ("3.13", "3.12", "3.11", "3.10", "3.9"):
        row = choose(snapshot, PythonVersion(minor), any_driver)
        if row is not None:
            newer = driver_lines(row, snapshot) if any_driver else ()
            what = f"# TensorFlow {row.version} is the newest that the table confirms here; it needs"
            lines = _new_environment(f"python{minor}", requirements(row, snapshot))
            return (*newer, f"{what} Python {minor} (CPython, 64 bits):", *lines)
    return ()


def _other_architecture(snapshot: Snapshot) -> tuple[str, ...]:
    """aarch64 has CPU builds on the index, and nothing with CUDA."""
    machine, python = machine_of(snapshot), snapshot.python
    version = known(python.version, None) if isinstance(python, Python) else None
    if machine == "aarch64" and version is not None and for_cpu(snapshot):
        minor = f"{version.major}.{version.minor}"
        rows = [row for row in AARCH64 if final(row) and minor in row.pythons.split()]
        newest = max(rows, key=lambda row: PackageVersion(row.version), default=None)
        if newest is not None and not _refuses_pip(snapshot):
            return (pip(snapshot, f"tensorflow=={newest.version}"),)
    return (f"# The index has no TensorFlow wheel with CUDA for {machine}: use NVIDIA's NGC container.",)


def replace_lines(snapshot: Snapshot, *names: str) -> tuple[str, ...]:
    """How to put a TensorFlow that uses the GPU in the place of these distributions.

    Nothing is uninstalled where nothing better can be installed in this environment.
    """
    if not _on_windows(snapshot) and (choose(snapshot, any_driver=True) is None or _refuses_pip(snapshot)):
        return install_lines(snapshot)
    return (pip(snapshot, "-y", *names, action="uninstall"), *install_lines(snapshot))
