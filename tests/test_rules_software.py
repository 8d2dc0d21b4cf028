"""What the rules on software say word for word, and whom they leave in peace."""

from __future__ import annotations

from typing import Any

import looked
import machines
import pytest

from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.python import Distribution
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import Disk, System
from gpucheck.facts.versions import (
    ComputeCapability,
    DriverVersion,
    LibcVersion,
    LibraryVersion,
    PackageVersion,
    PythonVersion,
)
from gpucheck.findings import Finding, Report, Severity
from gpucheck.rules import load
from gpucheck.rules.choice import choose
from gpucheck.rules.engine import RULES, judge_all
from gpucheck.rules.recipes import install_lines, pip

SITE = "/home/user/venv/lib/python3.11/site-packages"
GAP = Gap("permission denied", "denied")


def finding(name: str, rule: str) -> Finding:
    found = looked.report(name).find(rule)
    assert found is not None, f"{rule} is silent on {name}"
    return found


def changed(snapshot: Snapshot, part: str, **facts: Any) -> Snapshot:
    return snapshot._replace(**{part: getattr(snapshot, part)._replace(**facts)})


def with_packages(name: str, **versions: str) -> Report:
    """The report on a machine whose packages have other versions."""
    snapshot = looked.snapshot(name)
    python = snapshot.python
    assert not isinstance(python, Gap)
    assert not isinstance(python.distributions, Gap)
    others = [one for one in python.distributions if one.name.replace("-", "_") not in versions]
    new = [
        Distribution(package.replace("_", "-"), PackageVersion(version), SITE, None, True)
        for package, version in versions.items()
    ]
    changes: dict[str, Any] = {"distributions": (*others, *new)}
    if "tensorflow" in versions and not isinstance(python.tensorflow, Gap) and python.tensorflow is not None:
        changes["tensorflow"] = python.tensorflow._replace(version=PackageVersion(versions["tensorflow"]))
    return judge_all(changed(snapshot, "python", **changes))


# --- which soname, asked for by whom, where the file lies


def test_tf_2_21_names_the_soname_the_asker_and_the_copy_that_is_not_reached() -> None:
    one = finding("tf221-and-cuda", "pip-cuda-wheels-not-found")
    assert "libcusolver.so.11" in one.message
    assert "RUNPATH of libtensorflow_framework.so.2" in one.message
    copy = f"{SITE}/nvidia/cusolver/lib/libcusolver.so.11"
    assert one.evidence[0].value == f"libcusolver.so.11: not found; a copy lies at {copy}"
    assert one.evidence[0].source == "asked for by libtensorflow_framework.so.2"


def test_tf_2_21_is_cured_by_a_link_a_variable_or_the_release_before() -> None:
    lines = finding("tf221-and-cuda", "pip-cuda-wheels-not-found").fix
    assert lines[0] == f"ln -s ../../cusolver/lib/libcusolver.so.11 {SITE}/nvidia/cusparse/lib/"
    assert f"export LD_LIBRARY_PATH={SITE}/nvidia/cusolver/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}" in lines
    assert "/home/user/venv/bin/python3 -m pip install 'tensorflow[and-cuda]==2.20.0'" in lines
    assert looked.report("tf221-and-cuda-with-link").verdict == "ok"
    assert looked.report("tf221-and-cuda-with-ld-library-path").verdict == "ok"


def test_tf_2_16_1_names_all_that_it_lost() -> None:
    one = finding("tf2161-and-cuda", "pip-cuda-wheels-not-found")
    for soname in ("libcublas.so.12", "libcublasLt.so.12", "libcudnn.so.8", "libcufft.so.11", "libcusolver.so.11"):
        assert soname in one.message
    assert "libcudart" not in one.message
    assert f"{SITE}/nvidia/cudnn/lib" in one.fix[0]


