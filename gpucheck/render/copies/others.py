"""Lanes of what is not CUDA's: the driver's own libraries, and what TensorFlow and cuDNN need of Windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.driver import Driver, UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.facts.windows import RuntimeDll, Windows
from gpucheck.render.copies.lanes import (
    FOUND,
    UNKNOWN,
    File,
    Lane,
    Outcome,
    State,
    Stop,
    defect_of,
    gap_of,
    together,
    version_of,
)
from gpucheck.render.text import folder_of, say


def driver(driver: Union[Driver, Gap]) -> tuple[Lane, ...]:
    """libcuda and NVML."""
    if isinstance(driver, Gap) or isinstance(driver.libraries, Gap):
        return ()
    by_name: dict[str, list[UserLibrary]] = {}
    for one in driver.libraries:
        by_name.setdefault(one.soname, []).append(one)
    return together(_user_lane(name, found) for name, found in by_name.items())


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
        file = File(one.soname, version_of(say(one.version)), one.path, defect_of(one.defect))
        yield Stop(folder_of(one.path), state, why, _FROM.get(one.origin, one.origin), (file,))


def runtime(windows: Union[Windows, None, Gap]) -> tuple[Lane, ...]:
    """Visual C++'s DLLs and zlibwapi.dll."""
    return together(_runtime_lanes(windows)) if isinstance(windows, Windows) else ()


def _runtime_lanes(windows: Windows) -> Iterator[Lane]:
    every = windows.runtime if isinstance(windows.runtime, tuple) else ()
    for one in (*every, windows.zlibwapi):
        if isinstance(one, RuntimeDll):
            outcome: Outcome = "unknown" if isinstance(one.path, Gap) else "not found" if one.path is None else "loaded"
            yield Lane((one.name,), outcome, True, gap_of(one.path), tuple(_runtime_stops(one)))


def _runtime_stops(one: RuntimeDll) -> Iterator[Stop]:
    if isinstance(one.path, str):
        file = File(one.name, version_of(say(one.version)), one.path)
        yield Stop(folder_of(one.path), "loaded", f"{FOUND}{one.via}" if one.via else "found", "", (file,))
    for path in one.ignored:
        file = File(one.name, UNKNOWN, path)
        yield Stop(folder_of(path), "out of reach", "the loader does not look there", "", (file,))
