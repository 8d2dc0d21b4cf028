"""Tiny wheels, made on the spot, and an index that serves them: a folder for --find-links, or a server on loopback.

    folder = tmp_path / "wheels"
    make(folder, "alpha", "1.0", requires=("beta>=2",), files={"alpha/__init__.py": b"x = 1"})
    with Index(folder) as index:
        ... index.url  # the simple API: HTML and JSON, ranges, hashes, sizes, upload times, METADATA (PEP 658)
        ... index.asked  # what it was asked: ("GET", "/simple/alpha/")

Faults are not here (a server that cuts and lies): see faulty_index.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import random
import re
import threading
import zipfile
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Union

UPLOADED = "2026-01-01T00:00:00Z"  # where a test does not say
_STAMP = (2026, 1, 1, 0, 0, 0)  # the same wheel twice is the same bytes

BUILD_INFO = """# Copyright of the one who made it
import collections
build_info = collections.OrderedDict({pairs!r})
"""


class Wheel(NamedTuple):
    """A wheel in a folder, as an index tells of it."""

    path: Path
    name: str  # normalized
    version: str
    sha256: str
    size: int
    metadata: bytes
    requires_python: str
    uploaded: str


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def make(
    folder: Path,
    name: str,
    version: str,
    *,
    files: Union[Mapping[str, bytes], None] = None,
    size: int = 0,
    requires: Sequence[str] = (),
    extras: Union[Mapping[str, Sequence[str]], None] = None,
    python: str = "",
    tag: str = "py3-none-any",
    scripts: Union[Mapping[str, str], None] = None,
    uploaded: str = UPLOADED,
    record: bool = True,
) -> Path:
    """Write a valid wheel and give its path.

    files: path in the wheel -> content; without any, one module of the package's name. size: bytes of noise to add,
    which no compression shrinks. extras: name -> requirements. tag: "cp312-cp312-manylinux_2_17_x86_64".
    scripts: console scripts, name -> "module:function". record=False: without RECORD, which makes it invalid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    distribution = re.sub(r"[-_.]+", "_", name)
    info = f"{distribution}-{version}.dist-info"
    content = dict(files) if files is not None else {f"{distribution}/__init__.py": f"version = {version!r}\n".encode()}
    if size:
        content[f"{distribution}/noise.bin"] = random.Random(f"{name}{version}").randbytes(size)
    content[f"{info}/METADATA"] = _metadata(name, version, requires, extras or {}, python)
    tags = "".join(f"Tag: {one}\n" for one in _single(tag))
    pure = "true" if tag.endswith("-none-any") else "false"
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\n{tags}".encode()
    if scripts:
        lines = "".join(f"{key} = {value}\n" for key, value in scripts.items())
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
    if record:
        content[f"{info}/RECORD"] = _record(content, f"{info}/RECORD")
    path = folder / f"{distribution}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, data in content.items():
            entry = zipfile.ZipInfo(inside, _STAMP)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if inside.endswith(".bin") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    if uploaded != UPLOADED:
        path.with_name(path.name + ".uploaded").write_text(uploaded)
    return path


def make_tensorflow(folder: Path, version: str, *, cuda: str = "12.5.1", cudnn: str = "9", **more: Any) -> Path:
    """A tensorflow that weighs nothing: its build_info.py is as real ones are, its __init__ knows its version."""
    pairs: list[tuple[str, Any]] = [("is_cuda_build", bool(cuda))]
    if cuda:
        capabilities = ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"]
        pairs += [("cuda_version", cuda), ("cudnn_version", cudnn), ("cuda_compute_capabilities", capabilities)]
    files = {
        "tensorflow/__init__.py": f"__version__ = {version!r}\n".encode(),
        "tensorflow/python/platform/build_info.py": BUILD_INFO.format(pairs=pairs).encode(),
        **more.pop("files", {}),
    }
    return make(folder, more.pop("name", "tensorflow"), version, files=files, **more)


BACKEND = """
import os, time, zipfile
def get_requires_for_build_wheel(config_settings=None): return []
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = {name!r} + "-" + {version!r}
    with zipfile.ZipFile(os.path.join(wheel_directory, name + "-py3-none-any.whl"), "w") as archive:
        wheel = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        info = name + ".dist-info/"
        for path, text in (({name!r} + ".py", ""), (info + "METADATA", open("PKG-INFO").read()),
                           (info + "WHEEL", wheel), (info + "RECORD", "")):
            stamp = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))[:6]
            archive.writestr(zipfile.ZipInfo(path, stamp), text)
    return name + "-py3-none-any.whl"
"""


