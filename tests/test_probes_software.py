"""Probes of Python, TensorFlow, toolkits and libraries, on machines described here by hand and on this one."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Union

import pytest

from gpucheck.compat.libraries import CHECKED, LIBRARIES, checked_by, library_of, soname
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries, Wanted
from gpucheck.facts.python import Python
from gpucheck.facts.versions import CudaVersion, CudnnVersion, PackageVersion
from gpucheck.host import Host
from gpucheck.host.local import LocalHost
from gpucheck.host.recorded import RecordedHost
from gpucheck.host.recording import RecordingHost
from gpucheck.probes import libraries, python, toolkits
from gpucheck.probes.distributions import normal_name, split_folder
from gpucheck.probes.environments import read_config
from gpucheck.probes.tensorflow import decode_number, read_build_info

SITE = "/env/lib/python3.11/site-packages"
PROGRAM: dict[str, Any] = {"elf": {"machine": "x86_64"}, "size": 1000, "mode": "0755"}
VENV: dict[str, Any] = {
    "/env/pyvenv.cfg": {"text": "home = /usr/bin\nimplementation = CPython\nuv = 0.9.1\nversion_info = 3.11.7\n"},
    "/env/bin/python3": {"link": "/usr/bin/python3.11"},
    "/usr/bin/python3.11": PROGRAM,
    "/usr/bin/python3": {"link": "python3.11"},
    SITE: {"kind": "dir"},
}
BUILD = """import collections
build_info = collections.OrderedDict([('cuda_compute_capabilities', ['sm_60', 'compute_90']),
  ('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True), ('is_rocm_build', False)])
"""
RUNPATH = ":".join(f"$ORIGIN/../nvidia/{name}/lib" for name in ("cuda_runtime", "cublas", "cudnn", "cufft", "cusparse"))
OWN = "$ORIGIN/../../{}/lib"


def host(paths: dict[str, Any], env: Union[dict[str, str], None] = None, **facts: Any) -> RecordedHost:
    machine = {"schema": "gpucheck.machine/1", "complete": True, "env": env or {}, "paths": paths, **facts}
    return RecordedHost(machine)


def examine(paths: dict[str, Any], given: Union[str, None] = "/env", **facts: Any) -> Python:
    found = python.probe(host(paths, **facts), given)
    assert isinstance(found, Python), found
    return found


def installed(*names: str, marks: tuple[str, ...] = ("RECORD", "INSTALLER"), site: str = SITE) -> dict[str, Any]:
    return {f"{site}/{name}.dist-info/{mark}": {"text": ""} for name in names for mark in marks}


def tensorflow(runpath: str = RUNPATH, build: str = BUILD) -> dict[str, Any]:
    return {
        **VENV,
        **installed("tensorflow-2.21.0"),
        f"{SITE}/tensorflow/__init__.py": {"text": ""},
        f"{SITE}/tensorflow/python/platform/build_info.py": {"text": build},
        f"{SITE}/tensorflow/libtensorflow_framework.so.2": {
            "elf": {"soname": "libtensorflow_framework.so.2", "runpath": runpath},
            "size": 1000,
        },
    }


def released(version: str, build: str) -> dict[str, Any]:
    """TensorFlow of another version."""
    files = tensorflow(build=build)
    return {path.replace("tensorflow-2.21.0", f"tensorflow-{version}"): node for path, node in files.items()}


def wheels(*folders: str) -> dict[str, Any]:
    """NVIDIA's wheels of CUDA 12 with the needs that the real ones have."""
    files: dict[str, tuple[str, str, dict[str, Any]]] = {
        "cuda_runtime": ("libcudart.so.12", "nvidia_cuda_runtime_cu12-12.5.82", {}),
        "cublas": (
            "libcublas.so.12",
            "nvidia_cublas_cu12-12.5.3.2",
            {"needed": ["libcublasLt.so.12"], "rpath": "$ORIGIN"},
        ),
        "cufft": ("libcufft.so.11", "nvidia_cufft_cu12-11.2.3.61", {}),
        "cusolver": (
            "libcusolver.so.11",
            "nvidia_cusolver_cu12-11.6.3.83",
            {"needed": ["libnvJitLink.so.12"], "runpath": OWN.format("nvjitlink")},
        ),
        "cusparse": (
            "libcusparse.so.12",
            "nvidia_cusparse_cu12-12.5.1.3",
            {"needed": ["libnvJitLink.so.12"], "runpath": OWN.format("nvjitlink")},
        ),
        "nvjitlink": ("libnvJitLink.so.12", "nvidia_nvjitlink_cu12-12.5.82", {}),
        "cudnn": ("libcudnn.so.9", "nvidia_cudnn_cu12-9.3.0.75", {"rpath": "$ORIGIN"}),
    }
    paths: dict[str, Any] = {}
    for folder in folders or tuple(files):
        name, distribution, facts = files[folder]
        paths[f"{SITE}/nvidia/{folder}/lib/{name}"] = {"elf": {"soname": name, **facts}, "size": 1000}
        paths.update(installed(distribution))
    if f"{SITE}/nvidia/cublas/lib/libcublas.so.12" in paths:
        paths[f"{SITE}/nvidia/cublas/lib/libcublasLt.so.12"] = {"elf": {"soname": "libcublasLt.so.12"}, "size": 1000}
    return paths


def look(paths: dict[str, Any], **facts: Any) -> Libraries:
    machine = host(paths, **facts)
    return libraries.probe(machine, python.probe(machine, "/env"), toolkits.probe(machine))


def want(found: Libraries, name: str) -> Wanted:
    assert isinstance(found.wanted, tuple), found.wanted
    return next(one for one in found.wanted if one.soname == name)


# Which interpreter


def test_the_given_environment_the_active_one_and_path_are_taken_in_that_order() -> None:
    conda = {"/conda/bin/python3": PROGRAM, "/conda/conda-meta/python-3.12.4-h1_0_cpython.json": {"text": "{}"}}
    env = {"VIRTUAL_ENV": "/env", "CONDA_PREFIX": "/conda", "PATH": "/usr/bin"}
    paths = {**VENV, **conda}
    assert examine(paths, "/conda", env=env).chosen_by == "--python"
    assert examine(paths, None, env=env).executable == "/env/bin/python3"
    assert examine(paths, None, env={**env, "VIRTUAL_ENV": "/gone"}).chosen_by == "CONDA_PREFIX"
    assert examine(paths, None, env={"PATH": "/nowhere:/usr/bin"}).executable == "/usr/bin/python3"
    assert isinstance(python.probe(host({}), None), Gap)


def test_the_environment_of_gpucheck_as_a_tool_is_never_examined_by_default() -> None:
    tool = {"/tool/bin/python": {"link": "/usr/bin/python3.11"}, "/tool/uv-receipt.toml": {"text": ""}}
    about = {"own_python": "/tool/bin/python"}
    env = {"PATH": "/tool/bin:/usr/bin", "VIRTUAL_ENV": "/tool"}
    found = examine({**VENV, **tool, "/tool/bin/python3": {"link": "python"}}, None, env=env, about=about)
    assert (found.executable, found.chosen_by) == ("/usr/bin/python3", "PATH")


@pytest.mark.parametrize(
    "config",
    [
        "home = /usr/bin\nversion = 3.11.7\nexecutable = /usr/bin/python3.11\n",
        "home = /usr/bin\nimplementation = CPython\nversion_info = 3.11.7.final.0\nvirtualenv = 20.26.0\n",
        "home = /usr/bin\nuv = 0.9.1\nversion_info = 3.11.7\n",
    ],
)
def test_the_environments_of_venv_virtualenv_and_uv_are_read_without_starting_python(config: str) -> None:
    found = examine({**VENV, "/env/pyvenv.cfg": {"text": config}})
    assert str(found.version) == "3.11.7"
    assert found.read_from == "/env/pyvenv.cfg"
    assert (found.environment, found.prefix, found.site_dirs) == ("venv", "/env", (SITE,))
    assert (found.bits, found.machine, found.externally_managed) == (64, "x86_64", None)


@pytest.mark.parametrize(("mark", "kind"), [("pipx_metadata.json", "pipx"), ("uv-receipt.toml", "uv-tool")])
def test_pipx_and_uv_tool_environments_are_told_apart(mark: str, kind: str) -> None:
    assert examine({**VENV, f"/env/{mark}": {"text": ""}}).environment == kind


@pytest.mark.parametrize(
    ("program", "answer"),
    [("python3.13", {"version": "3.13.2"}), ("python3.11t", {"implementation": "free-threaded cpython"})],
)
def test_a_pyvenv_cfg_that_its_program_contradicts_is_not_believed(program: str, answer: dict[str, str]) -> None:
    """The system's Python was upgraded below the environment: a program of another version than the file tells."""
    paths = {**VENV, "/env/bin/python3": {"link": f"/usr/bin/{program}"}, f"/usr/bin/{program}": PROGRAM}
    told = {**ANSWER, **answer, "prefix": "/env"}
    children = {"interpreter": {"ended": "exit", "code": 0, "lines": [told], "errors": ""}}
    found = examine(paths, children=children)
    assert (str(found.version), found.implementation) == (told["version"], told["implementation"])
    assert found.read_from == "the interpreter itself"


def test_an_environment_whose_base_is_gone_has_no_real_executable() -> None:
    found = examine({**VENV, "/env/bin/python3": {"link": "/usr/bin/python3.9"}})
    assert found.real_executable is None
    assert str(found.version) == "3.11.7"


def test_a_path_that_does_not_exist_gives_gaps_that_say_so() -> None:
    found = examine({}, "/no/python")
    assert isinstance(found.version, Gap)
    assert "no such file" in found.version.reason


def test_system_packages_and_the_user_s_come_after_the_environment_s_own() -> None:
    user = "/home/user/.local/lib/python3.11/site-packages"
    config = VENV["/env/pyvenv.cfg"]["text"] + "include-system-site-packages = true\n"
    paths = {
        **VENV,
        "/env/pyvenv.cfg": {"text": config},
        **installed("numpy-2.0.0", site=user),
        **installed("numpy-1.24.2", marks=("METADATA",), site="/usr/lib/python3/dist-packages"),
    }
    found = examine(paths)
    assert isinstance(found.distributions, tuple)
    assert [(one.version.text, one.complete) for one in found.distributions] == [("2.0.0", True), ("1.24.2", None)]
    assert found.user_site == user
    assert examine(paths, env={"PYTHONNOUSERSITE": "1"}).user_site is None


def test_pythonpath_and_the_folders_of_pth_files_are_searched() -> None:
    paths = {
        **VENV,
        f"{SITE}/more.pth": {"text": "# no\nimport os\n/extra\n/gone\n"},
        **installed("numpy-1.0", site="/extra"),
    }
    found = examine(paths, env={"PYTHONPATH": "/first:"})
    assert found.site_dirs == ("/first", SITE, "/extra")


def test_a_conda_environment_gives_its_version_and_build_strings() -> None:
    site = "/conda/lib/python3.12/site-packages"
    paths = {
        "/conda/bin/python3": PROGRAM,
        "/conda/conda-meta/python-3.12.4-h194c7f8_0_cpython.json": {"text": "{}"},
        "/conda/conda-meta/tensorflow-2.16.1-cpu_py312h1_0.json": {"text": "{}"},
        "/conda/conda-meta/libcublas-12.4.5.8-he02047a_2.json": {"text": "{}"},
        **installed("tensorflow-2.16.1", marks=("METADATA",), site=site),
    }
    found = examine(paths, "/conda")
    assert (str(found.version), found.environment) == ("3.12.4", "conda")
    assert isinstance(found.distributions, tuple)
    first, second = found.distributions
    assert (first.name, first.build, first.complete) == ("tensorflow", "cpu_py312h1_0", None)
    assert (second.name, second.version.text) == ("libcublas", "12.4.5.8")


ANSWER = {
    "executable": "/usr/bin/python3.11",
    "version": "3.11.2",
    "implementation": "cpython",
    "bits": 64,
    "machine": "x86_64",
    "prefix": "/usr",
    "base_prefix": "/usr",
    "site_dirs": ["/usr/lib/python3/dist-packages"],
    "user_site": None,
}


def test_any_other_interpreter_is_asked() -> None:
    paths = {
        **VENV,
        "/usr/lib/python3.11/EXTERNALLY-MANAGED": {"text": ""},
        "/usr/bin/shim": {"text": "#!/bin/sh\n", "mode": 493},
    }
    found = examine(paths, "/usr/bin/shim", children={"interpreter": {"lines": [ANSWER]}})
    assert (str(found.version), found.environment, found.read_from) == ("3.11.2", "system", "the interpreter itself")
    assert found.real_executable == "/usr/bin/python3.11"
    assert found.externally_managed == "/usr/lib/python3.11/EXTERNALLY-MANAGED"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"ended": "deadline"}, "deadline", "no answer in time"),
        ({"ended": "signal", "code": 11}, "crashed", "signal 11"),
        (
            {"ended": "exit", "code": 1, "errors": "ModuleNotFoundError: No module named 'encodings'"},
            "crashed",
            "encodings",
        ),
        ({"ended": "exit", "code": 0, "lines": ["[]", "{", '{"version": 3}']}, "crashed", "nothing usable"),
        (None, "not-collected", "not started"),
    ],
)
def test_an_interpreter_that_gives_no_answer_gives_gaps_with_the_reason(answer: Any, kind: str, words: str) -> None:
    found = examine(VENV, "/usr/bin/python3", children={"interpreter": answer} if answer else {})
    assert isinstance(found.version, Gap)
    assert found.version.kind == kind
    assert words in found.version.reason
    assert isinstance(found.tensorflow, Gap)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="paths of Linux")
