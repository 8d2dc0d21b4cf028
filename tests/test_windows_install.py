"""`gpucheck install` on Windows: what it tells on Linux already, and what a real Windows Python does under Wine."""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
    depth.refuse_deep("/work/.venv", long_paths=False)


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
