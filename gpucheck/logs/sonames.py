"""Names of CUDA's shared libraries in a line, on Linux and Windows, and which CUDA release they belong to. Pure.

What a release calls its libraries is in gpucheck.compat.libraries and gpucheck.compat.dlls.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Union

from gpucheck.compat.dlls import dll
from gpucheck.compat.libraries import BY_NAME, soname
from gpucheck.facts.versions import CudaVersion

_LONGEST = 60  # characters of a name, so that no line makes the search slow
_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_STEMS = {row.stem[3:].lower(): name for name, row in BY_NAME.items()}
# CUDA releases that name at least one library differently. "11" and later: every release of that major.
RELEASES = ("8.0", "9.0", "9.1", "9.2", "10.0", "10.1", "10.2", "11.0", "11", "12", "13")
_NAMED_BY_RELEASE = ("8.0", "9.0", "9.1", "9.2", "10.0")  # libcublas.so.9.2: the release's own number
# TensorFlow uses a GPU without these.
_OPTIONAL = ("nvinfer", "nvinfer_plugin", "cupti", "nccl", "nvtoolsext", "nvrtc", "ib", "ibverbs")


def names_in(text: str) -> tuple[str, ...]:
    """The shared libraries that a line names, each once, as it writes them: libcublas.so.11, cudart64_110.dll."""
    return tuple(dict.fromkeys(_names(text)))


def first_name(text: str) -> Union[str, None]:
    """The first shared library that a text names."""
    return next(_names(text), None)


def _names(text: str) -> Iterator[str]:
    at = 0
    while (dot := _next(text, at)) >= 0:
        windows = text.startswith(".dll", dot)
        end = dot + 4 if windows else _end_of_version(text, dot + 3)
        start = dot
        while start > max(at, dot - _LONGEST) and text[start - 1] in _SIGNS:
            start -= 1
        stem = text[start:dot]
        at = end
        if (windows and len(stem) > 3) or (not windows and stem.startswith("lib") and len(stem) > 4):
            yield text[start:end]


def _next(text: str, at: int) -> int:
    found = [one for one in (text.find(".so", at), text.find(".dll", at)) if one >= 0]
    return min(found, default=-1)


def _end_of_version(text: str, at: int) -> int:
    """Behind ".so": up to four numbers."""
    for _ in range(4):
        end = at + 1
        while end < len(text) and end - at < 6 and text[end].isdigit():
            end += 1
        if not text.startswith(".", at) or end == at + 1:
            break
        at = end
    return at


def library(name: str) -> Union[str, None]:
    """The library's name in gpucheck.compat.libraries, "cuda" for the driver's own, "zlib"; None: another file."""
    low = name.lower()
    stem = low[3:].partition(".so")[0] if ".so" in low else low.partition(".dll")[0].rstrip("_0123456789")
    if stem in ("cuda", "nvcuda"):
        return "cuda"
    if stem.startswith("cudnn"):
        return "cudnn"
    return "zlib" if stem == "zlibwapi" else _STEMS.get(stem)


def is_optional(name: str) -> bool:
    """TensorRT, CUPTI, NCCL and the like: TensorFlow registers a GPU without it."""
    low = name.lower()
    stem = low[3:].partition(".so")[0] if low.startswith("lib") else low.partition(".dll")[0].rstrip("_0123456789")
    return stem.startswith(_OPTIONAL)


def is_cuda(name: str) -> bool:
    """One of the toolkit's own libraries, without which TensorFlow registers no GPU; cuDNN is none of them."""
    return library(name) not in (None, "cuda", "cudnn", "zlib") and not is_optional(name)


@cache
def named(library_: str, release: str, windows: bool) -> Union[str, None]:
    """What a release calls a library: libcublas.so.11, cublas64_11.dll."""
    if release in ("9.1", "9.2"):  # the table has only what TensorFlow was built with
        if windows:
            return f"{library_}64_{release.replace('.', '')}.dll"
        return f"{BY_NAME[library_].stem}.so.{release}"
    # "11" stands for what 11.1 and later have in common.
    cuda = CudaVersion({"11": "11.2"}.get(release, release))
    return dll(library_, cuda) if windows else soname(library_, cuda)


def releases_with(names: tuple[str, ...]) -> tuple[str, ...]:
    """The CUDA releases that have every one of these names ("10.2"; "11" for 11.1 and later)."""
    return tuple(
        release
        for release in RELEASES
        if all(named(library(name) or "", release, _windows(name)) in (None, name) for name in names)
        and any(named(library(name) or "", release, _windows(name)) == name for name in names)
    )


def installed_instead(opened: tuple[str, ...], missing: tuple[str, ...]) -> tuple[str, ...]:
    """The releases that explain at once what did load and what did not: they have the former and none of the latter."""
    if not opened or not missing:
        return ()
    return tuple(
        release
        for release in releases_with(opened)
        if all(named(library(name) or "", release, _windows(name)) not in (None, name) for name in missing)
    )


def _windows(name: str) -> bool:
    return name.lower().endswith(".dll")
