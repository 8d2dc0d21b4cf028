"""An environment whose interpreter is a shell script that answers as told, and libraries of a few hundred bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Check, Choice, Request, Target
from gpucheck.facts.versions import CudaVersion, CudnnVersion, LibcVersion, PackageVersion, PythonVersion
from gpucheck.install.proof import gpus, libraries, running
from gpucheck.install.proof.asking import Said
from gpucheck.install.proof.prove import prove
from gpucheck.install.proof.reading import read

PYTHON = PythonVersion("3.12")
# The files of 2.21.0's wheels, as the index gave them on 2026-11-23: folder below nvidia/, names, distribution.
WHEELS = (
    ("cublas", ("libcublas.so.12", "libcublasLt.so.12"), "nvidia-cublas-cu12", "12.9.3.13"),
    ("cuda_runtime", ("libcudart.so.12",), "nvidia-cuda-runtime-cu12", "12.9.79"),
    ("cudnn", ("libcudnn.so.9", "libcudnn_graph.so.9"), "nvidia-cudnn-cu12", "9.28.0.42"),
    ("cufft", ("libcufft.so.11",), "nvidia-cufft-cu12", "11.4.1.4"),
    ("cusolver", ("libcusolver.so.11",), "nvidia-cusolver-cu12", "11.7.5.82"),
    ("cusparse", ("libcusparse.so.12",), "nvidia-cusparse-cu12", "12.5.10.65"),
)
TOLD = {
    "libcublas.so.12": [12, 9, 3],
    "libcudart.so.12": [12, 9],
    "libcudnn.so.9": [9, 28, 0],
    "libcufft.so.11": [11, 4, 1],
    "libcusolver.so.11": [11, 7, 5],
    "libcusparse.so.12": [12, 5, 10],
}
BUILD = (
    '"""Auto-generated."""\nimport collections\n\nbuild_info = collections.OrderedDict([("cuda_version", "{cuda}"), '
    '("cudnn_version", "{cudnn}"), ("is_cuda_build", True), ("is_rocm_build", False)])\n'
)
CPU_BUILD = "import collections\n\nbuild_info = collections.OrderedDict([('is_cuda_build', False)])\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
OK = {"status": "ok", "error": None, "off": 2e-7, "seconds": 0.1}
CPU = ({"device": "CPU:0", "operation": "matmul", **OK}, {"device": "CPU:0", "operation": "layer", **OK})


def choice(
    release: str = "2.21.0",
    cuda: Union[str, None] = "12.5.1",
    cudnn: Union[str, None] = "9.3",
    package: str = "tensorflow",
    brings: bool = True,
) -> Choice:
    return Choice(
        Request(),
        Target("linux", "x86_64", LibcVersion("2.36"), PYTHON),
        PackageVersion(release),
        package,
        (f"{package}=={release}",),
        None,
        CudaVersion(cuda) if cuda else None,
        CudnnVersion(cudnn) if cudnn else None,
        brings and cuda is not None,
        (),
        (),
        (),
        (),
    )


def distribution(site: Path, name: str, version: str, files: dict[str, bytes], requires: str = "") -> None:
    """Lay the files down with a dist-info, as an installer does."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    lines = [f"Requires-Dist: {requires}\n"] if requires else []
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{''.join(lines)}".encode()
    rows = []
    own = {f"{info}/METADATA": metadata, f"{info}/WHEEL": WHEEL, f"{info}/INSTALLER": b"uv\n"}
    for path, content in {**files, **own}.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        rows.append(f"{path},sha256={digest},{len(content)}\n")
    (site / info / "RECORD").write_text("".join([*rows, f"{info}/RECORD,,\n"]))


def elf(runpath: str = "") -> bytes:
    """A shared object for x86_64 with nothing in it but a RUNPATH (System V gABI, chapters 4 and 5)."""
    strings = b"\0" + runpath.encode() + b"\0"
    at = 64 + 2 * 56
    dynamic = struct.pack("<6Q", 5, at, 29, 1, 0, 0)
    size = at + len(strings) + len(dynamic)
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    where = at + len(strings)
    dyn = struct.pack("<IIQQQQQQ", 2, 6, where, where, where, len(dynamic), len(dynamic), 8)
    return head + load + dyn + strings + dynamic


