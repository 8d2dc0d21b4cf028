"""Display adapters from the registry: the class of display devices, and NVIDIA's PCI devices without any driver.

The registry remembers cards that were taken out. What a driver's service lists under Enum is there now (the service
control manager writes that list anew at every start); for a device without a driver nothing tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Union

from gpucheck.compat.registry import DISPLAY, PCI, SERVICES
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion
from gpucheck.facts.windows import Adapter
from gpucheck.host import Host
from gpucheck.probes.windows import keys

_NVIDIA = "10de"
_MOST = 64  # numbered keys: dozens are left behind on machines that saw many cards
_DISPLAY_CLASS = DISPLAY.rpartition("\\")[2].lower()


class Device(NamedTuple):
    """A PCI device of NVIDIA, as Enum\\PCI describes it."""

    key: str
    name: str  # VEN_10DE&DEV_2684&SUBSYS_…&REV_A1
    description: str
    driver: Union[str, None]  # "{4d36e968-…}\\0001": its number among the display adapters
    display: bool
    address: Union[str, None]


def probe(host: Host) -> Union[tuple[Adapter, ...], Gap]:
    """All adapters that the registry knows, those with a driver first."""
    numbers = keys.below(host, DISPLAY)
    devices = _devices(host)
    if isinstance(numbers, Gap):
        return numbers
    if isinstance(devices, Gap):
        return devices
    served = _served(host)
    found: list[Adapter] = []
    for number in [one for one in numbers or () if one.isdecimal()][:_MOST]:
        of_number = next((one for one in devices if one.driver == f"{_DISPLAY_CLASS}\\{number}"), None)
        adapter = _adapter(host, f"{DISPLAY}\\{number}", of_number, served)
        if isinstance(adapter, Gap):
            return adapter
        if adapter is not None:
            found.append(adapter)
    found += [_without_driver(one, served) for one in devices if one.display and one.driver is None]
    return tuple(found)


def _adapter(
    host: Host, key: str, device: Union[Device, None], served: Union[frozenset[str], Gap]
) -> Union[Adapter, None, Gap]:
    read = keys.values(host, key)
    if isinstance(read, Gap):
        return read
    name = (read or {}).get("driverdesc")
    if read is None or not name:
        return None
    vendor, number = _ids(device.name if device else read.get("matchingdeviceid", ""))
    version = read.get("driverversion")
    return Adapter(
        name,
        vendor,
        number,
        read.get("providername"),
        version,
        nvidia_version(version) if vendor == _NVIDIA and "nvidia" in (read.get("providername") or "").lower() else None,
        device.address if device else None,
        _present(vendor, number, served),
        key,
    )


def _without_driver(device: Device, served: Union[frozenset[str], Gap]) -> Adapter:
    vendor, number = _ids(device.name)
    seen = _present(vendor, number, served)
    untold = Gap("the registry does not tell whether a device without a driver is there", "unsupported")
    name = device.description or "a display device"
    present = seen if seen is True else untold
    return Adapter(name, vendor, number, None, None, None, device.address, present, device.key)


def _ids(text: str) -> tuple[Union[str, None], Union[str, None]]:
    """Vendor and device of "pci\\ven_10de&dev_2684&subsys_…"."""
    low = text.lower()
    vendor, device = low.partition("ven_")[2][:4], low.partition("dev_")[2][:4]
    return (vendor, device) if len(vendor) == 4 and len(device) == 4 else (None, None)


def nvidia_version(text: Union[str, None]) -> Union[DriverVersion, None]:
    """552.22 of 31.0.15.5222: the last five digits of the third and fourth number, as NVIDIA counts."""
    parts = (text or "").split(".")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return None
    digits = (parts[2][-1] + parts[3].zfill(4))[-5:]
    return DriverVersion(f"{digits[:3].lstrip('0') or '0'}.{digits[3:]}")


def _present(
    vendor: Union[str, None], device: Union[str, None], served: Union[frozenset[str], Gap]
) -> Union[bool, Gap]:
    """Does a driver's service list it? Of other makers' services nothing is known."""
    if isinstance(served, Gap):
        return served
    if vendor != _NVIDIA:
        return Gap("only NVIDIA's and Windows' own display drivers are asked which devices they serve", "not-collected")
    return any(f"ven_{vendor}&dev_{device}" in one for one in served)


def _served(host: Host) -> Union[frozenset[str], Gap]:
    """What NVIDIA's driver and Windows' basic one serve now, lower case."""
    found: set[str] = set()
    for service in SERVICES.values():
        read = keys.values(host, f"{service}\\Enum")
        if isinstance(read, Gap):
            return read
        found.update(value.lower() for name, value in (read or {}).items() if name.isdecimal())
    return frozenset(found)


def nvidia_serves(host: Host) -> Union[bool, Gap]:
    """Is NVIDIA's kernel driver at work: is there a device that it serves?"""
    read = keys.values(host, f"{SERVICES['NVIDIA']}\\Enum")
    return read if isinstance(read, Gap) else any(name.isdecimal() for name in read or {})


def _devices(host: Host) -> Union[list[Device], Gap]:
    names = keys.below(host, PCI)
    if isinstance(names, Gap):
        return names
    found: list[Device] = []
    for name in names or ():
        if name.lower().startswith(f"ven_{_NVIDIA}&"):
            for device in _instances(host, name):
                if isinstance(device, Gap):
                    return device
                found.append(device)
    return found


def _instances(host: Host, name: str) -> Iterator[Union[Device, Gap]]:
    instances = keys.below(host, f"{PCI}\\{name}")
    if isinstance(instances, Gap):
        yield instances
        return
    for instance in instances or ():
        key = f"{PCI}\\{name}\\{instance}"
        read = keys.values(host, key)
        if isinstance(read, Gap):
            yield read
        elif read is not None:
            description = read.get("devicedesc", "").rpartition(";")[2]
            driver = read.get("driver", "").lower() or None
            address = _address(read.get("locationinformation", ""))
            yield Device(key, name, description, driver, _is_display(read), address)


def _address(text: str) -> Union[str, None]:
    """0000:01:00.0 of "@System32\\drivers\\pci.sys,#65536;PCI bus %1, device %2, function %3;(1,0,0)"."""
    numbers = text.rpartition("(")[2].rstrip(")").split(",")
    if len(numbers) != 3 or not all(one.isdecimal() and len(one) < 4 for one in numbers):
        return None
    bus, device, function = map(int, numbers)
    return f"0000:{bus:02x}:{device:02x}.{function}"


def _is_display(read: dict[str, str]) -> bool:
    """By its class, or by PCI's class code 03 where it has no driver that could give it one."""
    if read.get("classguid"):
        return read["classguid"].lower() == _DISPLAY_CLASS
    return "cc_03" in read.get("compatibleids", "").lower() or "cc_03" in read.get("hardwareid", "").lower()
