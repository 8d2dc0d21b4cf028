"""Containers: Docker, Podman and Kubernetes that do not give a GPU, by their own words or by the image's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.logs.judging import Open, Place, cause, left, question, told
from gpucheck.logs.judging.setting import gpu_works, in_container, on_wsl, without_gpus_flag
from gpucheck.rules.engine import Found, found

_TOOLKIT, _FLAG = "docker-no-nvidia-container-toolkit", "docker-no-gpus-flag"
_NO_COMPUTE, _LOST = "docker-driver-capabilities-missing-compute", "container-lost-gpu-after-daemon-reload"
_INSTALL = (
    "sudo apt-get install -y nvidia-container-toolkit",
    "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker",
    "docker run --rm --gpus all ubuntu nvidia-smi",
)
NVML_UNKNOWN = "999"


def _evidence(*clues: Union[Clue, None]) -> list[tuple[str, object, str]]:
    return [told(clue) for clue in clues if clue is not None]


@cause(_TOOLKIT, Place.INSTALLER, explains=(_FLAG, "libcuda-missing", "nvidia-kernel-module-not-loaded"))
def no_toolkit(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """Docker cannot give a container the GPU: NVIDIA's container toolkit is not there, or not configured.

    ## What it means
    Docker itself knows no GPUs. The container toolkit puts the driver's files and devices into a container; without it
    `--gpus all` ends in "could not select device driver", `--runtime=nvidia` in "unknown or invalid runtime name", and
    Kubernetes' device plugin sees no driver. A Docker from snap, and Docker Desktop on Linux, cannot use the host's
    toolkit.

    ## Why it matters
    The container does not start, or has no GPU.

    ## How to fix
    Install nvidia-container-toolkit on the host, let it configure the runtime, and restart the daemon. Take Docker's
    own packages instead of snap's.

    ## References
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html
    https://github.com/NVIDIA/nvidia-docker/issues/1243
    """
    clue = log.first(
        "docker-no-gpu-driver", "docker-no-nvidia-runtime", "docker-cdi-unresolvable", "device-plugin-without-driver",
        "docker-too-old-for-gpus", "container-cli-cgroup",
    )  # fmt: skip
    if clue is None:
        return
    said = {
        "docker-no-nvidia-runtime": "The runtime `nvidia` is not known here: NVIDIA's container toolkit is not "
        "installed or not configured.",
        "docker-cdi-unresolvable": "No CDI specification names the GPU: the container toolkit has not written one.",
        "docker-too-old-for-gpus": "This Docker is older than 19.03 and cannot give GPUs.",
        "container-cli-cgroup": "NVIDIA's container toolkit is older than control groups of version 2.",
    }
    fix = [*_INSTALL]
    if clue.message == "docker-cdi-unresolvable":
        fix = ["sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml", "nvidia-ctk cdi list"]
    default = "Docker has nothing that could give a container the GPU: NVIDIA's container toolkit is missing."
    fix.append("# a Docker from snap: replace it by Docker's own")
    yield found(said.get(clue.message, default), [told(clue)], fix)


@question(Place.INSTALLER)
def why_no_library(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """NVIDIA's container tool runs on the host and finds no libnvidia-ml there."""
    clue = log.first("container-cli-library")
    if clue is None:
        return
    wsl = {"wsl-libcuda-not-on-path": "/usr/lib/wsl/lib/libnvidia-ml.so.1 is there and ldconfig -p does not list it"}
    snap = {_TOOLKIT: "nvidia-smi works on the host, and Docker is snap's or Docker Desktop"}
    none = {"nvidia-driver-not-installed": "nvidia-smi does not work on the host either"}
    yield left(
        "On the host, NVIDIA's container tool could not load the driver's library.",
        [told(clue)],
        {**wsl, **none} if on_wsl(log, snapshot) else {**snap, **none},
        "nvidia-smi; snap list docker; docker info | grep -i 'operating system'",
    )


