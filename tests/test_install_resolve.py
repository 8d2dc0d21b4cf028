"""Which TensorFlow is chosen for a machine, why not another, and where else to go: made from facts alone."""

from __future__ import annotations

from functools import cache
from typing import Any, Union

import looked
import machines
import pytest
import sample
from install_machines import GPUS, machine
from packaging.requirements import Requirement
from packaging.version import Version

from gpucheck.compat.releases import releases
from gpucheck.compat.tensorflow import RELEASES
from gpucheck.facts.codec import decode, encode
from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Candidate, Choice, Request, Target
from gpucheck.facts.python import Distribution
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import ComputeCapability, CudaVersion, CudnnVersion, LibcVersion, PackageVersion
from gpucheck.install.choosing.reasons import rivals
from gpucheck.install.choosing.resolve import choose, explain, target
from gpucheck.rules import fitness
from gpucheck.rules.here import here

GAP = Gap("hidden by the test", "not-collected")


def chosen(snapshot: Snapshot, version: Union[str, None] = None, **request: Any) -> Choice:
    return choose(snapshot, Request(version, **request))


def names(choice: Choice, version: str) -> list[str]:
    """The objections to a version."""
    return [one.name for one in candidate(choice, version).objections]


def candidate(choice: Choice, version: str) -> Candidate:
    return next(one for one in choice.candidates if one.version.text == version)


def titles(choice: Choice) -> str:
    return "\n".join(route.title for route in choice.routes)


def steps(choice: Choice) -> str:
    return "\n".join(step for route in choice.routes for step in route.steps)


def said(choice: Choice) -> str:
    return "\n".join(choice.reasons)


# --- which one

WINDOWS = {"os": "windows"}
CURED = ("libcusolver-beside-cusparse",)


@pytest.mark.parametrize(
    ("facts", "release", "requirements"),
    [
        ({}, "2.21.0", ["tensorflow[and-cuda]==2.21.0"]),
        ({"python": "3.13.1"}, "2.21.0", ["tensorflow[and-cuda]==2.21.0"]),
        ({"python": "3.9.18"}, "2.20.0", ["tensorflow[and-cuda]==2.20.0"]),
        ({"libc": "2.17"}, "2.20.0", ["tensorflow[and-cuda]==2.20.0"]),
        ({"gpu": "NVIDIA H100 80GB HBM3"}, "2.21.0", ["tensorflow[and-cuda]==2.21.0"]),
        ({"gpu": "Tesla T4", "driver": "525.60.13"}, "2.21.0", ["tensorflow[and-cuda]==2.21.0"]),
        ({"gpu": "NVIDIA GeForce GTX 1080"}, "2.21.0", ["tensorflow[and-cuda]==2.21.0", "nvidia-cudnn-cu12<9.11"]),
        ({"gpu": "Tesla V100-SXM2-16GB"}, "2.21.0", ["tensorflow[and-cuda]==2.21.0", "nvidia-cudnn-cu12<9.11"]),
        ({"gpu": "NVIDIA GeForce GTX 970"}, "2.16.2", ["tensorflow[and-cuda]==2.16.2"]),
        ({"gpu": "NVIDIA GeForce 940M"}, "2.16.2", ["tensorflow[and-cuda]==2.16.2"]),
        # K01: its [and-cuda] does not resolve on Python 3.11
        ({"gpu": "Tesla T4", "driver": "470.256.02", "python": "3.10.9"}, "2.14.1", ["tensorflow[and-cuda]==2.14.1"]),
        ({"gpu": "Tesla T4", "driver": "470.256.02", "python": "3.11.9"}, "2.13.1", ["tensorflow==2.13.1"]),
        ({"gpu": "Tesla T4", "driver": "450.80.02", "python": "3.9.9"}, "2.14.1", ["tensorflow[and-cuda]==2.14.1"]),
        ({"gpu": "Tesla K80", "driver": "470.256.02", "python": "3.10.9"}, "2.14.1", ["tensorflow[and-cuda]==2.14.1"]),
        ({"gpu": "Tesla T4", "driver": "418.39", "python": "3.8.9"}, "2.3.4",
         ["tensorflow==2.3.4", "protobuf<3.20"]),
        ({"python": "3.7.9"}, "2.11.0", ["tensorflow==2.11.0", "numpy<2"]),
        ({"wsl": 2, "driver": "527.41"}, "2.21.0", ["tensorflow[and-cuda]==2.21.0"]),
        # Windows' floor for CUDA 12 is 527.41, Linux' 525.60.13
        ({"wsl": 2, "driver": "511.79", "python": "3.10.9"}, "2.14.1", ["tensorflow[and-cuda]==2.14.1"]),
        ({"gpu": None}, "2.21.0", ["tensorflow-cpu==2.21.0"]),
        ({"gpu": None, "arch": "aarch64"}, "2.21.0", ["tensorflow==2.21.0"]),
        ({"gpu": None, **WINDOWS}, "2.21.0", ["tensorflow==2.21.0"]),
        ({"gpu": None, "python": "3.7.9"}, "2.11.0", ["tensorflow-cpu==2.11.0", "numpy<2"]),
        ({"gpu": None, "avx": False, "python": "3.6.9"}, "1.5.1", ["tensorflow==1.5.1", "numpy<2", "protobuf<3.20"]),
    ],
)  # fmt: skip
def test_a_machine_gets_the_newest_release_that_fits(
    facts: dict[str, Any], release: str, requirements: list[str]
) -> None:
    choice = chosen(machine(**facts))
    assert choice.release == PackageVersion(release), [one for one in choice.candidates if not one.objections][:1]
    assert list(choice.requirements) == requirements
    assert choice.brings_cuda == ("[and-cuda]" in requirements[0])


