"""Display and 3D controllers on the PCI bus: seen without any driver."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.driver import PciGpu
from gpucheck.facts.gap import Gap
from gpucheck.host import Host

_BUS = "/sys/bus/pci/devices"


def probe(host: Host) -> Union[tuple[PciGpu, ...], None, Gap]:
    """Every device of base class 03 (PCI Code and ID Assignment Specification); None: no PCI bus."""
    addresses = host.names(_BUS)
    if not isinstance(addresses, tuple):
        return addresses
    found: list[PciGpu] = []
    for address in addresses:
        kind = _word(host, address, "class")
        if kind is None or (isinstance(kind, str) and not kind.startswith("0x03")):
            continue
        device = kind if isinstance(kind, Gap) else _device(host, address)
        if isinstance(device, Gap):
            return device  # which GPUs there are is known whole or not at all
        if device is not None:
            found.append(device)
    return tuple(found)


def _word(host: Host, address: str, name: str) -> Union[str, None, Gap]:
    raw = host.read(f"{_BUS}/{address}/{name}", 64)
    return raw.decode("ascii", "replace").strip() if isinstance(raw, bytes) else raw


def _device(host: Host, address: str) -> Union[PciGpu, None, Gap]:
    """None: it went away between two questions."""
    vendor, device = _word(host, address, "vendor"), _word(host, address, "device")
    if not isinstance(vendor, str) or not isinstance(device, str):
        return vendor if isinstance(vendor, Gap) else device if isinstance(device, Gap) else None
    state = _word(host, address, "power_state")
    driver = host.real(f"{_BUS}/{address}/driver")
    return PciGpu(
        address,
        vendor.removeprefix("0x"),
        device.removeprefix("0x"),
        driver.rpartition("/")[2] if isinstance(driver, str) else driver,
        state,
        _responds(host, address, state),
    )


def _responds(host: Host, address: str, state: Union[str, None, Gap]) -> Union[bool, None, Gap]:
    # Reading it would wake a sleeping GPU (drivers/pci/pci-sysfs.c, pci_config_pm_runtime_get).
    if isinstance(state, str) and state.startswith("D3"):
        return None
    config = host.read(f"{_BUS}/{address}/config", 64)
    if not isinstance(config, bytes):
        return config
    return config[:4] != b"\xff\xff\xff\xff" if config else None
