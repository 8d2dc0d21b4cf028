"""Imports that fail for what surrounds a framework: the C++ runtime, processor and environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import gpu_works, on_windows, tensorflow_of
from gpucheck.rules.engine import Found, found

_AVX = "cpu-no-avx"
_MSVC, _PATH, _ELSEWHERE = "msvc-redistributable-missing", "cuda-libs-not-on-loader-path", "wrong-python-environment"


def _evidence(*clues: Union[Clue, None]) -> list[tuple[str, object, str]]:
    return [told(clue) for clue in clues if clue is not None]


# --- the processor and the C++ runtime


def _illegal(log: Log) -> Union[Clue, None]:
    ended = (one for one in log.all("windows-exit-code") if one.get("why") == "illegal-instruction")
    return log.first("illegal-instruction") or next(ended, None)


@cause(_AVX, Place.TRACEBACK, explains=("deep-import-failed", _MSVC))
def avx(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    missing, ended = log.first("cpu-instructions-missing"), _illegal(log)
    flags = log.values("cpu-flags", "avx")
    clue = missing or ended
    if clue is None or (missing is None and "true" in flags) or gpu_works(log):
        return
    said = clue.get("instructions") if missing is not None else "AVX"
    yield found(
        f"TensorFlow's wheels need a processor with {said or 'AVX'}, and this one met an instruction that it lacks.",
        _evidence(clue, *log.all("cpu-flags")[:1]),
        [
            "grep -o -m1 -w -E 'avx|avx2|avx512f' /proc/cpuinfo",
            "# a virtual machine: give it the host's CPU type; else a build without AVX, or TensorFlow 1.5",
        ],
    )


def _dll(log: Log, *reasons: str) -> Union[Clue, None]:
    """A framework's own library that Windows could not load, for one of these reasons."""
    said = log.all("dll-load-failed", "windows-error")
    return next((clue for clue in said if clue.get("why") in reasons), None)


