"""Lines about the software: copies of CUDA's libraries by place, and the examined Python. Part of `summary`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries, LibraryCopy, Wanted
from gpucheck.facts.python import Distribution, FrameworkBuild, Python, TensorFlowBuild
from gpucheck.render.text import folder_of, listed, say

_MOST_PLACES = 6


def library_rows(libraries: Libraries) -> Iterator[str]:
    if libraries.preload:
        yield f"LD_PRELOAD: {listed(list(libraries.preload), 3)}"
    if isinstance(libraries.copies, Gap):
        yield f"copies {say(libraries.copies)}"
    else:
        places = by_place(libraries.copies)
        for place, copies in list(places.items())[:_MOST_PLACES]:
            vias = dict.fromkeys(via for copy in copies for via in _vias(copy))
            yield f"{listed(list(vias), 3)}: {versions(copies)} in {place}"
        if len(places) > _MOST_PLACES:
            yield f"and {len(places) - _MOST_PLACES} more places (--verbose)"
    yield from wanted_rows(libraries.wanted)


def by_place(copies: tuple[LibraryCopy, ...]) -> dict[str, list[LibraryCopy]]:
    """Copies by folder; a toolkit is one place, and so are all NVIDIA wheels of one environment."""
    places: dict[str, list[LibraryCopy]] = {}
    for copy in copies:
        places.setdefault(place_of(copy), []).append(copy)
    return places


def place_of(copy: LibraryCopy) -> str:
    for via in copy.found_via:
        kind, _, rest = via.partition(" ")
        for slash in "/\\":
            if kind.startswith("wheel") and f"{slash}nvidia{slash}" in copy.path:
                return f"{copy.path.rpartition(f'{slash}nvidia{slash}')[0]}{slash}nvidia"
            if kind == "toolkit" and rest and copy.path.startswith(f"{rest}{slash}") and not copy.stub:
                return rest
    return folder_of(copy.path)


def _vias(copy: LibraryCopy) -> Iterator[str]:
    """How it was found, in the words of its group: not which wheel, not which toolkit."""
    for via in copy.found_via:
        kind = via.partition(" ")[0]
        yield "wheels" if kind.startswith("wheel") else "toolkit" if kind == "toolkit" else via
    if copy.stub:
        yield "stubs"


def versions(copies: list[LibraryCopy]) -> str:
    """``cudnn 9.10.2, cublas 12.9.1.4``: each library once, with each version and defect that it has there."""
    found: dict[str, list[str]] = {}
    for copy in copies:
        version = "version unknown" if copy.version is None or isinstance(copy.version, Gap) else str(copy.version)
        defect = "" if copy.defect is None else f" ({say(copy.defect)})"
        if (one := version + defect) not in found.setdefault(copy.library, []):
            found[copy.library].append(one)
    return ", ".join(f"{library} {'/'.join(each)}" for library, each in sorted(found.items(), key=_cudnn_first))


def _cudnn_first(item: tuple[str, list[str]]) -> tuple[bool, str]:
    return (item[0] != "cudnn", item[0])


def wanted_rows(wanted: Union[tuple[Wanted, ...], None, Gap]) -> Iterator[str]:
    if wanted is None:
        return
    if isinstance(wanted, Gap):
        yield f"what TensorFlow would load: {say(wanted)}"
        return
    missing = [one for one in wanted if one.path is None]
    unknown = sum(isinstance(one.path, Gap) for one in wanted)
    line = f"TensorFlow gets {len(wanted) - len(missing) - unknown} of the {len(wanted)} libraries it wants"
    if unknown:
        line += f", {unknown} unknown"
    for words in ("not found", "not found, and opened when cuDNN computes", "not found, and not needed for the GPU"):
        sonames = [one.soname for one in missing if _lack(one) == words]
        if sonames:
            line += f"; {words}: {listed(sonames, 6)}"
    yield line


def _lack(one: Wanted) -> str:
    if one.needed_for_gpu:
        return "not found"
    return f"not found, and {'opened when cuDNN computes' if one.library == 'cudnn' else 'not needed for the GPU'}"


_SHOWN = (
    ("Keras", ("keras", "keras-nightly")),
    ("tf-keras", ("tf-keras",)),
    ("NumPy", ("numpy",)),
    ("protobuf", ("protobuf",)),
)


def python_rows(python: Python) -> Iterator[str]:
    kind = "" if python.environment == "system" else f", {say(python.environment)}"
    bits = ", 32 bit" if python.bits == 32 else ""
    yield f"{say(python.version)}  {python.executable}  ({python.chosen_by}{kind}{bits})"
    yield f"TensorFlow {_tensorflow(python.tensorflow)}; {_packages(python.distributions)}"
    yield f"PyTorch {_framework(python.torch)}; JAX {_framework(python.jax)}"


def _tensorflow(build: Union[TensorFlowBuild, None, Gap]) -> str:
    if build is None or isinstance(build, Gap):
        return say(build)
    name = "" if build.distribution in (None, "tensorflow") else f" ({build.distribution})"
    if build.cuda_build is False:
        return f"{say(build.version)}{name}, {'ROCm build' if build.rocm_build is True else 'CPU build'}"
    if build.cuda_build is True:
        return f"{say(build.version)}{name}, for CUDA {say(build.cuda_version)} and cuDNN {say(build.cudnn_version)}"
    return f"{say(build.version)}{name}, build {say(build.cuda_build)}"


def _packages(distributions: Union[tuple[Distribution, ...], Gap]) -> str:
    if isinstance(distributions, Gap):
        return f"packages {say(distributions)}"
    found = []
    for title, names in _SHOWN:
        each = list(dict.fromkeys(str(one.version) for one in distributions if one.name in names))
        if each or title != "tf-keras":
            found.append(f"{title} {' and '.join(each) or 'none'}")
    return ", ".join(found)


def _framework(build: Union[FrameworkBuild, None, Gap]) -> str:
    if build is None or isinstance(build, Gap):
        return say(build)
    cuda = "CPU build" if build.cuda_version is None else f"CUDA {say(build.cuda_version)}"
    return f"{build.version} ({cuda})"
