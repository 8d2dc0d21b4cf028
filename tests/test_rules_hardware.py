"""What single machines are too coarse for: how values are read, who has the last word, what stays silent."""

from __future__ import annotations

from typing import Any

import looked
import pytest

from gpucheck.facts.environment import Environment, Variable
from gpucheck.facts.gap import Gap, Unknown
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import ComputeCapability, CudaVersion, DriverVersion
from gpucheck.findings import Report, Severity
from gpucheck.rules.architectures import fit
from gpucheck.rules.engine import judge_all
from gpucheck.rules.presence import nvidia_here
from gpucheck.rules.visibility import Choice, choose

HIDDEN = Gap("hidden", "denied")


def healthy() -> Snapshot:
    return looked.snapshot("rtx4090-ubuntu")


def eight() -> Snapshot:
    return looked.snapshot("h100x8-ubuntu")


def with_driver(snapshot: Snapshot, **changes: Any) -> Snapshot:
    assert not isinstance(snapshot.driver, Gap)
    return snapshot._replace(driver=snapshot.driver._replace(**changes))


def with_gpus(snapshot: Snapshot, **changes: Any) -> Snapshot:
    """Every GPU changed alike."""
    return snapshot._replace(gpus=tuple(gpu._replace(**changes) for gpu in gpus_of(snapshot)))


def with_first_gpu(snapshot: Snapshot, **changes: Any) -> Snapshot:
    first, *others = gpus_of(snapshot)
    return snapshot._replace(gpus=(first._replace(**changes), *others))


def with_tensorflow(snapshot: Snapshot, **changes: Any) -> Snapshot:
    assert not isinstance(snapshot.python, Gap)
    build = snapshot.python.tensorflow
    assert build is not None
    assert not isinstance(build, Gap)
    return snapshot._replace(python=snapshot.python._replace(tensorflow=build._replace(**changes)))


def with_variable(snapshot: Snapshot, name: str, value: str) -> Snapshot:
    return snapshot._replace(environment=Environment((Variable(name, value),)))


def gpus_of(snapshot: Snapshot) -> tuple[Gpu, ...]:
    assert not isinstance(snapshot.gpus, Gap)
    return snapshot.gpus


def severity(report: Report, name: str) -> Severity | None:
    finding = report.find(name)
    return finding.severity if finding else None


# CUDA_VISIBLE_DEVICES


@pytest.mark.parametrize(
    ("value", "choice"),
    [
        ("0", Choice(1, None, ())),
        (" 0 , 7 ", Choice(2, None, ())),
        ("7,6,5,4,3,2,1,0", Choice(8, None, ())),
        ("", Choice(0, None, ())),
        ("  ", Choice(0, None, ())),
        ("-1", Choice(0, "-1", ())),
        ("0,-1,1", Choice(1, "-1", ("1",))),
        ("8", Choice(0, "8", ())),
        ("0,8,1,2", Choice(1, "8", ("1", "2"))),
        ("all", Choice(0, "all", ())),
        ('"0"', Choice(0, '"0"', ())),
        ("GPU-5a1c0de3", Choice(1, None, ())),
        ("GPU-5a1c0de3-7f3a-4b1e-9c55-0f2d6a9e0003", Choice(1, None, ())),
        ("GPU-", Choice(0, "GPU-", ())),
        ("GPU-ffff", Choice(0, "GPU-ffff", ())),
        ("MIG-00000002-6b5f-5d3c-8c2e-7f1f3f1d0a02", Choice(0, "MIG-00000002-6b5f-5d3c-8c2e-7f1f3f1d0a02", ())),
    ],
)
def test_visible_devices_are_counted_up_to_the_first_that_is_none(value: str, choice: Choice) -> None:
    assert choose(value, gpus_of(eight())) == choice


def test_an_instance_of_mig_is_named_by_its_uuid() -> None:
    gpus = gpus_of(looked.snapshot("h100x8-mig"))
    assert choose("MIG-00000002-6b5f-5d3c-8c2e-7f1f3f1d0a02", gpus) == Choice(1, None, ())
    assert choose("MIG-ffffffff-6b5f-5d3c-8c2e-7f1f3f1d0a02", gpus).visible == 0


