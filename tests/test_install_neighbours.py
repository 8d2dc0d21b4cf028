"""What stays in an environment has requirements of its own: they are looked at before anything is downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_index import make, make_tensorflow
from test_install_cli import BASE, VERSION, linux, run

from gpucheck.facts.plan import Package
from gpucheck.facts.versions import PackageVersion
from gpucheck.install.changing.neighbours import neighbours
from gpucheck.install.choosing.neighbours import Neighbour, unmet
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.settings import Settings

HERE = {"sys_platform": "linux", "python_version": "3.12"}
TORCH = Neighbour(
    "torch", "2.8.0", ("numpy<2.1", "NVIDIA.cuDNN.cu12==9.1; sys_platform == 'linux'", "jax; extra == 'a'")
)


def coming(name: str, version: str) -> Package:
    return Package(name, PackageVersion(version), f"{name}.whl", "", "0" * 64, 1, "")


def told(*packages: Package, there: tuple[Neighbour, ...] = (TORCH,), leaving: tuple[str, ...] = ()) -> list[str]:
    others = tuple(Neighbour(name, "2.0" if name == "numpy" else "9.1", ()) for name in ("numpy", "nvidia-cudnn-cu12"))
    return [str(one) for one in unmet(packages, (*there, *others), leaving, HERE)]


def test_a_requirement_of_what_stays_that_would_break_is_named_with_both_versions() -> None:
    assert told(coming("nvidia-cudnn-cu12", "9.28")) == [
        "torch 2.8.0 needs nvidia-cudnn-cu12==9.1, and 9.28 would come"
    ]
    assert told(coming("numpy", "2.2"), coming("nvidia-cudnn-cu12", "9.1")) == [
        "torch 2.8.0 needs numpy<2.1, and 2.2 would come"
    ]


def test_what_fits_what_leaves_and_what_comes_itself_is_no_conflict() -> None:
    assert told(coming("numpy", "2.0.5")) == []
    assert told(coming("numpy", "2.2"), leaving=("torch",)) == []
    assert told(coming("numpy", "2.2"), coming("torch", "2.9")) == []


def test_a_requirement_that_does_not_count_here_or_is_broken_already_is_no_conflict() -> None:
    assert told(coming("jax", "0.1")) == []
    broken = TORCH._replace(requires=("numpy>=3", "what is this?", "nvidia-cudnn-cu12; sys_platform == 'win32'"))
    assert told(coming("numpy", "2.2"), coming("nvidia-cudnn-cu12", "9.28"), there=(broken,)) == []


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Two NumPys, of which TensorFlow would get the newer, and packages that want the older."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("tensorflow", "tensorflow-cpu"):
        make_tensorflow(folder, VERSION, name=name, cuda="", requires=("numpy>=2",))
    for version in ("2.0.0", "2.1.0", "1.26.0"):
        make(folder, "numpy", version)
    make(folder, "modest", "1.0", requires=("numpy<2.1",))
    make(folder, "stubborn", "1.0", requires=("numpy<2",))
    return folder


def holding(tmp_path: Path, wheels: Path, *packages: str) -> Path:
    env = tmp_path / "env"
    settings = Settings(find_links=(str(wheels),), no_index=True)
    for words in (
        ["venv", "--python", BASE, str(env)],
        ["pip", "install", "--python", str(env), *uv.options(settings), *packages],
    ):
        done = uv.run(words, settings=settings)
        assert done.code == 0, done.err
    return env


@pytest.mark.slow
@linux
def test_a_plan_is_held_to_what_stays_or_there_is_none(tmp_path: Path, wheels: Path) -> None:
    env = holding(tmp_path, wheels, "modest", "numpy==2.0.0")
    assert {(one.name, one.requires) for one in neighbours(str(env))} == {("modest", ("numpy<2.1",)), ("numpy", ())}
    words = ("install", f"tensorflow=={VERSION}", "--cpu", "--env", env, "--wheelhouse", wheels, "--offline")
    out, _ = run(*words, "--dry-run")
    assert "numpy 2.0.0" in " ".join(out.split())
    assert "held to numpy<2.1: modest 1.0 stays" in " ".join(out.split())


@pytest.mark.slow
@linux
def test_where_nothing_suits_both_there_is_no_plan_and_a_way_out(tmp_path: Path, wheels: Path) -> None:
    env = holding(tmp_path, wheels, "stubborn", "numpy==1.26.0")
    words = ("install", f"tensorflow=={VERSION}", "--cpu", "--env", env, "--wheelhouse", wheels, "--offline", "--yes")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    _, err = run(*words, code=1)
    assert "stubborn 1.0 needs numpy<2, and 2.1.0 would come" in err
    assert "gpucheck install --env" in err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