def test_the_interpreter_that_runs_this_is_told_as_it_tells_itself() -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    found = python.probe(LocalHost(), base)
    assert isinstance(found, Python)
    assert str(found.version) == ".".join(str(number) for number in sys.version_info[:3])
    assert found.bits == 64
    assert isinstance(found.site_dirs, tuple)


def test_other_pythons_on_path_are_told_with_their_tensorflow() -> None:
    paths = {
        **VENV,
        "/other/pyvenv.cfg": {"text": "version = 3.11.7\n"},
        "/other/bin/python3": {"link": "/usr/bin/python3.11"},
        **installed("tensorflow-2.20.0", site="/other/lib/python3.11/site-packages"),
    }
    found = examine(paths, env={"PATH": "/env/bin:/other/bin:/usr/bin"})
    assert isinstance(found.others, tuple)
    assert [(one.path, one.tensorflow) for one in found.others] == [
        ("/other/bin/python3", "2.20.0"),
        ("/usr/bin/python3", None),
    ]


# What is installed


def test_names_are_normalised_and_versions_split_off() -> None:
    assert normal_name("Nvidia_CUDNN.cu12") == "nvidia-cudnn-cu12"
    assert split_folder("tf_nightly-2.23.0.dev20261026.dist-info") == ("tf-nightly", "2.23.0.dev20261026")
    assert split_folder("six-1.16.0-py3.10.egg-info") == ("six", "1.16.0")
    assert split_folder("torch-2.6.0+cu124.dist-info") == ("torch", "2.6.0+cu124")
    assert split_folder("egg.egg-info") is None


