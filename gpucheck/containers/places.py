"""Where a path in an image comes from: which file of the build context COPY, ADD or a bind mount has put there."""

from __future__ import annotations

from fnmatch import fnmatchcase
from posixpath import basename, join, normpath
from typing import NamedTuple, Union

from gpucheck.containers.lists import Beside, folder_of


class Copy(NamedTuple):
    source: str  # in the build context
    target: str  # in the image, absolute


def copies(words: list[str], workdir: str) -> tuple[Copy, ...]:
    """What one COPY, ADD or bind mount puts where: sources, then the target."""
    if len(words) < 2:
        return ()
    target = normpath(join(workdir, words[-1]))
    return tuple(Copy(normpath(word.lstrip("/") or "."), target) for word in words[:-1])


class Placed:
    """A build context, seen from inside the image.

    outer: the context's own files. workdir: where commands run. moved: a command went there by cd, maybe into something
    that was downloaded.
    """

    def __init__(self, outer: Beside, copied: tuple[Copy, ...], workdir: str, moved: bool = False) -> None:
        self.outer, self.copied, self.workdir, self.moved = outer, copied, workdir, moved

    def after_cd(self, folder: str) -> Placed:
        """The same, seen from another folder."""
        return Placed(self.outer, self.copied, normpath(join(self.workdir, folder)), True)

    def read(self, path: str) -> Union[str, None]:
        """The file that lies at a path of the image; None: nothing that is known put it there."""
        place = self.place(path)
        return None if place is None else self.outer.read(place)

    def name(self, path: str) -> str:
        return self.outer.name(self.place(path) or path)

    def place(self, path: str) -> Union[str, None]:
        """The path in the build context. A relative one that nobody copied is taken as it is: a mount may bring it."""
        absolute = normpath(join(self.workdir, path))
        for one in reversed(self.copied):
            for candidate in _candidates(one, absolute):
                if self.outer.read(candidate) is not None:
                    return candidate
        return None if path.startswith("/") or self.moved else path


def _candidates(one: Copy, absolute: str) -> list[str]:
    if absolute == one.target:
        return [one.source]
    inside = one.target if one.target.endswith("/") else f"{one.target}/"
    if not absolute.startswith(inside):
        return []
    rest = absolute[len(inside) :]
    as_folder = rest if one.source == "." else f"{one.source}/{rest}"
    file = "/" not in rest and fnmatchcase(rest, basename(one.source))
    return [folder_of(one.source) + rest, as_folder] if file else [as_folder]
