"""WSL 2: what is read of its settings, and whom Windows' own nvidia-smi is asked about. The machines: wsl*.json."""

from __future__ import annotations

from typing import Any

import looked
import machines
import pytest

from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Kernel
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import ComputeCapability, DriverVersion
from gpucheck.facts.wsl import WindowsGpu, Wsl
from gpucheck.findings import Finding, Severity
from gpucheck.host import Answer
from gpucheck.host.recorded import RecordedHost
from gpucheck.probes.driver import probe
from gpucheck.probes.wsl import _told
from gpucheck.rules.engine import judge_all

STORE = "/usr/lib/wsl/drivers/nv_dispsi.inf_amd64_7cc7738d8e428783"


def seen(paths: dict[str, Any], **env: str) -> Wsl:
    """What is read on a WSL 2 in order with these files, too."""
    machine = machines.load("wsl2-rtx3060")
    machine["paths"] = {**machine["paths"], **paths}
    machine["env"] = {**machine["env"], **env}
    driver = probe(RecordedHost(machine))
    assert isinstance(driver.wsl, Wsl)
    return driver.wsl


def driver_of(snapshot: Snapshot) -> Driver:
    assert not isinstance(snapshot.driver, Gap)
    return snapshot.driver


def finding(name: str, rule: str) -> Finding:
    found = looked.report(name).find(rule)
    assert found is not None, f"{rule} is silent on {name}"
    return found


def with_wsl(name: str, **changes: Any) -> Snapshot:
    snapshot = looked.snapshot(name)
    driver = driver_of(snapshot)
    assert isinstance(driver.wsl, Wsl)
    return snapshot._replace(driver=driver._replace(wsl=driver.wsl._replace(**changes)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[gpu]\nenabled=false\n", False),
        ("[GPU]\r\n Enabled = False  # to save memory\r\n", False),
        ("[gpu]\nenabled=true\n", True),
        ("[interop]\nenabled=false\n[gpu]\n", None),
        ("enabled=false\n", None),
        ("[gpu]\nenabled=perhaps\n", None),
        ("\x00\xff[[[\n=\n", None),
    ],
)
def test_the_gpu_is_off_only_where_its_own_section_says_so(text: str, expected: bool | None) -> None:
    assert seen({"/etc/wsl.conf": {"text": text}}).gpu_enabled is expected


def test_settings_that_may_not_be_read_are_not_known() -> None:
    gap = {"gap": "permission denied: /etc/wsl.conf", "gap_kind": "denied"}
    assert isinstance(seen({"/etc/wsl.conf": gap}).gpu_enabled, Gap)


def test_only_a_folder_of_nvidias_with_a_libcuda_is_a_store() -> None:
    others = {
        "/usr/lib/wsl/drivers/nvhda.inf_amd64_1/nvhda64v.sys": {"size": 1},
        "/usr/lib/wsl/drivers/u0420529.inf_amd64_94/libcuda.so.1.1": {"size": 1},
    }
    assert seen(others).stores == ()
    assert seen({**others, f"{STORE}/libcuda.so.1.1": {"size": 1}}).stores == (STORE,)


def test_windows_jupyter_counts_only_where_linux_has_none_on_path() -> None:
    windows = "/mnt/c/Users/user/anaconda3/Scripts"
    exe = {f"{windows}/jupyter.exe": {"kind": "file", "mode": "0777"}}
    assert seen(exe, PATH=f"/usr/bin:{windows}").jupyter == f"{windows}/jupyter.exe"
    assert seen({**exe, "/usr/bin/jupyter": {"mode": "0755"}}, PATH=f"/usr/bin:{windows}").jupyter is None
    # behind it, too: a shell takes the name without .exe wherever it lies
    assert seen({**exe, "/usr/bin/jupyter": {"mode": "0755"}}, PATH=f"{windows}:/usr/bin").jupyter is None
    assert seen(exe, PATH="/usr/bin").jupyter is None


def test_windows_nvidia_smi_is_not_asked_where_cuda_works() -> None:
    # Starting a Windows program takes its time, and there is nothing to learn.
    smi = {"/mnt/c/Windows/System32/nvidia-smi.exe": {"kind": "file", "mode": "0777"}}
    assert seen(smi).gpus is None
    assert seen(smi).smi == "/mnt/c/Windows/System32/nvidia-smi.exe"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("555.85, TCC, NVIDIA L40S\r", WindowsGpu("NVIDIA L40S", DriverVersion("555.85"), "TCC")),
        ("536.40, WDDM, NVIDIA A, B", WindowsGpu("NVIDIA A, B", DriverVersion("536.40"), "WDDM")),
        ("391.35, WDM, Tesla P4", WindowsGpu("Tesla P4", DriverVersion("391.35"), "TCC")),
        ("591.59, [N/A], NVIDIA T4", WindowsGpu("NVIDIA T4", DriverVersion("591.59"), None)),
    ],
)
def test_a_line_of_windows_nvidia_smi_gives_driver_mode_and_name(line: str, expected: WindowsGpu) -> None:
    assert _told("nvidia-smi.exe", Answer("exit", 0, (line,), "")) == (expected,)