def test_a_wheel_that_lost_a_file_is_brought_back_by_force_and_leads_what_it_breaks() -> None:
    lost = finding("tf221-lost-libcublaslt", "cuda-lib-missing-partial-install")
    assert lost.fix == (
        "/home/user/venv/bin/python3 -m pip install --force-reinstall --no-deps nvidia-cublas-cu12==12.9.3.13",
    )
    assert lost.explains == ("cuda-library-broken",)
    assert looked.report("tf221-lost-libcublaslt").findings[0] == lost
    part = finding("tf221-lost-libcudnn-cnn", "cudnn-companions-missing")
    assert part.fix[0].endswith("--force-reinstall --no-deps nvidia-cudnn-cu12==9.28.0.42")


def test_a_file_that_shadows_another_is_named_with_both_versions() -> None:
    one = finding("old-cudnn-in-ld-library-path", "ld-library-path-shadows-bundled-cuda")
    assert "LD_LIBRARY_PATH puts /opt/cudnn-9.1/lib/libcudnn.so.9 (9.1.0) before" in one.message
    assert f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9 (9.3.0.75)" in one.message
    assert one.fix == ("unset LD_LIBRARY_PATH",)


def test_an_older_nvjitlink_in_front_is_an_error_and_an_older_cublas_a_warning() -> None:
    jit = finding("older-nvjitlink-in-ld-library-path", "ld-library-path-shadows-bundled-cuda")
    assert jit.severity is Severity.ERROR
    assert "libnvJitLink.so.12 (12.3.101) before" in jit.message
    assert jit.message.endswith("; cuSOLVER and cuSPARSE then do not open.")
    blas = finding("older-cublas-of-another-environment-in-ld-library-path", "ld-library-path-shadows-bundled-cuda")
    assert blas.severity is Severity.WARNING
    assert "libcublas.so.12 (12.3.4.1) before" in blas.message


def test_a_file_in_front_of_which_no_version_is_known_is_told_as_a_note() -> None:
    one = finding("cufft-of-unknown-version-in-ld-library-path", "ld-library-path-shadows-bundled-cuda")
    assert one.severity is Severity.INFO
    assert "/opt/lib/libcufft.so.11 (version not known) before" in one.message


def test_findings_about_ld_library_path_do_not_undo_each_other() -> None:
    both = looked.snapshot("cuda-11-in-ld-library-path-beside-a-dead-entry")
    report = judge_all(both)
    for rule in ("ld-library-path-dead-entry", "ld-library-path-other-cuda", "ld-library-path-shadows-bundled-cuda"):
        one = report.find(rule)
        assert one is not None
        assert one.fix == ("export LD_LIBRARY_PATH=/usr/lib/fine",)


def test_two_wheels_of_cudnn_in_one_folder_name_the_one_that_was_hit() -> None:
    snapshot = looked.snapshot("tensorflow-beside-torch-for-cuda-13")
    for version, who in (("9.3.0.75", "it is PyTorch"), ("9.26.0.51", "it is TensorFlow"), (None, "is not known")):
        libraries = snapshot.libraries
        assert not isinstance(libraries, Gap)
        assert not isinstance(libraries.copies, Gap)
        place = LibraryVersion(version) if version else None
        copies = tuple(
            one._replace(version=place) if "/nvidia/cudnn/lib/libcudnn.so." in one.path else one
            for one in libraries.copies
        )
        one = judge_all(changed(snapshot, "libraries", copies=copies)).find("torch-cudnn-pin-conflict")
        assert one is not None
        assert who in one.message


def test_condas_tensorflow_gets_condas_cudnn() -> None:
    snapshot = looked.snapshot("gtx1080-with-newest-cudnn")
    assert not isinstance(snapshot.python, Gap)
    assert not isinstance(snapshot.python.distributions, Gap)
    built = tuple(
        one._replace(build="cuda120py311h5cbd639_0") if one.name == "tensorflow" else one
        for one in snapshot.python.distributions
    )
    one = judge_all(changed(snapshot, "python", distributions=built)).find("cudnn-dropped-gpu-generation")
    assert one is not None
    assert one.fix == ("conda install 'cudnn<9.11'",)


