"""Names of CUDA's shared libraries in a line, on Linux and Windows, and which CUDA release they belong to. Pure.

What a release calls its libraries is in gpucheck.compat.libraries and gpucheck.compat.dlls.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Union

from gpucheck.compat.dlls import dll
from gpucheck.compat.libraries import BY_NAME, soname
from gpucheck.facts.versions import CudaVersion

# Bounded, so that no line makes it slow.
_NAME = re.compile(r"lib[A-Za-z_]{2,40}\.so(?:\.\d{1,5}){0,4}|[A-Za-z_]{4,40}(?:64|32)?(?:_\d{1,4}){0,3}\.dll")
_STEMS = {row.stem[3:].lower(): name for name, row in BY_NAME.items()}
# CUDA releases that name at least one library differently. "11" and later: every release of that major.
RELEASES = ("8.0", "9.0", "9.1", "9.2", "10.0", "10.1", "10.2", "11.0", "11", "12", "13")
_NAMED_BY_RELEASE = ("8.0", "9.0", "9.1", "9.2", "10.0")  # libcublas.so.9.2: the release's own number
# TensorFlow uses a GPU without these.
_OPTIONAL = ("nvinfer", "nvinfer_plugin", "cupti", "nccl", "nvtoolsext", "nvrtc", "ib", "ibverbs")


def names_in(text: str) -> tuple[str, ...]:
    """The shared libraries that a line names, each once, as it writes them."""
    return tuple(dict.fromkeys(_NAME.findall(text)))


def first_name(text: str) -> Union[str, None]:
    """The first shared library that a text names."""
    found = _NAME.search(text)
    return found.group() if found else None


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
