"""The kernel half: is there an NVIDIA card, and does the NVIDIA module drive it? Who else may hold it: holders.py."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.errors import NVML_DRIVER_NOT_LOADED
from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import (
    AMD,
    DRIVER_PACKAGES,
    FOLLOWERS,
    INTEL,
    cards_of,
    cuda_works,
    describe,
    driver_here,
    nvidia_here,
    on_wsl,
)
from gpucheck.rules.systems import on_windows, pci_source


def _module_missing(snapshot: Snapshot) -> Driver | None:
    """The driver's facts where a card is on the bus and no nvidia module is loaded; None: nothing to say here."""
    if nvidia_here(snapshot) is None or on_wsl(snapshot):
        return None
    driver = need(snapshot.driver)
    if cuda_works(driver) or not cards_of(driver) or need(driver.module_version) is not None:
        return None
    return driver


def _named(driver: Driver) -> str:
    cards = cards_of(driver)
    return ("the NVIDIA cards " if len(cards) > 1 else "the NVIDIA card ") + ", ".join(map(describe, cards))


def _kernel(snapshot: Snapshot) -> str:
    return need(need(snapshot.system).kernel)


@rule(Severity.INFO, decisive=True)
def ok_cpu_expected(snapshot: Snapshot) -> Iterator[Found]:
    """No NVIDIA GPU is here, so TensorFlow computes on the CPU as it must.

    ## What it means
    Neither the PCI bus nor a device node nor a loaded driver shows an NVIDIA GPU. Lines of TensorFlow about missing
    CUDA libraries are harmless on such a machine.

    ## Why it matters
    There is nothing to repair. If a GPU was expected, look at where this runs: a virtual machine needs the card passed
    through, a cluster's login node has none, a cloud machine needs an instance type with a GPU.

    ## How to fix
    Nothing, or move to a machine that has a GPU. `lspci | grep -i nvidia` on the host shows whether it has one.

    ## References
    https://github.com/keras-team/keras-io/issues/1794
    """
    if nvidia_here(snapshot) is not None or on_wsl(snapshot):
        return
    driver = need(snapshot.driver)
    cards = need(driver.pci)
    if [card for card in cards or () if card.vendor in (AMD, INTEL)]:
        return
    seen = "no PCI bus" if cards is None else "none"
    if need(driver.nvml).code == NVML_DRIVER_NOT_LOADED:
        return  # a driver that somebody installed: see nvidia-kernel-module-not-loaded
    yield found(
        "No NVIDIA GPU is visible here, so TensorFlow uses the CPU.",
        [
            ("driver.pci", seen, pci_source(snapshot)),
            ("driver.module_version", "none", "the driver"),
        ],
    )


@rule(Severity.INFO)
def gpu_not_nvidia(snapshot: Snapshot) -> Iterator[Found]:
    """The GPU is AMD's or Intel's, and CUDA builds of TensorFlow cannot use it.

    ## What it means
    The PCI bus shows a GPU of AMD or Intel and none of NVIDIA. TensorFlow from the Python Package Index computes on
    NVIDIA GPUs only, so it uses the CPU.

    ## Why it matters
    Installing CUDA or an NVIDIA driver here changes nothing.

    ## How to fix
    For AMD GPUs that ROCm supports there is AMD's build, tensorflow-rocm. For others: the CPU.

    ## References
    https://www.tensorflow.org/install/gpu_plugins
    https://rocm.docs.amd.com/projects/install-on-linux/en/latest/install/3rd-party/tensorflow-install.html
    """
    if nvidia_here(snapshot) is not None or on_wsl(snapshot):
        return
    cards = [card for card in need(need(snapshot.driver).pci) or () if card.vendor in (AMD, INTEL)]
    if not cards:
        return
    makers = " and ".join(sorted({"AMD" if card.vendor == AMD else "Intel" for card in cards}))
    yield found(
        f"The only GPU here is {makers}'s ({', '.join(map(describe, cards))}); TensorFlow's CUDA builds use the CPU.",
        [("driver.pci", ", ".join(map(describe, cards)), pci_source(snapshot))],
        ["# AMD GPUs that ROCm supports: AMD's build, tensorflow-rocm"] if "AMD" in makers else [],
    )


