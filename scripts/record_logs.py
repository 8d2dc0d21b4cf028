"""Make real logs of failures whose cause is known, because it is made here: tests/data/logs/made/NAME.log.

python scripts/record_logs.py [NAME …]      all, or these; what this machine lacks (an interpreter, an environment) is
                                            said and left out

Installers fail for real against the package index; TensorFlows of the tests' environments (tests/real_environments.py)
run over the tests' fake driver (tests/fake_driver.py), with libraries left out or put in their way. A log begins with
its cause and how it was made; paths and hosts of this machine are taken out.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Union

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import fake_driver  # noqa: E402

MADE = ROOT / "tests/data/logs/made"
_CACHE = Path(os.environ.get("GPUCHECK_TEST_CACHE") or Path.home() / ".cache/gpucheck-tests")
_LIST = "import tensorflow as tf; print(tf.config.list_physical_devices('GPU'))"
_SESSION = "import tensorflow as tf; print(tf.Session().list_devices())"
_MOST_LINES = 120


class Missing(Exception):
    """This machine has not what a log needs."""


class Recipe(NamedTuple):
    """name: of the log. cause: the first finding, or one that it leaves open. how: in words, for the log's head."""

    name: str
    cause: str
    how: str
    make: Callable[[Path], str]


def said(argv: list[str], folder: Path, environ: Union[dict[str, str], None] = None, seconds: int = 240) -> str:
    """What a program prints on both streams, in their order."""
    whole = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "COLUMNS": "200", **(environ or {})}
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=whole, cwd=folder, timeout=seconds, check=False
    )
    return done.stdout.decode("utf-8", "replace")


