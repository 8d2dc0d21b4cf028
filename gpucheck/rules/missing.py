"""Sorts the sonames that will not load by where else there are copies. No rules: libraries.py and cudnn.py judge."""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts import paths
from gpucheck.facts.gap import known, need
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.facts.python import TensorFlowBuild
from gpucheck.facts.snapshot import Snapshot


class Missing(NamedTuple):
    """Sonames that TensorFlow cannot register a GPU without and that will not load, each in one of the five.

    bundled: a copy lies beside TensorFlow in its site-packages. elsewhere: a copy lies where the loader does not look.
    forbidden: there are copies, and this user may read none of them.
    other: only copies with another soname. nowhere: no copy at all. loaded: how many of the needed ones will load.
    wrong_toolkit: of `other`, what another CUDA version than TensorFlow's has in its place (never cuDNN).
    """

    bundled: tuple[Wanted, ...]
    elsewhere: tuple[Wanted, ...]
    other: tuple[tuple[Wanted, tuple[LibraryCopy, ...]], ...]
    nowhere: tuple[Wanted, ...]
    loaded: int
    wrong_toolkit: tuple[tuple[Wanted, tuple[LibraryCopy, ...]], ...]
    forbidden: tuple[Wanted, ...]


def missing(snapshot: Snapshot) -> Union[Missing, None]:
    """None: no TensorFlow, a CPU build, or all that is needed will load.

    Raises
    ------
    Unknown: what is wanted, or which copies there are.
    """
    build = need(need(snapshot.python).tensorflow)
    libraries = need(snapshot.libraries)
    needed = [one for one in need(libraries.wanted) or () if one.needed_for_gpu]
    lacking = [one for one in needed if need(one.path) is None]
    if build is None or not lacking:
        return None
    there = {path for one in lacking for path in one.elsewhere}
    closed = {copy.path for copy in need(libraries.copies) if copy.path in there and need(copy.defect) == "unreadable"}
    forbidden = [one for one in lacking if one.elsewhere and all(path in closed for path in one.elsewhere)]
    bundled = [
        one for one in lacking if one not in forbidden and any(is_bundled(path, build) for path in one.elsewhere)
    ]
    elsewhere = [one for one in lacking if one.elsewhere and one not in bundled and one not in forbidden]
    rest = [(one, _other_copies(one, need(libraries.copies))) for one in lacking if not one.elsewhere]
    other = tuple((one, copies) for one, copies in rest if copies)
    return Missing(
        tuple(bundled),
        tuple(elsewhere),
        other,
        tuple(one for one, copies in rest if not copies),
        len(needed) - len(lacking),
        _of_another_cuda(other, build),
        tuple(forbidden),
    )


def _of_another_cuda(
    other: tuple[tuple[Wanted, tuple[LibraryCopy, ...]], ...], build: TensorFlowBuild
) -> tuple[tuple[Wanted, tuple[LibraryCopy, ...]], ...]:
    """Another version of the runtime, or files of a toolkit. PyTorch's wheels for CUDA 13 beside TensorFlow's do not
    make a wrong toolkit of one library that is missing."""
    cuda = tuple(pair for pair in other if pair[0].library != "cudnn")
    runtime = any(one.library == "cudart" for one, _ in cuda)
    outside = any(not is_bundled(copy.path, build) for _, copies in cuda for copy in copies)
    return cuda if runtime or outside else ()


def is_bundled(path: str, build: TensorFlowBuild) -> bool:
    """Does a library lie in TensorFlow's own site-packages (where pip puts NVIDIA's wheels)?"""
    return paths.inside(path, paths.parent(build.root))


def _other_copies(one: Wanted, copies: tuple[LibraryCopy, ...]) -> tuple[LibraryCopy, ...]:
    stem = _stem(one.soname)
    return tuple(
        copy
        for copy in copies
        if copy.library == one.library
        and copy.soname != one.soname
        and _stem(copy.soname) == stem
        and not copy.stub
        and known(copy.defect, None) is None
    )


def _stem(name: str) -> str:
    """libcudart of libcudart.so.12, cudart64 of cudart64_110.dll."""
    return name.rpartition("_")[0].lower() if name.lower().endswith(".dll") else name.partition(".so")[0]


def names(wanted: tuple[Wanted, ...]) -> str:
    """ "libcublas.so.12 and libcudnn.so.8"."""
    sonames = list(dict.fromkeys(one.soname for one in wanted))
    return sonames[0] if len(sonames) == 1 else f"{', '.join(sonames[:-1])} and {sonames[-1]}"


def folders(places: tuple[str, ...]) -> str:
    """The folders of some files for LD_LIBRARY_PATH."""
    return ":".join(dict.fromkeys(path.rpartition("/")[0] for path in places))


def base(path: str) -> str:
    return paths.base(path)


def build_of(snapshot: Snapshot) -> TensorFlowBuild:
    """The TensorFlow of which missing() or wanted speak."""
    build = need(need(snapshot.python).tensorflow)
    assert build is not None
    return build


def title(snapshot: Snapshot) -> str:
    """ "TensorFlow 2.21.0"."""
    return f"TensorFlow {known(build_of(snapshot).version, None) or '(version unknown)'}"


def asked(one: Wanted, what: str) -> tuple[str, object, str]:
    """Evidence: the soname, what became of it, and the file that asks."""
    return ("libraries.wanted", f"{one.soname}: {what}", f"asked for by {one.wanted_by}")