def test_an_empty_variable_hides_every_gpu_even_where_nvml_tells_nothing() -> None:
    snapshot = with_variable(healthy(), "CUDA_VISIBLE_DEVICES", "")._replace(gpus=HIDDEN)
    assert severity(judge_all(snapshot), "cuda-visible-devices-hides-gpu") is Severity.ERROR


def test_choosing_some_of_the_gpus_is_no_finding() -> None:
    assert not judge_all(with_variable(eight(), "CUDA_VISIBLE_DEVICES", "2,3")).find("cuda-visible-devices-hides-gpu")
    for ended in ("0,", "0,-1", "2,3,-1"):  # a common way to end the list
        assert not judge_all(with_variable(eight(), "CUDA_VISIBLE_DEVICES", ended)).find(
            "cuda-visible-devices-hides-gpu"
        )


# Architectures


@pytest.mark.parametrize(
    ("codes", "capability", "runs", "ptx"),
    [
        (("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"), "6.1", "native", None),
        (("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"), "7.5", "native", None),
        (("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"), "8.6", "native", None),
        (("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"), "5.2", "too-old", None),
        (("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"), "12.0", "ptx", "9.0"),
        (("sm_35", "sm_50", "sm_60", "sm_70", "sm_75", "compute_80"), "9.0", "ptx", "8.0"),
        # TensorFlow 2.3: binary code of another major and PTX of a higher one do not help a Maxwell.
        (("sm_35", "sm_37", "sm_52", "sm_60", "sm_61", "compute_70"), "5.0", "too-old", None),
        (("sm_80", "sm_86"), "9.0", "too-new", None),
        (("sm_86",), "8.0", "too-old", None),
        (("sm_90a",), "9.0", "native", None),
    ],
)
def test_binary_code_runs_within_its_major_and_ptx_on_all_that_is_newer(
    codes: tuple[str, ...], capability: str, runs: str, ptx: str | None
) -> None:
    assert fit(codes, ComputeCapability(capability)) == (runs, ComputeCapability(ptx) if ptx else None)


def test_blackwell_runs_natively_where_the_build_has_code_for_it() -> None:
    snapshot = with_tensorflow(
        looked.snapshot("rtx5090-tf218"), compute_capabilities=("sm_90", "sm_120"), cuda_version=CudaVersion("12.8")
    )
    assert not judge_all(snapshot).find("gpu-arch-too-new-for-build")


def test_a_build_that_does_not_tell_its_list_is_looked_up_by_its_release() -> None:
    snapshot = with_tensorflow(looked.snapshot("gtx750ti-tf218"), compute_capabilities=None)
    finding = judge_all(snapshot).find("gpu-arch-too-old-for-build")
    assert finding
    assert "build_info.py in" in finding.evidence[1].source


def test_one_gpu_that_runs_makes_another_that_does_not_a_warning() -> None:
    snapshot = with_first_gpu(eight(), compute_capability=ComputeCapability("5.2"), name="GTX 980")
    assert severity(judge_all(snapshot), "gpu-arch-too-old-for-build") is Severity.WARNING


def test_equal_gpus_share_one_finding() -> None:
    report = judge_all(with_gpus(eight(), compute_capability=ComputeCapability("5.2")))
    (finding,) = [one for one in report.findings if one.name == "gpu-arch-too-old-for-build"]
    assert "GPUs 0, 1, 2, 3, 4, 5, 6, 7" in finding.message


# Drivers


@pytest.mark.parametrize("version", ["525.60.13", "580.126.09", "590.48.01", "610.43.02"])
def test_no_driver_is_too_new_for_a_build(version: str) -> None:
    snapshot = with_driver(healthy(), module_version=DriverVersion(version))
    assert not judge_all(snapshot).find("driver-too-old-for-cuda")


@pytest.mark.parametrize(("version", "found"), [("525.60.11", True), ("525.60.13", False), ("470.256.02", True)])
def test_minor_version_compatibility_sets_the_floor(version: str, found: bool) -> None:
    snapshot = with_driver(looked.snapshot("t4-driver-470"), module_version=DriverVersion(version))
    assert bool(judge_all(snapshot).find("driver-too-old-for-cuda")) is found