def test_2_21_gets_its_cure_and_the_others_none() -> None:
    choice = chosen(machine())
    assert choice.cures == CURED
    assert "libcusolver" in said(choice)
    assert chosen(machine(), "2.20.0").cures == ()
    assert chosen(machine(gpu=None)).cures == ()


def test_a_plan_tells_what_the_wheel_was_built_with() -> None:
    gpu, cpu = chosen(machine()), chosen(machine(gpu=None))
    assert (gpu.cuda, gpu.cudnn) == (CudaVersion("12.5.1"), CudnnVersion("9.3"))
    assert (cpu.cuda, cpu.cudnn, cpu.package) == (None, None, "tensorflow-cpu")
    assert gpu.target == Target("linux", "x86_64", LibcVersion("2.39"), gpu.target.python)  # type: ignore[union-attr]


def test_an_old_release_is_given_the_dependencies_of_its_own_time() -> None:
    assert chosen(machine(gpu="NVIDIA GeForce 940M")).exclude_newer == "2024-07-26T00:00:00Z"
    assert chosen(machine("NVIDIA GeForce 940M", "511.79", "3.10.9", **WINDOWS)).exclude_newer == "2022-12-14T00:00:00Z"
    # not before all of them had wheels
    assert chosen(machine("Tesla K80", python="3.6.9"), "1.2.1").exclude_newer == "2022-12-14T00:00:00Z"
    assert chosen(machine()).exclude_newer is None


# --- the guide of 2017: GeForce 940M on Windows


def test_the_guides_machine_gets_2_10_1_today_with_cuda_from_conda() -> None:
    choice = chosen(machine("NVIDIA GeForce 940M", "511.79", "3.10.11", **WINDOWS))
    assert choice.release == PackageVersion("2.10.1")
    assert choice.requirements == ("tensorflow==2.10.1", "numpy<2")
    assert (choice.cuda, choice.cudnn, choice.brings_cuda) == (CudaVersion("11.2"), CudnnVersion("8.1"), False)
    assert names(choice, "2.21.0") == ["K12"]
    assert "conda install -c conda-forge cudatoolkit=11.2 cudnn=8.1.0" in steps(choice)
    assert "cudart64_110.dll" in steps(choice)  # K27
    assert "does not officially support Maxwell" in steps(choice)


def test_the_guides_machine_with_a_new_python_gets_a_cpu_build_and_is_shown_the_way_back() -> None:
    choice = chosen(machine("NVIDIA GeForce 940M", "511.79", "3.12.1", **WINDOWS))
    assert (choice.release, choice.cuda, choice.package) == (PackageVersion("2.21.0"), None, "tensorflow")
    assert "this is a CPU build" in said(choice)
    assert names(choice, "2.10.1") == ["no-wheel-for-python"]
    assert "With Python 3.10: TensorFlow 2.10.1" in titles(choice)
    assert "WSL2 has TensorFlow 2.16.2" in titles(choice)


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.1.0", "1.2.0", "1.2.1"])
def test_cuda_8_with_cudnn_5_1_and_python_3_5_is_tensorflow_gpu_1_0_to_1_2(version: str) -> None:
    choice = chosen(machine("NVIDIA GeForce 940M", "376.51", "3.5.4", **WINDOWS), version)
    assert choice.requirements[0] == f"tensorflow-gpu=={version}"
    assert (choice.cuda, choice.cudnn) == (CudaVersion("8.0"), CudnnVersion("5.1"))
    # what was asked for by name is not talked out of
    assert titles(choice) == "CUDA 8.0 and cuDNN 5.1 have to be on this system"


def test_1_3_is_the_first_that_wants_another_cudnn() -> None:
    guide = machine("NVIDIA GeForce 940M", "376.51", "3.5.4", **WINDOWS)
    assert chosen(guide, "1.3.0").cudnn == CudnnVersion("6")
    assert chosen(guide, "1.5.0").release is None  # CUDA 9.0 needs another driver
    assert names(chosen(guide, "1.5.0"), "1.5.0") == ["driver-too-old"]


def test_on_windows_python_3_6_begins_with_1_2() -> None:
    guide = machine("NVIDIA GeForce 940M", "376.51", "3.6.8", **WINDOWS)
    assert names(chosen(guide, "1.1.0"), "1.1.0") == ["no-wheel-for-python"]
    assert chosen(guide, "1.2.1").release == PackageVersion("1.2.1")


# --- where none fits


def test_blackwell_gets_no_plan_but_nvidias_container_and_the_cpu_build() -> None:
    choice = chosen(machine("NVIDIA GeForce RTX 5090"))
    assert (choice.release, choice.requirements) == (None, ())
    assert all("gpu-too-new-for-build" in [one.name for one in each.objections] for each in choice.candidates)
    assert "NVIDIA's container has code for Blackwell" in titles(choice)
    assert "nvcr.io/nvidia/tensorflow:TAG" in steps(choice)  # no version is guessed
    assert "gpucheck install --cpu" in steps(choice)
    assert "WSL2" not in titles(chosen(machine("NVIDIA GeForce RTX 5090", **WINDOWS)))


