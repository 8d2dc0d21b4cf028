"""cuDNN: the pair of versions, its parts, and what it needs beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import on_windows, on_wsl
from gpucheck.logs.sonames import library
from gpucheck.rules.engine import Found, found

_PAIRS = ("cudnn-version-mismatch", "cudnn-version-mismatch-jax")
_WHICH = "# which copy is it? gpucheck doctor --verbose"


@cause("cudnn-wrong-version", Place.CUDNN, explains=("gpu-memory-preallocation",))
def wrong_pair(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first(*_PAIRS)
    if clue is not None:
        yield found(
            f"cuDNN {clue.get('cudnn_runtime')} was loaded; the program was built with {clue.get('cudnn_compiled')} "
            "and takes the same major and at least that minor.",
            [told(clue), *(told(one) for one in log.all("dnn-library-not-found")[:1])],
            [f"# install cuDNN {clue.get('cudnn_compiled')} or a later one of the same major", _WHICH],
        )


@cause("cudnn-wrong-version", Place.CUDNN)
def outdated(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("cudnn-outdated")
    if clue is not None:
        yield found(
            "The cuDNN that was loaded is older than the one that JAX was built with.",
            [told(clue)],
            ['pip install --upgrade "jax[cuda12]"', _WHICH],
        )


@cause("zlibwapi-missing", Place.CUDNN, explains=("cudnn-wrong-version",))
def zlib(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """cuDNN 8.3 to 8.9 on Windows needs zlibwapi.dll, and it is not on PATH.

    ## What it means
    "Could not locate zlibwapi.dll", or error code 126 at cudnn_cnn_infer64_8.dll: the part of cuDNN is there, and what
    it needs is not.

    ## Why it matters
    The GPU is listed as usual, and the first convolution ends the program.

    ## How to fix
    Put zlibwapi.dll (x64) into a folder on PATH, beside cudnn64_8.dll for example. cuDNN 9 does not need it.

    ## References
    https://docs.nvidia.com/deeplearning/cudnn/archives/cudnn-890/install-guide/index.html#install-zlib-windows
    """
    clue = next((one for one in log.all("cudnn-part-not-loaded") if _zlib(one)), None)
    if clue is not None:
        yield found(
            "zlibwapi.dll, which cuDNN 8.3 to 8.9 needs on Windows, is not on PATH.",
            [told(clue)],
            ["where zlibwapi.dll", "# put the x64 zlibwapi.dll beside cudnn64_8.dll, in a folder on PATH"],
        )


def _zlib(clue: Clue) -> bool:
    name = (clue.get("soname") or "").lower()
    return name.startswith("zlibwapi") or (clue.get("code") == "126" and name.startswith(("cudnn_cnn", "cudnn_adv")))


@cause("ld-library-path-shadows-bundled-cuda", Place.CUDNN, explains=("cudnn-wrong-version",))
def mixed(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """Undefined symbols between CUDA's libraries: two releases in one process."""
    clue = next((one for one in log.all("cudnn-part-not-loaded") if one.get("symbol")), None)
    clue = clue or log.first("library-symbol-undefined")
    if clue is not None and not on_windows(log, snapshot):
        yield found(
            "Libraries of two CUDA or cuDNN releases were mixed in one process: another copy comes before the "
            "environment's own.",
            [told(clue)],
            ["echo $LD_LIBRARY_PATH", "unset LD_LIBRARY_PATH  # then try again", _WHICH],
        )


@question(Place.CUDNN)
def why_part(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """A part of cuDNN, or something that a part needs, did not load."""
    clue = next((one for one in log.all("cudnn-part-not-loaded") if not one.get("symbol") and not _zlib(one)), None)
    if clue is None:
        return
    yield left(
        f"cuDNN did not find {clue.get('needs') or clue.get('soname')}.",
        [told(clue)],
        _remaining(log, snapshot, clue),
        "where cudnn*.dll"
        if on_windows(log, snapshot)
        else "ldconfig -p | grep -E 'cudnn|nvrtc|libcuda'; echo $LD_LIBRARY_PATH",
    )


def _remaining(log: Log, snapshot: Snapshot, clue: Clue) -> dict[str, str]:
    needs = clue.get("needs")
    path = {"cuda-libs-not-on-loader-path": "the file is there, in a folder that is not searched"}
    other = {"cudnn-wrong-version": "only a cuDNN of another major is there"}
    partial = {"cuda-lib-missing-partial-install": "the file is nowhere"}
    if needs and library(needs) == "cuda":
        if on_wsl(log, snapshot) or needs == "libcuda.so":
            return {"wsl-libcuda-not-on-path": "/usr/lib/wsl/lib is not searched", **path}
        return {"libcuda-missing": "ldconfig -p has no libcuda.so.1", **path}
    if needs:
        return {**partial, **path}
    return {**path, **other, **partial} if on_windows(log, snapshot) else {**other, **path, **partial}


@question(Place.CUDNN)
def why_no_dnn(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """ "DNN library is not found" and nothing else: the line that says why is cut off."""
    clue = log.first("dnn-library-not-found")
    if clue is None or log.first(*_PAIRS, "cudnn-outdated", "cudnn-handle-failed", "cudnn-part-not-loaded"):
        return
    yield left(
        "cuDNN did not start.",
        [told(clue)],
        {
            "cudnn-wrong-version": '"Loaded runtime CuDNN library: X but source was compiled with: Y" stands above',
            "gpu-memory-preallocation": '"Could not create cudnn handle" stands above, and little memory is free',
        },
        "# the lines above the error, from the first one of cuda_dnn.cc on",
    )


@question(Place.CUDNN)
def why_not_the_frameworks_own(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """JAX and PyTorch ask cuDNN for its version as they start, before they take any memory."""
    clue = log.first("jax-cudnn-not-loaded", "torch-cudnn-mismatch")
    if clue is None or log.first(*_PAIRS, "cudnn-outdated", "cudnn-handle-failed", "cudnn-part-not-loaded"):
        return
    yield left(
        "The cuDNN that JAX or PyTorch found is not the one that it wants, or it found none.",
        [told(clue)],
        {
            "cudnn-wrong-version": "pip list names a wheel of cuDNN of another major or minor than it requires",
            "ld-library-path-shadows-bundled-cuda": "the wheel is right, and LD_LIBRARY_PATH names another copy",
        },
        "pip list | grep -i cudnn; echo $LD_LIBRARY_PATH",
    )


def handle_failed(log: Log) -> Union[Clue, None]:
    """A cuDNN or cuBLAS that did not start on a GPU that is there."""
    return log.first("cudnn-handle-failed", "cublas-handle-failed", "cudnn-status", "cublas-status")
