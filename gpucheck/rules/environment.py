"""Rules about LD_LIBRARY_PATH: what it hides, and entries that lead nowhere or to the wrong place."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.libraries import Libraries, LibraryCopy, SearchDir, Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import LibraryVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.missing import is_bundled
from gpucheck.rules.stakes import stakes

_VARIABLE = "LD_LIBRARY_PATH"
_STUBS = "/stubs"
_OF_CUDNN = ("cudnn-wrong-version", "torch-cudnn-pin-conflict")


def _entries(libraries: Libraries) -> list[SearchDir]:
    return [one for one in need(libraries.search) if one.via == _VARIABLE]


def _without(snapshot: Snapshot, *folders: str) -> list[str]:
    """The variable without these folders, as a command."""
    value = need(snapshot.environment).get(_VARIABLE) or ""
    kept = [one for one in value.replace(";", ":").split(":") if one and one.rstrip("/") not in folders]
    return [f"export {_VARIABLE}={':'.join(kept)}"] if kept else [f"unset {_VARIABLE}"]


@rule(Severity.WARNING, decisive=True, explains=("cuda-library-broken",))
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
    libraries = need(snapshot.libraries)
    build = need(need(snapshot.python).tensorflow)
    if build is None:
        return
    worse, untold = [], []
    for one in need(libraries.wanted) or ():
        path = need(one.path)
        if path is None or not (one.via or "").startswith((_VARIABLE, "LD_PRELOAD")) or is_bundled(path, build):
            continue
        own = next((copy for copy in _copies(libraries, one.hides) if is_bundled(copy.path, build)), None)
        if own is None:
            continue
        if _untold(one) and need(own.defect) is None:
            untold.append((one, own))
        elif _worse(one, own):
            worse.append((one, own))
    if worse:
        yield _shadow(snapshot, worse)
    elif untold:
        yield _shadow(snapshot, untold, Severity.INFO)


def _copies(libraries: Libraries, paths: tuple[str, ...]) -> list[LibraryCopy]:
    return [copy for copy in need(libraries.copies) if copy.path in paths] if paths else []


def _worse(one: Wanted, own: LibraryCopy) -> bool:
    """The file in front is broken, or older than the wheel's sound copy. An untold version accuses nobody."""
    if need(own.defect) is not None:
        return False
    if need(one.defect) is not None:
        return True
    mine, theirs = need(one.version), need(own.version)
    return mine is not None and theirs is not None and mine < theirs


def _untold(one: Wanted) -> bool:
    """Sound, and nothing beside the file tells its version. (A version that was not asked for accuses nobody.)"""
    return need(one.defect) is None and isinstance(one.version, Gap) and one.version.kind == "unsupported"


def _costs_the_gpu(one: Wanted, own: LibraryCopy) -> bool:
    """nvJitLink names the minor in its symbols (__nvJitLinkAddData_12_5): a lower one than the wheel's lacks those that
    cuSOLVER and cuSPARSE were linked with, and they do not open."""
    mine, theirs = known(one.version, None), known(own.version, None)
    if one.library != "nvjitlink" or mine is None or theirs is None:
        return False
    return LibraryVersion(_minor(mine)) < LibraryVersion(_minor(theirs))


def _minor(version: LibraryVersion) -> str:
    return ".".join(version.text.split(".")[:2])


def _state(one: Wanted | LibraryCopy) -> str:
    return str(known(one.defect, None) or known(one.version, None) or "version not known")


def _shadow(snapshot: Snapshot, worse: list[tuple[Wanted, LibraryCopy]], severity: Severity | None = None) -> Found:
    fatal = next((pair for pair in worse if _costs_the_gpu(*pair)), None)
    stake = stakes(snapshot) if fatal else None
    one, own = fatal or worse[0]
    remark = f"; cuSOLVER and cuSPARSE then do not open{stake.remark}" if stake else ""
    more = f", and {len(worse) - 1} more" if len(worse) > 1 else ""
    folders = {(known(pair[0].path, None) or "").rpartition("/")[0] for pair in worse}
    return found(
        f"{one.via} puts {one.path} ({_state(one)}) before TensorFlow's own {own.path} ({_state(own)}){more}{remark}.",
        [
            (
                "libraries.wanted",
                f"{each.soname}: {known(each.path, None)} ({_state(each)}) hides {hidden.path} ({_state(hidden)})",
                f"through {each.via}",
            )
            for each, hidden in worse
        ],
        _without(snapshot, *folders) if (one.via or "").startswith(_VARIABLE) else ["unset LD_PRELOAD"],
        severity=stake.severity if stake else severity,
        explains=_OF_CUDNN if any(each.library == "cudnn" for each, _ in worse) else (),
    )


@rule(Severity.WARNING, explains=("libcuda-stub-on-path",))
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
    for one in _entries(need(snapshot.libraries)):
        if one.path.endswith(_STUBS) and need(one.exists):
            yield found(
                f"LD_LIBRARY_PATH names CUDA's stubs, {one.path}, which stand in for the driver's libraries.",
                [("libraries.search", one.path, _VARIABLE)],
                _without(snapshot, one.path),
            )


@rule(Severity.INFO)
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
    dead = [one.path for one in _entries(need(snapshot.libraries)) if need(one.exists) is False]
    if dead:
        cuda = any(word in path.lower() for path in dead for word in ("cuda", "cudnn", "nvidia", "nccl"))
        yield found(
            f"LD_LIBRARY_PATH names {', '.join(dead)}, which {'does' if len(dead) == 1 else 'do'} not exist.",
            [("libraries.search", path, _VARIABLE) for path in dead],
            _without(snapshot, *dead),
            severity=Severity.WARNING if cuda else None,
        )


@rule(Severity.WARNING, explains=("ld-library-path-shadows-bundled-cuda",))
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
    libraries = need(snapshot.libraries)
    entries = {one.path for one in _entries(libraries)}
    if not entries:
        return
    build = need(need(snapshot.python).tensorflow)
    cuda = need(build.cuda_version) if build and need(build.cuda_build) else None
    if cuda is None:
        return
    for copy in need(libraries.copies):
        folder = copy.path.rpartition("/")[0]
        if copy.library != "cudart" or copy.stub or folder not in entries:
            continue
        version = need(copy.version)
        if version is not None and version.major != cuda.major:
            entries.discard(folder)  # one file per folder is enough to tell
            yield found(
                f"LD_LIBRARY_PATH names {folder}, the libraries of CUDA {version.major}; this TensorFlow is built for "
                f"CUDA {cuda}.",
                [
                    ("libraries.copies", f"{copy.path} ({version})", copy.version_source or copy.path),
                    ("python.tensorflow.cuda_version", cuda, "build_info.py"),
                ],
                _without(snapshot, folder),
            )