def test_kepler_on_a_new_python_is_led_to_the_python_that_fits() -> None:
    choice = chosen(machine("Tesla K80", "470.256.02", "3.12.1"))
    assert choice.release is None
    assert names(choice, "2.21.0") == ["gpu-too-old-for-build", "driver-too-old"]
    assert "With Python 3.10: TensorFlow 2.14.1" in titles(choice)
    assert "driver" not in titles(choice)  # no driver for Kepler runs CUDA 12
    fitting = chosen(machine("Tesla K80", "470.256.02", "3.10.1"))
    assert "whether cuDNN 8.7 has code for GPU 0 (Tesla K80) (3.7) is not known" in said(fitting)


def test_a_kepler_of_3_0_has_tensorflow_1_alone() -> None:
    old = machine("GeForce GTX 680", "470.256.02", "3.10.1")
    assert chosen(old).release is None
    assert "With Python 3.6: TensorFlow 1.4.1" in titles(chosen(old))
    assert names(chosen(old), "2.14.1") == ["gpu-too-old-for-build"]


@pytest.mark.parametrize(("gpu", "more"), [("Orin", "NVIDIA's own wheels for Jetson"), ("NVIDIA GH200 480GB", "")])
def test_aarch64_gets_the_cpu_build_and_nvidias_ways(gpu: str, more: str) -> None:
    choice = chosen(machine(gpu, arch="aarch64"))
    assert choice.requirements == ("tensorflow==2.21.0",)
    assert choice.cuda is None
    assert not choice.brings_cuda
    assert names(choice, "2.20.0") == ["no-cuda-on-aarch64"]
    assert "NVIDIA's container is built for aarch64" in titles(choice)
    assert more in titles(choice)


def test_alpine_is_told_of_a_container() -> None:
    choice = chosen(machine(libc=None))
    assert choice.release is None
    assert names(choice, "2.21.0") == ["no-glibc"]
    assert "In a container with glibc: TensorFlow 2.21.0" in titles(choice)


def test_a_glibc_that_is_too_old_for_everything_is_told_of_a_container() -> None:
    choice = chosen(machine(libc="2.4"))
    assert choice.release is None
    assert names(choice, "2.21.0") == ["glibc-too-old"]
    assert "container with glibc" in titles(choice)


def test_python_3_14_is_told_of_an_interpreter_that_is_here_or_how_to_get_one() -> None:
    here_is_one = chosen(machine(python="3.14.0", others=("/usr/bin/python3.11", "/opt/my env/bin/python3.12")))
    assert here_is_one.release is None
    assert "gpucheck install --python '/opt/my env/bin/python3.12'" in steps(here_is_one)
    none_here = chosen(machine(python="3.14.0"))
    assert "uv python install 3.13" in steps(none_here)
    assert "release candidate 2.22.0rc0" in titles(none_here)
    assert "container with glibc" not in titles(none_here)


@pytest.mark.parametrize(
    "path",
    [
        "/usr/bin/python3.11",
        "/home/user/.pyenv/versions/3.11.7/bin/python3",
        "/x/cpython-3.11.4-linux-x86_64-gnu/bin/python",
    ],
)
def test_the_version_of_another_interpreter_is_read_from_its_path(path: str) -> None:
    assert f"--python {path}" in steps(chosen(machine(python="3.14.0", others=("/usr/bin/python3", path))))


def test_pypy_and_32_bits_are_led_to_another_interpreter() -> None:
    for facts, objection in (({"implementation": "pypy"}, "python-not-cpython"), ({"bits": 32}, "python-32bit")):
        choice = chosen(machine(**facts))
        assert choice.release is None
        assert names(choice, "2.21.0") == [objection]
        assert "With Python 3.13: TensorFlow 2.21.0" in titles(choice)


def test_an_old_driver_is_told_what_a_newer_one_brings() -> None:
    choice = chosen(machine("Tesla T4", "418.39", "3.10.2"))
    assert choice.release is None
    assert "TensorFlow 2.21.0 needs 525.60.13 or later, this is 418.39" in steps(choice)
    assert "sudo ubuntu-drivers install" in steps(choice)
    in_wsl = chosen(machine("Tesla T4", "442.19", "3.10.2", wsl=2))
    assert "2.21.0 needs 527.41 or later" in steps(in_wsl)
    assert "ubuntu-drivers" not in steps(in_wsl)


def without_libcuda(snapshot: Snapshot) -> Snapshot:
    return snapshot._replace(driver=snapshot.driver._replace(cuda=GAP))  # type: ignore[union-attr]


def test_the_floor_itself_is_new_enough_and_what_is_below_is_not() -> None:
    assert chosen(without_libcuda(machine(driver="525.60.13"))).release == PackageVersion("2.21.0")
    assert names(chosen(without_libcuda(machine(driver="525.60.12"))), "2.21.0") == ["driver-too-old"]
    in_wsl = without_libcuda(machine(driver="526.98", wsl=2, python="3.10.1"))
    assert chosen(in_wsl).release == PackageVersion("2.14.1")


