"""A change in words: what it was, what it is, and what is in it. Values come out as the machine gave them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Union

from gpucheck.differing.tree import ABSENT, Leaf
from gpucheck.differing.units import (
    CUDA,
    DRIVER,
    ENVIRONMENT,
    MODULE,
    NVML,
    TENSORFLOW,
    USER_HALF,
    Unit,
    library_version,
)
from gpucheck.facts import paths
from gpucheck.facts.driver import CudaDriver, Nvml, PciGpu
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu, Pcie
from gpucheck.facts.libraries import LibraryCopy, Wanted
from gpucheck.facts.python import Distribution
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.toolkits import Toolkit
from gpucheck.facts.versions import Version

MOST_DETAILS = 12


class Words(NamedTuple):
    """Before and now in short; same: they say nothing, the details do."""

    before: Union[str, None]
    now: Union[str, None]
    details: tuple[str, ...]
    same: bool = False


def words(unit: Unit, leaves: Sequence[Leaf], before: Snapshot, now: Snapshot) -> Words:
    """What a reader needs to know of a change."""
    shown = _clipped(tuple(_line(leaf, _place(unit, leaf)) for leaf in leaves))
    if unit.name in _BY_NAME:
        one, two = (_BY_NAME[unit.name](each) for each in (before, now))
        return Words(one, two, shown, one == two)
    return _of_list(unit, leaves) or _of_leading(unit, leaves, shown) or Words(None, None, shown, same=True)


def _of_list(unit: Unit, leaves: Sequence[Leaf]) -> Union[Words, None]:
    """What came into a list, and what went out of it."""
    for leaf in leaves:
        told = _entries(leaf) if len(leaves) == 1 or leaf.plain.endswith((".value", ".entries")) else None
        if told is not None:
            return Words(_short(leaf.before), _short(leaf.now), told, same=True)
    if len(leaves) == 1 and _whole_item(leaves[0]) and (file := _file(leaves[0])):
        return Words(None, file, ()) if leaves[0].before is ABSENT else Words(file, None, ())
    one_list = len({leaf.plain for leaf in leaves}) == 1
    if one_list and all(_whole_item(leaf) and _key(leaf) not in unit.name for leaf in leaves):
        return Words(None, None, _clipped(tuple(map(_came_or_went, leaves))), same=True)
    return None


def _of_leading(unit: Unit, leaves: Sequence[Leaf], shown: tuple[str, ...]) -> Union[Words, None]:
    """By the one fact that tells most."""
    one_item = len({_key(leaf) for leaf in leaves}) == 1
    for leaf in leaves:
        about_it = one_item or _key(leaf) in unit.name or leaf.plain.startswith("libraries.wanted")
        telling = len(leaves) == 1 or leaf.plain.rpartition(".")[2] in _LEADING or _whole_item(leaf)
        one, two = _of_side(leaf, 0), _of_side(leaf, 1)
        if about_it and telling and one != two:
            return Words(one, two, shown if len(leaves) > 1 else ())
    return None


# The fact by which a change of several is called.
_LEADING = (
    "status",
    "version",
    "path",
    "value",
    "target",
    "kernel",
    "executable",
    "compute_mode",
    "mig_mode",
    "name",
    "model",
)


def _whole_item(leaf: Leaf) -> bool:
    return leaf.before is ABSENT or leaf.now is ABSENT


def _of_side(leaf: Leaf, side: int) -> Union[str, None]:
    """The leading fact in the words of the item that it is of."""
    value, item = (leaf.before, leaf.now)[side], leaf.item[side]
    if item is ABSENT and "[" in leaf.place:
        return None
    if leaf.plain.endswith(("_bytes", ".memory_total")) and isinstance(value, int):
        return f"{value / 2**30:.1f} GiB"
    if isinstance(item, Wanted) and leaf.plain != "libraries.wanted":
        return f"{_short(item.version)} {item.path}" if isinstance(item.path, str) else "not found"
    return _short(value)


def _libraries(snapshot: Snapshot) -> Union[str, None]:
    return None if isinstance(snapshot.driver, Gap) else library_version(snapshot.driver)


def _module(snapshot: Snapshot) -> Union[str, None]:
    version = None if isinstance(snapshot.driver, Gap) else known(snapshot.driver.module_version, None)
    return "not loaded" if version is None else version.text


def _tensorflow(snapshot: Snapshot) -> Union[str, None]:
    python = snapshot.python
    build = None if isinstance(python, Gap) else known(python.tensorflow, None)
    if build is None:
        return None
    version = _short(build.version)
    cuda = known(build.cuda_version, None)
    made = f"{build.distribution or 'tensorflow'} {version}"
    return f"{made} (CUDA {cuda})" if cuda is not None else made


def _environment(snapshot: Snapshot) -> Union[str, None]:
    """The examined Python: what it is and where."""
    python = snapshot.python
    if isinstance(python, Gap):
        return None
    kind = known(python.environment, None)
    return f"{python.executable} ({kind})" if kind else python.executable


def _file(leaf: Leaf) -> Union[str, None]:
    """A library's file in words: ``libcudnn.so.9 9.3.0 in /opt/cudnn/lib``."""
    copy = leaf.now if leaf.before is ABSENT else leaf.before
    if not isinstance(copy, LibraryCopy):
        return None
    return " ".join(filter(None, (paths.base(copy.path), _short(copy.version), "in", paths.parent(copy.path))))


def _came_or_went(leaf: Leaf) -> str:
    """An item of a list by its key: ``- /dev/nvidia0``."""
    key = _key(leaf)
    told = _short(leaf.now if leaf.before is ABSENT else leaf.before) or ""
    sign = "+" if leaf.before is ABSENT else "-"
    return f"{sign} {key}" if told == key or not told else f"{sign} {key}: {told}"