def test_an_installation_that_was_killed_has_record_but_no_installer() -> None:
    found = examine({**VENV, **installed("tensorflow-2.21.0", marks=("METADATA", "RECORD", "WHEEL"))})
    assert isinstance(found.distributions, tuple)
    assert found.distributions[0].complete is False


def test_tensorflow_s_build_is_read_from_its_files() -> None:
    build = examine(tensorflow()).tensorflow
    assert build is not None
    assert not isinstance(build, Gap)
    assert (str(build.version), build.distribution, build.cuda_build) == ("2.21.0", "tensorflow", True)
    assert (str(build.cuda_version), str(build.cudnn_version)) == ("12.5.1", "9")
    assert build.compute_capabilities == ("sm_60", "compute_90")
    assert isinstance(build.objects, tuple)
    assert build.objects[0].runpath[0] == f"{SITE}/nvidia/cuda_runtime/lib"


def test_a_cpu_build_has_no_cuda_version_and_a_silent_one_is_unknown() -> None:
    cpu = examine(tensorflow(build="build_info = {'is_cuda_build': False}")).tensorflow
    assert cpu is not None
    assert not isinstance(cpu, Gap)
    assert (cpu.cuda_build, cpu.cuda_version) == (False, None)
    silent = examine(tensorflow(build="nothing = 1")).tensorflow
    assert silent is not None
    assert not isinstance(silent, Gap)
    assert isinstance(silent.cuda_build, Gap)


