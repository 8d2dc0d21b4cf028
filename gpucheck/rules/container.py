"""Containers: what the host does not pass in.

Not here, because nothing inside can settle it: a host without NVIDIA's container toolkit. Docker then refuses
``--gpus`` before anything runs, so only its message tells (gpucheck.logs).
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.compat.errors import NVML_UNKNOWN
from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import need
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.nodes import CONTROL
from gpucheck.rules.presence import container_of, cuda_works, nvidia_here

_EVERYTHING = (
    "libcuda-missing",
    "libnvidia-ml-missing",
    "nvml-not-answering",
    "cuda-init-failed",
    "nvidia-uvm-not-loaded",
)


def _inside(snapshot: Snapshot) -> tuple[Driver, str] | None:
    """In a container on a machine whose NVIDIA driver runs, and CUDA does not work in it."""
    if nvidia_here(snapshot) is None:
        return None
    driver = need(snapshot.driver)
    if cuda_works(driver):
        return None
    kind = container_of(snapshot)
    if kind is None or need(need(snapshot.system).wsl) is not None or need(driver.module_version) is None:
        return None
    return driver, kind


@rule(Severity.ERROR, explains=_EVERYTHING, on="linux")
def docker_no_gpus_flag(snapshot: Snapshot) -> Iterator[Found]:
    """The host has a GPU and a running driver, and this container was given none of it.

    ## What it means
    No /dev/nvidia* is in the container: it was started without --gpus (or with the flag after the image's name, where
    it goes to the program), without --nv, or the pod asks for no GPU. The same is seen where the host has no NVIDIA
    Container Toolkit and the image merely sets NVIDIA_VISIBLE_DEVICES; inside the two cannot be told apart.

    ## Why it matters
    No program in the container can use the GPU; NVIDIA's images say "The NVIDIA Driver was not detected".

    ## How to fix
    Start the container anew with the GPU passed in. If docker then answers "could not select device driver", install
    nvidia-container-toolkit on the host. Do not install a driver in the image.

    ## References
    https://docs.docker.com/engine/containers/resource_constraints/#gpu
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html
    https://github.com/NVIDIA/nvidia-docker/issues/1243
    """
    inside = _inside(snapshot)
    if inside is None:
        return
    driver, kind = inside
    if any(node.path.startswith("/dev/nvidia") for node in need(driver.nodes)):
        return
    yield found(
        f"The host runs NVIDIA driver {driver.module_version}, but this {kind} container was given no GPU: "
        "it has no /dev/nvidia*.",
        [
            ("system.container", kind, "the container's marks"),
            (
                "driver.module_version",
                str(driver.module_version),
                driver.module_source or "/proc/driver/nvidia/version",
            ),
            ("driver.nodes", "none", "/dev"),
        ],
        fixes.pass_gpu_in(kind),
    )


@rule(Severity.ERROR, explains=("libcuda-missing", "cuda-init-failed", "nvidia-uvm-not-loaded"), on="linux")
def docker_driver_capabilities_missing_compute(snapshot: Snapshot) -> Iterator[Found]:
    """The container was given the GPU without the driver's compute libraries.

    ## What it means
    NVIDIA_DRIVER_CAPABILITIES says which parts of the driver the container toolkit mounts. Without "compute" (or
    "all") libcuda is not among them.

    ## Why it matters
    nvidia-smi may work in the container, while no CUDA program does.

    ## How to fix
    Start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility.

    ## References
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    https://github.com/NVIDIA/nvidia-docker/issues/1591
    """
    inside = _inside(snapshot)
    if inside is None:
        return
    driver, _kind = inside
    value = need(snapshot.environment).get("NVIDIA_DRIVER_CAPABILITIES")
    if not value or {"compute", "all"} & {part.strip() for part in value.split(",")}:
        return
    if CONTROL not in [node.path for node in need(driver.nodes)] or need(driver.cuda).status != "not-found":
        return
    yield found(
        f"NVIDIA_DRIVER_CAPABILITIES={value} lacks compute, so libcuda was not mounted into this container.",
        [
            ("environment.NVIDIA_DRIVER_CAPABILITIES", value, "the environment"),
            ("driver.cuda.status", "not-found", "dlopen of libcuda.so.1"),
        ],
        ["docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility IMAGE"],
    )


@rule(
    Severity.ERROR, explains=("nvml-not-answering", "cuda-init-failed", "nvidia-uvm-broken-after-suspend"), on="linux"
)
def container_lost_gpu_after_daemon_reload(snapshot: Snapshot) -> Iterator[Found]:
    """A running container has lost the GPU that it had: NVML answers "Unknown Error".

    ## What it means
    The device nodes are there, but the kernel forbids opening them. With systemd's cgroup driver a `systemctl
    daemon-reload` on the host rewrites the container's device rules and drops those that the NVIDIA hook had added.

    ## Why it matters
    Long-running containers lose their GPU without notice, while a new container works.

    ## How to fix
    Start the container anew. To prevent it: make the /dev/char links on the host, or pass GPUs by CDI.

    ## References
    https://github.com/NVIDIA/nvidia-docker/issues/1671
    https://github.com/NVIDIA/nvidia-container-toolkit/issues/48
    """
    inside = _inside(snapshot)
    if inside is None:
        return
    driver, kind = inside
    answer = need(driver.nvml)
    if answer.code != NVML_UNKNOWN or CONTROL not in [node.path for node in need(driver.nodes)]:
        return
    yield found(
        f"This {kind} container has lost its GPU: the device nodes are there, and NVML answers Unknown Error (999).",
        [
            ("system.container", kind, "the container's marks"),
            ("driver.nvml.code", "999", answer.path or "libnvidia-ml.so.1"),
            ("driver.nodes", CONTROL, "/dev"),
        ],
        [
            "# start the container anew; to prevent it, on the host:",
            "sudo nvidia-ctk system create-dev-char-symlinks --create-all",
        ],
    )