def test_a_newer_libcuda_that_works_counts_for_the_driver() -> None:
    """NVIDIA's forward compatibility."""
    old = machine(driver="470.256.02")
    assert not isinstance(old.driver, Gap)
    assert not isinstance(old.driver.cuda, Gap)
    newer = old.driver._replace(cuda=old.driver.cuda._replace(cuda_version=CudaVersion("12.8")))
    assert chosen(old._replace(driver=newer)).release == PackageVersion("2.21.0")


def test_the_wheels_are_for_the_pythons_architecture() -> None:
    emulated = machine(gpu=None, arch="aarch64")
    python = emulated.python._replace(machine="x86_64")  # type: ignore[union-attr]
    assert chosen(emulated._replace(python=python)).package == "tensorflow-cpu"


def test_windows_has_no_glibc_to_know() -> None:
    snapshot = machine(**WINDOWS)
    found = target(snapshot._replace(system=snapshot.system._replace(libc=GAP)))  # type: ignore[union-attr]
    assert isinstance(found, Target)
    assert found.libc is None


def test_windows_with_a_gpu_that_2_10_does_not_know_is_led_to_wsl() -> None:
    choice = chosen(machine("NVIDIA H100 80GB HBM3", "552.22", "3.10.9", **WINDOWS))
    assert choice.release == PackageVersion("2.21.0")
    assert choice.cuda is None
    assert names(choice, "2.10.1") == ["gpu-too-new-for-build"]
    assert "wsl --install -d Ubuntu" in steps(choice)


def test_a_cpu_without_avx_has_only_what_came_before() -> None:
    choice = chosen(machine(gpu=None, avx=False))
    assert choice.release is None
    assert names(choice, "2.21.0") == ["cpu-no-avx"]


def test_another_architecture_has_no_releases_at_all() -> None:
    choice = chosen(machine(gpu=None, arch="ppc64le"))
    assert (choice.release, choice.candidates) == (None, ())
    told = explain(machine(gpu=None, arch="ppc64le"), Request(), "2.21")
    assert [one.name for one in told.objections] == ["no-wheel-for-architecture"]


# --- several GPUs


def test_the_newest_that_serves_all_gpus_comes_first() -> None:
    choice = chosen(machine(("NVIDIA GeForce RTX 4090", "NVIDIA GeForce GTX 970")))
    assert choice.release == PackageVersion("2.16.2")


def test_a_gpu_that_no_release_knows_does_not_keep_the_others_from_theirs() -> None:
    choice = chosen(machine(("NVIDIA GeForce RTX 5090", "NVIDIA GeForce GTX 1080")))
    assert choice.release == PackageVersion("2.21.0")
    assert "GPU 0 (NVIDIA GeForce RTX 5090) cannot be used along with the rest" in said(choice)
    assert "nvidia-cudnn-cu12<9.11" in choice.requirements


@pytest.mark.slow
def test_of_gpus_that_have_no_release_in_common_the_newest_is_served() -> None:
    choice = chosen(machine(("NVIDIA H100 80GB HBM3", "GeForce GTX 680"), "470.256.02", "3.6.9"))
    assert choice.release == PackageVersion("1.4.1")
    assert "GPU 0 (NVIDIA H100 80GB HBM3)" in said(choice)
    either = chosen(machine(("GeForce GTX 680", "Tesla T4"), "470.256.02", "3.6.9"))
    assert either.release == PackageVersion("2.6.2")
    assert "GPU 0 (GeForce GTX 680) cannot be used along" in said(either)


# --- what was asked for


def test_a_version_that_was_asked_for_is_taken_if_it_fits() -> None:
    choice = chosen(machine("NVIDIA GeForce GTX 1080"), "2.18.1")
    assert choice.requirements == ("tensorflow[and-cuda]==2.18.1",)
    assert "was asked for" in said(choice)
    assert chosen(machine(), "2.18").release == PackageVersion("2.18.0")
    assert chosen(machine(), "2.22.0rc0").release == PackageVersion("2.22.0rc0")


@pytest.mark.parametrize(
    ("version", "facts", "objection"),
    [
        ("2.16.1", {}, "K06"),
        ("2.15.0", {"python": "3.11.9"}, "K02"),
        ("2.14.1", {"python": "3.11.9"}, "K01"),
        ("2.20.0", {"gpu": "NVIDIA GeForce 940M"}, "gpu-too-old-for-build"),
        ("2.3.4", {"gpu": "NVIDIA GeForce 940M", "python": "3.8.9"}, "gpu-too-old-for-build"),
        ("1.15.5", {"python": "3.7.9"}, "gpu-too-new-for-build"),
        ("2.21.0", {"driver": "510.47.03"}, "driver-too-old"),
    ],
)
def test_a_version_that_cannot_work_is_refused_with_its_reason_first(
    version: str, facts: dict[str, Any], objection: str
) -> None:
    choice = chosen(machine(**facts), version)
    assert choice.release is None
    assert choice.requirements == ()
    assert choice.candidates[0].version.text == version
    assert [one.name for one in choice.candidates[0].objections] == [objection]
    assert any(one in titles(choice) for one in ("fits here", "With Python", "A newer NVIDIA driver"))
    assert f"gpucheck install --cpu tensorflow=={version}" in steps(choice)


