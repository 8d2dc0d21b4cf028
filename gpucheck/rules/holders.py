"""Who else holds the card: another kernel driver, a virtual machine, or a laptop's power switch."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.gap import known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import FOLLOWERS, cards_of, cuda_works, describe, nvidia_here, on_wsl

_OPEN_DRIVERS = ("nouveau", "nova", "nova_core", "NovaCore")


@rule(Severity.ERROR, explains=("nvidia-kernel-module-not-loaded", "gpu-not-bound-to-driver", *FOLLOWERS), on="linux")
def nouveau_or_nova_bound(snapshot: Snapshot) -> Iterator[Found]:
    """The kernel's own driver, nouveau or nova, holds the card, so NVIDIA's cannot.

    ## What it means
    A card belongs to one kernel driver. nouveau (and nova_core of newer kernels) drives a display and no CUDA.

    ## Why it matters
    The nvidia module answers "No NVIDIA devices probed" or "already bound", and CUDA finds no device.

    ## How to fix
    Install NVIDIA's driver if it is not there; blacklist the other, rebuild the initial RAM disk and reboot.

    ## References
    https://github.com/NVIDIA/k8s-driver-manager/issues/37
    https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
    """
    if nvidia_here(snapshot) is None or on_wsl(snapshot):
        return
    cards = cards_of(need(snapshot.driver))
    bound = [card for card in cards if known(card.driver, None) in _OPEN_DRIVERS]
    if not bound:
        for card in cards:
            need(card.driver)
        return
    usable = any(known(card.driver, None) == "nvidia" for card in cards)
    holder = str(bound[0].driver)
    yield found(
        f"{describe(bound[0])} is held by the kernel driver {holder}, so NVIDIA's driver cannot use it.",
        [("driver.pci.driver", holder, f"/sys/bus/pci/devices/{card.address}/driver") for card in bound],
        fixes.blacklist(snapshot, "nova_core" if holder.lower().startswith("nova") else "nouveau"),
        severity=Severity.WARNING if usable else None,
    )


@rule(Severity.ERROR, explains=("nvidia-kernel-module-not-loaded", "gpu-not-bound-to-driver", *FOLLOWERS), on="linux")
def gpu_bound_to_vfio(snapshot: Snapshot) -> Iterator[Found]:
    """The card is reserved for a virtual machine (vfio-pci).

    ## What it means
    vfio-pci holds the card so that a guest can be given it. The host's NVIDIA driver cannot use it meanwhile.

    ## Why it matters
    On this host TensorFlow cannot compute on the card; in the guest it can.

    ## How to fix
    Run TensorFlow in the guest, or give the card back to the host: take its id out of the vfio-pci options
    (/etc/modprobe.d, the kernel's command line), rebuild the initial RAM disk and reboot.

    ## References
    https://docs.kernel.org/driver-api/vfio.html
    """
    if nvidia_here(snapshot) is None or on_wsl(snapshot):
        return
    cards = cards_of(need(snapshot.driver))
    bound = [card for card in cards if str(known(card.driver, None)).startswith("vfio")]
    if not bound:
        for card in cards:
            need(card.driver)
        return
    usable = any(known(card.driver, None) == "nvidia" for card in cards)
    yield found(
        f"{', '.join(map(describe, bound))} is reserved for a virtual machine (kernel driver {bound[0].driver}).",
        [("driver.pci.driver", str(card.driver), f"/sys/bus/pci/devices/{card.address}/driver") for card in bound],
        ["grep -rn vfio-pci /etc/modprobe.d /etc/default/grub", "# take the card's id out there, then reboot"],
        severity=Severity.WARNING if usable else None,
    )


@rule(
    Severity.ERROR,
    explains=("nvidia-kernel-module-not-loaded", "gpu-lost", "gpu-not-bound-to-driver", *FOLLOWERS),
    on="linux",
)
def hybrid_graphics_gpu_off(snapshot: Snapshot) -> Iterator[Found]:
    """A laptop's NVIDIA GPU is switched off in favour of the built-in one.

    ## What it means
    With hybrid graphics (Optimus) a profile decides whether the NVIDIA GPU has power: prime-select's "intel", or
    bbswitch's OFF. Its PCI configuration space then reads all ones (`lspci` shows rev ff) or its driver is kept out.

    ## Why it matters
    The driver finds no GPU, though it is installed and in order.

    ## How to fix
    Choose the profile that powers it and reboot. With bumblebee, start the program under `optirun`.

    ## References
    https://github.com/Bumblebee-Project/bbswitch
    """
    if nvidia_here(snapshot) is None or on_wsl(snapshot):
        return
    driver = need(snapshot.driver)
    if cuda_works(driver):
        return
    switch, profile = known(driver.bbswitch, None), known(driver.prime, None)
    if switch == "OFF":
        yield found(
            "bbswitch has switched the NVIDIA GPU off.",
            [("driver.bbswitch", "OFF", "/proc/acpi/bbswitch")],
            ["sudo tee /proc/acpi/bbswitch <<< ON", "# or, under bumblebee: optirun python your_program.py"],
        )
        return
    if profile == "intel" and need(driver.module_version) is None:
        yield found(
            "prime-select's profile is intel, which keeps the NVIDIA GPU off.",
            [("driver.prime", "intel", "prime-select")],
            ["sudo prime-select on-demand", "sudo reboot"],
        )
        return
    need(driver.bbswitch)
    need(driver.prime)
