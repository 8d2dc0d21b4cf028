"""PyTorch and JAX beside TensorFlow: their own CUDA builds share folders with TensorFlow's in site-packages/nvidia."""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Distribution, FrameworkBuild
from gpucheck.facts.versions import CudaVersion, PackageVersion
from gpucheck.host import Host

_PLUGIN = "jax-cuda"


def read_torch_version(data: bytes) -> dict[str, str]:
    """The quoted values of torch/version.py: ``__version__ = '2.6.0+cu124'``, ``cuda: Optional[str] = '12.4'``."""
    values: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines()[:100]:
        name, found, value = line.partition("=")
        value = value.strip()
        if found and len(value) > 2 and value[0] in "'\"" and value[-1] == value[0]:
            values[name.partition(":")[0].strip()] = value[1:-1]
    return values


def find_torch(host: Host, folders: tuple[str, ...]) -> Union[FrameworkBuild, None, Gap]:
    """The torch that would be imported; None: there is none."""
    for folder in folders:
        data = host.read(f"{folder}/torch/version.py", 8192)
        if isinstance(data, Gap):
            return data
        if data is not None:
            values = read_torch_version(data)
            version = PackageVersion.parse(values.get("__version__", ""))
            if version is None:
                return Gap(f"no version in {folder}/torch/version.py")
            cuda = values.get("cuda")
            return FrameworkBuild(version, CudaVersion.parse(cuda) if cuda else None)
    return None


def find_jax(distributions: Union[tuple[Distribution, ...], Gap]) -> Union[FrameworkBuild, None, Gap]:
    """jaxlib, and CUDA's major version from the name of its plugin (jax-cuda12-plugin)."""
    if isinstance(distributions, Gap):
        return distributions
    library = next((one for one in distributions if one.name == "jaxlib"), None)
    if library is None:
        return None
    plugins = [one.name[len(_PLUGIN) :].partition("-")[0] for one in distributions if one.name.startswith(_PLUGIN)]
    # Before 0.4.26 CUDA was in jaxlib itself, marked in the version: 0.4.20+cuda12.cudnn89.
    plugins += [part[4:] for part in library.version.text.partition("+")[2].split(".") if part.startswith("cuda")]
    number = next((one for one in plugins if one.isdigit()), None)
    return FrameworkBuild(library.version, CudaVersion.parse(number) if number else None)
