"""`gpucheck doctor --fix-paths` for a real TensorFlow that finds no GPU, and finds it after the change: end to end.

The environment is one of the shared ones, its libraries linked into a folder whose scripts may be changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_driver import FakeDriver
from real_environments import environment

ROOT = Path(__file__).parent.parent
LIST = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"

pytestmark = [
    pytest.mark.real,
    pytest.mark.native,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this machine: wheels for Linux are examined"),
]


def with_own_scripts(name: str, prefix: Path) -> Path:
    """A virtual environment with the packages of a shared one."""
    shared = environment(name)
    (prefix / "bin").mkdir(parents=True)
    for file in (shared / "bin").glob("python*"):
        shutil.copy(file, prefix / "bin" / file.name, follow_symlinks=False)
    shutil.copy(shared / "pyvenv.cfg", prefix)
    (prefix / "lib").symlink_to(shared / "lib")
    script = (shared / "bin" / "activate").read_text()
    (prefix / "bin" / "activate").write_text(script.replace(str(shared), str(prefix)))
    return prefix


def sh(driver: FakeDriver, home: Path, command: str) -> subprocess.CompletedProcess[str]:
    """What a user types into bash."""
    places = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "PYTHONPATH": str(ROOT)}
    environ = {**driver.environ(), **places, "GPUCHECK": f"{sys.executable} -m gpucheck doctor"}
    argv = ["bash", "-c", command]
    return subprocess.run(argv, capture_output=True, text=True, env=environ, check=False, timeout=300)


@pytest.mark.parametrize("name", ["tf221", "tf2161"])
def test_a_real_tensorflow_finds_the_gpu_after_the_change_and_not_after_undo(
    fake_driver: FakeDriver, tmp_path: Path, name: str
) -> None:
    prefix = with_own_scripts(name, tmp_path / "its env")
    script = prefix / "bin" / "activate"
    before = script.read_bytes()
    active = f". '{script}' && export PYTHONPATH="
    doctor = f". '{script}' && $GPUCHECK"
    assert sh(fake_driver, tmp_path, doctor).returncode == 1

    shown = sh(fake_driver, tmp_path, f"{doctor} --fix-paths")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "nvidia/cusolver/lib" in shown.stdout
    assert script.read_bytes() == before, "shown only"
    assert sh(fake_driver, tmp_path, f'{active} && python -c "{LIST}"').stdout == "0\n"

    done = sh(fake_driver, tmp_path, f"{doctor} --fix-paths --yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Done" in done.stdout
    assert sh(fake_driver, tmp_path, f'{active} && python -c "{LIST}"').stdout == "1\n"
    after = sh(fake_driver, tmp_path, doctor)
    assert after.returncode == 0, after.stdout
    # in a shell that was there before, the change is made already
    again = sh(fake_driver, tmp_path, f"$GPUCHECK --python '{prefix}' --fix-paths --yes")
    assert (again.returncode, again.stdout.startswith("The change is made already")) == (0, True)

    back = sh(fake_driver, tmp_path, "$GPUCHECK --fix-paths --undo")
    assert (back.returncode, script.read_bytes() == before) == (1, False), "shown only"
    back = sh(fake_driver, tmp_path, "$GPUCHECK --fix-paths --undo --yes")
    assert (back.returncode, back.stderr) == (0, "")
    assert script.read_bytes() == before
    assert "has changed nothing" in sh(fake_driver, tmp_path, "$GPUCHECK --fix-paths --undo --yes").stdout


def test_what_no_path_cures_is_said_and_nothing_is_written(fake_driver: FakeDriver, tmp_path: Path) -> None:
    prefix = with_own_scripts("tfnocuda", tmp_path / "env")
    done = sh(fake_driver, tmp_path, f"$GPUCHECK --python '{prefix}' --fix-paths --yes")
    assert done.stdout == "Nothing that a path would cure; gpucheck doctor tells the cause.\n"
    assert done.returncode == 0
    assert not (tmp_path / "state").exists()
    assert sorted(os.listdir(tmp_path)) == ["env"]