def test_newer_builds_tell_cuda_in_cuda_config_only() -> None:
    header = f"{SITE}/tensorflow/include/third_party/gpus/cuda/cuda_config.h"
    text = '#define TF_CUDA_VERSION "12.5.1"\n#define TF_CUDNN_VERSION "9"\n'
    build = examine({**tensorflow(build="build_info = {'is_cuda_build': True}"), header: {"text": text}}).tensorflow
    assert build is not None
    assert not isinstance(build, Gap)
    assert (str(build.cuda_version), str(build.cudnn_version)) == ("12.5.1", "9")
    assert isinstance(build.compute_capabilities, Gap)


def test_build_info_of_tensorflow_1_has_one_assignment_per_name() -> None:
    info = read_build_info(b"is_cuda_build = True\ncuda_version_number = '10.0'\ncudnn_version_number = '7'\n")
    assert info == {"is_cuda_build": True, "cuda_version_number": "10.0", "cudnn_version_number": "7"}
    assert read_build_info(b"def broken(:") is None
    assert read_build_info(b"build_info = __import__('os').system('false')") == {}


@pytest.mark.parametrize(
    ("version", "cuda", "name"), [("2.2.3", "10.1", "libcublas.so.10"), ("2.1.0", "10.1", "libcufft.so.10")]
)
def test_cuda_10_of_old_wheels_is_told_by_the_release(version: str, cuda: str, name: str) -> None:
    build = "is_rocm_build = False\nis_cuda_build = True\n\ncuda_version_number = '10'\ncudnn_version_number = '7'\n"
    paths = released(version, build)
    found = look(paths)
    assert want(found, name).path is None
    read = examine(paths).tensorflow
    assert read is not None
    assert not isinstance(read, Gap)
    assert str(read.cuda_version) == cuda


