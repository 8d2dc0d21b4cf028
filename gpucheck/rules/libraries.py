"""Rules about CUDA's libraries that are here and will not load. What is not here: runtime.py; cuDNN: cudnn.py."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.gap import known, need
from gpucheck.facts.libraries import Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules.choice import choose
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.missing import asked, base, build_of, folders, is_bundled, missing, names, title
from gpucheck.rules.recipes import install_lines, pip, quoted
from gpucheck.rules.stakes import stakes
from gpucheck.rules.systems import on_windows

_LD = "export LD_LIBRARY_PATH={}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
_LASTING = "# for good, and reversible: gpucheck doctor --fix-paths"


@rule(Severity.ERROR, decisive=True)
def cuda_library_broken(snapshot: Snapshot) -> Iterator[Found]:
    """The file that the loader takes for a CUDA library is broken, or this user may not read it.

    ## What it means
    The first file of that name on the loader's way is empty, cut short, no library at all or made for another
    processor; or one that it depends on is. The loader does not go on to the next one. A file that may not be read it
    passes over.

    ## Why it matters
    TensorFlow says "Cannot dlopen some GPU libraries" and runs on the CPU; a file that was cut short kills the process
    with SIGBUS.

    ## How to fix
    Install the package that the file belongs to again by force: pip believes it is there.

    ## References
    https://man7.org/linux/man-pages/man8/ld.so.8.html
    https://github.com/astral-sh/uv/issues/11723
    """
    yield from _forbidden(snapshot)
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
                    asked(one, f"{one.path}, {defect}"),
                    *(("libraries.wanted.hides", path, "further on the loader's way") for path in one.hides),
                ],
                _reinstall(snapshot, one),
                severity=stake.severity,
            )


def _forbidden(snapshot: Snapshot) -> Iterator[Found]:
    lacking = missing(snapshot)
    stake = stakes(snapshot) if lacking and lacking.forbidden else None
    for one in lacking.forbidden if lacking and stake else ():
        path = one.elsewhere[0]
        yield found(
            f"{one.soname} will not load: this user may not read {path}{stake.remark if stake else ''}.",
            [asked(one, f"{path}, permission denied")],
            [f'icacls "{path}"']
            if on_windows(snapshot)
            else [f"namei -l {quoted(path)}", f"sudo chmod a+rX {quoted(path.rpartition('/')[0])} {quoted(path)}"],
            severity=stake.severity if stake else None,
        )


def _words(defect: str) -> str:
    """ "is empty", "needs libcublas.so.12, which is not found"."""
    return defect if defect.startswith("needs ") else f"is {defect.replace('-', ' ')}"


def _reinstall(snapshot: Snapshot, one: Wanted) -> list[str]:
    path = known(one.path, None) or ""
    if (known(one.defect, None) or "").startswith("needs "):
        if on_windows(snapshot):
            return [f"# Install the whole of the CUDA toolkit that {path} belongs to, or take its folder out of PATH."]
        return list(install_lines(snapshot))
    for copy in known(need(snapshot.libraries).copies, ()):
        wheel = (copy.version_source or "").partition("dist-info ")[2]
        if copy.path == path and wheel:
            installed = (each for each in known(need(snapshot.python).distributions, ()) if each.name == wheel)
            exact = next((f"{wheel}=={each.version}" for each in installed), wheel)
            return [pip(snapshot, "--force-reinstall", "--no-deps", exact)]
    if on_windows(snapshot):
        source = "Copy cuDNN's files out of its zip again" if one.library == "cudnn" else "Run CUDA's installer again"
        return [f"# {source} (the damaged one is {path}), or take that folder out of PATH."]
    return [f"# Install the package that owns {path} again, or take its folder out of {one.via}."]


@rule(Severity.ERROR, decisive=True)
def pip_cuda_wheels_not_found(snapshot: Snapshot) -> Iterator[Found]:
    """NVIDIA's wheels are installed, and TensorFlow does not find libraries in them.

    ## What it means
    TensorFlow finds the libraries of NVIDIA's wheels by a list of folders inside its own files (RUNPATH). This
    release's list does not lead to the folder that holds the library: 2.21.0 lost nvidia/cusolver/lib in
    libtensorflow_framework.so.2, 2.16.1 lost cublas, cudnn, cufft, cusolver and cusparse, and up to 2.13 there was no
    such list at all. On native Windows there is none either: TensorFlow looks into PATH.

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
    if on_windows(snapshot):
        from gpucheck.rules import windows_libraries

        yield from windows_libraries.wheels_not_found(snapshot, lacking, stake)
        return
    askers = " and ".join(dict.fromkeys(base(one.wanted_by) for one in lacking.bundled))
    yield found(
        f"{title(snapshot)} will not load {names(lacking.bundled)}: pip's copy is installed, but no RUNPATH of "
        f"{askers} leads to it{stake.remark}.",
        [asked(one, f"not found; a copy lies at {_bundled(snapshot, one)}") for one in lacking.bundled],
        _wheel_lines(snapshot, lacking.bundled),
        severity=stake.severity,
    )


