"""TensorFlow as the index gives it: what gpucheck reads in it, and that TensorFlow itself does what gpucheck says.

Over the fake driver (tests/native) a real TensorFlow goes through its own check of the CUDA libraries on a machine
without a GPU and logs each file that it opened or could not open: that log is the truth that the probe is held to.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Union

import pytest
from fake_driver import FakeDriver
from real_environments import SPECS, environment

from gpucheck.api import judge
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries, Wanted
from gpucheck.facts.python import FrameworkBuild, Python, TensorFlowBuild
from gpucheck.findings import Report
from gpucheck.host.local import LocalHost
from gpucheck.probes import libraries, python, toolkits
from gpucheck.probes.look import look

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="wheels for Linux are examined"),
]
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
CHECKED = ("libcudart", "libcublas", "libcublasLt", "libcufft", "libcurand", "libcusolver", "libcusparse", "libcudnn")


class Seen(NamedTuple):
    folder: Path
    python: Python
    build: TensorFlowBuild
    libraries: Libraries

    @property
    def site(self) -> str:
        assert isinstance(self.python.site_dirs, tuple)
        return self.python.site_dirs[0]

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        assert isinstance(self.libraries.wanted, tuple), self.libraries.wanted
        return self.libraries.wanted

    def names(self, *, loads: bool) -> set[str]:
        """The sonames of TensorFlow's check that load, or that do not."""
        # nvJitLink is opened by cuSPARSE and cuSOLVER: TensorFlow's own log does not name it
        checked = [one for one in self.wanted if one.needed_for_gpu and one.library != "nvjitlink"]
        return {one.soname for one in checked if (one.path is not None and one.defect is None) == loads}

    def version(self, name: str) -> str:
        assert isinstance(self.python.distributions, tuple)
        return next(one.version.text for one in self.python.distributions if one.name == name)


def read(host: LocalHost, folder: Path) -> Python:
    examined = python.probe(host, str(folder))
    assert isinstance(examined, Python)
    return examined


def see(name: str, environ: Union[dict[str, str], None] = None) -> Seen:
    folder = environment(name)
    host = LocalHost(environ=environ or BARE)
    examined = read(host, folder)
    assert isinstance(examined.tensorflow, TensorFlowBuild)
    found = libraries.probe(host, examined, toolkits.probe(host))
    return Seen(folder, examined, examined.tensorflow, found)


def report(name: str) -> Report:
    host = LocalHost(environ=BARE)
    return judge(look(host, str(environment(name))))