def test_cuda_10_of_an_unknown_release_is_unknown() -> None:
    build = "is_cuda_build = True\ncuda_version_number = '10'\ncudnn_version_number = '7'\n"
    assert isinstance(look(released("2.2.99", build)).wanted, Gap)


def test_windows_numbers_are_decoded() -> None:
    assert [decode_number(text) for text in ("64_112", "64_8", "12.5.1", "", 3)] == ["11.2", "8", "12.5.1", None, None]


def test_a_folder_that_an_uninstallation_left_is_no_tensorflow() -> None:
    assert examine({**VENV, f"{SITE}/tensorflow/__pycache__/x.pyc": {"text": "x"}}).tensorflow is None


def test_torch_and_jax_tell_their_cuda() -> None:
    paths = {
        **VENV,
        f"{SITE}/torch/version.py": {"text": "__version__ = '2.6.0+cu124'\ncuda: Optional[str] = '12.4'\nhip = None\n"},
        **installed("jaxlib-0.5.0", "jax_cuda12_plugin-0.5.0"),
    }
    found = examine(paths)
    assert found.torch is not None
    assert not isinstance(found.torch, Gap)
    assert str(found.torch.cuda_version) == "12.4"
    assert found.jax is not None
    assert not isinstance(found.jax, Gap)
    assert str(found.jax.cuda_version) == "12"


def test_kernels_and_the_keras_backend_are_read() -> None:
    folder = "/home/user/.local/share/jupyter/kernels"
    paths = {
        **VENV,
        f"{folder}/old/kernel.json": {"text": '{"argv": ["/gone/bin/python", "-m"]}'},
        f"{folder}/own/kernel.json": {"text": '{"argv": ["python"]}'},
        f"{folder}/bad/kernel.json": {"text": "["},
        "/home/user/.keras/keras.json": {"text": '{"backend": "jax"}'},
    }
    found = examine(paths)
    assert isinstance(found.kernels, tuple)
    assert [(one.name, one.interpreter, one.real_interpreter) for one in found.kernels] == [
        ("bad", None, None),
        ("old", "/gone/bin/python", None),
        ("own", "python", "python"),
    ]
    assert (found.keras_backend, found.keras_config) == ("jax", "/home/user/.keras/keras.json")


def test_the_keys_of_pyvenv_cfg_are_lower_case_and_lines_without_a_key_are_passed_over() -> None:
    assert read_config(b"Home = /a = b\n\n# x\nversion=3.1\xff") == {"home": "/a = b", "version": "3.1\udcff"}


# Toolkits

KIT = {"/usr/local/cuda-12.4/bin/nvcc": PROGRAM, "/usr/local/cuda-12.4/bin/ptxas": PROGRAM}


@pytest.mark.parametrize(
    ("name", "text", "version"),
    [
        ("version.json", '{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}', "12.4.1"),
        ("version.txt", "CUDA Version 10.1.243\n", "10.1.243"),
        ("include/cuda.h", "#define CUDA_VERSION 12040\n", "12.4"),
        ("targets/x86_64-linux/include/cuda_runtime_api.h", "#define CUDART_VERSION  12040\n", "12.4"),
        ("lib64/libcudart.so.12.4.127", "x", "12.4"),
    ],
)
def test_a_toolkit_s_version_is_read_from_what_it_has(name: str, text: str, version: str) -> None:
    found = toolkits.probe(host({**KIT, f"/usr/local/cuda-12.4/{name}": {"text": text}}))
    assert not isinstance(found, Gap)
    assert (str(found.found[0].version), found.found[0].version_source) == (version, f"/usr/local/cuda-12.4/{name}")


def test_a_folder_name_is_no_source_of_a_version() -> None:
    found = toolkits.probe(host(KIT))
    assert not isinstance(found, Gap)
    assert (found.found[0].root, found.found[0].version) == ("/usr/local/cuda-12.4", None)