@pytest.mark.parametrize(
    "answer",
    [
        Answer("exit", 0, (), ""),
        Answer("exit", 0, ("No devices were found",), ""),
        Answer("exit", 9, ("555.85, TCC, NVIDIA L40S",), ""),
        Answer("deadline", None, (), ""),
        Answer("not-started", None, (), "Exec format error"),
    ],
)
def test_what_windows_nvidia_smi_does_not_say_is_not_known(answer: Answer) -> None:
    assert isinstance(_told("nvidia-smi.exe", answer), Gap)


def test_tcc_is_told_with_the_card_and_the_command_and_comes_first() -> None:
    one = finding("wsl2-gpu-in-tcc-mode", "wsl-gpu-in-tcc-mode")
    assert one.message == "Windows drives NVIDIA L40S in TCC mode, which WSL cannot use."
    assert "nvidia-smi -i 0 -dm 0" in one.fix
    assert looked.report("wsl2-gpu-in-tcc-mode").findings[0] is one


def test_without_windows_word_a_blocked_gpu_is_blocked_and_no_mode_is_guessed() -> None:
    report = looked.report("wsl2-gpu-access-blocked")
    assert report.find("wsl-gpu-access-blocked") is not None
    assert "wsl-gpu-in-tcc-mode" in [one.name for one in report.skipped]
    assert "TCC" not in "".join(one.message for one in report.findings)


def test_another_mode_than_tcc_accuses_nobody() -> None:
    for model in ("WDDM", "MCDM", None):
        gpus = (WindowsGpu("NVIDIA L40S", None, model),)
        assert judge_all(with_wsl("wsl2-gpu-in-tcc-mode", gpus=gpus)).find("wsl-gpu-in-tcc-mode") is None


def test_a_driver_in_windows_store_is_named_where_wsl_has_no_libcuda() -> None:
    one = finding("wsl2-driver-installed-after-start", "wsl-no-windows-driver")
    assert STORE in one.message
    assert one.fix == ("# in PowerShell on Windows:", "wsl --shutdown")
    assert "install NVIDIA's driver on Windows" in finding("wsl2-without-nvidia", "wsl-no-windows-driver").fix[0]


def test_a_maxwell_that_works_is_a_note_and_one_that_fails_a_warning() -> None:
    assert finding("wsl2-maxwell", "wsl-maxwell-not-supported").severity is Severity.INFO
    snapshot = looked.snapshot("wsl2-maxwell")
    cuda = driver_of(snapshot).cuda
    assert not isinstance(cuda, Gap)
    failing = driver_of(snapshot)._replace(cuda=cuda._replace(status="error", code=100, device_count=None))
    one = judge_all(snapshot._replace(driver=failing)).find("wsl-maxwell-not-supported")
    assert one is not None
    assert one.severity is Severity.WARNING


def test_a_pascal_is_no_maxwell() -> None:
    snapshot = looked.snapshot("wsl2-maxwell")
    assert isinstance(snapshot.gpus, tuple)
    for capability, found in (("5.0", True), ("5.2", True), ("6.1", False), ("3.5", False)):
        gpus = tuple(one._replace(compute_capability=ComputeCapability(capability)) for one in snapshot.gpus)
        assert bool(judge_all(snapshot._replace(gpus=gpus)).find("wsl-maxwell-not-supported")) is found


def test_windows_python_in_wsl_is_the_first_cause() -> None:
    report = looked.report("wsl2-windows-python")
    assert report.findings[0].name == "wsl-windows-python"
    assert "tensorflow-not-installed" in report.findings[0].explains


def test_a_kernel_that_starts_windows_python_is_a_warning() -> None:
    snapshot = looked.snapshot("wsl2-rtx3060")
    assert not isinstance(snapshot.python, Gap)
    for interpreter, found in (
        ("/mnt/c/Python310/python.exe", True),
        ("/home/user/venv/bin/python", False),
        (None, False),
    ):
        kernels = (Kernel("win", "/home/user/.local/share/jupyter/kernels/win", interpreter, interpreter),)
        report = judge_all(snapshot._replace(python=snapshot.python._replace(kernels=kernels)))
        assert [one.severity for one in report.findings if one.name == "wsl-windows-python"] == (
            [Severity.WARNING] if found else []
        )
