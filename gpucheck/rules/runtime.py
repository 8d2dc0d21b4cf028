"""Rules about CUDA's libraries that are not on this machine: all of them, some, or those of TensorFlow's own CUDA."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.libraries import BY_NAME
from gpucheck.compat.tensorflow import find
from gpucheck.facts import paths
from gpucheck.facts.gap import known, need
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.missing import asked, build_of, missing, names, title
from gpucheck.rules.recipes import install_lines, pip
from gpucheck.rules.stakes import stakes
from gpucheck.rules.systems import on_windows


def _copy(copy: LibraryCopy) -> str:
    version = known(copy.version, None)
    return f"{copy.path} ({version})" if version else copy.path


@rule(Severity.ERROR, decisive=True, explains=("cudnn-wrong-version",))
def cuda_toolkit_wrong_version(snapshot: Snapshot) -> Iterator[Found]:
    """CUDA is installed in another version than this TensorFlow was built for.

    ## What it means
    TensorFlow asks for sonames of one CUDA major (libcudart.so.12), and only those of another (libcudart.so.13) are on
    this machine. A newer toolkit does not stand in for an older one: the numbers in the names differ.

    ## Why it matters
    The libraries are there and of no use; TensorFlow runs on the CPU.

    ## How to fix
    Install the CUDA libraries of TensorFlow's own version with pip; they need no toolkit and do not touch the other
    one.

    ## References
    https://www.tensorflow.org/install/source#gpu
    https://github.com/tensorflow/tensorflow/issues/58910
    https://github.com/tensorflow/tensorflow/issues/26416
    """
    lacking = missing(snapshot)
    other = lacking.wrong_toolkit if lacking else ()
    stake = stakes(snapshot) if other else None
    if not lacking or not stake:
        return
    cuda = known(build_of(snapshot).cuda_version, None)
    there = sorted({copy.soname for _, copies in other for copy in copies})
    yield found(
        f"{title(snapshot)}{f', built for CUDA {cuda},' if cuda else ''} asks for "
        f"{names(tuple(one for one, _ in other))}; this machine has only {', '.join(there)}{stake.remark}.",
        [
            *(asked(one, f"not found; there is only {', '.join(map(_copy, copies))}") for one, copies in other),
            *(asked(one, "no copy found") for one in lacking.nowhere),
        ],
        _fitting(snapshot),
        severity=stake.severity,
        # cusolver64_11.dll belongs to CUDA 11 and to 12, and needs the rest of its own.
        explains=("cuda-library-broken",) if on_windows(snapshot) else (),
    )


def _fitting(snapshot: Snapshot) -> list[str]:
    """The CUDA libraries of the installed release where its extra is sound, else a release where it is."""
    row = find(str(known(build_of(snapshot).version, None)))
    if on_windows(snapshot):
        from gpucheck.rules import ways

        return ways.libraries_of(row) if row is not None else []
    if row is not None and not row.cudnn_wheel and row.cuda:
        major = f"# TensorFlow {row.version} is built for CUDA {row.cuda} and cuDNN {row.cudnn}, and has no [and-cuda]."
        return [major, "# A release that has:", *install_lines(snapshot)]
    return list(install_lines(snapshot))


@rule(Severity.ERROR, decisive=True)
def cuda_libraries_not_installed(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow was installed without CUDA's libraries, and the machine has none.

    ## What it means
    `pip install tensorflow` brings a build that can use a GPU, but not the libraries it needs: they come with the extra
    [and-cuda] or with a CUDA toolkit (on native Windows with that alone). There is no copy of any of them here. The
    driver holds none of them either.

    ## Why it matters
    "Could not find cuda drivers on your machine, GPU will not be used": TensorFlow blames the driver, which may well be
    in order.

    ## How to fix
    Install with the extra [and-cuda].

    ## References
    https://www.tensorflow.org/install/pip
    https://github.com/tensorflow/tensorflow/issues/62075
    """
    lacking = missing(snapshot)
    if not lacking or lacking.loaded or lacking.bundled or lacking.elsewhere:
        return
    if lacking.wrong_toolkit:
        return
    stake = stakes(snapshot)
    if stake:
        yield found(
            f"{title(snapshot)} finds none of the CUDA libraries that it needs ({names(lacking.nowhere)}), and no "
            f"copy of them is on this machine{stake.remark}.",
            [asked(one, "no copy found") for one in lacking.nowhere],
            _fitting(snapshot),
            severity=stake.severity,
        )


@rule(Severity.ERROR, decisive=True)
def cuda_lib_missing_partial_install(snapshot: Snapshot) -> Iterator[Found]:
    """Some of CUDA's libraries are missing, the others are there.

    ## What it means
    TensorFlow needs all of cudart, cuBLAS, cuFFT, cuSOLVER, cuSPARSE and cuDNN. One or more of them have no copy on
    this machine: a toolkit without cuDNN, a runtime package without cuSOLVER, a wheel that was uninstalled.

    ## Why it matters
    One missing library is enough for an empty list of GPUs.

    ## How to fix
    Install what is missing, best with the extra [and-cuda], which brings all of them in fitting versions.

    ## References
    https://www.tensorflow.org/install/pip
    https://docs.nvidia.com/deeplearning/cudnn/installation/latest/linux.html
    """
    lacking = missing(snapshot)
    if not lacking or lacking.wrong_toolkit or not (lacking.loaded or lacking.bundled or lacking.elsewhere):
        return  # nothing of this CUDA is here: cuda-libraries-not-installed or cuda-toolkit-wrong-version
    absent = (*lacking.nowhere, *(one for one, _ in lacking.other if one.library != "cudnn"))
    if not absent:
        return
    stake = stakes(snapshot)
    if stake:
        yield found(
            f"{title(snapshot)} needs {names(absent)}, of which no copy is on this machine{stake.remark}.",
            [asked(one, "no copy found") for one in absent],
            _wheels_again(snapshot, absent) or _fitting(snapshot),
            severity=stake.severity,
            explains=("cuda-library-broken",) if _breaks_the_others(snapshot, absent) else (),
        )


def _wheels_again(snapshot: Snapshot, absent: tuple[Wanted, ...]) -> list[str]:
    """The wheels that lost these files, where pip believes that they are there: asking for them again does nothing."""
    if on_windows(snapshot):
        return []
    build, lost = build_of(snapshot), []
    cuda = known(build.cuda_version, None)
    installed = {one.name: one for one in known(need(snapshot.python).distributions, ())}
    for one in absent:
        wheel = BY_NAME[one.library].wheel
        owner = installed.get(f"{wheel}-cu{cuda.major}" if cuda and cuda.major < 13 else wheel)
        if owner is None or owner.location != paths.parent(build.root):
            return []
        lost.append(f"{owner.name}=={owner.version}")
    return [pip(snapshot, "--force-reinstall", "--no-deps", *dict.fromkeys(lost))]


def _breaks_the_others(snapshot: Snapshot, absent: tuple[Wanted, ...]) -> bool:
    """Every library that is here and will not load needs one of those that are not."""
    words = tuple(f"needs {one.soname}, which is not found" for one in absent)
    wanted = known(need(snapshot.libraries).wanted, None) or ()
    broken = [one for one in wanted if one.needed_for_gpu and known(one.path, None) and one.defect is not None]
    return all(known(one.defect, None) in words for one in broken)
