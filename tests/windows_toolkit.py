r"""A CUDA toolkit and a cuDNN tree for Windows, put together from NVIDIA's own win_amd64 wheels.

Real are: the runtime, its headers and import libraries, ptxas.exe, libdevice, cudnn64_8.dll, cuDNN's headers and import
libraries (18 MB, read out of the wheels by range requests). cuBLAS, cuFFT, cuRAND, cuSOLVER, cuSPARSE and cuDNN's parts
are 1.6 GB; in their place lie small DLLs by mingw with their names and, for cuSOLVER, its import of cuBLAS: of those
files gpucheck reads nothing but the header, and Windows' loader finds them by nothing but the name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from windows_driver import compiler
from windows_lab import Lab, give_up

VERSION, CUDNN = "11.8.89", "8.9.4.25"
_OF_CUDNN = tuple(f"cudnn_{part}_{kind}64_8.dll" for part in ("ops", "cnn", "adv") for kind in ("infer", "train"))
_PLAIN = ("cublas64_11.dll", "cublasLt64_11.dll", "cufft64_10.dll", "curand64_10.dll", "cusparse64_11.dll")


class Wheel(NamedTuple):
    """folder: of the wheel, whose files go below `target`. only: the DLLs that are taken; () for all."""

    project: str
    version: str
    folder: str
    target: str
    only: tuple[str, ...] = ()


_WHEELS = (
    Wheel("nvidia-cuda-runtime-cu11", VERSION, "nvidia/cuda_runtime/", "cuda"),
    Wheel("nvidia-cuda-nvcc-cu11", VERSION, "nvidia/cuda_nvcc/", "cuda"),
    Wheel("nvidia-cudnn-cu11", CUDNN, "nvidia/cudnn/", "cudnn", ("cudnn64_8.dll",)),
)


def material(lab: Lab) -> Path:
    """The folder with "cuda" and "cudnn", made once and kept; do not change it."""
    place = lab.place / "nvidia"
    with lab._locked():
        if not (place / "finished").exists():
            shutil.rmtree(place, ignore_errors=True)
            for wheel in _WHEELS:
                _unpack(wheel, place / wheel.target)
            (place / "finished").touch()
    return place


def _unpack(wheel: Wheel, target: Path) -> None:
    from pypi_simple import PyPISimple
    from remotezip import RemoteZip

    index = os.environ.get("PIP_INDEX_URL")
    try:
        with PyPISimple(*([index] if index else [])) as client:
            page = client.get_project_page(wheel.project)
        files = [one for one in page.packages if one.version == wheel.version]
        url = next(one.url for one in files if one.filename.endswith("win_amd64.whl"))
        with RemoteZip(url) as archive:
            for name in archive.namelist():
                base = name.rpartition("/")[2]
                unwanted = wheel.only and base.endswith(".dll") and base not in wheel.only
                if name.startswith(wheel.folder) and base and not base.endswith(".py") and not unwanted:
                    path = target / name[len(wheel.folder) :]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(name))
    except (OSError, StopIteration) as error:
        give_up(f"the index gives no {wheel.project} {wheel.version} for Windows: {type(error).__name__}: {error}")


def stand_ins(target: Path) -> None:
    """Small DLLs under the names of the large ones."""
    tool = compiler()
    if tool is None:
        give_up("no mingw (x86_64-w64-mingw32-gcc) to build stand-ins with")
    target.mkdir(parents=True)
    source = target / "part.c"
    source.write_text("__declspec(dllexport) int part(void) { return 0; }\n")
    subprocess.run([tool, "-shared", "-s", str(source), "-o", str(target / _PLAIN[0])], check=True)
    for name in (*_PLAIN[1:], *_OF_CUDNN):
        shutil.copy(target / _PLAIN[0], target / name)
    source.write_text("int part(void);\n__declspec(dllexport) int whole(void) { return part(); }\n")
    own = target / "cusolver64_11.dll"
    subprocess.run([tool, "-shared", "-s", str(source), str(target / _PLAIN[0]), "-o", str(own)], check=True)
    source.unlink()


def install(source: Path, parts: Path, root: Path, cudnn: tuple[str, ...] = ("bin", "include", "lib")) -> None:
    """The toolkit as the installer leaves it, with these folders of cuDNN copied in as the guide of 2017 does."""
    for wanted in (source / "cuda", *(source / "cudnn" / one for one in cudnn)):
        below = root if wanted.name == "cuda" else root / wanted.name
        shutil.copytree(wanted, below, dirs_exist_ok=True, copy_function=_linked)
    for one in parts.glob("*.dll"):
        if not one.name.startswith("cudnn_") or "bin" in cudnn:
            _linked(str(one), str(root / "bin" / one.name))


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or a Windows that allows none
        shutil.copy2(source, target)
