"""The system and driver probes over recorded files: real formats, and files that are not as they should be.

What the driver's libraries answer is tested with real children in test_native.py.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gpucheck.facts.codec import encode
from gpucheck.facts.driver import DkmsBuild, Driver, Fabric, Nvml, UserLibrary
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.system import System
from gpucheck.facts.versions import DriverVersion
from gpucheck.host.recorded import SCHEMA, RecordedHost
from gpucheck.probes import driver, gpus, system

NO_PYTHON = Gap("not asked", "not-collected")


def host(paths: dict[str, Any] | None = None, *, complete: bool = True, **machine: Any) -> RecordedHost:
    return RecordedHost({"schema": SCHEMA, "complete": complete, "paths": paths or {}, **machine})


def system_of(paths: dict[str, Any] | None = None, **machine: Any) -> System:
    return system.probe(host(paths, **machine), NO_PYTHON)


def driver_of(paths: dict[str, Any] | None = None, **machine: Any) -> Driver:
    return driver.probe(host(paths, **machine))


def text(content: str) -> dict[str, str]:
    return {"text": content}


def pci(address: str, vendor: str, device: str, driver_: str | None = None, kind: str = "0x030000") -> dict[str, Any]:
    base = f"/sys/bus/pci/devices/{address}"
    paths: dict[str, Any] = {
        f"{base}/class": text(f"{kind}\n"),
        f"{base}/vendor": text(f"0x{vendor}\n"),
        f"{base}/device": text(f"0x{device}\n"),
        f"{base}/power_state": text("D0\n"),
        f"{base}/config": {"base64": base64.b64encode(bytes.fromhex("de108426060410") + bytes(57)).decode()},
    }
    if driver_:
        paths[f"{base}/driver"] = {"link": f"/sys/bus/pci/drivers/{driver_}"}
        paths[f"/sys/bus/pci/drivers/{driver_}"] = {"names": ["bind", "unbind"]}
    return paths


# The first lines as they stand in NVIDIA's driver README ("Open Linux Kernel Modules"), nixGL issues 121 and 139,
# Hyprland pull request 6715 (a date in the user's language) and old Ubuntu reports.
VERSION_LINES = [
    ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024", "550.54.14", False),
    ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  177.80  Wed Oct  1 14:43:46 PDT 2008", "177.80", False),
    (
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build  (dvs-builder@U16-A24-9-2)  "
        "Thu Oct 10 12:15:00 UTC 2024",
        "565.57.01",
        True,
    ),
    (
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  525.60.11  Release Build  (archlinux-builder@host)  ",
        "525.60.11",
        True,
    ),
    (
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.58  Release Build  (portage@localhost)  "
        "Сб 29 июн 2024 14:36:22 MSK",
        "555.58",
        True,
    ),
    ("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.65.06  Release Build  (root@x)", "580.65.06", True),
]


@pytest.mark.parametrize(("line", "version", "is_open"), VERSION_LINES)
def test_the_loaded_modules_version_is_read_in_all_its_forms(line: str, version: str, is_open: bool) -> None:
    content = f"{line}\nGCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n"
    seen = driver_of({"/proc/driver/nvidia/version": text(content)})
    assert (seen.module_version, seen.module_open) == (DriverVersion(version), is_open)
    assert seen.module_source == "/proc/driver/nvidia/version"


def test_a_jetsons_system_version_is_not_taken_for_a_driver_version() -> None:
    line = "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  35.3.1  Release Build  (buildbrain@mobile-u64)"
    seen = driver_of({"/proc/driver/nvidia/version": text(line)}, about={"machine": "aarch64"})
    assert isinstance(seen.module_version, Gap)
    assert "Jetson" in seen.module_version.reason


@pytest.mark.parametrize("content", ["", "\n", "NVRM version:", "NVRM version: NVIDIA", "\0\0\0", "x" * 5000])
def test_garbage_in_the_version_file_is_a_gap(content: str) -> None:
    assert isinstance(driver_of({"/proc/driver/nvidia/version": text(content)}).module_version, Gap)


def test_sysfs_tells_the_version_where_proc_does_not() -> None:
    seen = driver_of({"/sys/module/nvidia/version": text("570.133.07\n")})
    assert (seen.module_version, seen.module_source) == (DriverVersion("570.133.07"), "/sys/module/nvidia/version")
    assert isinstance(seen.module_open, Gap)


def test_a_version_file_that_may_not_be_read_is_unknown_not_absent() -> None:
    denied = {"gap": "permission denied: /proc/driver/nvidia/version", "gap_kind": "denied"}
    seen = driver_of({"/proc/driver/nvidia/version": denied})
    assert isinstance(seen.module_version, Gap)
    assert seen.module_version.kind == "denied"


# /proc/modules: name, size, use count, users, state, address (proc(5)).
PROC_MODULES = """\
nvidia_uvm 4943872 0 - Live 0x0000000000000000 (OE)
nvidia_drm 135168 4 - Live 0x0000000000000000 (OE)
nvidia_modeset 1638400 5 nvidia_drm, Live 0x0000000000000000 (OE)
nvidia 104071168 88 nvidia_uvm,nvidia_modeset, Live 0x0000000000000000 (OE)
xhci_pci 24576 0 - Live 0x0000000000000000
i915 4292608 12 - Live 0x0000000000000000
"""


def test_bare_ubuntu_with_the_open_module_is_told_whole() -> None:
    kernel = "6.8.0-45-generic"
    paths = {
        "/proc/driver/nvidia/version": text(VERSION_LINES[2][0]),
        "/proc/modules": text(PROC_MODULES),
        f"/lib/modules/{kernel}/updates/dkms/nvidia.ko.zst": {"size": 9},
        f"/lib/modules/{kernel}/updates/dkms/nvidia-uvm.ko.zst": {"size": 9},
        f"/lib/modules/{kernel}/kernel/drivers/video/fbdev/nvidia/nvidiafb.ko.zst": {"size": 9},
        f"/var/lib/dkms/nvidia/565.57.01/{kernel}/x86_64/module/nvidia.ko.zst": {"size": 9},
        "/var/lib/dkms/nvidia/565.57.01/6.8.0-40-generic/x86_64/module/nvidia.ko.zst": {"size": 9},
        "/var/lib/dkms/nvidia/565.57.01/source": {"link": "/usr/src/nvidia-565.57.01"},
        f"/var/lib/dkms/nvidia/kernel-{kernel}-x86_64": {"link": f"565.57.01/{kernel}/x86_64"},
        "/var/lib/dpkg/info/nvidia-driver-565-open.list": text(""),
        "/var/lib/dpkg/info/libnvidia-compute-565:amd64.list": text(""),
        "/var/lib/dpkg/info/libnvidia-compute-550:amd64.list": text(""),
        "/var/lib/dpkg/info/bash.list": text(""),
        "/var/lib/dpkg/status": text(DPKG_STATUS),
        "/dev/nvidia0": {"kind": "char", "mode": "0666"},
        "/dev/nvidiactl": {"kind": "char", "mode": "0660", "gid": 44, "accessible": False},
        "/dev/nvidia-caps/nvidia-cap1": {"kind": "char"},
        "/dev/sda": {"kind": "block"},
        **pci("0000:01:00.0", "10de", "2684", "nvidia"),
        **pci("0000:00:1f.3", "8086", "7ad0", "snd_hda_intel", kind="0x040300"),
        "/usr/lib/x86_64-linux-gnu/libcuda.so.1": {"link": "libcuda.so.565.57.01"},
        "/usr/lib/x86_64-linux-gnu/libcuda.so.565.57.01": {"elf": {"machine": "x86_64"}},
        "/usr/local/cuda/lib64/stubs/libcuda.so.1": {"elf": {"machine": "x86_64"}},
        "/etc/prime-discrete": text("on-demand\n"),
    }
    seen = driver_of(paths)
    assert seen.modules == ("i915", "nvidia", "nvidia_drm", "nvidia_modeset", "nvidia_uvm")
    assert seen.module_files == (f"/lib/modules/{kernel}/updates/dkms/nvidia.ko.zst",)
    assert seen.dkms == (
        DkmsBuild("565.57.01", "6.8.0-40-generic", False),
        DkmsBuild("565.57.01", kernel, True),
    )
    assert seen.packages == ("libnvidia-compute-565 565.57.01-0ubuntu1", "nvidia-driver-565-open 565.57.01-0ubuntu1")
    assert isinstance(seen.nodes, tuple)
    assert [(node.path, oct(node.mode), node.accessible) for node in seen.nodes] == [
        ("/dev/nvidia0", "0o666", True),
        ("/dev/nvidiactl", "0o660", False),
    ]
    assert isinstance(seen.pci, tuple)
    assert [tuple(gpu) for gpu in seen.pci] == [("0000:01:00.0", "10de", "2684", "nvidia", "D0", True)]
    assert [(one.version, one.origin, one.first, one.reached) for one in libraries(seen)] == [
        (DriverVersion("565.57.01"), "driver", True, True),
        (None, "stub", False, False),
    ]
    assert (seen.prime, seen.bbswitch, seen.fabric, seen.smi) == ("on-demand", None, None, None)


# deb-control(5): one paragraph a package. The second was removed, its configuration stayed.
DPKG_STATUS = """\
Package: bash
Status: install ok installed
Version: 5.2-1