def run(folder: Path, environ: dict[str, str], program: str) -> tuple[str, str]:
    """TensorFlow's stdout and stderr."""
    done = subprocess.run(
        [str(folder / "bin" / "python"), "-c", program],
        env={**environ, "TF_CPP_MAX_VLOG_LEVEL": "1", "TF_CPP_MIN_LOG_LEVEL": "0"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    return done.stdout, done.stderr


LIST = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"


def opened(log: str) -> tuple[set[str], set[str]]:
    """(sonames that TensorFlow opened, sonames that it could not open), of CUDA's libraries."""
    good, bad = set(), set()
    for line in log.splitlines():
        if "Successfully opened dynamic library " in line:
            good.add(line.split("Successfully opened dynamic library ")[1].split()[0])
        elif "Could not load dynamic library '" in line:
            bad.add(line.split("Could not load dynamic library '")[1].partition("'")[0])
    return tuple({name for name in names if name.partition(".so")[0] in CHECKED} for names in (good, bad))  # type: ignore[return-value]


@pytest.mark.parametrize("name", sorted(SPECS))
def test_every_environment_is_read_as_its_own_python_reads_it(name: str) -> None:
    folder = environment(name)
    seen = read(LocalHost(environ=BARE), folder)
    program = (
        "import sys, importlib.metadata as m\n"
        "print('.'.join(map(str, sys.version_info[:3])))\n"
        "print(sys.prefix)\n"
        'print(*sorted(f\'{d.metadata["Name"].lower().replace("_", "-")}={d.version}\' for d in m.distributions()))\n'
    )
    command = [str(folder / "bin" / "python"), "-I", "-c", program]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    version, prefix, installed = out.splitlines()
    assert (str(seen.version), seen.prefix) == (version, prefix)
    assert seen.read_from == f"{folder}/pyvenv.cfg"
    assert isinstance(seen.distributions, tuple)
    mine = {f"{one.name}={one.version}" for one in seen.distributions}
    assert mine <= set(installed.split())
    assert {
        word for word in installed.split() if word.startswith(("tensorflow", "nvidia-", "torch=", "numpy="))
    } <= mine
    assert all(one.complete is True for one in seen.distributions)


def test_tensorflow_2_21_misses_libcusolver_alone() -> None:
    seen = see("tf221")
    assert seen.names(loads=False) == {"libcusolver.so.11"}
    one = next(one for one in seen.wanted if one.soname == "libcusolver.so.11")
    assert one.elsewhere == (f"{seen.site}/nvidia/cusolver/lib/libcusolver.so.11",)
    assert (str(seen.build.cuda_version), str(seen.build.cudnn_version)) == ("12.5.1", "9")
    assert seen.build.compute_capabilities == ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90")
    cudnn = next(one for one in seen.wanted if one.soname == "libcudnn.so.9")
    assert str(cudnn.version) == seen.version("nvidia-cudnn-cu12")
    assert "pip-cuda-wheels-not-found" in {finding.name for finding in report("tf221").findings}


def test_tensorflow_2_16_1_misses_all_but_the_runtime() -> None:
    seen = see("tf2161")
    assert seen.names(loads=True) == {"libcudart.so.12"}
    assert len(seen.names(loads=False)) == 6
    assert all(one.elsewhere for one in seen.wanted if one.needed_for_gpu and one.path is None)
    assert "pip-cuda-wheels-not-found" in {finding.name for finding in report("tf2161").findings}


def test_torch_and_tensorflow_write_two_cudnn_into_one_folder_and_each_file_is_told_apart() -> None:
    seen = see("tftorch")
    assert isinstance(seen.python.torch, FrameworkBuild)
    assert seen.python.torch.version.text.partition("+")[0] == seen.version("torch").partition("+")[0]
    assert seen.python.torch.cuda_version is not None
    both = {seen.version("nvidia-cudnn-cu12"), seen.version("nvidia-cudnn-cu13")}
    assert len(both) == 2
    assert isinstance(seen.libraries.copies, tuple)
    versions = {str(one.version) for one in seen.libraries.copies if one.library == "cudnn"}
    assert versions <= both
    assert "torch-cudnn-pin-conflict" in {finding.name for finding in report("tftorch").findings}


def test_a_cpu_package_wants_nothing() -> None:
    seen = see("tfcpu")
    assert (seen.build.cuda_build, seen.build.cuda_version, seen.libraries.wanted) == (False, None, None)
    assert seen.build.distribution == "tensorflow-cpu"


def test_a_cuda_build_without_the_wheels_finds_nothing_of_them() -> None:
    seen = see("tfnocuda")
    assert seen.build.cuda_build is True
    assert not any(one.startswith(seen.site) for want in seen.wanted for one in want.elsewhere)


def test_tensorflow_2_10_with_numpy_2_is_an_error_and_the_import_fails() -> None:
    seen = see("tf210np2")
    assert seen.build.compute_capabilities == ("sm_35", "sm_50", "sm_60", "sm_70", "sm_75", "compute_80")
    assert "libcurand.so.10" in {one.soname for one in seen.wanted if one.needed_for_gpu}
    assert "numpy2-abi-break" in {finding.name for finding in report("tf210np2").findings}
    _, log = run(seen.folder, BARE, "import tensorflow")
    assert "_ARRAY_API not found" in log


@pytest.mark.native
@pytest.mark.parametrize("name", ["tf221", "tf2161", "tftorch", "tfnocuda"])
def test_the_real_tensorflow_opens_and_misses_exactly_what_is_told(fake_driver: FakeDriver, name: str) -> None:
    environ = fake_driver.environ()
    seen = see(name, environ)
    out, log = run(seen.folder, environ, LIST)
    good, bad = opened(log)
    assert bad == seen.names(loads=False), log[-3000:]
    assert good == seen.names(loads=True)
    assert out.strip() == ("0" if bad else "1")


@pytest.mark.native
def test_library_path_cures_tensorflow_2_21(fake_driver: FakeDriver) -> None:
    site = see("tf221").site
    environ = fake_driver.environ()
    environ["LD_LIBRARY_PATH"] += f":{site}/nvidia/cusolver/lib"
    seen = see("tf221", environ)
    assert seen.names(loads=False) == set()
    out, log = run(seen.folder, environ, LIST)
    assert out.strip() == "1", log[-3000:]
    # Neither NCCL nor CUPTI nor TensorRT was needed for that.
    loader = [line for line in log.splitlines() if "dso_loader" in line]
    assert not any(f"lib{name}" in line for name in ("nccl", "cupti", "nvinfer") for line in loader)


@pytest.mark.native
def test_tensorflow_2_21_registers_no_gpu_without_nvml(fake_driver: FakeDriver, tmp_path: Path) -> None:
    # What compat.libraries.NVML_NEEDED_SINCE says.
    site = see("tf221").site
    (tmp_path / "libcuda.so.1").symlink_to(f"{fake_driver.folder}/libcuda.so.1")
    environ = {**fake_driver.environ(), "LD_LIBRARY_PATH": f"{tmp_path}:{site}/nvidia/cusolver/lib"}
    out, log = run(environment("tf221"), environ, LIST)
    assert "Could not load dynamic library 'libnvidia-ml.so.1'" in log
    assert out.strip() == "0"


@pytest.mark.native
def test_the_loader_s_own_log_names_the_folders_in_the_order_that_is_told(fake_driver: FakeDriver) -> None:
    environ = {**fake_driver.environ(), "LD_DEBUG": "libs"}
    seen = see("tf221", fake_driver.environ())
    _, log = run(seen.folder, environ, LIST)
    for one in seen.wanted:
        if isinstance(one.path, str) and one.needed_for_gpu:
            lines = [line for line in log.splitlines() if f"/{one.soname}" in line and "trying file=" in line]
            tried = [line.split("trying file=")[1].strip() for line in lines]
            assert tried, one.soname
            assert Path(tried[-1]).resolve() == Path(one.path).resolve()


def test_looking_at_a_real_environment_costs_little() -> None:
    import time

    folder = environment("tf221")
    costs = []
    for _ in range(5):
        host = LocalHost(environ=BARE)
        begin = time.process_time()
        examined = python.probe(host, str(folder))
        libraries.probe(host, examined, toolkits.probe(host))
        costs.append(time.process_time() - begin)
    assert not isinstance(examined, Gap)
    # 10 ms where this was written; the room is for slower machines. The budget for all three is 25 ms.
    assert min(costs) < 0.05, costs
