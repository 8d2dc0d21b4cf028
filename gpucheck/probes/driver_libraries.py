"""The user-space half of the driver: every copy of libcuda.so.1 and libnvidia-ml.so.1, and the one the loader takes."""

from __future__ import annotations

from typing import Literal, Union

from gpucheck.facts.driver import UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion
from gpucheck.host import Elf, Host
from gpucheck.probes.loader import Hit, Loader

SONAMES = ("libcuda.so.1", "libnvidia-ml.so.1")

# Where drivers and toolkits put them, beside the folders that the loader searches anyway.
_PLACES = (
    "/usr/lib/wsl/lib",
    "/usr/lib/nvidia",
    "/usr/lib64/nvidia",
    "/usr/lib/nvidia/current",
    "/run/opengl-driver/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/cuda/compat",
    "/usr/local/cuda/lib64/stubs",
)


def probe(host: Host, loader: Loader) -> Union[tuple[UserLibrary, ...], Gap]:
    """All copies, those that the loader reaches first and in its order. A gap where its search cannot be followed."""
    found: list[UserLibrary] = []
    for soname in SONAMES:
        copies = _copies(host, loader, soname)
        if isinstance(copies, Gap):
            return copies
        found += copies
    return tuple(found)


def _copies(host: Host, loader: Loader, soname: str) -> Union[list[UserLibrary], Gap]:
    hit, cache = loader.resolve(soname), loader.cache()
    if isinstance(hit, Gap):
        return hit
    if hit is None and isinstance(cache, Gap):
        return cache
    first = hit.path if isinstance(hit, Hit) else None
    found: list[UserLibrary] = []
    seen: set[str] = set()
    for path, reached in _paths(loader, soname, first):
        folder, _, name = path.rpartition("/")
        place = f"{loader.real_dir(folder)}/{name}"
        if place in seen:
            continue
        seen.add(place)
        library = _library(host, loader, soname, path, path == first, reached)
        if library is not None:
            found.append(library)
    return found


def _paths(loader: Loader, soname: str, first: Union[str, None]) -> list[tuple[str, bool]]:
    """(path, does the loader search there?)"""
    paths = [(first, True)] if first else []
    paths += [(one.path, True) for one in loader.hits(soname) if isinstance(one, Hit)]
    folders = [(one.path, True) for one in loader.search_dirs() if one.path != "/etc/ld.so.cache"]
    for folder, reached in (*folders, *((place, False) for place in _PLACES)):
        listing = loader.listing(folder)
        if isinstance(listing, frozenset) and soname in listing:
            paths.append((f"{folder}/{soname}", reached))
    return paths


def _library(
    host: Host, loader: Loader, soname: str, path: str, first: bool, reached: bool
) -> Union[UserLibrary, None]:
    real = host.real(path)
    elf = loader.elf(path)
    if isinstance(elf, Elf) and elf.bits == 32 and loader.machine in ("x86_64", "aarch64") and "lib32" in path:
        return None  # the 32-bit half that games use, in its own folder
    defect = _defect(real, elf, loader.machine)
    return UserLibrary(soname, path, real, _version(real, path), defect, _origin(path, real), first, reached)


def _defect(real: Union[str, None, Gap], elf: Union[Elf, None, Gap], machine: str) -> Union[str, None, Gap]:
    if real is None or elf is None:
        return "dangling"
    if isinstance(elf, Gap):
        return elf
    if elf.defect:
        return elf.defect
    return "wrong-architecture" if elf.machine != machine else None


def _version(real: Union[str, None, Gap], path: str) -> Union[DriverVersion, None, Gap]:
    """From libcuda.so.580.126.09. WSL's and Jetson's files have no driver version in their names (libcuda.so.1.1)."""
    if isinstance(real, Gap):
        return real
    version = DriverVersion.parse((real or path).rpartition("/")[2].partition(".so.")[2])
    return version if version and version.major >= 100 else None


def _origin(path: str, real: Union[str, None, Gap]) -> Literal["driver", "stub", "compat", "wsl"]:
    for place in (path, real):
        if isinstance(place, str):
            folders = place.split("/")[:-1]
            if "stubs" in folders:
                return "stub"
            if "compat" in folders:
                return "compat"
            if place.startswith("/usr/lib/wsl/"):
                return "wsl"
    return "driver"
