"""The proof of real environments, and the cure, with and without a driver. Damage is done to hard-linked copies.

A hard-linked copy shares its files with the environment that all tests use: nothing in it is written in place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Union

import pytest
from fake_driver import FakeDriver
from proof_material import any_target, choice
from real_environments import environment

from gpucheck.api import judge
from gpucheck.facts.plan import Check, Choice
from gpucheck.host.local import LocalHost
from gpucheck.install import cures
from gpucheck.install.proof.prove import NAMES, prove
from gpucheck.probes.look import look

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: wheels for Linux are examined"),
]
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
CURE = ("libcusolver-beside-cusparse",)
CHOICES = {
    "tf221": choice(),
    "tf2181": choice("2.18.1"),
    "tf2161": choice("2.16.1", "12.3", "8.9"),
    "tf210": choice("2.10.1", "11.2", "8.1", brings=False),
    "tf210np2": choice("2.10.1", "11.2", "8.1", brings=False),
    "tfcpu": choice("2.20.0", None, None, "tensorflow-cpu"),
}


class Copy(NamedTuple):
    """A hard-linked copy of an environment."""

    root: Path

    @property
    def site(self) -> Path:
        (site,) = self.root.glob("lib/python3*/site-packages")
        return site

    @contextlib.contextmanager
    def without(self, path: str) -> Iterator[Path]:
        """Move a file or folder aside; what the test puts in its place is removed."""
        place, aside = self.site / path, self.root / "aside"
        place.rename(aside)
        try:
            yield place
        finally:
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
            aside.rename(place)


@pytest.fixture(scope="module")
def copied() -> Iterator[Copy]:
    """Beside the environments: hard links do not reach another file system."""
    source = environment("tf221")
    target = source.parent / f"tf221.copy-{os.getpid()}"
    try:
        shutil.copytree(source, target, symlinks=True, copy_function=os.link)
        yield Copy(target)
    finally:
        shutil.rmtree(target, ignore_errors=True)


def checks(root: Path, by: Choice, *only: str, environ: Union[dict[str, str], None] = None) -> dict[str, Check]:
    python = str(root / "bin" / "python")
    made = prove(python, any_target(by), root=str(root), only=only or None, environ=environ or BARE)
    return {check.name: check for check in made.checks}


def proven(name: str, *only: str) -> dict[str, Check]:
    return checks(environment(name), CHOICES[name], *only)


@contextlib.contextmanager
def cured(copy: Copy) -> Iterator[None]:
    done = cures.apply(str(copy.root), CURE)
    try:
        yield
    finally:
        cures.take_back(str(copy.root), done)


# --- the cure


def test_tensorflow_2_21_misses_libcusolver_and_the_cure_brings_it_without_a_driver(copied: Copy) -> None:
    assert cures.needed(str(copied.root), CURE) == CURE
    check = checks(copied.root, CHOICES["tf221"], "loader")["loader"]
    assert check.what == "TensorFlow 2.21.0 does not find libcusolver.so.11: it would register no GPU."
    with cured(copied):
        check = checks(copied.root, CHOICES["tf221"], "loader")["loader"]
        assert check.what == "TensorFlow's own loader finds its 7 libraries in the environment."
    assert checks(copied.root, CHOICES["tf221"], "loader")["loader"].state == "failed"


@pytest.mark.native
def test_over_a_driver_the_gpu_is_listed_with_the_cure_and_not_without(copied: Copy, fake_driver: FakeDriver) -> None:
    environ = {**BARE, "LD_LIBRARY_PATH": fake_driver.folder}
    check = checks(copied.root, CHOICES["tf221"], "gpu", environ=environ)["gpu"]
    assert (check.state, check.what) == ("failed", "The driver offers 1 GPU, TensorFlow lists none: libcusolver.so.11.")
    with cured(copied):
        found = checks(copied.root, CHOICES["tf221"], "cpu operation", "gpu", "gpu operation", environ=environ)
    assert (found["gpu"].state, found["gpu"].what) == ("proven", "TensorFlow lists GPU:0.")
    # The fake driver knows no kernels: listed is not computed. The CPU is proven all the same.
    assert (found["gpu operation"].state, found["cpu operation"].state) == ("failed", "proven")


def test_the_cured_environment_is_proven_and_doctor_is_content_with_it(copied: Copy) -> None:
    def doctor() -> set[str]:
        report = judge(look(LocalHost(environ=BARE), str(copied.root)))
        return {finding.name for finding in report.findings}

    assert "pip-cuda-wheels-not-found" in doctor()
    with cured(copied):
        found = checks(copied.root, CHOICES["tf221"])
        assert "pip-cuda-wheels-not-found" not in doctor()
    assert {name: check.state for name, check in found.items()} == {
        **dict.fromkeys(NAMES, "proven"),
        "gpu": "unproven",
        "gpu operation": "unproven",
    }, found
    assert found["gpu operation"].what == "Libraries complete, no GPU here to run on."
    assert "cuDNN 9." in found["libraries"].what


# --- other releases


def test_tensorflow_2_18_is_proven_as_it_comes() -> None:
    found = proven("tf2181")
    assert {check.state for check in found.values()} == {"proven", "unproven"}, found
    assert "cuDNN 9.3.0" in found["libraries"].what
    assert cures.needed(str(environment("tf2181")), CURE) == ()


def test_tensorflow_2_16_1_fails_with_the_six_libraries_that_it_does_not_find() -> None:
    found = proven("tf2161", "files", "consistency", "build", "libraries", "loader")
    assert {name for name, check in found.items() if check.state != "proven"} == {"loader"}, found
    missed = {line.partition(":")[0] for line in found["loader"].lines}
    wanted = ("cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11", "cusparse.so.12", "cudnn.so.8")
    assert missed == {f"lib{name}" for name in wanted}
    assert cures.needed(str(environment("tf2161")), CURE) == ()


def test_tensorflow_2_10_with_numpy_2_fails_to_import_in_words() -> None:
    found = proven("tf210np2", "consistency", "import", "keras")
    assert found["consistency"].state == "proven"  # nothing in its METADATA forbids it
    assert found["import"].state == "failed"
    assert "it was compiled for NumPy 1, and NumPy 2." in found["import"].what
    assert found["keras"].state == "skipped"


def test_tensorflow_2_10_is_proven_but_for_the_cuda_that_the_system_lacks() -> None:
    found = proven("tf210")
    states = {name: check.state for name, check in found.items()}
    assert (states["libraries"], states["loader"]) == ("skipped", "unproven")
    assert "which lacks libcudart.so.11.0" in found["loader"].what
    assert len(found["loader"].lines) == 8
    assert found["gpu operation"].what == "No GPU here to run on."
    assert "failed" not in states.values(), found
    assert "Keras 2.10.0" in found["keras"].what


def test_a_build_for_the_cpu_is_proven_as_one() -> None:
    found = proven("tfcpu")
    assert {check.state for check in found.values()} == {"proven", "skipped"}, found
    assert found["build"].what == "tensorflow-cpu 2.20.0 is built without CUDA."
    wrong = checks(environment("tfcpu"), CHOICES["tf221"], "build")["build"]
    assert (wrong.state, "tensorflow is missing" in wrong.what) == ("failed", True)


# --- damage


def test_a_removed_file_is_named_with_its_package(copied: Copy) -> None:
    path = "tensorflow/python/ops/math_ops.py"
    with copied.without(path):
        check = checks(copied.root, CHOICES["tf221"], "files")["files"]
    assert check.state == "failed"
    assert check.lines == (f"tensorflow 2.21.0: {path} is missing",)


def test_a_truncated_cudnn_fails_and_is_no_crash_of_the_proof(copied: Copy) -> None:
    path = "nvidia/cudnn/lib/libcudnn_graph.so.9"
    whole = (copied.site / path).stat().st_size
    for part in (0.0, 0.5):
        with copied.without(path) as place:
            with open(copied.root / "aside", "rb") as file:
                place.write_bytes(file.read(int(whole * part)))
            found = checks(copied.root, CHOICES["tf221"], "files", "libraries", "consistency")
        assert (found["files"].state, found["libraries"].state) == ("failed", "failed")
        assert any(line.startswith("libcudnn_graph.so.9 does not load: ") for line in found["libraries"].lines), found
        assert found["consistency"].state == "proven"


def test_the_cudnn_of_another_major_fails(copied: Copy) -> None:
    (other,) = environment("tf2161").glob("lib/python3*/site-packages/nvidia/cudnn")
    (info,) = (path.name for path in copied.site.glob("nvidia_cudnn_cu12-*.dist-info"))
    (other_info,) = other.parent.parent.glob("nvidia_cudnn_cu12-*.dist-info")
    with copied.without("nvidia/cudnn") as place:
        shutil.copytree(other, place, symlinks=True, copy_function=os.link)
        (copied.site / info).rename(copied.root / "aside-info")
        shutil.copytree(other_info, copied.site / other_info.name, copy_function=os.link)
        try:
            found = checks(copied.root, CHOICES["tf221"], "files", "libraries", "consistency", "loader")
        finally:
            shutil.rmtree(copied.site / other_info.name)
            (copied.root / "aside-info").rename(copied.site / info)
    assert found["files"].state == "proven"
    version = other_info.name.split("-")[1].removesuffix(".dist")
    assert found["libraries"].lines[0] == (
        f"libcudnn.so.9 is not in the environment; libcudnn.so.8 of nvidia-cudnn-cu12 {version} is"
    )
    assert any("libcudnn.so.9" in line for line in found["loader"].lines)


def test_a_toolkit_of_the_user_s_is_told_and_does_not_spoil_the_proof(copied: Copy) -> None:
    (folder,) = environment("tf2161").glob("lib/python3*/site-packages/nvidia/cuda_runtime/lib")
    environ = {**BARE, "LD_LIBRARY_PATH": str(folder)}
    with cured(copied):
        found = checks(copied.root, CHOICES["tf221"], "libraries", "loader", "surroundings", environ=environ)
    assert (found["libraries"].state, found["loader"].state) == ("proven", "proven"), found
    assert found["surroundings"].state == "unproven"
    assert found["surroundings"].lines == (f"LD_LIBRARY_PATH makes TensorFlow load {folder}/libcudart.so.12",)
