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
    return tuple(_device(host, address) for address in addresses if _word(host, address, "class").startswith("0x03"))


def _word(host: Host, address: str, name: str) -> str:
    """The attribute's text; "" where it is not there or not readable."""
    raw = host.read(f"{_BUS}/{address}/{name}", 64)
    return raw.decode("ascii", "replace").strip() if isinstance(raw, bytes) else ""


def _device(host: Host, address: str) -> PciGpu:
    power = host.read(f"{_BUS}/{address}/power_state", 64)
    state = power.decode("ascii", "replace").strip() if isinstance(power, bytes) else power
    driver = host.real(f"{_BUS}/{address}/driver")
    return PciGpu(
        address,
        _word(host, address, "vendor").removeprefix("0x"),
        _word(host, address, "device").removeprefix("0x"),
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
