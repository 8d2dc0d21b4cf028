"""A text -> what it says: a Dockerfile or a compose file, told apart by name, else by content."""

from __future__ import annotations

from gpucheck.containers import compose, images, tree
from gpucheck.containers.lists import Beside
from gpucheck.facts.containers import ContainerFile


class BadContainerFile(ValueError):
    """It is neither; the message says why, in words for a user."""


def read(text: str, path: str, beside: Beside) -> ContainerFile:
    """What one file says. path: as it was given, "-" for standard input. Raises `BadContainerFile`."""
    shown = "standard input" if path == "-" else path
    if kind_of(path, text) == "compose":
        try:
            services, notes = compose.services(text, shown, beside)
        except tree.BadTree as error:
            raise BadContainerFile(f"no compose file: {error}") from error
        return ContainerFile(path, "compose", None, services, notes)
    try:
        return ContainerFile(path, "dockerfile", images.image(text, shown, beside), (), ())
    except images.NoImage as error:
        raise BadContainerFile(f"no Dockerfile: {error}") from error


def kind_of(path: str, text: str) -> str:
    """By name: *.yml and *.yaml are compose files, *Dockerfile* and *Containerfile* are not. Else by content."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if name.endswith((".yml", ".yaml", ".json")):
        return "compose"
    if "dockerfile" in name or "containerfile" in name:
        return "dockerfile"
    return "compose" if compose.is_compose(text) else "dockerfile"