@cause(_MSVC, Place.TRACEBACK, explains=(_PATH, "deep-import-failed"))
def msvc(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """Microsoft's Visual C++ runtime is missing or older than TensorFlow or PyTorch needs.

    ## What it means
    TensorFlow for Windows needs msvcp140.dll, msvcp140_1.dll and vcruntime140_1.dll of the Visual C++ Redistributable
    2015-2022 (x64). Without them Python says "DLL load failed", and not which file it misses.

    ## Why it matters
    TensorFlow cannot be imported.

    ## How to fix
    Install the redistributable for x64, and restart Python.

    ## References
    https://learn.microsoft.com/cpp/windows/latest-supported-vc-redist
    https://github.com/tensorflow/tensorflow/issues/39502
    """
    named = [clue for clue in log.all("msvc-runtime-missing") if _is_missing(clue.text)]
    told_ = [clue for clue in log.all("msvc-redistributable") if _is_missing(clue.text)]
    clue = next(iter([*named, *told_]), None)
    if clue is not None:
        yield found(
            f"Microsoft's Visual C++ runtime is missing{_named(clue)}.",
            _evidence(clue, log.first("dll-load-failed")),
            ["winget install Microsoft.VCRedist.2015+.x64", "# or https://aka.ms/vs/17/release/vc_redist.x64.exe"],
        )


def _named(clue: Clue) -> str:
    return f" ({clue.get('soname')})" if clue.get("soname") else ""


def _is_missing(text: str) -> bool:
    low = text.lower()
    words = ("could not find", "missing", "not found", "not installed", "cannot proceed", "may install", "ot locate")
    return any(word in low for word in words)


@question(Place.TRACEBACK)
def why_dll(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """Windows does not say which file it misses; how Python puts it, and TensorFlow's age, leave two or three."""
    clue = _dll(log, "module-not-found", "procedure-not-found", "other") or _no_internal(log)
    starts = _dll(log, "initialisation")
    if gpu_works(log) or (clue is None and starts is None):
        return
    runtime = {_MSVC: r"there is no msvcp140_1.dll in C:\Windows\System32"}
    processor = {_AVX: "the processor has no AVX"}
    path = {_PATH: "CUDA and cuDNN are installed, and their bin folders are not in PATH"}
    search = {"windows-dll-search-path": "CUDA is in PATH, where Python 3.8 and later do not look for DLLs"}
    cudnn = {"cudnn-wrong-version": "cuDNN is of another version than this TensorFlow asks for"}
    if clue is None:
        order = {**runtime, **processor} if _is_recent(log, snapshot) else {**processor, **runtime}
    elif _is_of_another(clue):
        order = {**runtime, **search, **path}
    elif _loads_cuda_late(clue, log, snapshot):
        order = {**runtime, **processor}
    else:
        order = {**path, **runtime, **cudnn}
    yield left(
        f"Windows could not load a library of {_whose(clue)}.",
        _evidence(clue or starts),
        order,
        r"where cudart64_*.dll cudnn64_*.dll & dir C:\Windows\System32\msvcp140_1.dll",
    )


def _whose(clue: Union[Clue, None]) -> str:
    return str(clue.get("module")) if clue is not None and _is_of_another(clue) else "TensorFlow's"


def _is_of_another(clue: Clue) -> bool:
    """A module that Python names and that has nothing of TensorFlow: dlib, pycuda, cupy link CUDA directly."""
    module = clue.get("module") or ""
    return bool(module) and not any(word in module for word in ("tensorflow", "pywrap", "tf", "torch", "_C"))


def _is_recent(log: Log, snapshot: Snapshot) -> bool:
    """From 2.16 on TensorFlow needs a newer C++ runtime than most computers have, which fails as it starts."""
    version = tensorflow_of(log, snapshot)
    if version is not None:
        return version >= PackageVersion("2.16")
    minors = [value.split(".")[1:2] for value in log.values("traceback-file", "python")]
    return any(minor and int(minor[0]) >= 10 for minor in minors)


def _no_internal(log: Log) -> Union[Clue, None]:
    """TensorFlow 1's words for the same: No module named '_pywrap_tensorflow_internal'."""
    return next((one for one in log.all("module-not-found") if (one.get("module") or "").startswith("_pywrap_")), None)


def _loads_cuda_late(clue: Clue, log: Log, snapshot: Snapshot) -> bool:
    """From 2.1 on TensorFlow imports without CUDA. Python names the module from 3.8 on, which 2.2 was the first for."""
    version = tensorflow_of(log, snapshot)
    if version is not None:
        return version >= PackageVersion("2.1")
    # Folders of 1.15 to 2.1, which name a missing library of CUDA's themselves (self_check.py).
    core = any("tensorflow_core" in one.text for one in log.all("traceback-file"))
    return core or "importing" in clue.text


# --- the environment


@cause(_ELSEWHERE, Place.TRACEBACK, explains=("tensorflow-not-installed",))
def elsewhere(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    missing = _missing(log)
    there = [clue for clue in log.all("pip-satisfied", "package-listed", "pip-installed") if _has(clue, missing)]
    pythons = log.all("sys-executable")
    two = len({clue.get("path") for clue in pythons}) > 1
    if missing is not None and (there or two):
        yield found(
            f"The Python that ran has no {missing.get('package')}, and another one on this machine has.",
            _evidence(missing, *there[:2], *pythons[:2]),
            [
                "python -c 'import sys; print(sys.executable)'",
                "python -m pip install tensorflow   # with just that Python",
                "# Jupyter: python -m pip install ipykernel && python -m ipykernel install --user --name tf",
            ],
        )


def _missing(log: Log) -> Union[Clue, None]:
    """The framework itself is missing; a module of it that moved is another thing."""
    frameworks = ("tensorflow", "torch", "jax", "keras")
    needed = (one for one in log.all("module-not-found") if one.get("optional") is None)
    return next((one for one in needed if one.get("module") in frameworks), None)


def _has(clue: Clue, missing: Union[Clue, None]) -> bool:
    name = (missing.get("package") or "") if missing is not None else ""
    words = [clue.get("package") or "", *(clue.get("packages") or "").split()]
    return bool(name) and any(word == name or word.startswith((f"{name}==", f"{name}-gpu")) for word in words)


@question(Place.TRACEBACK)
def why_missing(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    missing = _missing(log)
    if missing is None:
        return
    name = missing.get("package") or ""
    begun = next((one for one in log.all("pip-collecting", "pip-fetched") if name in one.text), None)
    full = {"disk-or-tmp-full": "the installation stopped half-way: df -h /tmp shows little room"}
    other = {_ELSEWHERE: "pip -V names another environment than sys.executable does"}
    none = {"tensorflow-not-installed": "python -m pip show finds it nowhere"}
    yield left(
        f"The Python that ran has no {name}.",
        _evidence(missing, begun),
        {**full, **other} if begun is not None else {**other, **none},
        "python -c 'import sys; print(sys.executable)'; python -m pip -V; df -h /tmp",
    )


@cause("incomplete-installation", Place.TRACEBACK)
def long_path(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("windows-long-path")
    if clue is not None and on_windows(log, snapshot):
        yield found(
            "A file's path was longer than Windows allows, so the installation is not whole.",
            [told(clue)],
            ["py -m venv C:\\tf", "# or switch long paths on: https://pip.pypa.io/warnings/enable-long-paths"],
        )
