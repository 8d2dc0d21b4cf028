"""CUDA_VISIBLE_DEVICES: which GPUs it leaves to a program, by the rules of the CUDA programming guide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap, need
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.systems import on_windows

NAME = "CUDA_VISIBLE_DEVICES"


class Choice(NamedTuple):
    """What a value of the variable chooses. invalid: the first entry that names no GPU; lost: entries behind it."""

    visible: int
    invalid: Union[str, None]
    lost: tuple[str, ...]


def choose(value: str, gpus: tuple[Gpu, ...]) -> Choice:
    """Count the entries up to the first invalid one, which hides itself and everything behind it."""
    entries = [entry.strip() for entry in value.split(",")] if value.strip() else []
    for at, entry in enumerate(entries):
        if not _names_gpu(entry, gpus):
            return Choice(at, entry, tuple(entries[at + 1 :]))
    return Choice(len(entries), None, ())


def _names_gpu(entry: str, gpus: tuple[Gpu, ...]) -> bool:
    if entry.isdecimal():
        return int(entry) < len(gpus) or int(entry) < sum(len(need(gpu.mig_devices) or ()) for gpu in gpus)
    if entry.startswith("MIG-"):
        instances = [uuid for gpu in gpus for uuid in need(gpu.mig_devices) or ()]
        return any(uuid.startswith(entry) for uuid in instances)
    # An abbreviated UUID is good if it fits one GPU only.
    return entry.startswith("GPU-") and sum((gpu.uuid or "").startswith(entry) for gpu in gpus) == 1


@rule(Severity.ERROR, decisive=True, explains=("cuda-init-failed",))
def cuda_visible_devices_hides_gpu(snapshot: Snapshot) -> Iterator[Found]:
    """CUDA_VISIBLE_DEVICES hides the GPU from every CUDA program.

    ## What it means
    The variable lists the GPUs that a program may use, by number (from 0), by UUID or by a MIG instance's UUID. "-1",
    an empty value or an entry that names no GPU hides that entry and all that follow it.

    ## Why it matters
    cuInit answers CUDA_ERROR_NO_DEVICE, and TensorFlow uses the CPU without another word.

    ## How to fix
    Unset the variable, or name GPUs that exist (`nvidia-smi -L`). It may come from a shell profile, an IDE, or the
    program itself (os.environ). In a Slurm job the scheduler sets it (NoDevFiles where none was asked for): ask for
    GPUs with --gres=gpu:1 and leave the variable alone.

    ## References
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables
    https://github.com/kuku-sichuan/FPN_Faster_RCNN/issues/3
    """
    value = need(snapshot.environment).get(NAME)
    if value is None or nvidia_here(snapshot) is None:
        return
    first = value.split(",")[0].strip()
    hides_all = not first or (not first.isdecimal() and not first.startswith(("GPU-", "MIG-")))
    gpus = () if hides_all else tuple(need(snapshot.gpus))
    if _from_libcuda(snapshot, gpus):
        yield from _as_libcuda_shows(snapshot, value, gpus)
        return
    choice = Choice(0, first or None, ()) if hides_all else choose(value, gpus)
    ended_on_purpose = choice.invalid in ("", "-1") and not choice.lost  # "0," and "0,-1" are common ways to write 0
    if choice.visible and (choice.invalid is None or ended_on_purpose):
        return
    evidence = [(f"environment.{NAME}", repr(value), "the environment")]
    if gpus:
        evidence.append(("gpus", ", ".join(f"{gpu.number}: {gpu.uuid}" for gpu in gpus), "NVML"))
    yield found(
        f"{NAME}={value} {_what(choice, gpus)}.",
        evidence,
        _fix(snapshot, first),
        severity=Severity.WARNING if choice.visible else None,
    )


def _from_libcuda(snapshot: Snapshot, gpus: tuple[Gpu, ...]) -> bool:
    """NVML made no list, so these are the GPUs that libcuda left after the variable, in its own order."""
    nvml = need(snapshot.driver).nvml
    listed = not isinstance(nvml, Gap) and nvml.device_count is not None
    return not listed and any(gpu.source == "libcuda" for gpu in gpus)


def _as_libcuda_shows(snapshot: Snapshot, value: str, gpus: tuple[Gpu, ...]) -> Iterator[Found]:
    """libcuda has applied the variable: if it shows as many as are named, all are good. MIG: a program gets one."""
    entries = value.split(",")
    if entries[-1].strip() in ("", "-1"):  # ended on purpose
        entries.pop()
    if len(gpus) >= len(entries) or any(entry.strip().startswith("MIG-") for entry in entries):
        return
    yield found(
        f"{NAME}={value} names {len(entries)} GPUs, and libcuda shows {len(gpus)}: an entry that names no GPU hides "
        "itself and all behind it.",
        [(f"environment.{NAME}", repr(value), "the environment"), ("gpus", len(gpus), "libcuda")],
        _fix(snapshot, entries[0].strip()),
        severity=Severity.WARNING,
    )


def _what(choice: Choice, gpus: tuple[Gpu, ...]) -> str:
    if choice.visible:
        behind = f" and, behind it, {', '.join(choice.lost)}" if choice.lost else ""
        left = f"what is left: {choice.visible} of {len(gpus)}"
        return f"names no GPU with {choice.invalid!r}, which hides that entry{behind}; {left}"
    if choice.invalid is None or choice.invalid == "-1":
        return "hides every GPU"
    if choice.invalid.isdecimal():
        last = len(gpus) - 1
        return f"hides every GPU: there is no GPU {choice.invalid}, only {'0' if last == 0 else f'0 to {last}'}"
    return f"hides every GPU: {choice.invalid!r} is not one of them"


def _fix(snapshot: Snapshot, first: str) -> list[str]:
    if first == "NoDevFiles" or fixes.under_slurm(snapshot):
        return [
            f"# Slurm gives a job its GPUs and sets {NAME}: leave it as it is, and ask for one",
            "srun --gres=gpu:1 ...",
        ]
    if on_windows(snapshot):
        return [
            f"Remove-Item Env:{NAME}  # and delete it in: rundll32 sysdm.cpl,EditEnvironmentVariables",
            "nvidia-smi -L",
        ]
    return [
        f"unset {NAME}",
        f"grep -n {NAME} ~/.bashrc ~/.profile ~/.bash_profile ~/.zshrc /etc/environment",
        "nvidia-smi -L",
    ]
