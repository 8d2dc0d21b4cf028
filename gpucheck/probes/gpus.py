"""The GPUs as NVML told of them; what it did not tell comes from libcuda (cuda_devices.py), or is a gap.

How NVML itself answered is in nvml.py.
"""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts.gap import Gap, GapKind
from gpucheck.facts.gpus import Gpu
from gpucheck.host import Host
from gpucheck.probes import answers

_WITHOUT_GAP = ("number", "error", "error_code", "name", "uuid", "pci_address", "source")
_MOST = 4096  # a count that no machine has is a library's nonsense
_LOST = (15, 16)  # nvml.h: GPU_IS_LOST, RESET_REQUIRED. There is nothing left to be known of such a GPU


def probe(host: Host) -> Union[tuple[Gpu, ...], Gap]:
    """Every GPU. One that NVML died of, and those it did not come to, are there too, with gaps.

    Where NVML lists none, those that libcuda shows: with what it tells, and gaps for the rest.
    """
    told = answers.read(host.answer("nvml"))
    gpus = Gap(f"NVML was {told.reason}", told.kind) if isinstance(told, Gap) else _listed(told)
    if not isinstance(gpus, Gap) and not any(isinstance(getattr(gpu, name), Gap) for gpu in gpus for name in _ASKED):
        return gpus
    from gpucheck.probes import cuda_devices

    devices = cuda_devices.probe(host)
    if isinstance(gpus, Gap):
        gap = Gap(f"NVML did not answer: {gpus.reason}", gpus.kind)
        return tuple(_read(device, gap) for device in devices) or gpus
    return cuda_devices.completed(gpus, tuple(_read(device, _NOT_ASKED) for device in devices), _ASKED)


_ASKED = ("compute_capability", "memory_total", "compute_mode")  # of libcuda
_NOT_ASKED = Gap("libcuda was not asked for this", "not-collected")


def _listed(told: answers.Told) -> Union[tuple[Gpu, ...], Gap]:
    """NVML's own list."""
    count = answers.whole(told.stages.get("system", {}).get("device_count"))
    if count is None:
        return _no_list(told)
    gpus = {gpu.number: gpu for gpu in (_told(stage, told) for stage in told.gpus)}
    broken_off = next((answers.whole(stage.get("number")) for stage in told.gpus if stage.get("more")), None)
    for number in range(min(count, _MOST)):
        if number in gpus:
            continue
        if broken_off is None:
            broken_off = number
            gpus[number] = _stopped_at(told, {"number": number})
        else:
            reason = f"NVML stopped at GPU {broken_off}, before this one"
            gpus[number] = _read({"number": number}, Gap(reason, "not-collected"))
    return tuple(gpus[number] for number in sorted(gpus))


def _no_list(told: answers.Told) -> Gap:
    if told.end is not None:
        return Gap(f"NVML {told.end}: {told.how}", _kind(told))
    load, init, system = (told.stages.get(name, {}) for name in ("load", "init", "system"))
    if not load.get("ok"):
        return Gap(f"NVML is not there: {load.get('message')}", "unsupported")
    return Gap(f"NVML answered with an error: {system.get('error') or init.get('error')}", "unreadable")


def _kind(told: answers.Told) -> GapKind:
    return "deadline" if told.end == "hung" else "crashed"


def _told(stage: dict[str, Any], told: answers.Told) -> Gpu:
    """A GPU from its lines. An error that does not say that it is gone leaves the rest unknown."""
    if stage.get("more"):
        return _stopped_at(told, stage)
    if stage.get("error") is None or stage.get("error_code") in _LOST:
        return _read(stage, None)
    return _read(stage, Gap(f"NVML could not open this GPU: {stage['error']}", "unreadable"))


def _stopped_at(told: answers.Told, stage: dict[str, Any]) -> Gpu:
    error = f"NVML {told.end or 'stopped'} while asking about this GPU: {told.how or 'its child process ended'}"
    return _read({**stage, "error": error}, Gap(error, _kind(told)))


def _read(stage: dict[str, Any], otherwise: Union[Gap, None]) -> Gpu:
    """A line of a child; a field that is not as it should be (a library's nonsense) becomes a gap.

    otherwise: what a field is that the line does not have.
    """
    from gpucheck.facts.codec import BadFacts, decode, hints

    values: dict[str, Any] = {"number": answers.whole(stage.get("number")) or 0, "source": stage.get("source", "NVML")}
    for name, hint in hints(Gpu).items():
        if name in values:
            continue
        if name not in stage:
            values[name] = None if name in _WITHOUT_GAP else otherwise
            continue
        try:
            values[name] = decode(hint, stage[name], name)
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
