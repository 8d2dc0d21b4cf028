"""What --verbose adds: every copy, the loader's search order, what TensorFlow wants, each GPU's readings, the probes.

Same rules as `summary`: texts as the machine gave them, nothing judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.deep import Deep
from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu, Pcie
from gpucheck.facts.libraries import Libraries
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Report
from gpucheck.render.summary import Block
from gpucheck.render.text import listed, say


def detail_blocks(report: Report) -> tuple[Block, ...]:
    """The blocks beyond those of `summary.blocks`; an empty one is left out."""
    snapshot = report.snapshot
    looked = not snapshot.of_text_alone
    every = (
        Block("Clues", _clues(snapshot)),
        Block("Readings", tuple(_gpus(snapshot)) if looked else ()),
        Block("Details", tuple(_driver(snapshot.driver)) if looked else ()),
        Block("Copies", tuple(_copies(snapshot.libraries))),
        Block("Search", tuple(_search(snapshot.libraries))),
        Block("Wanted", tuple(_wanted(snapshot.libraries))),
        Block("Packages", tuple(_packages(snapshot.python))),
        Block("Deep", tuple(_deep(snapshot.deep))),
        Block("Probes", tuple(f"{run.seconds:.3f} s  {run.name}: {run.outcome}" for run in snapshot.probes)),
        Block("Checked", (", ".join(report.checked),) if report.checked else ()),
        skipped_block(report),
        Block("Ignored", (", ".join(report.ignored),) if report.ignored else ()),
    )
    return tuple(block for block in every if block.rows)


def _clues(snapshot: Snapshot) -> tuple[str, ...]:
    if snapshot.log is None:
        return ()
    from gpucheck.render.logs import clue_rows

    return tuple(clue_rows(snapshot.log))


def skipped_block(report: Report) -> Block:
    """The rules that could not be judged, by reason: one probe that hung often keeps many from it."""
    reasons: dict[str, list[str]] = {}
    for skipped in report.skipped:
        reasons.setdefault(skipped.reason, []).append(skipped.name)
    return Block("Skipped", tuple(f"{reason}: {', '.join(names)}" for reason, names in reasons.items()))


def _gpus(snapshot: Snapshot) -> Iterator[str]:
    for gpu in () if isinstance(snapshot.gpus, Gap) else snapshot.gpus:
        yield f"{gpu.number}: {', '.join(_readings(gpu))}"


def _readings(gpu: Gpu) -> Iterator[str]:
    for name in Gpu._fields[3:]:
        value = getattr(gpu, name)
        if value is None or name == "name":
            continue
        if isinstance(value, Pcie):
            yield f"{name} ({_item(value)})"
        elif isinstance(value, tuple):
            yield f"{name} {listed([_item(one) for one in value], 20) or 'none'}"
        else:
            yield f"{name} {say(value)}"


def _item(value: object) -> str:
    if hasattr(value, "_asdict"):
        return " ".join(f"{key} {say(each)}" for key, each in value._asdict().items())
    return say(value)


def _driver(driver: Driver | Gap) -> Iterator[str]:
    if isinstance(driver, Gap):
        return
    for name in Driver._fields:
        value = getattr(driver, name)
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            for one in value:
                yield f"{name}: {_item(one)}"
        elif value is not None:
            yield f"{name}: {_item(value)}"


def _copies(libraries: Libraries | Gap) -> Iterator[str]:
    if isinstance(libraries, Gap) or isinstance(libraries.copies, Gap):
        return
    for copy in libraries.copies:
        source = f" from {copy.version_source}" if copy.version_source else ""
        defect = "" if copy.defect is None else f", {say(copy.defect)}"
        stub = ", stub" if copy.stub else ""
        yield f"{copy.library} {say(copy.version)}{source}  {copy.path}  ({', '.join(copy.found_via)}{stub}{defect})"


def _search(libraries: Libraries | Gap) -> Iterator[str]:
    if isinstance(libraries, Gap):
        return
    if isinstance(libraries.search, Gap):
        yield say(libraries.search)
        return
    for folder in libraries.search:
        missing = ", does not exist" if folder.exists is False else ""
        unknown = f", {say(folder.exists)}" if isinstance(folder.exists, Gap) else ""
        yield f"{folder.path}  ({folder.via}{missing}{unknown})"


def _wanted(libraries: Libraries | Gap) -> Iterator[str]:
    if isinstance(libraries, Gap) or libraries.wanted is None or isinstance(libraries.wanted, Gap):
        return
    for one in libraries.wanted:
        found = "not found" if one.path is None else say(one.path)
        via = f"  ({one.via})" if one.via else ""
        defect = "" if one.defect is None else f", {say(one.defect)}"
        yield f"{one.soname}: {found}{via}{defect}"
        for what, paths in (("hides", one.hides), ("elsewhere", one.elsewhere)):
            if paths:
                yield f"  {what} {listed(list(paths), 5)}"


def _packages(python: Python | Gap) -> Iterator[str]:
    if isinstance(python, Gap) or isinstance(python.distributions, Gap):
        return
    for one in python.distributions:
        build = f" {one.build}" if one.build else ""
        torn = ", its RECORD is missing" if one.complete is False else ""
        yield f"{one.name} {one.version}{build}  ({one.location}{torn})"


def _deep(deep: Deep | None | Gap) -> Iterator[str]:
    if deep is None:
        return
    if isinstance(deep, Gap):
        yield say(deep)
        return
    error = f": {deep.error}" if deep.error else ""
    yield f"import {deep.status}{error}, {say(deep.import_seconds)} s, TensorFlow {say(deep.tensorflow_version)}"
    yield f"devices: {say(deep.devices) if isinstance(deep.devices, Gap) else ', '.join(deep.devices) or 'none'}"
    for one in () if isinstance(deep.operations, Gap) else deep.operations:
        yield _item(one)
    yield from (f"log: {line}" for line in deep.log)