def make_sdist(folder: Path, name: str, version: str, *, uploaded: str = UPLOADED) -> Path:
    """A source distribution that builds itself: it needs no setuptools."""
    import tarfile

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    parts = {"pyproject.toml": project.encode(), "backend.py": BACKEND.format(name=name, version=version).encode()}
    with tarfile.open(path, "w:gz") as archive:
        for inside, data in {**parts, "PKG-INFO": _metadata(name, version, (), {}, "")}.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{inside}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    if uploaded != UPLOADED:
        path.with_name(path.name + ".uploaded").write_text(uploaded)
    return path


def _single(tag: str) -> list[str]:
    pythons, abis, platforms = tag.split("-")
    return [f"{a}-{b}-{c}" for a in pythons.split(".") for b in abis.split(".") for c in platforms.split(".")]


def _metadata(
    name: str, version: str, requires: Sequence[str], extras: Mapping[str, Sequence[str]], python: str
) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: made by a test"]
    lines += [f"Requires-Python: {python}"] if python else []
    lines += [f"Requires-Dist: {one}" for one in requires]
    for extra, wanted in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        for one in wanted:
            what, _, marker = one.partition(";")
            also = f"({marker.strip()}) and " if marker else ""
            lines.append(f"Requires-Dist: {what.strip()}; {also}extra == '{extra}'")
    return ("\n".join(lines) + "\n\n").encode()


def _record(content: Mapping[str, bytes], own: str) -> bytes:
    lines = []
    for path, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    return ("".join(lines) + f"{own},,\n").encode()


def wheels(folder: Path) -> list[Wheel]:
    """All distributions of a folder, sdists too (with empty metadata)."""
    found = []
    for path in sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")]):
        data = path.read_bytes()
        name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
        metadata = b""
        if path.suffix == ".whl":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                inside = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
                metadata = archive.read(inside)
        python = re.search(rb"^Requires-Python: (.+)$", metadata, re.MULTILINE)
        note = path.with_name(path.name + ".uploaded")
        uploaded = note.read_text() if note.exists() else UPLOADED
        digest = hashlib.sha256(data).hexdigest()
        asked = python.group(1).decode() if python else ""
        found.append(Wheel(path, normal(name), version, digest, len(data), metadata, asked, uploaded))
    return found


def page(found: Sequence[Wheel], where: str, *, hashes: bool = True, metadata: bool = True) -> str:
    """A project's page in HTML (PEP 503; 658). where: in front of each file name."""
    lines = []
    for one in found:
        href = f"{where}{one.path.name}" + (f"#sha256={one.sha256}" if hashes else "")
        more = f' data-requires-python="{html.escape(one.requires_python)}"' if one.requires_python else ""
        if metadata and one.metadata:
            more += f' data-core-metadata="sha256={hashlib.sha256(one.metadata).hexdigest()}"'
        lines.append(f'<a href="{html.escape(href)}"{more}>{one.path.name}</a><br>')
    return "<!DOCTYPE html><html><body>\n" + "\n".join(lines) + "\n</body></html>\n"


def page_json(
    name: str,
    found: Sequence[Wheel],
    where: str,
    *,
    hashes: bool = True,
    sizes: bool = True,
    metadata: bool = True,
    uploaded: bool = True,
) -> str:
    """A project's page in JSON (PEP 691; 658, 700)."""
    files: list[dict[str, Any]] = []
    for one in found:
        file: dict[str, Any] = {"filename": one.path.name, "url": f"{where}{one.path.name}"}
        file["hashes"] = {"sha256": one.sha256} if hashes else {}
        file |= {"requires-python": one.requires_python} if one.requires_python else {}
        file |= {"size": one.size} if sizes else {}
        file |= {"upload-time": one.uploaded} if uploaded else {}
        if metadata and one.metadata:
            file["core-metadata"] = {"sha256": hashlib.sha256(one.metadata).hexdigest()}
        files.append(file)
    meta = {"api-version": "1.1" if sizes else "1.0"}
    return json.dumps({"meta": meta, "name": name, "versions": sorted({one.version for one in found}), "files": files})


def tree(folder: Path, target: Path, *, hashes: bool = True) -> str:
    """Write a simple index as plain files, for ``python -m http.server`` or a file URL. Gives the file URL."""
    found = wheels(folder)
    for name in {one.name for one in found}:
        (target / name).mkdir(parents=True, exist_ok=True)
        mine = [one for one in found if one.name == name]
        where = folder.resolve().as_uri() + "/"
        (target / name / "index.html").write_text(page(mine, where, hashes=hashes, metadata=False))
    return target.resolve().as_uri()