def test_2_3_is_nothing_for_5_0_though_its_neighbours_are() -> None:
    old = machine("NVIDIA GeForce 940M", "450.80.02", "3.8.9")
    assert chosen(old, "2.2.3").release == PackageVersion("2.2.3")
    assert chosen(old, "2.3.4").release is None
    assert chosen(old, "2.4.4").release == PackageVersion("2.4.4")


def test_the_cpu_build_is_as_small_as_the_request_allows() -> None:
    assert chosen(machine(), cpu=True).package == "tensorflow-cpu"
    assert chosen(machine(gpu=None), extras=("jupyter", "scipy")).package == "tensorflow-cpu"
    by_name = chosen(machine(gpu=None), extras=("keras-hub",))
    assert by_name.requirements == ("tensorflow==2.21.0", "keras-hub")
    assert "because of --with keras-hub" in said(by_name)
    assert (by_name.cuda, by_name.brings_cuda) == (CudaVersion("12.5.1"), False)  # the wheel holds it, unused
    assert chosen(machine(gpu=None), packages=("something>=1",)).package == "tensorflow"
    # what holds no CUDA on Linux: tensorflow up to 2.0, and tensorflow-cpu beside 1.15.0 and from 2.1 on (K16)
    old = machine(gpu=None, python="3.7.9")
    packages = {version: chosen(old, version).package for version in ("1.14.0", "1.15.0", "1.15.5", "2.0.4", "2.1.0")}
    assert packages == {
        "1.14.0": "tensorflow",
        "1.15.0": "tensorflow-cpu",
        "1.15.5": "tensorflow",
        "2.0.4": "tensorflow",
        "2.1.0": "tensorflow-cpu",
    }


def test_the_gpu_build_up_to_2_0_is_tensorflow_gpu() -> None:
    old = machine("NVIDIA GeForce GTX 1080", python="3.7.9")
    packages = {one: chosen(old, one).package for one in ("1.15.0", "1.15.5", "2.0.4", "2.1.0")}
    assert packages == {
        "1.15.0": "tensorflow-gpu",
        "1.15.5": "tensorflow-gpu",
        "2.0.4": "tensorflow-gpu",
        "2.1.0": "tensorflow",
    }


def test_extras_and_packages_are_asked_for_along_with_it() -> None:
    choice = chosen(machine(), extras=("jupyter", "jupyterlab", "keras", "pandas"), packages=("rich>=13",))
    assert choice.requirements == ("tensorflow[and-cuda]==2.21.0", "jupyterlab", "ipykernel", "pandas", "rich>=13")
    assert "TensorFlow brings the Keras that fits" in said(choice)


def test_a_name_that_must_not_be_installed_leaves_no_plan() -> None:
    choice = chosen(machine(), packages=("Theano==1.0",))
    assert choice.release is None
    assert "pytensor" in said(choice)


def test_bounds_hold_back_what_old_releases_leave_open() -> None:
    """K03, K04, K05."""
    old = machine("Tesla T4", "470.256.02", "3.9.9")
    assert chosen(old, "2.14.0").requirements == ("tensorflow[and-cuda]==2.14.0", "numpy<2")
    assert chosen(old, "2.9.0").requirements == ("tensorflow==2.9.0", "numpy<2", "protobuf<3.20")
    assert chosen(old, "2.6.1").requirements == ("tensorflow==2.6.1", "protobuf<3.20", "keras<2.7")
    assert chosen(old, "2.6.5").requirements == ("tensorflow==2.6.5",)


def test_keras_is_never_pinned() -> None:
    """K19: which Keras fits depends on the Python, and the resolver knows that."""
    for python in ("3.9.1", "3.10.1", "3.11.1", "3.12.1"):
        assert not any(one.startswith("keras") for one in chosen(machine(python=python)).requirements)


def test_another_tensorflow_in_the_environment_is_named() -> None:
    snapshot = machine(gpu=None)
    listed = tuple(Distribution(name, PackageVersion("2.20.0"), "/x", None, True) for name in ("tensorflow", "numpy"))
    full = snapshot._replace(python=snapshot.python._replace(distributions=listed))  # type: ignore[union-attr]
    choice = choose(full, Request())
    assert rivals(full, choice.package) == ("tensorflow",)
    assert "tensorflow is in this environment" in said(choice)
    assert rivals(full, "tensorflow") == ()


# --- what is not known


def test_without_a_python_there_is_no_target_and_no_plan() -> None:
    snapshot = machine(python=None)
    assert target(snapshot) == Gap("the interpreter did not answer", "crashed")
    choice = choose(snapshot, Request())
    assert (choice.release, choice.target) == (None, target(snapshot))
    assert [one.name for one in explain(snapshot, Request(), "2.21").objections] == ["target-not-known"]


def test_a_gpu_without_a_driver_is_planned_for_and_told_so() -> None:
    choice = chosen(machine(driver=None))
    assert choice.release == PackageVersion("2.21.0")
    assert "no NVIDIA driver is loaded: TensorFlow 2.21.0 needs 525.60.13 or later" in said(choice)
    assert "has code for the GPU is not known" in said(choice)
    assert "nvidia-cudnn-cu12<9.11" in choice.requirements  # right for either
    assert "driver comes first" in titles(choice)