def test_the_shadow_is_the_cause_and_the_wrong_cudnn_follows() -> None:
    report = looked.report("old-cudnn-in-ld-library-path")
    cause = finding("old-cudnn-in-ld-library-path", "ld-library-path-shadows-bundled-cuda")
    assert "cudnn-wrong-version" in cause.explains
    wrong = report.find("cudnn-wrong-version")
    assert wrong is not None
    assert wrong.severity is Severity.ERROR
    assert "needs cuDNN 9.3 or a later 9.x" in wrong.message
    assert "found through LD_LIBRARY_PATH" in wrong.message


def test_a_broken_file_is_named_with_its_defect_and_its_wheel_is_installed_again() -> None:
    one = finding("empty-libcublas", "cuda-library-broken")
    assert f"{SITE}/nvidia/cublas/lib/libcublas.so.12" in one.message
    assert "is empty" in one.message
    assert one.fix[0].endswith("-m pip install --force-reinstall --no-deps nvidia-cublas-cu12==12.5.3.2")


def test_a_toolkit_of_another_cuda_is_one_finding_with_every_soname_in_its_evidence() -> None:
    one = finding("tf221-with-cuda-13-toolkit", "cuda-toolkit-wrong-version")
    assert "built for CUDA 12.5.1, asks for libcudart.so.12" in one.message
    assert "this machine has only" in one.message
    assert any(evidence.value == "libcudnn.so.9: no copy found" for evidence in one.evidence)


def test_libraries_that_the_loader_does_not_reach_are_given_as_a_variable() -> None:
    lines = finding("cuda-12-toolkit-not-on-loader-path", "cuda-libs-not-on-loader-path").fix
    assert lines[0] == "export LD_LIBRARY_PATH=/usr/local/cuda-12.5/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"


# --- with a GPU an error, without one a warning or nothing


@pytest.mark.parametrize(("name", "severity"), [("tf221-and-cuda", "error"), ("tf221-and-cuda-without-gpu", "warning")])
def test_the_same_defect_weighs_less_without_a_gpu(name: str, severity: str) -> None:
    assert finding(name, "pip-cuda-wheels-not-found").severity.value == severity


def test_plain_cpu_use_is_left_in_peace() -> None:
    for name in ("tensorflow-cpu-without-gpu", "tensorflow-without-cuda-without-gpu"):
        report = looked.report(name)
        assert [one.name for one in report.findings] == ["ok-cpu-expected"]
        assert report.exit_code() == 0


def test_where_the_gpu_is_unknown_nothing_is_said_of_cuda() -> None:
    snapshot = looked.snapshot("tf221-and-cuda")._replace(driver=GAP)
    report = judge_all(snapshot)
    assert report.find("pip-cuda-wheels-not-found") is None
    assert [one for one in report.skipped if one.name == "pip-cuda-wheels-not-found" and one.decisive]
    assert report.verdict == "unknown"


def test_a_sound_environment_does_not_ask_whether_there_is_a_gpu() -> None:
    snapshot = looked.snapshot("tf221-and-cuda-with-link")._replace(driver=GAP)
    for name in ("pip-cuda-wheels-not-found", "cuda-library-broken", "cudnn-wrong-version", "cpu-only-package"):
        assert name in judge_all(snapshot).checked


# --- packages


@pytest.mark.parametrize(("tensorflow", "protobuf"), [("2.20.0", "7.36.2"), ("2.21.0", "7.36.2"), ("2.18.1", "5.29.6")])
def test_a_protobuf_within_the_bounds_is_fine(tensorflow: str, protobuf: str) -> None:
    report = with_packages("tf221-and-cuda-with-link", tensorflow=tensorflow, protobuf=protobuf, numpy="2.0.2")
    assert report.find("protobuf-incompatible") is None


@pytest.mark.parametrize(
    ("tensorflow", "protobuf", "severity"),
    [
        ("2.10.1", "4.21.0", "error"),  # Descriptors cannot be created directly
        ("2.9.0", "4.21.0", "error"),  # no bound in its metadata
        ("2.10.1", "3.20.3", "warning"),  # outside of <3.20, and known to work
        ("2.17.1", "5.26.0", "warning"),
        ("2.13.1", "4.21.3", "warning"),  # excluded by name
        ("2.21.0", "6.30.0", "error"),  # older than the generated code
        ("2.21.0", "8.0.0", "warning"),
    ],
)
def test_a_protobuf_outside_of_the_bounds_is_weighed(tensorflow: str, protobuf: str, severity: str) -> None:
    report = with_packages("tf221-and-cuda-with-link", tensorflow=tensorflow, protobuf=protobuf)
    found = report.find("protobuf-incompatible")
    assert found is not None
    assert found.severity.value == severity


