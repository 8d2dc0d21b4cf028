"""The NVIDIA driver as a whole: each part is asked in a module of its own."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.driver import CudaDriver, Driver, Nvml
from gpucheck.facts.gap import Gap
from gpucheck.facts.wsl import Wsl
from gpucheck.host import Host
from gpucheck.probes import (
    containers,
    cuda,
    dkms,
    driver_libraries,
    fabric,
    hybrid,
    kernel,
    module_files,
    nodes,
    nvml,
    packages,
    pci,
    smi,
    system,
    waiting,
)
from gpucheck.probes.loader import Loader

_SECONDS = 1.0  # a dead network disk on LD_LIBRARY_PATH must not take NVML's answer with it


def start(host: Host) -> None:
    """Start the children that ask the driver's libraries; they run while other probes read files."""
    host.start(nvml.child(), cuda.child())


def probe(host: Host, loader: Union[Loader, None] = None) -> Driver:
    """Collect everything about the driver. Waits for the children that `start` began.

    loader: one that has searched this host already, so that no folder is listed twice.
    """
    container = containers.kind(host)
    libraries = waiting.at_most(
        _SECONDS, "looking for the driver's libraries", driver_libraries.probe, host, loader or Loader(host)
    )
    installed = packages.probe(host)
    module = kernel.module(host)
    asked_nvml = nvml.probe(host, libraries)
    asked_cuda = cuda.probe(host, libraries)
    return Driver(
        module_version=module.version,
        module_source=module.source,
        module_open=module.open,
        modules=kernel.modules(host),
        module_files=module_files.probe(host, container),
        dkms=dkms.probe(host, container),
        packages=installed,
        nodes=nodes.probe(host),
        pci=pci.probe(host),
        libraries=libraries,
        nvml=asked_nvml,
        cuda=asked_cuda,
        smi=smi.probe(host, asked_nvml, asked_cuda),
        fabric=fabric.probe(host, container, installed),
        prime=hybrid.prime(host),
        bbswitch=hybrid.bbswitch(host),
        wsl=_wsl(host, asked_nvml, asked_cuda),
    )


def _wsl(host: Host, asked_nvml: Union[Nvml, Gap], asked_cuda: Union[CudaDriver, Gap]) -> Union[Wsl, None, Gap]:
    version = system.wsl(host)
    if version != 2:
        return version if isinstance(version, Gap) else None
    from gpucheck.probes import wsl  # few machines are one

    return wsl.probe(host, asked_nvml, asked_cuda)
