"""Lanes of what the examined TensorFlow asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.render.copies.lanes import FOUND, UNKNOWN, File, Lane, Outcome, State, Stop, defect_of, gap_of, version_of
from gpucheck.render.software import place_of
from gpucheck.render.text import folder_of, say


def paths(one: Wanted) -> tuple[str, ...]:
    """Every copy that its lane shows."""
    taken = (one.path,) if isinstance(one.path, str) else ()
    return (*taken, *one.hides, *one.elsewhere)


def lane(one: Wanted, copies: dict[str, LibraryCopy]) -> Lane:
    """Of one name. copies: by path."""
    stops = []
    if isinstance(one.path, str):
        broken = isinstance(one.defect, str)
        taken = _stop(one, one.path, "broken" if broken else "loaded", _found(one), copies)
        (file,) = taken.files
        version = say(one.version) if file.version == UNKNOWN and one.version is not None else file.version
        file = file._replace(version=version_of(version), note=defect_of(one.defect) or file.note)
        stops.append(taken._replace(files=(file,)))
    first = _where(one)
    stops += [_stop(one, path, "shadowed", f"further on the loader's way than {first}", copies) for path in one.hides]
    stops += [_stop(one, path, "out of reach", "the loader does not look there", copies) for path in one.elsewhere]
    return Lane((one.soname,), _outcome(one), one.needed_for_gpu, gap_of(one.path), tuple(stops))


def _found(one: Wanted) -> str:
    return f"{FOUND}{one.via}" if one.via else "found"


def _where(one: Wanted) -> str:
    return one.via or "the one that is taken"


def _outcome(one: Wanted) -> Outcome:
    if isinstance(one.path, Gap):
        return "unknown"
    if one.path is None:
        return "not found"
    return "broken" if isinstance(one.defect, str) else "loaded"


def _stop(one: Wanted, path: str, state: State, why: str, copies: dict[str, LibraryCopy]) -> Stop:
    copy = copies.get(path)
    if copy is None:
        return Stop(folder_of(path), state, why, "", (File(one.soname, UNKNOWN, path),))
    note = "CUDA's link-time stub" if copy.stub else defect_of(copy.defect)
    file = File(one.soname, version_of(say(copy.version)), path, note)
    return Stop(place_of(copy), state, why, ", ".join(_origins(copy, one.via)), (file,))


def _origins(copy: LibraryCopy, via: Union[str, None]) -> Iterator[str]:
    """``pip's wheels``, ``toolkit /usr/local/cuda-12.5``: who brought it, as far as the way it was found tells."""
    for told in copy.found_via:
        kind, _, rest = told.partition(" ")
        if kind.startswith("wheel"):
            yield "pip's wheels"
        elif kind == "toolkit" and rest == place_of(copy):
            yield "CUDA toolkit"
        elif told != via:
            yield told
