"""CUDA toolkits on this machine and every name that leads to one. Nothing is run: nvcc of a dead disk would hang.

Libraries inside toolkits are found by probes.libraries; pip's runtime wheels are no toolkits.
"""

from __future__ import annotations

from typing import Union

from gpucheck.compat.places import DEBIAN, HEADERS, LIBDEVICE, LIBRARY_FOLDERS, POINTERS, TOOLKITS, XLA_POINTER
from gpucheck.facts.gap import Gap
from gpucheck.facts.toolkits import Pointer, Toolkit, Toolkits
from gpucheck.facts.versions import CudaVersion
from gpucheck.host import Host, Stat
from gpucheck.probes.interpreter import path_folders
from gpucheck.probes.layout import parent

# One of these makes a folder a toolkit, a partial one too (NVIDIA's wheels unpacked by hand have no version.json).
_MARKS = frozenset({"version.json", "version.txt", "nvvm", "targets", "nvcc.profile"})
_MOST_MODULES = 200


def probe(host: Host) -> Union[Toolkits, Gap]:
    """Find all toolkits; a gap where the folders that they lie in could not be looked at."""
    unseen = next((names for place in TOOLKITS if isinstance(names := host.names(place.folder), Gap)), None)
    if unseen is not None and unseen.kind != "denied":
        return unseen
    search = _Search(host)
    pointers = [Pointer(name, value, search.add(value, name)) for name in POINTERS if (value := host.env(name))]
    named = _named_to_xla(host)
    if named:
        pointers.append(Pointer(XLA_POINTER, named, search.add(named, XLA_POINTER)))
    for tool in ("nvcc", "ptxas"):
        path = _on_path(host, tool)
        if path:
            pointers.append(Pointer(f"{tool} on PATH", path, search.add(_home_of(host, path), f"{tool} on PATH")))
    for place in TOOLKITS:
        for name in _names_at(host, place.folder, place.name):
            target = search.add(f"{place.folder}/{name}", f"{place.folder}/{name}")
            if f"{place.folder}/{name}" == "/usr/local/cuda":
                pointers.append(Pointer("/usr/local/cuda", _link_words(host), target))
    if host.env("CONDA_PREFIX"):
        search.add(host.env("CONDA_PREFIX") or "", "CONDA_PREFIX")
    return Toolkits(tuple(search.toolkits(_modules(host))), tuple(pointers))


class _Search:
    """Toolkits by real root, each with all the names that led to it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.via: dict[str, list[str]] = {}

    def add(self, path: str, via: str) -> Union[str, None, Gap]:
        """Note a name that should lead to a toolkit, and say where it leads."""
        real = self.host.real(path.rstrip("/") or "/") if path else None
        if not isinstance(real, str):
            return real
        if "/site-packages/" in real:
            return real  # pip's nvcc wheel, linked onto PATH for its ptxas as TensorFlow's guide says: no toolkit
        looks = self._looks_like_one(real)
        if isinstance(looks, Gap):
            return looks
        if not looks:
            return None
        names = self.via.setdefault(real, [])
        if via not in names:
            names.append(via)
        return real

    def _looks_like_one(self, root: str) -> Union[bool, Gap]:
        names = self.host.names(root)
        if isinstance(names, Gap):
            return names
        if names is None:
            return False
        if _MARKS & set(names) and root != "/usr":
            return True
        return any(isinstance(self.host.stat(f"{root}/{name}"), Stat) for name in ("bin/nvcc", "include/cuda.h"))

    def toolkits(self, modules: list[str]) -> list[Toolkit]:
        return [self._toolkit(root, via, modules) for root, via in self.via.items()]

    def _toolkit(self, root: str, via: list[str], modules: list[str]) -> Toolkit:
        version, source = find_version(self.host, root)
        # A module sets CUDA_HOME; which module did it cannot be known, so all of CUDA's are told.
        loaded = [f"module {name}" for name in modules] if any(name in POINTERS for name in via) else []
        return Toolkit(
            root,
            version,
            source,
            (*via, *loaded, *_packages(self.host, root)),
            self._tool(root, "bin/nvcc"),
            self._tool(root, "bin/ptxas"),
            self._file(root, tuple(f"{folder}/libdevice.10.bc" for folder in LIBDEVICE)),
        )

    def _file(self, root: str, names: tuple[str, ...]) -> Union[str, None, Gap]:
        unseen: Union[Gap, None] = None
        for name in names:
            status = self.host.stat(f"{root}/{name}")
            if isinstance(status, Gap):
                unseen = status
            elif status is not None:
                return f"{root}/{name}"
        return unseen

    def _tool(self, root: str, name: str) -> Union[str, None]:
        """A program that may be run: one that may not be seen is none."""
        found = self._file(root, (name,))
        return found if isinstance(found, str) else None


def find_version(host: Host, root: str) -> tuple[Union[CudaVersion, None, Gap], Union[str, None]]:
    """A toolkit's version and the file it was read from. The folder's name is no source: people rename and link."""
    silent: Union[None, Gap] = None
    sources = [(f"{root}/version.json", read_json), (f"{root}/version.txt", read_text)]
    sources += [(f"{root}/{folder}/cuda.h", read_header) for folder in HEADERS]
    sources += [(f"{root}/{folder}/cuda_runtime_api.h", read_header) for folder in HEADERS]
    if root in DEBIAN:
        sources.append(("/usr/include/cuda.h", read_header))
    for path, reader in sources:
        data = host.read(path, 65536)
        if isinstance(data, Gap):
            silent = data
        elif data is not None:
            version = reader(data)
            if version:
                return version, path
    for folder in LIBRARY_FOLDERS:
        found = _runtime_version(host, f"{root}/{folder}")
        if found:
            return found
    return silent, None


def _runtime_version(host: Host, folder: str) -> Union[tuple[CudaVersion, str], None]:
    """From the runtime library's file name: libcudart.so.12.4.127."""
    names = host.names(folder)
    for name in sorted(names, key=len, reverse=True) if isinstance(names, tuple) else ():
        if name.startswith("libcudart.so."):
            parts = name[len("libcudart.so.") :].split(".")
            if all(part.isdigit() for part in parts):
                return CudaVersion(".".join(parts[:2])), f"{folder}/{name}"
    return None


