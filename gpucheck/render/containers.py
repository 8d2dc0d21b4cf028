"""Lines about the container files that were read. Part of `summary`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.containers.stack import TensorFlow, stack
from gpucheck.facts.containers import ContainerFile, Containers, Image
from gpucheck.facts.gap import Gap
from gpucheck.render.text import count, listed, say

_MOST = 12


def container_rows(containers: Containers) -> Iterator[str]:
    """Each file: its base image and what it asks installers for, or its services."""
    for file in containers.files:
        name = "standard input" if file.path == "-" else file.path
        if file.image is not None:
            yield f"{name}: from {_base(file.image)}"
            yield from _installed(file.image)
        else:
            yield f"{name}: {count(len(file.services), 'service')}"
        yield from _services(file)
        yield from file.notes


def named(containers: Containers) -> bool:
    """Is there an image with TensorFlow in it, as far as the files say? What other packages depend on is not seen."""
    images = [file.image for file in containers.files] + [
        one.image for file in containers.files for one in file.services
    ]
    return any(isinstance(image, Image) and isinstance(stack(image).tensorflow, TensorFlow) for image in images)


def _base(image: Image) -> str:
    note = f" ({image.note})" if image.note else ""
    return f"{say(image.reference)}{note}"


def _services(file: ContainerFile) -> Iterator[str]:
    for service in file.services[:_MOST]:
        ways = [one.way for one in service.requests] + (["runtime"] if service.runtime else [])
        gpus = f"GPUs by {', '.join(dict.fromkeys(ways))}" if ways else "no GPUs asked for"
        yield f"{service.name}: {_of_service(service.image)}; {gpus}"
    if len(file.services) > _MOST:
        yield f"and {len(file.services) - _MOST} more"


def _of_service(image: Union[Image, None, Gap]) -> str:
    if image is None:
        return "no image named"
    return say(image) if isinstance(image, Gap) else _base(image)


def _installed(image: Image) -> Iterator[str]:
    words = [f"{one.name}{one.wanted}" for one in image.packages if isinstance(one.wanted, str)]
    if words:
        yield f"installs {listed(words, _MOST)}"
    for one in image.open[:3]:
        yield f"{one.source} {one.text}"
