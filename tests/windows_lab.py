r"""A real Windows Python for tests: under Wine on Linux (scripts/windows_lab.py), Windows itself where that runs.

    def test_…(lab: Lab) -> None:                   # conftest.py's fixture; such a test is marked `windows`
        done = lab.run([lab.python("3.10"), "-c", "print(1)"], env={"PATH": r"C:\x"}, seconds=60)
        assert (done.code, done.out) == (0, "1\n")
        lab.gpucheck("doctor", "--format", "json")  # installed there from the wheel of this checkout
        lab.path(tmp_path)                          # r"Z:\tmp\…": the name that a Windows program knows it by

Under Wine each session of tests has a Windows of its own: `lab.drive` is its drive C:, and what a test changes there
or in the registry is nobody else's. On a real Windows `lab.drive` is None and nothing outside tmp_path may be changed
that the test does not put back.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn, Union

import pytest

ROOT = Path(__file__).resolve().parent.parent
GPUCHECKS_PYTHON = "3.10"
_KEPT = 3  # environments with an older gpucheck in them
# Run by a bare Python there: Wine sets PATH, TEMP and many more by itself, so whoever wants his own starts so.
_STARTER = """
import json, os, subprocess, sys
with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
environ = {**os.environ, **given["env"]}
for name in given["without"]:
    environ.pop(name.upper(), None)
try:
    done = subprocess.run(given["argv"], env=environ, cwd=given["cwd"])
except OSError as error:
    sys.exit("windows_lab: %s: %s" % (given["argv"][0], error))
