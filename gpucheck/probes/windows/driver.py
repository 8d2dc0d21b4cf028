"""The NVIDIA driver on Windows: the cards and the driver from the registry, nvml.dll and nvcuda.dll, their answers.

What is Linux's alone (modules, device nodes, packages) is empty: Windows has none of it.
"""

from __future__ import annotations

from typing import Literal, Union

from gpucheck.compat.places import NVSMI
from gpucheck.facts import paths
from gpucheck.facts.driver import Driver, PciGpu, UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion
from gpucheck.facts.windows import Adapter
from gpucheck.host import Host, Pe, Stat
from gpucheck.probes import cuda, nvml, smi
from gpucheck.probes.windows import adapters, search_path
from gpucheck.probes.windows.loader import Loader
from gpucheck.probes.windows.toolkits import program_files

NVML, CUDA = "nvml.dll", "nvcuda.dll"


def probe(host: Host, loader: Loader) -> Driver:
    """Collect everything about the driver. Waits for the children that `gpucheck.probes.driver.start` began."""
    found = adapters.probe(host)
    serves = adapters.nvidia_serves(host)
    version, source = _version(found, serves)
    libraries = _libraries(host, loader)
    asked_nvml, asked_cuda = nvml.probe(host, libraries), cuda.probe(host, libraries)
    return Driver(
        module_version=version,
        module_source=source,
        module_open=None,
        modules=(),
        module_files=(),
        dkms=(),
        packages=(),
        nodes=(),
        pci=_cards(found),
        libraries=libraries,
        nvml=asked_nvml,
        cuda=asked_cuda,
        smi=smi.judged(host, _smi(host), asked_nvml, asked_cuda),
        fabric=None,
        prime=None,
        bbswitch=None,
    )


def _version(
    found: Union[tuple[Adapter, ...], Gap], serves: Union[bool, Gap]
) -> tuple[Union[DriverVersion, None, Gap], Union[str, None]]:
    """Of the driver that serves a card now; None: NVIDIA's driver serves none."""
    if isinstance(found, Gap):
        return found, None
    own = [one for one in found if one.nvidia_version is not None and one.present is not False]
    if isinstance(serves, Gap):
        return serves, None
    if not serves or not own:
        return None, None
    return own[0].nvidia_version, f"DriverVersion {own[0].driver_version} of {own[0].key}"


def _cards(found: Union[tuple[Adapter, ...], Gap]) -> Union[tuple[PciGpu, ...], Gap]:
    """The PCI cards among the adapters, without those that only the registry remembers."""
    if isinstance(found, Gap):
        return found
    return tuple(
        PciGpu(one.address or "", one.vendor, one.device, one.provider, None, None)
        for one in found
        if one.vendor and one.device and one.present is not False
    )


def _libraries(host: Host, loader: Loader) -> Union[tuple[UserLibrary, ...], Gap]:
    """nvml.dll and nvcuda.dll: of System32, of NVIDIA's older folder, and those that somebody put on PATH."""
    folders = [(paths.join(loader.root(), "System32"), True), (paths.join(program_files(host), NVSMI), True)]
    folders += [(folder, True) for folder, _ in loader.dirs()]
    found: list[UserLibrary] = []
    for name in (CUDA, NVML):
        seen: set[str] = set()
        for folder, reached in folders:
            listing = loader.listing(folder)
            if isinstance(listing, Gap):
                if listing.kind == "denied":
                    continue
                return listing
            path = paths.join(folder, (listing or {}).get(name, name))
            if name in (listing or {}) and paths.key(path) not in seen:
                found.append(_library(loader, name, path, not seen, reached))
                seen.add(paths.key(path))
    return tuple(found)


def _library(loader: Loader, name: str, path: str, first: bool, reached: bool) -> UserLibrary:
    header = loader.header(path)
    version = adapters.nvidia_version(header.file_version) if isinstance(header, Pe) and header.defect is None else None
    origin: Literal["driver"] = "driver"
    return UserLibrary(name, path, path, version, loader.defect(path), origin, first, reached)


def _smi(host: Host) -> Union[str, None]:
    """nvidia-smi.exe: in System32, in NVIDIA's older folder, on PATH."""
    own = search_path.of_process(host)
    folders = [paths.join(host.env("SYSTEMROOT") or "C:\\Windows", "System32"), paths.join(program_files(host), NVSMI)]
    folders += [one.expanded for one in (own.entries if own else ()) if isinstance(one.expanded, str)]
    for folder in folders:
        path = paths.join(folder, "nvidia-smi.exe")
        if isinstance(host.stat(path), Stat):
            return path
    return None