@pytest.mark.parametrize(("version", "found"), [("527.40", True), ("527.41", False)])
def test_under_wsl_the_windows_driver_is_measured_by_its_own_floor(version: str, found: bool) -> None:
    snapshot = looked.snapshot("wsl2-rtx3060")
    assert not isinstance(snapshot.driver, Gap)
    assert not isinstance(snapshot.driver.nvml, Gap)
    assert not isinstance(snapshot.driver.cuda, Gap)
    snapshot = with_driver(
        snapshot,
        nvml=snapshot.driver.nvml._replace(driver_version=DriverVersion(version)),
        cuda=snapshot.driver.cuda._replace(cuda_version=CudaVersion("11.8")),
    )
    assert bool(judge_all(snapshot).find("driver-too-old-for-cuda")) is found


def test_a_forward_compatibility_libcuda_that_works_makes_up_for_an_old_module() -> None:
    snapshot = with_driver(looked.snapshot("t4-debian"), module_version=DriverVersion("470.256.02"))
    assert not judge_all(snapshot).find("driver-too-old-for-cuda")


def test_versions_that_differ_are_no_mismatch_where_cuda_works() -> None:
    snapshot = with_driver(healthy(), module_version=DriverVersion("580.95.05"))
    assert not judge_all(snapshot).find("driver-library-version-mismatch")


# Presence


def test_a_loaded_module_is_witness_enough_where_pci_cannot_be_read() -> None:
    presence = nvidia_here(with_driver(healthy(), pci=HIDDEN))
    assert presence


def test_no_witness_and_one_that_could_not_be_heard_is_unknown() -> None:
    for name in ("pci", "module_version", "nodes", "libraries", "nvml", "cuda"):
        with pytest.raises(Unknown):
            nvidia_here(with_driver(looked.snapshot("no-gpu-vm"), **{name: HIDDEN}))


@pytest.mark.parametrize(("fact", "code"), [("nvml", 18), ("nvml", 15), ("nvml", 4), ("cuda", 802), ("cuda", 803)])
def test_an_error_that_only_a_driver_can_give_is_a_witness(fact: str, code: int) -> None:
    snapshot = looked.snapshot("no-gpu-vm")
    assert not isinstance(snapshot.driver, Gap)
    answer = getattr(snapshot.driver, fact)._replace(status="error", code=code)
    assert nvidia_here(with_driver(snapshot, **{fact: answer}))


def test_a_driver_that_is_installed_and_not_loaded_is_told_where_there_is_no_card() -> None:
    snapshot = looked.snapshot("no-gpu-vm")
    assert not isinstance(snapshot.driver, Gap)
    assert not isinstance(snapshot.driver.nvml, Gap)
    nvml = snapshot.driver.nvml._replace(status="error", code=9, error="Driver Not Loaded")
    report = judge_all(with_driver(snapshot, nvml=nvml))
    finding = report.find("nvidia-kernel-module-not-loaded")
    assert finding
    assert "Driver Not Loaded" in finding.evidence[0].value
    assert report.find("ok-cpu-expected") is None
    assert report.verdict == "warning"


def test_nvml_alone_of_another_version_is_a_warning_where_cuda_works() -> None:
    snapshot = looked.snapshot("rtx4090-ubuntu")
    assert not isinstance(snapshot.driver, Gap)
    assert not isinstance(snapshot.driver.nvml, Gap)
    nvml = snapshot.driver.nvml._replace(status="error", code=18, error="Driver/library version mismatch")
    assert severity(judge_all(with_driver(snapshot, nvml=nvml)), "driver-library-version-mismatch") is Severity.WARNING


@pytest.mark.parametrize(("fact", "name"), [("nvml", "nvml-not-answering"), ("cuda", "cuda-init-failed")])
@pytest.mark.parametrize("status", ["hung", "crashed"])
def test_a_sick_library_without_a_gpu_is_a_warning(fact: str, name: str, status: str) -> None:
    snapshot = looked.snapshot("no-gpu-vm")
    assert not isinstance(snapshot.driver, Gap)
    answer = getattr(snapshot.driver, fact)._replace(status=status, message="SIGSEGV in nvmlInit")
    assert severity(judge_all(with_driver(snapshot, **{fact: answer})), name) is Severity.WARNING


# GPUs


def test_exclusive_mode_without_a_process_is_no_obstacle() -> None:
    assert not judge_all(with_gpus(eight(), compute_mode="exclusive-process")).find("exclusive-compute-mode")


