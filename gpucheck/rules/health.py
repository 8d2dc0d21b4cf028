"""GPUs that work, and not as well as they should. Never an error: TensorFlow uses them."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.gap import known, need
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import described, named, nvidia_here

# The power cap alone is a GPU that works as hard as it may, and idle is idle.
_THROTTLES = ("hw-slowdown", "hw-thermal-slowdown", "hw-power-brake-slowdown", "sw-thermal-slowdown")
_UNDER_LOAD = 50  # percent; below it a GPU may lower its link to save power


def _gpus(snapshot: Snapshot) -> tuple[Gpu, ...]:
    return () if nvidia_here(snapshot) is None else described(snapshot)


@rule(Severity.WARNING, explains=("gpu-too-hot",))
def gpu_throttling(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU runs slower than it could: heat, or a power brake.

    ## What it means
    NVML names why the clocks are lowered: hw-slowdown and hw-thermal-slowdown (too hot), hw-power-brake-slowdown (the
    power supply asks), sw-thermal-slowdown. The power cap alone (sw-power-cap) and idling are normal.

    ## Why it matters
    The clocks drop to a half or less; timings of this machine mean nothing meanwhile.

    ## How to fix
    Look at fans, dust, room temperature and the power cables.

    ## References
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
    """
    for gpu in _gpus(snapshot):
        reasons = [one for one in need(gpu.clocks_event_reasons) or () if one in _THROTTLES]
        if reasons:
            heat = known(gpu.temperature_c, None)
            yield found(
                f"{named(gpu)} lowers its clocks: {', '.join(reasons)}" + (f" at {heat} °C." if heat else "."),
                [("gpus.clocks_event_reasons", ", ".join(reasons), "NVML"), ("gpus.temperature_c", heat, "NVML")],
                ["nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER", "# look at fans, dust and power cables"],
            )


@rule(Severity.WARNING)
def gpu_too_hot(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU is at the temperature at which it slows down.

    ## What it means
    The temperature has reached the GPU's own slowdown threshold.

    ## Why it matters
    It lowers its clocks, and switches off if it gets hotter still.

    ## How to fix
    Look at fans, dust and the room's temperature.

    ## References
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
    """
    for gpu in _gpus(snapshot):
        heat = need(gpu.temperature_c)
        limit = need(gpu.slowdown_c) if heat is not None else None
        if heat is not None and limit and heat >= limit:
            yield found(
                f"{named(gpu)} is at {heat} °C, its slowdown threshold is {limit} °C.",
                [("gpus.temperature_c", heat, "NVML"), ("gpus.slowdown_c", limit, "NVML")],
                ["nvidia-smi -q -d TEMPERATURE", "# look at fans and dust"],
            )


@rule(Severity.WARNING)
def pcie_link_degraded(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU's PCIe link is narrower, or under load slower, than card and slot allow.

    ## What it means
    The link runs on fewer lanes than NVML says this card and system can. A lower generation is normal at rest and is
    judged only while the GPU is busy.

    ## Why it matters
    Feeding data to the GPU takes two to sixteen times as long; computing itself does not.

    ## How to fix
    Reseat the card, look at the riser cable and at the slot (many boards halve lanes when an M.2 or a second card is
    plugged in), and at the BIOS' link settings.

    ## References
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
    """
    for gpu in _gpus(snapshot):
        link = need(gpu.pcie)
        if link is None:
            continue
        narrow = link.width is not None and link.width_max is not None and 0 < link.width < link.width_max
        busy = (need(gpu.utilization) or 0) >= _UNDER_LOAD if not narrow else False
        slow = (
            busy
            and link.generation is not None
            and link.generation_max is not None
            and 0 < link.generation < link.generation_max
        )
        if narrow or slow:
            now, most = f"gen {link.generation} x{link.width}", f"gen {link.generation_max} x{link.width_max}"
            yield found(
                f"{named(gpu)} is connected by PCIe {now}; this card and system can do {most}.",
                [("gpus.pcie", now, "NVML"), ("gpus.pcie.max", most, "NVML")],
                ["nvidia-smi -q", "# reseat the card; look at riser and BIOS"],
            )


@rule(Severity.WARNING)
def gpu_ecc_errors(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU has counted uncorrected memory errors since the driver was loaded.

    ## What it means
    ECC found errors that it could not correct. The programs that ran then were ended, or computed with wrong data.

    ## Why it matters
    Once may be a cosmic ray; more of them mean bad memory.

    ## How to fix
    Reset the GPU or reboot; if it comes again, run NVIDIA's field diagnostics and have the card replaced.

    ## References
    https://docs.nvidia.com/deploy/dynamic-page-retirement/
    https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/
    """
    for gpu in _gpus(snapshot):
        count = need(gpu.ecc_uncorrected)
        if count:
            yield found(
                f"{named(gpu)} has {count} uncorrected memory error(s) since the driver was loaded.",
                [("gpus.ecc_uncorrected", count, "NVML, volatile counter")],
                [
                    "nvidia-smi -q -d ECC,ROW_REMAPPER",
                    *fixes.or_restart(snapshot, ["# with nothing using it: sudo nvidia-smi --gpu-reset"]),
                ],
            )


@rule(Severity.WARNING)
def gpu_row_remap_pending(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU wants a reset to replace bad rows of its memory.

    ## What it means
    Ampere and later swap bad memory rows for spare ones, at the next reset of the GPU.

    ## Why it matters
    Until then the bad row stays in use and new errors are likely.

    ## How to fix
    Reset the GPU with nothing using it, or reboot.

    ## References
    https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/
    """
    for gpu in _gpus(snapshot):
        if need(gpu.remapped_pending):
            yield found(
                f"{named(gpu)} has memory rows waiting to be remapped at the next reset.",
                [("gpus.remapped_pending", "True", "NVML")],
                fixes.or_restart(snapshot, [f"sudo nvidia-smi -i {gpu.number} --gpu-reset", "# or: sudo reboot"]),
            )


@rule(Severity.WARNING)
def gpu_row_remap_failure(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU could not replace a bad row of its memory: no spare is left.

    ## What it means
    Remapping a row failed. NVIDIA counts this as a reason to replace the card.

    ## Why it matters
    Memory errors will come back.

    ## How to fix
    Have the card replaced.

    ## References
    https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/
    """
    for gpu in _gpus(snapshot):
        if need(gpu.remapped_failure):
            yield found(
                f"{named(gpu)} could not remap a bad memory row.",
                [("gpus.remapped_failure", "True", "NVML")],
                ["nvidia-smi -q -d ROW_REMAPPER", "# have the card replaced"],
            )
