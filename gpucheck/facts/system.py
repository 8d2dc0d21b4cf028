"""The computer and its system, before any GPU."""

from typing import Literal, NamedTuple, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.versions import LibcVersion


class Disk(NamedTuple):
    """Free room where an installation would write. Bytes."""

    role: Literal["environment", "temp", "home"]
    path: str
    free_bytes: int
    total_bytes: int


class Cpu(NamedTuple):
    model: str
    threads: int
    avx: Union[bool, None, Gap]  # None: the question does not arise on this architecture
    avx2: Union[bool, None, Gap]


class Firmware(NamedTuple):
    """The computer's own: its model, and its BIOS or UEFI (DMI, as /sys/class/dmi/id has it)."""

    product: Union[str, None]
    version: Union[str, None]
    date: Union[str, None]


class System(NamedTuple):
    os: Literal["linux", "windows"]
    distribution: Union[str, None, Gap]  # PRETTY_NAME of /etc/os-release
    distribution_id: Union[str, None, Gap]  # ID: debian, ubuntu, rhel, alpine …
    kernel: Union[str, Gap]  # uname -r; a log often tells the system and not this
    machine: Union[str, Gap]  # x86_64, aarch64
    libc: Union[LibcVersion, None, Gap]  # None: no glibc (musl)
    wsl: Union[Literal[1, 2], None, Gap]  # None: not under WSL
    container: Union[str, None, Gap]  # docker, podman, kubernetes, lxc, apptainer, systemd-nspawn
    uid: Union[int, Gap]
    groups: Union[tuple[int, ...], Gap]
    memory_bytes: Union[int, None, Gap]
    cpu: Union[Cpu, Gap]
    secure_boot: Union[bool, None, Gap]  # None: no UEFI
    selinux: Union[Literal["enforcing", "permissive"], None, Gap]
    suspends: Union[int, None, Gap]  # successful suspends since boot, /sys/power/suspend_stats/success
    disks: Union[tuple[Disk, ...], Gap]
    firmware: Union[Firmware, None, Gap] = Gap("firmware was not recorded", "not-collected")  # None: no DMI
