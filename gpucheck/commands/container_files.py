"""What `gpucheck doctor --dockerfile` does, once its words are understood: read files, judge each. No option is here.

The only code that opens container files and what lies beside them: regular files, and small ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Union

from gpucheck import __version__
from gpucheck.output import WrongUsage

if TYPE_CHECKING:
    from gpucheck.api import Report
    from gpucheck.facts.containers import ContainerFile
    from gpucheck.facts.snapshot import Snapshot

MOST_BYTES = 1 << 20
_MOST_FILES = 300


def check(paths: Sequence[str], others: dict[str, bool], here: bool, snapshots: Sequence[str]) -> None:
    """others: option -> was it given? They mean nothing for a file that is read and not run."""
    for name, used in others.items():
        if used:
            raise WrongUsage(f"--dockerfile reads files and runs nothing: not together with {name}")
    if here and snapshots:
        raise WrongUsage("--here and --snapshot: the host's facts are this machine's or a file's")
    if len(snapshots) > 1:
        raise WrongUsage("--dockerfile with --snapshot: one host at a time")
    if sum(one == "-" for one in paths) > 1:
        raise WrongUsage("--dockerfile -: standard input is read once")


def reports(paths: Sequence[str], host: Union[Snapshot, None], ignore: Sequence[str] = ()) -> list[tuple[str, Report]]:
    """A report a file. host: facts of the machine that they are for. Raises `WrongUsage`."""
    from gpucheck import api
    from gpucheck.containers.report import judge_file

    files = [(path, _read(path)) for path in paths]
    return [(path, api.Report(*judge_file(file, __version__, host, ignore))) for path, file in files]


def _read(path: str) -> ContainerFile:
    from gpucheck.containers import reading

    try:
        if path == "-":
            text, folder = _standard_input(MOST_BYTES), Folder("", "")
        else:
            text = text_of(path)
            shown = os.path.dirname(path).replace("\\", "/")
            of_compose = reading.kind_of(path, text) == "compose"
            folder = Folder(os.path.dirname(os.path.abspath(path)), f"{shown}/" if shown else "", of_compose)
        return reading.read(text, path, folder)
    except (OSError, ValueError) as error:  # a zero byte in the name is a ValueError, and so is a BadContainerFile
        raise WrongUsage(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _standard_input(most: int) -> str:
    import sys

    if sys.stdin is None:
        raise ValueError("there is no standard input")
    data = sys.stdin.buffer.read(most + 1)
    if len(data) > most:
        raise ValueError(f"larger than {most >> 10} KiB")
    return data.decode("utf-8-sig", "replace")


class Folder:
    """A build context: what a Dockerfile names lies below it.

    root: the folder. shown: how it is written in evidence, with its slash. certain: it is the context for sure. A
    Dockerfile's own folder need not be: docker build -f docker/Dockerfile . has the one above.
    """

    def __init__(self, root: str, shown: str, certain: bool = True) -> None:
        self.root, self.shown, self.certain, self._opened = root, shown, certain, 0
        self._known: dict[str, Union[str, None]] = {}

    def read(self, path: str) -> Union[str, None]:
        """A file's text; None: not here, not regular, too large, outside the folder, or it may be another one.

        Where a folder further up holds a file of that name, too, which of them is meant depends on the build context.
        """
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def name(self, path: str) -> str:
        return f"{self.shown}{path.removeprefix('./')}"

    def _read(self, path: str) -> Union[str, None]:
        if not self.root or not path or "\0" in path or self._opened >= _MOST_FILES:
            return None
        self._opened += 1
        if not self.certain and any(os.path.lexists(os.path.join(above, path)) for above in _above(self.root)):
            return None
        whole = os.path.realpath(os.path.join(self.root, path.lstrip("/")))
        if not whole.startswith(os.path.join(os.path.realpath(self.root), "")) and not path.startswith("../"):
            return None
        try:
            return text_of(whole)
        except (OSError, ValueError):
            return None


def _above(folder: str) -> Iterator[str]:
    """The folders that may be the build context instead: up to the repository's own, three at most."""
    for _ in range(3):
        if os.path.lexists(os.path.join(folder, ".git")) or os.path.dirname(folder) == folder:
            return
        folder = os.path.dirname(folder)
        yield folder


def text_of(path: str) -> str:
    """A regular file's text. Raises OSError, and ValueError where it is none or too large."""
    from gpucheck import api

    return api.read_bytes(path, MOST_BYTES).decode("utf-8-sig", "replace")