def _bundled(snapshot: Snapshot, one: Wanted) -> str:
    """pip's copy of a library, in TensorFlow's own site-packages."""
    return next(path for path in one.elsewhere if is_bundled(path, build_of(snapshot)))


def _wheel_lines(snapshot: Snapshot, lacking: tuple[Wanted, ...]) -> list[str]:
    lines = []
    reached = _reached_folder(snapshot, lacking)
    if len({one.soname for one in lacking}) == 1 and reached:
        path = _relative(_bundled(snapshot, lacking[0]), reached)
        lines.append(f"ln -s {quoted(path)} {quoted(f'{reached}/')}")
        lines.append("# or, for this shell:")
    lines += [_LD.format(quoted(folders(tuple(_bundled(snapshot, one) for one in lacking)))), _LASTING]
    if choose(snapshot):
        lines += ["# or a release that finds them:", *install_lines(snapshot)]
    return lines


def _reached_folder(snapshot: Snapshot, lacking: tuple[Wanted, ...]) -> str | None:
    """A folder of NVIDIA's wheels that the asking file's RUNPATH does lead to: one from which a library was taken."""
    asker = lacking[0].wanted_by
    taken = [one for one in need(need(snapshot.libraries).wanted) or () if base(one.wanted_by) == base(asker)]
    paths = [known(one.path, None) for one in taken if (one.via or "").startswith("RUNPATH")]
    bundled = [path.rpartition("/")[0] for path in paths if path and is_bundled(path, build_of(snapshot))]
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
    the usual case, or an HPC module that is not loaded. On Windows: its folder is not on PATH, or was put there after
    this shell was opened.

    ## Why it matters
    TensorFlow prints the sonames as not found (since 2.12 only "Could not find cuda drivers on your machine") and runs
    on the CPU.

    ## How to fix
    Add the folder to LD_LIBRARY_PATH of this program, or to the loader's configuration; on Windows to PATH.

    ## References
    https://man7.org/linux/man-pages/man8/ld.so.8.html
    https://docs.nvidia.com/cuda/cuda-installation-guide-linux/#environment-setup
    """
    lacking = missing(snapshot)
    stake = stakes(snapshot) if lacking and lacking.elsewhere and not lacking.wrong_toolkit else None
    if not lacking or not stake:
        return
    if on_windows(snapshot):
        from gpucheck.rules import windows_libraries

        if not windows_libraries.ignored_by_store(snapshot, lacking):
            yield from windows_libraries.not_on_path(snapshot, lacking, stake)
        return
    where = folders(tuple(one.elsewhere[0] for one in lacking.elsewhere))
    yield found(
        f"{title(snapshot)} will not load {names(lacking.elsewhere)}: the loader does not look into "
        f"{where.replace(':', ' and ')}, where {'it is' if len(lacking.elsewhere) == 1 else 'they are'}{stake.remark}.",
        [asked(one, f"not found; a copy lies at {', '.join(one.elsewhere)}") for one in lacking.elsewhere],
        [
            _LD.format(quoted(where)),
            _LASTING,
            "# or for all programs of this machine:",
            *(f"echo {quoted(one)} | sudo tee -a /etc/ld.so.conf.d/cuda-libraries.conf" for one in where.split(":")),
            "sudo ldconfig",
        ],
        severity=stake.severity,
    )
