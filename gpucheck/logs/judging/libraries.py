"""CUDA's libraries that did not load: which, and what those that did load say of the CUDA that is installed."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import brings_wheels, driver_answers, gpu_works, in_container, on_windows, on_wsl
from gpucheck.logs.sonames import installed_instead, is_cuda, library, releases_with
from gpucheck.rules.engine import Found, found

_WRONG, _PATH = "cuda-toolkit-wrong-version", "cuda-libs-not-on-loader-path"
_PARTIAL, _WHEELS = "cuda-lib-missing-partial-install", "pip-cuda-wheels-not-found"
_MISSING = ("library-not-loaded", "library-import-failed")
_ON_LINUX = "ldconfig -p | grep -E 'libcu(dart|blas|dnn)'; echo $LD_LIBRARY_PATH; ls -d /usr/local/cuda*"
_ON_WINDOWS = "where cudart64_*.dll cudnn64_*.dll"


def _lacking(log: Log) -> list[Clue]:
    """The lines that name a library of CUDA's that did not load; the driver's own and cuDNN are not among them."""
    return [one for one in log.all(*_MISSING) if is_cuda(one.get("soname") or "")]


def _without_cudnn(log: Log) -> list[Clue]:
    return [one for one in log.all(*_MISSING) if library(one.get("soname") or "") == "cudnn"]


def _names(clues: list[Clue]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.get("soname") or "" for one in clues))


def _opened(log: Log) -> tuple[str, ...]:
    return tuple(name for name in log.values("library-loaded", "soname") if is_cuda(name))


def _shown(release: str) -> str:
    return {"11": "11.1 or later", "12": "12", "13": "13"}.get(release, release)


@cause(_WRONG, Place.SONAMES, explains=("cuda-libraries-not-installed",))
def another_release_opened(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """What loaded and what did not fit one other release of CUDA: that one is installed."""
    lacking = [one for one in _lacking(log) if not is_cuda(one.get("needs") or "")]
    instead = installed_instead(_opened(log), _names(lacking))
    wanted = releases_with((*_names(lacking), *_opened(log)))
    if lacking and instead and not gpu_works(log):
        yield found(
            f"{' and '.join(_names(lacking)[:3])} did not load: the program was built for CUDA "
            f"{_shown(wanted[0]) if wanted else '?'}, and what did load is of CUDA {_shown(instead[0])}.",
            [told(one) for one in (*lacking[:4], *log.all("library-loaded")[:2])],
            _fix(log, snapshot),
        )


@cause(_WRONG, Place.SONAMES, explains=("cuda-libraries-not-installed",))
def another_release_named(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The folders that were searched, nvcc or the log's paths name another release than the sonames do."""
    lacking = _lacking(log)
    wanted = releases_with((*_names(lacking), *_opened(log)))
    named = _toolkits(log)
    if not lacking or not wanted or not named or gpu_works(log) or installed_instead(_opened(log), _names(lacking)):
        return
    if all(_family(release) not in wanted for release, _ in named):
        yield found(
            f"{_names(lacking)[0]} belongs to CUDA {_shown(wanted[0])}; the CUDA that the log names is {named[0][0]}.",
            [told(one) for one in (*lacking[:3], *(clue for _, clue in named[:2]))],
            _fix(log, snapshot),
        )