class Environment:
    """An environment with a TensorFlow in it that is as good as its interpreter says."""

    def __init__(self, folder: Path, release: str = "2.21.0", wheels: bool = True) -> None:
        self.root = folder / "env"
        self.site = self.root / "lib" / "python3.12" / "site-packages"
        self.site.mkdir(parents=True)
        self._answers = folder / "answers"
        self._answers.mkdir()
        self._snippets: dict[str, str] = {}
        info = {"tensorflow/__init__.py": b"", "tensorflow/libtensorflow_framework.so.2": elf("$ORIGIN/x")}
        build = {"tensorflow/python/platform/build_info.py": BUILD.format(cuda="12.5.1", cudnn="9").encode()}
        distribution(self.site, "tensorflow", release, {**info, **build})
        distribution(self.site, "keras", "3.15.1", {"keras/__init__.py": b""})
        distribution(self.site, "numpy", "2.5.5", {"numpy/__init__.py": b""})
        self.libraries: list[str] = []
        for folder_, names, wheel, version in WHEELS if wheels else ():
            files = {f"nvidia/{folder_}/lib/{name}": elf() for name in names}
            self.libraries += [str(self.site / path) for path in files]
            distribution(self.site, wheel, version, files)
        self.libraries.sort()
        self._be_good(release)

    @property
    def python(self) -> str:
        return str(self.root / "bin" / "python")

    def _be_good(self, release: str) -> None:
        self.says("where", self.where())
        self.says("driver", {"stage": "driver", "library": False, "error": "no", "code": None, "count": None})
        self.says("libraries", *(self.loaded(path) for path in self.libraries))
        self.says("loader", self.opened())
        self.says("tensorflow", *self.ran(release))

    def where(self, **other: Any) -> dict[str, Any]:
        place = {"version": [3, 12, 1], "prefix": str(self.root), "site": [str(self.site)]}
        found = {name: str(self.site / name / "__init__.py") for name in ("tensorflow", "keras", "numpy")}
        return {"stage": "where", **place, "found": found, **other}

    def loaded(self, path: str, **other: Any) -> dict[str, Any]:
        version = TOLD.get(Path(path).name)
        line = {"stage": "library", "path": path, "ok": True, "error": "", "version": version, "code": 0}
        return {**line, "mapped": [path, "/usr/lib/libc.so.6"], **other}

    def opened(self, **other: Any) -> dict[str, Any]:
        return {"stage": "loader", "symbol": "_Z", "mapped": self.libraries, **other}

    def imported(self, release: str = "2.21.0", **other: Any) -> dict[str, Any]:
        file = str(self.site / "tensorflow" / "__init__.py")
        return {"stage": "import", "ok": True, "version": release, "file": file, "seconds": 3.0, **other}

    def keras(self, **other: Any) -> dict[str, Any]:
        return {"stage": "keras", "ok": True, "error": "", "version": "3.15.1", "backend": "tensorflow", **other}

    def ran(
        self, release: str = "2.21.0", devices: tuple[str, ...] = (), *operations: dict[str, Any]
    ) -> list[dict[str, Any]]:
        lines = [self.imported(release), self.keras(), {"stage": "devices", "devices": list(devices), "error": None}]
        return [*lines, *({"stage": "operation", **one} for one in (*CPU, *operations)), {"stage": "done"}]

    def says(self, command: str, *lines: dict[str, Any], log: str = "", then: str = "") -> None:
        """What the interpreter answers; then: shell that follows (`kill -SEGV $$`)."""
        answer = self._answers / command
        answer.write_text("".join(json.dumps(line) + "\n" for line in lines))
        (self._answers / f"{command}.log").write_text(log)
        self.does(command, f"cat '{answer}'; cat '{answer}.log' >&2; {then}")

    def does(self, command: str, shell: str) -> None:
        """What the interpreter does, as shell."""
        self._snippets[command] = shell
        names = "|".join(self._snippets)
        cases = "\n".join(f"{name}) {text}\n;;" for name, text in self._snippets.items())
        find = f'for word in "$@"; do case $word in {names}) command=$word;; esac; done'
        program = self.root / "bin" / "python"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{find}\ncase $command in\n{cases}\nesac\n")
        program.chmod(0o755)

    def judge(
        self, name: str, *lines: dict[str, Any], log: str = "", by: Union[Choice, None] = None, offered: int = 1
    ) -> Check:
        """One check of what a child said, with no child. offered: how many GPUs the driver said it has."""
        said, by, reading = Said("", False, lines, "", log), by or choice(), read([str(self.site)])
        own, root = libraries.owned(reading), str(self.root)
        if name in ("libraries", "loader"):
            return (libraries.libraries if name == "libraries" else libraries.loader)(said, own, root, by)
        driver = {"stage": "driver", "library": True, "error": "", "code": 0, "count": offered}
        ran = running.gather(said, lambda leave_out, hide: said)
        gpu = gpus.listed(ran, Said("", False, (driver,), "", ""), by)
        return {
            "import": running.imported(ran, reading, root, by),
            "keras": running.keras(ran, reading, by),
            "cpu operation": running.on_the_cpu(ran),
            "gpu": gpu,
            "gpu operation": gpus.on_the_gpus(ran, gpu, True),
        }[name]

    def prove(self, *only: str, by: Union[Choice, None] = None, **more: Any) -> dict[str, Check]:
        """The checks by name."""
        more.setdefault("environ", {"PATH": "/usr/bin:/bin"})
        made = prove(self.python, by or choice(), root=str(self.root), only=only or None, deadline=60.0, **more)
        return {check.name: check for check in made.checks}


def any_target(one: Choice) -> Choice:
    """The same, for whatever interpreter there is."""
    return one._replace(target=Gap("any"))
