"""Which version a library has, from what lies around it: its real name, the wheel's record, a header, conda's record.

Nothing is loaded and no symbol is read: what a file calls itself beside its name differs from library to library.
"""

from __future__ import annotations

from typing import Union

from gpucheck.compat.libraries import BY_NAME
from gpucheck.compat.places import CUDNN_HEADERS
from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Distribution
from gpucheck.facts.versions import LibraryVersion
from gpucheck.host import Host
from gpucheck.probes.distributions import split_folder
from gpucheck.probes.toolkits import read_header


def read_cudnn_header(data: bytes) -> Union[LibraryVersion, None]:
    """CUDNN_MAJOR, CUDNN_MINOR and CUDNN_PATCHLEVEL of cudnn_version.h."""
    numbers: dict[bytes, bytes] = {}
    for line in data.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == b"#define" and words[1].startswith(b"CUDNN_") and words[2].isdigit():
            numbers.setdefault(words[1][6:], words[2])
    parts = [numbers.get(name) for name in (b"MAJOR", b"MINOR", b"PATCHLEVEL")]
    return LibraryVersion(".".join(part.decode() for part in parts if part)) if all(parts) else None


_HEADERS = {"cudnn": ("cudnn_version.h", read_cudnn_header), "cudart": ("cuda_runtime_api.h", read_header)}


class Versions:
    """Asks one host; reads each wheel's RECORD once."""

    def __init__(self, host: Host, installed: tuple[Distribution, ...]) -> None:
        self.host = host
        self.installed = {one.name: one for one in installed}
        self.versions = {(one.location, one.name): one.version.text for one in installed}
        self._learnt = {one.location for one in installed}
        self._records: dict[tuple[str, str], list[bytes]] = {}

    def of(
        self, library: str, path: str, real: Union[str, None, Gap], soname: str, owner: Union[str, None]
    ) -> tuple[Union[LibraryVersion, None, Gap], Union[str, None]]:
        """From the real file's name, the header beside it, the wheel's or conda's record."""
        name = (real if isinstance(real, str) else path).rpartition("/")[2]
        ending = name.partition(".so.")[2]
        if ending and name != soname and ending.count("."):
            version = LibraryVersion.parse(ending)
            if version:
                return version, "file name"
        found = self.record(library, path, owner or self._site_of(path, real)) or self._header(library, path)
        return found or (Gap(f"neither its name nor anything beside it tells: {path}", "unsupported"), None)

    def _site_of(self, path: str, real: Union[str, None, Gap]) -> Union[str, None]:
        """The site-packages that a wheel's library lies in, another environment's, too (on LD_LIBRARY_PATH)."""
        for place in (path, real):
            if isinstance(place, str) and "/site-packages/nvidia/" in place:
                folder = f"{place.rpartition('/site-packages/nvidia/')[0]}/site-packages"
                self._learn(folder)
                return folder
        return None

    def _learn(self, folder: str) -> None:
        """The wheels of an environment that is not the examined one, once."""
        if folder in self._learnt:
            return
        self._learnt.add(folder)
        names = self.host.names(folder)
        for name in names if isinstance(names, tuple) else ():
            pair = split_folder(name) if name.startswith("nvidia_") else None
            if pair:
                self.versions.setdefault((folder, pair[0]), pair[1])

    def _header(self, library: str, path: str) -> Union[tuple[LibraryVersion, str], None]:
        """From the header beside it: cuDNN's, and CUDA's own for its runtime."""
        if library not in _HEADERS:
            return None
        name, reader = _HEADERS[library]
        folder = path.rpartition("/")[0]
        beside = f"{folder.rpartition('/')[0]}/include"
        for place in (beside, *(CUDNN_HEADERS if folder.startswith(("/usr/lib", "/lib")) else ())):
            data = self.host.read(f"{place}/{name}", 32768)
            version = reader(data) if isinstance(data, bytes) else None
            if version:
                return LibraryVersion(version.text), f"{place}/{name}"
        return None

    def record(self, library: str, path: str, owner: Union[str, None]) -> Union[tuple[LibraryVersion, str], None]:
        if owner is None:
            return self._conda(library, path)
        stem = BY_NAME[library].wheel if library in BY_NAME else "nvidia-cuda-nvcc"
        # "nvidia-cublas-cu12" owns nvidia/cublas; CUDA 13's wheels share nvidia/cu13, but for cuDNN's and NCCL's.
        endings = ("",) if "/nvidia/cu13/" in path else ("-cu12", "-cu11", "-cu13")
        names = [f"{stem}{ending}" for ending in endings]
        if library == "tensorrt":
            names = ["tensorrt-libs", "tensorrt-cu12-libs", "tensorrt-cu13-libs", "tensorrt"]
        here = [name for name in names if (owner, name) in self.versions]
        if len(here) > 1:
            here = self._by_size(path, owner, here)
        return (LibraryVersion(self.versions[owner, here[0]]), f"dist-info {here[0]}") if len(here) == 1 else None

    def _by_size(self, path: str, owner: str, names: list[str]) -> list[str]:
        """Two wheels write into one folder (nvidia-cudnn-cu12 and -cu13): the file's size tells whose it is."""
        status = self.host.stat(path)
        if isinstance(status, Gap) or status is None:
            return []
        end = f",{status.size}".encode()
        start = path[len(owner) + 1 :].encode("utf-8", "surrogateescape") + b","
        return [
            name
            for name in names
            if any(line.startswith(start) and line.rstrip().endswith(end) for line in self._lines(owner, name))
        ]

    def _lines(self, owner: str, name: str) -> list[bytes]:
        key = (owner, name)
        if key not in self._records:
            folder = f"{owner}/{name.replace('-', '_')}-{self.versions[owner, name]}.dist-info"
            data = self.host.read(f"{folder}/RECORD", 1 << 18)
            self._records[key] = data.splitlines() if isinstance(data, bytes) else []
        return self._records[key]

    def _conda(self, library: str, path: str) -> Union[tuple[LibraryVersion, str], None]:
        for name in (f"lib{library.lower()}", library, BY_NAME[library].wheel.removeprefix("nvidia-")):
            one = self.installed.get(name)
            if one and one.location.endswith("/conda-meta") and path.startswith(one.location[: -len("conda-meta")]):
                return LibraryVersion(one.version.text), f"conda-meta {name}"
        return None