os._exit(done.returncode & 0xFFFFFFFF if done.returncode >= 0 else 1)
"""


class Done(NamedTuple):
    """How a program ended. Under Wine only the last 8 bits of an exit code come through. out, err: lines end in \\n."""

    code: int
    out: str
    err: str


class Lab:
    """home: a folder of this session's own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.drive: Union[Path, None] = None
        self._number = 0
        self._gpuchecks: dict[str, Path] = {}  # once a session: a change of the sources meanwhile is the next one's
        if sys.platform == "win32":
            self.place = home / "lab"
            self.place.mkdir(parents=True)
            return
        self._made = _script()
        try:
            self.place = self._made.make()
        except self._made.LabFailed as failure:
            give_up(f"no Windows laboratory: {failure}")
        self._prefix = home / "wine" / "prefix"
        self._prefix.parent.mkdir(parents=True)
        self._made.copy_prefix(self._prefix)
        self.drive = self._prefix / "drive_c"

    def path(self, path: Union[str, os.PathLike[str]]) -> str:
        """How Windows programs call a file of this machine."""
        if self.drive is None:
            return os.path.abspath(path)
        absolute = os.path.abspath(path)
        below = os.path.relpath(absolute, self.drive)
        where = f"C:\\{below}" if not below.startswith("..") else f"Z:{absolute}"
        return where.replace("/", "\\")

    def unix(self, path: str) -> Path:
        """The file of this machine behind a name that a Windows program told."""
        if self.drive is None:
            return Path(path)
        drive, rest = path[:2].lower(), path[2:].replace("\\", "/")
        return self.drive / rest.lstrip("/") if drive == "c:" else Path(rest)

    def python(self, minor: str = GPUCHECKS_PYTHON) -> str:
        """A bare interpreter of that minor version, without any package."""
        if self.drive is not None:
            return self.path(self.place / "python" / minor / "python.exe")
        if f"{sys.version_info[0]}.{sys.version_info[1]}" == minor:
            return str(getattr(sys, "_base_executable", sys.executable))
        found = subprocess.run([self.uv, "python", "find", "--system", minor], capture_output=True, text=True)
        if found.returncode:
            pytest.skip(f"this machine: no Python {minor}")
        return found.stdout.strip()

    @property
    def uv(self) -> str:
        if self.drive is not None:
            return self.path(self.place / "uv" / "uv.exe")
        from uv import find_uv_bin

        return str(find_uv_bin())

    def environ(self, env: Mapping[str, str]) -> dict[str, str]:
        """All variables of a program that is started directly."""
        if self.drive is None:
            return {**os.environ, **env}
        certificates = os.environ.get("SSL_CERT_FILE")
        ours = {
            "UV_CACHE_DIR": self.path(self.place / "uv-cache"),
            **({"SSL_CERT_FILE": self.path(certificates)} if certificates else {}),
            **{name: value for name, value in os.environ.items() if name in _CARRIED},
        }
        return {**self._made.environ(self._prefix), **ours, **env}

    def start(
        self,
        argv: Sequence[str],
        env: Union[Mapping[str, str], None] = None,
        without: Sequence[str] = (),
        cwd: Union[Path, None] = None,
        **more: int,
    ) -> subprocess.Popen[bytes]:
        """Start a program with pipes at its outputs (Python under Wine cannot write to a file that is its stdout).

        Parameters
        ----------
        argv: of Windows: the program's path, its words.
        env: variables to set. PATH, TEMP and others that Wine sets by itself are set by a starter in between, so the
            process that is given back is then not the program itself.
        without: variables to unset.
        """
        env = dict(env or {})
        if self.drive is not None:
            # What Wine knows nothing of goes directly; a value that is no ASCII would be read as Unix's.
            direct = not without and not any(name.upper() in _WINES_OWN or not env[name].isascii() for name in env)
            argv = [str(self._made.wine()), *(argv if direct else self._through(argv, env, without, cwd))]
            env = env if direct else {}
        given = self.environ(env)
        for name in without:
            given.pop(name, None)
        pipe = subprocess.PIPE
        return subprocess.Popen(
            list(argv), env=given, cwd=cwd or self.home, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, **more
        )

    def _through(
        self, argv: Sequence[str], env: Mapping[str, str], without: Sequence[str], cwd: Union[Path, None]
    ) -> list[str]:
        self._number += 1
        starter, words = self.home / "starter.py", self.home / f"start-{self._number}.json"
        starter.write_text(_STARTER)
        given = {"argv": list(argv), "env": dict(env), "without": list(without), "cwd": self.path(cwd or self.home)}
        words.write_text(json.dumps(given))
        return [self.python("3.11"), "-I", "-S", self.path(starter), self.path(words)]

    def run(
        self,
        argv: Sequence[str],
        env: Union[Mapping[str, str], None] = None,
        without: Sequence[str] = (),
        cwd: Union[Path, None] = None,
        seconds: float = 120.0,
    ) -> Done:
        """Run a program to its end; see `start`. Past its seconds it is ended with everything, and the test fails."""
        process = self.start(argv, env, without, cwd)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            self.end()
            out, err = process.communicate()
            pytest.fail(f"{argv} did not end within {seconds} s: {_text(out)[-2000:]} {_text(err)[-2000:]}")
        return Done(process.returncode, _text(out), _text(err))

    def end(self) -> None:
        """End every program of this Windows."""
        if self.drive is not None:
            self._made.end_prefix(self._prefix)

    def close(self) -> None:
        self.end()
        if self.drive is not None:
            shutil.rmtree(self._prefix, ignore_errors=True)

    def environment(self, name: str, minor: str, *requirements: str) -> Path:
        """A virtual environment with these packages, made once by uv there and kept for all later runs; do not change
        it. Its interpreter is Scripts/python.exe."""
        recipe = hashlib.sha256(repr((minor, requirements, self.place)).encode()).hexdigest()[:12]
        target = self.place / "environments" / f"{name}-{minor}-{recipe}"
        with self._locked():
            if not (target / "finished").exists():
                shutil.rmtree(target, ignore_errors=True)
                self._uv("venv", "--python", self.python(minor), self.path(target))
                if requirements:
                    interpreter = self.path(target / "Scripts" / "python.exe")
                    self._uv("pip", "install", "--python", interpreter, *requirements, seconds=900)
                (target / "finished").touch()
        return target

    def _uv(self, *words: str, seconds: float = 120.0) -> None:
        # Hard links to the cache would make two environments one file; and a file in use could not be replaced.
        done = self.run([self.uv, *words, "--link-mode=copy", "--quiet"], seconds=seconds)
        if done.code:
            give_up(f"uv {words[0]} under Windows ended with {done.code}: {done.err.strip()[-600:]}")

    def gpuchecks(self, minor: str = GPUCHECKS_PYTHON) -> Path:
        """The environment in which gpucheck is installed, from the wheel of this checkout."""
        if minor not in self._gpuchecks:
            self._gpuchecks[minor] = self._gpucheck_installed(minor)
        return self._gpuchecks[minor]

    def _gpucheck_installed(self, minor: str) -> Path:
        base = self.environment("gpucheck", minor, *_dependencies())
        target = base.with_name(f"{base.name}-{_fingerprint()}")
        with self._locked():
            if not (target / "finished").exists():
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(base, target, copy_function=shutil.copy2 if self.drive is None else os.link)
                (target / "finished").unlink()
                wheel = _wheel(self.home / "wheel")
                interpreter = self.path(target / "Scripts" / "python.exe")
                self._uv("pip", "install", "--offline", "--no-deps", "--python", interpreter, self.path(wheel))
                (target / "finished").touch()
                older = sorted(base.parent.glob(f"{base.name}-*"), key=lambda one: one.stat().st_mtime)
                for one in older[:-_KEPT]:
                    if time.time() - one.stat().st_mtime > 3600:  # nobody uses it any more
                        shutil.rmtree(one, ignore_errors=True)
        return target

    def gpucheck(
        self,
        *words: str,
        env: Union[Mapping[str, str], None] = None,
        without: Sequence[str] = (),
        cwd: Union[Path, None] = None,
        seconds: float = 60.0,
    ) -> Done:
        """Run the command that the wheel installed, Scripts/gpucheck.exe."""
        program = self.path(self.gpuchecks() / "Scripts" / "gpucheck.exe")
        return self.run([program, *words], env, without, cwd, seconds)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self.drive is None:  # a folder of this session's own
            yield
            return
        with self._made._locked(self.place / "environments.lock"):
            yield


