"""The map of library copies, drawn: a lane for names of one fate, its stops in the order of the loader's search."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Report
from gpucheck.render.copies import copies
from gpucheck.render.copies.lanes import UNKNOWN, Lane, Map, Stop
from gpucheck.render.software import versions, wanted_rows
from gpucheck.render.summary import shortened
from gpucheck.render.text import count, listed, plain, say, shorten
from gpucheck.render.web.pieces import add, badge, folding, heading, words

_KIND = {"loaded": "ok", "broken": "error", "shadowed": "soft", "out of reach": "soft", "unknown": "unknown"}
_MOST_LANES = 60
_MOST_STOPS = 20
_MOST_NAMES = 4


def libraries(parent: Element, report: Report, level: int) -> None:
    """The section: the driver's libraries, then TensorFlow's, then copies that no one asks for by that name."""
    heading(parent, level, "Library copies, and which one wins")
    snapshot = report.snapshot
    shown = copies(snapshot)
    if shown.driver:
        heading(parent, level + 1, "The driver's, as programs load them")
        _lanes(parent, shown.driver, snapshot, level + 2)
    heading(parent, level + 1, "CUDA's, as the examined TensorFlow loads them")
    _sentence(parent, snapshot)
    if shown.wanted:
        _lanes(parent, shown.wanted, snapshot, level + 2)
    if shown.runtime:
        heading(parent, level + 1, "What TensorFlow and cuDNN need of Windows")
        _lanes(parent, shown.runtime, snapshot, level + 2)
    _beside(parent, shown, snapshot)
    if isinstance(snapshot.libraries, Libraries):
        _search(parent, snapshot, snapshot.libraries)


def _sentence(parent: Element, snapshot: Snapshot) -> None:
    found = snapshot.libraries
    if isinstance(found, Gap):
        add(parent, "p", f"The copies are {say(found)}.")
        return
    if found.preload:
        add(parent, "p", f"LD_PRELOAD puts before all others: {listed(list(found.preload), 5)}", "warning")
    if isinstance(found.copies, Gap):
        add(parent, "p", f"The copies are {say(found.copies)}.")
    if found.wanted is None:
        add(parent, "p", "There is no TensorFlow here that wants any: none is installed, or a CPU build.")
    for one in wanted_rows(found.wanted):
        add(parent, "p", f"{one}.")


def _lanes(parent: Element, lanes: tuple[Lane, ...], snapshot: Snapshot, level: int) -> None:
    drawn = add(parent, "div", "", "lanes")
    for lane in lanes[:_MOST_LANES]:
        _lane(add(drawn, "div", "", "card lane"), lane, snapshot, level)
    if len(lanes) > _MOST_LANES:
        add(parent, "p", f"and {len(lanes) - _MOST_LANES} more (--format json has all)", "soft")


def _lane(parent: Element, lane: Lane, snapshot: Snapshot, level: int) -> None:
    title = heading(parent, level, "", "name")
    told, kind = _outcome(lane)
    if told:
        badge(title, told, kind)
        words(title, " ")
    words(title, listed(list(lane.names), _MOST_NAMES))
    if lane.why:
        add(parent, "p", lane.why, "soft")
    if not lane.stops:
        add(parent, "p", "There is no copy of that name on this machine, as far as was looked.", "soft")
        return
    way = add(parent, "ol", "", "way")
    for stop in lane.stops[:_MOST_STOPS]:
        _stop(way, stop, len(lane.stops) > 1, snapshot)
    if len(lane.stops) > _MOST_STOPS:
        add(parent, "p", f"and {len(lane.stops) - _MOST_STOPS} more places", "soft")


def _outcome(lane: Lane) -> tuple[str, str]:
    """What the title says of a lane; nothing where the only copies there are load."""
    if lane.outcome == "not found":
        return ("not found", "error") if lane.needed else ("not found, not needed for the GPU", "soft")
    if lane.outcome != "loaded":
        return lane.outcome, _KIND[lane.outcome]
    behind = [one.state for one in lane.stops[1:]]
    shadowed = behind.count("shadowed")
    return (f"{count(len(behind) + 1, 'place')}, {shadowed} shadowed", "note") if shadowed else ("", "")


def _stop(parent: Element, stop: Stop, contested: bool, snapshot: Snapshot) -> None:
    short = shortened(snapshot)
    item = add(parent, "li", "", f"stop {stop.state.replace(' ', '-')}")
    first = add(item, "p", "", "head")
    add(first, "strong", stop.state, _KIND[stop.state])
    words(first, " ")
    alone = stop.files[0] if len(stop.files) == 1 else None
    if alone is not None:
        add(first, "span", alone.version, "version")
        if alone.note:
            words(first, " ")
            badge(first, alone.note, "error" if stop.state == "broken" else "warning")
    add(add(item, "p"), "code", short(stop.place if alone is None else alone.path))
    told = f"{stop.why}; {stop.origin}" if stop.origin and stop.origin not in stop.why else stop.why
    add(item, "p", shorten(plain(short(told)), 400), "soft")
    if alone is None:
        _files(item, stop, contested)


def _files(parent: Element, stop: Stop, open: bool) -> None:
    body = folding(parent, count(len(stop.files), "file"), open, "printed")
    chips = add(body, "ul", "", "chips")
    for file in stop.files[:200]:
        note = f", {file.note}" if file.note else ""
        one = add(chips, "li", f"{file.name} ")
        add(one, "span", f"{file.version}{note}", "soft" if file.version == UNKNOWN else "version")


def _beside(parent: Element, shown: Map, snapshot: Snapshot) -> None:
    """Copies by place that stand in no lane."""
    if not shown.beside:
        return
    short = shortened(snapshot)
    found = isinstance(snapshot.libraries, Libraries) and isinstance(snapshot.libraries.wanted, tuple)
    title = "Files of other names, by place" if found else "Copies by place"
    body = add(folding(parent, f"{title} ({len(shown.beside)})", open=not found), "ul", "", "places")
    for place, files in shown.beside[:100]:
        item = add(body, "li")
        add(item, "code", short(place))
        words(item, f" {shorten(plain(versions(list(files))), 600)}")


def _search(parent: Element, snapshot: Snapshot, found: Libraries) -> None:
    if isinstance(found.search, Gap):
        add(parent, "p", f"Where the loader looks is {say(found.search)}.", "soft")
        return
    if not found.search:
        return
    short = shortened(snapshot)
    body = folding(parent, f"Where the loader looks, in this order ({count(len(found.search), 'folder')})")
    way = add(body, "ol", "", "folders")
    for one in found.search[:300]:
        item = add(way, "li")
        add(item, "code", short(one.path))
        lost = f", {say(one.exists)}" if isinstance(one.exists, Gap) else "" if one.exists else ", does not exist"
        words(item, f" {one.via}{lost}")
    if not isinstance(snapshot.system, Gap) and snapshot.system.os == "linux":
        add(body, "p", "A file's own RPATH comes before all of them, its RUNPATH after LD_LIBRARY_PATH.", "soft")
