"""Cards that the driver does not get to work: lost, failing when asked, or not supported by it."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.errors import NVML_NO_PERMISSION
from gpucheck.facts.gap import Gap, known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import GONE, cards_of, container_of, describe, named, nvidia_here, on_wsl


@rule(
    Severity.ERROR, explains=("gpu-query-failed", "nvml-not-answering", "cuda-init-failed", "gpu-not-bound-to-driver")
)
def gpu_lost(snapshot: Snapshot) -> Iterator[Found]:
    """A GPU has fallen off the bus, or must be reset.

    ## What it means
    NVML answers "GPU is lost" (15) or "GPU requires reset" (16), or the card's PCI configuration space reads all ones
    while the driver is loaded: power, heat, the slot or the card itself (Xid 79 in the kernel's log).

    ## Why it matters
    TensorFlow cannot use that GPU, and on machines with several often none of them.

    ## How to fix
    Read the Xid in the kernel's log, reset the GPU or reboot; a cold start if that does not help. If it comes back,
    look at power, cooling and seating, then have the card replaced.

    ## References
    https://docs.nvidia.com/deploy/xid-errors/
    https://github.com/leptonai/gpud/issues/604
    """
    if nvidia_here(snapshot) is None:
        return
    driver = need(snapshot.driver)
    gpus = known(snapshot.gpus, ())
    lost = [gpu for gpu in gpus if gpu.error_code in GONE]
    for gpu in lost:
        yield _lost(snapshot, named(gpu), ("gpus.error", gpu.error or "", "NVML"))
    if lost:
        return
    if not isinstance(driver.nvml, Gap) and driver.nvml.code in GONE:
        yield _lost(snapshot, "A GPU", ("driver.nvml.code", str(driver.nvml.code), "nvmlInit"))
        return
    if need(driver.nvml).status == "ok":
        need(snapshot.gpus)
    if on_wsl(snapshot) or need(driver.module_version) is None:
        return
    for card in cards_of(driver):
        if need(card.responds) is False:
            yield _lost(
                snapshot,
                describe(card),
                ("driver.pci.responds", "False", f"/sys/bus/pci/devices/{card.address}/config"),
            )


def _lost(snapshot: Snapshot, who: str, evidence: tuple[str, str, str]) -> Found:
    lines = [
        "sudo dmesg | grep -i xid | tail",
        "# with nothing using it:",
        "sudo nvidia-smi --gpu-reset",
        "sudo reboot",
    ]
    said = f"{who} is lost: it does not respond to the driver."
    return found(said, [evidence], fixes.on_machine(snapshot, lines))


@rule(Severity.WARNING)
def gpu_query_failed(snapshot: Snapshot) -> Iterator[Found]:
    """NVML lists a GPU and could not open it.

    ## What it means
    Asking for this GPU's handle failed with an error that is none of "lost" and "reset required", or NVML hung or
    crashed while it was asked about.

    ## Why it matters
    A program will hardly be able to use this GPU, and monitors that ask about all GPUs may hang or crash at it.

    ## How to fix
    Read the kernel's log for this card's address; try a reset or a reboot.

    ## References
    https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
    """
    if nvidia_here(snapshot) is None:
        return
    driver = need(snapshot.driver)
    if need(driver.nvml).status == "error":
        return
    for gpu in need(snapshot.gpus):
        if gpu.error is not None and gpu.error_code not in (*GONE, NVML_NO_PERMISSION):
            yield found(
                f"NVML cannot tell about {named(gpu)}: {gpu.error}.",
                [("gpus.error", gpu.error, "NVML"), ("gpus.error_code", gpu.error_code, "NVML")],
                fixes.on_machine(snapshot, ["sudo dmesg | grep -iE 'nvrm|xid' | tail -n 20"]),
            )


@rule(Severity.WARNING, on="linux")
def gpu_not_bound_to_driver(snapshot: Snapshot) -> Iterator[Found]:
    """The driver is loaded, and it does not drive a card that is on the bus.

    ## What it means
    PCI shows an NVIDIA card without a kernel driver, and NVML lists fewer GPUs. Either this driver does not support the
    card (R590 and newer dropped Maxwell, Pascal and Volta, R495 and newer Kepler; the open kernel module supports
    Turing and newer only), or its start failed.

    ## Why it matters
    TensorFlow cannot use that card.

    ## How to fix
    The kernel's log says why. An older card needs driver branch 580 (Maxwell, Pascal, Volta) or 470 (Kepler), with the
    proprietary module.

    ## References
    https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
    https://github.com/NVIDIA/open-gpu-kernel-modules
    """
    if nvidia_here(snapshot) is None or on_wsl(snapshot):
        return
    driver = need(snapshot.driver)
    module = need(driver.module_version)
    cards = cards_of(driver)
    if module is None or not cards or container_of(snapshot) is not None:
        return
    orphans = [card for card in cards if need(card.driver) is None and need(card.responds) is not False]
    if not orphans:
        return
    count = need(driver.nvml).device_count
    if count is not None and count >= len(cards):
        return
    why = ""
    if module.major >= 590:
        why = f"; if it is a Maxwell, Pascal or Volta card: branch {module.major} does not support those any more"
    elif known(driver.module_open, None):
        why = "; its open kernel module supports Turing and newer cards only"
    evidence = [("driver.pci.driver", "none", f"/sys/bus/pci/devices/{card.address}") for card in orphans]
    yield found(
        f"Driver {module} is loaded but does not drive {', '.join(map(describe, orphans))}{why}.",
        [*evidence, ("driver.nvml.device_count", count, "NVML")],
        [
            "sudo dmesg | grep -iE 'nvrm|nvidia' | tail -n 20",
            "# an older card: install driver branch 580 (Kepler: 470)",
        ],
        severity=None if count else Severity.ERROR,
    )
