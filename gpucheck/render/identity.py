"""What a machine is, in a few names and values: for formats that carry properties or labels beside their findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import System
from gpucheck.render.text import plain, shorten
from gpucheck.rules.here import driver_version

ABSENT, UNKNOWN = "none", "unknown"
MOST = 200  # characters of a value


def identity(snapshot: Snapshot) -> dict[str, str]:
    """Always the same names, in snake case; a value is `ABSENT` where there is no such thing, `UNKNOWN` for a gap."""
    return {name: _word(value) for name, value in (*_system(snapshot.system), *_driver(snapshot), *_python(snapshot))}


def _word(value: object) -> str:
    if isinstance(value, Gap):
        return UNKNOWN
    return ABSENT if value is None else shorten(plain(value), MOST)


def _system(system: Union[System, Gap]) -> Iterator[tuple[str, object]]:
    for name, field in (("system", "distribution"), ("kernel", "kernel"), ("machine", "machine")):
        yield name, _of(system, field)


def _driver(snapshot: Snapshot) -> Iterator[tuple[str, object]]:
    yield "driver_version", driver_version(snapshot)
    told = [_of(_of(snapshot.driver, half), "cuda_version") for half in ("cuda", "nvml")]
    # The first half that tells; else why not.
    yield "driver_cuda_version", min(told, key=lambda one: 2 if one is None else isinstance(one, Gap))


def _python(snapshot: Snapshot) -> Iterator[tuple[str, object]]:
    python, tensorflow = snapshot.python, _of(snapshot.python, "tensorflow")
    yield "python", _of(python, "executable")
    yield "python_version", _of(python, "version")
    yield "tensorflow_version", _of(tensorflow, "version")
    yield "tensorflow_cuda_version", _of(tensorflow, "cuda_version")
    yield "torch_version", _of(_of(python, "torch"), "version")


def _of(fact: object, field: str) -> object:
    """A part of a fact; of nothing nothing, of a gap that gap."""
    return fact if fact is None or isinstance(fact, Gap) else getattr(fact, field)
