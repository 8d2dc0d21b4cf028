"""A server of files on loopback that misbehaves as it is told: cuts, lies, wrong bytes, errors, silence, a login.

    with FaultyIndex({"a.whl": data}, {"a.whl": [Fault(cut=1000), Fault(status=503)]}) as server:
        ... server.url("a.whl")
        ... server.asked  # what it was asked, in that order

A file's faults are used one by one, one for each question; after the last it is served as it should be. It is also a
proxy for whatever it has itself (questions with a whole URL). An honest index is local_index.
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Union
from urllib.parse import urlsplit

from gpucheck.facts.plan import Package
from gpucheck.facts.versions import PackageVersion


class Fault(NamedTuple):
    """How one question is answered.

    status, headers, body: instead of the right ones. cut: bytes after which the connection ends. hold: waited for
    before it ends so (silence). length: the Content-Length that is told. ranges: False: Range is not known here.
    shift: bytes by which an answer to a range begins too late. chunked: without a length.
    """

    status: Union[int, None] = None
    headers: Union[Mapping[str, str], None] = None
    body: Union[bytes, None] = None
    cut: Union[int, None] = None
    hold: Union[threading.Event, None] = None
    length: Union[int, None] = None
    ranges: bool = True
    shift: int = 0
    chunked: bool = False


class Asked(NamedTuple):
    """One question. range: "" where there was none. headers: their names in small letters."""

    file: str
    range: str
    headers: Mapping[str, str]
    by_proxy: bool


@contextmanager
def nobody() -> Iterator[str]:
    """Host and port where nobody listens and nobody can begin to: a closed server's port is soon another program's."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{kept.getsockname()[1]}"


class FaultyIndex:
    """See above. tls: a context, then it speaks HTTPS."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        faults: Union[Mapping[str, Sequence[Fault]], None] = None,
        *,
        tls: Union[ssl.SSLContext, None] = None,
        login: Union[str, None] = None,
    ) -> None:
        """login: the Authorization that each question must carry."""
        self.files, self.login = dict(files), login
        self.asked: list[Asked] = []
        self.arrived = threading.Condition()
        self.headers: dict[str, dict[str, str]] = {}  # file name -> more headers, with every answer
        self._faults: dict[str, Iterator[Fault]] = {name: iter(row) for name, row in (faults or {}).items()}
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    @property
    def root(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def url(self, file: str) -> str:
        return f"{self.root}/files/{file}"

    def package(self, file: str, *, sized: bool = True, **other: Any) -> Package:
        """As a plan would have it."""
        data = self.files[file]
        name, version = [*file.removesuffix(".whl").split("-"), "1"][:2]
        return Package(
            name,
            PackageVersion.parse(version),
            file,
            self.url(file),
            hashlib.sha256(data).hexdigest(),
            len(data) if sized else None,
            "a test",
        )._replace(**other)

    def fail(self, file: str, *faults: Fault) -> None:
        """From now on, with these questions for a file."""
        self._faults[file] = iter(faults)

    def ranges(self, file: str) -> list[str]:
        """The Range of each question for a file."""
        return [one.range for one in self.asked if one.file == file]

    def __enter__(self) -> FaultyIndex:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: Union[type[BaseException], None],
        error: Union[BaseException, None],
        trace: Union[TracebackType, None],
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                try:
                    index.answer(self)
                except OSError:
                    self.close_connection = True

            do_HEAD = do_GET

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        return Handler

    def answer(self, question: BaseHTTPRequestHandler) -> None:
        file = urlsplit(question.path).path.rpartition("/")[2]
        asked = question.headers.get("Range", "")
        with self.arrived:
            self.asked.append(
                Asked(
                    file, asked, {key.lower(): value for key, value in question.headers.items()}, "://" in question.path
                )
            )
            fault = next(self._faults.get(file, iter(())), Fault())
            self.arrived.notify_all()
        if self.login and question.headers.get("Authorization") != self.login:
            fault = Fault(status=401, body=b"who are you?")
        elif file not in self.files:
            fault = Fault(status=404, body=b"no such file")
        data = self.files.get(file, b"") if fault.body is None else fault.body
        first = int(match.group(1)) if (match := re.fullmatch(r"bytes=(\d+)-", asked)) else 0
        headers = dict(self.headers.get(file, {}))
        status = fault.status or 200
        if first and fault.ranges and status == 200:
            begin = first + fault.shift
            status = 206 if begin < len(data) else 416
            last = f"{begin}-{len(data) - 1}" if status == 206 else "*"
            headers["Content-Range"] = f"bytes {last}/{len(data)}"
            data = data[begin:]
        self._send(question, fault, status, headers, data)

    def _send(
        self, question: BaseHTTPRequestHandler, fault: Fault, status: int, headers: dict[str, str], data: bytes
    ) -> None:
        question.send_response(status)
        if fault.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(data) if fault.length is None else fault.length)
        for key, value in {**headers, **(fault.headers or {})}.items():
            question.send_header(key, value)
        question.end_headers()
        if question.command == "HEAD":
            return
        body = data if fault.cut is None else data[: fault.cut]
        question.wfile.write(_chunks(body) if fault.chunked else body)
        question.wfile.flush()
        if fault.hold is not None:
            fault.hold.wait(30)
        if fault.cut is not None or fault.length is not None:
            question.close_connection = True


def _chunks(body: bytes) -> bytes:
    pieces = [body[at : at + 4096] for at in range(0, len(body), 4096)]
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
