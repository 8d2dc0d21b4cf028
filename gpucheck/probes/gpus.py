"""The GPUs as NVML told of them. How NVML itself answered is in nvml.py."""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.host import Host
from gpucheck.probes import answers


def probe(host: Host) -> Union[tuple[Gpu, ...], Gap]:
    """Every GPU. One that NVML died of, and those it did not come to, are there too: with an error or as gaps."""
    told = answers.read(host.answer("nvml"))
    if isinstance(told, Gap):
        return Gap(f"NVML was {told.reason}", told.kind)
    count = answers.whole(told.stages.get("system", {}).get("device_count"))
    if count is None:
        return _no_list(told)
    gpus = {gpu.number: gpu for gpu in map(_read, told.gpus)}
    left = [number for number in range(min(count, _MOST)) if number not in gpus]
    for at, number in enumerate(left):
        gpus[number] = _stopped_at(number, told) if at == 0 else _not_reached(number, left[0])
    return tuple(gpus[number] for number in sorted(gpus))


_WITHOUT_GAP = ("number", "error", "error_code", "name", "uuid", "pci_address")
_MOST = 4096  # a count that no machine has is a library's nonsense


def _no_list(told: answers.Told) -> Gap:
    if told.end is not None:
        return Gap(f"NVML {told.end}: {told.how}", "deadline" if told.end == "hung" else "crashed")
    load, init, system = (told.stages.get(name, {}) for name in ("load", "init", "system"))
    if not load.get("ok"):
        return Gap(f"NVML is not there: {load.get('message')}", "unsupported")
    return Gap(f"NVML answered with an error: {system.get('error') or init.get('error')}", "unreadable")


def _blank(number: int) -> Gpu:
    from gpucheck.facts.codec import decode

    empty: Gpu = decode(Gpu, {"number": number, **dict.fromkeys(Gpu._fields[1:])})
    return empty


def _stopped_at(number: int, told: answers.Told) -> Gpu:
    return _blank(number)._replace(error=f"NVML {told.end or 'stopped'} while asking about this GPU: {told.how}")


def _not_reached(number: int, stopped_at: int) -> Gpu:
    gap = Gap(f"NVML stopped at GPU {stopped_at}, before this one", "not-collected")
    gaps: dict[str, Any] = {name: gap for name in Gpu._fields if name not in _WITHOUT_GAP}
    return _blank(number)._replace(**gaps)


def _read(stage: dict[str, Any]) -> Gpu:
    """A line of the child; a field that is not as it should be (a library's nonsense) becomes a gap."""
    from gpucheck.facts.codec import BadFacts, decode, hints

    number = answers.whole(stage.get("number")) or 0
    values: dict[str, Any] = {"number": number}
    for name, hint in hints(Gpu).items():
        if name == "number":
            continue
        try:
            values[name] = decode(hint, stage.get(name), name)
        except BadFacts as error:
            values[name] = None if name in _WITHOUT_GAP else Gap(str(error))
    values["pci_address"] = _short(values["pci_address"])
    return Gpu(**values)


def _short(address: Union[str, None]) -> Union[str, None]:
    """NVML writes the PCI domain with eight digits, Linux with four: 00000000:01:00.0 is 0000:01:00.0."""
    if address is None:
        return None
    domain, colon, rest = address.lower().partition(":")
    return f"{domain[-4:] if domain[:-4].strip('0') == '' else domain}{colon}{rest}"
