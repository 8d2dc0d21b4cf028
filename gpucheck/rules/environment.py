"""Rules about LD_LIBRARY_PATH: what it hides, and entries that lead nowhere or to the wrong place."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.gap import Unknown, known, need
from gpucheck.facts.libraries import Libraries, LibraryCopy, SearchDir
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.shadows import Pair, costs_the_gpu, shadows, state
from gpucheck.rules.stakes import stakes

_VARIABLE = "LD_LIBRARY_PATH"
_STUBS = "/stubs"
_OF_CUDNN = ("cudnn-wrong-version", "torch-cudnn-pin-conflict")


def _entries(libraries: Libraries) -> list[SearchDir]:
    return [one for one in need(libraries.search) if one.via == _VARIABLE]


def _cleaned(snapshot: Snapshot, *folders: str) -> list[str]:
    """The variable without these folders and all others that a rule here accuses: one value, whichever finding says it.

    Else the command of one finding would bring back what another one took out.
    """
    value = need(snapshot.environment).get(_VARIABLE) or ""
    bad = {*folders, *_all_bad(snapshot)}
    kept = [one for one in value.replace(";", ":").split(":") if one and one.rstrip("/") not in bad]
    return [f"export {_VARIABLE}={':'.join(kept)}"] if kept else [f"unset {_VARIABLE}"]


def _all_bad(snapshot: Snapshot) -> set[str]:
    """What the rules of this module accuse, as far as each of them can be judged."""
    bad: set[str] = set()
    for accused in (_shadowing, _stubs, _dead, _of_other_cuda):
        try:
            bad |= set(accused(snapshot))
        except Unknown:
            continue
    return bad


def in_the_way(snapshot: Snapshot) -> frozenset[str]:
    """Folders of LD_LIBRARY_PATH that do harm there. Not the dead ones: a disk may be away for a while."""
    return frozenset(_all_bad(snapshot)) - frozenset(_dead_or_none(snapshot))


def _dead_or_none(snapshot: Snapshot) -> list[str]:
    try:
        return _dead(snapshot)
    except Unknown:
        return []


@rule(Severity.WARNING, decisive=True, explains=("cuda-library-broken",), on="linux")
def ld_library_path_shadows_bundled_cuda(snapshot: Snapshot) -> Iterator[Found]:
    """LD_LIBRARY_PATH puts an older CUDA library before TensorFlow's own.

    ## What it means
    The loader looks into LD_LIBRARY_PATH (and LD_PRELOAD) before the RUNPATH that leads to pip's wheels. A file of the
    same soname there wins, and it is older than the wheel's, or broken. An older nvJitLink is an error: its symbols
    carry the minor version. Where nothing tells the version of the file in front, this is an information.

    ## Why it matters
    "Loaded runtime CuDNN library: X but source was compiled with: Y", "undefined symbol" in libcudnn or libcusolver, or
    an empty list of GPUs, although the environment itself is in order.

    ## How to fix
    Take the folder out of LD_LIBRARY_PATH for this program: TensorFlow's wheels need none.

    ## References
    https://man7.org/linux/man-pages/man8/ld.so.8.html
    https://github.com/NVIDIA/tensorflow/issues/55
    """
    worse, untold = shadows(snapshot)
    if worse:
        yield _shadow(snapshot, worse)
    elif untold:
        yield _shadow(snapshot, untold, Severity.INFO)


def _shadowing(snapshot: Snapshot) -> list[str]:
    """Folders whose files are worse than the wheels'."""
    return [(known(one.path, None) or "").rpartition("/")[0] for one, _ in shadows(snapshot)[0]]


def _shadow(snapshot: Snapshot, worse: list[Pair], severity: Severity | None = None) -> Found:
    fatal = next((pair for pair in worse if costs_the_gpu(*pair)), None)
    stake = stakes(snapshot) if fatal else None
    one, own = fatal or worse[0]
    remark = f"; cuSOLVER and cuSPARSE then do not open{stake.remark}" if stake else ""
    more = f", and {len(worse) - 1} more" if len(worse) > 1 else ""
    folders = {(known(pair[0].path, None) or "").rpartition("/")[0] for pair in worse}
    return found(
        f"{one.via} puts {one.path} ({state(one)}) before TensorFlow's own {own.path} ({state(own)}){more}{remark}.",
        [
            (
                "libraries.wanted",
                f"{each.soname}: {known(each.path, None)} ({state(each)}) hides {hidden.path} ({state(hidden)})",
                f"through {each.via}",
            )
            for each, hidden in worse
        ],
        _cleaned(snapshot, *folders) if (one.via or "").startswith(_VARIABLE) else ["unset LD_PRELOAD"],
        severity=stake.severity if stake else severity,
        explains=_OF_CUDNN if any(each.library == "cudnn" for each, _ in worse) else (),
    )


