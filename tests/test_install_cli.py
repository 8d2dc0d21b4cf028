"""`gpucheck install` and its sisters as a user meets them: processes, exit codes, what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_driver import FakeDriver
from install_machines import machine
from local_index import Index, make, make_tensorflow
from real_environments import SPECS, environment

from gpucheck.commands import install
from gpucheck.commands.dialogue import Words
from gpucheck.output import WrongUsage
from gpucheck.render.json import render_snapshot

slow = pytest.mark.slow
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="wheels for Linux are installed")
BASE = os.path.realpath(sys.executable)  # of no environment: its own would be changed
VERSION = "2.20.0"


def command(*words: object, **environ: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "VIRTUAL_ENV"))}
    return subprocess.Popen(
        [sys.executable, "-m", "gpucheck", *map(str, words)],
        env={**clean, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*words: object, code: int = 0, timeout: float = 300, **environ: str) -> tuple[str, str]:
    process = command(*words, **environ)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == code, (process.returncode, out[-2000:], err[-3000:])
    return out, err


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TensorFlow that weighs nothing and computes nothing, with a dependency."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("tensorflow", "tensorflow-cpu"):
        make_tensorflow(folder, VERSION, name=name, cuda="", requires=("keras>=3", "numpy"))
    make(folder, "keras", "3.10.0")
    make(folder, "numpy", "2.1.0")
    return folder


@pytest.fixture
def place(tmp_path: Path, wheels: Path) -> tuple[object, ...]:
    """Words for an installation from those wheels alone."""
    return ("--env", tmp_path / "env", "--wheelhouse", wheels, "--offline")


# Words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (Words(from_lock="x", cpu=True), "not together with --cpu"),
        (Words(from_lock="x", names=("tensorflow",)), "not together with a name"),
        (Words(from_lock="x", lock="y"), "not together with --lock"),
        (Words(snapshot="x", env="y"), "another machine"),
        (Words(snapshot="/nowhere.json"), "No such file"),
        (Words(offline=True, index_urls=("u",)), "--index-url"),
        (Words(wheelhouse="/nowhere"), "no folder"),
        (Words(lock="/nowhere/x"), "no folder"),
        (Words(lock="same", output="./same"), "a file each"),
    ],
)
def test_words_that_make_no_sense_are_refused_before_any_work(words: Words, said: str) -> None:
    with pytest.raises(WrongUsage) as refused:
        install._install(words)
    assert said in str(refused.value)


@slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("install", "tensorflow-gpu"), 2, "stub"),
        (("install", "--with", "theano"), 2, "pytensor"),
        (("install", "--env", "/dev/null"), 2, "is a file"),
        (("install", "--python", "/nowhere/python3"), 2, "no Python"),
        (("undo", "--env", "/nowhere/env"), 2, "nothing to undo"),
        (("repair", "--env", "/tmp/no such env"), 2, "no environment"),
        (("install", "--unknown"), 2, "No such option"),
        (("download",), 2, "--wheelhouse"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_exits_with_2(words: tuple[str, ...], code: int, said: str) -> None:
    out, err = run(*words, code=code)
    assert said in err
    assert "Traceback" not in err
    assert out == ""


# Plans


def saved(tmp_path: Path, **given: Any) -> Path:
    path = tmp_path / "machine.json"
    path.write_text(render_snapshot(machine(**given)))
    return path


@slow
def test_a_plan_for_another_machine_is_shown_in_both_formats_and_changes_nothing(tmp_path: Path, wheels: Path) -> None:
    words = ("install", "--cpu", "--snapshot", saved(tmp_path), "--wheelhouse", wheels, "--offline")
    document = json.loads(run(*words, f"tensorflow=={VERSION}", "--format", "json")[0])
    assert document["schema"] == "gpucheck.plan/1"
    names = {one["name"]: one["version"] for one in document["packages"]}
    assert names == {"tensorflow-cpu": VERSION, "keras": "3.10.0", "numpy": "2.1.0"}
    out, _ = run(*words, f"tensorflow=={VERSION}")
    assert out.startswith(f"TensorFlow {VERSION} for the CPU")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["machine.json"]


@slow
def test_no_plan_exits_with_1_and_tells_the_next_best_way(tmp_path: Path) -> None:
    file = saved(tmp_path, gpu="NVIDIA GeForce RTX 5090")
    out, _ = run("install", "--snapshot", file, code=1)
    assert "Blackwell" in out
    assert "gpucheck install --cpu" in out
    document = json.loads(run("install", "--snapshot", file, "--format", "json", code=1)[0])
    assert (document["schema"], document["choice"]["release"]) == ("gpucheck.refusal/1", None)


@slow
@pytest.mark.parametrize(("version", "code"), [("2.21.0", 0), ("2.18", 0), ("2.16.1", 1), ("9.9", 1)])
def test_explain_tells_whether_a_release_fits(tmp_path: Path, version: str, code: int) -> None:
    out, _ = run("install", "--explain", version, "--snapshot", saved(tmp_path), code=code)
    assert ("not for" in out) == bool(code)


# Installations of a TensorFlow that cannot be proven


@slow
@linux
def test_without_a_proof_nothing_is_left_and_the_exit_code_is_3(place: tuple[object, ...], tmp_path: Path) -> None:
    words = ("install", f"tensorflow=={VERSION}", "--cpu", "--python", BASE, *place)
    out, err = run(*words, code=3)
    assert "failed" in out
    assert "everything is as it was" in err
    document = json.loads(run(*words, "--format", "json", code=3)[0])
    assert (document["schema"], document["exit_code"]) == ("gpucheck.failure/1", 3)
    assert "failed" in {check["state"] for check in document["proof"]["checks"]}
    assert list(tmp_path.iterdir()) == []


@slow
@linux
def test_an_environment_is_changed_only_with_a_word(place: tuple[object, ...], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "uv", "venv", "-q", "--python", BASE, str(tmp_path / "env")], check=True)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    _, err = run("install", f"tensorflow=={VERSION}", "--cpu", *place, code=2)
    assert "--yes" in err
    _, err = run("install", f"tensorflow=={VERSION}", "--cpu", "--yes", *place, code=3)
    assert "everything is as it was" in err
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    _, err = run("install", "--python", BASE, *place, code=2)
    assert "a Python of its own" in err


@slow
@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_leaves_nothing_and_has_its_own_exit_code(
    place: tuple[object, ...], tmp_path: Path, number: signal.Signals
) -> None:
    process = command("install", f"tensorflow=={VERSION}", "--cpu", "--python", BASE, *place)
    assert process.stderr is not None
    for line in process.stderr:
        if "installing" in line or "proving" in line:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "taken back" in err) == (128 + number, True)
    assert list(tmp_path.iterdir()) == []


@slow
@linux
def test_what_was_downloaded_installs_without_a_network_by_its_lock(tmp_path: Path, wheels: Path) -> None:
    house = tmp_path / "house"
    with Index(wheels) as index:
        words = ("--cpu", "--index-url", index.url, "--python", BASE)
        out, _ = run("download", f"tensorflow=={VERSION}", "--wheelhouse", house, *words)
    assert f"TensorFlow {VERSION}" in out
    files = {path.name for path in house.iterdir()}
    assert {"pylock.toml", f"tensorflow_cpu-{VERSION}-py3-none-any.whl"} <= files
    elsewhere = tmp_path / "elsewhere"
    shutil.move(house, elsewhere)  # the folder travels
    lock = ("--from-lock", elsewhere / "pylock.toml", "--wheelhouse", elsewhere, "--offline")
    words = ("install", *lock, "--env", tmp_path / "env", "--python", BASE, "--format", "json")
    empty = {"UV_CACHE_DIR": str(tmp_path / "cache")}
    plan = json.loads(run(*words, "--dry-run", **empty)[0])
    assert {one["file"] for one in plan["packages"]} == files - {"pylock.toml"}
    # Installed, from these files alone; only what such a TensorFlow cannot do fails.
    failure = json.loads(run(*words, **empty, code=3)[0])
    states = {check["name"]: check["state"] for check in failure["proof"]["checks"]}
    assert (states["files"], states["build"]) == ("proven", "proven")


@slow
@linux
def test_a_lock_is_held_against_the_machine_and_needs_a_tensorflow(tmp_path: Path) -> None:
    cudnn = ("nvidia-cudnn-cu12", "nvidia_cudnn_cu12-9.3.0-py3-none-any.whl")
    six, tensorflow = ("six", "six-1.17.0-py3-none-any.whl"), ("tensorflow", "tensorflow-2.21.0-py3-none-any.whl")
    for first, said in ((six, "no TensorFlow"), (tensorflow, "470.57.02")):
        lock = tmp_path / "pylock.toml"
        packages = "".join(
            f'[[packages]]\nname = "{name}"\nversion = "{file.split("-")[1]}"\n'
            f'wheels = [{{ url = "https://example.invalid/{file}", hashes = {{ sha256 = "{"0" * 64}" }} }}]\n'
            for name, file in (first, cudnn)
        )
        lock.write_text(f'lock-version = "1.0"\ncreated-by = "somebody"\n{packages}')
        file = saved(tmp_path, driver="470.57.02")
        _, err = run("install", "--from-lock", lock, "--snapshot", file, code=1)
        assert said in err


# A real TensorFlow


def base_of(name: str) -> str:
    """The interpreter that a real environment was made from: its wheels are in uv's cache."""
    config = (environment(name) / "pyvenv.cfg").read_text()
    home = next(line.partition("=")[2].strip() for line in config.splitlines() if line.startswith("home"))
    return f"{home}/python3"


