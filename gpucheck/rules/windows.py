"""Rules that only Windows has: how DLLs are found, PATH, runtimes, the Store's Python, switches."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts import paths
from gpucheck.facts.gap import known, need
from gpucheck.facts.libraries import Libraries, LibraryCopy, Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import cudnn, ways
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.missing import asked, missing, names, title
from gpucheck.rules.stakes import stakes
from gpucheck.rules.windows_libraries import ignored_by_store, windows

_VC = "https://aka.ms/vs/17/release/vc_redist.x64.exe"


@rule(
    Severity.ERROR, decisive=True, explains=("cuda-libs-not-on-loader-path", "pip-cuda-wheels-not-found"), on="windows"
)
def windows_dll_search_path(snapshot: Snapshot) -> Iterator[Found]:
    """CUDA is on PATH, and the Microsoft Store's Python does not look there for DLLs.

    ## What it means
    TensorFlow opens CUDA's DLLs by name. For usual programs Windows then searches the program's folder, System32 and
    PATH. The Store's Python is a packaged program, for which Windows leaves PATH out.

    ## Why it matters
    "Could not load dynamic library 'cudart64_110.dll'; dlerror: cudart64_110.dll not found", although `where` shows it.

    ## How to fix
    Take Python from python.org, uv or conda. Where that cannot be: os.add_dll_directory() for each folder, before
    TensorFlow is imported, is reported to help.

    ## References
    https://learn.microsoft.com/windows/win32/dlls/dynamic-link-library-search-order
    https://github.com/tensorflow/tensorflow/issues/48868
    """
    facts = windows(snapshot)
    lacking = missing(snapshot) if facts else None
    pairs = ignored_by_store(snapshot, lacking) if lacking else []
    stake = stakes(snapshot) if pairs else None
    if not pairs or not stake:
        return
    where = ways.folders(path for _, path in pairs)
    lost = tuple({one.soname: one for one, _ in pairs}.values())
    yield found(
        f"{title(snapshot)} will not load {names(lost)}: {' and '.join(where)} is on PATH, but the Microsoft Store's "
        f"Python does not look there{stake.remark}.",
        [
            *(asked(one, f"not found; a copy lies at {path}") for one, path in pairs),
            ("windows.store_python", "true", _executable(snapshot)),
        ],
        [
            "# Make the environment with another Python, of python.org or uv:",
            "uv venv --python 3.10 --managed-python",
            "# or, at the top of the program, before TensorFlow is imported:",
            *(f"# import os; os.add_dll_directory(r'{folder}')" for folder in where),
        ],
        severity=stake.severity,
    )


def _executable(snapshot: Snapshot) -> str:
    return need(snapshot.python).executable


@rule(Severity.ERROR, decisive=True, on="windows")
def zlibwapi_missing(snapshot: Snapshot) -> Iterator[Found]:
    """cuDNN 8.3 to 8.9 needs zlibwapi.dll, which is nowhere where Windows looks.

    ## What it means
    On Windows these cuDNN releases open zlibwapi.dll by name. Neither CUDA nor cuDNN nor any wheel of NVIDIA's brings
    it. cuDNN 8.1, with which TensorFlow 2.5 to 2.10 was tested, and cuDNN 9 do not need it.

    ## Why it matters
    The GPU is listed. At the first convolution: "Could not locate zlibwapi.dll. Please make sure it is in your library
    path!", and the program ends.

    ## How to fix
    Put zlibwapi.dll (64-bit) beside cuDNN's DLLs, as NVIDIA's guide says, or take cuDNN 8.1.

    ## References
    https://docs.nvidia.com/deeplearning/cudnn/archives/cudnn-890/install-guide/index.html#install-zlib-windows
    https://github.com/cupy/cupy/issues/6226
    https://github.com/microsoft/onnxruntime/issues/17510
    """
    facts = windows(snapshot)
    dll = need(facts.zlibwapi) if facts else None
    if dll is None or need(dll.path) is not None:
        return
    stake = stakes(snapshot)
    if not stake:
        return
    own = next(one for one in need(need(snapshot.libraries).wanted) or () if one.library == "cudnn")
    passed = f"; {', '.join(dll.ignored)} does not count" if dll.ignored else ""
    yield found(
        f"cuDNN {ways.words(own.version)} ({known(own.path, None)}) needs {dll.name}, which is not on PATH"
        f"{passed}{stake.remark}.",
        [
            ("windows.zlibwapi", f"{dll.name}: not found", "the program's folder, System32, PATH"),
            ("libraries.wanted", f"{own.soname}: {known(own.path, None)} ({ways.words(own.version)})", "PATH"),
        ],
        [
            "# NVIDIA's guide names where to get it: https://docs.nvidia.com/deeplearning/cudnn/archives/cudnn-890/"
            "install-guide/index.html#install-zlib-windows",
            f"# copy zlibwapi.dll (64-bit) into {paths.parent(known(own.path, None) or '')}",
            "# or take cuDNN 8.1, which does not need it: conda install -c conda-forge cudnn=8.1.0",
        ],
        severity=stake.severity,
    )


@rule(Severity.ERROR, decisive=True, on="windows")
def msvc_redistributable_missing(snapshot: Snapshot) -> Iterator[Found]:
    """A DLL of the Visual C++ runtime, which TensorFlow was compiled with, is missing.

    ## What it means
    TensorFlow's extension module needs msvcp140.dll, vcruntime140.dll and vcruntime140_1.dll, and TensorFlow asks for
    msvcp140_1.dll before it. Python brings some of them, "Microsoft Visual C++ Redistributable 2015-2022" (x64) all.
    From Python 3.8 on they are looked for beside the module, beside python.exe and in System32, no more in PATH.

    ## Why it matters
    `import tensorflow` ends with "DLL load failed while importing _pywrap_tensorflow_internal: The specified module
    could not be found", which does not name the DLL, or with "Could not find the DLL(s)".

    ## How to fix
    Install the redistributable.

    ## References
    https://learn.microsoft.com/cpp/windows/latest-supported-vc-redist
    https://github.com/tensorflow/tensorflow/issues/39502
    https://docs.python.org/3/whatsnew/3.8.html#ctypes
    """
    facts = windows(snapshot)
    needed = need(facts.runtime) if facts else None
    lost = [one for one in needed or () if need(one.path) is None]
    if not lost:
        return
    beside = [path for one in lost for path in one.ignored]
    passed = f" ({', '.join(beside)} is not looked at: Python 3.8 and later leave PATH out)" if beside else ""
    listed = [one.name.lower() for one in lost]
    yield found(
        f"TensorFlow's {lost[0].wanted_by} needs {' and '.join(listed)} of the Visual C++ runtime, which "
        f"{'is' if len(lost) == 1 else 'are'} missing{passed}.",
        [("windows.runtime", f"{name}: not found", "beside the module and python.exe, System32") for name in listed],
        [f"# install Microsoft's redistributable (x64): {_VC}", "winget install Microsoft.VCRedist.2015+.x64"],
    )


@rule(Severity.WARNING, explains=("cudnn-wrong-version", "cuda-library-broken"), on="windows")
def windows_path_shadows_cuda(snapshot: Snapshot) -> Iterator[Found]:
    """A worse copy of a CUDA DLL comes earlier on PATH than a better one.

    ## What it means
    Windows takes the first file of a name in the order of its search: the program's folder, System32, then PATH from
    left to right. There are several copies here, and the first is broken, or a cuDNN that this TensorFlow does not
    take while it takes one behind it.

    ## Why it matters
    The better copy is never used: "Loaded runtime CuDNN library: X but source was compiled with: Y", or the DLL does
    not load at all.

    ## How to fix
    Move the folder of the better copy to the front of PATH, or take the other one out.

    ## References
    https://learn.microsoft.com/windows/win32/dlls/dynamic-link-library-search-order
    """
    if windows(snapshot) is None:
        return
    libraries = need(snapshot.libraries)
    for one in need(libraries.wanted) or ():
        better = better_copy(snapshot, libraries, one) if one.needed_for_gpu and one.hides else None
        if better is None:
            continue
        worse = known(one.path, None) or ""
        front, behind = paths.parent(worse), paths.parent(better.path)
        state = known(one.defect, None) or ways.words(one.version)
        yield found(
            f"{worse} ({state}) hides {better.path} ({ways.words(better.version)}): {front} comes first ({one.via}).",
            [("libraries.wanted", f"{one.soname}: {worse} ({state}) hides {better.path}", f"through {one.via}")],
            [f"# Move this folder in front of {front} on PATH, or take that one out:", *ways.on_path([behind])],
        )


def better_copy(snapshot: Snapshot, libraries: Libraries, one: Wanted) -> LibraryCopy | None:
    """The copy that the one which would be loaded hides, and that would do better; None: there is none.

    A cuDNN that TensorFlow takes is left alone, however new another one is: that may want zlibwapi.dll.
    """
    behind = {paths.key(path) for path in one.hides}
    broken = need(one.defect) is not None
    if not broken and (one.library != "cudnn" or cudnn.takes(snapshot, one.version) is not False):
        return None
    for copy in need(libraries.copies):
        if paths.key(copy.path) not in behind or need(copy.defect) is not None:
            continue
        if broken or cudnn.takes(snapshot, copy.version):
            return copy
    return None


@rule(Severity.WARNING, on="windows")
def cudnn_half_installed(snapshot: Snapshot) -> Iterator[Found]:
    """cuDNN was copied in part: not all of bin, include and lib\\x64.

    ## What it means
    The zip of cuDNN up to 8 holds three folders, and NVIDIA's guide copies all of them into the toolkit: the DLL into
    bin, the header into include, the import library into lib\\x64. One or two of the three are here.

    ## Why it matters
    Without the DLL TensorFlow has no cuDNN (an error). Without header or library TensorFlow works, whatever compiles
    against cuDNN fails, and no header tells the version.

    ## How to fix
    Copy the missing folders, of the same version.

    ## References
    https://docs.nvidia.com/deeplearning/cudnn/archives/cudnn-890/install-guide/index.html#install-windows
    https://www.tensorflow.org/install/source_windows
    """
    facts = windows(snapshot)
    if facts is None:
        return
    for tree in need(facts.cudnn_trees):
        lacking = [
            name
            for name, there in (("bin", tree.dll), ("include", tree.header), ("lib\\x64", tree.library))
            if not there
        ]
        if not lacking:
            continue
        there = tree.dll or tree.header or tree.library
        yield found(
            f"cuDNN was copied into {tree.root} in part: nothing of it is in {' and '.join(lacking)}.",
            [("windows.cudnn_trees", f"{there}; nothing in {', '.join(lacking)}", tree.root)],
            [f"# Copy cuDNN's {name} into {paths.join(tree.root, name)}" for name in lacking],
            severity=None if tree.dll is None else Severity.INFO,
            explains=() if tree.dll else ("cuda-lib-missing-partial-install", "cuda-libraries-not-installed"),
        )
