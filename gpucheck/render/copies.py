"""The map of library copies: for each name that is asked for, its files in the order of the loader's search, which one
it takes, and why. Pure; nothing is judged and nothing drawn here.

Names whose copies lie in the same places with the same outcome make one lane: 17 libraries of one environment are one
picture, and the one that comes from elsewhere stands out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Union

from gpucheck.facts.driver import Driver, UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries, LibraryCopy, Wanted
from gpucheck.facts.snapshot import Snapshot
from gpucheck.render.software import place_of
from gpucheck.render.text import folder_of, say

# loaded: the loader takes it. broken: it takes it, and it does not load. shadowed: of the same name, and further on its
# way. out of reach: not on its way.
State = Literal["loaded", "broken", "shadowed", "out of reach"]
Outcome = Literal["loaded", "broken", "not found", "unknown"]


class File(NamedTuple):
    """One copy. note: what is wrong or odd about it ("empty", "stub"); empty: nothing."""

    name: str
    version: str
    path: str
    note: str = ""


class Stop(NamedTuple):
    """Copies in one place. place: a folder, or what holds several of one kind. origin: where they come from."""

    place: str
    state: State
    why: str
    origin: str
    files: tuple[File, ...]


class Lane(NamedTuple):
    """Names with one fate. needed: without them TensorFlow registers no GPU. why: of an unknown outcome."""

    names: tuple[str, ...]
    outcome: Outcome
    needed: bool
    why: str
    stops: tuple[Stop, ...]


class Map(NamedTuple):
    """driver: what programs take for libcuda and NVML. wanted: what TensorFlow asks for. beside: copies of other names,
    by place."""

    driver: tuple[Lane, ...]
    wanted: tuple[Lane, ...]
    beside: tuple[tuple[str, tuple[LibraryCopy, ...]], ...]


def copies(snapshot: Snapshot) -> Map:
    """What there is to draw of these facts; what is unknown or absent is left out (`summary` says so in words)."""
    libraries = snapshot.libraries
    if isinstance(libraries, Gap):
        return Map(_driver(snapshot.driver), (), ())
    there = libraries.copies if isinstance(libraries.copies, tuple) else ()
    wanted = libraries.wanted if isinstance(libraries.wanted, tuple) else ()
    shown = {path for one in wanted for path in _paths(one)}
    beside: dict[str, list[LibraryCopy]] = {}
    for copy in there:
        if copy.path not in shown:
            beside.setdefault(place_of(copy), []).append(copy)
    by_path = {copy.path: copy for copy in there}
    lanes = _together(_lane(one, by_path, libraries) for one in wanted)
    return Map(_driver(snapshot.driver), lanes, tuple((place, tuple(found)) for place, found in beside.items()))


def _paths(one: Wanted) -> tuple[str, ...]:
    taken = (one.path,) if isinstance(one.path, str) else ()
    return (*taken, *one.hides, *one.elsewhere)


def _lane(one: Wanted, copies: dict[str, LibraryCopy], libraries: Libraries) -> Lane:
    stops = []
    if isinstance(one.path, str):
        broken = isinstance(one.defect, str)
        taken = _stop(one, one.path, "broken" if broken else "loaded", _found(one), copies)
        (file,) = taken.files
        version = say(one.version) if file.version == UNKNOWN and one.version is not None else file.version
        stops.append(taken._replace(files=(file._replace(version=_version(version), note=_defect(one.defect)),)))
    first = _where(one)
    stops += [_stop(one, path, "shadowed", f"further on the loader's way than {first}", copies) for path in one.hides]
    stops += [_stop(one, path, "out of reach", "the loader does not look there", copies) for path in one.elsewhere]
    return Lane((one.soname,), _outcome(one), one.needed_for_gpu, _gap(one.path), tuple(stops))


UNKNOWN = "version unknown"


def _version(text: str) -> str:
    return UNKNOWN if text.startswith("unknown") or text == "none" else text


_FOUND = "found through "


def _found(one: Wanted) -> str:
    return f"{_FOUND}{one.via}" if one.via else "found"


def _where(one: Wanted) -> str:
    return one.via or "the one that is taken"


def _gap(value: object) -> str:
    return value.reason if isinstance(value, Gap) else ""


def _defect(value: Union[str, None, Gap]) -> str:
    return "" if value is None or isinstance(value, Gap) else value.replace("-", " ")


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
    note = "CUDA's link-time stub" if copy.stub else _defect(copy.defect)
    file = File(one.soname, _version(say(copy.version)), path, note)
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


def _together(lanes: Iterable[Lane]) -> tuple[Lane, ...]:
    """Lanes of one pattern made one, what has most to tell first."""
    found: dict[object, list[Lane]] = {}
    for lane in lanes:
        pattern = (lane.outcome, lane.needed, lane.why, tuple((one.place, one.state) for one in lane.stops))
        found.setdefault(pattern, []).append(lane)
    return tuple(sorted((_one(each) for each in found.values()), key=_weight))


def _one(lanes: list[Lane]) -> Lane:
    lanes = sorted(lanes, key=lambda lane: "cudnn" not in lane.names[0])  # what most depends on comes first
    names = dict.fromkeys(name for lane in lanes for name in lane.names)
    stops = [_stops([lane.stops[at] for lane in lanes]) for at in range(len(lanes[0].stops))]
    return lanes[0]._replace(names=tuple(names), stops=tuple(stops))


def _stops(same: list[Stop]) -> Stop:
    files = dict.fromkeys(file for stop in same for file in stop.files)  # two files of TensorFlow may ask for one
    origin = "; ".join(dict.fromkeys(one.origin for one in same))
    return same[0]._replace(files=tuple(files), why=_joined([one.why for one in same]), origin=origin)


def _joined(whys: list[str]) -> str:
    first, *others = dict.fromkeys(whys)
    return ", ".join([first, *(one.removeprefix(_FOUND) for one in others)])


_ORDER = ("broken", "not found", "unknown", "loaded")


def _weight(lane: Lane) -> tuple[bool, int, bool]:
    return (not lane.needed, _ORDER.index(lane.outcome), len(lane.stops) < 2)


def _driver(driver: Union[Driver, Gap]) -> tuple[Lane, ...]:
    if isinstance(driver, Gap) or isinstance(driver.libraries, Gap):
        return ()
    by_name: dict[str, list[UserLibrary]] = {}
    for one in driver.libraries:
        by_name.setdefault(one.soname, []).append(one)
    return _together(_user_lane(name, found) for name, found in by_name.items())


def _user_lane(name: str, found: list[UserLibrary]) -> Lane:
    first = next((one for one in found if one.first), None)
    outcome: Outcome = "not found" if first is None else "broken" if isinstance(first.defect, str) else "loaded"
    ordered = sorted(found, key=lambda one: (not one.first, not one.reached))
    return Lane((name,), outcome, True, "", tuple(_user_stops(ordered)))


_FROM = {
    "driver": "",
    "stub": "CUDA's link-time stub",
    "compat": "CUDA's compat package",
    "wsl": "of WSL",
}


def _user_stops(found: list[UserLibrary]) -> Iterator[Stop]:
    for one in found:
        if one.first:
            state: State = "broken" if isinstance(one.defect, str) else "loaded"
            why = "the first on the loader's way"
        elif one.reached:
            state, why = "shadowed", "further on the loader's way"
        else:
            state, why = "out of reach", "the loader does not look there"
        file = File(one.soname, _version(say(one.version)), one.path, _defect(one.defect))
        yield Stop(folder_of(one.path), state, why, _FROM.get(one.origin, one.origin), (file,))