class Index:
    """A simple index on loopback over a folder of wheels, read anew at each question.

    url: to give to --index-url. asked: (method, path) of all questions so far. json=False: HTML alone (PEP 503).
    login: ("user", "password") that each question must carry; url has them in it then, bare has not.
    """

    def __init__(
        self,
        folder: Path,
        *,
        json: bool = True,
        hashes: bool = True,
        sizes: bool = True,
        metadata: bool = True,
        uploaded: bool = True,
        ranges: bool = True,
        login: Union[tuple[str, str], None] = None,
    ) -> None:
        self.folder = folder
        self.json, self.hashes, self.sizes, self.metadata = json, hashes, sizes, metadata
        self.uploaded, self.ranges, self.login = uploaded, ranges, login
        self.asked: list[tuple[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True

    @property
    def bare(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/simple/"

    @property
    def url(self) -> str:
        return self.bare.replace("//", f"//{':'.join(self.login)}@", 1) if self.login else self.bare

    def __enter__(self) -> Index:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: Union[type[BaseException], None],
        error: Union[BaseException, None],
        trace: Union[TracebackType, None],
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index.answer(self)

            do_HEAD = do_GET

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        return Handler

    def answer(self, question: BaseHTTPRequestHandler) -> None:
        """One question: a project's page, a wheel (whole or a range of it), a wheel's METADATA."""
        path = question.path.partition("#")[0].partition("?")[0]
        self.asked.append((question.command, path))
        if self.login:
            wanted = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
            if question.headers.get("Authorization") != wanted:
                reply(question, 401, b"who are you?", {"WWW-Authenticate": 'Basic realm="tests"'})
                return
        project = re.fullmatch(r"/simple/([^/]+)/?", path)
        if project:
            self._project(question, normal(project.group(1)))
        elif path.startswith("/files/"):
            self._file(question, path.removeprefix("/files/"))
        else:
            reply(question, 404, b"no such page")

    def _project(self, question: BaseHTTPRequestHandler, name: str) -> None:
        mine = [one for one in wheels(self.folder) if one.name == name]
        if not mine:
            reply(question, 404, b"no such project")
        elif self.json and "application/vnd.pypi.simple.v1+json" in question.headers.get("Accept", ""):
            told = {"hashes": self.hashes, "sizes": self.sizes, "metadata": self.metadata, "uploaded": self.uploaded}
            text = page_json(name, mine, "/files/", **told)
            reply(question, 200, text.encode(), {"Content-Type": "application/vnd.pypi.simple.v1+json"})
        else:
            text = page(mine, "/files/", hashes=self.hashes, metadata=self.metadata)
            reply(question, 200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _file(self, question: BaseHTTPRequestHandler, name: str) -> None:
        if name.endswith(".metadata"):
            mine = [one for one in wheels(self.folder) if one.path.name == name.removesuffix(".metadata")]
            if self.metadata and mine:
                reply(question, 200, mine[0].metadata)
            else:
                reply(question, 404, b"no metadata")
            return
        path = self.folder / name
        if "/" in name or not path.is_file():
            reply(question, 404, b"no such file")
        else:
            reply_file(question, path.read_bytes(), self.ranges)


def reply(
    question: BaseHTTPRequestHandler, code: int, body: bytes, headers: Union[Mapping[str, str], None] = None
) -> None:
    question.send_response(code)
    for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        question.send_header(key, value)
    question.end_headers()
    if question.command != "HEAD":
        question.wfile.write(body)


def reply_file(question: BaseHTTPRequestHandler, data: bytes, ranges: bool = True) -> None:
    """A file, or the part of it that was asked for."""
    tag = {"ETag": f'"{hashlib.sha256(data).hexdigest()[:16]}"'}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", question.headers.get("Range", "")) if ranges else None
    if not asked:
        reply(question, 200, data, {**tag, **({"Accept-Ranges": "bytes"} if ranges else {})})
        return
    first, last = asked.groups()
    begin = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last), len(data) - 1) if first and last else len(data) - 1
    if begin >= len(data):
        reply(question, 416, b"", {"Content-Range": f"bytes */{len(data)}"})
        return
    told = {**tag, "Accept-Ranges": "bytes", "Content-Range": f"bytes {begin}-{end}/{len(data)}"}
    reply(question, 206, data[begin : end + 1], told)
