"""Everything that only Windows has, gathered."""

from __future__ import annotations

from typing import Union

from gpucheck.compat.registry import FILE_SYSTEM
from gpucheck.facts.gap import Gap
from gpucheck.facts.libraries import Libraries
from gpucheck.facts.python import Python
from gpucheck.facts.toolkits import Toolkits
from gpucheck.facts.windows import Windows
from gpucheck.host import Host
from gpucheck.probes.windows import adapters, cudnn_trees, keys, program, runtime, search_path
from gpucheck.probes.windows.loader import Loader


def probe(
    host: Host,
    examined: Union[Python, Gap],
    kits: Union[Toolkits, Gap],
    libraries: Union[Libraries, Gap],
    loader: Loader,
) -> Windows:
    """loader: the one that found `libraries`."""
    return Windows(
        build=host.about().kernel or None,
        adapters=adapters.probe(host),
        path_user=search_path.of_registry(host, "user"),
        path_machine=search_path.of_registry(host, "machine"),
        path_process=search_path.of_process(host),
        variables=search_path.variables(host),
        long_paths=_long_paths(host),
        runtime=runtime.probe(loader, examined),
        zlibwapi=runtime.zlib(loader, libraries),
        cudnn_trees=cudnn_trees.probe(loader, kits),
        store_python=program.store(host, examined),
        home=host.about().home,
    )


def _long_paths(host: Host) -> Union[bool, None, Gap]:
    """May paths be longer than 260 characters? None: Windows before 10 1607 does not know the switch."""
    value = keys.value(host, FILE_SYSTEM, "LongPathsEnabled")
    return value if value is None or isinstance(value, Gap) else value.strip() == "1"