def test_a_gpu_that_nothing_describes_is_told_as_that() -> None:
    choice = choose(machine()._replace(gpus=()), Request())
    assert "has code for the GPU is not known: nothing described it" in said(choice)


def test_where_nobody_knows_of_a_gpu_cuda_is_included_and_that_is_said() -> None:
    choice = choose(machine(gpu=None)._replace(driver=GAP), Request())
    assert choice.brings_cuda
    assert "whether an NVIDIA GPU is here is not known (hidden by the test)" in said(choice)
    assert "--cpu leaves them out" in said(choice)
    on_aarch64 = choose(machine(gpu=None, arch="aarch64")._replace(driver=GAP), Request())
    assert "this is a CPU build: no TensorFlow wheel for aarch64 that fits here can use an NVIDIA GPU" in said(
        on_aarch64
    )


def hidden(snapshot: Snapshot) -> list[tuple[str, Snapshot]]:
    """The machine with one deciding fact hidden, each in turn."""
    system, python, driver, gpus = snapshot.system, snapshot.python, snapshot.driver, snapshot.gpus
    cards = () if isinstance(gpus, Gap) else gpus
    return [
        ("libc", snapshot._replace(system=system._replace(libc=GAP))),  # type: ignore[union-attr]
        ("avx", snapshot._replace(system=system._replace(cpu=GAP))),  # type: ignore[union-attr]
        ("implementation", snapshot._replace(python=python._replace(implementation=GAP))),  # type: ignore[union-attr]
        ("bits", snapshot._replace(python=python._replace(bits=GAP))),  # type: ignore[union-attr]
        ("version", snapshot._replace(driver=driver._replace(module_version=GAP, nvml=GAP))),  # type: ignore[union-attr]
        ("gpus", snapshot._replace(gpus=GAP)),
        ("capability", snapshot._replace(gpus=tuple(one._replace(compute_capability=GAP) for one in cards))),
    ]


SOME = [
    machine(),
    machine("NVIDIA GeForce GTX 1080"),
    machine("NVIDIA GeForce 940M"),
    machine("NVIDIA GeForce RTX 5090"),
    machine("Tesla K80", "470.256.02", "3.10.1"),
    machine("Tesla T4", "450.80.02", "3.9.1", libc="2.17"),
    machine(libc=None),
    machine(avx=False),
    machine(bits=32),
    machine(implementation="pypy"),
]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SOME)))
def test_not_knowing_never_adds_an_objection_and_never_acquits_silently(number: int) -> None:
    full = choose(SOME[number], Request())
    before = {one.version.text: set(one.objections) for one in full.candidates}
    for name, snapshot in hidden(SOME[number]):
        choice = choose(snapshot, Request())
        for one in choice.candidates:
            assert set(one.objections) <= before[one.version.text], (name, one)
        if choice.release is not None and before[choice.release.text]:
            assert "not known" in said(choice), (name, choice.release)


# --- why not


def test_a_minor_means_its_newest_patch() -> None:
    assert explain(machine(), Request(), "2.21") == Candidate(PackageVersion("2.21.0"), ())
    assert explain(machine(), Request(), "2.16").version.text == "2.16.2"
    assert explain(machine(), Request(), " 2.15.* ").version.text == "2.15.1"
    assert explain(machine(), Request(), "2.22").version.text == "2.22.0rc0"


def test_every_reason_against_a_version_is_told_with_source_and_remedy() -> None:
    told = explain(machine("NVIDIA GeForce 940M", "510.47.03", "3.9.1", libc="2.17"), Request(), "2.21.0")
    assert [one.name for one in told.objections] == [
        "no-wheel-for-python", "glibc-too-old", "gpu-too-old-for-build", "driver-too-old",
    ]  # fmt: skip
    assert all(one.source and one.remedy for one in told.objections)
    assert told.objections[0].what == "TensorFlow 2.21.0 has wheels for Python 3.10, 3.11, 3.12, 3.13, this is 3.9.1"
    assert "this system has 2.17" in told.objections[1].what
    assert "GPU 0 (NVIDIA GeForce 940M) has compute capability 5.0 (Maxwell)" in told.objections[2].what
    assert "this is 510.47.03" in told.objections[3].what


def test_what_was_asked_for_otherwise_does_not_change_an_explanation() -> None:
    assert explain(machine(), Request("2.16.1"), "2.21").objections == ()
    assert explain(machine("NVIDIA GeForce RTX 5090"), Request(cpu=True), "2.21").objections == ()