# Of Linux's own variables those that Windows programs here need: how to reach an index.
_CARRIED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "UV_DEFAULT_INDEX")
# What Wine's start sets whatever it is given.
_WINES_OWN = frozenset((
    "PATH", "TEMP", "TMP", "HOME", "USER", "USERNAME", "USERPROFILE", "USERDOMAIN", "APPDATA", "LOCALAPPDATA", "PUBLIC",
    "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432", "COMMONPROGRAMFILES", "COMMONPROGRAMW6432", "PROGRAMDATA",
    "ALLUSERSPROFILE", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "HOMEDRIVE", "HOMEPATH", "COMPUTERNAME", "LANG", "OS",
    "PATHEXT", "COMSPEC", "PROCESSOR_ARCHITECTURE", "PROCESSOR_ARCHITEW6432", "NUMBER_OF_PROCESSORS",
))  # fmt: skip


def give_up(reason: str) -> NoReturn:
    """Skip, but fail in CI: there a missing laboratory is a hole in the tests."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _script() -> ModuleType:
    """scripts/windows_lab.py, which has the name of this module."""
    spec = importlib.util.spec_from_file_location("scripts_windows_lab", ROOT / "scripts" / "windows_lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _text(data: bytes) -> str:
    """UTF-8, or what a Windows of Western Europe writes into a pipe."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "backslashreplace")
    return text.replace("\r\n", "\n")


def _dependencies() -> tuple[str, ...]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    return tuple(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])


def _fingerprint() -> str:
    """Of everything that the wheel is made from."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    for path in sorted((ROOT / "gpucheck").rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _wheel(target: Path) -> Path:
    """This checkout's wheel."""
    from uv import find_uv_bin

    command = [str(find_uv_bin()), "build", "--quiet", "--python", sys.executable, "--wheel", "--out-dir", str(target)]
    command.append(str(ROOT))
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        give_up(f"uv build failed: {done.stderr.strip()[-600:]}")
    (wheel,) = target.glob("*.whl")
    return wheel
