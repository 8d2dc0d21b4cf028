r"""cuDNN as its zip was copied: the DLL into bin, the header into include, the import library into lib\x64."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.places import CONDA_LIBRARY, WINDOWS_BIN, WINDOWS_LIB, WINDOWS_UNPACKED
from gpucheck.facts import paths
from gpucheck.facts.gap import Gap
from gpucheck.facts.toolkits import Toolkits
from gpucheck.facts.windows import CudnnTree
from gpucheck.probes.windows.loader import Loader


def probe(loader: Loader, kits: Union[Toolkits, Gap]) -> Union[tuple[CudnnTree, ...], Gap]:
    """Every toolkit and unpacked zip that holds a part of cuDNN. conda's packages have another layout and are whole."""
    if isinstance(kits, Gap):
        return kits
    found: list[CudnnTree] = []
    roots = [kit.root for kit in kits.found if paths.base(kit.root) != CONDA_LIBRARY]
    for root in (*roots, *WINDOWS_UNPACKED):
        parts = [
            _first(loader, root, WINDOWS_BIN, "cudnn", ".dll"),
            _first(loader, root, ("include",), "cudnn", ".h"),
            _first(loader, root, (WINDOWS_LIB,), "cudnn", ".lib"),
        ]
        for part in parts:
            if isinstance(part, Gap):
                return part
        if any(parts):
            found.append(CudnnTree(root, *parts))  # type: ignore[arg-type]
    return tuple(found)


def _first(loader: Loader, root: str, folders: tuple[str, ...], start: str, end: str) -> Union[str, None, Gap]:
    for folder in folders:
        listing = loader.listing(paths.join(root, folder))
        if isinstance(listing, Gap):
            return listing
        for low in sorted(listing or {}):
            if low.startswith(start) and low.endswith(end):
                return paths.join(root, folder, (listing or {})[low])
    return None
