"""NVML, asked in a child process through the real nvidia-ml-py: how it answered. The GPUs themselves are in gpus.py."""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts.driver import Nvml, UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import CudaVersion, DriverVersion
from gpucheck.host import Child, Host
from gpucheck.probes import answers

SONAME = "libnvidia-ml.so.1"

_NOTHING = Nvml("ok", None, None, None, None, None, None, None, None)


def child() -> Child:
    """What to start."""
    return Child("nvml", "nvml", (_folder(),), share=0.85)


def _folder() -> str:
    """Where gpucheck's own interpreter has nvidia-ml-py: the child runs without site-packages."""
    import os
    import sys

    for folder in sys.path:
        if os.path.exists(os.path.join(folder, "pynvml.py")) or os.path.isdir(os.path.join(folder, "pynvml")):
            return os.path.abspath(folder)
    return ""


def probe(host: Host, libraries: Union[tuple[UserLibrary, ...], Gap]) -> Union[Nvml, Gap]:
    """How NVML answered.

    Parameters
    ----------
    libraries: the copies of the driver's libraries, to tell a missing file from one that does not load.
    """
    told = answers.read(host.answer("nvml"))
    return told if isinstance(told, Gap) else _judged(told, libraries)


def _judged(told: answers.Told, libraries: Union[tuple[UserLibrary, ...], Gap]) -> Union[Nvml, Gap]:
    load, init, system = (told.stages.get(name) for name in ("load", "init", "system"))
    if load is None:
        return _broken_off(told, _NOTHING, "while loading the library")
    if not load.get("ok"):
        status, words = answers.not_loaded(SONAME, load, libraries)
        return _NOTHING._replace(status=status, message=words)
    facts = _NOTHING._replace(path=answers.text(load.get("path")))
    if init is None:
        return _broken_off(told, facts, "in nvmlInit")
    code = answers.whole(init.get("code"))
    if code is None:
        return Gap(str(init.get("error") or "nvmlInit gave no code"), "unsupported")
    if code:
        return facts._replace(status="error", code=code, error=answers.text(init.get("error")))
    facts = facts._replace(code=0)
    if system is None:
        return _broken_off(told, facts, "after nvmlInit")
    facts = _with_system(facts, system)
    if facts.code:
        return facts._replace(status="error", error=answers.text(system.get("error")))
    return facts if told.done else _broken_off(told, facts, f"while asking about GPU {_reached(told)}")


def _reached(told: answers.Told) -> int:
    """The number of the GPU that was not told to its end."""
    return sum(not gpu.get("more") for gpu in told.gpus)


def _with_system(facts: Nvml, system: dict[str, Any]) -> Nvml:
    driver, cuda = answers.text(system.get("driver_version")), answers.whole(system.get("cuda_version"))
    return facts._replace(
        code=answers.whole(system.get("code")) or 0,
        driver_version=DriverVersion.parse(driver) if driver else None,
        nvml_version=answers.text(system.get("nvml_version")),
        cuda_version=CudaVersion.of_number(cuda) if cuda and cuda > 0 else None,
        device_count=answers.whole(system.get("device_count")),
    )


def _broken_off(told: answers.Told, facts: Nvml, where: str) -> Union[Nvml, Gap]:
    """The child ended early; what it told until then stays."""
    if told.end is None:
        return Gap(f"NVML's child process ended {where} without a word", "crashed")
    return facts._replace(status=told.end, code=None, message=f"{told.how} {where}")
