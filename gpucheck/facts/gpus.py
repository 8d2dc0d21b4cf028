"""Each GPU as NVML tells of it. A field that this GPU or driver does not support is ``None``."""

from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import ComputeCapability


class GpuProcess(NamedTuple):
    """Who holds memory. No command line: it may hold secrets."""

    pid: int
    used_bytes: Union[int, None]
    name: Union[str, None]  # the kernel's short name if it is a Python, a notebook or a display server, else "other"


class Pcie(NamedTuple):
    """Link generation and width (lanes). An idle GPU lowers its generation, so only the width is judged at rest."""

    generation: Union[int, None]
    generation_max: Union[int, None]
    width: Union[int, None]
    width_max: Union[int, None]


class Gpu(NamedTuple):
    number: int  # NVML's index, PCI bus order
    error: Union[str, None]  # set: NVML could not open it ("GPU is lost"); the rest is then None
    error_code: Union[int, None]
    name: Union[str, None]
    uuid: Union[str, None]
    pci_address: Union[str, None]
    compute_capability: Union[ComputeCapability, None, Gap]
    memory_total: Union[int, None, Gap]  # bytes
    memory_free: Union[int, None, Gap]  # bytes
    processes: Union[tuple[GpuProcess, ...], None, Gap]
    compute_mode: Union[str, None, Gap]  # default, exclusive-thread, prohibited, exclusive-process
    mig_mode: Union[bool, None, Gap]  # None: not a MIG GPU
    mig_devices: Union[tuple[str, ...], None, Gap]  # UUIDs of its instances
    ecc_mode: Union[bool, None, Gap]
    ecc_uncorrected: Union[int, None, Gap]  # volatile, since the driver loaded
    remapped_pending: Union[bool, None, Gap]
    remapped_failure: Union[bool, None, Gap]
    clocks_event_reasons: Union[tuple[str, ...], None, Gap]  # sw-power-cap, hw-slowdown, sw-thermal-slowdown …
    temperature_c: Union[int, None, Gap]
    slowdown_c: Union[int, None, Gap]  # NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
    power_w: Union[float, None, Gap]
    power_limit_w: Union[float, None, Gap]
    utilization: Union[int, None, Gap]  # percent
    pcie: Union[Pcie, None, Gap]
    nvlinks_active: Union[int, None, Gap]
    persistence: Union[bool, None, Gap]
    display_active: Union[bool, None, Gap]
