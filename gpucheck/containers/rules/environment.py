"""Rules about variables that an image or a service sets, and about links to CUDA's stubs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.libraries import NVML_NEEDED_SINCE
from gpucheck.containers.rules.engine import Case, asks_for_gpu, base_evidence, rule, setting, stack_of, weight
from gpucheck.containers.stack import Stack, TensorFlow
from gpucheck.facts.containers import Setting
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules.engine import Found, found

_VISIBLE, _CAPABILITIES, _CUDA, _PATH = (
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
)
# docs.nvidia.com, container toolkit, "Driver Capabilities".
CAPABILITIES = ("compute", "compat32", "graphics", "utility", "video", "display", "ngx", "all")


def _told(one: Setting) -> tuple[str, object, str]:
    return (f"environment.{one.name}", one.value or '""', one.source)


def _for_gpus(case: Case) -> bool:
    """Is a GPU meant to be used, or is there a TensorFlow that could?"""
    if asks_for_gpu(case) or weight(case) is not Severity.INFO:
        return True
    stack = case.stack if isinstance(case.stack, Stack) else None
    return stack is not None and isinstance(stack.tensorflow, TensorFlow) and stack.tensorflow.cuda is True


@rule(Severity.WARNING)
def image_hides_gpus(case: Case) -> Iterator[Found]:
    """A variable that is set in the image or the service hides every GPU.

    ## What it means
    CUDA_VISIBLE_DEVICES set to "-1" or to nothing shows a program no GPU. NVIDIA_VISIBLE_DEVICES set to void, none or
    nothing tells NVIDIA's container runtime to pass none in.

    ## Why it matters
    TensorFlow computes on the CPU without a warning. `docker run --gpus` and a device reservation in a compose file win
    over NVIDIA_VISIBLE_DEVICES, but not over CUDA_VISIBLE_DEVICES.

    ## How to fix
    Leave the variable out of the image; set it where a program is started, if it is meant.

    ## References
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    if not _for_gpus(case):
        return
    cuda = setting(case, _CUDA)
    if cuda is not None and cuda.value.strip().lower() in ("", "-1", "none", "nodevfiles"):
        yield found(
            f"{case.name}: CUDA_VISIBLE_DEVICES={cuda.value or '(nothing)'} hides every GPU from programs.",
            [_told(cuda)],
            ["# leave CUDA_VISIBLE_DEVICES out"],
            severity=Severity.ERROR if asks_for_gpu(case) else Severity.WARNING,
        )
    visible = setting(case, _VISIBLE)
    if visible is not None and visible.value.strip().lower() in ("", "none", "void"):
        requested = case.service is not None and any(one.way in ("devices", "gpus") for one in case.service.requests)
        if requested:
            return  # the reservation sets it anew
        value = visible.value or "(nothing)"
        yield found(
            f"{case.name}: NVIDIA_VISIBLE_DEVICES={value} tells NVIDIA's runtime to pass no GPU in.",
            [_told(visible)],
            ["ENV NVIDIA_VISIBLE_DEVICES=all"],
            severity=Severity.ERROR if asks_for_gpu(case) else Severity.WARNING,
        )


