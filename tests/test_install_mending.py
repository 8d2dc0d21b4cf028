"""An environment whose Python does not run is repaired as far as the Python that it was made from is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_index import make
from test_install_cli import BASE, linux, run

from gpucheck.install.indexes import uv
from gpucheck.install.indexes.settings import Settings

pytestmark = [pytest.mark.slow, linux]
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """A virtual environment with a package and its program."""
    folder, wheels = tmp_path / "env", tmp_path / "wheels"
    wheels.mkdir()
    make(wheels, "alpha", "1.0")
    settings = Settings(find_links=(str(wheels),), no_index=True)
    for words in (
        ["venv", "--python", BASE, str(folder)],
        ["pip", "install", "--python", str(folder), *uv.options(settings), "alpha"],
    ):
        done = uv.run(words, settings=settings)
        assert done.code == 0, done.err
    return folder


def garbage(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"\x7fELF and no more")
    path.chmod(0o755)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/python")


@pytest.mark.parametrize("name", ["python", "python3", f"python{MINOR}"])
@pytest.mark.parametrize("harm", [Path.unlink, garbage, dangling], ids=["lost", "garbage", "dangling"])
def test_each_name_of_the_interpreter_is_restored_and_nothing_else_is_touched(
    env: Path, name: str, harm: object
) -> None:
    before = {path: path.read_bytes() for path in env.rglob("*") if path.is_file() and path.parent.name != "bin"}
    harm(env / "bin" / name)  # type: ignore[operator]
    out, err = run("repair", "--env", env)
    assert "its Python" in out
    assert "does not run" in err or "is missing" in err
    for each in ("python", "python3", f"python{MINOR}"):
        words = [str(env / "bin" / each), "-c", "import sys, alpha; print(sys.prefix)"]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.stdout.strip() == str(env), done.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert "nothing to repair" in run("repair", "--env", env)[0]


def test_where_its_python_is_gone_for_good_there_is_a_way_out(env: Path) -> None:
    config = env / "pyvenv.cfg"
    config.write_text(config.read_text().replace(os.path.dirname(BASE), "/nowhere/bin"))
    dangling(env / "bin" / "python")
    names = sorted(path.name for path in env.rglob("*"))
    _, err = run("repair", "--env", env, code=2)
    assert "is not in /nowhere/bin any more" in err
    assert "gpucheck install --env" in err
    _, err = run("install", "--env", env, "--yes", code=2)
    assert "gpucheck repair" in err
    assert sorted(path.name for path in env.rglob("*")) == names
