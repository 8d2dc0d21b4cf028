"""Several files at once into one folder, the biggest first: `gpucheck download`, and what feed.py asks for."""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Union

from gpucheck.facts.plan import Package
from gpucheck.install.errors import Refused
from gpucheck.install.fetching.connection import Connections
from gpucheck.install.fetching.download import Download
from gpucheck.install.fetching.patience import USUAL, Patience
from gpucheck.install.fetching.wheelhouse import PART, check, local
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.progress import Progress, Silent

PARALLEL = 4
_GRACE = 1.0  # seconds in which threads write down what they have; one that waits for a connection takes longer
_LEAST = max(2, os.cpu_count() or 2)  # files at once, however slow the reader is
_BEHIND = 32 << 20  # bytes that a slow reader may have before him
_SETTLED = 0.5  # seconds until it shows whether he is slow
_LOOK = 0.1  # seconds between two looks of a waiting main thread: Ctrl-C is heard in between on Windows, too


def fetch(
    packages: Sequence[Package],
    folder: str,
    settings: Settings,
    progress: Union[Progress, None] = None,
    *,
    patience: Patience = USUAL,
    parallel: int = PARALLEL,
) -> tuple[str, ...]:
    """Have all files in a folder, checked by their hash; what is there already stays. Gives their paths, in that order.

    Cut connections, servers' errors and killed runs are gone on with, at the byte where they ended. KeyboardInterrupt
    stops at once. Another gpucheck may fill the same folder at the same time.

    Raises
    ------
    Refused: the folder cannot be written to; settings.offline and a file is on a server alone.
    Failed: given up, or a file is not the one that was planned. What is there of the others is kept.
    """
    progress = progress or Silent()
    check(packages, folder)
    wanted = {one.file: one for one in packages}
    targets = {file: os.path.join(folder, file) for file in wanted}
    if settings.offline:
        refuse_servers([one for one in wanted.values() if not os.path.isfile(targets[one.file])])
    progress.begin("downloading", total(tuple(wanted.values())))
    with Fetcher(folder, settings, progress, patience, parallel) as fetcher:
        for file, package in wanted.items():
            fetcher.add(package, targets[file])
        fetcher.wait()
    return tuple(targets[one.file] for one in packages)


def total(packages: Sequence[Package]) -> Union[int, None]:
    """Bytes of all of them, None where one is not known."""
    sizes = [one.size for one in packages if one.size is not None]
    return sum(sizes) if len(sizes) == len(packages) else None


def refuse_servers(packages: Sequence[Package]) -> None:
    missing = [one.file for one in packages if local(one.url) is None]
    if missing:
        raise Refused(f"offline, and not here: {', '.join(missing)}")


class Fetcher:
    """Threads that work off downloads, the biggest first. One failure stops them all.

    with Fetcher(…) as fetcher: … fetcher.add(package) …: at the end of the block, whatever still runs is stopped.
    """

    def __init__(
        self,
        folder: str,
        settings: Settings,
        progress: Progress,
        patience: Patience = USUAL,
        parallel: int = PARALLEL,
    ) -> None:
        self.downloads: list[Download] = []
        self._folder, self._progress, self._patience = folder, progress, patience
        self._connections = Connections(settings)
        self._queue: list[tuple[int, int]] = []
        self._changed = threading.Condition()
        self._running, self._begun = 0, 0.0  # how many, and when the last was begun
        self._over = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(parallel)]

    def __enter__(self) -> Fetcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: Union[type[BaseException], None],
        error: Union[BaseException, None],
        trace: Union[TracebackType, None],
    ) -> None:
        self.stop()

    def add(self, package: Package, target: Union[str, None] = None) -> Download:
        """Queue a file. target: where it goes when it is whole; None: it stays as <sha256>.part."""
        download = Download(package, os.path.join(self._folder, package.sha256 + PART), target)
        with self._changed:
            self.downloads.append(download)
            heapq.heappush(self._queue, (-(package.size or 0), len(self.downloads) - 1))
            if self._over:
                download.stop()
            self._changed.notify()
        return download

    def wait(self) -> None:
        """Until all that was added is there. Raises what a download failed with."""
        with self._changed:
            while (self._queue or self._running) and not self._over:
                self._changed.wait(_LOOK)
        self.check()

    def check(self) -> None:
        """Raise what a download failed with, if one did."""
        for download in self.downloads:
            if download.error is not None:
                raise download.error

    def stop(self) -> None:
        """End all that runs, at once: what is there stays. Waits a moment for the threads, no longer."""
        with self._changed:
            self._over = True
            running = list(self.downloads)
            self._changed.notify_all()
        for download in running:
            download.stop()
        end = monotonic() + _GRACE
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end - monotonic()))
        self._connections.close()

    def _may_begin(self) -> bool:
        """Not more than a reader keeps up with: bytes that lie about unread are written to the disk for nothing. (uv
        unpacks each wheel in one thread, so that there is no use in more of them than processors.)"""
        read = [one for one in self.downloads if one.reading]
        unread = [one.unread for one in read if one.state in ("running", "done")]
        busy = max(self._running, len(unread))
        if not read or busy < min(len(self._threads), _LEAST):
            return busy < len(self._threads)
        keeps_up = max(unread, default=0) < _BEHIND and monotonic() - self._begun > _SETTLED
        return keeps_up and busy < len(self._threads)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._over and not (self._queue and self._may_begin()):
                    self._changed.wait(_LOOK if self._queue else None)
                if self._over:
                    return
                download = self.downloads[heapq.heappop(self._queue)[1]]
                self._running += 1
                self._begun = monotonic()
            download.run(self._connections, self._progress, self._patience)
            with self._changed:
                self._running -= 1
                self._over = self._over or download.state == "failed"
                over, others = self._over, list(self.downloads)
                self._changed.notify_all()
            if over:
                for other in others:
                    other.stop()
