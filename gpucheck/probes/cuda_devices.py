"""The devices that libcuda shows to programs: what the cuda child told, for GPUs that NVML could not tell about.

CUDA_VISIBLE_DEVICES has been applied to them, and their order is CUDA's, not NVML's.
"""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.host import Host
from gpucheck.probes import answers


def probe(host: Host) -> tuple[dict[str, Any], ...]:
    """The child's lines, each a GPU's fields under their names in `gpucheck.facts.gpus.Gpu`.

    None of them unless libcuda told about every device that it counted: a list with holes would look like a machine
    with fewer GPUs.
    """
    told = answers.read(host.answer("cuda"))
    if isinstance(told, Gap):
        return ()
    count = answers.whole(told.stages.get("count", {}).get("device_count"))
    lines = tuple({**line, "source": "libcuda", "error": None} for line in told.devices)
    return lines if len(lines) == count else ()


def completed(gpus: tuple[Gpu, ...], devices: tuple[Gpu, ...], fields: tuple[str, ...]) -> tuple[Gpu, ...]:
    """NVML's GPUs with libcuda's answers in the gaps among those fields.

    A GPU is the same by UUID or PCI address. One that NVML told neither of is recognised by what is left over: NVML
    counts in the order of PCI addresses, and if as many are left on both sides, that order tells which is which.
    """
    anonymous = [gpu.number for gpu in gpus if gpu.uuid is None and gpu.pci_address is None]
    named = [gpu for gpu in gpus if gpu.number not in anonymous]
    left = sorted(
        (one for one in devices if not any(_same(gpu, one) for gpu in named)), key=lambda one: one.pci_address or ""
    )
    sure = len(left) == len(anonymous) and all(one.pci_address for one in left)
    by_order = dict(zip(anonymous, left, strict=True)) if sure else {}
    return tuple(
        _filled(gpu, by_order.get(gpu.number) or next((one for one in devices if _same(gpu, one)), None), fields)
        for gpu in gpus
    )


def _same(gpu: Gpu, device: Gpu) -> bool:
    return any(
        mine is not None and mine == other
        for mine, other in ((gpu.uuid, device.uuid), (gpu.pci_address, device.pci_address))
    )


def _filled(gpu: Gpu, device: Union[Gpu, None], fields: tuple[str, ...]) -> Gpu:
    if device is None:
        return gpu
    source = "libcuda" if isinstance(gpu.compute_capability, Gap) else gpu.source
    gaps = {name: getattr(device, name) for name in fields if isinstance(getattr(gpu, name), Gap)}
    words = {name: getattr(gpu, name) or getattr(device, name) for name in ("name", "uuid", "pci_address")}
    return gpu._replace(source=source, **words, **gaps)
