"""nvidia-smi, asked last: only where neither NVML nor libcuda answered. Never its banner, which driver 610 changed."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.driver import CudaDriver, Nvml, Smi
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion
from gpucheck.host import Answer, Child, Host

# Of the time in all: it is asked only where NVML and libcuda answered at once, and with many GPUs and no persistence
# mode a sound one takes seconds.
_SHARE = 0.6


def probe(host: Host, nvml: Union[Nvml, Gap], cuda: Union[CudaDriver, Gap]) -> Union[Smi, None, Gap]:
    """None: it is not on PATH."""
    return judged(host, _find(host), nvml, cuda)


def judged(
    host: Host, path: Union[str, None, Gap], nvml: Union[Nvml, Gap], cuda: Union[CudaDriver, Gap]
) -> Union[Smi, None, Gap]:
    """The same for one that was found: path None: it was not."""
    if not isinstance(path, str):
        return path
    # It asks through the same library: where that hung or crashed, nvidia-smi does the same.
    if any(not isinstance(one, Gap) and one.status in ("ok", "hung", "crashed") for one in (nvml, cuda)):
        return Smi(path, "not-run", None, None)
    host.start(Child("smi", None, (path, "--query-gpu=driver_version", "--format=csv,noheader"), _SHARE))
    return _judged(path, host.answer("smi"))


def _find(host: Host) -> Union[str, None, Gap]:
    unknown: Union[Gap, None] = None
    for folder in dict.fromkeys((host.env("PATH") or "").split(":")):
        path = f"{folder.rstrip('/')}/nvidia-smi"
        status = host.stat(path) if folder.startswith("/") else None
        if isinstance(status, Gap):
            # A shell passes over what it may not enter.
            unknown = unknown if status.kind == "denied" else status
        elif status is not None and status.kind == "file" and status.mode & 0o111:
            return path
    return unknown


def _judged(path: str, answer: Answer) -> Union[Smi, Gap]:
    if answer.ended == "not-started":
        return Gap(f"{path} was not run: {answer.errors}", "not-collected")
    if answer.ended == "deadline":
        return Smi(path, "hung", None, None)
    if answer.ended == "signal" or answer.code:
        return Smi(path, "error", answer.code, None)
    version = DriverVersion.parse(answer.lines[0].strip()) if answer.lines else None
    return Smi(path, "ok" if version else "garbage", answer.code, version)