def test_all_names_that_lead_to_a_toolkit_are_told_and_dangling_ones_lead_nowhere() -> None:
    paths = {
        **KIT,
        "/usr/local/cuda": {"link": "/etc/alternatives/cuda"},
        "/etc/alternatives/cuda": {"link": "/usr/local/cuda-12.4"},
        "/wrap/nvcc": {"text": '#!/bin/sh\nexec /usr/local/cuda-12.4/bin/nvcc "$@"\n', "mode": 493},
    }
    env = {"CUDA_HOME": "/usr/local/cuda/", "CUDA_PATH": "/gone", "PATH": "/wrap", "LOADEDMODULES": "gcc/12:cuda/12.4"}
    found = toolkits.probe(host(paths, env))
    assert not isinstance(found, Gap)
    assert {one.name: one.target for one in found.pointers} == {
        "CUDA_PATH": None,
        "CUDA_HOME": "/usr/local/cuda-12.4",
        "nvcc on PATH": "/usr/local/cuda-12.4",
        "/usr/local/cuda": "/usr/local/cuda-12.4",
    }
    assert next(one.value for one in found.pointers if one.name == "/usr/local/cuda") == (
        "/usr/local/cuda -> /etc/alternatives/cuda -> /usr/local/cuda-12.4"
    )
    assert found.found[0].found_via == (
        "CUDA_HOME",
        "nvcc on PATH",
        "/usr/local/cuda",
        "/usr/local/cuda-12.4",
        "module cuda/12.4",
    )


def test_debian_s_toolkit_has_its_headers_in_usr_include() -> None:
    paths = {
        "/usr/lib/nvidia-cuda-toolkit/bin/nvcc": PROGRAM,
        "/usr/bin/nvcc": {"text": "#!/bin/sh\nexec /usr/lib/nvidia-cuda-toolkit/bin/nvcc\n", "mode": 493},
        "/usr/include/cuda.h": {"text": "#define CUDA_VERSION 11080\n"},
        "/var/lib/dpkg/info/nvidia-cuda-toolkit.list": {"text": ""},
    }
    found = toolkits.probe(host(paths, {"PATH": "/usr/bin"}))
    assert not isinstance(found, Gap)
    assert (str(found.found[0].version), found.found[0].version_source) == ("11.8", "/usr/include/cuda.h")
    assert "dpkg nvidia-cuda-toolkit" in found.found[0].found_via


def test_the_partial_toolkit_of_this_machine_is_understood() -> None:
    found = toolkits.probe(LocalHost())
    assert not isinstance(found, Gap)
    for kit in found.found:
        assert isinstance(kit.version, CudaVersion) or kit.version_source is None


# Libraries


def test_the_table_of_sonames_is_sound() -> None:
    assert len({row.name for row in LIBRARIES}) == len(LIBRARIES)
    assert all(row.stem.startswith("lib") and row.source for row in LIBRARIES)
    assert all(library_of(f"{row.stem}.so.1") == row.name for row in LIBRARIES)
    for release in ("8.0", "9.0", "10.0", "10.1", "11.0", "11.2", "11.8", "12.3", "12.5.1", "13.0"):
        names = [soname(name, CudaVersion(release), CudnnVersion("9")) for name in CHECKED if name != "cublasLt"]
        assert all(names), release
    assert soname("cusolver", CudaVersion("11.0")) == "libcusolver.so.10"
    assert soname("cusolver", CudaVersion("11.2")) == "libcusolver.so.11"
    assert soname("cudart", CudaVersion("11.8")) == "libcudart.so.11.0"
    assert soname("cublas", CudaVersion("14.0")) is None
    assert "curand" in checked_by(PackageVersion("2.13.1"))
    assert "curand" not in checked_by(PackageVersion("2.14.1"))


def test_tensorflow_2_21_does_not_reach_libcusolver_of_its_wheel() -> None:
    found = look({**tensorflow(), **wheels()})
    one = want(found, "libcusolver.so.11")
    assert (one.path, one.needed_for_gpu, one.wanted_by) == (None, True, "libtensorflow_framework.so.2")
    assert one.elsewhere == (f"{SITE}/nvidia/cusolver/lib/libcusolver.so.11",)
    other = want(found, "libcublas.so.12")
    assert (other.path, other.via) == (
        f"{SITE}/nvidia/cublas/lib/libcublas.so.12",
        "RUNPATH of libtensorflow_framework.so.2",
    )
    assert (str(other.version), other.defect) == ("12.5.3.2", None)


@pytest.mark.parametrize(
    "cure",
    [
        {"env": {"LD_LIBRARY_PATH": f"{SITE}/nvidia/cusolver/lib"}},
        {"link": {f"{SITE}/nvidia/cusparse/lib/libcusolver.so.11": {"link": "../../cusolver/lib/libcusolver.so.11"}}},
    ],
)
def test_a_link_beside_libcusparse_and_library_path_cure_2_21(cure: dict[str, Any]) -> None:
    found = look({**tensorflow(), **wheels(), **cure.get("link", {})}, env=cure.get("env", {}))
    one = want(found, "libcusolver.so.11")
    assert isinstance(one.path, str)
    assert one.defect is None