@pytest.mark.parametrize(
    ("text", "facts", "objection", "remedy"),
    [
        ("2.99", {}, "not-in-table", "2.21.0"),
        ("2.17.9", {}, "not-in-table", "2.17.1 and 2.18.0"),
        ("1.12.1", {}, "not-in-table", "1.12.0 and 1.12.2"),
        ("0.12.0", {}, "not-in-table", "1.0.0"),
        ("2.21.0rc1", {}, "not-in-table", "2.20.0 and 2.21.0"),
        ("2.23.0.dev20261026", {}, "nightly", "2.21.0"),
        ("1.4.1", WINDOWS, "no-wheel-for-platform", "1.4.0 and 1.5.0"),
        ("1.10.1", WINDOWS, "no-wheel-for-platform", "1.10.0 and 1.11.0"),
        ("2.15.0.post1", {"arch": "aarch64"}, "no-wheel-for-platform", "2.14.1 and 2.15.1"),
        ("newest", {}, "not-a-version", ""),
        ("", {}, "not-a-version", ""),
    ],
)
def test_a_version_that_the_table_does_not_have_is_told_as_that(
    text: str, facts: dict[str, Any], objection: str, remedy: str
) -> None:
    told = explain(machine(**facts), Request(), text)
    assert [one.name for one in told.objections] == [objection]
    assert remedy in told.objections[0].remedy
    assert chosen(machine(**facts), text).release is None


# --- the defects that are known

T4 = machine("Tesla T4", python="3.9.9")
T4_310 = machine("Tesla T4", python="3.10.9")


@pytest.mark.parametrize(
    ("issue", "snapshot", "version", "objection"),
    [
        ("K01 [and-cuda] does not resolve on 3.11", machine("Tesla T4", python="3.11.9"), "2.14.0", "K01"),
        ("K02 [and-cuda] resolves nowhere", T4, "2.15.0", "K02"),
        ("K06 RUNPATH", T4, "2.16.1", "K06"),
        ("K08 no code for 5.x", machine("NVIDIA GeForce GTX 970", python="3.9.9"), "2.17.0", "gpu-too-old-for-build"),
        ("K09 no code for 5.0", machine("NVIDIA GeForce 940M", python="3.8.9"), "2.3.0", "gpu-too-old-for-build"),
        ("K11 Blackwell", machine("NVIDIA GeForce RTX 5090"), "2.21.0", "gpu-too-new-for-build"),
        ("K12 Windows", machine("Tesla T4", python="3.10.9", **WINDOWS), "2.21.0", "K12"),
        ("K17 tensorflow-gpu 2.12 is a stub", T4_310, "2.12.0", None),
        ("K18 glibc 2.27", machine("Tesla T4", python="3.10.9", libc="2.17"), "2.21.0", "glibc-too-old"),
        ("K20 a candidate", machine(), "2.22.0rc0", "pre-release"),
        ("K21 no wheel for Windows", machine(python="3.6.9", **WINDOWS), "1.4.1", "no-wheel-for-platform"),
        ("K22 no wheel elsewhere", machine(python="3.10.9", **WINDOWS), "2.15.0.post1", "no-wheel-for-platform"),
        ("Q02 tensorflow-cpu-aws", machine(None, python="3.9.9", arch="aarch64"), "2.11.1", "Q02"),
        ("K24 AVX", machine(None, avx=False), "2.21.0", "cpu-no-avx"),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) and value.startswith("K") else "",
)
def test_a_known_defect_is_an_objection(issue: str, snapshot: Snapshot, version: str, objection: str | None) -> None:
    told = [one.name for one in explain(snapshot, Request(), version).objections]
    assert told == ([objection] if objection else []), issue


@pytest.mark.parametrize(
    ("issue", "snapshot", "version", "requirement"),
    [
        ("K03 numpy", T4, "2.7.4", "numpy<2"),
        ("K04 protobuf", T4, "2.8.0", "protobuf<3.20"),
        ("K05 keras", T4, "2.6.0", "keras<2.7"),
        ("K10 cuDNN", machine("Tesla V100-SXM2-16GB"), "2.20.0", "nvidia-cudnn-cu12<9.11"),
        ("K16 CPU-only names", machine("Tesla T4", python="3.7.9"), "2.0.4", "tensorflow-gpu==2.0.4"),
        ("K17 not tensorflow-gpu", T4, "2.12.0", "tensorflow==2.12.0"),
        ("K13 K23 no tensorflow-intel", machine(None, **WINDOWS), "2.18.1", "tensorflow==2.18.1"),
    ],
)
def test_a_known_defect_is_held_off_by_a_requirement(
    issue: str, snapshot: Snapshot, version: str, requirement: str
) -> None:
    requirements = chosen(snapshot, version).requirements
    assert requirement in requirements, issue
    assert not any("tensorflow-intel" in one for one in requirements)


@pytest.mark.parametrize(
    ("issue", "snapshot", "version", "words"),
    [
        ("K07 no [and-cuda]", T4, "2.13.1", "it brings no CUDA: CUDA 11.8 and cuDNN 8.6 have to be on this system"),
        ("K14 TensorBoard", machine(), "2.21.0", "--with tensorboard"),
        ("K25 PTX", machine("NVIDIA H100 80GB HBM3", python="3.10.9"), "2.15.1", "compiles at first use"),
        ("Q01 cuSOLVER", machine(), "2.21.0", "does not find libcusolver by itself"),
    ],
)
def test_a_known_defect_is_told(issue: str, snapshot: Snapshot, version: str, words: str) -> None:
    assert words in said(chosen(snapshot, version)), issue


# --- releases that are newer than the table

NEW = RELEASES[-2]._replace(version="2.23.0", issues="K10", capabilities=(), cuda="12.9", numpy="", protobuf="")


def test_a_derived_release_is_offered_and_never_chosen_by_itself() -> None:
    choice = choose(machine(), Request(), [NEW])
    assert choice.release == PackageVersion("2.21.0")
    assert names(choice, "2.23.0") == ["derived"]
    assert choice.candidates[0].version.text == "2.23.0"