@pytest.mark.real
@linux
def test_a_real_tensorflow_is_installed_proven_changed_repaired_and_taken_back(tmp_path: Path) -> None:
    """One after another in one environment: each costs an import of TensorFlow."""
    base = base_of("tfcpu")
    (wanted,) = SPECS["tfcpu"].requirements
    env = tmp_path / "my env"
    python = env / "bin" / "python"
    words = ("--env", env, "--format", "json")
    receipt = json.loads(run("install", wanted, "--with", "jupyter", "--python", base, *words, timeout=900)[0])
    states = {check["name"]: check["state"] for check in receipt["proof"]["checks"]}
    assert {states[name] for name in ("files", "consistency", "build", "import", "keras", "cpu operation")} == {
        "proven"
    }
    assert "failed" not in states.values()

    # the kernel that was registered runs, from the final place
    program = (
        "import jupyter_client; manager, client = jupyter_client.manager.start_new_kernel(kernel_name='gpucheck');"
        "reply = client.execute_interactive('import tensorflow as tf; print(tf.__version__, flush=True)', timeout=120);"
        "assert reply['content']['status'] == 'ok', reply; manager.shutdown_kernel(now=True)"
    )
    said = subprocess.run([str(python), "-c", program], capture_output=True, text=True, timeout=180)
    assert said.returncode == 0, said.stderr
    assert "2.20.0" in said.stdout
    activated = f". '{env}/bin/activate' && python -c 'import sys; print(sys.prefix)' && jupyter --version"
    done = subprocess.run(["sh", "-c", activated], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[0] == str(env), done.stderr

    # damage is found and repaired, and only that
    site = next((env / "lib").glob("python*/site-packages"))
    victim = site / "keras" / "__init__.py"
    other = (site / "numpy" / "__init__.py").stat().st_ino
    victim.unlink()
    out, _ = run("repair", "--env", env, timeout=600)
    assert "keras" in out
    assert victim.exists()
    assert (site / "numpy" / "__init__.py").stat().st_ino == other
    out, _ = run("repair", "--env", env)
    assert "nothing" in out

    # what is added is proven, too, and undone; then the environment as a whole
    (env / "mine.txt").write_text("a file of the user's")
    run("install", wanted, "--with", "pandas", "--yes", *words, timeout=900)
    assert (site / "pandas").is_dir()
    run("undo", "--env", env, "--yes")
    assert not (site / "pandas").exists()
    assert (env / "mine.txt").exists()
    assert subprocess.run([str(python), "-c", "import keras"], capture_output=True).returncode == 0


@pytest.mark.real
@pytest.mark.native
@linux
def test_cuda_is_installed_where_no_gpu_is_and_a_gpu_that_comes_is_listed(
    tmp_path: Path, fake_driver: FakeDriver
) -> None:
    """As in a container's build. 2.21.0 lists no GPU without its cure, which test_install_real shows."""
    env = tmp_path / "env"
    words = ("tensorflow[and-cuda]==2.21.0", "--env", env, "--python", base_of("tf221"), "--format", "json")
    receipt = json.loads(run("install", *words, timeout=1800)[0])
    states = {check["name"]: check["state"] for check in receipt["proof"]["checks"]}
    assert {states[name] for name in ("files", "build", "libraries", "loader", "import")} == {"proven"}
    assert states["gpu operation"] == "unproven"
    assert [cure["name"] for cure in receipt["proof"]["cures"]] == ["libcusolver-beside-cusparse"]
    program = "import tensorflow as tf; print([one.name for one in tf.config.list_physical_devices('GPU')])"
    out = subprocess.run(
        [str(env / "bin" / "python"), "-c", program],
        env=fake_driver.environ(),
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout
    assert out.strip() == "['/physical_device:GPU:0']"


@pytest.mark.real
@linux
@pytest.mark.parametrize(
    ("name", "wanted", "proven", "numpy"),
    [
        ("tf2181", "tensorflow[and-cuda]==2.18.1", ("files", "build", "libraries", "loader", "import"), "2.0"),
        # With the dependencies of its own time: today's NumPy would kill it (tf210np2 in test_install_real).
        ("tf210", "tensorflow==2.10.1", ("files", "build", "import", "keras", "cpu operation"), "1.23"),
    ],
)
def test_older_releases_are_installed_with_what_fits_them(
    tmp_path: Path, name: str, wanted: str, proven: tuple[str, ...], numpy: str
) -> None:
    words = (wanted, "--env", tmp_path / "env", "--python", base_of(name), "--format", "json")
    receipt = json.loads(run("install", *words, timeout=1800)[0])
    states = {check["name"]: check["state"] for check in receipt["proof"]["checks"]}
    assert {states[name] for name in proven} == {"proven"}
    versions = {one["name"]: one["version"] for one in receipt["plan"]["packages"]}
    assert versions["numpy"].startswith(numpy)