@pytest.mark.parametrize(
    ("tensorflow", "numpy", "breaks"),
    [("2.17.1", "2.0.0", True), ("2.17.1", "1.26.4", False), ("2.18.0", "2.0.2", False), ("2.7.4", "2.2.6", True)],
)
def test_numpy_2_breaks_what_was_built_for_numpy_1(tensorflow: str, numpy: str, breaks: bool) -> None:
    report = with_packages("tf221-and-cuda-with-link", tensorflow=tensorflow, numpy=numpy)
    assert (report.find("numpy2-abi-break") is not None) is breaks


def test_the_numpy_that_is_imported_counts_not_one_further_down_the_path() -> None:
    snapshot = looked.snapshot("tf210-with-numpy2")
    python = snapshot.python
    assert not isinstance(python, Gap)
    assert not isinstance(python.distributions, Gap)
    assert not isinstance(python.site_dirs, Gap)
    first = Distribution("numpy", PackageVersion("1.26.4"), "/first", None, True)
    ahead = changed(
        snapshot, "python", site_dirs=("/first", *python.site_dirs), distributions=(*python.distributions, first)
    )
    assert judge_all(ahead).find("numpy2-abi-break") is None


def test_a_build_of_conda_is_not_judged_by_the_wheels_bounds() -> None:
    snapshot = looked.snapshot("tf210-with-numpy2")
    python = snapshot.python
    assert not isinstance(python, Gap)
    assert not isinstance(python.distributions, Gap)
    build = "cuda112py310he87a039_0"
    conda = tuple(one._replace(build=build) if one.name == "tensorflow" else one for one in python.distributions)
    assert judge_all(changed(snapshot, "python", distributions=conda)).find("numpy2-abi-break") is None


# --- which release a fix may name


def gpu(capability: str) -> Gpu:
    values: dict[str, Any] = dict.fromkeys(Gpu._fields)
    return Gpu(**{**values, "number": 0, "compute_capability": ComputeCapability(capability)})


def machine(python: str = "3.11.9", libc: str = "2.39", capability: str = "8.9", arch: str = "x86_64") -> Snapshot:
    snapshot = looked.snapshot("tf221-without-cuda")
    assert isinstance(snapshot.system, System)
    system = snapshot.system._replace(libc=LibcVersion(libc), machine=arch)
    return changed(snapshot._replace(system=system, gpus=(gpu(capability),)), "python", version=PythonVersion(python))


@pytest.mark.parametrize(
    ("facts", "version"),
    [
        ({}, "2.20.0"),  # 2.21.0 does not reach cuSOLVER
        ({"python": "3.13.1"}, "2.20.0"),
        ({"python": "3.9.18"}, "2.20.0"),
        ({"python": "3.14.0"}, None),  # a release candidate alone
        ({"python": "3.8.18"}, None),  # no release with [and-cuda]
        ({"libc": "2.17"}, "2.20.0"),
        ({"libc": "2.12"}, None),
        ({"capability": "5.2"}, "2.16.2"),  # Maxwell; 2.16.1 is never named
        ({"capability": "6.1"}, "2.20.0"),
        ({"capability": "3.5"}, "2.14.1"),
        ({"capability": "12.0"}, None),  # Blackwell
        ({"arch": "aarch64"}, None),
    ],
)
def test_a_fix_names_only_what_the_table_confirms(facts: dict[str, str], version: str | None) -> None:
    facts = {"python": "3.10.12", **facts} if facts.get("capability") == "3.5" else facts
    row = choose(machine(**facts))
    assert (row.version if row else None) == version


def test_2_14_is_not_named_for_python_3_11() -> None:
    assert choose(machine(capability="3.5")) is None


