"""`gpucheck install` on Windows: what it tells on Linux already, and what a real Windows Python does under Wine."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import local_index
import pytest
from windows_lab import Done, Lab

from gpucheck.host.waiting import ending, next_of, wait
from gpucheck.install.changing import depth, in_use
from gpucheck.install.errors import Refused
from gpucheck.install.shells import activating, command, quoted

# Words, which any machine can tell


@pytest.mark.parametrize(
    ("word", "written"),
    [
        (r"C:\work\.venv", r"C:\work\.venv"),
        (r"C:\Users\Jörg\.venv", r"C:\Users\Jörg\.venv"),
        (r"C:\Program Files\x", r'"C:\Program Files\x"'),
        ("C:\\a & b", '"C:\\a & b"'),
        (r"C:\x(86)", r'"C:\x(86)"'),
        ("", '""'),
    ],
)
def test_a_path_is_quoted_so_that_cmd_and_powershell_take_it(word: str, written: str) -> None:
    assert quoted(word, windows=True) == written


def test_commands_for_windows_have_no_quotes_of_a_unix_shell() -> None:
    words = ("gpucheck", "undo", "--env", r"C:\my work\.venv")
    assert command(words, windows=True) == r'gpucheck undo --env "C:\my work\.venv"'
    assert command(words, windows=False) == r"gpucheck undo --env 'C:\my work\.venv'"


def test_the_word_that_activates_is_the_same_in_cmd_and_powershell_unless_it_needs_quotes() -> None:
    assert activating(r"C:\work\.venv", windows=True) == r"C:\work\.venv\Scripts\activate"
    quotes = r'"C:\my work\.venv\Scripts\activate"'
    assert activating(r"C:\my work\.venv", windows=True) == f"{quotes} (PowerShell: & {quotes})"


def test_a_conda_environment_is_activated_by_conda_there_too(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    assert activating(str(tmp_path), windows=True) == f"conda activate {tmp_path}"


def test_a_folder_too_deep_for_windows_is_refused_with_how_much_too_deep() -> None:
    deep = "/" + "d" * 60 + "/.venv"
    with pytest.raises(Refused, match=r"lies too deep.*shorter by \d+ characters.*LongPathsEnabled"):
        depth.refuse_deep(deep, long_paths=False)
    depth.refuse_deep(deep, long_paths=True)
    depth.refuse_deep("/project/.venv", long_paths=False)


def test_how_much_too_deep_is_exact() -> None:
    deepest = next(n for n in range(300) if _is_refused("/" + "d" * n + "/.venv")) - 1
    path = len(f"/{'d' * deepest}/..venv.gpucheck/work-0123456789abcdef/") + depth.DEEPEST
    assert path == depth.MOST


def _is_refused(env: str) -> bool:
    try:
        depth.refuse_deep(env, long_paths=False)
    except Refused:
        return True
    return False


def test_elsewhere_nothing_is_in_use_and_nothing_too_deep(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("this machine: Windows")
    with (tmp_path / "file").open("w"):
        assert in_use.why(str(tmp_path)) is None
    assert depth.enabled()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (7, "exit code 7"),
        (0xC0000005, "exit code 0xc0000005 (an access violation)"),
        (0xC0000135, "exit code 0xc0000135 (a DLL that was not found)"),
        (0xC0FFEE00, "exit code 0xc0ffee00"),
    ],
)
def test_how_windows_ends_a_program_is_told_in_words(code: int, words: str) -> None:
    assert ending(code) == words


@pytest.mark.slow
def test_waiting_in_short_pieces_is_waiting() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    try:
        begin = time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired):
            wait(process, 0.25)
        assert time.monotonic() - begin >= 0.25
    finally:
        process.kill()
    assert wait(process) != 0
    answers: queue.Queue[int] = queue.Queue()
    with pytest.raises(queue.Empty):
        next_of(answers, 0.15)
    answers.put(3)
    assert next_of(answers, 60) == 3


# What a Windows Python does (windows_changes.py)

WORK = Path(__file__).with_name("windows_changes.py")


def changes(lab: Lab, *words: str, seconds: float = 180.0) -> str:
    """What it told: how often the old state was found afterwards, and how often the new one."""
    python = lab.path(lab.gpuchecks() / "Scripts" / "python.exe")
    done = lab.run([python, "-X", "utf8", lab.path(WORK), *words], seconds=seconds)
    assert (done.code, done.out[:6]) == (0, "good: "), f"{done.out}{done.err[-3000:]}"
    print(f"\n{' '.join(words[:2])}: {done.out[6:].strip()}")
    return done.out


@pytest.mark.windows
@pytest.mark.parametrize("scene", ["new", "existing", "undo"])
def test_an_end_by_terminateprocess_leaves_the_old_or_the_new_environment(lab: Lab, tmp_path: Path, scene: str) -> None:
    changes(lab, "cuts", scene, lab.path(tmp_path / "cuts"), "5")


@pytest.mark.windows
def test_a_real_installation_that_is_killed_leaves_the_old_or_the_new_environment(lab: Lab, tmp_path: Path) -> None:
    """With uv, into a folder with a blank and an umlaut; its programs name the final folder, and run there."""
    wheels = tmp_path / "wheels"
    for version in ("1", "2"):
        module = {"alpha/__init__.py": f"def main(): print({version})\n".encode()}
        more = {f"alpha/part{number}.py": f"version = {version}\n".encode() for number in range(60)}
        local_index.make(wheels, "alpha", version, files={**module, **more}, scripts={"alpha": "alpha:main"})
    changes(lab, "kills", lab.path(tmp_path / "kills"), lab.path(wheels), lab.python(), "4", seconds=300)


@pytest.mark.windows
def test_a_file_in_use_and_a_prompt_that_stands_there_are_named_and_nothing_is_changed(
    lab: Lab, tmp_path: Path
) -> None:
    """Wine would rename the folder all the same, so what is seen here is the look beforehand; on Windows both."""
    changes(lab, "hindered", lab.path(tmp_path / "hindered"))


@pytest.mark.windows
def test_what_gpucheck_has_started_ends_with_it(lab: Lab) -> None:
    changes(lab, "ended")


# TensorFlow 2.10.1 for real


@pytest.mark.windows
@pytest.mark.real
def test_tensorflow_2_10_1_is_installed_interrupted_repeated_repaired_and_undone(lab: Lab, tmp_path: Path) -> None:
    """With the dependencies of its own time, into a folder with a blank and an umlaut. No CUDA is there: the DLLs that
    it lacks are told, and nothing is said to be proven of them."""
    env = tmp_path / "meine Übung" / ".venv"
    env.parent.mkdir()
    words = ("install", "tensorflow[and-cuda]==2.10.1", "--python", lab.python("3.10"), "--env", lab.path(env))
    _kill_when(lab, "installing", *words)
    assert not env.exists(), "half an environment"
    done = lab.gpucheck(*words, "--verbose", seconds=600)
    assert done.code == 0, done.err[-3000:]
    assert "an installation was cut off: it is removed" in done.err
    text = " ".join(done.out.split())
    for line in (
        "import: TensorFlow 2.10.1 imports in",
        "keras: Keras 2.10.0 works on tensorflow",
        "cpu operation: A product of two matrices on the CPU is right",
        "TensorFlow 2.10.1 takes CUDA 11.2 and cuDNN 8.1 from the system, which lacks cudart64_110.dll",
        "No GPU here to list: no NVIDIA driver is installed",
        "Scripts\\activate",
        "gpucheck undo --env",
    ):
        assert line in text, f"{line}\n{done.out[-4000:]}"
    receipt = json.loads((env / ".gpucheck" / "receipt.json").read_text(encoding="utf-8"))
    found = {one["name"]: one["version"] for one in receipt["plan"]["packages"]}
    assert found["numpy"].startswith("1.23."), found
    assert found["protobuf"].startswith("3.19."), found
    lost = env / "Lib" / "site-packages" / "keras" / "losses.py"
    lost.unlink()
    assert _in(lab, env, "import keras.losses").code != 0
    repaired = lab.gpucheck("repair", "--env", lab.path(env), seconds=400)
    assert (repaired.code, lost.is_file()) == (0, True), repaired.err[-2000:]
    undo = ("undo", "--env", lab.path(env), "--yes")  # of the repair
    with _held(lab, env):
        hindered = lab.gpucheck(*undo, seconds=300)
    assert (hindered.code, lost.is_file()) == (2, True), hindered.err[-2000:]
    assert "in use by another program" in " ".join(hindered.err.split())
    undone = lab.gpucheck(*undo, seconds=300)
    assert (undone.code, lost.exists()) == (0, False), undone.err[-2000:]


def _in(lab: Lab, env: Path, code: str) -> Done:
    return lab.run([lab.path(env / "Scripts" / "python.exe"), "-c", code])


def _kill_when(lab: Lab, step: str, *words: str) -> None:
    """Start gpucheck and end it when it says that it is there, with everything that it has started."""
    program = lab.path(lab.gpuchecks() / "Scripts" / "python.exe")
    process = lab.start([program, "-m", "gpucheck", *words])
    assert process.stdout is not None
    assert process.stderr is not None
    threading.Thread(target=process.stdout.read, daemon=True).start()
    said = []
    for line in process.stderr:
        said.append(line.decode("utf-8", "replace"))
        if said[-1].strip() == f"gpucheck: {step}":
            time.sleep(1.0)
            process.kill()
            break
    process.wait(60)
    assert said[-1].strip() == f"gpucheck: {step}", "".join(said)
    time.sleep(1.0)  # until the job has ended them all


class _held:
    """A Windows program that has a file of the environment open."""

    def __init__(self, lab: Lab, env: Path) -> None:
        file = lab.path(env / "Lib" / "site-packages" / "keras" / "__init__.py")
        code = "import sys, time; f = open(sys.argv[1]); print(1, flush=True); time.sleep(120)"
        self.process = lab.start([lab.python("3.10"), "-c", code, file])

    def __enter__(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def __exit__(self, *arguments: object) -> None:
        self.process.kill()
        self.process.communicate()
