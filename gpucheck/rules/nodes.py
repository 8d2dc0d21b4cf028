"""Between the module and a program: device nodes, their permissions, nvidia_uvm."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.errors import CUDA_UNKNOWN
from gpucheck.facts.driver import DeviceNode, Driver
from gpucheck.facts.gap import known, need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import container_of, cuda_works, gpu_number, nvidia_here, on_wsl

CONTROL, UVM = "/dev/nvidiactl", "/dev/nvidia-uvm"


def _running(snapshot: Snapshot) -> Driver | None:
    """The driver's facts where the module is loaded on this system and CUDA does not work yet."""
    if nvidia_here(snapshot) is None or on_wsl(snapshot):
        return None
    driver = need(snapshot.driver)
    if cuda_works(driver) or need(driver.module_version) is None:
        return None
    return driver


@rule(Severity.ERROR, explains=("cuda-init-failed", "nvml-not-answering"), on="linux")
def device_nodes_missing(snapshot: Snapshot) -> Iterator[Found]:
    """The module is loaded, and /dev/nvidiactl or every /dev/nvidiaN is missing.

    ## What it means
    Programs reach the driver through device nodes. udev or the setuid program nvidia-modprobe makes them; on a minimal
    system or in a chroot neither may run.

    ## Why it matters
    NVML answers "Driver Not Loaded" and CUDA "no device", though the module is loaded.

    ## How to fix
    Let nvidia-modprobe make them, at every boot if need be.

    ## References
    https://docs.nvidia.com/cuda/cuda-installation-guide-linux/
    """
    driver = _running(snapshot)
    if driver is None or container_of(snapshot) is not None:
        return
    paths = [node.path for node in need(driver.nodes)]
    if CONTROL in paths and any(gpu_number(path) is not None for path in paths):
        return
    missing = CONTROL if CONTROL not in paths else "every /dev/nvidiaN"
    yield found(
        f"The nvidia module {driver.module_version} is loaded, but {missing} is missing.",
        [
            ("driver.nodes", ", ".join(paths) or "none", "/dev"),
            ("driver.module_version", str(driver.module_version), driver.module_source or "/proc"),
        ],
        ["sudo nvidia-modprobe -c 0 -u", "ls -l /dev/nvidia*"],
    )


@rule(Severity.ERROR, explains=("cuda-init-failed", "nvml-no-permission", "nvml-not-answering"), on="linux")
def device_node_permission(snapshot: Snapshot) -> Iterator[Found]:
    """This user may not open the GPU's device nodes.

    ## What it means
    /dev/nvidia* are closed to others (a mode like 660 root:video), and the user is not in their group.

    ## Why it matters
    CUDA answers "no device" or "unknown error" for this user, and works for root.

    ## How to fix
    Add the user to the nodes' group and log in anew; in a container, give the process that group (--group-add).

    ## References
    https://download.nvidia.com/XFree86/Linux-x86_64/580.126.09/README/faq.html
    """
    if nvidia_here(snapshot) is None or cuda_works(need(snapshot.driver)):
        return
    nodes = [node for node in need(need(snapshot.driver).nodes) if _matters(node)]
    closed = [node for node in nodes if known(node.accessible, True) is False]
    if not closed:
        for node in nodes:
            need(node.accessible)
        return
    gpus = [node for node in nodes if gpu_number(node.path) is not None]
    open_ = [node for node in gpus if node not in closed]
    partly = bool(open_) and all(gpu_number(node.path) is not None for node in closed)
    first = closed[0]
    owner = f"uid {first.uid}, gid {first.gid}"
    fix = [f'sudo usermod -aG "$(stat -c %G {first.path})" "$USER"', "# log out and in again"]
    if not first.mode & 0o060 or first.gid == 0:
        fix = [
            "echo 'options nvidia NVreg_DeviceFileMode=0666' | sudo tee /etc/modprobe.d/nvidia-device-files.conf",
            "sudo reboot",
        ]
    yield found(
        f"This user may not open {', '.join(node.path for node in closed)} (mode {first.mode:04o}, {owner}).",
        [("driver.nodes.mode", f"{node.mode:04o} uid {node.uid} gid {node.gid}", node.path) for node in closed],
        fix,
        severity=Severity.WARNING if partly else None,
    )


