"""The NVIDIA driver: its kernel half, its user-space half, and what each of them answers."""

from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import CudaVersion, DriverVersion
from gpucheck.facts.wsl import Wsl

# How a driver library answered in its child process. Each is a fact with its own rule, none of them a gap:
#   ok           initialised and answered
#   error        initialised with an error code (`code`, `error`)
#   not-found    the loader knows no such file
#   unloadable   the file is there and does not load (`message` holds dlerror's words)
#   crashed      the child died of a signal (`message` names it)
#   hung         no answer before the deadline
CallStatus = Literal["ok", "error", "not-found", "unloadable", "crashed", "hung"]


class DeviceNode(NamedTuple):
    """One of /dev/nvidia*, /dev/dxg."""

    path: str
    mode: int  # permission bits
    uid: int
    gid: int
    accessible: Union[bool, Gap]  # may the current user read and write it?


class PciGpu(NamedTuple):
    """A display or 3D controller on the PCI bus, whoever made it: seen without any driver."""

    address: str  # 0000:01:00.0
    vendor: str  # 10de
    device: str  # 2684
    driver: Union[str, None, Gap]  # bound kernel driver: nvidia, nouveau, vfio-pci …
    power_state: Union[str, None, Gap]  # D0, D3cold
    responds: Union[bool, None, Gap]  # False: configuration space reads all ff (powered off, fallen off the bus)


class DkmsBuild(NamedTuple):
    """One kernel that DKMS built (or failed to build) an nvidia module for."""

    version: str
    kernel: str
    installed: bool


class UserLibrary(NamedTuple):
    """A user-space half of the driver: libcuda.so.1, libnvidia-ml.so.1."""

    soname: str
    path: str
    real_path: Union[str, None, Gap]  # None: a link that leads nowhere or in a circle
    version: Union[DriverVersion, None, Gap]  # from the real file's name
    defect: Union[str, None, Gap]  # empty, truncated, wrong-architecture, not-elf, dangling
    origin: Literal["driver", "stub", "compat", "wsl"]  # by its place: CUDA's stubs, CUDA's compat, /usr/lib/wsl/lib
    first: bool  # the copy that the loader takes here
    reached: bool = False  # in a place that the loader searches, whether or not it would load


class Nvml(NamedTuple):
    """What libnvidia-ml answered, through nvidia-ml-py."""

    status: CallStatus
    code: Union[int, None]  # NVML return code (nvml.h, nvmlReturn_t)
    error: Union[str, None]  # its words
    message: Union[str, None]  # dlerror, the signal's name, the deadline
    path: Union[str, None]  # the file that was loaded
    driver_version: Union[DriverVersion, None]
    nvml_version: Union[str, None]
    cuda_version: Union[CudaVersion, None]
    device_count: Union[int, None]


class CudaDriver(NamedTuple):
    """What libcuda answered to cuInit, in the environment that programs get."""

    status: CallStatus
    code: Union[int, None]  # CUresult
    error: Union[str, None]  # CUDA_ERROR_NO_DEVICE …
    message: Union[str, None]
    path: Union[str, None]
    cuda_version: Union[CudaVersion, None]  # cuDriverGetVersion: needs no device
    device_count: Union[int, None]  # after CUDA_VISIBLE_DEVICES


class Smi(NamedTuple):
    """nvidia-smi, asked last and only with --query-gpu."""

    path: str
    status: Literal["not-run", "ok", "error", "hung", "garbage"]
    exit_code: Union[int, None]
    driver_version: Union[DriverVersion, None]


class Fabric(NamedTuple):
    """NVSwitch machines only (HGX, DGX)."""

    switches: int
    manager_running: Union[bool, Gap]
    manager_version: Union[DriverVersion, None, Gap]


class Driver(NamedTuple):
    module_version: Union[DriverVersion, None, Gap]  # of the loaded kernel module; None: not loaded
    module_source: Union[str, None]  # where that was read
    module_open: Union[bool, None, Gap]  # the open kernel module
    modules: Union[tuple[str, ...], Gap]  # loaded: nvidia, nvidia_uvm, nouveau, nova_core, bbswitch …
    module_files: Union[tuple[str, ...], Gap]  # nvidia.ko* under /lib/modules/<running kernel>
    dkms: Union[tuple[DkmsBuild, ...], Gap]
    packages: Union[tuple[str, ...], Gap]  # Debian packages of the driver, "name version"
    nodes: Union[tuple[DeviceNode, ...], Gap]
    pci: Union[tuple[PciGpu, ...], None, Gap]  # None: no PCI bus to look at
    libraries: Union[tuple[UserLibrary, ...], Gap]
    nvml: Union[Nvml, Gap]
    cuda: Union[CudaDriver, Gap]
    smi: Union[Smi, None, Gap]  # None: not on PATH
    fabric: Union[Fabric, None, Gap]  # None: no NVSwitch
    prime: Union[str, None, Gap]  # prime-select's profile: nvidia, on-demand, intel
    bbswitch: Union[str, None, Gap]  # ON or OFF
    wsl: Union[Wsl, None, Gap] = None  # None: not WSL 2