@rule(Severity.ERROR, explains=("nvidia-kernel-module-not-loaded", "nouveau-or-nova-bound", *FOLLOWERS))
def nvidia_driver_not_installed(snapshot: Snapshot) -> Iterator[Found]:
    """There is an NVIDIA card and no NVIDIA driver: no module, no package, no library.

    ## What it means
    The card is on the PCI bus, and nothing of NVIDIA's driver is on the disk; on Windows another driver (Microsoft's
    Basic Display Adapter) or none serves it. CUDA toolkits and pip's nvidia-* wheels bring no driver.

    ## Why it matters
    Without the driver no program can compute on the GPU.

    ## How to fix
    Install the driver by the distribution's own package and reboot. Do not mix it with NVIDIA's .run installer. On
    Windows: NVIDIA's installer. For
    Kepler cards R470 is the last branch, for Maxwell, Pascal and Volta R580.

    ## References
    https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
    https://ubuntu.com/server/docs/nvidia-drivers-installation
    """
    if on_windows(snapshot):
        from gpucheck.rules import windows_driver

        here = driver_here(snapshot)
        yield from windows_driver.not_installed(snapshot, here) if here else ()
        return
    driver = _module_missing(snapshot)
    if driver is None or need(driver.module_files) or need(driver.dkms):
        return
    if [one for one in need(driver.packages) if one.startswith(DRIVER_PACKAGES)]:
        return
    if [copy for copy in need(driver.libraries) if copy.origin == "driver"]:
        return
    yield found(
        f"No NVIDIA driver is installed for {_named(driver)}.",
        [
            ("driver.pci", _named(driver)[4:], "/sys/bus/pci/devices"),
            ("driver.module_files", "none", f"/lib/modules/{_kernel(snapshot)}"),
            ("driver.libraries", "none", "ld.so.cache and the loader's folders"),
        ],
        fixes.install_driver(snapshot),
    )


@rule(Severity.ERROR, decisive=True, explains=("device-nodes-missing", "nvidia-uvm-not-loaded", *FOLLOWERS), on="linux")
def nvidia_kernel_module_not_loaded(snapshot: Snapshot) -> Iterator[Found]:
    """The driver is installed or a card is there, and the running kernel has no nvidia module loaded.

    ## What it means
    The driver's kernel half does not run: it was never installed, it was built for another kernel (a kernel upgrade
    came without it), or it is there and was not or could not be loaded. The message says which.

    ## Why it matters
    nvidia-smi answers "couldn't communicate with the NVIDIA driver", TensorFlow "kernel driver does not appear to be
    running", and no program can use the GPU.

    ## How to fix
    Built for another kernel: install the running kernel's headers and let DKMS build. There but not loaded: load it by
    hand and read the kernel's log for the reason. A blind reinstallation of the driver is seldom needed.

    ## References
    https://github.com/tensorflow/tensorflow/issues/5473
    https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
    """
    driver = _module_missing(snapshot)
    if driver is None:
        yield from _driver_without_card(snapshot)
        return
    kernel = _kernel(snapshot)
    files, builds = known(driver.module_files, ()), known(driver.dkms, ())
    evidence = [
        ("driver.module_version", "none", "/proc/driver/nvidia/version, /sys/module/nvidia"),
        ("driver.pci", ", ".join(map(describe, cards_of(driver))), "/sys/bus/pci/devices"),
    ]
    others = sorted({build.kernel for build in builds if build.kernel != kernel and build.installed})
    failed = [build for build in builds if build.kernel == kernel and not build.installed]
    if files:
        said = f"is installed for the running kernel {kernel} but not loaded"
        evidence.append(("driver.module_files", files[0], f"/lib/modules/{kernel}"))
        fix = fixes.on_host(snapshot, ["sudo modprobe nvidia", "sudo dmesg | grep -iE 'nvidia|NVRM'"])
    elif others or failed:
        said = f"is built for {', '.join(others) or 'no kernel'} and not for the running kernel {kernel}"
        evidence.append(("driver.dkms", ", ".join(others) or "build not installed", "/var/lib/dkms"))
        fix = fixes.build_module(snapshot)
    else:
        said = f"is not there for the running kernel {kernel}"
        fix = fixes.build_module(snapshot)
    yield found(f"The nvidia kernel module {said}; {_named(driver)} cannot be used.", evidence, fix)