@rule(Severity.ERROR)
def image_capabilities_without_compute(case: Case) -> Iterator[Found]:
    """NVIDIA_DRIVER_CAPABILITIES leaves out a part of the driver that TensorFlow needs.

    ## What it means
    The variable says which parts of the driver NVIDIA's container toolkit mounts: libcuda comes with "compute",
    libnvidia-ml with "utility". Unset or empty means both.

    ## Why it matters
    Without compute nvidia-smi may work in the container, while no CUDA program does. TensorFlow 2.21 and later lists no
    GPU without utility, either.

    ## How to fix
    NVIDIA_DRIVER_CAPABILITIES=compute,utility, or all.

    ## References
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    one = setting(case, _CAPABILITIES)
    if one is None or not one.value.strip() or not _for_gpus(case):
        return
    words = [word.strip() for word in one.value.split(",") if word.strip()]
    fix = ["ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
    strange = [word for word in words if word not in CAPABILITIES]
    if not {"compute", "all"} & set(words):
        said = f"{case.name}: NVIDIA_DRIVER_CAPABILITIES={one.value} lacks compute: libcuda is not mounted."
        if strange:
            said += f" ({', '.join(strange)} is no capability.)"
        yield found(said, [_told(one)], fix)
    elif strange:
        said = f"{case.name}: NVIDIA_DRIVER_CAPABILITIES={one.value}: {', '.join(strange)} is no capability."
        yield found(said, [_told(one)], fix, severity=Severity.WARNING)
    elif not {"utility", "all"} & set(words) and _needs_nvml(case):
        said = f"{case.name}: NVIDIA_DRIVER_CAPABILITIES={one.value} lacks utility, without which TensorFlow 2.21 and "
        yield found(f"{said}later list no GPU.", [_told(one)], fix)


def _needs_nvml(case: Case) -> bool:
    stack = case.stack if isinstance(case.stack, Stack) else None
    tensorflow = stack.tensorflow if stack is not None else None
    rows = tensorflow.rows if isinstance(tensorflow, TensorFlow) else ()
    return bool(rows) and all(PackageVersion(row.version) >= NVML_NEEDED_SINCE for row in rows)


@rule(Severity.WARNING)
def image_stubs_on_library_path(case: Case) -> Iterator[Found]:
    """LD_LIBRARY_PATH of the image names CUDA's folder of stubs.

    ## What it means
    lib64/stubs of a toolkit holds stand-ins of the driver's libraries, to link programs where no driver is, as in
    `docker build`. They are no driver.

    ## Why it matters
    A program that takes libcuda from there gets error 34, "CUDA driver is a stub library". An error where the image
    also links libcuda.so.1, the name that TensorFlow opens, to the stub.

    ## How to fix
    Set it for the one command that links: RUN LIBRARY_PATH=/usr/local/cuda/lib64/stubs make. Not by ENV.

    ## References
    https://github.com/numba/numba/issues/9732
    """
    stack = stack_of(case)
    path = setting(case, _PATH)
    link = stack.image.marked("stub-link") if stack is not None else None
    if path is None:
        return
    stubs = [part for part in path.value.split(":") if part.rstrip("/").endswith("/stubs")]
    if not stubs:
        return
    linked = " libcuda.so.1 there is a link to the stub." if link else ""
    yield found(
        f"{case.name}: LD_LIBRARY_PATH names CUDA's stubs, {stubs[0]}.{linked}",
        [_told(path), *([("image.marks", "libcuda.so.1 -> stub", link.source)] if link else [])],
        ["# for the one command that links, instead of ENV:", f"RUN LIBRARY_PATH={stubs[0]} make"],
        severity=Severity.ERROR if link else Severity.WARNING,
    )


@rule(Severity.INFO)
def image_library_path_overridden(case: Case) -> Iterator[Found]:
    """The image sets LD_LIBRARY_PATH anew, without what its base image has in it.

    ## What it means
    nvidia/cuda and the images made from it name /usr/local/nvidia/lib64 there. Docker with NVIDIA's toolkit does not
    need that; some Kubernetes platforms mount the driver there and nowhere else.

    ## Why it matters
    On such a platform libcuda.so.1 is not found.

    ## How to fix
    Append: ENV LD_LIBRARY_PATH=/my/folder:$LD_LIBRARY_PATH

    ## References
    https://cloud.google.com/kubernetes-engine/docs/how-to/gpus#cuda
    """
    stack = stack_of(case)
    if stack is None or isinstance(stack.contents.gpu, Gap) or not stack.contents.gpu:
        return
    path: Union[Setting, None] = setting(case, _PATH)
    if path is None or "LD_LIBRARY_PATH" in path.value or "/usr/local/nvidia" in path.value:
        return
    yield found(
        f"{case.name}: LD_LIBRARY_PATH is set without what the base image has in it.",
        [_told(path), base_evidence(stack)],
        [f"ENV LD_LIBRARY_PATH={path.value}:$LD_LIBRARY_PATH"],
    )
