"""What Docker, Podman, NVIDIA's container toolkit, NVIDIA's images and Kubernetes print about GPUs.

Wording: moby/moby (daemon), NVIDIA/libnvidia-container 1.0 to 1.17 (src/cli, src/nvc*.c), NVIDIA/nvidia-container-
toolkit, NVIDIA/k8s-device-plugin, the entry points of nvcr.io's images 18 to 25.
"""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.words import between, said, version_after, word_after

_CLI = "NVIDIA/libnvidia-container 1.0 to 1.17"

Values = Union[dict[str, str], None]


def _no_driver(text: str) -> Values:
    driver = between(text, 'device driver "', '"')
    return {"driver": driver} if driver else {}


def _condition(text: str) -> Values:
    """unsatisfied condition: cuda>=12.4, please update your driver to a newer version, or use an earlier …"""
    rest = text.partition("unsatisfied condition:")[2].strip()
    condition = rest.partition(",")[0].split(": unknown")[0].strip()
    cuda = version_after(condition.replace(" ", ""), "cuda>=")
    return {"condition": condition, **({"cuda": cuda} if cuda else {})} if condition else None


def _load_library(text: str) -> Values:
    soname = word_after(text, "load library failed:")
    return {"soname": soname.rstrip(":")} if soname else {}


def _nvml(text: str) -> Values:
    error = text.partition("nvml error:")[2].partition(":")[0].strip(" '\"`.")
    return {"error": error.lower()} if error else None


def _device(text: str) -> Values:
    rest = text.partition("device error:")[2].strip(" '\"`\n").partition(": unknown\n")[0]
    return {"error": rest[:80]} if rest else None


def _insufficient(text: str) -> Values:
    return {"resource": "nvidia.com/gpu"}


def _release(text: str) -> Values:
    """ERROR: This container was built for NVIDIA Driver Release 535.86 or later, but version 470.57 was detected …"""
    wants = version_after(text, "NVIDIA Driver Release")
    has = version_after(text, "but version")
    values = {"minimum_driver": wants, "driver_version": has, "unavailable": str("UNAVAILABLE" in text).lower()}
    return {name: value for name, value in values.items() if value} if wants else None


def _capabilities(text: str) -> Values:
    _, _, rest = text.partition("NVIDIA_DRIVER_CAPABILITIES=")
    value = rest.strip("'\"").split()[0].strip("'\",]") if rest.strip("'\"").split() else ""
    return {"capabilities": value}


def _run(text: str) -> Values:
    """A typed ``docker run``: has it --gpus in front of the image's name?"""
    words = text.partition("docker run ")[2].split()
    asked = any(word.startswith("--gpus") for word in words) or "--runtime=nvidia" in text or "nvidia.com/gpu" in text
    return {"gpus": str(asked or "--runtime nvidia" in text or "nvidia-docker" in text).lower()} if words else None