def _matters(node: DeviceNode) -> bool:
    return node.path in (CONTROL, UVM, "/dev/dxg") or gpu_number(node.path) is not None


@rule(Severity.ERROR, explains=("cuda-init-failed",), on="linux")
def nvidia_uvm_not_loaded(snapshot: Snapshot) -> Iterator[Found]:
    """nvidia-smi works and CUDA does not: nvidia_uvm is not loaded, or its node is missing.

    ## What it means
    CUDA needs a second kernel module, nvidia_uvm, and its node /dev/nvidia-uvm. The driver loads it on first use by
    nvidia-modprobe; where that is missing or not setuid, and in containers without the node, it is not there.

    ## Why it matters
    cuInit answers CUDA_ERROR_UNKNOWN (999), although nvidia-smi shows everything in order.

    ## How to fix
    Load it, on the host: `sudo nvidia-modprobe -c 0 -u`. In a container, pass /dev/nvidia-uvm in.

    ## References
    https://github.com/pytorch/pytorch/issues/49081
    """
    driver = _running(snapshot)
    if driver is None or need(driver.cuda).status not in ("error", "ok"):
        return
    modules, paths = need(driver.modules), [node.path for node in need(driver.nodes)]
    if CONTROL not in paths or ("nvidia_uvm" in modules and UVM in paths):
        return
    inside = container_of(snapshot)
    if "nvidia_uvm" not in modules:
        said = "The kernel module nvidia_uvm is not loaded, and CUDA cannot start without it."
    elif inside:
        said = f"{UVM} is not passed into this {inside} container, and CUDA cannot start without it."
    else:
        said = f"{UVM} is missing, and CUDA cannot start without it."
    yield found(
        said,
        [
            ("driver.modules", ", ".join(one for one in modules if one.startswith("nvidia")), "/proc/modules"),
            ("driver.nodes", ", ".join(paths), "/dev"),
            ("driver.cuda.code", need(driver.cuda).code, "cuInit"),
        ],
        _uvm_fix(snapshot, inside),
    )


def _uvm_fix(snapshot: Snapshot, inside: str | None) -> list[str]:
    on_host = fixes.on_host(snapshot, ["sudo nvidia-modprobe -c 0 -u"])
    return [*on_host, "# then:", *fixes.pass_node_in(inside, UVM)] if inside else on_host


@rule(Severity.ERROR, explains=("cuda-init-failed",), on="linux")
def nvidia_uvm_broken_after_suspend(snapshot: Snapshot) -> Iterator[Found]:
    """CUDA answers "unknown error" on a machine that was suspended since it booted.

    ## What it means
    After suspend and resume nvidia_uvm can be left in a bad state: nvidia-smi works, cuInit answers 999.

    ## Why it matters
    CUDA stays broken until the module is loaded anew. PyTorch's hint at CUDA_VISIBLE_DEVICES misleads.

    ## How to fix
    Reload nvidia_uvm with no CUDA program running. To prevent it, let the driver save its memory over suspend
    (NVreg_PreserveVideoMemoryAllocations=1 and the nvidia-suspend services).

    ## References
    https://github.com/NVIDIA/nvidia-container-toolkit/issues/1155
    https://download.nvidia.com/XFree86/Linux-x86_64/580.126.09/README/powermanagement.html
    """
    driver = _running(snapshot)
    if driver is None or need(driver.cuda).code != CUDA_UNKNOWN or "nvidia_uvm" not in need(driver.modules):
        return
    if UVM not in [node.path for node in need(driver.nodes)]:
        return
    times = need(need(snapshot.system).suspends)
    if not times:
        return
    yield found(
        f"cuInit answers 999 and this machine was suspended {times} times since boot: nvidia_uvm is in a bad state.",
        [
            ("driver.cuda.code", "999", "cuInit"),
            ("system.suspends", str(times), "/sys/power/suspend_stats/success"),
            ("driver.modules", "nvidia_uvm", "/proc/modules"),
        ],
        fixes.on_host(snapshot, ["sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm", "# or: sudo reboot"]),
    )
