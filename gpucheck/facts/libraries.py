"""CUDA's shared libraries: every copy that a program could load, and the one that it would."""

from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import LibraryVersion

Defect = Literal["empty", "truncated", "not-elf", "not-pe", "wrong-architecture", "dangling", "unreadable"]


class LibraryCopy(NamedTuple):
    """One file. Found by looking, never by loading it."""

    library: str  # a name of compat.libraries: cudnn, cublas, cudart …
    soname: str  # libcudnn.so.9; for a file that is no shared object (ptxas, libdevice) its base name
    path: str
    real_path: Union[str, None, Gap]
    version: Union[LibraryVersion, None, Gap]
    version_source: Union[str, None]  # file name, dist-info, cudnn_version.h …
    found_via: tuple[str, ...]  # LD_LIBRARY_PATH, wheel nvidia-cudnn-cu12, ld.so.cache, toolkit …
    defect: Union[Defect, None, Gap]
    stub: bool  # one of CUDA's link-time stubs


class SearchDir(NamedTuple):
    """A folder that the loader looks into, in its order."""

    path: str
    via: str  # LD_LIBRARY_PATH, RUNPATH of libtensorflow_framework.so.2, ld.so.cache, default
    exists: Union[bool, Gap]


class Wanted(NamedTuple):
    """A soname that the examined TensorFlow loads, and what the loader gives for it."""

    soname: str
    library: str
    wanted_by: str  # the TensorFlow file that asks
    needed_for_gpu: bool  # without it TensorFlow registers no GPU
    path: Union[str, None, Gap]  # None: will not load
    via: Union[str, None]  # which step of the search found it
    version: Union[LibraryVersion, None, Gap]
    hides: tuple[str, ...]  # copies of the same soname that the search would have found later
    elsewhere: tuple[str, ...]  # copies that exist but that the search does not reach
    defect: Union[str, None, Gap]  # of `path`, or of a dependency of it


class Libraries(NamedTuple):
    copies: Union[tuple[LibraryCopy, ...], Gap]
    search: Union[tuple[SearchDir, ...], Gap]  # for a program in this environment, without any RUNPATH
    preload: tuple[str, ...]  # LD_PRELOAD
    wanted: Union[tuple[Wanted, ...], None, Gap]  # None: no TensorFlow, or a CPU build
