"""libcuda, asked in a child process: what cuInit says in the environment that programs get."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.driver import CudaDriver, UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import CudaVersion
from gpucheck.host import Child, Host
from gpucheck.probes import answers

SONAME = "libcuda.so.1"

_NOTHING = CudaDriver("ok", None, None, None, None, None, None)


def child() -> Child:
    """What to start."""
    return Child("cuda", "cuda", share=0.85)


def probe(host: Host, libraries: Union[tuple[UserLibrary, ...], Gap]) -> Union[CudaDriver, Gap]:
    """How libcuda answered; `libraries` as in `gpucheck.probes.nvml`."""
    told = answers.read(host.answer("cuda"))
    return told if isinstance(told, Gap) else _judged(told, libraries)


def _judged(told: answers.Told, libraries: Union[tuple[UserLibrary, ...], Gap]) -> Union[CudaDriver, Gap]:
    load, version, init, count = (told.stages.get(name) for name in ("load", "version", "init", "count"))
    if load is None:
        return _broken_off(told, _NOTHING, "while loading the library")
    if not load.get("ok"):
        status, words = answers.not_loaded(SONAME, load, libraries)
        return _NOTHING._replace(status=status, message=words)
    number = answers.whole((version or {}).get("cuda_version"))
    cuda = CudaVersion.of_number(number) if number and number > 0 else None
    facts = _NOTHING._replace(path=answers.text(load.get("path")), cuda_version=cuda)
    if init is None:
        return _broken_off(told, facts, "in cuInit" if version else "in cuDriverGetVersion")
    code = answers.whole(init.get("code"))
    if code is None:
        return facts._replace(status="unloadable", message=str(init.get("error")))
    if code:
        return _failed(facts, code)
    facts = facts._replace(code=0)
    if count is None:
        return _broken_off(told, facts, "in cuDeviceGetCount")
    code = answers.whole(count.get("code")) or 0
    return _failed(facts, code) if code else facts._replace(device_count=answers.whole(count.get("device_count")))


def _failed(facts: CudaDriver, code: int) -> CudaDriver:
    from gpucheck.compat.cuda_errors import name_of

    return facts._replace(status="error", code=code, error=name_of(code))


def _broken_off(told: answers.Told, facts: CudaDriver, where: str) -> Union[CudaDriver, Gap]:
    """The child ended early; what it told until then stays."""
    if told.end is None:
        return Gap(f"libcuda's child process ended {where} without a word", "crashed")
    return facts._replace(status=told.end, code=None, message=f"{told.how} {where}")
