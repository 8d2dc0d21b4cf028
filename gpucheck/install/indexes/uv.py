"""uv, run as a program: with settings of ours and none of its own, killable, and gone when gpucheck is gone.

What uv is asked to do is said by its callers; here is only how it is run. Indexes and proxies are handed over in
variables, not as arguments: they may hold passwords, and everybody on a machine can read the arguments of a process.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Union
from urllib.parse import quote

from gpucheck.host.waiting import wait
from gpucheck.install.errors import InstallError
from gpucheck.install.indexes.masking import secrets_in
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.indexes.signals import hear, held_back

_WINDOWS = sys.platform == "win32"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_GRACE = 1.0  # seconds between asking uv to end and ending it: it removes what it had begun in its cache
# Neither what is resolved nor where it is written depends on these.
_KEPT = (
    *("UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS", "UV_HTTP_RETRIES"),
    *("UV_HTTP_CONNECT_TIMEOUT", "UV_CREDENTIALS_DIR", "UV_LOCK_TIMEOUT", "UV_CACHE_DIR"),
)
_DROPPED = (
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_PYTHON_EXE", "RUST_LOG", "FORCE_COLOR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "HTTP_TIMEOUT"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
)


class Done(NamedTuple):
    """How a run ended. code: its exit code, minus a signal. out: standard output; err: standard error, masked."""

    code: int
    out: str
    err: str


class TookTooLong(InstallError):
    """uv gave no end within its deadline and was ended."""


def binary() -> str:
    """Path of the uv that came with gpucheck, else the one on PATH.

    Raises
    ------
    InstallError: there is none.
    """
    with suppress(ImportError, FileNotFoundError):
        from uv import find_uv_bin

        return str(find_uv_bin())
    if found := shutil.which("uv"):
        return found
    raise InstallError("uv is not there, though gpucheck depends on it: python -m pip install uv")


def options(settings: Settings) -> list[str]:
    """Arguments for every uv command that looks for packages; the rest is in `environment`."""
    places = [["--find-links", place] for place in settings.find_links if not secrets_in(place)]
    return [*(["--no-index"] if settings.no_index else []), *(word for pair in places for word in pair)]


def environment(settings: Settings, environ: Union[Mapping[str, str], None] = None) -> dict[str, str]:
    """The variables that uv sees: this process's without those that change what uv does, and the settings."""
    environ = os.environ if environ is None else environ
    result = {name: value for name, value in environ.items() if _harmless(name)}
    result |= {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    result |= dict(settings.passed)
    given: dict[str, Union[str, None]] = {
        "UV_DEFAULT_INDEX": None if settings.no_index else settings.default_index,
        "UV_INDEX": None if settings.no_index else " ".join(settings.extra),
        # As pip does it: the best version wins, wherever it is. Without this uv stops at the first index with the name.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if settings.extra else None,
        "UV_FIND_LINKS": ",".join(place.replace(",", quote(",")) for place in settings.find_links if secrets_in(place)),
        "UV_INSECURE_HOST": " ".join(settings.insecure),
        "UV_KEYRING_PROVIDER": "subprocess" if settings.keyring else None,
        "UV_OFFLINE": "1" if settings.offline else None,
        "UV_HTTP_TIMEOUT": str(max(1, round(settings.timeout))) if settings.timeout else None,
        "UV_CACHE_DIR": settings.cache,
        "SSL_CLIENT_CERT": settings.client_certificate,
        **_certificates(settings.certificate),
        **{f"{scheme.upper()}_PROXY": url for scheme, url in settings.proxies},
    }
    return result | {name: value for name, value in given.items() if value}


def _harmless(name: str) -> bool:
    upper = name.upper()
    return upper in _KEPT or not (upper.startswith(("UV_", "PIP_", "PYTHON")) or upper in _DROPPED)


def _certificates(chosen: Union[str, None]) -> dict[str, Union[str, None]]:
    """The system's own store where nothing is chosen, as pip does; uv's built-in one where the system has none."""
    if chosen:
        return {"SSL_CERT_DIR" if os.path.isdir(chosen) else "SSL_CERT_FILE": chosen}
    paths = ssl.get_default_verify_paths()
    there = sys.platform in ("win32", "darwin") or paths.cafile or (paths.capath and os.listdir(paths.capath))
    return {"UV_SYSTEM_CERTS": "1" if there else None}


def cache(settings: Settings) -> str:
    """uv's cache folder. Raises `InstallError`."""
    done = run(["cache", "dir"], settings=settings)
    if done.code or not done.out.strip():
        raise InstallError("uv does not tell where its cache is", tuple(done.err.splitlines()[-5:]))
    return done.out.strip()


def run(
    arguments: Sequence[str],
    *,
    settings: Settings,
    deadline: Union[float, None] = None,
    cwd: Union[str, None] = None,
    stdin: str = "",
    variables: Union[Mapping[str, str], None] = None,
    enough: Union[Callable[[str], bool], None] = None,
) -> Done:
    """Run uv to its end.

    Parameters
    ----------
    arguments: without the program ("pip", "compile", ...). deadline: seconds. stdin: what it reads. variables: for what
    uv runs itself. enough: asked with each line of its standard error, masked, from another thread, whether all is done
    that uv was started for; then it is ended, with code 0.

    Raises
    ------
    TookTooLong, InstallError (it could not be run). Whatever interrupts the wait (KeyboardInterrupt) ends uv first.
    """
    flags: dict[str, Any] = {"start_new_session": True, "preexec_fn": _with_its_parent()}
    if _WINDOWS:
        flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
    argv = [binary(), *arguments, "--color", "never"]
    pipe = subprocess.PIPE
    environ = environment(settings) | dict(variables or {})
    out: list[str] = []
    err: list[str] = []
    satisfied: list[bool] = []
    process: Union[subprocess.Popen[bytes], None] = None

    def take(line: str) -> None:
        line = settings.without_secrets(line)
        err.append(line)
        if enough and process and not satisfied and enough(line):
            satisfied.append(True)
            end(process)

    try:
        with held_back() as came:
            process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environ, cwd=cwd, **flags)
        hear(came)
        readers = [_reader(process.stdout, out.append), _reader(process.stderr, take)]
        _give(process, stdin)
        code = wait(process, deadline)
        for reader in readers:
            reader.join(_GRACE)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        if process is None:
            raise InstallError(f"uv could not be run: {getattr(error, 'strerror', None) or error}") from error
        end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TookTooLong(f"uv {arguments[0]} did not end within {deadline:.0f} s", tuple(err[-5:])) from None
        raise
    except BaseException:
        if process is not None:
            end(process)
        raise
    return Done(0 if satisfied else code, "".join(out), "".join(err))


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it and its descendants to end, and after a moment make them."""
    with suppress(OSError):
        if _WINDOWS:
            _kill_tree(process)
        else:
            os.killpg(process.pid, signal.SIGTERM)
    with suppress(OSError, subprocess.TimeoutExpired):
        process.wait(_GRACE)
    if not _WINDOWS:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(OSError, subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """uv and the Python that builds a wheel for it."""
    import psutil

    with suppress(psutil.Error):
        for one in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                one.kill()
    process.kill()


def _give(process: subprocess.Popen[bytes], text: str) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it ended without reading
        process.stdin.write(text.encode())
        process.stdin.close()


def _reader(stream: Any, take: Callable[[str], None]) -> threading.Thread:
    def read() -> None:
        with suppress(OSError, ValueError):
            for line in stream:
                take(line.decode("utf-8", "backslashreplace"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _with_its_parent() -> Union[Callable[[], None], None]:
    """What a child does before it becomes uv: bind its life to ours. A uv that outlives a killed gpucheck would go on
    writing into an environment that the next gpucheck restores.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: a child of threads must not
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # gone already
            os._exit(1)

    return bind
