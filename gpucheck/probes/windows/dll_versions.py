"""Which version a DLL has: from its own resource, its wheel's or conda's record, the header that lies beside it.

Nothing is loaded and nothing is run.
"""

from __future__ import annotations

from typing import Union

from gpucheck.compat.libraries import BY_NAME
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Distribution
from gpucheck.facts.versions import CudaVersion, LibraryVersion
from gpucheck.host import Host, Pe
from gpucheck.probes.library_versions import read_cudnn_header

_MOST_HEADER = 1 << 18  # cudnn.h of cuDNN 7, whose version stands near its begin
_RESOURCE, _HEADER = "version resource", ("cudnn_version.h", "cudnn.h")


def of_header(library: str, header: Pe) -> Union[LibraryVersion, None]:
    """The version that a DLL's resource tells, where NVIDIA's way of writing it is known.

    cudart: 6.14.11.11080 is CUDA 11.8 (seen in 11.7, 11.8 and 12.5). cuDNN: its own number from 8.9 on (seen in 8.9.4,
    8.9.5 and 9.3.0); older ones have 6.14.11 and CUDA's number, which tells nothing of cuDNN.
    """
    parts = (header.file_version or "").split(".")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return None
    common = parts[:3] == ["6", "14", "11"]
    if library == "cudart" and common and int(parts[3]) >= 7000:
        return LibraryVersion(CudaVersion.of_number(int(parts[3])).text)
    return LibraryVersion(".".join(parts)) if library == "cudnn" and not common and int(parts[0]) >= 8 else None


class Versions:
    """Asks one host. installed: the examined Python's distributions, for the wheels and conda's packages."""

    def __init__(self, host: Host, installed: tuple[Distribution, ...]) -> None:
        self.host = host
        self.installed = installed
        self._kits: dict[str, dict[str, str]] = {}

    def of(
        self, library: str, path: str, header: Union[Pe, None, Gap]
    ) -> tuple[Union[LibraryVersion, None, Gap], Union[str, None]]:
        """The version and where it was read."""
        own = of_header(library, header) if isinstance(header, Pe) and header.defect is None else None
        if own is not None:
            return own, f"{_RESOURCE} of {path}"
        found = self._record(library, path)
        found = found or (self._cudnn_header(path) if library == "cudnn" else self._of_toolkit(library, path))
        return found or (Gap(f"neither the file nor anything beside it tells: {path}", "unsupported"), None)

    def _record(self, library: str, path: str) -> Union[tuple[LibraryVersion, str], None]:
        stem = BY_NAME[library].wheel if library in BY_NAME else "nvidia-cuda-nvcc"
        own = [one for one in self.installed if paths.inside(path, paths.join(one.location, "nvidia"))]
        names = [one for one in own if one.name in (stem, *(f"{stem}-cu{major}" for major in (11, 12, 13)))]
        if len(names) == 1:
            return LibraryVersion(names[0].version.text), f"dist-info {names[0].name}"
        for one in self.installed:
            prefix = paths.parent(one.location)
            if paths.base(one.location) == "conda-meta" and paths.inside(path, prefix) and one.name in _conda(library):
                return LibraryVersion(one.version.text), f"conda-meta {one.name}"
        return None

    def _of_toolkit(self, library: str, path: str) -> Union[tuple[LibraryVersion, str], None]:
        """From the version.json of the toolkit in whose bin it lies, which lists every part of it."""
        folder = paths.parent(path)
        root = paths.parent(paths.parent(folder) if paths.base(folder).lower() == "x64" else folder)
        place = paths.join(root, "version.json")
        if root not in self._kits:
            data = self.host.read(place)
            self._kits[root] = read_parts(data) if isinstance(data, bytes) else {}
        version = self._kits[root].get(_PARTS.get(library, f"lib{library.lower().removesuffix('lt')}"))
        parsed = LibraryVersion.parse(version) if version else None
        return (parsed, place) if parsed else None

    def _cudnn_header(self, path: str) -> Union[tuple[LibraryVersion, str], None]:
        """From include beside bin: of a zip, of a toolkit that it was copied into, of cuDNN 9's own folder."""
        for folder in _includes(path):
            for name in _HEADER:
                place = paths.join(folder, name)
                data = self.host.read(place, _MOST_HEADER)
                version = read_cudnn_header(data) if isinstance(data, bytes) else None
                if version:
                    return version, place
        return None


_PARTS = {"cudart": "cuda_cudart", "nvrtc": "cuda_nvrtc", "cupti": "cuda_cupti"}


def read_parts(data: bytes) -> dict[str, str]:
    """The parts' versions of a version.json: {"libcublas": {"name": "CUDA cuBLAS", "version": "11.4.1.1043"}}."""
    import json

    try:
        listed = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    parts = listed.items() if isinstance(listed, dict) else ()
    told = {name: one.get("version") for name, one in parts if isinstance(one, dict)}
    return {name: version for name, version in told.items() if isinstance(version, str)}


def _conda(library: str) -> tuple[str, ...]:
    """conda's packages that bring it; of cudatoolkit the version is CUDA's, which is the runtime's alone."""
    return ("cudnn", "libcudnn") if library == "cudnn" else (f"lib{library.lower()}", *_RUNTIME.get(library, ()))


_RUNTIME = {"cudart": ("cuda-cudart", "cudatoolkit")}


def _includes(path: str) -> tuple[str, ...]:
    r"""…\bin\cudnn64_8.dll: …\include. …\v9.4\bin\12.6[\x64]\cudnn64_9.dll: …\v9.4\include\12.6."""
    folder = paths.parent(path)
    if paths.base(folder).lower() in ("x64", "x86_64"):
        folder = paths.parent(folder)
    above = paths.parent(folder)
    if paths.base(above).lower() == "bin":
        return (paths.join(paths.parent(above), "include", paths.base(folder)),)
    return (paths.join(above, "include"),)