Package: libnvidia-compute-550
Status: deinstall ok config-files
Architecture: amd64
Version: 550.107.02-0ubuntu1

Package: libnvidia-compute-565
Status: install ok installed
Architecture: amd64
Version: 565.57.01-0ubuntu1
Description: NVIDIA libcompute package
 Package: not a field, a line of the description

Package: nvidia-driver-565-open
Status: install ok installed
Version: 565.57.01-0ubuntu1
"""


def libraries(seen: Driver) -> tuple[UserLibrary, ...]:
    assert isinstance(seen.libraries, tuple), seen.libraries
    return seen.libraries


def test_a_machine_without_a_gpu_has_nones_and_empty_lists_no_gaps() -> None:
    kernel = "/lib/modules/6.8.0-45-generic"
    seen = driver_of({"/proc/modules": text("xhci_pci 24576 0 - Live 0x0\n"), f"{kernel}/kernel": {"names": ["fs"]}})
    children = ("nvml", "cuda")  # not recorded here
    assert {name: value for name, value in seen._asdict().items() if isinstance(value, Gap)}.keys() == set(children)
    assert (seen.module_version, seen.pci, seen.nodes, seen.libraries) == (None, None, (), ())


def test_nouveau_is_seen_as_the_bound_driver() -> None:
    paths = {
        "/proc/modules": text("nouveau 3055616 6 - Live 0x0000000000000000\n"),
        **pci("0000:01:00.0", "10de", "1b80", "nouveau"),
    }
    seen = driver_of(paths)
    assert seen.modules == ("nouveau",)
    assert isinstance(seen.pci, tuple)
    assert seen.pci[0].driver == "nouveau"


def test_a_gpu_that_fell_off_the_bus_does_not_respond_and_a_sleeping_one_is_not_woken() -> None:
    paths = pci("0000:01:00.0", "10de", "2684")
    paths["/sys/bus/pci/devices/0000:01:00.0/config"] = {"base64": base64.b64encode(b"\xff" * 64).decode()}
    asleep = pci("0000:02:00.0", "10de", "2684")
    asleep["/sys/bus/pci/devices/0000:02:00.0/power_state"] = text("D3cold\n")
    seen = driver_of({**paths, **asleep}).pci
    assert isinstance(seen, tuple)
    assert [(gpu.driver, gpu.power_state) for gpu in seen] == [(None, "D0"), (None, "D3cold")]
    assert [gpu.responds for gpu in seen] == [False, None]


def test_wsl2_has_its_library_in_its_own_place_and_no_version_in_its_name() -> None:
    about = {"kernel": "5.15.167.4-microsoft-standard-WSL2"}
    paths = {
        "/dev/dxg": {"kind": "char", "mode": "0666"},
        "/usr/lib/wsl/lib/libcuda.so.1": {"elf": {"machine": "x86_64"}},
        "/usr/lib/wsl/lib/libnvidia-ml.so.1": {"elf": {"machine": "x86_64"}},
    }
    assert system_of(paths, about=about).wsl == 2
    seen = driver_of(paths, about=about)
    assert isinstance(seen.nodes, tuple)
    assert [node.path for node in seen.nodes] == ["/dev/dxg"]
    assert [(one.origin, one.version, one.reached) for one in libraries(seen)] == [("wsl", None, False)] * 2
    on_path = driver_of(paths, about=about, env={"LD_LIBRARY_PATH": "/usr/lib/wsl/lib"})
    assert [(one.first, one.reached) for one in libraries(on_path)] == [(True, True)] * 2


@pytest.mark.parametrize(
    ("kernel", "env", "expected"),
    [
        ("4.4.0-19041-Microsoft", {}, 1),
        ("6.6.87.2-microsoft-standard-WSL2", {}, 2),
        ("6.12.0-mine", {"WSL_DISTRO_NAME": "Ubuntu"}, 2),
        ("5.15.0-1064-azure", {}, None),
        ("6.8.0-45-generic", {}, None),
    ],
)
def test_wsl_is_told_by_the_kernels_release(kernel: str, env: dict[str, str], expected: int | None) -> None:
    paths = {"/dev/dxg": {"kind": "char"}} if env else {}
    assert system_of(paths, about={"kernel": kernel}, env=env).wsl == expected


CONTAINERS = [
    ({"/.dockerenv": text("")}, {}, "docker"),
    ({"/run/.containerenv": text('engine="podman-5.0"')}, {}, "podman"),
    ({"/.dockerenv": text(""), "/run/secrets/kubernetes.io/serviceaccount/x": text("")}, {}, "kubernetes"),
    ({"/run/systemd/container": text("systemd-nspawn\n")}, {}, "systemd-nspawn"),
    ({}, {"container": "lxc"}, "lxc"),
    ({}, {"APPTAINER_CONTAINER": "/images/tf.sif"}, "apptainer"),
    ({"/proc/1/cgroup": text("12:devices:/docker/0123456789abcdef\n")}, {}, "docker"),
    ({"/proc/1/cgroup": text("0::/kubepods.slice/kubepods-pod1.slice\n")}, {}, "kubernetes"),
    ({"/proc/1/cgroup": text("0::/init.scope\n")}, {}, None),
]


@pytest.mark.parametrize(("paths", "env", "expected"), CONTAINERS)
def test_a_container_is_told_by_its_signs(paths: dict[str, Any], env: dict[str, str], expected: str | None) -> None:
    assert system_of(paths, env=env).container == expected


def test_in_a_container_what_the_host_hides_is_unknown() -> None:
    paths = {"/.dockerenv": text(""), "/sys/firmware": {"names": []}}
    seen = driver_of(paths)
    assert isinstance(seen.module_files, Gap)
    assert isinstance(seen.dkms, Gap)
    assert isinstance(system_of(paths).secure_boot, Gap)


def efi(value: bytes) -> dict[str, Any]:
    name = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    return {name: {"base64": base64.b64encode(value).decode()}}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [(efi(b"\x06\0\0\0\x01"), True), (efi(b"\x06\0\0\0\0"), False), ({}, None)],
)
def test_secure_boot_is_the_fifth_byte_of_its_variable(paths: dict[str, Any], expected: bool | None) -> None:
    assert system_of(paths).secure_boot is expected


@pytest.mark.parametrize("paths", [efi(b""), efi(b"\x06\0\0\0"), {"/sys/firmware/efi": {"names": ["efivars"]}}])
def test_secure_boot_that_cannot_be_read_is_unknown(paths: dict[str, Any]) -> None:
    assert isinstance(system_of(paths).secure_boot, Gap)


def test_the_system_is_read_from_its_usual_files() -> None:
    paths = {
        "/etc/os-release": text('PRETTY_NAME="Ubuntu 24.04.1 LTS"\nID=ubuntu\n# a comment\nBROKEN\n'),
        "/proc/meminfo": text("MemTotal:       65536000 kB\nMemFree: 1 kB\n"),
        "/proc/cpuinfo": text("processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X\nflags\t\t: fpu avx avx2 sse4_2\n\n"),
        "/sys/fs/selinux/enforce": text("1"),
        "/sys/power/suspend_stats/success": text("3\n"),
        "/tmp": {"room": {"free_bytes": 5, "total_bytes": 10}, "kind": "dir"},
    }
    seen = system_of(paths, about={"libc": "glibc 2.39"})
    assert (seen.distribution, seen.distribution_id, str(seen.libc)) == ("Ubuntu 24.04.1 LTS", "ubuntu", "2.39")
    assert seen.memory_bytes == 65536000 * 1024
    assert not isinstance(seen.cpu, Gap)
    assert (seen.cpu.model, seen.cpu.avx, seen.cpu.avx2) == ("AMD Ryzen 9 7950X", True, True)
    assert (seen.selinux, seen.suspends) == ("enforcing", 3)
    assert isinstance(seen.disks, tuple)
    temp = seen.disks[0]
    assert (temp.role, temp.path, temp.free_bytes) == ("temp", "/tmp", 5)


def test_avx_is_no_question_on_arm_and_unknown_where_flags_are_missing() -> None:
    arm = system_of({"/proc/cpuinfo": text("processor\t: 0\nCPU part\t: 0xd40\n")}, about={"machine": "aarch64"}).cpu
    assert not isinstance(arm, Gap)
    assert (arm.avx, arm.avx2) == (None, None)
    bare = system_of({"/proc/cpuinfo": text("processor : 0\n")}).cpu
    assert not isinstance(bare, Gap)
    assert isinstance(bare.avx, Gap)


def test_glibc_is_known_by_an_old_file_name_and_absent_on_musl() -> None:
    libc = "/lib/x86_64-linux-gnu/libc"
    old = system_of({f"{libc}.so.6": {"link": "libc-2.31.so"}, f"{libc}-2.31.so": {"size": 9}})
    assert str(old.libc) == "2.31"
    assert isinstance(system_of({f"{libc}.so.6": {"size": 9}}).libc, Gap)
    assert system_of({"/lib/ld-musl-x86_64.so.1": {"size": 9}}).libc is None


def test_nothing_recorded_is_unknown_and_never_absent() -> None:
    empty = host(complete=False)
    seen, kernel = system.probe(empty, NO_PYTHON), driver.probe(empty)
    assert isinstance(gpus.probe(empty), Gap)
    known_system = {name for name, value in seen._asdict().items() if not isinstance(value, Gap)}
    assert known_system <= {"os", "kernel", "machine", "uid", "groups", "wsl", "cpu"}
    known = {name for name, value in kernel._asdict().items() if not isinstance(value, Gap)}
    # no folder on PATH was given, so nvidia-smi is on none; the kernel's name says that it is not WSL
    assert known <= {"module_source", "smi", "wsl"}


def test_user_libraries_show_links_in_circles_and_other_architectures() -> None:
    paths = {
        "/a/libcuda.so.1": {"link": "libcuda.so"},
        "/a/libcuda.so": {"link": "libcuda.so.1"},
        "/b/libcuda.so.1": {"elf": {"machine": "aarch64"}},
        "/c/libcuda.so.1": {"size": 0},
        "/usr/local/cuda/compat/libcuda.so.1": {"link": "libcuda.so.575.57.08"},
        "/usr/local/cuda/compat/libcuda.so.575.57.08": {"elf": {"machine": "x86_64"}},
    }
    seen = libraries(driver_of(paths, env={"LD_LIBRARY_PATH": "/a:/b:/c:/missing"}))
    assert {one.path: (one.defect, one.origin, one.first) for one in seen} == {
        "/c/libcuda.so.1": ("empty", "driver", True),
        "/a/libcuda.so.1": ("dangling", "driver", False),
        "/b/libcuda.so.1": ("wrong-architecture", "driver", False),
        "/usr/local/cuda/compat/libcuda.so.1": (None, "compat", False),
    }


def test_a_fabric_manager_is_found_by_its_process() -> None:
    init = {"/proc/1/comm": text("systemd\n")}
    switches = {f"/proc/driver/nvidia-nvswitch/devices/0000:0{n}:00.0": text("") for n in range(4)}
    package = {
        "/var/lib/dpkg/info/nvidia-fabricmanager-550.list": text(""),
        "/var/lib/dpkg/status": text(
            "Package: nvidia-fabricmanager-550\nStatus: install ok installed\nVersion: 550.54.14-1\n"
        ),
    }
    pid_file = "/run/nvidia-fabricmanager/nv-fabricmanager.pid"
    running = {pid_file: text("812\n"), "/proc/812/comm": text("nv-fabricmanage\n"), **init}
    assert driver_of({**switches, **package, **running}).fabric == Fabric(4, True, DriverVersion("550.54.14"))
    without_pid_file = driver_of({**switches, **package, **init, "/proc/99/comm": text("nv-fabricmanage\n")}).fabric
    assert isinstance(without_pid_file, Fabric)
    assert without_pid_file.manager_running is True
    stopped = driver_of({**switches, **package, **init}).fabric
    assert isinstance(stopped, Fabric)
    assert stopped.manager_running is False
    hidden = driver_of({**switches, **package, "/proc/1": {"names": []}}).fabric
    assert isinstance(hidden, Fabric)
    assert isinstance(hidden.manager_running, Gap)


def test_bbswitch_and_prime_are_read_as_their_programs_write_them() -> None:
    seen = driver_of({"/proc/acpi/bbswitch": text("0000:01:00.0 OFF\n"), "/etc/prime-discrete": text("off\n")})
    assert (seen.bbswitch, seen.prime) == ("OFF", "intel")
    assert isinstance(driver_of({"/etc/prime-discrete": text("what?\n")}).prime, Gap)


NVML_LINES: list[dict[str, Any]] = [
    {"stage": "load", "ok": True, "path": "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.126.09"},
    {"stage": "init", "code": 0, "error": None},
    {"stage": "system", "driver_version": "580.126.09", "nvml_version": "13.580.126.09", "cuda_version": 13000}
    | {"device_count": 2},
    {"stage": "gpu", "number": 0, "name": "Tesla T4", "memory_total": 16106127360, "compute_capability": "7.5"},
]


def test_fields_of_the_wrong_kind_become_gaps_and_the_rest_stays() -> None:
    bad = {"stage": "gpu", "number": 1, "name": 7, "memory_total": "much", "temperature_c": 40}
    bad["processes"] = [{"pid": "x"}]
    lines = [*NVML_LINES, bad, "not json", '["no object"]', {"stage": "done"}]
    recorded = host(children={"nvml": {"lines": lines}})
    seen = gpus.probe(recorded)
    assert isinstance(seen, tuple)
    assert (seen[0].name, seen[1].name, seen[1].temperature_c) == ("Tesla T4", None, 40)
    assert isinstance(seen[1].memory_total, Gap)
    assert isinstance(seen[1].processes, Gap)


@pytest.mark.parametrize("kept", range(len(NVML_LINES) + 1))
@pytest.mark.parametrize("ended", ["signal", "deadline", "exit"])
def test_a_child_may_end_after_any_line(kept: int, ended: str) -> None:
    child = {"ended": ended, "code": 11 if ended == "signal" else None, "lines": NVML_LINES[:kept], "errors": ""}
    recorded = host(children={"nvml": child})
    seen, chips = driver.probe(recorded).nvml, gpus.probe(recorded)
    if ended == "exit":
        assert isinstance(seen, Gap)
    else:
        assert not isinstance(seen, Gap)
        assert seen.status == {"signal": "crashed", "deadline": "hung"}[ended]
        assert (seen.driver_version is not None) == (kept >= 3)
    if kept == 4:
        assert isinstance(chips, tuple)
        assert [chip.name for chip in chips] == ["Tesla T4", None]
        assert chips[1].error is not None
    elif kept < 3:
        assert isinstance(chips, Gap)


# Every file that these probes read, and folders that they list.
FILES = [
    *("/proc/driver/nvidia/version", "/sys/module/nvidia/version", "/proc/modules", "/etc/prime-discrete"),
    *("/proc/acpi/bbswitch", "/proc/meminfo", "/proc/cpuinfo", "/etc/os-release", "/sys/fs/selinux/enforce"),
    *("/sys/power/suspend_stats/success", "/proc/1/cgroup", "/run/systemd/container", "/var/lib/dpkg/status"),
    *("/run/nvidia-fabricmanager/nv-fabricmanager.pid", "/proc/1/comm", "/etc/ld.so.cache"),
    *(f"/sys/bus/pci/devices/0000:01:00.0/{name}" for name in ("class", "vendor", "device", "power_state", "config")),
]
LISTED = {
    "/var/lib/dpkg/info/nvidia-driver-565.list": text(""),
    "/proc/driver/nvidia-nvswitch/devices/0000:01:00.0": text(""),
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": text("12345"),
}


@given(some.dictionaries(some.sampled_from(FILES), some.binary(max_size=200)))
def test_no_content_of_any_file_makes_a_probe_fail(files: dict[str, bytes]) -> None:
    paths = {path: {"base64": base64.b64encode(content).decode()} for path, content in files.items()}
    recorded = host({**LISTED, **paths})
    assert isinstance(system.probe(recorded, NO_PYTHON), System)
    assert isinstance(driver.probe(recorded), Driver)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["load", "init", "version", "system", "count", "gpu", "done"]
KEYS = [*("ok", "code", "path", "message", "error", "device_count", "driver_version", "cuda_version"), *Gpu._fields]
FIELDS = some.dictionaries(some.sampled_from(KEYS), JSON)
STAGE = some.builds(lambda name, fields: {"stage": name, **fields}, some.sampled_from(NAMES), FIELDS)


@given(some.lists(STAGE, max_size=6), some.sampled_from(["exit", "signal", "deadline", "not-started"]))
def test_no_line_of_a_child_makes_a_probe_fail(stages: list[dict[str, Any]], ended: str) -> None:
    child = {"ended": ended, "code": 11 if ended == "signal" else 0, "lines": stages, "errors": ""}
    recorded = host(children={"nvml": child, "cuda": child, "smi": {**child, "lines": ["\udcff", "580.1"]}})
    assert isinstance(driver.probe(recorded), Driver)
    chips = gpus.probe(recorded)
    assert isinstance(chips, (tuple, Gap))
    encode(chips)


def test_a_line_of_json_nested_without_end_is_passed_over() -> None:
    said = [{"stage": "load", "ok": True, "path": "/x"}, {"stage": "init", "code": 9, "error": "Driver Not Loaded"}]
    child = {"ended": "exit", "code": 0, "lines": ["[" * 100_000, *said]}
    seen = driver.probe(host(children={"nvml": child, "cuda": child})).nvml
    assert isinstance(seen, Nvml)
    assert (seen.path, seen.code) == ("/x", 9)