def python(minor: str) -> str:
    """An interpreter of that minor version, without an environment."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(versions.glob(f"{minor}.*/bin/python{minor}"))
    if not found:
        raise Missing(f"no Python {minor}")
    return str(found[-1])


def _network() -> dict[str, str]:
    """What pip and uv need to reach the index here."""
    kept = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY")
    settings = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    config = next(
        (path for path in (Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf") if path.exists()), None
    )
    return {**settings, "PIP_NO_COLOR": "1", **({"PIP_CONFIG_FILE": str(config)} if config else {})}


def pip(minor: str, *arguments: str) -> Callable[[Path], str]:
    """pip of that Python in a new environment (3.6 and later), nothing being installed."""

    def make(folder: Path) -> str:
        subprocess.run([python(minor), "-m", "venv", folder / "tf"], check=True, capture_output=True)
        return said([str(folder / "tf/bin/python"), "-m", "pip", "install", *arguments], folder, _network())

    return make


def uv(minor: str, *arguments: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        program = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        if not Path(program).exists():
            raise Missing("no uv")
        subprocess.run([program, "venv", "-q", "-p", python(minor), folder / "tf"], check=True, capture_output=True)
        own = ["--python", str(folder / "tf"), "--color", "never"]
        return said(
            [program, "pip", "install", *own, *arguments], folder, {**_network(), "UV_CACHE_DIR": str(folder / "c")}
        )

    return make


def refused_wheel(folder: Path) -> str:
    wheel = folder / "tensorflow-1.15.0-cp37-cp37m-win_amd64.whl"
    wheel.write_bytes(b"")
    return said([python("3.12"), "-m", "pip", "install", str(wheel)], folder, _network())


def system_pip(folder: Path) -> str:
    if not list(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED")):
        raise Missing("no externally managed Python")
    return said(["/usr/bin/python3", "-m", "pip", "install", "tensorflow"], folder, _network())


def system_uv(folder: Path) -> str:
    program = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    return said(
        [program, "pip", "install", "--python", "/usr/bin/python3", "--color", "never", "tensorflow"],
        folder,
        _network(),
    )


def full_disk(folder: Path) -> str:
    """TMPDIR on 8 MB of memory; needs the right to mount."""
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], capture_output=True).returncode:
        raise Missing("may not mount a tmpfs")
    try:
        environ = {**_network(), "TMPDIR": str(small)}
        subprocess.run([python("3.12"), "-m", "venv", folder / "tf"], check=True, capture_output=True)
        return said([str(folder / "tf/bin/python"), "-m", "pip", "install", "numpy==2.1.0"], folder, environ)
    finally:
        subprocess.run(["umount", small], check=True)


def _environment(name: str) -> Path:
    if not (_CACHE / f"{name}.finished").exists():
        raise Missing(f"no environment {name}: run the tests marked real")
    return _CACHE / name


def tensorflow(
    name: str, program: str = _LIST, kind: str = "driver", /, libraries: tuple[str, ...] = (), **settings: str
) -> Callable[[Path], str]:
    """A TensorFlow of the tests' environments over the fake driver.

    kind: the driver's folder (tests/fake_driver.py), or "" for none at all. libraries: names of empty libraries that
    stand in LD_LIBRARY_PATH, "libcudnn.so.8"; a name with "=" is linked: "libcudnn.so.9=/path".
    """

    def make(folder: Path) -> str:
        own = _environment(name)
        extra = folder / "libraries"
        extra.mkdir()
        for each in libraries:
            soname, _, target = each.partition("=")
            (extra / soname).symlink_to(_CACHE / target)
        paths = [str(extra)] if libraries else []
        if kind:
            paths.append(str(fake_driver.build(folder / "fake").root / kind))
        environ = {"LD_LIBRARY_PATH": ":".join(paths), **settings}
        return said([str(own / "bin/python"), "-c", program], folder, environ)

    return make


def overlaid(name: str, *requirements: str) -> Callable[[Path], str]:
    """A TensorFlow that gets other versions of packages in front of its own."""

    def make(folder: Path) -> str:
        own = _environment(name)
        program = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        target = ["--target", str(folder / "front"), "-p", str(own / "bin/python")]
        subprocess.run([program, "pip", "install", "-q", "--no-deps", *target, *requirements], check=True)
        return said([str(own / "bin/python"), "-c", _LIST], folder, {"PYTHONPATH": str(folder / "front")})

    return make


def fresh(minor: str, *requirements: str, program: str = _LIST, **settings: str) -> Callable[[Path], str]:
    """A release that is installed for this log alone, over the fake driver, without CUDA's libraries."""

    def make(folder: Path) -> str:
        program_ = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        quiet = {"capture_output": True, "check": True, "env": {**os.environ, "UV_CACHE_DIR": str(folder / "cache")}}
        subprocess.run([program_, "venv", "-q", "-p", python(minor), folder / "tf"], **quiet)  # type: ignore[call-overload]
        own = str(folder / "tf/bin/python")
        subprocess.run([program_, "pip", "install", "-q", "-p", own, *requirements], **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder / "cache", ignore_errors=True)
        driver = fake_driver.build(folder / "fake").root / "driver"
        return said([own, "-c", program], folder, {"LD_LIBRARY_PATH": str(driver), **settings})

    return make


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "tf1155-protobuf-4",
        "protobuf-incompatible",
        "TensorFlow 1.15.5 and the protobuf that uv takes for Python 3.7",
        fresh("3.7", "tensorflow==1.15.5"),
    ),
    Recipe(
        "tf1155-no-libraries",
        "cuda-libs-not-on-loader-path",
        "TensorFlow 1.15.5, a driver, no CUDA libraries",
        fresh("3.7", "tensorflow-gpu==1.15.5", "protobuf<3.21", program=_SESSION),
    ),
    Recipe(
        "tf234-no-libraries",
        "cuda-libs-not-on-loader-path",
        "TensorFlow 2.3.4, a driver, no CUDA libraries",
        fresh("3.8", "tensorflow==2.3.4", "protobuf<3.21"),
    ),
    Recipe(
        "tf264-protobuf-4",
        "protobuf-incompatible",
        "TensorFlow 2.6.4 and protobuf 4.21",
        fresh("3.9", "tensorflow==2.6.4", "protobuf==4.21.12"),
    ),
    Recipe(
        "tf264-no-libraries",
        "cuda-libs-not-on-loader-path",
        "TensorFlow 2.6.4, a driver, no CUDA libraries",
        fresh("3.9", "tensorflow==2.6.4", "protobuf<3.21"),
    ),
    Recipe(
        "tf2121-no-libraries",
        "cuda-libs-not-on-loader-path",
        "TensorFlow 2.12.1, a driver, no CUDA libraries",
        fresh("3.11", "tensorflow==2.12.1"),
    ),
    Recipe(
        "tf2151-no-libraries",
        "cuda-libs-not-on-loader-path",
        "TensorFlow 2.15.1 without [and-cuda], a driver",
        fresh("3.11", "tensorflow==2.15.1"),
    ),
    Recipe(
        "pip-python-313-tf-2.15", "python-version-no-wheel", "pip 24, Python 3.13", pip("3.13", "tensorflow==2.15.1")
    ),
    Recipe("pip-python-312-tf-1.15", "python-version-no-wheel", "pip 23, Python 3.12", pip("3.12", "tensorflow==1.15")),
    Recipe("pip-python-38-tf-2.16", "python-version-no-wheel", "pip 23, Python 3.8", pip("3.8", "tensorflow==2.16.1")),
    Recipe("pip-python-37-tf-2.12", "python-version-no-wheel", "pip 22, Python 3.7", pip("3.7", "tensorflow==2.12.0")),
    Recipe("pip-python-36-tf-2.9", "python-version-no-wheel", "pip 18, Python 3.6", pip("3.6", "tensorflow==2.9.0")),
    Recipe("pip-python-313-torch-1.13", "python-version-no-wheel", "pip 24, Python 3.13", pip("3.13", "torch==1.13.1")),
    Recipe("pip-refused-wheel", "python-version-no-wheel", "pip 23, Python 3.12, a wheel of Windows", refused_wheel),
    Recipe(
        "pip-tensorflow-gpu", "tensorflow-gpu-package-removed", "pip 23, Python 3.12", pip("3.12", "tensorflow-gpu")
    ),
    Recipe(
        "pip-tensorflow-gpu-old-pip",
        "tensorflow-gpu-package-removed",
        "pip 22, 3.7",
        pip("3.7", "tensorflow-gpu==2.12.0"),
    ),
    Recipe(
        "pip-tensorflow-gpu-old-pip-36",
        "tensorflow-gpu-package-removed",
        "pip 18, 3.6",
        pip("3.6", "tensorflow-gpu==2.12.0"),
    ),
    Recipe(
        "pip-and-cuda-2.14",
        "and-cuda-tensorrt-unresolvable",
        "pip 23, 3.11",
        pip("3.11", "--dry-run", "tensorflow[and-cuda]==2.14.0"),
    ),
    Recipe(
        "pip-and-cuda-2.15.0",
        "and-cuda-tensorrt-unresolvable",
        "pip 23, 3.11",
        pip("3.11", "--dry-run", "tensorflow[and-cuda]==2.15.0"),
    ),
    Recipe("pip-system-python", "pep668-externally-managed", "pip 23, Debian's Python", system_pip),
    Recipe("pip-full-tmp", "disk-or-tmp-full", "pip 23, TMPDIR of 8 MB", full_disk),
    Recipe("uv-python-313-tf-2.15", "python-version-no-wheel", "uv, Python 3.13", uv("3.13", "tensorflow==2.15.1")),
    Recipe("uv-python-38-tf-2.16", "python-version-no-wheel", "uv, Python 3.8", uv("3.8", "tensorflow==2.16.1")),
    Recipe("uv-python-312-tf-1.15", "python-version-no-wheel", "uv, Python 3.12", uv("3.12", "tensorflow==1.15.0")),
    Recipe(
        "uv-tensorflow-gpu", "tensorflow-gpu-package-removed", "uv, Python 3.12", uv("3.12", "tensorflow-gpu==2.12.0")
    ),
    Recipe(
        "uv-and-cuda-2.14",
        "and-cuda-tensorrt-unresolvable",
        "uv, Python 3.11",
        uv("3.11", "tensorflow[and-cuda]==2.14.0"),
    ),
    Recipe("uv-system-python", "pep668-externally-managed", "uv, Debian's Python", system_uv),
    Recipe("tf210-numpy-2", "numpy2-abi-break", "TensorFlow 2.10.1 with NumPy 2", tensorflow("tf210np2")),
    Recipe(
        "tf210-protobuf-4",
        "protobuf-incompatible",
        "TensorFlow 2.10.1 with protobuf 4.21",
        overlaid("tf210", "protobuf==4.21.12"),
    ),
    Recipe(
        "tf221-protobuf-5",
        "protobuf-incompatible",
        "TensorFlow 2.21 with protobuf 5.28",
        overlaid("tf221", "protobuf==5.28.3"),
    ),
    Recipe(
        "tf210-no-libraries",
        "cuda-libs-not-on-loader-path",
        "TensorFlow 2.10.1, a driver, no CUDA libraries",
        tensorflow("tf210"),
    ),
    Recipe(
        "tf2161-and-cuda",
        "pip-cuda-wheels-not-found",
        "TensorFlow 2.16.1 with its own wheels, a driver",
        tensorflow("tf2161"),
    ),
    Recipe(
        "tf221-and-cuda",
        "pip-cuda-wheels-not-found",
        "TensorFlow 2.21.0 with its own wheels, a driver",
        tensorflow("tf221"),
    ),
    Recipe(
        "tfnocuda-driver",
        "cuda-libs-not-on-loader-path",
        "TensorFlow 2.21.0 without [and-cuda], a driver",
        tensorflow("tfnocuda"),
    ),
    Recipe(
        "tf2181-no-driver",
        "ok-cpu-expected",
        "TensorFlow 2.18.1 with its wheels, no driver at all",
        tensorflow("tf2181", _LIST, ""),
    ),
    Recipe("tf210-no-driver", "ok-cpu-expected", "TensorFlow 2.10.1, no driver at all", tensorflow("tf210", _LIST, "")),
    Recipe("tf2181-fine", "ok-harmless-log-line", "TensorFlow 2.18.1 with its wheels, a driver", tensorflow("tf2181")),
    Recipe(
        "tf2181-hidden",
        "cuda-visible-devices-hides-gpu",
        "TensorFlow 2.18.1, CUDA_VISIBLE_DEVICES=-1",
        tensorflow("tf2181", CUDA_VISIBLE_DEVICES="-1"),
    ),
    Recipe(
        "tf2181-cuinit-803",
        "driver-library-version-mismatch",
        "TensorFlow 2.18.1, cuInit answers 803",
        tensorflow("tf2181", FAKE_CODES="cuInit=803"),
    ),
    Recipe(
        "tf2181-cuinit-999",
        "nvidia-uvm-not-loaded",
        "TensorFlow 2.18.1, cuInit answers 999",
        tensorflow("tf2181", FAKE_CODES="cuInit=999"),
    ),
    Recipe(
        "tf2181-cuinit-802",
        "fabricmanager-not-running",
        "TensorFlow 2.18.1, cuInit answers 802",
        tensorflow("tf2181", FAKE_CODES="cuInit=802", FAKE_PROFILE="8xh100"),
    ),
    Recipe(
        "tf2181-cuinit-34",
        "libcuda-stub-on-path",
        "TensorFlow 2.18.1, cuInit answers 34",
        tensorflow("tf2181", FAKE_CODES="cuInit=34"),
    ),
    Recipe(
        "tf2181-cuinit-804",
        "cuda-compat-libcuda-on-geforce",
        "TensorFlow 2.18.1, cuInit answers 804",
        tensorflow("tf2181", FAKE_CODES="cuInit=804", FAKE_PROFILE="rtx4090"),
    ),
    Recipe(
        "tf2181-libcuda-circle",
        "libcuda-missing",
        "TensorFlow 2.18.1, libcuda.so.1 is a link to itself",
        tensorflow("tf2181", _LIST, "circle"),
    ),
    Recipe(
        "tf2161-other-cudnn",
        "cudnn-wrong-version",
        "TensorFlow 2.16.1 with cuDNN 9 alone in LD_LIBRARY_PATH",
        tensorflow(
            "tf2161", libraries=("libcudnn.so.9=tf2181/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9",)
        ),
    ),
)