def _driver_without_card(snapshot: Snapshot) -> Iterator[Found]:
    """NVML's own word that its kernel half does not run, where no card is to be seen.

    A warning where the PCI bus was read: the same image runs on nodes with and without GPUs.
    """
    if nvidia_here(snapshot) is not None or on_wsl(snapshot):
        return
    driver = need(snapshot.driver)
    nvml = need(driver.nvml)
    if nvml.code != NVML_DRIVER_NOT_LOADED:
        return
    cards = need(driver.pci)
    seen = "there is no PCI bus to look for a card on" if cards is None else "the PCI bus shows no NVIDIA card"
    yield found(
        f"The driver's libraries are installed, but NVML says that the driver is not loaded; {seen}.",
        [
            ("driver.nvml.code", f"{NVML_DRIVER_NOT_LOADED} ({nvml.error})", nvml.path or "libnvidia-ml.so.1"),
            ("driver.module_version", "none", "/proc/driver/nvidia/version, /sys/module/nvidia"),
            ("driver.pci", "no PCI bus" if cards is None else "no NVIDIA card", "/sys/bus/pci/devices"),
        ],
        [
            "# no GPU is meant to be here: nothing to do. Else look for the card, then for the module:",
            *fixes.on_host(snapshot, ["lspci -nn | grep -i nvidia", "sudo modprobe nvidia"]),
        ],
        severity=None if cards is None else Severity.WARNING,
    )


# Folders of /lib/modules/<kernel> for what does not come with the kernel (depmod.d: updates, extra, weak-updates).
_ELSEWHERE = {"updates", "extra", "weak-updates", "dkms", "akmods"}


@rule(Severity.ERROR, explains=("nvidia-kernel-module-not-loaded", "device-nodes-missing", *FOLLOWERS), on="linux")
def secure_boot_unsigned_module(snapshot: Snapshot) -> Iterator[Found]:
    """Secure Boot is on, and the nvidia module that is installed does not load.

    ## What it means
    With Secure Boot the kernel loads only modules signed with a key that the firmware knows. The module was built on
    this machine (by DKMS or akmods) or installed beside the kernel's own, it is not loaded, and nothing else holds the
    card: most likely the key that signed it is not enrolled. A distribution's prebuilt module (Ubuntu's
    linux-modules-nvidia, under kernel/) is signed with a key that the firmware knows and is not accused.

    ## Why it matters
    `modprobe nvidia` says "Key was rejected by service" or "Required key not available"; everything after it says that
    the driver does not run.

    ## How to fix
    Enroll the key that signed the module (it asks for a password now and again at the next boot, in the blue MOK
    screen), or switch Secure Boot off in the firmware or, for a cloud machine, in its settings.

    ## References
    https://github.com/MicrosoftDocs/azure-docs/issues/111536
    https://docs.kernel.org/admin-guide/module-signing.html
    https://ubuntu.com/server/docs/nvidia-drivers-installation
    """
    driver = _module_missing(snapshot)
    if driver is None or not need(driver.module_files) or need(need(snapshot.system).secure_boot) is not True:
        return
    if any(need(card.driver) for card in cards_of(driver)) or need(driver.prime) == "intel":
        return
    if need(driver.bbswitch) == "OFF":
        return
    files = [path for path in need(driver.module_files) if _ELSEWHERE & set(path.split("/"))]
    if not files:
        return
    yield found(
        f"Secure Boot is on and the nvidia module for kernel {_kernel(snapshot)}, which the distribution did not sign, "
        "is installed but not loaded: most likely its signing key is not enrolled.",
        [
            ("system.secure_boot", "on", "/sys/firmware/efi/efivars/SecureBoot-*"),
            ("driver.module_files", files[0], f"/lib/modules/{_kernel(snapshot)}"),
            ("driver.module_version", "none", "/proc/driver/nvidia/version"),
        ],
        fixes.enroll_key(snapshot),
    )
