"""Real environments from the index, made once by uv into a folder that all runs of the tests share.

The folder is $GPUCHECK_TEST_CACHE or ~/.cache/gpucheck-tests; each environment has a lock beside it (two runs may
start at once) and a marker that is written when it is whole. All of them together download about 12 GB and take 25 GB.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn, Union

import pytest


class Spec(NamedTuple):
    """pythons: fitting minor versions, the best first. alone: requirements installed without their dependencies.

    by_pip: installed by pip, whose configuration may name places that uv does not read.
    """

    requirements: tuple[str, ...]
    pythons: tuple[str, ...]
    gigabytes: float  # on disk
    alone: tuple[str, ...] = ()
    by_pip: bool = False


SPECS: dict[str, Spec] = {
    "tf221": Spec(("tensorflow[and-cuda]==2.21.0",), ("3.11", "3.12", "3.13", "3.10"), 6.5),
    "tf2161": Spec(("tensorflow[and-cuda]==2.16.1",), ("3.11", "3.12", "3.10", "3.9"), 4.8),
    # The newest whose own cuDNN computes on Pascal (a GTX 1080).
    "tf2181": Spec(("tensorflow[and-cuda]==2.18.1",), ("3.12", "3.11", "3.10", "3.9"), 5.0),
    # Without the rest of CUDA: what matters is that two cuDNN wheels write into one folder.
    "tftorch": Spec(
        ("tensorflow==2.18.1", "nvidia-cudnn-cu12==9.3.0.75"),
        ("3.11", "3.12", "3.10", "3.9"),
        5.0,
        ("torch", "nvidia-cudnn-cu13"),
    ),
    "tfcpu": Spec(("tensorflow-cpu==2.20.0",), ("3.12", "3.11", "3.13", "3.10"), 1.2),
    "tfnocuda": Spec(("tensorflow==2.21.0",), ("3.13", "3.12", "3.11", "3.10"), 1.9),
    # For the speed test: Keras on JAX, Keras on PyTorch, Keras 2.
    "kjax": Spec(("jax==0.12.0.1", "keras==3.15.1"), ("3.12", "3.13", "3.11"), 0.6),
    # Where pip's configuration names no CPU build this is the one for CUDA: 3 GB to download, and it computes the same.
    "ktorch": Spec(("torch==2.13.0", "keras==3.15.1"), ("3.11", "3.12", "3.13"), 1.1, by_pip=True),
    "tf210": Spec(("tensorflow==2.10.1", "numpy<2"), ("3.10", "3.9"), 1.7),
    "tf210np2": Spec(("tensorflow==2.10.1", "numpy>=2"), ("3.10", "3.9"), 1.5),
}


def environment(name: str) -> Path:
    """The folder of a finished environment, made if need be; skips the test by name where that cannot be."""
    spec = SPECS[name]
    cache = Path(os.environ.get("GPUCHECK_TEST_CACHE") or Path.home() / ".cache" / "gpucheck-tests")
    cache.mkdir(parents=True, exist_ok=True)
    folder, marker = cache / name, cache / f"{name}.finished"
    recipe = json.dumps([spec.requirements, spec.alone])
    with _locked(cache / f"{name}.lock"):
        if not (marker.exists() and marker.read_text() == recipe and (folder / "pyvenv.cfg").exists()):
            marker.unlink(missing_ok=True)
            _make(name, spec, folder)
            marker.write_text(recipe)
    return folder


def _make(name: str, spec: Spec, folder: Path) -> None:
    uv = _uv() or _give_up(f"{name}: no uv in the test environment")
    python = next((found for minor in spec.pythons if (found := _interpreter(uv, minor))), None)
    if python is None:
        pytest.skip(f"{name}: none of Python {', '.join(spec.pythons)} is on this machine")
    shutil.rmtree(folder, ignore_errors=True)
    room = shutil.disk_usage(folder.parent).free / 1e9
    if room < spec.gigabytes * 1.1:
        _give_up(f"{name}: needs {spec.gigabytes} GB in {folder.parent}, {room:.1f} GB are free")
    own = str(folder / "bin" / "python")
    commands = [[uv, "venv", "--quiet", *(["--seed"] if spec.by_pip else []), "--python", python, str(folder)]]
    install = [own, "-m", "pip", "install", "--quiet"] if spec.by_pip else [uv, "pip", "install", "--quiet", "-p", own]
    commands.append([*install, *spec.requirements])
    if spec.alone:
        commands.append([*install, "--no-deps", *spec.alone])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            _give_up(f"{name}: {' '.join(command[:4])} failed: {done.stderr.strip()[-600:]}")


def _give_up(reason: str) -> NoReturn:
    """Skip, but fail in CI: there a missing environment is a hole in the tests."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _uv() -> Union[str, None]:
    try:
        from uv import find_uv_bin
    except ImportError:
        return shutil.which("uv")
    with contextlib.suppress(FileNotFoundError):
        return str(find_uv_bin())
    return shutil.which("uv")


def _interpreter(uv: str, minor: str) -> Union[str, None]:
    """An interpreter of that minor version that is installed already: this one, pyenv's, PATH's, uv's own."""
    if f"{sys.version_info[0]}.{sys.version_info[1]}" == minor:
        return str(getattr(sys, "_base_executable", sys.executable))
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for path in sorted(versions.glob(f"{minor}.*/bin/python{minor}"), reverse=True):
        return str(path)
    found = subprocess.run([uv, "python", "find", "--system", minor], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None if found.returncode == 0 else None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