def test_a_derived_release_is_taken_where_it_is_named() -> None:
    choice = choose(machine("NVIDIA GeForce RTX 5090"), Request("2.23.0"), [NEW])
    assert choice.release == PackageVersion("2.23.0")
    assert choice.derived
    assert choice.requirements == ("tensorflow[and-cuda]==2.23.0",)
    assert "is not known: the wheel does not record its compute capabilities" in said(choice)


def test_a_derived_release_gets_the_same_bounds() -> None:
    pascal = machine("NVIDIA GeForce GTX 1080")
    assert "nvidia-cudnn-cu12<9.11" in choose(pascal, Request("2.23.0"), [NEW._replace(issues="")]).requirements
    dropped = choose(pascal, Request("2.23.0"), [NEW._replace(cudnn_wheel=">=9.12,<10.0")])
    assert names(dropped, "2.23.0") == ["cudnn-dropped-gpu"]
    exact = choose(pascal, Request("2.23.0"), [NEW._replace(cudnn_wheel="==9.3.0.75")])
    assert exact.requirements == ("tensorflow[and-cuda]==2.23.0",)


def test_a_derived_release_still_has_its_other_objections() -> None:
    choice = choose(machine(python="3.9.1"), Request("2.23.0"), [NEW])
    assert names(choice, "2.23.0") == ["no-wheel-for-python"]
    assert explain(machine(), Request(), "2.23", [NEW]).version.text == "2.23.0"


# --- what must hold for every machine

GRID = [
    machine(gpu, driver, python, os, "x86_64", libc)
    for gpu in (None, *list(GPUS)[::3])
    for driver, python, os, libc in (
        ("580.95.05", "3.12.4", "linux", "2.39"),
        ("525.60.13", "3.9.18", "linux", "2.17"),
        ("470.256.02", "3.10.9", "linux", "2.31"),
        ("450.80.02", "3.7.9", "linux", "2.27"),
        ("552.22", "3.10.9", "windows", None),
    )
]


@pytest.mark.slow
def test_the_chosen_one_has_no_objection_and_every_newer_one_has() -> None:
    for snapshot in GRID:
        check(choose(snapshot, Request()), snapshot)


@pytest.mark.slow
@pytest.mark.parametrize("name", machines.names())
def test_every_recorded_machine_gets_a_plan_or_a_reason(name: str) -> None:
    snapshot = looked.snapshot(name)
    for cpu in (False, True):
        check(choose(snapshot, Request(cpu=cpu)), snapshot)


parsed = cache(Version)  # another opinion than PackageVersion's


def check(choice: Choice, snapshot: Snapshot) -> None:
    """The invariants of every choice."""
    rows = fitness.table(here(snapshot))
    assert all(one.source and one.what for each in choice.candidates for one in each.objections)
    assert all(route.title and route.steps and route.source for route in choice.routes)
    assert not any("Gap(" in text or "None" in text for text in (said(choice), steps(choice), titles(choice)))
    if isinstance(choice.target, Gap):
        assert choice.release is None
        return
    assert len(choice.candidates) == len(rows)
    if choice.release is None:
        assert all(one.objections for one in choice.candidates)
        assert choice.routes or choice.target.machine not in ("x86_64", "aarch64") or "avx" in str(choice.candidates[0])
        return
    for one in choice.candidates:
        if one.version == choice.release:
            assert one.objections == ()
        elif parsed(one.version.text) > parsed(choice.release.text):
            assert one.objections, one.version
    for text in choice.requirements:
        Requirement(text)
    first = Requirement(choice.requirements[0])
    assert (first.name, str(first.specifier)) == (choice.package, f"=={choice.release}")
    assert choice.brings_cuda == ("and-cuda" in first.extras)
    assert choice.reasons


def test_a_choice_comes_back_from_json_as_it_went() -> None:
    for snapshot in (machine(), machine("Tesla K80"), machine(python=None)):
        written = encode(choose(snapshot, Request(extras=("jupyter",))))
        assert encode(decode(Choice, written)) == written


def test_every_release_fits_some_machine_but_those_that_must_never_be_chosen() -> None:
    never = {("linux", "2.16.1"), ("linux", "2.15.0")}
    for os in ("linux", "windows"):
        for row in releases(os, "x86_64"):
            python = "3.10" if "K01" in row.issues.split() else row.pythons.split()[-1]
            # of a generation that this CUDA was made for
            gpu = "Tesla K80" if least(row.capabilities) <= ComputeCapability("3.7") else "Tesla T4"
            at = here(machine(gpu if row.cuda else None, "580.95.05", python, os))
            against = fitness.objections(row, at, not row.cuda, fitness.CURES, wanted=True)
            assert bool(against) == ((os, row.version) in never), (row.version, against)


def least(capabilities: tuple[str, ...]) -> ComputeCapability:
    return ComputeCapability(capabilities[0]) if capabilities else ComputeCapability("3.5")


def test_the_samples_gpu_is_the_one_of_the_table() -> None:
    gpus = machine().gpus
    assert not isinstance(gpus, Gap)
    assert gpus[0].compute_capability == sample.gpu().compute_capability
