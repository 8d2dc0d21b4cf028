"""WSL 2: its settings, Windows' driver store, and Windows' nvidia-smi, asked only where NVML or libcuda fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.facts.driver import CudaDriver, Nvml
from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion
from gpucheck.facts.wsl import WindowsGpu, Wsl
from gpucheck.host import Answer, Child, Host
from gpucheck.probes import waiting

_SETTINGS = "/etc/wsl.conf"
_STORES = "/usr/lib/wsl/drivers"  # Windows' DriverStore\FileRepository, folders such as nv_dispi.inf_amd64_0afec3f2
_SMI = ("/mnt/c/Windows/System32/nvidia-smi.exe", "/mnt/c/Program Files/NVIDIA Corporation/NVSMI/nvidia-smi.exe")
# The name comes last: it is the one that could hold a comma.
_QUERY = ("--query-gpu=driver_version,driver_model.current,name", "--format=csv,noheader")
_SHARE = 0.5
_SECONDS = 1.0  # Windows' folders are on a network file system (9p) here
_MOST_LINES = 64


def probe(host: Host, nvml: Union[Nvml, Gap], cuda: Union[CudaDriver, Gap]) -> Union[Wsl, Gap]:
    """Look at a WSL 2. nvml, cuda: how they answered here."""
    found = waiting.at_most(_SECONDS, "looking at what Windows passes in", _read, host)
    if isinstance(found, Gap):
        return found
    # An answer that is not known is no failure, and Windows' programs take their time.
    failed = any(not isinstance(one, Gap) and not (one.status == "ok" and one.device_count) for one in (nvml, cuda))
    return found._replace(gpus=_ask(host, found.smi)) if failed else found


def _read(host: Host) -> Wsl:
    settings = _settings(host)
    return Wsl(
        gpu_enabled=_switch(settings, "gpu", "enabled"),
        ldconfig=_switch(settings, "automount", "ldconfig"),
        stores=_stores(host),
        jupyter=_jupyter(host),
        smi=_smi(host),
        gpus=None,
    )


def _settings(host: Host) -> Union[dict[tuple[str, str], str], Gap]:
    """(section, key), lower case, to value: learn.microsoft.com/windows/wsl/wsl-config. {}: there is no such file."""
    raw = host.read(_SETTINGS)
    if not isinstance(raw, bytes):
        return {} if raw is None else raw
    found: dict[tuple[str, str], str] = {}
    section = ""
    for line in raw.decode("utf-8", "replace").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1].strip().lower()
            continue
        key, equals, value = text.partition("=")
        if equals:
            found[section, key.strip().lower()] = value.strip().strip("\"'").lower()
    return found


def _switch(settings: Union[dict[tuple[str, str], str], Gap], section: str, key: str) -> Union[bool, None, Gap]:
    if isinstance(settings, Gap):
        return settings
    return {"true": True, "1": True, "false": False, "0": False}.get(settings.get((section, key), ""))


def _stores(host: Host) -> Union[tuple[str, ...], Gap]:
    names = host.names(_STORES)
    if not isinstance(names, tuple):
        return () if names is None else names
    folders = [f"{_STORES}/{name}" for name in names if name.lower().startswith("nv") and ".inf_" in name]
    return tuple(folder for folder in folders if _is_file(host, f"{folder}/libcuda.so.1.1") is True)


def _is_file(host: Host, path: str) -> Union[bool, Gap]:
    status = host.stat(path)
    return status if isinstance(status, Gap) else status is not None and status.kind == "file"


def _on_path(host: Host) -> Iterator[str]:
    for folder in dict.fromkeys((host.env("PATH") or "").split(":")):
        if folder.startswith("/"):
            yield folder.rstrip("/")


def _jupyter(host: Host) -> Union[str, None, Gap]:
    windows: Union[str, None] = None
    for folder in _on_path(host):
        own = _is_file(host, f"{folder}/jupyter")
        if own is True:
            return None
        if isinstance(own, Gap) and own.kind != "denied":  # a shell passes over what it may not enter
            return own
        if windows is None and folder.startswith("/mnt/") and _is_file(host, f"{folder}/jupyter.exe") is True:
            windows = f"{folder}/jupyter.exe"
    return windows


def _smi(host: Host) -> Union[str, None, Gap]:
    """System32 is on the PATH that WSL takes over from Windows, unless [interop] appendWindowsPath is false."""
    folders = [folder for folder in _on_path(host) if folder.lower().endswith("/windows/system32")]
    unknown: Union[Gap, None] = None
    for path in (*(f"{folder}/nvidia-smi.exe" for folder in folders), *_SMI):
        there = _is_file(host, path)
        if there is True:
            return path
        unknown = there if isinstance(there, Gap) else unknown
    return unknown


def _ask(host: Host, smi: Union[str, None, Gap]) -> Union[tuple[WindowsGpu, ...], Gap]:
    if not isinstance(smi, str):
        return smi or Gap("Windows' nvidia-smi.exe was not found", "unsupported")
    host.start(Child("windows-smi", None, (smi, *_QUERY), _SHARE))
    return _told(smi, host.answer("windows-smi"))


def _told(smi: str, answer: Answer) -> Union[tuple[WindowsGpu, ...], Gap]:
    if answer.ended == "deadline":
        return Gap(f"{smi} did not answer in time", "deadline")
    if answer.ended != "exit" or answer.code:
        # Where [interop] is off the kernel cannot run it at all ("Exec format error").
        return Gap(f"{smi} could not be asked", "not-collected" if answer.ended == "not-started" else "crashed")
    rows = [line.split(",", 2) for line in answer.lines[:_MOST_LINES]]
    gpus = tuple(_gpu(*(cell.strip() for cell in row)) for row in rows if len(row) == 3)
    return gpus or Gap(f"{smi} listed no GPU")


def _gpu(version: str, model: str, name: str) -> WindowsGpu:
    known = model.upper().strip("()")
    # nvidia-smi's manual: WDM is what newer ones call TCC.
    known = {"WDM": "TCC"}.get(known, known)
    return WindowsGpu(name, DriverVersion.parse(version), known if known in ("WDDM", "TCC", "MCDM") else None)