MESSAGES = (
    Message(
        "docker-no-gpu-driver",
        ("could not select device driver", "capabilities: [[gpu"),
        _no_driver,
        "Docker was asked for a GPU, and no runtime on this host can give one: NVIDIA's container toolkit is not "
        "installed, not configured for Docker, or this Docker (snap, Docker Desktop without WSL) cannot use it.",
        look=("nvidia-ctk --version", "docker info | grep -i runtimes", "snap list docker"),
        source="moby/moby daemon/devices.go, 19.03 to 28",
    ),
    Message(
        "docker-no-nvidia-runtime",
        (
            "Unknown runtime specified nvidia", "unknown or invalid runtime name: nvidia", "runtime nvidia: not found",
            "nvidia-container-runtime: no such file",
            "nvidia-container-runtime: executable file not found", "nvidia-container-runtime-hook",
            "no runtime for nvidia is configured", "RuntimeHandler nvidia not supported",
        ),
        said,
        "A container was to be started with the runtime `nvidia`, which Docker or containerd does not know.",
        look=("sudo nvidia-ctk runtime configure --runtime=docker", "sudo systemctl restart docker"),
        source="moby/moby; containerd; opencontainers/runc",
    ),
    Message(
        "docker-cdi-unresolvable",
        ("unresolvable CDI devices", "failed to inject CDI devices", "CDI device injection failed"),
        said,
        "The container asks for a GPU by CDI, and no specification names it.",
        look=("nvidia-ctk cdi list", "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"),
        source="cncf-tags/container-device-interface; containers/podman",
    ),
    Message(
        "uvm-not-loaded",
        ("Could not load UVM kernel module",),
        said,
        "NVIDIA's memory module nvidia_uvm could not be loaded for a container.",
        look=("nvidia-smi", "sudo nvidia-modprobe -c 0 -u"),
        source="NVIDIA/nvidia-docker 1.0",
    ),
    Message(
        "docker-too-old-for-gpus",
        ("unknown flag: --gpus",),
        said,
        "This Docker is older than 19.03 and has no --gpus.",
        look=("docker --version",),
        source="docker/cli before 19.03",
    ),
    Message(
        "container-cli-library",
        ("load library failed:",),
        _load_library,
        "On the host this library of the driver could not be loaded: the driver is not installed there, or not where "
        "this Docker looks.",
        look=("nvidia-smi", "ldconfig -p | grep libnvidia-ml", "snap list docker"),
        source=_CLI,
    ),
    Message(
        "container-cli-nvml",
        ("nvml error:",),
        _nvml,
        "The host's driver refused NVIDIA's container tool, with this error: the same as nvidia-smi's on the host.",
        look=("nvidia-smi",),
        source=_CLI,
    ),
    Message(
        "container-cli-driver",
        ("initialization error: driver error", "initialization error: driver rpc", "initialization error: cuda error"),
        said,
        "The host's driver did not answer NVIDIA's container tool.",
        look=("nvidia-smi",),
        source=_CLI,
    ),
    Message(
        "container-requirement",
        ("unsatisfied condition:",),
        _condition,
        "The image states what it needs (NVIDIA_REQUIRE_CUDA), and the host's driver does not offer it.",
        look=("nvidia-smi --query-gpu=driver_version --format=csv", "# an image of an older CUDA, or a newer driver"),
        source=_CLI,
    ),
    Message(
        "container-cli-device",
        ("device error:",),
        _device,
        "The container asks for a GPU that the host does not have under this number or name.",
        look=("nvidia-smi -L",),
        source=_CLI,
    ),
    Message(
        "container-cli-cgroup",
        ("cgroup subsystem devices not found", "failed to get cgroup"),
        said,
        "This container toolkit is older than control groups of version 2, which the host uses.",
        look=("nvidia-ctk --version",),
        source=_CLI,
    ),
    Message(
        "container-cli-mount",
        ("libnvidia-ml.so.1: file exists", "libcuda.so.1: file exists"),
        said,
        "The image holds files of a driver itself, where the host's have to go: it was saved under WSL.",
        look=("# build the image anew without libcuda and libnvidia-ml in it",),
        source=_CLI,
    ),
    Message(
        "image-without-driver",
        (
            "The NVIDIA Driver was not detected", "Failed to detect NVIDIA driver version",
            "Use the NVIDIA Container Toolkit to start this container with GPU support",
            "to start this container with GPU support; see", "Use nvidia-docker run",
        ),
        said,
        "NVIDIA's image found no driver at its start: the container was started without a GPU.",
        look=("docker run --gpus all …",),
        source="entry points of nvcr.io/nvidia images, 18 to 25",
    ),
    Message(
        "image-driver-release",
        ("This container was built for NVIDIA Driver Release",),
        _release,
        "The image is newer than the host's driver.",
        look=("nvidia-smi --query-gpu=driver_version --format=csv",),
        source="entry points of nvcr.io/nvidia images, 18 to 25",
    ),
    Message(
        "image-gpu-unsupported",
        ("which is not yet supported in this version of the container", "No supported GPU(s) detected to run"),
        said,
        "The image holds no code for this GPU.",
        source="entry points of nvcr.io/nvidia images, 18 to 25",
    ),
    Message(
        "image-shared-memory",
        ("SHMEM allocation limit is set to the default of 64MB", "MOFED driver for multi-node communication was not"),
        said,
        "NVIDIA's image remarks on shared memory or network cards.",
        harmless="It is advice for training on several GPUs or machines, no fault.",
        source="entry points of nvcr.io/nvidia images, 18 to 25",
    ),
    Message(
        "driver-capabilities",
        ("NVIDIA_DRIVER_CAPABILITIES=",),
        _capabilities,
        "What of the driver the container gets: without `compute` there is no libcuda in it.",
        look=("docker run -e NVIDIA_DRIVER_CAPABILITIES=compute,utility --gpus all …",),
        source="NVIDIA/nvidia-container-toolkit, documentation",
    ),
    Message(
        "docker-run",
        ("docker run ",),
        _run,
        "A container's command line: --gpus has to stand in front of the image's name.",
        source="docker/cli",
    ),
    Message(
        "kubernetes-no-gpu",
        ("nsufficient nvidia.com/gpu", "nsufficient nvidia.com/mig"),
        _insufficient,
        "No node has a free GPU to give: all are taken, or the device plugin offers none.",
        look=("kubectl describe nodes | grep -A8 Allocatable", "kubectl get pods -A | grep device-plugin"),
        source="kubernetes/kubernetes scheduler, 1.10 to 1.34",
    ),
    Message(
        "device-plugin-without-driver",
        (
            "did you set the docker default runtime to", "did you configure the NVIDIA Container Toolkit",
            "could not load NVML library", "Detected non-NVML platform", "Incompatible platform detected",
        ),
        said,
        "NVIDIA's device plugin sees no driver in its own container: the node's runtime is not NVIDIA's, or the node "
        "has no driver.",
        look=("nvidia-smi", "sudo nvidia-ctk runtime configure --runtime=containerd --set-as-default"),
        source="NVIDIA/k8s-device-plugin 0.7 to 0.17",
    ),
    Message(
        "daemon-reloaded",
        ("systemctl daemon-reload", "systemd[1]: Reloading."),
        said,
        "systemd read its units anew, which takes the GPUs from running containers where cgroups are systemd's.",
        source="NVIDIA/nvidia-container-toolkit#48; NVIDIA/nvidia-docker#1730",
    ),
)  # fmt: skip
