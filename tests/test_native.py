"""The driver's libraries at the level of their ABI, loaded by the real nvidia-ml-py in real child processes.

Each fault has a row: what the driver does, and the facts that must come of it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fake_driver import DRIVER, OLD_DRIVER, FakeDriver

from gpucheck.facts.driver import CudaDriver, Driver, Nvml
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.versions import CudaVersion, DriverVersion
from gpucheck.host.local import LocalHost
from gpucheck.probes import driver, gpus, nvml
from gpucheck.probes.loader import copies

pytestmark = pytest.mark.native

TIMEOUT = 10.0


class Seen(NamedTuple):
    driver: Driver
    gpus: tuple[Gpu, ...] | Gap
    seconds: float

    @property
    def nvml(self) -> Nvml:
        assert isinstance(self.driver.nvml, Nvml), self.driver.nvml
        return self.driver.nvml

    @property
    def cuda(self) -> CudaDriver:
        assert isinstance(self.driver.cuda, CudaDriver), self.driver.cuda
        return self.driver.cuda

    @property
    def listed(self) -> tuple[Gpu, ...]:
        assert isinstance(self.gpus, tuple), self.gpus
        return self.gpus


def see(environ: dict[str, str], timeout: float = TIMEOUT) -> Seen:
    """What `look` does with the driver, without the software side."""
    begin = time.monotonic()
    host = LocalHost(timeout, environ)
    driver.start(host)
    found = gpus.probe(host)
    return Seen(driver.probe(host), found, time.monotonic() - begin)


HEALTHY: dict[str, dict[str, Any]] = {
    "gtx1080": {"name": "NVIDIA GeForce GTX 1080", "cc": "6.1", "mib": 8192, "ecc": None, "mig": None, "links": None},
    "t4": {"name": "Tesla T4", "cc": "7.5", "mib": 15360, "ecc": True, "mig": None, "links": None},
    "rtx4090": {"name": "NVIDIA GeForce RTX 4090", "cc": "8.9", "mib": 24564, "ecc": False, "mig": None, "links": None},
    "h100-mig": {"name": "NVIDIA H100 80GB HBM3", "cc": "9.0", "mib": 81559, "ecc": True, "mig": True, "links": 18},
    "rtx5090": {"name": "NVIDIA GeForce RTX 5090", "cc": "12.0", "mib": 32607, "ecc": None, "mig": None, "links": None},
}


@pytest.mark.parametrize("profile", HEALTHY)
def test_a_healthy_gpu_is_told_field_by_field(fake_driver: FakeDriver, profile: str) -> None:
    seen, row = see(fake_driver.environ(FAKE_PROFILE=profile)), HEALTHY[profile]
    assert (seen.nvml.status, seen.nvml.code, seen.nvml.device_count) == ("ok", 0, 1)
    assert seen.nvml.driver_version == DriverVersion(DRIVER)
    assert seen.nvml.cuda_version == CudaVersion("13.0")
    assert seen.nvml.path == f"{fake_driver.folder}/libnvidia-ml.so.{DRIVER}"
    assert (seen.cuda.status, seen.cuda.device_count, seen.cuda.cuda_version) == ("ok", 1, CudaVersion("13.0"))
    (gpu,) = seen.listed
    assert (gpu.name, str(gpu.compute_capability), gpu.error) == (row["name"], row["cc"], None)
    assert gpu.memory_total == row["mib"] << 20
    assert (gpu.ecc_mode, gpu.mig_mode, gpu.nvlinks_active) == (row["ecc"], row["mig"], row["links"])
    assert gpu.pci_address == "0000:01:00.0"
    assert gpu.power_w == 21.5
    assert gpu.pcie is not None
    assert not isinstance(gpu.pcie, Gap)
    assert (gpu.pcie.width, gpu.pcie.width_max) == (16, 16)
    assert gpu.clocks_event_reasons == ("gpu-idle",)


def test_no_field_of_a_healthy_gpu_is_a_gap(fake_driver: FakeDriver) -> None:
    (gpu,) = see(fake_driver.environ(FAKE_PROFILE="h100-mig")).listed
    assert [name for name in Gpu._fields if isinstance(getattr(gpu, name), Gap)] == []
    # and on an H100 nearly everything is supported; driver models are Windows'
    assert [name for name in Gpu._fields if getattr(gpu, name) is None] == ["error", "error_code", "driver_model"]


def test_mig_instances_are_told_by_their_uuids(fake_driver: FakeDriver) -> None:
    (gpu,) = see(fake_driver.environ(FAKE_PROFILE="h100-mig")).listed
    assert gpu.mig_devices == ("MIG-00000000-0000-4000-8000-000000000001", "MIG-00000000-0000-4000-8000-000000000002")
    (gpu,) = see(fake_driver.environ(FAKE_PROFILE="h100-mig", FAKE_MIG_INSTANCES="0")).listed
    assert (gpu.mig_mode, gpu.mig_devices) == (True, ())


def test_one_lost_gpu_of_eight_leaves_the_seven_others_told(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ(FAKE_PROFILE="8xh100", FAKE_LOST="3"))
    assert seen.nvml.status == "ok"
    assert [(gpu.number, gpu.error_code) for gpu in seen.listed if gpu.error] == [(3, 15)]
    assert [gpu.name for gpu in seen.listed].count("NVIDIA H100 80GB HBM3") == 7


def test_a_gpu_lost_between_two_questions_keeps_what_it_told(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ(FAKE_CODES="nvmlDeviceGetTemperature=15"))
    (gpu,) = seen.listed
    assert (gpu.error_code, gpu.name) == (15, "Tesla T4")
    assert isinstance(gpu.temperature_c, Gap)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (4, "Insufficient Permissions"),
        (9, "Driver Not Loaded"),
        (15, "GPU is lost"),
        (17, "The operating system has blocked the request."),
        (18, "RM has detected an NVML/RM version mismatch."),
        (999, "Unknown Error"),
    ],
)
def test_an_error_of_nvml_init_is_told_by_code_and_words(fake_driver: FakeDriver, code: int, words: str) -> None:
    seen = see(fake_driver.environ(FAKE_CODES=f"nvmlInit={code}"))
    assert (seen.nvml.status, seen.nvml.code, seen.nvml.error) == ("error", code, words)
    assert seen.cuda.status == "ok"
    (gpu,) = seen.listed
    assert isinstance(gpu.temperature_c, Gap)
    assert words in gpu.temperature_c.reason


def test_an_error_of_cu_init_has_its_name(fake_driver: FakeDriver) -> None:
    names = {34: "CUDA_ERROR_STUB_LIBRARY", 802: "CUDA_ERROR_SYSTEM_NOT_READY", 999: "CUDA_ERROR_UNKNOWN"}
    for code, name in names.items():
        seen = see(fake_driver.environ(FAKE_CODES=f"cuInit={code}"))
        assert (seen.cuda.status, seen.cuda.code, seen.cuda.error) == ("error", code, name)
        assert seen.cuda.cuda_version == CudaVersion("13.0")
        assert seen.nvml.status == "ok"


def test_a_hidden_gpu_is_no_device_to_cuda_and_there_for_nvml(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ(CUDA_VISIBLE_DEVICES="-1"))
    assert (seen.cuda.status, seen.cuda.code, seen.cuda.error) == ("error", 100, "CUDA_ERROR_NO_DEVICE")
    assert len(seen.listed) == 1


def test_a_field_without_permission_is_a_denied_gap_and_the_rest_is_told(fake_driver: FakeDriver) -> None:
    (gpu,) = see(fake_driver.environ(FAKE_CODES="nvmlDeviceGetComputeRunningProcesses=4")).listed
    assert isinstance(gpu.processes, Gap)
    assert gpu.processes.kind == "denied"
    assert gpu.temperature_c == 45


def test_a_field_that_is_not_supported_is_none(fake_driver: FakeDriver) -> None:
    (gpu,) = see(fake_driver.environ(FAKE_CODES="nvmlDeviceGetPowerUsage=3,nvmlDeviceGetUtilizationRates=3")).listed
    assert (gpu.power_w, gpu.utilization, gpu.power_limit_w) == (None, None, 70.0)


def test_an_old_driver_without_the_newer_calls_is_told_all_the_same(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ("old", FAKE_PROFILE="gtx1080", FAKE_DRIVER=OLD_DRIVER, FAKE_CUDA="9010"))
    assert (seen.nvml.status, str(seen.nvml.driver_version), seen.nvml.cuda_version) == ("ok", OLD_DRIVER, None)
    assert seen.cuda.cuda_version == CudaVersion("9.1")
    (gpu,) = seen.listed
    assert (gpu.name, gpu.pci_address, gpu.processes) == ("NVIDIA GeForce GTX 1080", "0000:01:00.0", ())
    assert gpu.clocks_event_reasons == ("gpu-idle",)
    assert (gpu.mig_mode, gpu.remapped_pending, gpu.nvlinks_active) == (None, None, None)
    assert [name for name in Gpu._fields if isinstance(getattr(gpu, name), Gap)] == []


def test_driver_610_is_a_version_like_any_other(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ(FAKE_DRIVER="610.43.02", FAKE_CUDA="13030"))
    assert (str(seen.nvml.driver_version), str(seen.nvml.cuda_version)) == ("610.43.02", "13.3")


def test_a_name_that_is_no_utf8_breaks_nothing(fake_driver: FakeDriver) -> None:
    (gpu,) = see(fake_driver.environ(FAKE_NAME=b"GeForce\xff\xfe RTX".decode("utf-8", "surrogateescape"))).listed
    assert gpu.name is not None
    assert gpu.name.encode("utf-8", "surrogateescape") == b"GeForce\xff\xfe RTX"
    assert gpu.memory_total == 15360 << 20


def test_what_the_library_prints_does_not_get_between_the_answers(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ(FAKE_CHATTER='{"stage": "gpu", "number": 7}'))
    assert [gpu.number for gpu in seen.listed] == [0]
    assert seen.cuda.status == "ok"


@pytest.mark.parametrize("calls", range(1, 40, 3))
def test_a_driver_that_disappears_between_two_calls_gives_what_it_told_until_then(
    fake_driver: FakeDriver, calls: int
) -> None:
    seen = see(fake_driver.environ(FAKE_PROFILE="8xh100", FAKE_GONE_AFTER=str(calls), FAKE_GONE_CODE="9"))
    if calls < 2:  # nvmlInit, then the count
        assert (seen.nvml.status, seen.nvml.code) == ("error", 9)
        assert isinstance(seen.gpus, Gap)
    else:
        assert seen.nvml.status == "ok"
        assert len(seen.listed) == 8
        assert seen.listed[7].error_code == 9


def test_a_process_is_named_only_if_its_name_says_what_to_close(fake_driver: FakeDriver) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as python:
        time.sleep(0.2)
        (gpu,) = see(fake_driver.environ(FAKE_PID=str(python.pid))).listed
        python.communicate(b"\n")
    assert isinstance(gpu.processes, tuple)
    assert (gpu.processes[0].pid, gpu.processes[0].used_bytes) == (python.pid, 512 << 20)
    assert (gpu.processes[0].name or "").startswith("python")
    with subprocess.Popen(["/bin/sh", "-c", "read x"], stdin=subprocess.PIPE) as shell:
        (gpu,) = see(fake_driver.environ(FAKE_PID=str(shell.pid))).listed
        shell.communicate(b"\n")
    assert isinstance(gpu.processes, tuple)
    assert gpu.processes[0].name == "other"


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlSystemGetDriverVersion", "nvmlDeviceGetName"])
def test_a_crash_in_nvml_is_told_with_its_signal(fake_driver: FakeDriver, call: str) -> None:
    seen = see(fake_driver.environ(FAKE_SEGV=call))
    assert seen.nvml.status == "crashed"
    assert "SIGSEGV" in (seen.nvml.message or "")
    assert seen.cuda.status == "ok"


def test_a_crash_at_one_gpu_keeps_those_told_before(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ(FAKE_PROFILE="8xh100", FAKE_SEGV="nvmlDeviceGetPowerUsage", FAKE_SEGV_GPU="2"))
    assert (seen.nvml.status, seen.nvml.device_count) == ("crashed", 8)
    assert "SIGSEGV while asking about GPU 2" in (seen.nvml.message or "")
    assert "SIGSEGV" in (seen.listed[2].error or "")
    assert seen.listed[3].error is None
    assert [isinstance(gpu.memory_free, Gap) for gpu in seen.listed] == [False, False, *[True] * 6]
    # what NVML said of GPU 2 before it died, and libcuda of the others
    assert [gpu.source for gpu in seen.listed] == [*["NVML"] * 3, *["libcuda"] * 5]
    assert [(gpu.name, str(gpu.compute_capability)) for gpu in seen.listed] == [("NVIDIA H100 80GB HBM3", "9.0")] * 8


def test_a_hang_at_one_gpu_keeps_those_told_before(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ(FAKE_PROFILE="8xh100", FAKE_HANG="nvmlDeviceGetPowerUsage", FAKE_HANG_GPU="2"), 1.5)
    assert seen.nvml.status == "hung"
    assert [isinstance(gpu.memory_free, Gap) for gpu in seen.listed] == [False, False, *[True] * 6]
    assert seen.seconds < 2.0


@pytest.mark.parametrize(
    "fault", [{"FAKE_SEGV": "nvmlDeviceGetHandleByIndex"}, {"FAKE_SEGV": "nvmlDeviceGetPowerUsage"}]
)
def test_a_crash_at_the_last_gpu_leaves_gaps_as_one_in_the_middle_does(
    fake_driver: FakeDriver, fault: dict[str, str]
) -> None:
    (gpu,) = see(fake_driver.environ(FAKE_CODES="cuInit=999", **fault)).listed
    assert "SIGSEGV" in (gpu.error or "")
    unknown = {name for name in Gpu._fields if isinstance(getattr(gpu, name), Gap)}
    assert {"memory_free", "temperature_c", "mig_mode"} <= unknown
    assert ("compute_capability" in unknown) is ("Handle" in fault["FAKE_SEGV"])


def test_a_gpu_that_nvml_cannot_open_is_unknown_and_a_lost_one_is_not(fake_driver: FakeDriver) -> None:
    for code, kind in ((999, Gap), (4, Gap), (15, type(None)), (16, type(None))):
        codes = f"nvmlDeviceGetHandleByIndex={code},cuInit=999"
        (gpu,) = see(fake_driver.environ(FAKE_CODES=codes)).listed
        assert isinstance(gpu.compute_capability, kind), code


NVML_IS_NO_HELP = {
    "no library": {},
    "error": {"FAKE_CODES": "nvmlInit=999"},
    "crash": {"FAKE_SEGV": "nvmlInit"},
    "crash at the GPU": {"FAKE_SEGV": "nvmlDeviceGetHandleByIndex"},
    "hang at the GPU's name": {"FAKE_HANG": "nvmlDeviceGetName"},
}


@pytest.mark.parametrize("fault", NVML_IS_NO_HELP)
def test_libcuda_tells_what_nvml_does_not(fake_driver: FakeDriver, fault: str) -> None:
    kind = "driver" if NVML_IS_NO_HELP[fault] else "only-libcuda"
    environ = fake_driver.environ(kind, FAKE_PROFILE="rtx5090", **NVML_IS_NO_HELP[fault])
    _no_real_driver(environ, kind)
    seen = see(environ, 2.0)
    (gpu,) = seen.listed
    assert (gpu.name, str(gpu.compute_capability)) == ("NVIDIA GeForce RTX 5090", "12.0")
    assert gpu.uuid == "GPU-00000000-0000-4000-8000-000000000000"
    assert (gpu.pci_address, gpu.memory_total, gpu.compute_mode) == ("0000:01:00.0", 32607 << 20, "default")
    assert isinstance(gpu.processes, Gap)


def test_libcuda_shows_only_what_the_variable_leaves(fake_driver: FakeDriver) -> None:
    environ = fake_driver.environ("only-libcuda", FAKE_PROFILE="8xh100", CUDA_VISIBLE_DEVICES="0,1,2")
    _no_real_driver(environ, "only-libcuda")
    assert [gpu.number for gpu in see(environ).listed] == [0, 1, 2]
    assert isinstance(see({**environ, "CUDA_VISIBLE_DEVICES": "-1"}).gpus, Gap)


def test_a_libcuda_that_dies_at_one_device_has_initialised_all_the_same(fake_driver: FakeDriver) -> None:
    environ = fake_driver.environ("only-libcuda", FAKE_PROFILE="8xh100", FAKE_SEGV="cuDeviceGetName", FAKE_SEGV_GPU="3")
    _no_real_driver(environ, "only-libcuda")
    seen = see(environ)
    assert (seen.cuda.status, seen.cuda.device_count) == ("ok", 8)
    assert isinstance(seen.gpus, Gap)  # three of eight would look like a smaller machine


@pytest.mark.parametrize("call", ["nvmlInit", "cuInit", "cuDriverGetVersion", "nvmlDeviceGetCount"])
def test_a_hang_is_told_in_time(fake_driver: FakeDriver, call: str) -> None:
    seen = see(fake_driver.environ(FAKE_HANG=call), 1.5)
    hung, other = (seen.nvml, seen.cuda) if call.startswith("nvml") else (seen.cuda, seen.nvml)
    assert (hung.status, other.status) == ("hung", "ok")
    assert "deadline" in (hung.message or "")
    assert seen.seconds < 2.0


BROKEN_FILES = {
    # folder: status of both libraries, a word of dlerror or of the signal, the defect of the file
    "empty": ("unloadable", "file too short", "empty"),
    "header-only": ("unloadable", "", "truncated"),
    "text": ("unloadable", "invalid ELF header", "not-elf"),
    "foreign": ("unloadable", "wrong-architecture", "wrong-architecture"),
    "dangling": ("unloadable", "dangling", "dangling"),
    "circle": ("unloadable", "dangling", "dangling"),
    "needy": ("unloadable", "libnvidia-gone.so", None),
}


@pytest.mark.parametrize("folder", BROKEN_FILES)
def test_a_broken_file_is_unloadable_and_its_defect_is_told(fake_driver: FakeDriver, folder: str) -> None:
    environ = fake_driver.environ(folder)
    _no_real_driver(environ, folder)
    seen, (status, word, defect) = see(environ), BROKEN_FILES[folder]
    for asked in (seen.nvml, seen.cuda):
        assert asked.status == status
        assert word in (asked.message or "")
    assert isinstance(seen.driver.libraries, tuple)
    mine = [one for one in seen.driver.libraries if one.path.startswith(environ["LD_LIBRARY_PATH"])]
    assert [one.defect for one in mine] == [defect, defect]


def test_a_truncated_library_kills_its_child_or_does_not_load(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ("truncated"))
    for asked in (seen.nvml, seen.cuda):
        # The loader maps it whole and dies of SIGBUS, or finds its tables missing: which, is its version's choice.
        assert asked.status in ("crashed", "unloadable")
    assert isinstance(seen.driver.libraries, tuple)
    assert {one.defect for one in seen.driver.libraries if "truncated" in one.path} == {"truncated"}


def test_a_library_under_anothers_name_lacks_its_functions(fake_driver: FakeDriver) -> None:
    seen = see(fake_driver.environ("swapped"))
    assert (seen.nvml.status, seen.nvml.code) == ("error", 13)
    assert seen.cuda.status == "unloadable"
    assert "cuDriverGetVersion" in (seen.cuda.message or "")


def test_pynvml_is_imported_again_with_the_real_modules_where_the_stand_ins_do_not_do(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("import threading\nfrom functools import partial\nhere = threading.local()\n")
    script = "import light_pynvml, sys; light_pynvml.load(sys.argv[1]).here; import threading; threading.Event"
    folder = Path(nvml.__file__).parent / "children"
    subprocess.run([sys.executable, "-S", "-c", script, str(tmp_path)], cwd=folder, check=True)


def test_no_library_anywhere_is_not_found(fake_driver: FakeDriver) -> None:
    environ = fake_driver.environ("nothing")
    _no_real_driver(environ, "nothing")
    seen = see(environ)
    assert (seen.nvml.status, seen.cuda.status) == ("not-found", "not-found")
    assert "No such file" in (seen.nvml.message or "")
    assert isinstance(seen.gpus, Gap)


def _no_real_driver(environ: dict[str, str], folder: str) -> None:
    """Where the loader goes on searching, a real driver of this machine would be found."""
    searches_on = folder in ("foreign", "dangling", "circle", "nothing", "only-libcuda")
    if searches_on and copies(LocalHost(1, environ), "libnvidia-ml.so.1"):
        pytest.skip("this machine has a real driver")


@pytest.mark.parametrize(
    ("smi", "status", "version"),
    [
        ("smi-hangs", "hung", None),
        ("smi-answers", "ok", DRIVER),
        ("smi-fails", "error", None),
        ("smi-babbles", "garbage", None),
    ],
)
def test_nvidia_smi_is_asked_only_where_the_libraries_do_not_answer(
    fake_driver: FakeDriver, smi: str, status: str, version: str | None
) -> None:
    path = f"{fake_driver.root / smi}:/usr/bin:/bin"
    healthy = see(fake_driver.environ(PATH=path)).driver.smi
    assert healthy is not None
    assert not isinstance(healthy, Gap)
    assert healthy.status == "not-run"
    seen = see(fake_driver.environ(PATH=path, FAKE_CODES="nvmlInit=9,cuInit=999"), 4.0)
    assert seen.driver.smi is not None
    assert not isinstance(seen.driver.smi, Gap)
    found = seen.driver.smi.driver_version
    assert (seen.driver.smi.status, found and found.text) == (status, version)
    assert seen.seconds < 4.5


def test_the_whole_look_answers_in_time_when_nvml_hangs(fake_driver: FakeDriver) -> None:
    from gpucheck.probes.look import look

    environ = fake_driver.environ(FAKE_HANG="nvmlInit")
    begin = time.monotonic()
    snapshot = look(LocalHost(2.0, environ), timeout=2.0)
    assert time.monotonic() - begin < 2.5
    assert isinstance(snapshot.driver, Driver)
    assert isinstance(snapshot.driver.nvml, Nvml)
    assert snapshot.driver.nvml.status == "hung"
    assert isinstance(snapshot.driver.cuda, CudaDriver)
    assert snapshot.driver.cuda.status == "ok"
    assert not isinstance(snapshot.system, Gap)