@pytest.mark.parametrize(("change", "expected"), [(with_gpus, Severity.ERROR), (with_first_gpu, Severity.WARNING)])
def test_a_prohibited_gpu_is_an_error_only_if_no_other_is_left(change: Any, expected: Severity) -> None:
    assert severity(judge_all(change(eight(), compute_mode="prohibited")), "exclusive-compute-mode") is expected


@pytest.mark.parametrize(("change", "expected"), [(with_gpus, Severity.ERROR), (with_first_gpu, Severity.WARNING)])
def test_mig_without_an_instance_is_an_error_only_if_no_other_gpu_is_left(change: Any, expected: Severity) -> None:
    report = judge_all(change(eight(), mig_mode=True, mig_devices=()))
    assert severity(report, "mig-no-instance-visible") is expected


@pytest.mark.parametrize("reasons", [(), ("gpu-idle",), ("sw-power-cap",), ("applications-clocks-setting",)])
def test_resting_and_a_power_cap_are_no_throttling(reasons: tuple[str, ...]) -> None:
    assert not judge_all(with_gpus(eight(), clocks_event_reasons=reasons)).find("gpu-throttling")


def test_a_slow_link_at_rest_is_no_finding() -> None:
    assert gpus_of(healthy())[0].pcie == (1, 4, 16, 16)
    assert not judge_all(healthy()).find("pcie-link-degraded")


def test_a_field_that_a_gpu_does_not_have_is_no_reason_to_skip() -> None:
    nothing = dict.fromkeys(("ecc_uncorrected", "remapped_pending", "slowdown_c", "pcie", "clocks_event_reasons"))
    report = judge_all(with_gpus(healthy(), **nothing))
    assert not report.findings
    assert not report.skipped


def test_hidden_processes_are_told_as_such() -> None:
    report = judge_all(with_gpus(healthy(), memory_free=1 << 30, processes=()))
    finding = report.find("gpu-memory-held-by-other-process")
    assert finding
    assert "not visible from here" in finding.message


# Words


def test_in_a_container_the_drivers_cure_is_the_hosts_business() -> None:
    snapshot = looked.snapshot("kernel-upgraded-module-behind")
    assert not isinstance(snapshot.system, Gap)
    inside = snapshot._replace(system=snapshot.system._replace(container="docker"))
    finding = judge_all(inside).find("nvidia-kernel-module-not-loaded")
    assert finding
    assert all(line.startswith("# ") for line in finding.fix)


@pytest.mark.parametrize(
    ("system", "command"),
    [("ubuntu", "sudo ubuntu-drivers install"), ("fedora", "sudo dnf install akmod-nvidia"), ("gentoo", "# NVIDIA's")],
)
def test_a_cure_fits_the_distribution(system: str, command: str) -> None:
    snapshot = looked.snapshot("fresh-ubuntu-nouveau")
    assert not isinstance(snapshot.system, Gap)
    other = snapshot._replace(system=snapshot.system._replace(distribution_id=system))
    finding = judge_all(other).find("nvidia-driver-not-installed")
    assert finding
    assert any(line.startswith(command) for line in finding.fix)


def test_nvmls_word_for_a_mismatch_is_enough_where_the_module_cannot_be_read() -> None:
    for hidden in (HIDDEN, None):
        snapshot = with_driver(looked.snapshot("driver-upgraded-not-rebooted"), module_version=hidden)
        finding = judge_all(snapshot).find("driver-library-version-mismatch")
        assert finding
        assert "code 18" in finding.message


@pytest.mark.parametrize("name", ["docker-utility-only", "kubernetes-pod-without-gpu", "wsl2-folder-not-searched"])
def test_nobody_is_told_to_install_a_driver_where_it_comes_from_outside(name: str) -> None:
    for finding in looked.report(name).findings:
        assert not [line for line in finding.fix if "apt install" in line or "dnf install" in line], finding.name


@pytest.mark.parametrize(
    ("value", "found"), [("0", False), ("0,", False), ("0,-1", False), ("0,7", True), ("7", False)]
)
def test_libcuda_has_applied_the_variable_where_nvml_lists_nothing(value: str, found: bool) -> None:
    # it shows one GPU there, which may be the number 7 of the machine
    snapshot = with_variable(looked.snapshot("visible-devices-shown-by-libcuda"), "CUDA_VISIBLE_DEVICES", value)
    assert bool(judge_all(snapshot).find("cuda-visible-devices-hides-gpu")) is found


