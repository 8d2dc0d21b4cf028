"""The scripts from nothing: fresh, repeated, interrupted, without a network or ensurepip, in a folder with a space."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ("own_environment.py", "demo.py", "test.py", "benchmark_doctor.py", "benchmark_bench.py")


def checkout(folder: Path) -> Path:
    """A copy of what the scripts need, so that nothing here touches the real environments."""
    for name in ("gpucheck", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def run(script: Path, *words: str, python: str = sys.executable, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(script), *words], env={**os.environ, **environ}, capture_output=True, text=True, timeout=600
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_old_python_can_parse_them_to_say_that_it_is_too_old(name: str) -> None:
    ast.parse((ROOT / "scripts" / name).read_text(), feature_version=(3, 7))


def test_the_speed_tests_benchmark_compares_rounds_in_which_both_were_undisturbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from interleaved import Environment, Variant, Visit, ratio

    somewhere = Environment("python", "torch", "nothing runs", "cpu")
    one, other = Variant(somewhere, "one"), Variant(somewhere, "other")
    other.visits = [Visit(number, 1.0, 0.5 if number == 1 else 0.0) for number in range(6)]
    one.visits = [Visit(number, 50.0 if number < 2 else 2.0, 0.5 if number == 0 else 0.0) for number in range(6)]
    found, rounds = ratio(one, other)
    assert (found, rounds) == ((2.0, 2.0, 2.0), 4)
    one.visits.pop()
    assert ratio(one, other) == (None, 3), "too few to tell"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo.py", "test.py"])
def test_without_a_network_they_say_so_and_fail(tmp_path: Path, name: str) -> None:
    where = checkout(tmp_path / "copy")
    done = run(where / "scripts" / name, PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert done.returncode == 1
    assert "Without a network there is nothing to install from" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.real
def test_the_demo_goes_from_nothing_to_a_figure_and_can_be_repeated_and_repaired(tmp_path: Path) -> None:
    where = checkout(tmp_path / "a folder with spaces")
    first = run(where / "scripts" / "demo.py", "--time", "2")
    assert first.returncode == 0, first.stderr
    assert "of doctor: it found no error" in first.stdout
    assert "of bench: " in first.stdout
    assert "1,663,370 parameters" in first.stdout

    again = run(where / "scripts" / "demo.py", "--load", "nothing", PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert "Setting up" not in again.stderr, "the second run needs no network"
    assert again.returncode == 1
    assert "gpucheck itself failed (exit code 2)" in again.stderr, "a wrong word is no measurement"

    (where / ".venv-demo" / "gpucheck-ready").unlink()  # as if the first had been interrupted
    python = where / ".venv-demo" / "bin" / "python"
    python.unlink()
    repaired = run(where / "scripts" / "demo.py", "--time", "1")
    assert repaired.returncode == 0, repaired.stderr
    assert python.exists()

    (where / "gpucheck" / "cli.py").write_text("raise RuntimeError('broken')\n")
    broken = run(where / "scripts" / "demo.py")
    assert broken.returncode == 1
    assert "gpucheck itself does not run" in broken.stderr


def without_ensurepip(folder: Path) -> str:
    """A real Python that lacks ensurepip and pip, as Debian's python3 does without python3-venv and python3-pip."""
    real = Path(os.path.realpath(sys.executable))
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = folder / "lib" / version
    library.mkdir(parents=True)
    for entry in Path(os.__file__).parent.iterdir():
        if entry.name not in ("ensurepip", "site-packages", "dist-packages"):
            (library / entry.name).symlink_to(entry)
    (library / "site-packages").mkdir()
    (folder / "bin").mkdir()
    shutil.copy(real, folder / "bin" / version)
    return str(folder / "bin" / version)


@pytest.mark.slow
def test_a_python_without_ensurepip_gets_the_one_line_cure(tmp_path: Path) -> None:
    python = without_ensurepip(tmp_path / "bare")
    where = checkout(tmp_path / "copy")
    if subprocess.run([python, "-c", "import venv, ssl"], capture_output=True).returncode:
        pytest.skip("this machine: its Python does not run from a copy")
    done = run(where / "scripts" / "demo.py", python=python)
    assert done.returncode == 1
    assert "sudo apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (where / ".venv-demo").exists()