def test_a_gpu_older_than_turing_gets_a_bound_on_cudnn() -> None:
    assert "nvidia-cudnn-cu12==9.10.2.21" in install_lines(machine(capability="6.1"))[0]
    assert "nvidia-cudnn" not in install_lines(machine(capability="7.5"))[0]


def test_where_no_release_fits_the_lines_say_so() -> None:
    assert "Blackwell" in install_lines(machine(capability="12.0"))[0]
    assert "aarch64" in install_lines(machine(arch="aarch64"))[0]
    lines = install_lines(machine(python="3.14.0"))
    assert lines[0].startswith("# TensorFlow 2.20.0 is the newest that the table confirms here; it needs Python 3.13")
    assert install_lines(machine(libc="2.12"))[0].startswith("# The table knows no TensorFlow wheel")


def test_a_command_quotes_an_interpreter_with_a_blank_in_its_path() -> None:
    snapshot = changed(looked.snapshot("tf221-without-cuda"), "python", executable="/home/user/my env/bin/python")
    assert pip(snapshot, "numpy<2") == "'/home/user/my env/bin/python' -m pip install 'numpy<2'"


def test_an_environment_without_pip_gets_uvs_command_in_uvs_words() -> None:
    snapshot = looked.snapshot("tf221-without-cuda")
    assert not isinstance(snapshot.python, Gap)
    assert not isinstance(snapshot.python.distributions, Gap)
    rest = tuple(one for one in snapshot.python.distributions if one.name != "pip")
    bare = changed(snapshot, "python", distributions=rest, executable="/home/user/venv/bin/python")
    assert pip(bare, "--force-reinstall", "numpy<2") == (
        "uv pip install --python /home/user/venv/bin/python --reinstall 'numpy<2'"
    )
    assert pip(bare, "-y", "tensorflow-cpu", action="uninstall") == (
        "uv pip uninstall --python /home/user/venv/bin/python tensorflow-cpu"
    )


def test_a_machine_without_a_gpu_is_not_told_to_download_cuda() -> None:
    fresh = changed(looked.snapshot("no-gpu-vm"), "python", tensorflow=None)
    # 2.21.0 misses cuSOLVER's folder, which is nothing to a machine without a GPU
    assert install_lines(fresh) == ("/home/user/venv/bin/python3 -m pip install tensorflow==2.21.0",)
    # CUDA's wheels are here: somebody wants to run this on a machine with a GPU
    assert "tensorflow[and-cuda]==2.20.0" in install_lines(looked.snapshot("no-gpu-vm"))[0]


def test_a_machine_without_a_gpu_needs_little_room_for_tensorflow() -> None:
    room = (Disk("environment", "/home/user", 2_000_000_000, 40_000_000_000),)
    fresh = changed(looked.snapshot("no-gpu-vm"), "python", tensorflow=None)
    found = judge_all(changed(fresh, "system", disks=room)).find("disk-or-tmp-full")
    assert found is not None
    assert "installing TensorFlow takes about 2.5 GB there" in found.message
    enough = (Disk("environment", "/home/user", 3_000_000_000, 40_000_000_000),)
    assert judge_all(changed(fresh, "system", disks=enough)).find("disk-or-tmp-full") is None


def test_pypy_and_a_32_bit_python_are_given_another_interpreter() -> None:
    for facts in ({"implementation": "pypy"}, {"bits": 32}):
        other = changed(machine(), "python", **facts)
        assert choose(other) is None
        assert "Python 3.13 (CPython, 64 bits)" in install_lines(other)[0]


def test_an_old_driver_gets_the_release_that_it_can_run() -> None:
    old = looked.snapshot("t4-driver-470")
    on_310 = changed(old, "python", version=PythonVersion("3.10.12"))
    assert "tensorflow[and-cuda]==2.14.1" in install_lines(on_310)[0]
    on_311 = changed(old, "python", version=PythonVersion("3.11.9"))
    assert install_lines(on_311)[0].startswith("# TensorFlow 2.14.1 is the newest")
    assert install_lines(on_311)[1] == "python3.10 -m venv tf-gpu"