@rule(Severity.WARNING, explains=("libcuda-stub-on-path",), on="linux")
def ld_library_path_stubs(snapshot: Snapshot) -> Iterator[Found]:
    """LD_LIBRARY_PATH names CUDA's folder of stubs.

    ## What it means
    A toolkit's lib64/stubs holds empty stand-ins of the driver's libraries, to link programs on machines without a GPU.
    They are no driver.

    ## Why it matters
    A program that takes libcuda from there gets error 34, "CUDA driver is a stub library".

    ## How to fix
    Take the folder out of LD_LIBRARY_PATH; for the linker LIBRARY_PATH is the right variable.

    ## References
    https://github.com/numba/numba/issues/9732
    """
    for path in _stubs(snapshot):
        yield found(
            f"LD_LIBRARY_PATH names CUDA's stubs, {path}, which stand in for the driver's libraries.",
            [("libraries.search", path, _VARIABLE)],
            _cleaned(snapshot, path),
        )


def _stubs(snapshot: Snapshot) -> list[str]:
    entries = _entries(need(snapshot.libraries))
    return [one.path for one in entries if one.path.endswith(_STUBS) and need(one.exists)]


@rule(Severity.INFO, on="linux")
def ld_library_path_dead_entry(snapshot: Snapshot) -> Iterator[Found]:
    """LD_LIBRARY_PATH names a folder that does not exist.

    ## What it means
    An entry leads nowhere: a toolkit was removed or upgraded, or the path has a typo.

    ## Why it matters
    The entry itself is harmless. If it named CUDA, what it was to give is not found there any more: a warning then.

    ## How to fix
    Correct the entry or take it out, in the shell's start-up file or the module that sets it.

    ## References
    https://man7.org/linux/man-pages/man8/ld.so.8.html
    """
    dead = _dead(snapshot)
    if dead:
        cuda = any(word in path.lower() for path in dead for word in ("cuda", "cudnn", "nvidia", "nccl"))
        yield found(
            f"LD_LIBRARY_PATH names {', '.join(dead)}, which {'does' if len(dead) == 1 else 'do'} not exist.",
            [("libraries.search", path, _VARIABLE) for path in dead],
            _cleaned(snapshot, *dead),
            severity=Severity.WARNING if cuda else None,
        )


def _dead(snapshot: Snapshot) -> list[str]:
    return [one.path for one in _entries(need(snapshot.libraries)) if need(one.exists) is False]


@rule(Severity.WARNING, explains=("ld-library-path-shadows-bundled-cuda",), on="linux")
def ld_library_path_other_cuda(snapshot: Snapshot) -> Iterator[Found]:
    """LD_LIBRARY_PATH names the libraries of another CUDA major than TensorFlow's.

    ## What it means
    A folder in LD_LIBRARY_PATH holds the CUDA runtime of another major version than this TensorFlow was built for.

    ## Why it matters
    Most libraries have another soname and are passed over, but not all: libcusolver.so.11 is CUDA 11's and 12's,
    libcurand.so.10 belongs to every version from 10.1 on. Such a file is taken, and its own needs are not met.

    ## How to fix
    Take the folder out of LD_LIBRARY_PATH for this program.

    ## References
    https://github.com/NVIDIA/tensorflow/issues/55
    https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/
    """
    for folder, copy in _of_other_cuda(snapshot).items():
        version = known(copy.version, None)
        build = need(need(snapshot.python).tensorflow)
        cuda = need(build.cuda_version) if build else None
        yield found(
            f"LD_LIBRARY_PATH names {folder}, the libraries of CUDA {version.major if version else '?'}; "
            f"this TensorFlow is built for CUDA {cuda}.",
            [
                ("libraries.copies", f"{copy.path} ({version})", copy.version_source or copy.path),
                ("python.tensorflow.cuda_version", cuda, "build_info.py"),
            ],
            _cleaned(snapshot, folder),
        )


def _of_other_cuda(snapshot: Snapshot) -> dict[str, LibraryCopy]:
    """Folders with the CUDA runtime of another major: one file per folder is enough to tell."""
    libraries = need(snapshot.libraries)
    entries = {one.path for one in _entries(libraries)}
    build = need(need(snapshot.python).tensorflow) if entries else None
    cuda = need(build.cuda_version) if build and need(build.cuda_build) else None
    other: dict[str, LibraryCopy] = {}
    for copy in need(libraries.copies) if cuda else ():
        folder = copy.path.rpartition("/")[0]
        if copy.library == "cudart" and not copy.stub and folder in entries:
            version = need(copy.version)
            if cuda is not None and version is not None and version.major != cuda.major:
                other.setdefault(folder, copy)
    return other
