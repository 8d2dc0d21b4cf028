"""Why this release: one sentence each, of what was asked, what was found, and what is not known. Pure."""

from __future__ import annotations

from typing import NamedTuple

from gpucheck.compat.tensorflow import Release
from gpucheck.facts.gap import Gap, Unknown, known
from gpucheck.facts.plan import Request
from gpucheck.facts.python import Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.install.choosing import needs
from gpucheck.rules import fitness
from gpucheck.rules.here import Here
from gpucheck.rules.installed import TENSORFLOWS
from gpucheck.rules.presence import named, nvidia_here


class Goal(NamedTuple):
    """cpu: no GPU is to be used. reasons: why, or what of it is not known. sure: is it known that a GPU is here?"""

    cpu: bool
    reasons: tuple[str, ...]
    sure: bool = True


def goal(snapshot: Snapshot, request: Request) -> Goal:
    """For the GPU, unless --cpu was asked for or there is none."""
    if request.cpu:
        return Goal(True, ("--cpu was asked for: no GPU is used",))
    try:
        if nvidia_here(snapshot) is not None:
            return Goal(False, ())
    except Unknown as unknown:
        why = f"whether an NVIDIA GPU is here is not known ({unknown.gap.reason})"
        return Goal(False, (why,), False)
    if request.cuda:
        return Goal(False, ("no NVIDIA GPU is here; CUDA's libraries come all the same, as [and-cuda] was asked for",))
    elsewhere = "tensorflow[and-cuda] asks for CUDA all the same, --snapshot FILE plans for another machine"
    return Goal(True, (f"no NVIDIA GPU is here, so the CPU build is taken; {elsewhere}",))


def rivals(snapshot: Snapshot, package: str) -> tuple[str, ...]:
    """Other distributions in this environment that unpack into TensorFlow's folder: they have to go first."""
    python = snapshot.python
    listed = known(python.distributions, ()) if isinstance(python, Python) else ()
    return tuple(sorted({one.name for one in listed if one.name in TENSORFLOWS and one.name != package}))


def why_this(row: Release, at: Here, cpu: bool, request: Request) -> str:
    parts = [f"Python {at.python}"]
    if row.glibc and not isinstance(at.libc, Gap):
        parts.append(f"glibc {at.libc}")
    if not cpu:
        gpus = [gpu for gpu in known(at.gpus, ()) if known(gpu.compute_capability, None) is not None]
        parts += [f"driver {at.driver}"] if at.driver is not None and not isinstance(at.driver, Gap) else []
        parts += [f"{named(gpu)}, compute capability {gpu.compute_capability}" for gpu in gpus[:1]]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    if request.tensorflow is not None:
        return f"TensorFlow {row.version} was asked for, and fits {listed}"
    return f"TensorFlow {row.version} is the newest of the table that fits {listed}"


def about_cuda(row: Release, cpu: bool, wish: Goal) -> tuple[str, ...]:
    """Where CUDA comes from, or that there is none although a GPU is here."""
    if cpu and not wish.cpu:
        where, gpu = "aarch64" if row.glibc else "Windows", "this GPU" if wish.sure else "an NVIDIA GPU"
        return (f"this is a CPU build: no TensorFlow wheel for {where} that fits here can use {gpu}",)
    if cpu:
        return ()
    if not fitness.brings_cuda(row):
        return (f"it brings no CUDA: CUDA {row.cuda} and cuDNN {row.cudnn} have to be on this system",)
    cuda, cudnn = f"CUDA {row.cuda}", f"cuDNN {row.cudnn}"
    if fitness.open_cudnn(row):
        cuda, cudnn = f"{cuda} or a later {row.cuda.split('.')[0]}.x", f"{cudnn} or later"
    leave = "" if wish.sure else "; --cpu leaves them out"
    return (f"{cuda} and {cudnn} come as wheels ([and-cuda]){leave}",)


def about_age(row: Release) -> tuple[str, ...]:
    day = needs.exclude_newer(row)
    if day is None:
        return ()
    return (f"its dependencies are those of {day[:10]}: later ones break old releases, and were never tried with it",)


def about_rivals(snapshot: Snapshot, package: str) -> tuple[str, ...]:
    found = rivals(snapshot, package)
    if not found:
        return ()
    return (f"{', '.join(found)} is in this environment and unpacks into the same folder: it has to go first",)
