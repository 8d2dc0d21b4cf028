"""A mirror on loopback, for uv alone: it hands out what is being downloaded, byte by byte as it comes.

uv unpacks while it downloads, and keys what it has unpacked by the index of a wheel, not by the address of its file. So
a lock that names the real index and files on this mirror leaves in uv's cache just what a plain `uv pip install` would,
while the downloads are ours: they resume, also after a killed run, are checked, and share a bar. What uv has already it
does not ask for.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Union

from gpucheck.facts.plan import Package
from gpucheck.install.fetching.download import Download
from gpucheck.install.fetching.fetch import Fetcher
from gpucheck.install.fetching.wheelhouse import local
from gpucheck.install.indexes.masking import bare

_AT_LEAST = 1 << 20  # bytes for which a reader is woken: less costs more than it brings
_STRETCH = 8 << 20  # bytes: in between it is looked whether all goes well
_LONGEST = 600.0  # seconds in which uv unpacks what the system has buffered for it
AT_ONCE = 64  # files that uv may ask for at once: what it has not asked for is not downloaded


def lock_text(
    packages: Sequence[Package], indexes: Mapping[str, str], urls: Union[Mapping[str, str], None] = None
) -> str:
    """A pylock.toml (PEP 751) of exactly these files.

    indexes: file name -> index, without which uv does not find in its cache what came from there. urls: file name ->
    address, where it is not the package's own.
    """
    import tomli_w

    entries = []
    for one in packages:
        path = local(one.url)
        wheel: dict[str, Any] = {"name": one.file}
        if path is not None and one.file not in indexes:
            wheel["path"] = os.path.abspath(path)
        elif path is not None:
            wheel["url"] = Path(os.path.abspath(path)).as_uri()
        else:
            wheel["url"] = (urls or {}).get(one.file) or bare(one.url)
        # Without its size, by which uv passes over what it has unpacked from places that tell none. The hash decides.
        wheel["hashes"] = {"sha256": one.sha256}
        entry: dict[str, Any] = {"name": one.name, "version": str(one.version)}
        if one.file in indexes:
            entry["index"] = indexes[one.file]
        entries.append({**entry, "wheels": [wheel]})
    return tomli_w.dumps({"lock-version": "1.0", "created-by": "gpucheck", "packages": entries})


class Feed:
    """with Feed(packages, fetcher) as feed: … uv with a lock of feed.urls. What is not asked for is not downloaded.

    Whoever knows an address may read that file: addresses hold a random word, and only this machine can ask.
    """

    def __init__(self, packages: Sequence[Package], fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._packages = {one.file: one for one in packages}
        self._downloads: dict[str, Download] = {}
        self._taken: set[Download] = set()
        self._turn = threading.Lock()
        self._word = secrets.token_hex(8)
        self._server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def urls(self) -> dict[str, str]:
        """File name -> its address here."""
        port = self._server.server_address[1]
        return {file: f"http://127.0.0.1:{port}/{self._word}/{file}" for file in self._packages}

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the files that uv asked for."""
        return tuple(self._downloads)

    def __enter__(self) -> Feed:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: Union[type[BaseException], None],
        error: Union[BaseException, None],
        trace: Union[TracebackType, None],
    ) -> None:
        for download in list(self._downloads.values()):
            download.stop()  # whoever waits for its bytes goes
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        feed = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = None

            def do_GET(self) -> None:
                with suppress(OSError):  # uv has left
                    feed.answer(self)

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        return Handler

    def answer(self, question: BaseHTTPRequestHandler) -> None:
        _, word, file = (*question.path.split("/", 2), "", "")[:3]
        if not secrets.compare_digest(word.encode(), self._word.encode()) or file not in self._packages:
            question.send_error(404)
            return
        with self._turn:
            download = self._downloads.get(file)
            if download is None or download in self._taken:
                download = self._downloads[file] = self._fetcher.add(self._packages[file])
        question.close_connection = True
        download.reading, download.sent = True, 0
        try:
            if _hand_out(question, download) and _was_read(question):
                self._taken.add(download)
                download.forget()
        finally:
            download.reading = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = AT_ONCE

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A uv that was ended: nothing to tell."""


def _hand_out(question: BaseHTTPRequestHandler, download: Download) -> bool:
    """The file, as it grows. False: it broke off; uv asks again, or is told that there is nothing more to ask for."""
    turn = download.turn
    ready = download.await_bytes(0, turn)
    if download.state in ("failed", "stopped"):
        question.send_error(410)
        return False
    if download.turn != turn or not os.path.exists(download.part):
        return False
    question.send_response(200)
    question.send_header("Content-Type", "application/octet-stream")
    question.send_header("Content-Length", str(download.whole))
    question.send_header("Connection", "close")
    question.send_header("Cache-Control", "max-age=365000000, immutable, public")
    question.end_headers()
    question.wfile.flush()
    sent = 0
    with open(download.part, "rb") as file:
        while sent < (download.whole or 0):
            if download.state in ("failed", "stopped") or download.turn != turn:
                return False
            if ready > sent:
                amount = min(ready - sent, _STRETCH)
                question.connection.sendfile(file, sent, amount)
                sent = download.sent = sent + amount
            else:
                ready = download.await_bytes(sent + _AT_LEAST, turn)
    return True


def _was_read(question: BaseHTTPRequestHandler) -> bool:
    """Wait until uv has taken the last byte, and with it unpacked all the others: it closes then."""
    question.connection.shutdown(socket.SHUT_WR)
    question.connection.settimeout(_LONGEST)
    return not question.connection.recv(1)