def _key(leaf: Leaf) -> str:
    return leaf.place.partition("[")[2].rpartition("]")[0]


def _nvml(snapshot: Snapshot) -> Union[str, None]:
    return None if isinstance(snapshot.driver, Gap) else _answer(snapshot.driver.nvml)


def _cuda(snapshot: Snapshot) -> Union[str, None]:
    return None if isinstance(snapshot.driver, Gap) else _answer(snapshot.driver.cuda)


def _answer(told: Union[Nvml, CudaDriver, Gap]) -> Union[str, None]:
    """What a library of the driver answered: ``ok``, ``error 803 CUDA_ERROR_SYSTEM_DRIVER_MISMATCH``, ``not-found``."""
    if isinstance(told, Gap):
        return None
    if told.status == "ok":
        return "ok" if told.device_count is None else f"ok ({told.device_count} listed)"
    return " ".join(part for part in (told.status, _short(told.code), told.error or told.message) if part)


_BY_NAME: dict[str, Callable[[Snapshot], Union[str, None]]] = {
    DRIVER.name: _libraries,
    USER_HALF.name: _libraries,
    MODULE.name: _module,
    TENSORFLOW.name: _tensorflow,
    ENVIRONMENT.name: _environment,
    NVML.name: _nvml,
    CUDA.name: _cuda,
}


def _place(unit: Unit, leaf: Leaf) -> str:
    """Of a GPU's facts the name alone: which GPU it is stands in the change's own name."""
    return leaf.place.rpartition("].")[2] if unit.name.startswith("GPU ") else leaf.place


def _line(leaf: Leaf, place: str) -> str:
    """One fact: ``driver.nvml.code: 0 → 18``."""
    entries = _entries(leaf)
    if entries is not None:
        return f"{place}: {'; '.join(entries)}"
    if leaf.before is ABSENT:
        return f"+ {place}{_item(leaf.now)}"
    if leaf.now is ABSENT:
        return f"- {place}{_item(leaf.before)}"
    return f"{place}: {_short(leaf.before) or 'none'} → {_short(leaf.now) or 'none'}"


def _item(value: Any) -> str:
    text = _short(value)
    return f": {text}" if text else ""


def _entries(leaf: Leaf) -> Union[tuple[str, ...], None]:
    """A list of folders or names: what came, what went, what moved. None: no such list."""
    before, now = _listed(leaf, leaf.before), _listed(leaf, leaf.now)
    if before is None or now is None:
        return None
    added = [one for one in now if one not in before]
    gone = [one for one in before if one not in now]
    made = [f"+ {one}{_rank(one, now)}" for one in added] + [f"- {one}{_rank(one, before)}" for one in gone]
    if not made and list(dict.fromkeys(now)) != list(dict.fromkeys(before)):
        made = [f"order: {' : '.join(now)}"]
    return _clipped(tuple(made)) or ("the same entries, some of them more or less often",)


def _rank(entry: str, entries: Sequence[str]) -> str:
    return " (first)" if len(entries) > 1 and entries[0] == entry else ""


def _listed(leaf: Leaf, value: Any) -> Union[list[str], None]:
    if isinstance(value, str) and leaf.plain == "environment.variables.value" and _is_path_list(leaf):
        separator = ";" if ";" in value or ":\\" in value else ":"
        return [one for one in value.split(separator) if one]
    if leaf.place == "environment.variables" or not isinstance(value, tuple) or hasattr(value, "_fields"):
        return None
    return [_entry(one) for one in value]


def _is_path_list(leaf: Leaf) -> bool:
    name = leaf.item[0].name if leaf.item[0] is not ABSENT else leaf.item[1].name
    return name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LD_PRELOAD", "TF_CUDA_PATHS")


def _entry(value: Any) -> str:
    if isinstance(value, str):
        return value
    for name in ("text", "path", "name", "pid"):
        if hasattr(value, name):
            return str(getattr(value, name))
    return _short(value) or "none"


def _clipped(lines: tuple[str, ...]) -> tuple[str, ...]:
    if len(lines) <= MOST_DETAILS:
        return lines
    return (*lines[: MOST_DETAILS - 1], f"and {len(lines) - MOST_DETAILS + 1} more")


def _short(value: Any) -> Union[str, None]:
    """A fact in a few words; None: not there."""
    if value is None or value is ABSENT:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Gap):
        return f"unknown ({value.reason})"
    if isinstance(value, Version):
        return value.text
    if hasattr(value, "_fields"):
        return _record(value)
    if isinstance(value, tuple):
        return ", ".join(_entry(one) for one in value[:8]) + (" …" if len(value) > 8 else "") or "none"
    return str(value)


def _record(value: Any) -> str:
    """A whole item by what it is known by."""
    if isinstance(value, Gpu):
        return f"{value.name or 'a GPU without a name'} ({value.pci_address or f'number {value.number}'})"
    if isinstance(value, PciGpu):
        return f"{value.vendor}:{value.device}, driver {_short(value.driver) or 'none'}"
    if isinstance(value, Pcie):
        return f"x{value.width} of x{value.width_max}, generation {value.generation_max}"
    if isinstance(value, Distribution):
        return value.version.text
    if isinstance(value, Wanted):
        return f"{value.soname}: {value.path if isinstance(value.path, str) else 'not found'}"
    if isinstance(value, Toolkit):
        return f"CUDA {_short(value.version) or 'of no version'}"
    if isinstance(value, (Nvml, CudaDriver)):
        return str(value.status)
    for name in ("value", "version", "path", "target", "root", "name"):
        if isinstance(getattr(value, name, None), (str, Version)):
            return str(getattr(value, name))
    return ""