def test_a_gpu_that_cannot_be_asked_keeps_no_other_from_being_judged() -> None:
    snapshot = looked.snapshot("gpu-handle-fails")
    hot = tuple(gpu._replace(temperature_c=95) if gpu.number == 5 else gpu for gpu in gpus_of(snapshot))
    report = judge_all(snapshot._replace(gpus=hot))
    assert report.find("gpu-too-hot")
    assert report.verdict == "unknown"


def fix_of(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    finding = judge_all(snapshot).find(name)
    assert finding, name
    return finding.fix


def test_only_modules_that_are_loaded_are_unloaded_and_those_that_use_others_first() -> None:
    snapshot = looked.snapshot("driver-upgraded-not-rebooted")
    for loaded, words in (
        (("nvidia", "nvidia_uvm"), "sudo rmmod nvidia_uvm nvidia &&"),
        (("i915", "nvidia", "nvidia_drm", "nvidia_modeset"), "sudo rmmod nvidia_drm nvidia_modeset nvidia &&"),
        (HIDDEN, None),
    ):
        commands = [line for line in fix_of(with_driver(snapshot, modules=loaded), MISMATCH) if "rmmod" in line]
        assert commands == ([] if words is None else [f"{words} sudo modprobe -a nvidia nvidia_uvm"])


MISMATCH = "driver-library-version-mismatch"


@pytest.mark.parametrize(
    ("path", "accused"),
    [
        ("/lib/modules/6.8.0-90-generic/kernel/nvidia-580/nvidia.ko", False),
        ("/lib/modules/6.8.0-90-generic/kernel/drivers/video/nvidia.ko", False),
        ("/lib/modules/6.8.0-90-generic/updates/dkms/nvidia.ko.zst", True),
        ("/lib/modules/6.17.5-300.fc43.x86_64/extra/nvidia/nvidia.ko.xz", True),
        ("/lib/modules/5.14.0-570.el9.x86_64/weak-updates/nvidia/nvidia.ko.xz", True),
    ],
)
def test_secure_boot_is_blamed_only_for_modules_that_the_distribution_did_not_sign(path: str, accused: bool) -> None:
    report = judge_all(with_driver(looked.snapshot("azure-secure-boot"), module_files=(path,)))
    assert bool(report.find("secure-boot-unsigned-module")) is accused
    assert report.find("nvidia-kernel-module-not-loaded")


def test_a_container_without_uvm_is_told_how_to_get_the_node() -> None:
    fix = fix_of(looked.snapshot("podman-without-uvm"), "nvidia-uvm-not-loaded")
    assert any("--device nvidia.com/gpu=all" in line for line in fix)
    assert any("--device /dev/nvidia-uvm" in line for line in fix)
    assert not any(line.startswith("sudo") for line in fix)


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("docker-lost-gpu", "cuda-init-failed"),
        ("docker-lost-gpu", "nvml-not-answering"),
        ("podman-without-uvm", "cuda-init-failed"),
    ],
)
def test_in_a_container_no_command_loads_modules_or_reads_the_kernels_log(machine: str, name: str) -> None:
    assert all(line.startswith("# ") for line in fix_of(looked.snapshot(machine), name))


def test_under_wsl_the_driver_is_started_anew_from_windows() -> None:
    assert "# wsl --shutdown" in fix_of(looked.snapshot("wsl2-linux-driver"), "cuda-init-failed")


def test_a_library_that_needs_another_is_named_by_its_path_or_not_by_a_path_at_all() -> None:
    snapshot = healthy()
    assert not isinstance(snapshot.driver, Gap)
    assert not isinstance(snapshot.driver.cuda, Gap)
    sick = snapshot.driver.cuda._replace(
        status="unloadable", code=None, path=None, device_count=None, message="libnvidia-gone.so: cannot open"
    )
    fix = fix_of(with_driver(snapshot, cuda=sick), "driver-library-unloadable")
    assert fix[0] == "ldd /usr/lib/x86_64-linux-gnu/libcuda.so.580.126.09 | grep 'not found'"
    fix = fix_of(with_driver(snapshot, cuda=sick, libraries=()), "driver-library-unloadable")
    assert not any(word in line for line in fix for word in ("dpkg", "ls -lL"))


