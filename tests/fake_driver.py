"""A driver at the level of its ABI: tests/native/*.c compiled into libnvidia-ml.so.1 and libcuda.so.1.

The real nvidia-ml-py and a real TensorFlow load them. Faults are chosen by environment variables
(tests/native/profiles.h) or by the folder that LD_LIBRARY_PATH names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "native"
DRIVER = "580.126.09"
OLD_DRIVER = "390.157"  # before nvmlInitWithFlags, _v3 and MIG
_LIBRARIES = {"libnvidia-ml.so": "fake_nvml.c", "libcuda.so": "fake_cuda.c"}


class FakeDriver:
    """Folders to put on LD_LIBRARY_PATH, all below `root`: driver, old, only-libcuda, one for each broken file."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def folder(self) -> str:
        """A healthy driver's libraries."""
        return str(self.root / "driver")

    def environ(self, kind: str = "driver", /, **settings: str) -> dict[str, str]:
        """A small, whole environment in which the loader finds the libraries of that folder first."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.root),
            "LD_LIBRARY_PATH": str(self.root / kind),
            **settings,
        }


def build(root: Path) -> FakeDriver:
    """Compile everything into `root`. Without a compiler the tests that need it are skipped, in CI they fail."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        reason = "no C compiler (cc, gcc, clang) to build the fake driver with"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    _compile(compiler, root / "driver", DRIVER)
    (root / "only-libcuda").mkdir()
    (root / "only-libcuda" / "libcuda.so.1").symlink_to(root / "driver" / f"libcuda.so.{DRIVER}")
    _compile(compiler, root / "old", OLD_DRIVER, "-DOLD")
    for name in _LIBRARIES:
        whole = (root / "driver" / f"{name}.{DRIVER}").read_bytes()
        _put(root / "empty" / f"{name}.1", b"")
        _put(root / "truncated" / f"{name}.1", whole[: len(whole) // 4])
        _put(root / "header-only" / f"{name}.1", whole[:64])
        _put(root / "text" / f"{name}.1", b"<html>404 Not Found</html>\n" * 40)
        _put(root / "foreign" / f"{name}.1", _of_another_machine(whole))
        _put(root / "needy" / f"{name}.1", b"")
        (root / "dangling").mkdir(exist_ok=True)
        (root / "dangling" / f"{name}.1").symlink_to(f"{name}.1.gone")
        (root / "circle").mkdir(exist_ok=True)
        (root / "circle" / f"{name}.1").symlink_to(f"{name}.1")
    # each soname leads to the other library
    (root / "swapped").mkdir()
    (root / "swapped" / "libcuda.so.1").symlink_to(root / "driver" / f"libnvidia-ml.so.{DRIVER}")
    (root / "swapped" / "libnvidia-ml.so.1").symlink_to(root / "driver" / f"libcuda.so.{DRIVER}")
    _needing_another(compiler, root / "needy")
    _script(root / "smi-hangs" / "nvidia-smi", "sleep 600")
    _script(root / "smi-answers" / "nvidia-smi", f"echo {DRIVER}")
    _script(root / "smi-fails" / "nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9")
    _script(root / "smi-babbles" / "nvidia-smi", "echo '<!doctype html>'")
    (root / "nothing").mkdir()
    return FakeDriver(root)


def _compile(compiler: str, folder: Path, version: str, *options: str) -> None:
    folder.mkdir(parents=True)
    for name, source in _LIBRARIES.items():
        flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{name}.1", *options]
        subprocess.run([compiler, *flags, str(SOURCES / source), "-o", str(folder / f"{name}.{version}")], check=True)
        (folder / f"{name}.1").symlink_to(f"{name}.{version}")


def _needing_another(compiler: str, folder: Path) -> None:
    """Libraries with a dependency that is nowhere."""
    source = folder / "gone.c"
    source.write_text("int gone(void) { return 0; }\n")
    gone = folder / "libnvidia-gone.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-soname,libnvidia-gone.so", source, "-o", gone], check=True)
    for name, code in _LIBRARIES.items():
        flags = ["-shared", "-fPIC", "-Wl,--no-as-needed", f"-Wl,-soname,{name}.1"]
        subprocess.run([compiler, *flags, str(SOURCES / code), str(gone), "-o", str(folder / f"{name}.1")], check=True)
    gone.unlink()


def _of_another_machine(library: bytes) -> bytes:
    """The same file with another e_machine (gABI, offset 18): aarch64 on x86_64 and the other way round."""
    other = 62 if library[18] == 183 else 183
    return library[:18] + other.to_bytes(2, "little") + library[20:]


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _script(path: Path, line: str) -> None:
    _put(path, f"#!/bin/sh\n{line}\n".encode())
    path.chmod(0o755)
