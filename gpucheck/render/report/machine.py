"""What the machine has: its GPUs, its driver, the examined Python, variables, the system."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from gpucheck.compat.variables import NAMES
from gpucheck.facts.environment import Environment
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Report
from gpucheck.render.hardware import code_for
from gpucheck.render.summary import blocks, shortened
from gpucheck.render.text import count, gib, listed, plain, say, shorten
from gpucheck.render.web.pieces import add, facts, folding, heading, row, table, words

_MOST_GPUS = 64


def gpus(parent: Element, report: Report, level: int) -> None:
    """A card a GPU; without any, what was seen instead."""
    heading(parent, level, "GPUs")
    snapshot = report.snapshot
    if isinstance(snapshot.gpus, Gap) or not snapshot.gpus:
        _told(parent, snapshot, "GPUs")
        return
    code = code_for(snapshot)
    grid = add(parent, "ul", "", "gpus")
    for gpu in snapshot.gpus[:_MOST_GPUS]:
        _gpu(add(grid, "li", "", "card"), gpu, code.get(gpu.number), level + 1)
    if len(snapshot.gpus) > _MOST_GPUS:
        add(parent, "p", f"and {len(snapshot.gpus) - _MOST_GPUS} more (--format json has all)", "soft")


def _told(parent: Element, snapshot: Snapshot, title: str) -> None:
    """The lines that every format has of a subject."""
    for block in blocks(snapshot):
        if block.title == title:
            for one in block.rows:
                add(parent, "p", shorten(plain(one), 600))


def _gpu(parent: Element, gpu: Gpu, code: str | None, level: int) -> None:
    heading(parent, level, f"{gpu.number}: {'a GPU that does not answer' if gpu.name is None else gpu.name}")
    if gpu.error is not None:
        add(parent, "p", f"NVML cannot open it: {gpu.error} (code {say(gpu.error_code)})", "error")
    if isinstance(gpu.memory_total, int) and isinstance(gpu.memory_free, int) and gpu.memory_total > 0:
        _memory(parent, gpu.memory_total - gpu.memory_free, gpu.memory_total)
    facts(parent, ((title, [text]) for title, text in _readings(gpu, code)))


def _memory(parent: Element, used: int, total: int) -> None:
    part = min(max(used / total, 0.0), 1.0)
    line = add(parent, "p", f"{gib(used)} of {gib(total)} used", "memory")
    bar = add(line, "span", "", "bar", aria_hidden="true")
    add(bar, "span", "", "used", style=f"width: {math.ceil(100 * part)}%")


def _readings(gpu: Gpu, code: str | None) -> Iterator[tuple[str, str]]:
    yield "Capability", say(gpu.compute_capability)
    if code is not None:
        yield "TensorFlow", f"its code for this GPU: {code}"
    if not (isinstance(gpu.memory_total, int) and isinstance(gpu.memory_free, int)):
        yield "Memory", gib(gpu.memory_total) if isinstance(gpu.memory_total, int) else say(gpu.memory_total)
    known = {
        "Held by": _held(gpu),
        "Driver model": gpu.driver_model,
        "Compute mode": None if gpu.compute_mode == "default" else gpu.compute_mode,
        "Clocks": _clocks(gpu),
        "MIG": _mig(gpu),
        "ECC": _ecc(gpu),
        "Load": _load(gpu),
        "PCIe": _link(gpu),
        "Bus": gpu.pci_address,
    }
    for title, value in known.items():
        if value is not None and not isinstance(value, Gap):
            yield title, value
    unknown = [title for title, value in known.items() if isinstance(value, Gap)]
    if unknown:
        yield "Unknown", ", ".join(unknown)


def _held(gpu: Gpu) -> str | None | Gap:
    if isinstance(gpu.processes, Gap) or not gpu.processes:
        return gpu.processes if isinstance(gpu.processes, Gap) else None
    return listed([f"{one.pid} ({one.name})" for one in gpu.processes], 5)


def _clocks(gpu: Gpu) -> str | None | Gap:
    reasons = gpu.clocks_event_reasons
    if isinstance(reasons, Gap) or reasons is None:
        return reasons
    held = [one for one in reasons if one != "gpu-idle"]
    return f"held down: {' '.join(held)}" if held else None


def _mig(gpu: Gpu) -> str | None | Gap:
    if gpu.mig_mode is not True:
        return None if gpu.mig_mode is False else gpu.mig_mode
    return f"on, {count(len(gpu.mig_devices), 'instance')}" if isinstance(gpu.mig_devices, tuple) else "on"


def _ecc(gpu: Gpu) -> str | None | Gap:
    if isinstance(gpu.ecc_uncorrected, int) and gpu.ecc_uncorrected:
        return count(gpu.ecc_uncorrected, "uncorrected error")
    return None


def _load(gpu: Gpu) -> str | None:
    """Temperature, power, use: as far as they are known."""
    parts = [
        f"{gpu.temperature_c} °C" if isinstance(gpu.temperature_c, int) else "",
        f"{gpu.power_w:.0f} W" if isinstance(gpu.power_w, float) and math.isfinite(gpu.power_w) else "",
        f"{gpu.utilization} % busy" if isinstance(gpu.utilization, int) else "",
    ]
    return ", ".join(part for part in parts if part) or None


def _link(gpu: Gpu) -> str | None | Gap:
    link = gpu.pcie
    if link is None or isinstance(link, Gap):
        return link
    lanes = "" if link.width is None else f"{link.width} lanes"
    most = "" if link.width_max in (None, link.width) else f" of {link.width_max}"
    now = "" if link.generation in (None, link.generation_max) else f" {link.generation} now,"
    speed = "" if link.generation_max is None else f", generation{now} {link.generation_max} at most"
    return f"{lanes}{most}{speed}".strip(", ") or None


def driver(parent: Element, report: Report, level: int) -> None:
    """Both halves of the driver, and what they answer."""
    heading(parent, level, "Driver")
    _told(parent, report.snapshot, "Driver")


def environment(parent: Element, report: Report, level: int) -> None:
    """The examined Python, its packages, the toolkits, the variables, the system."""
    heading(parent, level, "Environment")
    snapshot = report.snapshot
    shown = {block.title: block.rows for block in blocks(snapshot)}
    facts(parent, ((title, shown.get(title, ())) for title in ("Python", "Toolkits", "System")), 600)
    _packages(parent, snapshot)
    _variables(parent, snapshot)


def _packages(parent: Element, snapshot: Snapshot) -> None:
    python = snapshot.python
    found = python.distributions if isinstance(python, Python) else ()
    if isinstance(found, Gap) or not found:
        return
    short = shortened(snapshot)
    body = table(
        folding(parent, f"{count(len(found), 'package')} that matter to TensorFlow"),
        "What is installed for this Python",
        ("package", "version", "where"),
        "lean",
    )
    for one in found[:500]:
        torn = " (its RECORD is missing)" if one.complete is False else ""
        build = f" {one.build}" if one.build else ""
        row(body, one.name, (f"{one.version}{build}", f"{short(one.location)}{torn}"))


def _variables(parent: Element, snapshot: Snapshot) -> None:
    if isinstance(snapshot.environment, Gap):
        add(parent, "p", f"Variables: {say(snapshot.environment)}")
        return
    if not snapshot.environment.variables:
        add(parent, "p", "None of the variables that matter is set.")
        return
    number = count(len(snapshot.environment.variables), "variable")
    body = table(
        folding(parent, f"{number} that matter"), "Set in this environment", ("variable", "value", "decides"), "lean"
    )
    separator = ";" if _on_windows(snapshot) else ":"
    for one in _sorted(snapshot.environment):
        made = row(body, one[0], ())
        _value(add(made, "td"), one[1], separator if _is_list(one[0]) else "")
        add(made, "td", NAMES.get(one[0], ""), "soft")


def _sorted(environment: Environment) -> list[tuple[str, str]]:
    return sorted((one.name, one.value) for one in environment.variables)


# PATH and the like are lists; these are one folder or one file.
_NO_LIST = ("CUDA_PATH", "CUDNN_PATH", "CUDA_CACHE_PATH")


def _is_list(name: str) -> bool:
    return name == "LD_PRELOAD" or (name.endswith("PATH") and not name.startswith(_NO_LIST))


def _on_windows(snapshot: Snapshot) -> bool:
    return not isinstance(snapshot.system, Gap) and snapshot.system.os == "windows"


def _value(parent: Element, value: str, separator: str) -> None:
    """A list of folders as a list, in its order."""
    folders = value.split(separator) if separator else []
    if len(folders) < 2:
        add(parent, "code", shorten(plain(value), 1000)) if value else words(parent, "(empty)")
        return
    listed = add(parent, "ol", "", "folders")
    for folder in folders[:100]:
        add(add(listed, "li"), "code", shorten(plain(folder), 300) or "(empty: the current folder)")
    if len(folders) > 100:
        add(parent, "p", f"and {len(folders) - 100} more", "soft")
