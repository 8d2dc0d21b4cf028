"""A lane of the map and its stops, and how lanes of one pattern become one. The words of it, too; no facts are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import LibraryCopy

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
    """driver: what programs take for libcuda and NVML. wanted: what TensorFlow asks for. runtime: what that and cuDNN
    need of Windows. beside: copies of other names, by place."""

    driver: tuple[Lane, ...]
    wanted: tuple[Lane, ...]
    runtime: tuple[Lane, ...]
    beside: tuple[tuple[str, tuple[LibraryCopy, ...]], ...]


FOUND = "found through "
UNKNOWN = "version unknown"


def version_of(text: str) -> str:
    return UNKNOWN if text.startswith("unknown") or text == "none" else text


def gap_of(value: object) -> str:
    return value.reason if isinstance(value, Gap) else ""


def defect_of(value: Union[str, None, Gap]) -> str:
    if isinstance(value, Gap):
        return "not known whether it loads"
    return "" if value is None else value.replace("-", " ")


def together(lanes: Iterable[Lane]) -> tuple[Lane, ...]:
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
    return ", ".join([first, *(one.removeprefix(FOUND) for one in others)])


_ORDER = ("broken", "not found", "unknown", "loaded")


def _weight(lane: Lane) -> tuple[bool, int, bool]:
    return (not lane.needed, _ORDER.index(lane.outcome), len(lane.stops) < 2)
