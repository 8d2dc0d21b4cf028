"""Which item of a list is which: a GPU by its UUID, a package by its name. Lists without such a key are one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gpucheck.facts.deep import Operation
from gpucheck.facts.driver import DeviceNode, DkmsBuild, PciGpu, UserLibrary
from gpucheck.facts.environment import Variable
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.libraries import LibraryCopy, SearchDir, Wanted
from gpucheck.facts.python import Distribution, Interpreter, Kernel, SharedObject
from gpucheck.facts.system import Disk
from gpucheck.facts.toolkits import Pointer, Toolkit
from gpucheck.facts.windows import Adapter, CudnnTree, PathEntry, RuntimeDll, ScopedVariable

_KEYS: dict[type, Callable[[Any], str]] = {
    PciGpu: lambda one: one.address,
    DeviceNode: lambda one: one.path,
    DkmsBuild: lambda one: f"{one.version} for {one.kernel}",
    UserLibrary: lambda one: one.path,
    LibraryCopy: lambda one: one.path,
    Wanted: lambda one: one.soname,
    Toolkit: lambda one: one.root,
    Pointer: lambda one: one.name,
    Distribution: lambda one: one.name,
    SharedObject: lambda one: one.path.replace("\\", "/").rpartition("/")[2],
    Kernel: lambda one: one.path,
    Interpreter: lambda one: one.path,
    Variable: lambda one: one.name,
    Disk: lambda one: one.role,
    Adapter: lambda one: one.key,
    ScopedVariable: lambda one: f"{one.name} of the {one.scope}",
    RuntimeDll: lambda one: one.name,
    CudnnTree: lambda one: one.root,
    Operation: lambda one: f"{one.device} {one.operation}",
}

# Folders that are searched in their order: another order, or another folder, is another list.
_ORDERED: dict[Any, Callable[[Any], str]] = {SearchDir: lambda one: one.path, PathEntry: lambda one: one.text}

Pair = tuple[str, int, int]  # key, place in the older list, place in the newer one; -1: not there


def pairs(before: tuple[Any, ...], now: tuple[Any, ...]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]] | None:
    """Every item of both lists once, in the older list's order and in the newer one's; None: a list without a key."""
    kinds = {type(one) for one in (*before, *now)}
    if kinds == {Gpu}:
        return _orders(*_gpu_keys(before, now))
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind in _ORDERED:
        first, second = (_keys(items, _ORDERED[kind]) for items in (before, now))
        return _orders(first, second) if first == second else None
    key = _KEYS.get(kind) if kind is not None else None
    return None if key is None else _orders(_keys(before, key), _keys(now, key))


def _keys(items: Iterable[Any], key: Callable[[Any], str]) -> list[str]:
    """Two of the same key (a package that lies in two folders) are told apart by their order."""
    seen: dict[str, int] = {}
    made = []
    for one in items:
        name = key(one)
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made


def _gpu_keys(before: tuple[Gpu, ...], now: tuple[Gpu, ...]) -> tuple[list[str], list[str]]:
    """The same GPU has the same UUID; where that is not known the same slot; where that is not the same number."""
    match: dict[int, int] = {}
    for way in _WAYS:
        taken = set(match.values())
        free: dict[Any, list[int]] = {}
        for place, gpu in enumerate(before):
            if place not in taken and way(gpu) is not None:
                free.setdefault(way(gpu), []).append(place)
        for at, gpu in enumerate(now):
            found = free.get(way(gpu)) if at not in match else None
            if found and _may_be_one(before[found[0]], gpu):
                match[at] = found.pop(0)
    first = _keys(before, lambda gpu: gpu.uuid or gpu.pci_address or f"number {gpu.number}")
    added = _keys((gpu for at, gpu in enumerate(now) if at not in match), lambda gpu: gpu.uuid or f"new {gpu.number}")
    rest = iter(added)
    second = [first[match[at]] if at in match else _unused(next(rest), first) for at in range(len(now))]
    return first, second


_WAYS: tuple[Callable[[Gpu], Any], ...] = (
    lambda gpu: gpu.uuid,
    lambda gpu: gpu.pci_address,
    lambda gpu: gpu.number,
)


def _may_be_one(before: Gpu, now: Gpu) -> bool:
    """Two cards that both tell their UUIDs, and not the same one, are two cards wherever they sit."""
    return not (before.uuid and now.uuid and before.uuid != now.uuid)


def _unused(key: str, taken: Iterable[str]) -> str:
    return f"{key} (new)" if key in taken else key


def _orders(before: list[str], now: list[str]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    at_before = {key: at for at, key in enumerate(before)}
    at_now = {key: at for at, key in enumerate(now)}
    first, second = (
        tuple((key, at_before.get(key, -1), at_now.get(key, -1)) for key in order)
        for order in (_merged(before, now), _merged(now, before))
    )
    return first, second


def _merged(kept: list[str], other: list[str]) -> list[str]:
    """One list's order; what only the other one has stands behind what it stands behind there."""
    known = set(kept)
    behind: dict[str | None, list[str]] = {}
    last: str | None = None
    for key in other:
        if key in known:
            last = key
        else:
            behind.setdefault(last, []).append(key)
    order = list(behind.get(None, ()))
    for key in kept:
        order += [key, *behind.get(key, ())]
    return order
