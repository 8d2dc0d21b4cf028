"""Which of the GPUs that work a program can have: taken, partitioned, waiting for a daemon."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import known, need
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import alike, cuda_works, described, named, nvidia_here, usable

_GIB = 1 << 30


@rule(Severity.ERROR, decisive=True, explains=("cuda-init-failed",))
def exclusive_compute_mode(snapshot: Snapshot) -> Iterator[Found]:
    """The GPU's compute mode forbids a second program, or any.

    ## What it means
    nvidia-smi -c sets a compute mode: "exclusive process" lets one program at a time in, "prohibited" none. The GPU is
    prohibited, or exclusive and taken.

    ## Why it matters
    TensorFlow says "all CUDA-capable devices are busy or unavailable".

    ## How to fix
    Set the mode to default, or end the program that has the GPU. On a cluster the scheduler sets the mode: ask there.

    ## References
    https://github.com/tensorflow/tensorflow/issues/526
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#compute-modes
    """
    if nvidia_here(snapshot) is None:
        return
    gpus = usable(snapshot)
    blocked = [gpu for gpu in gpus if _blocked(gpu)]
    for gpu in blocked:
        held = "" if gpu.compute_mode == "prohibited" else f" and taken by {_holders(gpu)}"
        yield found(
            f"{named(gpu)} is in compute mode {gpu.compute_mode}{held}.",
            [("gpus.compute_mode", gpu.compute_mode, gpu.source), ("gpus.processes", _holders(gpu), "NVML")],
            fixes.spoken(snapshot, [f"sudo nvidia-smi -i {gpu.number} -c 0", "# or end the program that has the GPU"]),
            severity=None if len(blocked) == len(gpus) else Severity.WARNING,
        )


def _blocked(gpu: Gpu) -> bool:
    mode = need(gpu.compute_mode) or "default"
    return mode == "prohibited" or (mode.startswith("exclusive") and bool(need(gpu.processes)))


def _holders(gpu: Gpu) -> str:
    processes = known(gpu.processes, None) or ()
    if not processes:
        return "none"
    return ", ".join(
        f"pid {one.pid}"
        + (f" ({one.name})" if one.name else "")
        + (f" {one.used_bytes / _GIB:.1f} GiB" if one.used_bytes else "")
        for one in processes[:4]
    )


@rule(Severity.ERROR, explains=("cuda-init-failed",))
def mig_no_instance_visible(snapshot: Snapshot) -> Iterator[Found]:
    """MIG is switched on and the GPU has no instance.

    ## What it means
    A GPU in MIG mode computes only through its instances, and none was made (or none is given to this container). A
    program sees one MIG instance at most.

    ## Why it matters
    CUDA finds no device on that GPU, though nvidia-smi shows it.

    ## How to fix
    Make an instance (`nvidia-smi mig -lgip` lists the profiles), or switch MIG off.

    ## References
    https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
    https://github.com/nanoporetech/megalodon/issues/275
    """
    if nvidia_here(snapshot) is None:
        return
    gpus = usable(snapshot)
    empty = [gpu for gpu in gpus if need(gpu.mig_mode) and not need(gpu.mig_devices)]
    for group in alike(empty):
        one = len(group) == 1
        numbers = ",".join(str(gpu.number) for gpu in group)
        yield found(
            f"{named(*group)} {'is' if one else 'are'} in MIG mode and {'has' if one else 'have'} no instance, "
            f"so CUDA sees no device on {'it' if one else 'them'}.",
            [("gpus.mig_mode", "on", "NVML"), ("gpus.mig_devices", "none", "NVML")],
            [
                f"sudo nvidia-smi mig -i {numbers} -lgip",
                f"sudo nvidia-smi mig -i {numbers} -cgi PROFILE_ID -C",
                f"# or switch MIG off: sudo nvidia-smi -i {numbers} -mig 0",
            ],
            severity=None if len(empty) == len(gpus) else Severity.WARNING,
        )


@rule(Severity.ERROR, explains=("cuda-init-failed",))
def fabricmanager_not_running(snapshot: Snapshot) -> Iterator[Found]:
    """An NVSwitch machine without its fabric manager, or with one of another version than the driver.

    ## What it means
    On HGX and DGX boards the GPUs hang on NVSwitches, which the service nvidia-fabricmanager must set up. It does not
    run, or it belongs to another driver version.

    ## Why it matters
    cuInit answers 802, CUDA_ERROR_SYSTEM_NOT_READY, while nvidia-smi shows everything in order.

    ## How to fix
    Install the fabric manager of exactly the driver's version, enable and start it.

    ## References
    https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/
    https://github.com/aws-samples/aws-deep-learning-ami-ubuntu-dcv-desktop/issues/33
    """
    if nvidia_here(snapshot) is None or cuda_works(need(snapshot.driver)):
        return
    driver = need(snapshot.driver)
    fabric = need(driver.fabric)
    if fabric is None or not fabric.switches or need(driver.cuda).status != "error":
        return
    case = _fabric_case(driver)
    if case:
        yield found(
            f"This machine has {fabric.switches} NVSwitches, and the fabric manager {case}.",
            [
                ("driver.fabric.switches", str(fabric.switches), "/proc/driver/nvidia-nvswitch/devices"),
                ("driver.fabric.manager_running", str(known(fabric.manager_running, False)), "/proc"),
                ("driver.cuda.code", need(driver.cuda).code, "cuInit"),
            ],
            fixes.on_host(
                snapshot,
                [
                    "systemctl status nvidia-fabricmanager",
                    "# install it in the driver's own version, then:",
                    "sudo systemctl enable --now nvidia-fabricmanager",
                ],
            ),
        )


def _fabric_case(driver: Driver) -> str | None:
    fabric, module = need(driver.fabric), need(driver.module_version)
    assert fabric is not None
    version = known(fabric.manager_version, None)
    # A package's version has a tail (580.126.09-0ubuntu1) that is none of the driver's.
    if version is not None and module is not None and version.parts != module.parts:
        return f"is {version} while the driver is {module}"
    if not need(fabric.manager_running):
        return "does not run"
    need(fabric.manager_version)
    return None


@rule(Severity.WARNING)
def gpu_memory_held_by_other_process(snapshot: Snapshot) -> Iterator[Found]:
    """Other programs hold more than half of a GPU's memory.

    ## What it means
    Memory of the GPU is taken before TensorFlow starts: a notebook whose kernel still runs, a program left over, an
    inference server, or another framework. Processes outside this container are not named.

    ## Why it matters
    TensorFlow takes nearly all that is left; models that fitted before end with out of memory, or cuDNN cannot start.

    ## How to fix
    End what is not needed (shut notebook kernels down), or let TensorFlow grow: TF_FORCE_GPU_ALLOW_GROWTH=true.

    ## References
    https://github.com/endernewton/tf-faster-rcnn/issues/7
    https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth
    """
    if nvidia_here(snapshot) is None:
        return
    for gpu in described(snapshot):
        total, free = need(gpu.memory_total), need(gpu.memory_free)
        # In MIG mode the whole GPU's figures say nothing about an instance.
        if not total or free is None or need(gpu.mig_mode) or 2 * free > total:
            continue
        yield found(
            f"{named(gpu)}: {(total - free) / _GIB:.1f} of {total / _GIB:.1f} GiB are taken by other processes "
            f"({_holders(gpu) if known(gpu.processes, None) else 'not visible from here'}).",
            [
                ("gpus.memory_free", f"{free / _GIB:.1f} GiB", "NVML"),
                ("gpus.memory_total", f"{total / _GIB:.1f} GiB", "NVML"),
                ("gpus.processes", _holders(gpu), "NVML"),
            ],
            fixes.spoken(
                snapshot, ["nvidia-smi", "# end what is not needed, or: export TF_FORCE_GPU_ALLOW_GROWTH=true"]
            ),
        )
