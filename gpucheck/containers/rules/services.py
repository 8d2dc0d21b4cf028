"""Rules about services of a compose file: does it give them the GPU that their image could use?"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from gpucheck.containers.rules.engine import Case, base_evidence, package_evidence, rule, setting, stack_of
from gpucheck.containers.stack import OTHER_FRAMEWORKS, Stack, TensorFlow
from gpucheck.facts.containers import GpuRequest, Service
from gpucheck.facts.gap import Gap, Unknown, need
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found

_RESERVATION = (
    "# in the service:",
    "deploy:",
    "  resources:",
    "    reservations:",
    "      devices:",
    "        - driver: nvidia",
    "          count: all",
    "          capabilities: [gpu]",
)
# moby/moby, daemon/nvidia_linux.go: what its driver "nvidia" answers to, beside "gpu" and "nvidia".
_CAPABILITIES = ("compute", "compat32", "graphics", "utility", "video", "display")


def _uses_gpu(stack: Stack) -> bool:
    """Could a program in this image use a GPU? Raises Unknown."""
    if stack.contents.gpu is True:
        return True
    tensorflow = stack.tensorflow
    if isinstance(tensorflow, TensorFlow) and tensorflow.cuda is True:
        return tensorflow.extra or need(stack.libraries)
    other = next((one for one in stack.image.packages if one.name in OTHER_FRAMEWORKS), None)
    if other is not None:  # horovod's own test services install a CPU's torch by an address that tells so
        raise Unknown(Gap(f"whether {other.name} at {other.source} is a build for the CPU is not looked up"))
    need(stack.contents.gpu)
    need(tensorflow)
    return False


def _given_elsewhere(case: Case, service: Service, stack: Stack) -> bool:
    """Does another service of the same image get a GPU? Then this one is meant to be without: TensorBoard, say."""
    for other in case.file.services:
        if other is service or isinstance(other.image, Gap) or other.image is None:
            continue
        same = (other.image.reference, other.image.source) == (stack.image.reference, stack.image.source)
        if (same or other.image.reference == stack.image.reference) and (other.requests or other.runtime is not None):
            return True
    return False


@rule(Severity.WARNING)
def compose_service_without_gpu(case: Case) -> Iterator[Found]:
    """The service's image is made for a GPU, and the compose file gives it none.

    ## What it means
    A container gets GPUs only where it is asked for: by a device reservation, `gpus: all`, CDI, or `runtime: nvidia`.
    Device nodes alone (/dev/nvidia0) bring no driver library along.

    ## Why it matters
    The program computes on the CPU. It works without only where the daemon's default runtime is nvidia, or where
    another compose file adds the reservation (docker compose -f … -f …).

    ## How to fix
    Reserve a GPU under deploy.resources.reservations.devices, or write gpus: all (Compose 2.30 and later).

    ## References
    https://docs.docker.com/compose/how-tos/gpu-support/
    """
    service = case.service
    if service is None or service.mistakes:
        return
    stack = stack_of(case)
    if stack is None or service.runtime is not None:
        return
    nodes = [one for one in service.requests if one.way == "nodes"]
    if len(nodes) != len(service.requests) or not _uses_gpu(stack) or _given_elsewhere(case, service, stack):
        return
    tensorflow = stack.tensorflow
    said = "device nodes alone bring no driver library into it" if nodes else "the compose file gives it no GPU"
    yield found(
        f"{case.name} runs an image that is made for a GPU, and {said}.",
        [
            ("service", service.name, service.source),
            base_evidence(stack),
            *([package_evidence(tensorflow)] if isinstance(tensorflow, TensorFlow) and tensorflow.package else []),
            *(("service.devices", "/dev/nvidia…", one.source) for one in nodes[:1]),
        ],
        _RESERVATION,
    )


@rule(Severity.ERROR)
def compose_device_request_wrong(case: Case) -> Iterator[Found]:
    """A service asks for GPUs in a way that Compose or Docker refuses, or that leaves out what TensorFlow needs.

    ## What it means
    A device request has to name capabilities, in a list, with gpu in it; count and device_ids exclude each other; and
    it stands under deploy.resources.reservations.devices and nowhere else.

    ## Why it matters
    `docker compose up` fails ("could not select device driver"), or the container has no GPU or no libcuda.

    ## How to fix
    Write the reservation as Docker's documentation has it.

    ## References
    https://docs.docker.com/compose/how-tos/gpu-support/
    https://docs.docker.com/reference/compose-file/deploy/#devices
    """
    service = case.service
    for wrong in service.mistakes if service is not None else ():
        yield found(f"{case.name}: {wrong.text}.", [("service", wrong.text, wrong.source)], _RESERVATION)
    for one in service.requests if service is not None else ():
        if one.way in ("devices", "gpus"):
            for said in _wrong(one):
                evidence = [("service.requests", _words(one), one.source)]
                yield found(f"{case.name}: {said}.", evidence, _RESERVATION)


def _words(one: GpuRequest) -> str:
    capabilities = "none" if one.capabilities is None else ", ".join(one.capabilities)
    return f"driver {one.driver or '(any)'}, count {one.number or '(all)'}, capabilities {capabilities}"


def _wrong(one: GpuRequest) -> Iterator[str]:
    if one.capabilities is None:
        yield "the device request names no capabilities, which Compose demands"
    elif any(word.endswith("(no list)") for word in one.capabilities):
        yield "capabilities takes a list: [gpu]"
    elif not any("$" in word for word in one.capabilities):
        yield from _wrong_capabilities(one.capabilities, one.driver)
    if one.driver and one.driver != "nvidia" and SequenceMatcher(None, one.driver.lower(), "nvidia").ratio() > 0.8:
        yield f"the driver {one.driver} is misspelt: it is called nvidia"
    if one.number is not None and one.ids:
        yield "count and device_ids exclude each other"
    number = one.number or "all"
    if number != "all" and not number.removeprefix("-").isdigit() and "$" not in number:
        yield f"count takes a number or all, not {number}"


def _wrong_capabilities(words: tuple[str, ...], driver: str | None) -> Iterator[str]:
    parts = {word for word in words if word in _CAPABILITIES}
    if parts and "compute" not in parts:
        yield f"capabilities [{', '.join(words)}] lack compute, so libcuda is not mounted"
    elif not driver and not parts and not {"gpu", "nvidia"} & set(words) and "tpu" not in words:
        # With a driver named, Docker does not look at them.
        yield f"capabilities [{', '.join(words)}] match no driver: gpu is missing"


@rule(Severity.ERROR)
def compose_runtime_without_devices(case: Case) -> Iterator[Found]:
    """`runtime: nvidia` alone passes no GPU in: the image does not say which.

    ## What it means
    NVIDIA's runtime reads NVIDIA_VISIBLE_DEVICES. nvidia/cuda and the images made from it set it to all; others, like
    python, do not.

    ## Why it matters
    The container has no GPU, and nothing says so.

    ## How to fix
    Set NVIDIA_VISIBLE_DEVICES=all in the service's environment, or reserve a device.

    ## References
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    service = case.service
    if service is None or service.runtime is None or service.runtime.text != "nvidia" or service.requests:
        return
    if setting(case, "NVIDIA_VISIBLE_DEVICES") is not None:
        return
    stack = stack_of(case)
    if stack is None:
        raise Unknown(Gap(f"{service.source}: the service names no image"))
    if need(stack.contents.nvidia):
        return
    yield found(
        f"{case.name}: runtime: nvidia passes no GPU in, because NVIDIA_VISIBLE_DEVICES is not set.",
        [("service.runtime", "nvidia", service.runtime.source), base_evidence(stack)],
        ["environment:", "  - NVIDIA_VISIBLE_DEVICES=all"],
    )


@rule(Severity.WARNING)
def compose_gpu_for_swarm_only(case: Case) -> Iterator[Found]:
    """The service asks for a GPU as a generic resource, which only Docker Swarm reads.

    ## What it means
    deploy.resources.reservations.generic_resources is for `docker stack deploy`; `docker compose up` passes it over.

    ## Why it matters
    Started by Compose, the container has no GPU.

    ## How to fix
    For Compose, reserve a device.

    ## References
    https://docs.docker.com/reference/compose-file/deploy/
    """
    service = case.service
    swarm = [one for one in service.requests if one.way == "swarm"] if service is not None else []
    if service is None or len(swarm) != len(service.requests) or not swarm or service.runtime is not None:
        return
    yield found(
        f"{case.name} asks for a GPU by generic_resources, which docker compose passes over (Swarm reads it).",
        [("service.requests", "generic_resources", swarm[0].source)],
        _RESERVATION,
    )
