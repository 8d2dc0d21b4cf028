"""Rules about Windows' PATH and CUDA_PATH, and about the lengths and letters of paths."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.limits import CMD_LINE, LONGEST_IN_WHEEL, MAX_PATH, OLD_DIALOG, SETX
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.windows import PathEntry, SearchPath, Windows
from gpucheck.findings import Severity
from gpucheck.rules import ways
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.windows_libraries import windows

_OURS = ("cuda", "cudnn", "tensorrt")
# NVIDIA's installer puts it on PATH whether or not the profiler was chosen.
_HARMLESS = "libnvvp"


def _all(facts: Windows) -> list[SearchPath]:
    """What is stored, else (an IDE's own setting) what this process has."""
    return [one for one in (need(facts.path_user), need(facts.path_machine), need(facts.path_process)) if one]


def _ours(entry: PathEntry) -> bool:
    return any(word in entry.text.lower() for word in _OURS)


@rule(Severity.INFO, on="windows")
def windows_path_dead_entry(snapshot: Snapshot) -> Iterator[Found]:
    """PATH names a CUDA or cuDNN folder that does not exist.

    ## What it means
    An entry leads nowhere: the toolkit was removed or upgraded, cuDNN was moved, or the path has a typo. Of other
    programs' dead entries nothing is said.

    ## Why it matters
    The entry itself is harmless. What it was to give is not found there, though: a warning where TensorFlow misses
    one of CUDA's DLLs.

    ## How to fix
    Correct the entry or take it out, in "Edit the system environment variables".

    ## References
    https://github.com/tensorflow/tensorflow/issues/10033
    """
    facts = windows(snapshot)
    dead: dict[str, tuple[str, str]] = {}
    for path in _all(facts) if facts else []:
        for entry in path.entries:
            if _ours(entry) and paths.base(entry.text.rstrip("\\")) != _HARMLESS and need(entry.exists) is False:
                dead.setdefault(paths.key(known(entry.expanded, entry.text)), (entry.text, path.scope))
    if dead:
        listed = [text for text, _ in dead.values()]
        yield found(
            f"PATH names {' and '.join(listed)}, which {'does' if len(dead) == 1 else 'do'} not exist.",
            [(f"windows.path_{scope}", text, _place(scope)) for text, scope in dead.values()],
            ["# Correct or remove it:", "rundll32 sysdm.cpl,EditEnvironmentVariables"],
            severity=Severity.WARNING if _lacks_libraries(snapshot) else None,
        )


def _lacks_libraries(snapshot: Snapshot) -> bool:
    """TensorFlow misses some of CUDA: only to choose a severity."""
    libraries = snapshot.libraries
    wanted = None if isinstance(libraries, Gap) else known(libraries.wanted, None)
    return any(one.needed_for_gpu and one.path is None for one in wanted or ())


def _place(scope: str) -> str:
    return {"user": "HKCU\\Environment", "machine": "Session Manager\\Environment"}.get(scope, "PATH of this process")


@rule(Severity.INFO, on="windows")
def windows_path_quoted_entry(snapshot: Snapshot) -> Iterator[Found]:
    """An entry of PATH for CUDA stands in quotes or is padded.

    ## What it means
    An entry of PATH needs no quotes, not for blanks either. cmd takes them off, other programs look for a folder whose
    name begins with a quote.

    ## Why it matters
    "cudart64_110.dll not found", although the folder is right and `where` finds it.

    ## How to fix
    Take the quotes out.

    ## References
    https://learn.microsoft.com/windows/win32/dlls/dynamic-link-library-search-order
    """
    facts = windows(snapshot)
    for path in _all(facts) if facts else []:
        for entry in path.entries:
            if '"' in entry.text and _ours(entry):
                yield found(
                    f"PATH of the {path.scope} has the entry {entry.text} in quotes: not every program takes them off.",
                    [(f"windows.path_{path.scope}", entry.text, _place(path.scope))],
                    ["# Take the quotes out:", "rundll32 sysdm.cpl,EditEnvironmentVariables"],
                    severity=Severity.WARNING,
                )
                return


@rule(Severity.WARNING, on="windows")
def windows_path_not_expanded(snapshot: Snapshot) -> Iterator[Found]:
    """PATH holds a %VARIABLE% that Windows does not replace.

    ## What it means
    PATH was stored as plain text (REG_SZ, as `reg add` and some installers do), so that %SystemRoot% or %CUDA_PATH% in
    it is a part of the name; or the variable is not set where PATH is read.

    ## Why it matters
    The entry leads nowhere.

    ## How to fix
    Write the folder itself, or store PATH with Windows' own dialog, which makes it REG_EXPAND_SZ.

    ## References
    https://learn.microsoft.com/windows/win32/sysinfo/registry-value-types
    """
    facts = windows(snapshot)
    for path in _all(facts) if facts else []:
        left = [one for one in path.entries if isinstance(one.expanded, str) and one.expanded.count("%") > 1]
        left = [one for one in left if need(one.exists) is False]
        if left:
            stored = ", which is stored as plain text (REG_SZ)" if path.expandable is False else ""
            yield found(
                f"PATH of the {path.scope}{stored} has {left[0].text}, in which Windows replaces nothing.",
                [(f"windows.path_{path.scope}", one.text, _place(path.scope)) for one in left],
                ["# Store it anew with Windows' dialog:", "rundll32 sysdm.cpl,EditEnvironmentVariables"],
            )
            return


@rule(Severity.INFO, on="windows")
def windows_path_too_long(snapshot: Snapshot) -> Iterator[Found]:
    """PATH is longer than some of Windows' own tools take, or was cut short by one of them.

    ## What it means
    `setx` cuts a value at 1024 characters, older dialogs at 2047, and cmd cannot hold a line of more than 8191. A PATH
    of exactly 1024 characters was cut by setx.

    ## Why it matters
    What stands behind the cut (often CUDA, which was added last) is gone, without a message.

    ## How to fix
    Remove entries that nobody needs, never use `setx PATH`, and look at the end of PATH.

    ## References
    https://learn.microsoft.com/windows-server/administration/windows-commands/setx
    https://learn.microsoft.com/troubleshoot/windows-client/shell-experience/command-line-string-limitation
    """
    facts = windows(snapshot)
    for path in _all(facts) if facts else []:
        where = [(f"windows.path_{path.scope}", f"{path.length} characters", _place(path.scope))]
        edit = ["rundll32 sysdm.cpl,EditEnvironmentVariables"]
        if path.scope != "process" and path.length == SETX:
            last = path.entries[-1].text if path.entries else ""
            yield found(
                f"PATH of the {path.scope} has exactly {SETX} characters: setx cuts it there; it ends in {last}.",
                where,
                ["# Look at its end, and put back what is missing:", *edit],
                severity=Severity.WARNING,
            )
        elif path.length > CMD_LINE:
            yield found(
                f"PATH of the {path.scope} has {path.length} characters; cmd takes {CMD_LINE} at most.",
                where,
                ["# Remove entries that nobody needs:", *edit],
                severity=Severity.WARNING,
            )
        elif path.length > OLD_DIALOG and path.scope != "process":
            yield found(
                f"PATH of the {path.scope} has {path.length} characters; setx cuts at {SETX}, others at {OLD_DIALOG}.",
                where,
                ["# Remove entries that nobody needs:", *edit],
            )


@rule(Severity.INFO, on="windows")
def cuda_path_differs_from_path(snapshot: Snapshot) -> Iterator[Found]:
    """CUDA_PATH names another toolkit than the one that comes first on PATH.

    ## What it means
    NVIDIA's installer sets both to the toolkit that was installed last; here they were set apart. TensorFlow takes its
    DLLs from PATH and never looks at CUDA_PATH; compilers and other packages (CuPy, Visual Studio) look at CUDA_PATH.

    ## Why it matters
    Who looks at CUDA_PATH believes another version to be in use than the one that TensorFlow gets.

    ## How to fix
    If both toolkits are wanted, nothing. Else set both to one of them.

    ## References
    https://docs.nvidia.com/cuda/cuda-installation-guide-microsoft-windows/
    """
    facts = windows(snapshot)
    if facts is None:
        return
    kits = need(snapshot.toolkits)
    pointer = next((one for one in kits.pointers if one.name == "CUDA_PATH"), None)
    target = need(pointer.target) if pointer else None
    if pointer is None or target is None:
        return
    first = _first_runtime(snapshot)
    if first is None or paths.inside(first, target):
        return
    home = next((kit for kit in kits.found if paths.inside(first, kit.root)), None)
    if home is None:
        return
    yield found(
        f"CUDA_PATH is {pointer.value}, but the CUDA that comes first on PATH is {home.root}.",
        [("toolkits.pointers", pointer.value, "CUDA_PATH"), ("libraries.copies", first, "PATH")],
        [f"# if only one is wanted, let both name it, for instance: $env:CUDA_PATH = {ways.quoted(home.root)}"],
    )


def _first_runtime(snapshot: Snapshot) -> str | None:
    """The first CUDA runtime on PATH, of whatever version."""
    libraries = need(snapshot.libraries)
    order = [paths.key(one.path) for one in need(libraries.search) if one.via == "PATH"]
    runtimes = {
        paths.key(paths.parent(one.path)): one.path for one in need(libraries.copies) if one.library == "cudart"
    }
    return next((runtimes[folder] for folder in order if folder in runtimes), None)


@rule(Severity.WARNING, explains=("incomplete-installation",), on="windows")
def windows_long_paths_disabled(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow's files would have longer paths here than Windows allows.

    ## What it means
    Without the switch LongPathsEnabled Windows refuses paths of 260 characters and more. TensorFlow's wheels hold files
    with up to 169 characters below site-packages (2.10.1), and this site-packages lies deep (the Microsoft Store's
    always does).

    ## Why it matters
    pip ends with "[Errno 2] No such file or directory" in the middle of the installation.

    ## How to fix
    Switch long paths on (as administrator), or make the environment in a short folder.

    ## References
    https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation
    https://github.com/microsoft/tensorflow-directml/issues/36
    """
    facts = windows(snapshot)
    if facts is None or need(facts.long_paths):
        return
    python = need(snapshot.python)
    build = need(python.tensorflow)
    folders = need(python.site_dirs)
    place = python.user_site if facts.store_python is True and isinstance(python.user_site, str) else None
    place = place or next((one for one in folders if paths.base(one).lower() == "site-packages"), None)
    if build is not None or place is None or len(place) + 1 + LONGEST_IN_WHEEL < MAX_PATH:
        return
    yield found(
        f"Long paths are switched off, and {place} is too deep for TensorFlow's files: {len(place)} characters, "
        f"{MAX_PATH - LONGEST_IN_WHEEL - 2} are allowed.",
        [
            ("windows.long_paths", "false", "LongPathsEnabled"),
            ("python.site_dirs", f"{place}: {len(place)} characters", python.executable),
        ],
        [
            "# in a PowerShell of an administrator, then a new terminal:",
            "Set-ItemProperty HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem LongPathsEnabled 1",
            "# or a short folder: py -3.10 -m venv C:\\tf",
        ],
    )


@rule(Severity.INFO, on="windows")
def windows_non_ascii_path(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow, or the user's folder, lies in a path with letters beyond ASCII.

    ## What it means
    The path of the environment or of the user's folder (which holds the temporary files) has accents or other letters
    that are not ASCII. Parts of TensorFlow, of TensorBoard and of CUDA's tools hand paths on as bytes.

    ## Why it matters
    UnicodeDecodeError or "file not found" in some places, while most works.

    ## How to fix
    If such an error shows: make the environment in C:\\tf and set TEMP to a folder with plain letters.

    ## References
    https://github.com/tensorflow/tensorflow/issues/9481
    https://github.com/tensorflow/tensorboard/issues/682
    """
    facts = windows(snapshot)
    if facts is None:
        return
    build = need(need(snapshot.python).tensorflow)
    places = [place for place in (facts.home, build.root if build else "") if not place.isascii()]
    if places and build is not None:
        yield found(
            f"{places[-1]} has letters beyond ASCII, with which parts of TensorFlow cannot cope.",
            [("windows.home", facts.home, "USERPROFILE"), ("python.tensorflow.root", build.root, "site-packages")],
            [
                "# If a UnicodeDecodeError shows: an environment with plain letters, and TEMP too:",
                "py -3.10 -m venv C:\\tf",
            ],
        )
