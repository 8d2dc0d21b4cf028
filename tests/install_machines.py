"""Machines for `gpucheck install`, made by hand: a GPU, a driver, a Python and a system; no more matters."""

from __future__ import annotations

from typing import Any, Union

import sample

from gpucheck.facts.driver import CudaDriver, Driver, Nvml, PciGpu
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.python import Interpreter
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.system import Cpu
from gpucheck.facts.versions import ComputeCapability, CudaVersion, DriverVersion, LibcVersion, PythonVersion

# name: compute capability
GPUS = {
    "NVIDIA GeForce 940M": "5.0",
    "Tesla K80": "3.7",
    "GeForce GTX 680": "3.0",
    "NVIDIA GeForce GTX 970": "5.2",
    "NVIDIA GeForce GTX 1080": "6.1",
    "Tesla V100-SXM2-16GB": "7.0",
    "Tesla T4": "7.5",
    "NVIDIA A100-SXM4-40GB": "8.0",
    "NVIDIA GeForce RTX 4090": "8.9",
    "NVIDIA H100 80GB HBM3": "9.0",
    "NVIDIA GeForce RTX 5090": "12.0",
    "Orin": "8.7",
    "NVIDIA GH200 480GB": "9.0",
}


def machine(
    gpu: Union[str, tuple[str, ...], None] = "NVIDIA GeForce RTX 4090",
    driver: Union[str, None] = "580.95.05",
    python: Union[str, None] = "3.12.4",
    os: str = "linux",
    arch: str = "x86_64",
    libc: Union[str, None] = "2.39",
    wsl: Union[int, None] = None,
    avx: Union[bool, None] = True,
    others: tuple[str, ...] = (),
    **of_python: Any,
) -> Snapshot:
    """A machine with an empty environment. gpu: a name of GPUS, None: no NVIDIA GPU. driver: None: none is loaded."""
    names = (gpu,) if isinstance(gpu, str) else gpu or ()
    windows = os == "windows"
    version = DriverVersion(driver) if driver and names else None
    system = sample.system(
        os=os,
        machine=arch,
        libc=LibcVersion(libc) if libc and not windows else None,
        wsl=wsl,
        cpu=Cpu("a CPU", 8, avx, avx),
    )
    interpreter = sample.python(
        version=PythonVersion(python) if python else Gap("the interpreter did not answer", "crashed"),
        machine=None if windows else arch,
        distributions=(),
        tensorflow=None,
        torch=None,
        others=tuple(Interpreter(path, path) for path in others),
        **of_python,
    )
    return sample.snapshot(
        system=system,
        python=interpreter,
        driver=_driver(names, version, windows or bool(wsl)),
        gpus=_gpus(names, version),
    )


def _driver(names: tuple[str, ...], version: Union[DriverVersion, None], windows: bool) -> Driver:
    """Windows' driver is known by NVML alone."""
    answered = version is not None
    nvml = Nvml("ok", 0, None, None, "nvml", version, None, CudaVersion("13.0"), len(names))
    cuda = CudaDriver("ok", 0, None, None, "cuda", CudaVersion("13.0"), len(names))
    return sample.driver(
        module_version=None if windows else version,
        module_open=None,
        nodes=(),
        libraries=(),
        pci=None if windows else tuple(PciGpu("0000:01:00.0", "10de", "0", "nvidia", "D0", True) for _ in names),
        nvml=nvml if answered else Nvml("not-found", None, None, None, None, None, None, None, None),
        cuda=cuda._replace(cuda_version=_level(version)) if version else CudaDriver("not-found", *(None,) * 6),
    )


def _level(driver: DriverVersion) -> CudaVersion:
    """The CUDA version that a driver of this branch offers."""
    table = ((580, "13.0"), (555, "12.5"), (525, "12.0"), (450, "11.0"), (418, "10.1"), (384, "9.0"))
    return CudaVersion(next((cuda for branch, cuda in table if driver.major >= branch), "8.0"))


def _gpus(names: tuple[str, ...], version: Union[DriverVersion, None]) -> Union[tuple[Gpu, ...], Gap]:
    if names and version is None:
        return Gap("no driver answers", "unsupported")
    return tuple(
        sample.gpu(at, name=name, compute_capability=ComputeCapability(GPUS[name])) for at, name in enumerate(names)
    )