@question(Place.INSTALLER)
def why_host_fails(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """The host's driver failed NVIDIA's container tool, without a reason."""
    clue = log.first("container-cli-driver") or _host_error(log, "unknown error")
    module = {"nvidia-kernel-module-not-loaded": "nvidia-smi fails on the host, too"}
    toolkit = {_TOOLKIT: "nvidia-smi works there: the toolkit is too old or of another source than NVIDIA's"}
    if clue is not None:
        yield left(
            "On the host, the driver failed NVIDIA's container tool.",
            [told(clue)],
            {**module, **toolkit} if clue.message == "container-cli-driver" else {**toolkit, **module},
            "nvidia-smi; sudo nvidia-container-cli -k -d /dev/tty info",
        )


@cause("driver-too-old-for-cuda", Place.INSTALLER)
def image_wants_newer(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    conditions = [clue for clue in log.all("container-requirement") if "brand" not in (clue.get("condition") or "")]
    release = [clue for clue in log.all("image-driver-release") if clue.get("unavailable") == "true"]
    clue = next(iter([*conditions, *release]), None)
    if clue is None:
        return
    wants = f"CUDA {clue.get('cuda')}" if clue.get("cuda") else clue.get("condition") or ""
    wants = f"driver {clue.get('minimum_driver')}" if clue.get("minimum_driver") else wants
    yield found(
        f"The image needs {wants}, and the host's driver does not offer it"
        f"{': it is ' + str(clue.get('driver_version')) if clue.get('driver_version') else ''}.",
        [told(clue)],
        ["nvidia-smi", "# a newer driver on the host, or an image of an older CUDA"],
    )


@cause("driver-library-version-mismatch", Place.START, explains=(_TOOLKIT,))
def host_mismatch(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    message = "The host's driver was updated, and its old kernel module still runs."
    yield from _host_driver(log, "mismatch", message, "sudo reboot")


@cause("nvidia-kernel-module-not-loaded", Place.START, explains=(_TOOLKIT,))
def host_module(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    message = "The host's kernel module is not loaded."
    yield from _host_driver(log, "not loaded", message, "sudo modprobe nvidia; dkms status")


def _host_driver(log: Log, error: str, message: str, fix: str) -> Iterator[Found]:
    clue = _host_error(log, error)
    if clue is not None:
        yield found(message, [told(clue)], [fix, "nvidia-smi"])


def _host_error(log: Log, error: str) -> Union[Clue, None]:
    return next((one for one in log.all("container-cli-nvml") if error in (one.get("error") or "")), None)


@cause(_FLAG, Place.INSTALLER, explains=("libcuda-missing", "cuda-init-failed", "nvidia-kernel-module-not-loaded"))
def no_flag(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue = log.first("image-without-driver")
    started = log.first("session-container-started")
    asked = started is not None and not without_gpus_flag(log)
    if clue is None or asked or gpu_works(log):
        return
    yield found(
        "The container was started without a GPU: --gpus is missing, or stands behind the image's name.",
        _evidence(clue, started),
        ["docker run --gpus all IMAGE …", "# docker compose: deploy.resources; podman: --device nvidia.com/gpu=all"],
    )


@question(Place.INSTALLER)
def why_not_detected(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    """A GPU was asked for, and the image saw no driver."""
    clue, started = log.first("image-without-driver"), log.first("session-container-started")
    if clue is not None and started is not None and not without_gpus_flag(log) and not gpu_works(log):
        yield left(
            "The container was started with GPUs, and the image found no driver.",
            _evidence(clue, started),
            {
                _TOOLKIT: "docker run --rm --gpus all ubuntu nvidia-smi fails, too",
                "nvidia-kernel-module-not-loaded": "nvidia-smi fails on the host",
                _NO_COMPUTE: "NVIDIA_DRIVER_CAPABILITIES in the image lacks compute",
            },
            "nvidia-smi; docker run --rm --gpus all ubuntu nvidia-smi",
        )


@cause(_NO_COMPUTE, Place.INSTALLER, explains=("libcuda-missing", "cuda-init-failed", _FLAG))
def no_compute(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [clue for clue in log.all("driver-capabilities") if not _computes(clue.get("capabilities") or "")]
    if clues and not gpu_works(log):
        value = clues[0].get("capabilities") or "empty"
        yield found(
            f"NVIDIA_DRIVER_CAPABILITIES is {value}: without `compute` the container gets no libcuda.",
            [told(clues[0])],
            ["docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility IMAGE …"],
        )


def _computes(capabilities: str) -> bool:
    return bool({"compute", "all"} & set(capabilities.split(","))) or capabilities.startswith("$")


@cause(_LOST, Place.START, explains=("nvml-not-answering", "cuda-init-failed", "nvidia-uvm-not-loaded"))
def lost(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clue, inside = _unknown(log), in_container(log, snapshot) or log.first("daemon-reloaded") is not None
    if clue is not None and inside:
        yield found(
            "The container has lost its GPUs: systemd rewrote its rules of access (systemctl daemon-reload).",
            _evidence(clue, log.first("daemon-reloaded")),
            [
                "# start the container anew; so that it does not come back:",
                "sudo nvidia-ctk system create-dev-char-symlinks --create-all",
                "# or start it with --device /dev/nvidia0 --device /dev/nvidiactl --device /dev/nvidia-uvm",
            ],
        )


def _unknown(log: Log) -> Union[Clue, None]:
    return next((clue for clue in log.all("nvml-failed") if clue.get("code") == NVML_UNKNOWN), None)


@question(Place.START)
def why_unknown_to_nvml(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = _unknown(log)
    if clue is not None and not in_container(log, snapshot):
        yield left(
            "NVML answers with its unknown error.",
            [told(clue)],
            {_LOST: "this is a container, and a new one works", "gpu-lost": "sudo dmesg shows an Xid of the GPU"},
            "ls /.dockerenv; sudo dmesg | grep -i xid",
        )


@question(Place.INSTALLER)
def why_not_scheduled(log: Log, snapshot: Snapshot) -> Iterator[Open]:
    clue = log.first("kubernetes-no-gpu")
    if clue is not None:
        yield left(
            "Kubernetes found no node with a free GPU.",
            [told(clue)],
            {_TOOLKIT: "kubectl describe nodes shows no nvidia.com/gpu among what a node can give",
             "gpu-memory-held-by-other-process": "it shows GPUs, and all of them are given to other pods"},
            "kubectl describe nodes | grep -E 'nvidia.com/gpu|^Name:'",
        )  # fmt: skip


@cause("container-image-holds-driver-files", Place.INSTALLER)
def holds_driver(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The image itself holds files of the driver, where the host's have to go.

    ## What it means
    A container that ran under WSL, or with the driver's files copied in, was saved as an image (docker commit). The
    container toolkit then finds libcuda.so.1 or libnvidia-ml.so.1 where it wants to mount the host's.

    ## Why it matters
    Containers of this image do not start with a GPU.

    ## How to fix
    Build the image from a Dockerfile, or remove these files from it.

    ## References
    https://github.com/NVIDIA/nvidia-container-toolkit/issues/289
    """
    clue = log.first("container-cli-mount")
    if clue is not None:
        yield found(
            "The image holds a libcuda or libnvidia-ml of its own, where the host's is to be mounted.",
            [told(clue)],
            ["# in the Dockerfile: RUN rm -f /usr/lib/x86_64-linux-gnu/lib{cuda,nvidia-*}.so*"],
        )


@cause("gpu-arch-too-new-for-build", Place.INSTALLER)
def image_too_old(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    clues = [clue for clue in log.all("image-gpu-unsupported") if "not yet supported" in clue.text]
    if clues:
        yield found(
            "The image is older than this GPU: it holds no code for it.",
            [told(clues[0])],
            ["# take a newer release of the image"],
            severity=Severity.WARNING if gpu_works(log) else None,
        )