def cleaned(text: str, folder: Path) -> str:
    """Without the paths, the host and the index of this machine; of a long log its beginning and end."""
    for path, instead in (
        (str(folder), "/home/user"),
        (str(_CACHE), "/home/user/venvs"),
        (str(Path.home()), "/home/user"),
    ):
        text = text.replace(path, instead)
    text = re.sub(rf"(?<![\w.]){re.escape(socket.gethostname())}(?![\w.])", "host", text)
    dropped = (
        "Looking in indexes:",
        "Looking in links:",
        "WARNING: Location ",
        "[notice]",
        "WARNING: You are using pip",
        "You should consider",
    )
    lines = [line.rstrip() for line in text.replace("\r", "\n").splitlines()]
    lines = [line for line in lines if not line.startswith(dropped) and "file://" not in line]
    lines = [re.sub(r"^(\s*)Processing \S*/", r"\1Processing ./", line) for line in lines]
    lines = [re.sub(r"https?://\S+\.(whl|tar\.gz|metadata)\S*", "https://index/…", line)[:2000] for line in lines]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES // 2], "[…]", *lines[-_MOST_LINES // 2 :]]
    return "\n".join(lines) + "\n"


def record(recipe: Recipe) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = cleaned(recipe.make(folder), folder)
    MADE.mkdir(parents=True, exist_ok=True)
    head = f"# made: {recipe.how}\n# cause: {recipe.cause}\n"
    (MADE / f"{recipe.name}.log").write_text(head + text, encoding="utf-8")
    print(f"{recipe.name}: {len(text.splitlines())} lines", flush=True)


def main() -> int:
    for recipe in RECIPES:
        if sys.argv[1:] and recipe.name not in sys.argv[1:]:
            continue
        try:
            record(recipe)
        except (Missing, subprocess.SubprocessError) as reason:
            print(f"{recipe.name}: left out: {reason}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
