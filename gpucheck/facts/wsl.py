"""What only a Linux under WSL 2 has: its settings, and what Windows passes in or tells."""

from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import DriverVersion


class WindowsGpu(NamedTuple):
    """A GPU as Windows' own nvidia-smi.exe lists it."""

    name: str
    driver_version: Union[DriverVersion, None]
    driver_model: Union[str, None]  # WDDM, TCC, MCDM; None: it does not say


class Wsl(NamedTuple):
    gpu_enabled: Union[bool, None, Gap]  # [gpu] enabled of /etc/wsl.conf; None: it says nothing, which means true
    ldconfig: Union[bool, None, Gap]  # [automount] ldconfig of it; None: it says nothing, which means true
    stores: Union[tuple[str, ...], Gap]  # NVIDIA's folders of Windows' driver store that hold a libcuda for WSL
    jupyter: Union[str, None, Gap]  # Windows' jupyter.exe on PATH, where PATH has no jupyter of Linux
    smi: Union[str, None, Gap]  # nvidia-smi.exe; None: not there
    gpus: Union[tuple[WindowsGpu, ...], None, Gap]  # None: not asked, for NVML and libcuda both answer