def test_where_the_driver_is_too_old_for_every_release_it_comes_first() -> None:
    driver = looked.snapshot("t4-driver-470").driver
    assert not isinstance(driver, Gap)
    ancient = driver._replace(module_version=DriverVersion("418.39"), cuda=GAP)
    lines = install_lines(changed(machine(), "driver", **ancient._asdict()))
    assert lines[0] == ("# First upgrade the driver: TensorFlow 2.20.0 needs 525.60.13 or later, this is 418.39. Then:")
    assert "tensorflow[and-cuda]==2.20.0" in lines[1]


def test_a_cpu_build_stays_where_nothing_better_can_be_installed() -> None:
    gpus = looked.snapshot("rtx5090-tf218").gpus
    lines = judge_all(looked.snapshot("tensorflow-cpu-on-a-gpu-machine")._replace(gpus=gpus)).find("cpu-only-package")
    assert lines is not None
    assert lines.fix == (
        "# No official TensorFlow wheel has code for this GPU (Blackwell): use NVIDIA's NGC container.",
    )


def test_an_environment_without_anything_in_it_gets_uvs_command() -> None:
    bare = changed(machine(), "python", distributions=(), executable="/home/user/venv/bin/python")
    assert pip(bare, "numpy<2").startswith("uv pip install --python /home/user/venv/bin/python ")
    assert pip(changed(bare, "python", distributions=GAP), "numpy<2").startswith("/home/user/venv/bin/python -m pip ")


def test_a_managed_python_is_never_given_a_command_that_it_refuses() -> None:
    marker = "/usr/lib/python3.12/EXTERNALLY-MANAGED"
    managed = changed(machine(), "python", externally_managed=marker, executable="/usr/bin/python3")
    assert pip(managed, "numpy<2") == (
        "# /usr/bin/python3 refuses pip (PEP 668). In a virtual environment that holds TensorFlow: "
        "python -m pip install 'numpy<2'"
    )


def test_a_managed_python_is_given_an_environment_instead_of_pip() -> None:
    lines = finding("ubuntu-system-python-without-tensorflow", "tensorflow-not-installed").fix
    assert "/usr/bin/python3 -m venv tf-gpu" in lines
    assert not any("break-system-packages" in line for line in lines)


# --- links between causes


@pytest.mark.parametrize(
    ("name", "cause", "follower"),
    [
        ("python-314-without-wheel", "python-version-no-wheel", "tensorflow-not-installed"),
        ("python-32bit", "python-32bit", "tensorflow-not-installed"),
        ("tensorflow-in-another-environment", "wrong-python-environment", "tensorflow-not-installed"),
        ("cpu-package-over-gpu-package", "cpu-package-overwrote-gpu-package", "cpu-only-package"),
        ("torch-replaced-cudnn", "torch-cudnn-pin-conflict", "cudnn-wrong-version"),
        ("tf214-and-cuda-on-python-311", "and-cuda-tensorrt-unresolvable", "cuda-libraries-not-installed"),
        ("installation-without-files", "incomplete-installation", "tensorflow-not-installed"),
        ("cuda-11-in-ld-library-path", "ld-library-path-other-cuda", "ld-library-path-shadows-bundled-cuda"),
    ],
)
def test_the_cause_leads_and_the_follower_is_under_it(name: str, cause: str, follower: str) -> None:
    order = [one.name for one in looked.report(name).findings]
    assert follower in finding(name, cause).explains
    assert order.index(cause) < order.index(follower)


SOFTWARE = {
    "python", "wheels", "installation", "tensorflow", "packages", "libraries", "runtime", "cudnn", "toolkits",
    "environment",
}  # fmt: skip
load()
OURS = sorted(name for name, rule in RULES.items() if rule.judge.__module__.rpartition(".")[2] in SOFTWARE)


@pytest.mark.slow
@pytest.mark.parametrize("rule", OURS)
def test_a_message_is_a_sentence_and_a_fix_is_a_command_or_a_remark(rule: str) -> None:
    for name in machines.names():
        for one in looked.report(name).findings:
            if one.name == rule:
                assert one.message.endswith(".")
                assert one.fix, "a finding without any advice"
                assert all(line and "\n" not in line for line in one.fix)