def test_a_link_in_tensorflow_s_own_folder_cures_nothing() -> None:
    # The guide's "ln -svf ../nvidia/*/lib/*.so* ." : the RUNPATH of 2.21.0's framework library has no $ORIGIN itself.
    link = {f"{SITE}/tensorflow/libcusolver.so.11": {"link": "../nvidia/cusolver/lib/libcusolver.so.11"}}
    assert want(look({**tensorflow(), **wheels(), **link}), "libcusolver.so.11").path is None


def test_library_path_hides_the_wheel_s_copy() -> None:
    old = {
        "/old/libcudnn.so.9": {"link": "libcudnn.so.9.1.0"},
        "/old/libcudnn.so.9.1.0": {"elf": {"soname": "libcudnn.so.9"}},
    }
    one = want(look({**tensorflow(), **wheels(), **old}, env={"LD_LIBRARY_PATH": "/old"}), "libcudnn.so.9")
    assert (one.path, one.via, str(one.version)) == ("/old/libcudnn.so.9", "LD_LIBRARY_PATH", "9.1.0")
    assert one.hides == (f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9",)


def test_a_missing_dependency_of_a_library_that_is_there_is_named() -> None:
    found = look({**tensorflow(), **wheels("cuda_runtime", "cublas", "cufft", "cusparse", "cudnn")})
    assert want(found, "libcusparse.so.12").defect == "needs libnvJitLink.so.12, which is not found"


def test_missing_parts_of_cudnn_are_told_and_do_not_keep_tensorflow_from_registering_a_gpu() -> None:
    ops = {f"{SITE}/nvidia/cudnn/lib/libcudnn_ops.so.9": {"elf": {"soname": "libcudnn_ops.so.9"}}}
    found = look({**tensorflow(), **wheels(), **ops})
    assert want(found, "libcudnn_ops.so.9").path == f"{SITE}/nvidia/cudnn/lib/libcudnn_ops.so.9"
    missing = want(found, "libcudnn_graph.so.9")
    assert (missing.path, missing.needed_for_gpu, missing.wanted_by) == (None, False, "libcudnn.so.9")


def test_two_wheels_that_write_one_folder_are_told_apart_by_size() -> None:
    folder = f"{SITE}/nvidia/cudnn/lib"
    extra = {
        f"{folder}/libcudnn.so.9": {"elf": {"soname": "libcudnn.so.9"}, "size": 222},
        **installed("nvidia_cudnn_cu13-9.26.0.51"),
        f"{SITE}/nvidia_cudnn_cu12-9.3.0.75.dist-info/RECORD": {
            "text": "nvidia/cudnn/lib/libcudnn.so.9,sha256=a,111\n"
        },
        f"{SITE}/nvidia_cudnn_cu13-9.26.0.51.dist-info/RECORD": {
            "text": "nvidia/cudnn/lib/libcudnn.so.9,sha256=b,222\n"
        },
    }
    one = want(look({**tensorflow(), **wheels(), **extra}), "libcudnn.so.9")
    assert str(one.version) == "9.26.0.51"


@pytest.mark.parametrize(
    ("node", "defect"),
    [
        ({"text": ""}, "empty"),
        ({"elf": {"defect": "truncated"}}, "truncated"),
        ({"text": "not a library"}, "not-elf"),
    ],
)
def test_a_broken_library_is_found_and_told_broken(node: dict[str, Any], defect: str) -> None:
    path = f"{SITE}/nvidia/cublas/lib/libcublas.so.12"
    found = look({**tensorflow(), **wheels(), path: node})
    one = want(found, "libcublas.so.12")
    assert (one.path, one.defect) == (path, defect)
    assert isinstance(found.copies, tuple)
    assert next(copy.defect for copy in found.copies if copy.path == path) == defect


def test_a_library_for_another_machine_is_a_copy_that_does_not_load() -> None:
    path = f"{SITE}/nvidia/cublas/lib/libcublas.so.12"
    found = look({**tensorflow(), **wheels(), path: {"elf": {"machine": "aarch64", "soname": "libcublas.so.12"}}})
    assert want(found, "libcublas.so.12").path is None
    assert isinstance(found.copies, tuple)
    assert next(copy.defect for copy in found.copies if copy.path == path) == "wrong-architecture"


def test_stubs_are_marked_and_real_names_give_versions() -> None:
    kit = "/usr/local/cuda-12.4"
    paths = {
        **VENV,
        **KIT,
        f"{kit}/lib64/libcublas.so": {"link": "libcublas.so.12"},
        f"{kit}/lib64/libcublas.so.12": {"link": "libcublas.so.12.4.5.8"},
        f"{kit}/lib64/libcublas.so.12.4.5.8": {"elf": {"soname": "libcublas.so.12"}},
        f"{kit}/lib64/stubs/libcublas.so": {"elf": {"soname": "libcublas.so.12"}},
    }
    found = look(paths)
    assert isinstance(found.copies, tuple)
    assert [(one.path, str(one.version), one.stub) for one in found.copies if one.library == "cublas"] == [
        (f"{kit}/lib64/libcublas.so.12", "12.4.5.8", False),
        (f"{kit}/lib64/stubs/libcublas.so", str(found.copies[1].version), True),
    ]


def test_cudnn_of_the_system_has_its_version_in_a_header() -> None:
    header = "#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 3\n#define CUDNN_PATCHLEVEL 0\n"
    paths = {
        **VENV,
        "/usr/lib/x86_64-linux-gnu/libcudnn.so.9": {"elf": {"soname": "libcudnn.so.9"}},
        "/usr/include/cudnn_version.h": {"text": header},
    }
    found = look(paths)
    assert isinstance(found.copies, tuple)
    assert (str(found.copies[0].version), found.copies[0].version_source) == ("9.3.0", "/usr/include/cudnn_version.h")


def test_conda_s_python_leads_objects_without_a_runpath_by_its_own_rpath() -> None:
    site = "/conda/lib/python3.11/site-packages"
    paths = {
        "/conda/bin/python3": {"link": "python3.11"},
        "/conda/bin/python3.11": {"elf": {"rpath": "$ORIGIN/../lib"}, "mode": "0755"},
        "/conda/conda-meta/python-3.11.7-h1_0_cpython.json": {"text": "{}"},
        f"{site}/tensorflow/__init__.py": {"text": ""},
        f"{site}/tensorflow/python/platform/build_info.py": {"text": BUILD},
        f"{site}/tensorflow/libtensorflow_framework.so.2": {"elf": {}},
        "/conda/lib/libcudart.so.12": {"elf": {"soname": "libcudart.so.12"}},
    }
    machine = host(paths)
    found = libraries.probe(machine, python.probe(machine, "/conda"), Gap("hung", "deadline"))
    one = want(found, "libcudart.so.12")
    assert (one.path, one.via) == ("/conda/lib/libcudart.so.12", "RPATH of libtensorflow_framework.so.2")


def test_without_tensorflow_or_with_a_cpu_build_nothing_is_wanted() -> None:
    assert look(VENV).wanted is None
    assert look(tensorflow(build="build_info = {'is_cuda_build': False}")).wanted is None
    assert isinstance(look(tensorflow(build="")).wanted, Gap)
    machine = host({})
    assert isinstance(libraries.probe(machine, Gap("hung", "deadline"), Gap("hung", "deadline")).wanted, Gap)


def test_a_cuda_that_the_table_does_not_know_is_unknown() -> None:
    assert isinstance(look(tensorflow(build=BUILD.replace("12.5.1", "14.2"))).wanted, Gap)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="paths of Linux")
def test_a_recording_of_this_machine_gives_the_same_facts() -> None:
    def all_of(machine: Host) -> tuple[Any, ...]:
        examined, kits = python.probe(machine, sys.executable), toolkits.probe(machine)
        return examined, kits, libraries.probe(machine, examined, kits)

    environ = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LD_LIBRARY_PATH": "/usr/local/cuda/lib64:/nowhere"}
    recording = RecordingHost(LocalHost(environ=environ))
    seen = all_of(recording)
    assert all_of(RecordedHost(json.loads(json.dumps(recording.machine())))) == seen


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a shell script is no program there")
@pytest.mark.parametrize(
    ("script", "kind"), [("sleep 60", "deadline"), ("kill -SEGV $$", "crashed"), ("echo Python 3.11", "crashed")]
)
def test_a_real_interpreter_that_hangs_or_dies_is_told_in_time(tmp_path: Path, script: str, kind: str) -> None:
    path = tmp_path / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    begin = time.monotonic()
    found = python.probe(LocalHost(timeout=2.0, environ={"PATH": "/usr/bin:/bin"}), str(path))
    assert time.monotonic() - begin < 2.0
    assert isinstance(found, Python)
    assert isinstance(found.version, Gap)
    assert found.version.kind == kind
