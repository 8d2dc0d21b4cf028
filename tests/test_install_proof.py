"""The proof against an interpreter that says and does what a broken environment's does; the cures on small trees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Union

import psutil
import pytest
from fake_driver import FakeDriver
from proof_material import CPU, CPU_BUILD, OK, PYTHON, Environment, any_target, choice, distribution, elf

from gpucheck.compat.dlls import dll
from gpucheck.compat.libraries import CHECKED
from gpucheck.facts.plan import Check, Choice, Package, Target
from gpucheck.facts.versions import CudaVersion, CudnnVersion, PackageVersion
from gpucheck.install import cures
from gpucheck.install.errors import Failed
from gpucheck.install.proof.asking import PROVER, Child, Prover, Said
from gpucheck.install.proof.files import conflicts, consistency
from gpucheck.install.proof.gpus import on_the_gpus
from gpucheck.install.proof.prove import NAMES, look_before, prove
from gpucheck.install.proof.reading import Distribution, Reading
from gpucheck.install.proof.running import gather
from gpucheck.install.proof.surroundings import clean

pytestmark = pytest.mark.slow  # processes and servers: each test little, all of them seconds

NAME = "libcusolver-beside-cusparse"
LINK = "nvidia/cusparse/lib/libcusolver.so.11"
CUDA_INFO = "build_info = {{'is_cuda_build': True, 'cuda_version': '{}', 'cudnn_version': '{}'}}"
GPU = {"device": "GPU:0", "operation": "matmul", **OK}


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """For tests that change nothing in it."""
    return Environment(tmp_path_factory.mktemp("steady"))


def states(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.state for name, check in checks.items()}


def driver(count: int, code: int = 0) -> dict[str, Any]:
    return {"stage": "driver", "library": True, "error": "", "code": code, "count": count}


def gone(pid: int) -> bool:
    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.005)
    return False


# --- all of it


def test_a_good_environment_without_a_gpu_is_proven_but_for_the_gpu(env: Environment) -> None:
    checks = env.prove()
    assert tuple(checks) == NAMES
    assert states(checks) == {
        **dict.fromkeys(NAMES, "proven"),
        "consistency": "unproven",  # uv asks the interpreter for more than a shell script can answer
        "gpu": "unproven",
        "gpu operation": "unproven",
    }
    assert checks["gpu operation"].what == "Libraries complete, no GPU here to run on."
    assert "cuDNN 9.28.0" in checks["libraries"].what
    assert checks["keras"].what == "Keras 3.15.1 works on tensorflow and makes a layer."


def test_with_a_gpu_that_computes_everything_is_proven(env: Environment) -> None:
    env.says("driver", driver(1))
    env.says("tensorflow", *env.ran("2.21.0", ("GPU:0",), GPU, {**GPU, "operation": "conv2d"}))
    checks = env.prove("gpu", "gpu operation")
    assert states(checks) == {"interpreter": "proven", "gpu": "proven", "gpu operation": "proven"}
    assert checks["gpu"].what == "TensorFlow lists GPU:0."
    assert checks["gpu operation"].what.startswith("Matrix product and convolution on GPU:0 are right: off by")


def test_a_build_for_the_cpu_is_not_asked_for_libraries_and_gpus(tmp_path: Path) -> None:
    env = Environment(tmp_path, "2.20.0", wheels=False)
    distribution(env.site, "tensorflow-cpu", "2.20.0", {"tensorflow/python/platform/build_info.py": CPU_BUILD.encode()})
    checks = env.prove(by=choice("2.20.0", None, None, "tensorflow-cpu"))
    skipped = {name for name, state in states(checks).items() if state == "skipped"}
    assert skipped == {"libraries", "loader", "gpu", "gpu operation"}
    assert checks["build"].what == "tensorflow-cpu 2.20.0 is built without CUDA."
    assert checks["cpu operation"].state == "proven"


def test_an_interpreter_that_does_not_run_leaves_nothing_to_try(env: Environment) -> None:
    env.does("where", "echo 'error while loading shared libraries: libpython3.12.so.1.0' >&2; exit 127")
    checks = env.prove()
    assert checks["interpreter"].state == "failed"
    assert "exit code 127" in checks["interpreter"].what
    assert "libpython3.12.so.1.0" in checks["interpreter"].what
    assert {state for name, state in states(checks).items() if name != "interpreter"} == {"skipped"}
    os.unlink(env.python)
    assert "could not be run (No such file" in env.prove()["interpreter"].what


@pytest.mark.parametrize(
    ("other", "words"),
    [({"version": [3, 11, 4]}, "Python 3.11.4, 3.12 was planned"), ({"prefix": "/usr"}, "belongs to /usr, not to")],
)
def test_another_interpreter_than_the_planned_one_fails(env: Environment, other: dict[str, Any], words: str) -> None:
    env.says("where", env.where(**other))
    assert words in env.prove("files")["interpreter"].what
    assert env.prove("files")["interpreter"].state == "failed"


def test_an_environment_reached_by_a_link_with_a_space_is_the_same_environment(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    env = Environment(tmp_path / "a b")
    link = tmp_path / "the link"
    link.symlink_to(env.root)
    env.root = link
    checks = env.prove("files", "build", "libraries", "loader", "import", "keras", "surroundings")
    assert set(states(checks).values()) == {"proven"}


def test_relative_paths_are_those_of_the_caller(env: Environment) -> None:
    root = os.path.relpath(env.root)
    made = prove(os.path.join(root, "bin", "python"), choice(), root=root, environ={}, only=("files", "import"))
    assert {check.state for check in made.checks} == {"proven"}, made


def test_what_a_startup_file_prints_is_passed_over(env: Environment) -> None:
    env.does("where", f"echo hello; echo '[1'; echo '{{\"stage\": 1}}'; echo '{json.dumps(env.where())}'")
    assert env.prove("files")["interpreter"].state == "proven"


# --- files, requirements, build


def test_a_removed_file_is_named_with_its_distribution(env: Environment) -> None:
    (env.site / "keras" / "__init__.py").unlink()
    check = env.prove("files")["files"]
    assert check == Check(
        "files", "failed", "1 file of 49 is not as recorded, of keras.", ("keras 3.15.1: keras/__init__.py is missing",)
    )


def test_other_content_of_the_same_size_is_found_by_a_thorough_proof_alone(env: Environment) -> None:
    library = env.site / "nvidia/cudnn/lib/libcudnn.so.9"
    library.write_bytes(b"\0" * library.stat().st_size)
    quick = env.prove("files")["files"]
    assert (quick.state, quick.what.endswith("in its recorded size.")) == ("proven", True)
    check = env.prove("files", thorough=True)["files"]
    assert check.lines == ("nvidia-cudnn-cu12 9.28.0.42: nvidia/cudnn/lib/libcudnn.so.9 has another content",)


def test_what_was_damaged_before_is_told_and_not_held_against_the_installation(env: Environment) -> None:
    (env.site / "numpy" / "__init__.py").write_text("changed")
    before = look_before(env.python)
    assert before.damaged == ("numpy 2.5.5: numpy/__init__.py has another size",)
    check = env.prove("files", before=before)["files"]
    assert check.state == "proven"
    assert "but 1 file that was damaged before" in check.what
    (env.site / "keras" / "__init__.py").unlink()
    check = env.prove("files", before=before)["files"]
    assert (check.state, check.lines) == ("failed", ("keras 3.15.1: keras/__init__.py is missing",))


def test_without_any_record_nothing_is_proven_of_files(env: Environment) -> None:
    for record in env.site.glob("*.dist-info/RECORD"):
        record.unlink()
    check = env.prove("files")["files"]
    assert check.state == "unproven"
    assert "numpy 2.5.5 has no RECORD" in check.lines


def package(name: str, version: str) -> Package:
    return Package(name, PackageVersion(version), "x.whl", "x.whl", "0" * 64, None, "tensorflow")


def test_versions_other_than_the_locked_ones_fail(env: Environment) -> None:
    checks = env.prove(
        "consistency", packages=(package("numpy", "2.4.0"), package("keras", "3.15.1"), package("x", "1"))
    )
    check = checks["consistency"]
    assert check.state == "failed"
    assert check.lines == ("numpy 2.5.5: 2.4.0 was planned", "x is missing: 1 was planned")


def test_without_uv_requirements_are_unproven_and_planned_versions_are_compared_all_the_same() -> None:
    reading = Reading(("site",), (Distribution("numpy", "2.5.5", 9, ()),))
    assert consistency(None, reading).state == "unproven"
    assert consistency(None, reading, (package("numpy", "2.4.0"),)).state == "failed"
    good = Said("", False, (), "", "Checked 1 package in 1ms\nAll installed packages are compatible\n")
    what = "The requirements of 1 distribution are met, 1 of them as planned."
    assert consistency(good, reading, (package("numpy", "2.5.5"),)) == Check("consistency", "proven", what)
    unmet = "The package `keras` requires `rich`, but it's not installed"
    bad = good._replace(errors=f"Checked 1 package in 1ms\n{unmet}\n")
    assert consistency(bad, reading).lines == (unmet,)
    assert consistency(bad, reading).state == "failed"
    assert consistency(bad, reading, known=(unmet,)).state == "proven"


def test_uv_s_complaints_are_read_and_silence_is_no_agreement() -> None:
    unmet = "The package `keras` requires `rich`, but it's not installed"
    out = f"Using Python 3.12.1 environment at: env\nChecked 3 packages in 1ms\nFound 1 incompatibility\n{unmet}\n"
    assert conflicts(Said("it ended with exit code 1", False, (), "", out)) == (unmet,)
    assert (
        conflicts(Said("", False, (), "", "Checked 3 packages in 1ms\nAll installed packages are compatible\n")) == ()
    )
    other = "Checked 1 package in 1ms\nThe package `tensorflow-gpu` was built for a different platform\n"
    assert conflicts(Said("it ended with exit code 1", False, (), "", other)) == ()
    assert conflicts(Said("it ended with exit code 2", False, (), "", "error: No such file")) is None


@pytest.mark.slow
def test_real_uv_finds_a_requirement_that_is_not_met(tmp_path: Path) -> None:
    uv = pytest.importorskip("uv").find_uv_bin()
    root = tmp_path / "env"
    subprocess.run([uv, "venv", "-q", "--no-config", "-p", sys.executable, str(root)], check=True)
    (site,) = root.glob("lib/python3*/site-packages")
    distribution(site, "one", "1.0", {"one.py": b""}, requires="two>=2")
    distribution(site, "two", "2.5", {"two.py": b""})
    env = Environment(tmp_path / "other")
    env.root, wanted = root, any_target(choice())
    good = env.prove("consistency", by=wanted)["consistency"]
    assert good.state == "proven", good
    shutil.rmtree(site / "two-2.5.dist-info")
    bad = env.prove("consistency", by=wanted)["consistency"]
    assert bad.state == "failed"
    assert "`one` requires `two>=2`" in bad.lines[0]
    known = look_before(env.python)
    assert env.prove("consistency", by=wanted, before=known)["consistency"].state == "proven"


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        (
            CUDA_INFO.format("12.5.1", "9"),
            "proven",
            "CUDA 12.5.1",
        ),
        (CUDA_INFO.format("12.3", "8"), "failed", "with CUDA 12.3,"),
        (CUDA_INFO.format("12.5.1", "8"), "failed", "with cuDNN 8,"),
        ("build_info = {'is_cuda_build': False}", "failed", "is built without CUDA; one with was chosen"),
        ("build_info = {'is_cuda_build': True}", "unproven", "does not record CUDA and cuDNN"),
        ("raise SystemExit", "unproven", "build_info.py does not say"),
        ("this is no Python (", "unproven", "not the Python that was expected"),
    ],
)
def test_the_build_is_compared_with_the_choice(env: Environment, text: str, state: str, words: str) -> None:
    info = env.site / "tensorflow/python/platform/build_info.py"
    info.write_text(text)
    check = env.prove("build")["build"]
    assert (check.state, words in check.what) == (state, True), check
    info.unlink()  # 1.0 to 1.3 have none
    silent = Check("build", "unproven", "TensorFlow 2.21.0 does not record what it was built with.")
    assert env.prove("build")["build"] == silent
    assert env.prove("build", by=choice("2.20.0"))["build"].state == "failed"


def test_windows_numbers_and_another_distribution_are_understood(tmp_path: Path) -> None:
    env = Environment(tmp_path, "2.10.1", wheels=False)
    info = CUDA_INFO.format("64_112", "64_8")
    (env.site / "tensorflow/python/platform/build_info.py").write_text(info)
    by = choice("2.10.1", "11.2", "8.1", brings=False)
    assert env.prove("build", by=by)["build"].state == "proven"
    other = env.prove("build", by=by._replace(package="tensorflow-gpu"))["build"]
    assert "tensorflow-gpu is missing: 2.10.1 was chosen" in other.what
    shutil.rmtree(env.site / "tensorflow")
    assert env.prove("build", by=by)["build"].state == "failed"


# --- libraries and the loader


def test_each_fault_of_a_library_is_named(steady: Environment) -> None:
    faults: dict[str, tuple[dict[str, Any], str]] = {
        "libcublas.so.12": ({"ok": False, "signal": 7}, "libcublas.so.12 does not load: it died of SIGBUS"),
        "libcufft.so.11": ({"ok": False, "signal": 14}, "libcufft.so.11 does not load: it hangs"),
        "libcusolver.so.11": (
            {"ok": False, "error": "OSError: libnvJitLink.so.12: cannot open"},
            "libcusolver.so.11 does not load: OSError: libnvJitLink.so.12: cannot open",
        ),
        "libcusparse.so.12": (
            {"version": [12, 5, 9]},
            "libcusparse.so.12 is 12.5.9, its wheel is nvidia-cusparse-cu12 12.5.10.65",
        ),
        "libcublasLt.so.12": (
            {"mapped": ["/opt/cuda/lib64/libcublas.so.12.1"]},
            "libcublasLt.so.12 takes /opt/cuda/lib64/libcublas.so.12.1, which is not the environment's",
        ),
    }
    for name, (other, words) in faults.items():
        lines = [steady.loaded(path, **(other if path.endswith(name) else {})) for path in steady.libraries]
        check = steady.judge("libraries", *lines)
        assert (check.state, check.what) == ("failed", f"{words}.")


@pytest.mark.parametrize(
    "error", ["OSError: libcuda.so.1: cannot open shared object file", "OSError: x: undefined symbol: cuModuleLoadData"]
)
def test_a_library_that_needs_the_driver_is_no_fault(steady: Environment, error: str) -> None:
    lines = [
        steady.loaded(path, **({"ok": False, "error": error} if "graph" in path else {})) for path in steady.libraries
    ]
    check = steady.judge("libraries", *lines)
    assert check.state == "proven"
    assert "1 more needs a driver" in check.what
    for alike in ("undefined symbol: cudaMalloc", "undefined symbol: cublasCreate_v2", "libcudart.so.12: cannot open"):
        wrong = [steady.loaded(path, ok=False, error=alike) for path in steady.libraries]
        assert steady.judge("libraries", *wrong).state == "failed"


def test_a_runtime_that_tells_no_version_without_a_driver_is_no_fault(steady: Environment) -> None:
    lines = [
        steady.loaded(path, **({"version": None, "code": 35} if "cudart" in path else {})) for path in steady.libraries
    ]
    check = steady.judge("libraries", *lines)
    assert (check.state, check.lines[-1]) == ("proven", "libcudart.so.12 tells no version (code 35)")


def test_the_cudnn_of_another_major_or_an_older_minor_fails(steady: Environment) -> None:
    lines = [steady.loaded(path) for path in steady.libraries]
    check = steady.judge("libraries", *lines, by=choice(cudnn="9.30"))
    assert check.what == "libcudnn.so.9 is cuDNN 9.28.0, 2.21.0 needs 9.30 or later of the same major."
    check = steady.judge("libraries", *lines, by=choice("2.17.1", "12.3", "8.9"))
    assert check.lines == (
        "libcudnn.so.8 is not in the environment; libcudnn.so.9 of nvidia-cudnn-cu12 9.28.0.42 is",
        "libcudnn.so.9 is cuDNN 9.28.0, 2.17.1 needs 8.9 or later of the same major",
    )


def test_of_two_wheels_in_one_folder_the_one_for_this_cuda_counts(env: Environment) -> None:
    path = "nvidia/cudnn/lib/libcudnn.so.9"
    distribution(env.site, "nvidia-cudnn-cu13", "9.30.0.1", {path: elf("$ORIGIN")})
    checks = env.prove("files", "libraries")
    assert checks["files"].state == "proven"
    assert checks["files"].lines == ("nvidia-cudnn-cu12 9.28.0.42: 1 files are now those of nvidia-cudnn-cu13",)
    assert checks["libraries"].state == "proven"
    lines = [env.loaded(one, **({"version": [9, 30, 0]} if one.endswith(path) else {})) for one in env.libraries]
    check = env.judge("libraries", *lines)
    assert check.what == "libcudnn.so.9 is 9.30.0, its wheel is nvidia-cudnn-cu12 9.28.0.42."


def test_libraries_that_were_not_reached_are_not_proven(env: Environment) -> None:
    first = env.libraries[0]
    env.says("libraries", {"stage": "begin", "what": first}, then="kill -SEGV $$")
    check = env.prove("libraries")["libraries"]
    assert check.state == "failed"
    assert check.lines[0] == f"{Path(first).name} was not tried: it died of SIGSEGV here"
    assert len(check.lines) == len(env.libraries)


def test_wheels_that_are_links_into_a_cache_are_the_environment_s(env: Environment, tmp_path: Path) -> None:
    # uv's --link-mode symlink.
    cache = tmp_path / "cache"
    cache.mkdir()
    for path in env.libraries:
        shutil.move(path, cache / Path(path).name)
        os.symlink(cache / Path(path).name, path)
    mapped = [str(cache / Path(path).name) for path in env.libraries]
    env.says("libraries", *(env.loaded(path, mapped=mapped) for path in env.libraries))
    env.says("loader", env.opened(mapped=mapped))
    checks = env.prove("libraries", "loader")
    assert (checks["libraries"].state, checks["loader"].state) == ("proven", "proven"), checks


REFUSED = (
    "I0000 00:00:1795443273.567170   22335 dso_loader.cc:144] Could not load dynamic library 'libcusolver.so.11'; "
    "dlerror: libcusolver.so.11: cannot open shared object file: No such file or directory; LD_LIBRARY_PATH: /x:/y\n"
)


def test_what_tensorflow_s_loader_refuses_is_named(steady: Environment) -> None:
    check = steady.judge("loader", steady.opened(), log=REFUSED)
    assert check.what == "TensorFlow 2.21.0 does not find libcusolver.so.11: it would register no GPU."
    assert check.lines == ("libcusolver.so.11: cannot open shared object file: No such file or directory",)
    system = steady.judge("loader", steady.opened(), log=REFUSED, by=choice(brings=False))
    assert (system.state, "from the system, which lacks libcusolver.so.11" in system.what) == ("unproven", True)


def test_a_library_that_is_not_opened_is_missed_even_if_no_log_names_it(steady: Environment) -> None:
    check = steady.judge(
        "loader", steady.opened(mapped=[path for path in steady.libraries if "libcudnn.so" not in path])
    )
    assert (check.state, check.lines) == ("failed", ("libcudnn.so.9: it is not opened",))


def test_a_library_of_the_system_in_the_place_of_the_environment_s_fails(steady: Environment) -> None:
    mapped = [path for path in steady.libraries if "cusolver" not in path] + ["/usr/lib/libcusolver.so.11.4"]
    check = steady.judge("loader", steady.opened(mapped=mapped))
    assert check.state == "failed"
    assert check.what == "TensorFlow 2.21.0 takes /usr/lib/libcusolver.so.11.4, which is not the environment's."
    system = steady.judge("loader", steady.opened(mapped=mapped), by=choice(brings=False))
    assert (system.state, system.what.endswith(", /usr/lib.")) == ("proven", True)


@pytest.mark.parametrize(
    ("lines", "then", "state", "words"),
    [
        ([], "kill -ILL $$", "failed", "did not survive loading its framework library: it died of SIGILL"),
        (
            [{"stage": "begin", "what": "DsoLoader::TryDlopenCUDALibraries"}],
            "kill -SEGV $$",
            "failed",
            "did not survive its check of the libraries: it died of SIGSEGV",
        ),
        ([{"stage": "loader", "symbol": None, "mapped": None}], "", "unproven", "no check of its libraries"),
        ([{"stage": "loader", "symbol": "_Z", "mapped": None}], "", "unproven", "does not tell which libraries"),
    ],
)
def test_a_loader_that_cannot_be_asked_is_not_proven(
    env: Environment, lines: list[dict[str, Any]], then: str, state: str, words: str
) -> None:
    env.says("loader", *lines, then=then)
    check = env.prove("loader")["loader"]
    assert (check.state, words in check.what) == (state, True), check
    (env.site / "tensorflow/libtensorflow_framework.so.2").unlink()
    without = env.prove("loader")["loader"]
    assert (without.state, "no framework library" in without.what) == ("unproven", True)


# --- running


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("kill -SEGV $$", "it died of SIGSEGV"),
        ("kill -ILL $$", "it died of SIGILL: this CPU lacks instructions"),
        ("exit 3", "it ended with exit code 3"),
        ("", "it said nothing"),
    ],
)
def test_an_import_that_dies_is_told_by_name_and_leaves_the_other_checks(
    env: Environment, then: str, words: str
) -> None:
    env.says("tensorflow", {"stage": "begin", "what": "import"}, then=then)
    checks = env.prove()
    assert words in checks["import"].what
    assert checks["import"].state == "failed"
    assert (checks["keras"].state, checks["cpu operation"].state) == ("skipped", "skipped")
    assert (checks["libraries"].state, checks["loader"].state) == ("proven", "proven")


def failing_import(env: Environment, error: str, log: str = "", by: Union[Choice, None] = None) -> Check:
    return env.judge("import", {"stage": "import", "ok": False, "error": error}, log=log, by=by)


def test_numpy_2_and_a_new_protobuf_are_told_by_name(env: Environment) -> None:
    log = "A module that was compiled using NumPy 1.x cannot be run in\nAttributeError: _ARRAY_API not found\nnoise\n"
    check = failing_import(env, "TypeError: Unable to convert function return value", log)
    assert check.what.endswith("(it was compiled for NumPy 1, and NumPy 2.5.5 is installed).")
    assert check.lines == tuple(log.splitlines()[:2])
    distribution(env.site, "protobuf", "7.36.2", {"google/__init__.py": b""})
    check = failing_import(env, "TypeError: Descriptors cannot be created directly.")
    assert "older protobuf than 7.36.2" in check.what


def test_an_old_release_without_the_system_s_cuda_is_not_the_installation_s_fault(steady: Environment) -> None:
    by = choice("1.2.1", "8.0", "5.1", "tensorflow-gpu", brings=False)
    gone = "cannot open shared object file: No such file or directory"
    check = failing_import(steady, f"ImportError: libcublas.so.8.0: {gone}", by=by)
    assert (check.state, "only where CUDA 8.0 is installed" in check.what) == ("unproven", True)
    assert (
        failing_import(steady, "ImportError: libstdc++.so.6: version `GLIBCXX_3.4.30' not found", by=by).state
        == "failed"
    )
    assert failing_import(steady, f"ImportError: libcublas.so.12: {gone}").state == "failed"  # this one brings its own


def test_another_tensorflow_than_the_installed_one_fails(steady: Environment) -> None:
    older = steady.judge("import", steady.imported("2.20.0"))
    assert (older.state, older.what) == ("failed", "TensorFlow 2.20.0 is imported, 2.21.0 was chosen.")
    file = "/usr/lib/python3/dist-packages/tensorflow/__init__.py"
    other = steady.judge("import", steady.imported(file=file))
    assert (other.state, other.what) == ("failed", f"Not the environment's TensorFlow is imported: {file}.")


@pytest.mark.parametrize(
    ("other", "state", "words"),
    [
        ({"version": "2.15.0"}, "failed", "Keras 2.15.0; TensorFlow 2.21.0 goes with 3"),
        ({"version": "3.10.0"}, "failed", "tf.keras is 3.10.0, the installed package keras 3.15.1"),
        ({"backend": "torch"}, "failed", "works on torch"),
        ({"ok": False, "error": "ImportError: no module named rich"}, "failed", "no module named rich"),
        ({"version": None}, "skipped", "no tf.keras"),
    ],
)
def test_the_keras_of_another_release_fails(steady: Environment, other: dict[str, Any], state: str, words: str) -> None:
    check = steady.judge(
        "keras", steady.imported(), steady.keras(**other), *({"stage": "operation", **one} for one in CPU)
    )
    assert (check.state, words in check.what) == (state, True), check


def test_keras_that_makes_no_layer_fails(steady: Environment) -> None:
    layer = {"stage": "operation", **CPU[1], "status": "error", "error": "ValueError: shape"}
    check = steady.judge("keras", steady.imported(), steady.keras(), layer)
    assert (check.state, check.what) == ("failed", "Keras 3.15.1 makes no layer: ValueError: shape.")


def test_a_child_that_ends_after_the_import_has_proven_nothing_else(steady: Environment) -> None:
    for name in ("keras", "cpu operation", "gpu"):
        check = steady.judge(name, steady.imported())
        assert (check.state, "it said nothing" in check.what) == ("failed", True), check
    devices = {"stage": "devices", "devices": ["GPU:0"], "error": None}
    nothing = steady.judge("gpu operation", steady.imported(), devices)
    assert (nothing.state, nothing.what) == ("failed", "Nothing was computed: it said nothing.")
    unlisted = steady.judge("gpu", steady.imported(), {**devices, "devices": None, "error": "RuntimeError: x"})
    assert (unlisted.state, unlisted.what) == ("failed", "TensorFlow cannot list its GPUs: RuntimeError: x.")
    unimported = {"stage": "import", "ok": False, "error": "ImportError: x"}
    for name in ("keras", "cpu operation", "gpu", "gpu operation"):
        assert steady.judge(name, unimported).state == "skipped"


def test_an_operation_that_hangs_is_not_tried_again(steady: Environment) -> None:
    begun = {"stage": "begin", "what": "matmul", "device": "GPU:0"}
    said = Said("no answer within 480 s", True, (*steady.ran("2.21.0", ("GPU:0",))[:-1], begun), "", "")
    ran = gather(said, lambda leave_out, hide: pytest.fail("tried again"))
    assert ran.operations[-1]["status"] == "hung"
    check = on_the_gpus(ran, Check("gpu", "proven", ""), True)
    assert (check.state, check.what) == ("failed", "matmul on GPU:0: no answer within 480 s.")


def test_wrong_numbers_on_the_cpu_fail(steady: Environment) -> None:
    wrong = {**CPU[0], "status": "wrong-numbers", "off": 0.4}
    check = steady.judge("cpu operation", steady.imported(), steady.keras(), {"stage": "operation", **wrong})
    assert (check.state, check.what) == ("failed", "matmul on CPU:0: off by 4.0e-01.")


def test_a_crash_on_one_gpu_leaves_the_next_to_be_tried(env: Environment) -> None:
    conv = {**GPU, "operation": "conv2d"}
    wrong: dict[str, Any] = {"status": "wrong-numbers", "off": 0.5}
    second = [{**GPU, "device": "GPU:1"}, {**conv, "device": "GPU:1", **wrong}]
    first = env.ran("2.21.0", ("GPU:0", "GPU:1"), GPU)[:-1]
    env.says("tensorflow", *first, {"stage": "begin", "what": "conv2d", "device": "GPU:0"})
    rest = "\n".join(json.dumps({"stage": "operation", **one}) for one in second)
    answer = env.root.parent / "answers" / "tensorflow"
    again = f"cat <<'END'\n{rest}\nEND\n"
    env.does("tensorflow", f'case "$*" in *\'"leave_out": 4\'*) {again};; *) cat {answer}; kill -ABRT $$;; esac')
    env.says("driver", driver(3))
    listed = env.prove("gpu")["gpu"]
    assert (listed.state, listed.what) == ("proven", "TensorFlow lists GPU:0, GPU:1 of 3 that the driver offers.")
    check = env.prove("gpu operation")["gpu operation"]
    assert (check.state, check.what) == ("failed", "conv2d on GPU:0: it died of SIGABRT.")
    assert check.lines == ("conv2d on GPU:1: off by 5.0e-01",)


def test_a_gpu_that_takes_the_cpu_s_work_down_is_hidden_from_a_second_try(env: Environment) -> None:
    error = {"status": "error", "error": "InternalError: cudaGetDevice() failed", "off": None, "seconds": None}
    bad = [{"stage": "operation", **one, **error} for one in (*CPU, GPU)]
    devices = {"stage": "devices", "devices": ["GPU:0"], "error": None}
    env.says("tensorflow", env.imported(), env.keras(), devices, *bad)
    answer = env.root.parent / "answers" / "tensorflow"
    good = "\n".join(json.dumps({"stage": "operation", **one}) for one in CPU)
    env.does(
        "tensorflow", f"if [ \"$CUDA_VISIBLE_DEVICES\" = -1 ]; then cat <<'END'\n{good}\nEND\nelse cat {answer}; fi"
    )
    env.says("driver", driver(1))
    checks = env.prove("keras", "cpu operation", "gpu", "gpu operation")
    assert {name: check.state for name, check in checks.items() if check.state != "proven"} == {
        "gpu operation": "failed"
    }
    assert "cudaGetDevice" in checks["gpu operation"].what


def test_a_gpu_whose_memory_others_hold_is_unproven_and_wrong_numbers_fail(steady: Environment) -> None:
    full = {**GPU, "status": "error", "error": "ResourceExhaustedError: OOM when allocating", "off": None}
    assert steady.judge("gpu operation", *steady.ran("2.21.0", ("GPU:0",), full)).state == "unproven"
    wrong = {**GPU, "status": "wrong-numbers", "off": None}
    check = steady.judge("gpu operation", *steady.ran("2.21.0", ("GPU:0",), wrong))
    assert (check.state, check.what) == ("failed", "matmul on GPU:0: NaN or infinity.")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"library": False}, "no NVIDIA driver is installed"),
        ({"library": True, "code": 804, "count": 0}, "the driver answers with CUDA error 804"),
        ({"library": True, "code": 0, "count": 0}, "offers none to this process"),
        (None, "does not answer (it died of SIGSEGV"),
    ],
)
def test_without_a_gpu_nothing_is_proven_and_nothing_fails(
    env: Environment, answer: Union[dict[str, Any], None], words: str
) -> None:
    if answer is None:
        env.says("driver", {"stage": "begin", "what": "cuInit"}, then="kill -SEGV $$")
    else:
        env.says("driver", {"stage": "driver", **answer})
    env.does("loader", "exit 1")
    checks = env.prove("libraries", "loader", "gpu", "gpu operation")
    assert (checks["gpu"].state, words in checks["gpu"].what) == ("unproven", True), checks["gpu"]
    assert (checks["gpu operation"].state, checks["gpu operation"].what) == ("unproven", "No GPU here to run on.")


def test_a_gpu_that_tensorflow_does_not_list_fails_by_the_library_it_misses(steady: Environment) -> None:
    check = steady.judge("gpu", *steady.ran(), log=REFUSED, offered=2)
    assert check.what == "The driver offers 2 GPUs, TensorFlow lists none: libcusolver.so.11."
    assert (check.state, steady.judge("gpu operation", *steady.ran(), log=REFUSED).state) == ("failed", "skipped")
    assert steady.judge("gpu", *steady.ran(), log=REFUSED, by=choice(brings=False)).state == "unproven"
    # A container without NVML: the driver's part, and no installation brings it.
    nvml = REFUSED.replace("libcusolver.so.11", "libnvidia-ml.so.1")
    assert steady.judge("gpu", *steady.ran(), log=nvml).state == "unproven"
    check = steady.judge("gpu", *steady.ran(), log="Ignoring visible gpu device (device: 0, name: Tesla K80)\n")
    assert (check.state, check.lines) == ("failed", ("Ignoring visible gpu device (device: 0, name: Tesla K80)",))


# --- surroundings


def test_a_toolkit_in_library_path_is_left_out_of_the_proof_and_told(env: Environment, tmp_path: Path) -> None:
    toolkit, of_driver = tmp_path / "cuda" / "lib64", tmp_path / "driver"
    toolkit.mkdir(parents=True)
    of_driver.mkdir()
    (toolkit / "libcudnn.so.9.1.0").write_bytes(b"")
    (of_driver / "libcuda.so.1").write_bytes(b"")
    mapped = [path for path in env.libraries if "libcudnn.so" not in path] + [str(toolkit / "libcudnn.so.9.1.0")]
    env.says("loader", env.opened())
    good = env.root.parent / "answers" / "loader"
    bad = "\n".join(json.dumps(line) for line in [env.opened(mapped=mapped)])
    env.does("loader", f"case \"$LD_LIBRARY_PATH\" in *lib64*) cat <<'END'\n{bad}\nEND\n;; *driver*) cat {good};; esac")
    environ = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": f"{toolkit}:{of_driver}:"}
    checks = env.prove("loader", "surroundings", environ=environ)
    assert checks["loader"].state == "proven"
    check = checks["surroundings"]
    assert (check.state, check.lines) == (
        "unproven",
        (f"LD_LIBRARY_PATH makes TensorFlow load {toolkit}/libcudnn.so.9.1.0",),
    )


def test_an_interpreter_that_needs_a_folder_with_cuda_is_proven_as_it_runs(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "libcudart.so.12").write_bytes(b"")
    (tmp_path / "where.json").write_text(json.dumps(env.where()))
    env.does("where", f'[ "$LD_LIBRARY_PATH" ] || exit 127; cat {tmp_path}/where.json')
    checks = env.prove("loader", environ={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(tmp_path)})
    assert states(checks) == {"interpreter": "proven", "loader": "proven"}
    assert env.prove("loader")["interpreter"].state == "failed"


def test_who_wants_no_bytecode_gets_none(env: Environment) -> None:
    (env.root.parent / "where.json").write_text(json.dumps(env.where()))
    env.does("where", f'case "$*" in *"-I -B "*) cat {env.root.parent}/where.json;; *) exit 1;; esac')
    environ = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    assert env.prove("files", environ=environ)["interpreter"].state == "proven"
    assert env.prove("files")["interpreter"].state == "failed"


def test_variables_with_which_the_interpreter_does_not_run_are_told(env: Environment) -> None:
    (env.root.parent / "where.json").write_text(json.dumps(env.where()))
    env.does("where", f'[ "$PYTHONHOME" ] && exit 1; cat {env.root.parent}/where.json')
    check = env.prove("surroundings", environ={"PATH": "/usr/bin:/bin", "PYTHONHOME": "/x"})["surroundings"]
    assert check.state == "unproven"
    assert check.what.startswith("With your variables the interpreter does not run: it ended with exit code 1.")


def test_a_package_that_pythonpath_puts_first_is_told(env: Environment) -> None:
    found = {**env.where()["found"], "numpy": "/home/me/numpy/__init__.py"}
    other, usual = json.dumps(env.where(found=found)), json.dumps(env.where())
    env.does("where", f"if [ \"$PYTHONPATH\" ]; then echo '{other}'; else echo '{usual}'; fi")
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/home/me", "KERAS_BACKEND": "torch", "TF_PLUGIN_X": "1"}
    checks = env.prove("files", "surroundings", environ=environ)
    assert checks["files"].state == "proven"
    check = checks["surroundings"]
    assert (check.state, check.lines) == ("unproven", ("`import numpy` takes /home/me/numpy/__init__.py",))
    assert check.what.endswith("The proof was made without KERAS_BACKEND, PYTHONPATH.")


def test_the_user_s_settings_reach_no_child_and_the_gpus_that_a_user_may_use_stay(tmp_path: Path) -> None:
    given = {
        **dict.fromkeys(("KERAS_BACKEND", "TF_USE_LEGACY_KERAS", "XLA_FLAGS", "PYTHONSTARTUP", "LD_DEBUG"), "x"),
        **dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "HOME"), "kept"),
        "LD_LIBRARY_PATH": "/nowhere/at/all",
    }
    around = clean({**given, "LD_PRELOAD": "/x/libmalloc.so /opt/libcudnn.so.8"}, str(tmp_path))
    assert around.settings == ("KERAS_BACKEND", "LD_PRELOAD", "TF_USE_LEGACY_KERAS", "XLA_FLAGS")
    assert clean({"LD_PRELOAD": "/x/libmalloc.so"}, str(tmp_path)).environ["LD_PRELOAD"] == "/x/libmalloc.so"
    assert around.environ == {
        **dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "HOME"), "kept"),
        "LD_LIBRARY_PATH": "/nowhere/at/all",
        "KERAS_HOME": str(tmp_path),
    }


# --- the child and its end


def test_a_child_that_hangs_is_ended_with_its_descendants(tmp_path: Path) -> None:
    child = Child(["/bin/sh", "-c", "sleep 600 & echo $!; wait"], {"PATH": "/usr/bin:/bin"}, 0.2, str(tmp_path))
    said = child.said()
    assert (said.hung, said.end) == (True, "no answer within 0 s")
    assert gone(int(said.out))


def test_an_interruption_ends_every_child_and_leaves_no_file(tmp_path: Path) -> None:
    prover, pid = Prover("/bin/sh", {"PATH": "/usr/bin:/bin"}, 60.0), tmp_path / "pid"

    def interrupted() -> None:
        with prover:
            prover.run(["/bin/sh", "-c", f"sleep 600 & echo $! >{pid}; wait"], 60.0)
            end = time.monotonic() + 10.0
            while not (pid.exists() and pid.read_text().endswith("\n")) and time.monotonic() < end:
                time.sleep(0.005)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert gone(int(pid.read_text()))
    assert not os.path.exists(prover.room)


def test_a_deadline_for_everything_cuts_each_question_short(tmp_path: Path) -> None:
    with Prover("/bin/sh", {"PATH": "/usr/bin:/bin"}, 0.0) as prover:
        assert prover.run(["/bin/sh", "-c", "sleep 600"], 60.0).said().hung


# --- prover.py itself

_VERSIONS = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
# The oldest that it must run under, the newest that there is here, and this one.
_OTHERS = [*sorted(_VERSIONS.glob("3.6.*/bin/python3.6"))[:1], *sorted(_VERSIONS.glob("3.13.*/bin/python3.13"))[:1]]
PYTHONS = [sys.executable, *(pytest.param(str(path), marks=pytest.mark.slow) for path in _OTHERS)]


def run(python: str, command: str, isolated: bool = True, **more: Any) -> Said:
    environ = {"PATH": "/usr/bin:/bin", **more.pop("environ", {})}
    with Prover(python, environ, 60.0) as prover:
        return prover.ask(command, 60.0, None, isolated, **more).said()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_prover_tells_where_it_runs(python: str) -> None:
    said = run(python, "where", names=["json", "no_such_package"])
    line = said.stage("where")
    assert said.end == ""
    assert line is not None
    assert line["found"]["no_such_package"] is None
    assert line["found"]["json"].endswith("__init__.py")
    assert os.path.isdir(line["site"][0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: libraries for Linux are loaded")
@pytest.mark.parametrize("python", PYTHONS)
def test_the_prover_loads_libraries_apart_and_says_why_one_does_not_load(python: str, tmp_path: Path) -> None:
    good = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = next(line.split("=> ")[1] for line in good.splitlines() if "libm.so.6" in line)
    (tmp_path / "libcudnn.so.9").write_bytes(b"\x7fELF" + b"\0" * 9)
    said = run(python, "libraries", paths=[str(tmp_path / "libcudnn.so.9"), path, str(tmp_path / "gone.so")])
    bad, whole, absent = said.stages("library")
    assert (bad["ok"], "file too short" in bad["error"] or "invalid" in bad["error"]) == (False, True)
    assert whole["ok"] is True
    assert any("libm" in one for one in whole["mapped"])
    assert absent["ok"] is False
    assert said.stage("done") is not None


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: libraries for Linux are compiled")
def test_a_library_that_crashes_or_hangs_is_told_by_its_signal_and_leaves_the_next(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or pytest.skip("no C compiler")
    start = "__attribute__((constructor)) static void start(void) {"
    sources = {
        "libcrash.so": f"{start} *(volatile int *)0 = 1; }}",
        "libhang.so": f"#include <unistd.h>\n{start} for (;;) pause(); }}",
        "libcudart.so.12": "int cudaRuntimeGetVersion(int *v) { *v = 12090; return 0; }",
        "libcudnn.so.8": "#include <stddef.h>\nsize_t cudnnGetVersion(void) { return 8907; }",
        "libcublas.so.12": "int cublasGetProperty(int kind, int *v) { *v = 12 - kind; return 0; }",
        "libnccl.so.2": "int ncclGetVersion(int *v) { *v = 23203; return 0; }",
        "libnvrtc.so.12": "int nvrtcVersion(int *a, int *b) { *a = 12; *b = 9; return 0; }",
        "libcufft.so.11": "int cufftGetProperty(int kind, int *v) { return 4; }",
    }
    for name, source in sources.items():
        (tmp_path / "one.c").write_text(source)
        subprocess.run([compiler, "-w", "-shared", "-fPIC", "one.c", "-o", name], cwd=tmp_path, check=True)
    said = run(sys.executable, "libraries", paths=[str(tmp_path / name) for name in sources], seconds=1)
    crash, hang, *rest = said.stages("library")
    assert (crash["signal"], hang["signal"]) == (11, 14)
    assert [one["version"] for one in rest] == [[12, 9], [8, 9, 7], [12, 11, 10], [2, 32, 3], [12, 9], None]
    assert rest[-1]["code"] == 4


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: libraries for Linux are compiled")
def test_tensorflow_s_check_is_found_by_either_name_and_called_with_room_for_its_answer(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or pytest.skip("no C compiler")
    program = """#include <stdio.h>
    typedef struct { long word[4]; } status;
    status NAME(void) { status s = {{0, 0, 0, 7}}; fprintf(stderr, "asked\\n"); return s; }"""
    names = ("_ZN3tsl8internal", "_ZN15stream_executor8internal")
    for space in names:
        source = program.replace("NAME", f"{space}9DsoLoader22TryDlopenCUDALibrariesEv")
        (tmp_path / "one.c").write_text(source)
        library = tmp_path / "libtensorflow_framework.so.2"
        subprocess.run([compiler, "-shared", "-fPIC", "one.c", "-o", str(library)], cwd=tmp_path, check=True)
        said = run(sys.executable, "loader", path=str(library))
        line = said.stage("loader")
        assert line is not None
        assert line["symbol"].startswith(space)
        assert "asked" in said.errors
        assert str(library) in line["mapped"]
    (tmp_path / "one.c").write_text("int nothing;")
    subprocess.run([compiler, "-shared", "-fPIC", "one.c", "-o", "other.so"], cwd=tmp_path, check=True)
    line = run(sys.executable, "loader", path=str(tmp_path / "other.so")).stage("loader")
    assert line is not None
    assert line["symbol"] is None


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: libraries for Linux are compiled")
@pytest.mark.parametrize(
    ("settings", "code", "count"),
    [
        ({}, 0, 1),
        ({"FAKE_PROFILE": "8xh100", "CUDA_VISIBLE_DEVICES": "0,1,2"}, 0, 3),
        ({"FAKE_CODES": "cuInit=803"}, 803, 0),
        (None, None, None),
    ],
)
def test_the_driver_is_asked_as_tensorflow_asks_it(
    fake_driver: FakeDriver,
    settings: Union[dict[str, str], None],
    code: Union[int, None],
    count: Union[int, None],
) -> None:
    if settings is None and os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine: it has a driver")
    environ = {} if settings is None else {"LD_LIBRARY_PATH": fake_driver.folder, **settings}
    line = run(sys.executable, "driver", environ=environ).stage("driver")
    assert line is not None
    assert (line["library"], line["code"], line["count"]) == (settings is not None, code, count)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise SystemExit('gone')", "SystemExit: gone"),
        ("import nothing_like_this", "nothing_like_this"),
        ("", "has no attribute '__version__'"),
    ],
)
def test_an_import_that_ends_in_any_way_is_told(python: str, source: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(source)
    said = run(python, "tensorflow", isolated=False, environ={"PYTHONPATH": str(tmp_path)})
    line = said.stage("import")
    assert line is not None
    assert (line["ok"], words in line["error"]) == (False, True), line


def test_the_prover_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("import time\nopen(__file__ + '.here', 'w').close()\ntime.sleep(600)\n")
    parent = (
        "import os, subprocess, sys, time\n"
        f"one = subprocess.Popen([sys.executable, {PROVER!r}, 'tensorflow'], start_new_session=True, stdout=-3)\n"
        f"while not os.path.exists({str(tmp_path / 'tensorflow.py.here')!r}): time.sleep(0.005)\n"
        "print(one.pid, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    if not sys.platform.startswith("linux"):
        pytest.skip("this machine: only Linux ends a child with its parent")
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", parent], env=environ, capture_output=True, text=True, timeout=60)
    assert gone(int(done.stdout))


# --- cures


def tree(tmp_path: Path, runpath: str = "$ORIGIN/../nvidia/cublas/lib:$ORIGIN/../nvidia/cusparse/lib") -> Path:
    env = Environment(tmp_path)
    (env.site / "tensorflow/libtensorflow_framework.so.2").write_bytes(elf(runpath))
    return env.root


def test_the_cure_is_a_relative_link_made_once_and_taken_back(tmp_path: Path) -> None:
    root = tree(tmp_path)
    place = root / "lib/python3.12/site-packages" / LINK
    assert cures.needed(str(root), (NAME,)) == (NAME,)
    (cure,) = cures.apply(str(root), (NAME,))
    assert (cure.name, cure.done) == (NAME, (f"lib/python3.12/site-packages/{LINK}",))
    assert os.readlink(place) == "../../cusolver/lib/libcusolver.so.11"
    assert place.is_file()
    assert cures.apply(str(root), (NAME,)) == (cure,)
    moved = root.rename(tmp_path / "moved")  # a new environment is built aside and renamed
    assert (moved / "lib/python3.12/site-packages" / LINK).is_file()
    assert cures.in_place(str(moved), (cure,))
    assert cures.take_back(str(moved), (cure,)) == cure.done
    assert cures.take_back(str(moved), (cure,)) == ()
    assert not cures.in_place(str(moved), (cure,))


@pytest.mark.parametrize(
    "runpath",
    [
        "$ORIGIN/../nvidia/cusparse/lib:$ORIGIN/../nvidia/cusolver/lib",  # 2.20.0, and whoever mends it
        "$ORIGIN/",  # 2.16.1: the link would cure nothing
        "",
    ],
)
def test_a_release_without_the_defect_is_left_alone(tmp_path: Path, runpath: str) -> None:
    root = tree(tmp_path, runpath)
    assert cures.needed(str(root), (NAME,)) == ()
    assert cures.apply(str(root), (NAME,)) == ()
    assert not os.path.lexists(root / "lib/python3.12/site-packages" / LINK)


def test_a_cpu_build_and_an_empty_folder_need_no_cure(tmp_path: Path) -> None:
    assert cures.needed(str(tmp_path), (NAME,)) == ()
    root = tree(tmp_path)
    shutil.rmtree(root / "lib/python3.12/site-packages/nvidia/cusolver")
    assert cures.apply(str(root), (NAME,)) == ()


def test_somebody_else_s_file_stays(tmp_path: Path) -> None:
    root = tree(tmp_path)
    place = root / "lib/python3.12/site-packages" / LINK
    place.write_bytes(b"mine")
    assert cures.apply(str(root), (NAME,)) == ()
    assert place.read_bytes() == b"mine"
    place.unlink()
    place.symlink_to("/nowhere/libcusolver.so.11")
    with pytest.raises(Failed, match="is in the way"):
        cures.apply(str(root), (NAME,))
    assert os.readlink(place) == "/nowhere/libcusolver.so.11"


def test_taking_back_removes_links_in_the_environment_alone(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (cure,) = cures.apply(str(root), (NAME,))
    (tmp_path / "outside").symlink_to("anything")
    forged = cure._replace(done=("../outside", "pyvenv.cfg", *cure.done))
    (root / "pyvenv.cfg").write_text("home = /usr\n")
    assert cures.take_back(str(root), (forged,)) == cure.done
    assert (root / "pyvenv.cfg").is_file()
    assert os.path.islink(tmp_path / "outside")


def test_a_cure_is_no_damage_and_an_unknown_one_is_an_error(tmp_path: Path) -> None:
    env = Environment(tmp_path)
    (env.site / "tensorflow/libtensorflow_framework.so.2").write_bytes(elf("x/nvidia/cusparse/lib"))
    distribution(
        env.site, "tensorflow", "2.21.0", {"tensorflow/libtensorflow_framework.so.2": elf("x/nvidia/cusparse/lib")}
    )
    assert cures.apply(str(env.root), (NAME,))
    assert env.prove("files")["files"].state == "proven"
    with pytest.raises(KeyError):
        cures.apply(str(env.root), ("no-such-cure",))


def test_every_cure_that_the_rules_name_is_known_here() -> None:
    from gpucheck.rules.fitness import CURES

    assert set(CURES.values()) == set(cures.REMEDIES)


# --- Windows, as far as it can be told without one


def test_on_windows_the_dlls_are_loaded_by_the_names_that_tensorflow_uses(tmp_path: Path) -> None:
    env = Environment(tmp_path, "2.10.1", wheels=False)
    by = choice("2.10.1", "11.2", "8.1", brings=False)
    by = by._replace(target=Target("windows", "x86_64", None, PYTHON))
    names = ["cudart64_110.dll", "cublas64_11.dll", "cublasLt64_11.dll", "cufft64_10.dll", "curand64_10.dll"]
    names += ["cusolver64_11.dll", "cusparse64_11.dll", "cudnn64_8.dll"]
    env.says("libraries", *(env.loaded(name, file=f"C:\\CUDA\\{name}") for name in names))
    checks = env.prove("libraries", "loader", "surroundings", by=by)
    whole = "The 8 DLLs of CUDA 11.2 and cuDNN 8.1 are found."
    assert (checks["loader"].state, checks["loader"].what) == ("proven", whole)
    assert checks["loader"].lines[0] == "cudart64_110.dll: C:\\CUDA\\cudart64_110.dll"
    assert (checks["libraries"].state, checks["surroundings"].state) == ("skipped", "proven")
    error = "FileNotFoundError: Could not find module 'cudnn64_8.dll'"
    env.says("libraries", *(env.loaded(name) for name in names[:-1]), env.loaded(names[-1], ok=False, error=error))
    check = env.prove("loader", by=by)["loader"]
    assert (check.state, check.lines) == ("unproven", (f"cudnn64_8.dll: {error}",))
    env.says("libraries", {"stage": "begin", "what": names[0]}, then="exit 5")
    assert len(env.prove("loader", by=by)["loader"].lines) == 8


def test_every_dll_of_the_windows_releases_has_a_name() -> None:
    from gpucheck.compat.tensorflow_windows import WINDOWS

    for row in WINDOWS:
        if row.cuda:
            names = {name: dll(name, CudaVersion(row.cuda), CudnnVersion(row.cudnn)) for name in CHECKED}
            assert None not in {name for library, name in names.items() if library != "cublasLt"}, row
    assert dll("cusolver", CudaVersion("11.0")) == "cusolver64_10.dll"
    assert dll("cusolver", CudaVersion("11.2")) == "cusolver64_11.dll"
    assert dll("cudart", CudaVersion("8.0")) == "cudart64_80.dll"
    assert dll("cudnn", CudaVersion("8.0"), CudnnVersion("5.1")) == "cudnn64_5.dll"