def test_a_driver_put_into_wsl_by_hand_is_removed_without_naming_packages() -> None:
    fix = fix_of(with_driver(looked.snapshot("wsl2-linux-driver"), packages=()), "linux-driver-installed-in-wsl")
    assert not any("PACKAGES" in line for line in fix)
    assert "sudo nvidia-uninstall" in fix


def test_in_a_slurm_job_nobody_is_told_to_unset_the_variable() -> None:
    for environment in (
        (Variable("CUDA_VISIBLE_DEVICES", "NoDevFiles"),),
        (Variable("CUDA_VISIBLE_DEVICES", "9"), Variable("SLURM_JOB_PARTITION", "gpu")),
    ):
        fix = fix_of(eight()._replace(environment=Environment(environment)), "cuda-visible-devices-hides-gpu")
        assert any("--gres=gpu:1" in line for line in fix)
        assert not any("unset" in line for line in fix)


def test_a_driver_version_is_told_under_the_fact_that_it_was_read_from() -> None:
    snapshot = looked.snapshot("t4-driver-470")
    for machine, fact in ((snapshot, "driver.module_version"), (nvml_alone(snapshot), "driver.nvml.driver_version")):
        finding = judge_all(machine).find("driver-too-old-for-cuda")
        assert finding
        assert finding.evidence[0].fact == fact


def nvml_alone(snapshot: Snapshot) -> Snapshot:
    """As in a container whose /proc does not show the host's module."""
    return with_driver(snapshot, module_version=None, module_source=None)


def test_a_card_that_is_not_driven_is_not_said_to_be_an_old_one() -> None:
    finding = judge_all(looked.snapshot("pascal-on-driver-590")).find("gpu-not-bound-to-driver")
    assert finding
    assert "if it is a Maxwell, Pascal or Volta card" in finding.message


def test_libcuda_says_the_drivers_cuda_where_nvml_does_not() -> None:
    snapshot = looked.snapshot("h100-ptx-newer-than-driver")
    assert not isinstance(snapshot.driver, Gap)
    assert not isinstance(snapshot.driver.nvml, Gap)
    silent = with_driver(snapshot, nvml=snapshot.driver.nvml._replace(cuda_version=None))
    assert judge_all(silent).find("gpu-arch-too-new-for-build")
    assert not isinstance(snapshot.driver.cuda, Gap)
    nobody = with_driver(
        silent,
        nvml=snapshot.driver.nvml._replace(cuda_version=None),
        cuda=snapshot.driver.cuda._replace(cuda_version=None),
    )
    assert "gpu-arch-too-new-for-build" in [one.name for one in judge_all(nobody).skipped]


def test_an_older_release_is_named_with_a_python_that_it_resolves_on() -> None:
    # 2.14.1's extra does not resolve on Python 3.11, which that machine has
    fix = fix_of(looked.snapshot("k80-driver-470"), "gpu-arch-too-old-for-build")
    assert "python3.10 -m venv tf-gpu" in fix
    assert fix[-1] == "tf-gpu/bin/python -m pip install 'tensorflow[and-cuda]==2.14.1'"


def test_no_release_is_named_for_a_gpu_that_none_has_code_for() -> None:
    (line,) = fix_of(looked.snapshot("rtx5090-build-without-ptx"), "gpu-arch-too-new-for-build")
    assert "NGC" in line


def test_a_switched_off_cache_means_minutes_at_every_start() -> None:
    snapshot = looked.snapshot("h100-build-with-ptx-of-8.0")
    usual = judge_all(snapshot).find("ptx-jit-slow-start")
    assert usual
    assert "at first use" in usual.message
    off = judge_all(with_variable(snapshot, "CUDA_CACHE_DISABLE", "1")).find("ptx-jit-slow-start")
    assert off
    assert "at every start" in off.message
    assert off.fix[0] == "unset CUDA_CACHE_DISABLE"


def test_forced_compilation_is_told_though_the_build_has_code() -> None:
    finding = judge_all(with_variable(healthy(), "CUDA_FORCE_PTX_JIT", "1")).find("ptx-jit-slow-start")
    assert finding
    assert finding.fix == ("unset CUDA_FORCE_PTX_JIT",)
    assert not judge_all(with_variable(healthy(), "CUDA_FORCE_PTX_JIT", "0")).find("ptx-jit-slow-start")