@cause(_WRONG, Place.SONAMES, explains=("cuda-libraries-not-installed",))
def found_one_of_another_release(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """A library was found, and what it needs itself is of another release than the libraries that did load."""
    opened = releases_with(_opened(log))
    for clue in () if gpu_works(log) else _lacking(log):
        needs = clue.get("needs") or ""
        of = releases_with((needs,)) if is_cuda(needs) else ()
        if opened and of and not set(of) & set(opened):
            yield found(
                f"The {clue.get('soname')} that is found needs {needs} and is of CUDA {_shown(of[0])}; "
                f"the libraries that did load are of CUDA {_shown(opened[0])}.",
                [told(clue), *(told(one) for one in log.all("library-loaded")[:2])],
                _fix(log, snapshot),
            )
            return


def _toolkits(log: Log) -> list[tuple[str, Clue]]:
    """The CUDA releases that the log names as installed, with their lines."""
    found_ = [(one.get("cuda") or "", one) for one in log.all("session-nvcc", "session-toolkit")]
    for clue in log.all("library-not-loaded"):
        search = clue.get("search") or ""
        for piece in search.split("cuda-")[1:]:
            digits = piece.partition("/")[0].partition(":")[0]
            if digits[:1].isdigit():
                found_.append((".".join(digits.split(".")[:2]), clue))
    return [one for one in found_ if one[0]]


def _family(release: str) -> str:
    """The name under which sonames know a release."""
    major, _, minor = release.partition(".")
    if major in ("12", "13"):
        return major
    return "11" if major == "11" and minor not in ("", "0") else release


def _fix(log: Log, snapshot: Snapshot) -> list[str]:
    if on_windows(log, snapshot):
        return [
            "# install the CUDA and cuDNN that this release was built with: https://www.tensorflow.org/install/source_windows#gpu"
        ]
    return [
        "gpucheck install --dry-run  # which releases fit this machine",
        "# or install the CUDA that this release was built with: https://www.tensorflow.org/install/source#gpu",
    ]


@question(Place.SONAMES)
def why_not_loaded(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """Sonames of CUDA that did not load, and nothing that says whether they are there."""
    lacking = _lacking(log)
    if not lacking or gpu_works(log):
        return
    windows = on_windows(log, snapshot)
    yield left(
        f"{', '.join(_names(lacking)[:4])} did not load.",
        [told(one) for one in (*lacking[:4], *log.all("cudart-dlerror-ignorable")[:1])],
        _remaining(log, snapshot, lacking),
        _ON_WINDOWS if windows else _ON_LINUX,
    )


def _remaining(log: Log, snapshot: Snapshot, lacking: list[Clue]) -> dict[str, str]:
    releases = releases_with(_names(lacking))
    wrong = {
        _WRONG: f"another CUDA than {_shown(releases[0]) if releases else 'the one asked for'} is installed, or none"
    }
    path = {_PATH: "the files are there, in a folder that is not searched"}
    partial = {_PARTIAL: "the other libraries of that CUDA are there"}
    store = {"windows-dll-search-path": "PATH names their folder: Python 3.8 and later does not search PATH"}
    if all(one.get("ctypes") for one in lacking):  # PyTorch opens the libraries of its own wheels so
        return {**path, _WHEELS: "the wheel that holds it is not installed, or was overwritten", **wrong}
    if _opened(log) and len(_names(lacking)) <= 2:
        return {**partial, **path, **wrong}
    if any(one.get("needs") for one in lacking):
        return {_WRONG: "libraries of two CUDA releases are mixed", **partial, **path}
    if any(_family(release) in releases for release, _ in _toolkits(log)):
        return {**path, **partial, **wrong}
    if on_windows(log, snapshot):
        return {**wrong, **path, **store}
    return {**wrong, **path, **partial}


@question(Place.SONAMES)
def why_no_cudnn(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """cuDNN alone did not load."""
    clues = _without_cudnn(log)
    if not clues or _lacking(log) or gpu_works(log):
        return
    windows = on_windows(log, snapshot)
    other = {"cudnn-wrong-version": "a cuDNN of another major is there"}
    partial = {_PARTIAL: "no cuDNN is there"}
    path = {_PATH: "it is there, in a folder that is not searched"}
    seven = not windows and all(name.endswith(".so.7") for name in _names(clues)) and not _opened(log)
    yield left(
        f"CUDA's own libraries are not complained of; {_names(clues)[0]} did not load.",
        [told(one) for one in clues[:2]],
        {**other, **path, **partial} if windows or seven else {**partial, **other, **path},
        "where cudnn64_*.dll" if windows else "ldconfig -p | grep libcudnn; find / -name 'libcudnn.so*' 2>/dev/null",
    )


@question(Place.SONAMES)
def why_no_gpu_libraries(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """TensorFlow 2.12 and later name no library: a GPU that was found and not registered, or no libcudart."""
    dlopen, drivers = log.first("cannot-dlopen-gpu-libraries"), log.first("cuda-drivers-not-found")
    if (dlopen is None and drivers is None) or gpu_works(log) or log.all(*_MISSING):
        return
    clue = dlopen or drivers
    assert clue is not None
    message = (
        "A GPU and its driver are there, and libraries of CUDA did not load; this release does not say which."
        if dlopen
        else "libcudart did not load, which says nothing of the driver."
    )
    yield left(
        message,
        [told(one) for one in (dlopen, drivers) if one],
        _remaining_unnamed(log, snapshot, dlopen is not None),
        "TF_CPP_MAX_VLOG_LEVEL=3 python -c 'import tensorflow as tf; tf.config.list_physical_devices()' 2>&1"
        " | grep -i dlerror",
    )


def _remaining_unnamed(log: Log, snapshot: Snapshot, registered: bool) -> dict[str, str]:
    wheels = {_WHEELS: "pip list shows nvidia-cudnn-cu12 and its kin, and TensorFlow does not find them"}
    wrong = {_WRONG: "another CUDA than this release's is installed, or none: pip install 'tensorflow[and-cuda]'"}
    cudnn = {"cudnn-wrong-version": "CUDA is there, and cuDNN of that major is not"}
    path = {_PATH: "the files are there, in a folder that is not searched"}
    none = {"ok-cpu-expected": "nvidia-smi is not there: the machine has no NVIDIA GPU"}
    if registered and log.first("cuda-drivers-not-found") is None:
        if in_container(log, snapshot):
            return {**cudnn, **wheels, **path}
        return {**wheels, **cudnn, **path} if brings_wheels(log, snapshot) else {**cudnn, **path, **wrong}
    if registered:
        return {**wheels, **wrong, **path} if brings_wheels(log, snapshot) else {**wrong, **path, **cudnn}
    if log.first("session-and-cuda"):  # CUDA was asked for as wheels
        return {**wheels, **wrong, **({} if driver_answers(log) else none)}
    late = wheels if brings_wheels(log, snapshot) else path
    return {**wrong, **late, **(cudnn if driver_answers(log) else none)}


@cause(_WRONG, Place.SONAMES)
def outdated_for_jax(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("jax-outdated-component", "jax-library-too-old")
    if clue is not None:
        which = clue.get("library") or "One of CUDA's libraries"
        yield found(
            f"{which} is older than the one that JAX was built with.",
            [told(clue)],
            ['pip install --upgrade "jax[cuda12]"', "echo $LD_LIBRARY_PATH"],
        )


@question(Place.SONAMES)
def why_not_imported(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """JAX: one of CUDA's libraries did not load, without a name."""
    clue = log.first("jax-library-not-loaded")
    if clue is not None and not gpu_works(log):
        yield left(
            "One of CUDA's libraries did not load.",
            [told(clue)],
            {
                _WHEELS: "NVIDIA's wheels are installed, and LD_LIBRARY_PATH or an older copy is in their way",
                _WRONG: "the CUDA that is installed is another one than jaxlib's",
            },
            "pip list | grep -iE 'nvidia|jax'; echo $LD_LIBRARY_PATH",
        )


@cause("windows-dll-search-path", Place.SONAMES)
def dll_although_on_path(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """Python on Windows does not find CUDA's DLLs although PATH names their folder.

    ## What it means
    Python 3.8 and later look for the DLLs of extension modules in the folders given by os.add_dll_directory, not in
    PATH; the Python of the Microsoft Store never looks there.

    ## Why it matters
    TensorFlow up to 2.10 uses the CPU, and says that cudart64_110.dll was not found.

    ## How to fix
    Call os.add_dll_directory with CUDA's bin folder before TensorFlow is imported, or use python.org's Python.

    ## References
    https://github.com/tensorflow/tensorflow/issues/48868
    https://docs.python.org/3/library/os.html#os.add_dll_directory
    """
    store = log.first("session-store-python")
    lacking = _lacking(log)
    if store is not None and lacking and on_windows(log, snapshot) and not on_wsl(log, snapshot):
        yield found(
            f"{_names(lacking)[0]} was not found by the Python of the Microsoft Store, which does not search PATH.",
            [told(lacking[0]), told(store)],
            [
                "# install Python from python.org, or before the import:",
                r"""os.add_dll_directory(r"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v11.2\bin")""",
            ],
        )
