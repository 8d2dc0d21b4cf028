"""Rules about CUDA's libraries: which of them TensorFlow cannot load, and why. cuDNN's versions: cudnn.py."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.tensorflow import find
from gpucheck.facts.gap import known, need
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.choice import choose, install_lines, pip, quoted
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.missing import base, folders, is_bundled, missing, names
from gpucheck.rules.stakes import stakes

Evidence = list[tuple[str, object, str]]
_LD = "export LD_LIBRARY_PATH={}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"


def _build(snapshot: Snapshot) -> TensorFlowBuild:
    build = need(need(snapshot.python).tensorflow)
    assert build is not None  # missing() and wanted said so
    return build


def _title(snapshot: Snapshot) -> str:
    return f"TensorFlow {known(_build(snapshot).version, None) or '(version unknown)'}"


def _asked(one: Wanted, what: str) -> tuple[str, object, str]:
    return ("libraries.wanted", f"{one.soname}: {what}", f"asked for by {one.wanted_by}")


def _copy(copy: LibraryCopy) -> str:
    version = known(copy.version, None)
    return f"{copy.path} ({version})" if version else copy.path


@rule(Severity.ERROR, decisive=True)
def cuda_library_broken(snapshot: Snapshot) -> Iterator[Found]:
    """The file that the loader takes for a CUDA library is broken.

    ## What it means
    The first file of that name on the loader's way is empty, cut short, no library at all or made for another
    processor; or one that it depends on is. The loader does not go on to the next one.

    ## Why it matters
    TensorFlow says "Cannot dlopen some GPU libraries" and runs on the CPU; a file that was cut short kills the process
    with SIGBUS.

    ## How to fix
    Install the package that the file belongs to again by force: pip believes it is there.

    ## References
    https://man7.org/linux/man-pages/man8/ld.so.8.html
    https://github.com/astral-sh/uv/issues/11723
    """
    for one in need(need(snapshot.libraries).wanted) or ():
        if need(one.path) is None or not one.needed_for_gpu:
            continue
        defect = need(one.defect)
        if defect is None:
            continue
        stake = stakes(snapshot)
        if stake:
            yield found(
                f"{one.soname} will not load: {one.path}, found through {one.via}, {_words(defect)}{stake.remark}.",
                [
                    _asked(one, f"{one.path}, {defect}"),
                    *(("libraries.wanted.hides", path, "further on the loader's way") for path in one.hides),
                ],
                _reinstall(snapshot, one),
                severity=stake.severity,
            )


def _words(defect: str) -> str:
    """ "is empty", "needs libcublas.so.12, which is not found"."""
    return defect if defect.startswith("needs ") else f"is {defect.replace('-', ' ')}"


def _reinstall(snapshot: Snapshot, one: Wanted) -> list[str]:
    path = known(one.path, None) or ""
    if (known(one.defect, None) or "").startswith("needs "):
        return list(install_lines(snapshot))
    for copy in known(need(snapshot.libraries).copies, ()):
        wheel = (copy.version_source or "").partition("dist-info ")[2]
        if copy.path == path and wheel:
            installed = (each for each in known(need(snapshot.python).distributions, ()) if each.name == wheel)
            exact = next((f"{wheel}=={each.version}" for each in installed), wheel)
            return [pip(snapshot, "--force-reinstall", "--no-deps", exact)]
    return [f"# Install the package that owns {path} again, or take its folder out of {one.via}."]


@rule(Severity.ERROR, decisive=True)
def pip_cuda_wheels_not_found(snapshot: Snapshot) -> Iterator[Found]:
    """NVIDIA's wheels are installed, and TensorFlow does not find libraries in them.

    ## What it means
    TensorFlow finds the libraries of NVIDIA's wheels by a list of folders inside its own files (RUNPATH). This
    release's list does not lead to the folder that holds the library: 2.21.0 lost nvidia/cusolver/lib in
    libtensorflow_framework.so.2, 2.16.1 lost cublas, cudnn, cufft, cusolver and cusparse, and up to 2.13 there was no
    such list at all.

    ## Why it matters
    "Cannot dlopen some GPU libraries", which names none of them, and an empty list of GPUs, although `pip list` shows
    everything. One library is enough.

    ## How to fix
    Put a link where the list leads, name the folders in LD_LIBRARY_PATH, or take a release that finds them. Linking the
    libraries into tensorflow/ (as TensorFlow's documentation advises) does not cure 2.21.0.

    ## References
    https://github.com/tensorflow/tensorflow/issues/63362
    https://github.com/tensorflow/tensorflow/issues/65842
    """
    lacking = missing(snapshot)
    stake = stakes(snapshot) if lacking and lacking.bundled else None
    if not lacking or not stake:
        return
    askers = " and ".join(dict.fromkeys(base(one.wanted_by) for one in lacking.bundled))
    yield found(
        f"{_title(snapshot)} will not load {names(lacking.bundled)}: pip's copy is installed, but no RUNPATH of "
        f"{askers} leads to it{stake.remark}.",
        [_asked(one, f"not found; a copy lies at {_bundled(snapshot, one)}") for one in lacking.bundled],
        _wheel_lines(snapshot, lacking.bundled),
        severity=stake.severity,
    )


def _bundled(snapshot: Snapshot, one: Wanted) -> str:
    """pip's copy of a library, in TensorFlow's own site-packages."""
    return next(path for path in one.elsewhere if is_bundled(path, _build(snapshot)))


def _wheel_lines(snapshot: Snapshot, lacking: tuple[Wanted, ...]) -> list[str]:
    lines = []
    reached = _reached_folder(snapshot, lacking)
    if len({one.soname for one in lacking}) == 1 and reached:
        path = _relative(_bundled(snapshot, lacking[0]), reached)
        lines.append(f"ln -s {quoted(path)} {quoted(f'{reached}/')}")
        lines.append("# or, for this shell:")
    lines.append(_LD.format(quoted(folders(tuple(_bundled(snapshot, one) for one in lacking)))))
    if choose(snapshot):
        lines += ["# or a release that finds them:", *install_lines(snapshot)]
    return lines


def _reached_folder(snapshot: Snapshot, lacking: tuple[Wanted, ...]) -> str | None:
    """A folder of NVIDIA's wheels that the asking file's RUNPATH does lead to: one from which a library was taken."""
    asker = lacking[0].wanted_by
    taken = [one for one in need(need(snapshot.libraries).wanted) or () if base(one.wanted_by) == base(asker)]
    paths = [known(one.path, None) for one in taken if (one.via or "").startswith("RUNPATH")]
    bundled = [path.rpartition("/")[0] for path in paths if path and is_bundled(path, _build(snapshot))]
    # Measured with cusparse's folder; any other of the same depth serves as well.
    return next((folder for folder in bundled if folder.endswith("/cusparse/lib")), bundled[0] if bundled else None)


def _relative(path: str, folder: str) -> str:
    """`path` as seen from `folder`, so that the link outlives a move of the environment."""
    parts, here = path.split("/"), folder.split("/")
    same = next((at for at, (a, b) in enumerate(zip(parts, here, strict=False)) if a != b), len(here))
    return "/".join([*[".."] * (len(here) - same), *parts[same:]])


@rule(Severity.ERROR, decisive=True)
def cuda_libs_not_on_loader_path(snapshot: Snapshot) -> Iterator[Found]:
    """The right libraries are on this machine, where the loader does not look.

    ## What it means
    A file with exactly the soname that TensorFlow asks for exists, but its folder is in no RUNPATH, not in
    LD_LIBRARY_PATH and not in the loader's cache. A service, an IDE or a cluster job without the shell's settings is
    the usual case, or an HPC module that is not loaded.

    ## Why it matters
    TensorFlow prints the sonames as not found (since 2.12 only "Could not find cuda drivers on your machine") and runs
    on the CPU.

    ## How to fix
    Add the folder to LD_LIBRARY_PATH of this program, or to the loader's configuration.

    ## References
    https://man7.org/linux/man-pages/man8/ld.so.8.html
    https://docs.nvidia.com/cuda/cuda-installation-guide-linux/#environment-setup
    """
    lacking = missing(snapshot)
    stake = stakes(snapshot) if lacking and lacking.elsewhere and not lacking.wrong_toolkit else None
    if not lacking or not stake:
        return
    where = folders(tuple(one.elsewhere[0] for one in lacking.elsewhere))
    yield found(
        f"{_title(snapshot)} will not load {names(lacking.elsewhere)}: the loader does not look into "
        f"{where.replace(':', ' and ')}, where {'it is' if len(lacking.elsewhere) == 1 else 'they are'}{stake.remark}.",
        [_asked(one, f"not found; a copy lies at {', '.join(one.elsewhere)}") for one in lacking.elsewhere],
        [
            _LD.format(quoted(where)),
            "# or for all programs of this machine:",
            *(f"echo {quoted(one)} | sudo tee -a /etc/ld.so.conf.d/cuda-libraries.conf" for one in where.split(":")),
            "sudo ldconfig",
        ],
        severity=stake.severity,
    )


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
    cuda = known(_build(snapshot).cuda_version, None)
    there = sorted({copy.soname for _, copies in other for copy in copies})
    yield found(
        f"{_title(snapshot)}{f', built for CUDA {cuda},' if cuda else ''} asks for "
        f"{names(tuple(one for one, _ in other))}; this machine has only {', '.join(there)}{stake.remark}.",
        [
            *(_asked(one, f"not found; there is only {', '.join(map(_copy, copies))}") for one, copies in other),
            *(_asked(one, "no copy found") for one in lacking.nowhere),
        ],
        _fitting(snapshot),
        severity=stake.severity,
    )


def _fitting(snapshot: Snapshot) -> list[str]:
    """The CUDA libraries of the installed release where its extra is sound, else a release where it is."""
    row = find(str(known(_build(snapshot).version, None)))
    if row is not None and not row.cudnn_wheel and row.cuda:
        major = f"# TensorFlow {row.version} is built for CUDA {row.cuda} and cuDNN {row.cudnn}, and has no [and-cuda]."
        return [major, "# A release that has:", *install_lines(snapshot)]
    return list(install_lines(snapshot))


@rule(Severity.ERROR, decisive=True)
def cuda_libraries_not_installed(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow was installed without CUDA's libraries, and the machine has none.

    ## What it means
    `pip install tensorflow` brings a build that can use a GPU, but not the libraries it needs: they come with the extra
    [and-cuda] or with a CUDA toolkit. There is no copy of any of them here. The driver holds none of them either.

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
            f"{_title(snapshot)} finds none of the CUDA libraries that it needs ({names(lacking.nowhere)}), and no "
            f"copy of them is on this machine{stake.remark}.",
            [_asked(one, "no copy found") for one in lacking.nowhere],
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
            f"{_title(snapshot)} needs {names(absent)}, of which no copy is on this machine{stake.remark}.",
            [_asked(one, "no copy found") for one in absent],
            _fitting(snapshot),
            severity=stake.severity,
        )
