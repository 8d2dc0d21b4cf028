"""What follows from what a log says: the judgements that need more than one line, and what they leave open."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gpucheck import api, logs
from gpucheck.findings import Severity
from gpucheck.logs.judging import documented
from gpucheck.logs.messages.cudnn import dotted
from gpucheck.logs.sonames import installed_instead, is_optional, library, names_in, releases_with
from gpucheck.rules.engine import RULES

_LOADER = (
    "W tensorflow/stream_executor/platform/default/dso_loader.cc:64] Could not load dynamic library '{}'; dlerror: "
)
_CUINIT = "E tensorflow/stream_executor/cuda/cuda_driver.cc:318] failed call to cuInit: {}"
_CREATED = (
    "I tensorflow/core/common_runtime/gpu/gpu_device.cc] Created device /job:localhost/replica:0/task:0/device:GPU:0"
    " with {} MB memory:  -> device: 0, name: {}, pci bus id: 0000:01:00.0, compute capability: {}"
)


def judged(*lines: str) -> api.Report:
    return api.judge_logs(api.log_of("\n".join(lines) + "\n"))


def first(*lines: str) -> str:
    findings = judged(*lines).findings
    return findings[0].name if findings else ""


def opened(*names: str) -> list[str]:
    return [f"I dso_loader.cc:49] Successfully opened dynamic library {name}" for name in names]


def missing(*names: str) -> list[str]:
    return [
        _LOADER.format(name) + f"{name}: cannot open shared object file: No such file or directory" for name in names
    ]


# --- libraries


def test_sonames_tell_the_release_they_belong_to() -> None:
    assert releases_with(("libcublas.so.9.0",)) == ("9.0",)
    assert releases_with(("libcudart.so.11.0", "libcusolver.so.11")) == ("11",)
    assert releases_with(("cudart64_110.dll",)) == ("11.0", "11")
    assert releases_with(("libcublas.so.9.0", "libcublas.so.10")) == ()


def test_what_loaded_and_what_did_not_tell_the_release_that_is_installed() -> None:
    assert installed_instead(("libcublas.so.10", "libcufft.so.10"), ("libcudart.so.10.1",)) == ("10.2",)
    assert installed_instead(("libcurand.so.10", "libcusolver.so.11"), ("libcudart.so.11.0", "libcublas.so.11")) == (
        "12",
    )
    assert installed_instead(("libcudart.so.10.1", "libcufft.so.10"), ("libcublas.so.10",)) == ()


def test_names_of_libraries_are_found_on_both_systems() -> None:
    text = "libcudnn_ops_infer.so.8, 'cudnn_cnn_infer64_8.dll' and nvcuda.dll"

    assert names_in(text) == ("libcudnn_ops_infer.so.8", "cudnn_cnn_infer64_8.dll", "nvcuda.dll")
    assert [library(name) for name in names_in(text)] == ["cudnn", "cudnn", "cuda"]
    assert is_optional("libnvinfer_plugin.so.7")
    assert not is_optional("libcublas.so.11")


def test_another_release_that_is_installed_is_an_error_and_named() -> None:
    report = judged(*missing("libcudart.so.11.0", "libcublas.so.11"), *opened("libcurand.so.10", "libcusolver.so.11"))

    assert report.findings[0].name == "cuda-toolkit-wrong-version"
    assert report.findings[0].severity is Severity.ERROR
    assert "CUDA 12" in report.findings[0].message


def test_one_library_of_an_otherwise_whole_cuda_is_a_partial_installation() -> None:
    assert first(*opened("libcudart.so.10.1", "libcufft.so.10"), *missing("libcublas.so.10")) == (
        "cuda-lib-missing-partial-install"
    )


def test_libraries_that_are_missing_while_the_gpu_works_are_no_cause() -> None:
    assert not first(*missing("libcudart.so.10.1"), _CREATED.format(9000, "NVIDIA A10", "8.6")).startswith("cuda-")


def test_the_right_folder_in_the_search_path_speaks_for_what_is_in_it() -> None:
    line = missing("libcudart.so.11.0")[0]

    assert first(f"{line}; LD_LIBRARY_PATH: /usr/local/cuda-11.2/lib64") == "cuda-libs-not-on-loader-path"
    assert first(f"{line}; LD_LIBRARY_PATH: /usr/local/cuda-10.1/lib64") == "cuda-toolkit-wrong-version"


# --- the driver


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected", "cuda-visible-devices-hides-gpu"),
        ("CUDA_ERROR_UNKNOWN: unknown error", "nvidia-uvm-not-loaded"),
        ("UNKNOWN ERROR (303)", "libcuda-missing"),
        ("CUDA_ERROR_SYSTEM_NOT_READY: system not yet initialized", "fabricmanager-not-running"),
        ("CUDA_ERROR_STUB_LIBRARY: CUDA driver is a stub library", "libcuda-stub-on-path"),
        (
            "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE: forward compatibility was attempted on non supported HW",
            "cuda-compat-libcuda-on-geforce",
        ),
        (
            "INTERNAL: CUDA error: Failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
            "cuda-visible-devices-hides-gpu",
        ),
    ],
)
def test_the_error_of_cuinit_leads(error: str, cause: str) -> None:
    assert first(_CUINIT.format(error)) == cause


def test_a_host_named_by_docker_is_a_container() -> None:
    line = "I cuda_diagnostics.cc:156] kernel driver does not appear to be running on this host ({}): /proc/driver"

    assert first(_CUINIT.format("UNKNOWN ERROR (303)"), line.format("3f1c0de5a9b7")) == "docker-no-gpus-flag"
    assert first(_CUINIT.format("UNKNOWN ERROR (303)"), line.format("thinkpad")) == "ok-cpu-expected"


def test_a_newer_libcuda_is_an_upgrade_on_a_host_and_the_images_own_in_a_container() -> None:
    line = (
        "E cuda_diagnostics.cc:313] kernel version 455.32.0 does not match DSO version 460.73.1 -- cannot find devices"
    )
    host = "I cuda_diagnostics.cc:176] hostname: {}"
    no_device = _CUINIT.format("CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected")

    assert first(no_device, host.format("gpu7"), line) == "driver-library-version-mismatch"
    assert first(no_device, "I x] retrieving CUDA diagnostic information for host: f7b7a8f85319", line) == (
        "cuda-compat-libcuda-on-geforce"
    )


def test_a_variable_that_hides_is_no_cause_where_no_gpu_is_missed() -> None:
    assert not judged("set CUDA_VISIBLE_DEVICES=-1 to run on the CPU").findings
    assert first("export CUDA_VISIBLE_DEVICES=-1", "RuntimeError: No CUDA GPUs are available") == (
        "cuda-visible-devices-hides-gpu"
    )


def test_an_insufficient_driver_is_settled_only_where_a_gpu_was_seen() -> None:
    line = "cudaGetDevice() failed. Status: CUDA driver version is insufficient for CUDA runtime version"
    seen = "totalMemory: 15.89GiB freeMemory: 15.60GiB"

    assert judged(line).findings[0].severity is Severity.INFO
    assert judged(seen, line).findings[0].severity is Severity.ERROR
    assert first(line) == first(seen, line) == "driver-too-old-for-cuda"


# --- cuDNN and memory


@pytest.mark.parametrize(
    ("number", "version"),
    [("7201", "7.2.1"), ("5103", "5.1.3"), ("8906", "8.9.6"), ("90100", "9.1.0"), ("8.0.4", "8.0.4")],
)
def test_cudnns_numbers_are_versions(number: str, version: str) -> None:
    assert dotted(number) == version


def test_the_driver_is_not_accused_by_tensorflows_own_words_alone() -> None:
    lines = [
        *opened("libcublas.so.10.0"),
        "E cuda_dnn.cc:329] Could not create cudnn handle: CUDNN_STATUS_NOT_INITIALIZED",
        "E cuda_dnn.cc:337] Possibly insufficient driver version: {}",
    ]

    assert first(*lines[:2], lines[2].format("410.48.0")) == "gpu-memory-preallocation"
    assert first(*lines[:2], lines[2].format("390.87.0")) == "driver-too-old-for-cuda"


def test_free_memory_tells_the_driver_from_a_full_gpu() -> None:
    handle = "E0000 cuda_dnn.cc:534] Could not create cudnn handle: CUDNN_STATUS_NOT_INITIALIZED"
    memory = "E0000 cuda_dnn.cc:538] Memory usage: {} bytes free, 8361803776 bytes total."
    created = _CREATED.format(7000, "NVIDIA GeForce RTX 3070", "8.6")

    full = judged(created, handle, memory.format(54525952)).findings[0]
    assert (full.name, full.severity) == ("gpu-memory-preallocation", Severity.ERROR)
    assert first(created, handle, memory.format(7361803776)) == "driver-too-old-for-cuda"


def test_a_gpu_that_was_half_full_at_the_start_is_held_by_another_process() -> None:
    report = judged(
        "totalMemory: 7.93GiB freeMemory: 338.69MiB",
        "W bfc_allocator.cc:267] Allocator (GPU_0_bfc) ran out of memory trying to allocate 12.25MiB.",
    )

    assert (report.findings[0].name, report.findings[0].severity) == (
        "gpu-memory-held-by-other-process",
        Severity.ERROR,
    )


def test_pytorch_counts_the_memory_of_others() -> None:
    line = (
        "CUDA out of memory. Tried to allocate {} (GPU 0; 11.17 GiB total capacity; {} already allocated; {} free; {} "
        "reserved in total by PyTorch)"
    )

    assert judged(line.format("60.00 MiB", "505.96 MiB", "12.50 MiB", "530.00 MiB")).exit_code() == 1
    assert judged(line.format("2.00 GiB", "9.01 GiB", "1.05 GiB", "9.30 GiB")).exit_code() == 3


# --- generations


def test_what_the_gpu_is_decides_what_a_build_without_its_code_means() -> None:
    line = (
        "TensorFlow was not built with CUDA kernel binaries compatible with compute capability {}. CUDA kernels will be"
    )

    assert first(line.format("9.0")) == "ptx-jit-slow-start"
    assert first(line.format("12.0")) == "gpu-arch-too-new-for-build"


def test_ptx_that_does_not_compile_on_an_old_gpu_is_the_drivers_fault() -> None:
    assert first("CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed") == "gpu-arch-too-new-for-build"
    assert first(_CREATED.format(9000, "Tesla T4", "7.5"), "CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed") == (
        "driver-too-old-for-cuda"
    )


def test_a_gpu_newer_than_the_cuda_that_was_opened_is_compiled_for_at_the_start() -> None:
    found = "pciBusID: 0000:01:00.0 name: GeForce RTX 3060 Ti computeCapability: 8.6"

    assert first(*opened("libcudart.so.10.1", "libcublas.so.10"), found) == "ptx-jit-slow-start"
    assert first(*opened("libcudart.so.11.0", "libcublas.so.11"), found) != "ptx-jit-slow-start"


# --- nothing wrong


def test_a_device_that_was_asked_for_is_none_that_was_made() -> None:
    line = "Could not satisfy explicit device specification '/job:localhost/replica:0/task:0/device:GPU:0' because no"

    assert first(line) == "cpu-only-package"


def test_a_created_device_and_nothing_else_is_a_gpu_in_use() -> None:
    report = judged(_CREATED.format(9000, "NVIDIA A10", "8.6"))

    assert [finding.name for finding in report.findings] == ["ok-gpu-in-use-but-slow"]
    assert report.exit_code() == 0


def test_the_driver_that_did_not_start_and_gives_no_reason_is_left_open() -> None:
    report = judged("RuntimeError: CUDA driver initialization failed, you might not have a CUDA gpu.")

    assert report.findings[0].remaining
    assert report.exit_code() == 3


def test_a_library_whose_own_need_is_of_another_release_is_itself_of_that_release() -> None:
    """libcusolver.so.11 is in CUDA 11 and in CUDA 12: what it needs tells which one was found."""
    report = judged(
        "I tensorflow/stream_executor/platform/default/dso_loader.cc:49] Successfully opened dynamic library"
        " libcudart.so.11.0",
        _LOADER.format("libcusolver.so.11") + "libnvJitLink.so.12: cannot open shared object file: No such file",
    )

    assert report.findings[0].name == "cuda-toolkit-wrong-version"
    assert "needs libnvJitLink.so.12 and is of CUDA 12" in report.findings[0].message


_PLUGIN = "Jax plugin configuration error: Exception when calling jax_plugins.xla_cuda12.initialize()"


def test_a_plugin_of_jax_that_failed_is_not_said_to_be_missing() -> None:
    report = judged(_PLUGIN, "WARNING An NVIDIA GPU may be present, but a CUDA-enabled jaxlib is not installed.")

    assert report.exit_code() == 3
    assert report.findings[0].name == "jax-plugin-version-mismatch"


def test_a_plugin_of_jax_that_asks_for_what_is_not_there_is_of_another_version() -> None:
    missing = "AttributeError: module 'jaxlib.xla_client' has no attribute 'register_custom_type_id_handler'"
    report = judged(_PLUGIN, missing)

    assert (report.findings[0].name, report.exit_code()) == ("jax-plugin-version-mismatch", 1)


@pytest.mark.parametrize(
    ("line", "likeliest"),
    [
        ("InternalError: Dst tensor is not initialized.", "gpu-memory-held-by-other-process"),
        ("UnknownError: Fail to find the dnn implementation. [Op:CudnnRNN]", "cudnn-wrong-version"),
        ("Invalid handle. Cannot load symbol cudnnCreateTensorDescriptor", "cudnn-wrong-version"),
        ("InvalidArgumentError: Default MaxPoolingOp only supports NHWC on device type CPU", "cpu-only-package"),
        ("No OpKernel was registered to support Op 'CudnnRNN' … Registered devices: [CPU]", "cpu-only-package"),
        ("could not synchronize on CUDA context: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure", "gpu-xid"),
    ],
)
def test_the_last_line_alone_leaves_open_what_the_lines_before_it_would_tell(line: str, likeliest: str) -> None:
    report = judged(line)

    assert (report.findings[0].name, report.exit_code()) == (likeliest, 3)


def test_a_fault_of_the_gpus_memory_is_said_by_cuda_itself() -> None:
    assert first("RuntimeError: CUDA error: uncorrectable ECC error encountered") == "gpu-ecc-errors"


# --- what is left open has a page


def test_every_cause_that_a_question_leaves_has_a_name_that_explain_knows() -> None:
    assert {name for name in _left() if name not in documented() and name not in RULES} == set()


def _left() -> set[str]:
    """The keys of the dictionaries in logs/judging whose values are hints: what remains, and what would show it."""
    folder = Path(str(logs.__file__)).parent / "judging"
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")]
    dicts = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    items = [(dict_.keys[at], value) for dict_ in dicts for at, value in enumerate(dict_.values)]
    keys = {key.value for key, value in items if isinstance(key, ast.Constant) and _a_hint(value)}
    return {key for key in keys if isinstance(key, str) and " " not in key and "-" in key}


def _a_hint(value: ast.expr) -> bool:
    """Half a sentence, without a stop: a whole one is what a message says."""
    if isinstance(value, ast.JoinedStr):
        return True
    return isinstance(value, ast.Constant) and " " in str(value.value) and not str(value.value).endswith(".")
