"""Each GPU as NVML tells of it, or libcuda where NVML does not.

A field that this GPU or driver does not support is ``None``. What NVML could not tell (an error, a hang, a crash, no
NVML at all) is a gap, unless libcuda told it.

libcuda shows the GPUs that CUDA_VISIBLE_DEVICES leaves to a program, in an order of its own (CUDA_DEVICE_ORDER: the
fastest first unless it says otherwise). So a list that comes from it may be shorter than the machine's, and its numbers
are those that programs count, not nvidia-smi's.
"""

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
    number: int  # NVML's index, PCI bus order; libcuda's own where `source` says libcuda and NVML listed no GPU
    error: Union[str, None]  # set: NVML could not open it or died of it; what it did not tell is a gap (GPU lost: None)
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
    source: str = "NVML"  # who told the compute capability: NVML or libcuda
    driver_model: Union[str, None, Gap] = None  # Windows: WDDM, TCC or MCDM; None: another system
    vbios: Union[str, None, Gap] = Gap("vbios was not recorded", "not-collected")  # version of the card's own BIOS
    clock_max_mhz: Union[int, None, Gap] = Gap("clock_max_mhz was not recorded", "not-collected")  # highest SM clock
