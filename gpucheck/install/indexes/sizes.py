"""Sizes of files of which the index told none: of a file here, or asked of its server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Union

from gpucheck.facts.plan import Package
from gpucheck.install.indexes.settings import Settings

_PARALLEL = 8


def with_sizes(packages: Sequence[Package], settings: Settings) -> list[Package]:
    """The same packages; a size stays None where neither the disk nor the server tells it."""
    unknown = [package for package in packages if package.size is None]
    sizes = {package.sha256: _size_here(package.url) for package in unknown if "://" not in package.url}
    remote = [package for package in unknown if "://" in package.url]
    if remote and not settings.offline:
        sizes |= _sizes_there(remote, settings)
    return [package._replace(size=sizes.get(package.sha256, package.size)) for package in packages]


def _size_here(path: str) -> Union[int, None]:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def _sizes_there(packages: Sequence[Package], settings: Settings) -> dict[str, Union[int, None]]:
    from concurrent.futures import ThreadPoolExecutor

    from gpucheck.install.fetching.connection import Connections
    from gpucheck.install.fetching.trouble import Trouble

    connections = Connections(settings)

    def ask(package: Package) -> Union[int, None]:
        try:
            answer = connections.get(package.url)
        except Trouble:
            return None
        length = answer.headers.get("Content-Length", "")
        answer.close()
        return int(length) if length.isascii() and length.isdigit() else None

    try:
        with ThreadPoolExecutor(_PARALLEL) as threads:
            return {package.sha256: size for package, size in zip(packages, threads.map(ask, packages), strict=True)}
    finally:
        connections.close()