def read_json(data: bytes) -> Union[CudaVersion, None]:
    """version.json of CUDA 11.1 and later: {"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}."""
    import json

    try:
        value = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    inner = value.get("cuda") if isinstance(value, dict) else None
    text = inner.get("version") if isinstance(inner, dict) else None
    return CudaVersion.parse(text) if isinstance(text, str) else None


def read_text(data: bytes) -> Union[CudaVersion, None]:
    """version.txt up to CUDA 11.0: "CUDA Version 10.1.243"."""
    for line in data.decode("utf-8", "replace").splitlines()[:20]:
        words = line.split()
        if words[:2] == ["CUDA", "Version"] and len(words) > 2:
            return CudaVersion.parse(words[2])
    return None


def read_header(data: bytes) -> Union[CudaVersion, None]:
    """cuda.h's CUDA_VERSION or cuda_runtime_api.h's CUDART_VERSION: 1000 * major + 10 * minor."""
    for macro in (b"#define CUDA_VERSION", b"#define CUDART_VERSION"):
        _, found, rest = data.partition(macro)
        words = rest[:40].split()
        if found and words and words[0].isdigit() and len(words[0]) < 9:
            return CudaVersion.of_number(int(words[0]))
    return None


def _named_to_xla(host: Host) -> Union[str, None]:
    """The folder in XLA_FLAGS, which may be quoted; None: none, or one below a working folder that is not known."""
    for word in (host.env("XLA_FLAGS") or "").split():
        name, _, value = word.partition("=")
        if name == XLA_POINTER and value.strip("\"'").startswith("/"):
            return value.strip("\"'")
    return None


def _on_path(host: Host, tool: str) -> Union[str, None]:
    for folder in path_folders(host):
        status = host.stat(f"{folder}/{tool}")
        if status is not None and not isinstance(status, Gap) and status.kind == "file":
            return f"{folder}/{tool}"
    return None


def _home_of(host: Host, path: str) -> str:
    """The toolkit that a program belongs to, through links and through a wrapper that is one ``exec`` line."""
    real = host.real(path)
    place = real if isinstance(real, str) else path
    data = host.read(place, 4096)
    if isinstance(data, bytes) and data.startswith(b"#!"):
        for line in data.decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "exec" and words[1].strip("\"'").startswith("/"):
                target = host.real(words[1].strip("\"'"))
                place = target if isinstance(target, str) else place
    return parent(parent(place))


def _names_at(host: Host, folder: str, pattern: str) -> list[str]:
    if not pattern.endswith("*"):
        return [pattern]
    names = host.names(folder)
    return [name for name in names if name.startswith(pattern[:-1])] if isinstance(names, tuple) else []


def _link_words(host: Host) -> str:
    """Where /usr/local/cuda leads, through update-alternatives if that keeps it."""
    chain = ["/usr/local/cuda"]
    if host.is_link("/etc/alternatives/cuda"):
        chain.append("/etc/alternatives/cuda")
    real = host.real("/usr/local/cuda")
    return " -> ".join([*chain, real if isinstance(real, str) else "nowhere"])


def _modules(host: Host) -> list[str]:
    """CUDA's modules on a cluster node, of LOADEDMODULES ("gcc/12.2:cuda/12.4")."""
    loaded = (host.env("LOADEDMODULES") or "").split(":")[:_MOST_MODULES]
    return [name for name in loaded if "cuda" in name.lower()]


def _packages(host: Host, root: str) -> list[str]:
    """The Debian package that owns a toolkit of the distribution."""
    if root in DEBIAN:
        owner = host.stat("/var/lib/dpkg/info/nvidia-cuda-toolkit.list")
        return ["dpkg nvidia-cuda-toolkit"] if isinstance(owner, Stat) else []
    return []
