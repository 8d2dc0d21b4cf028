"""`doctor --log`, `explain` and `watch` as a user runs them: real processes, pipes and signals, logs of any size."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import sample
from test_cli import fits, run, wrong

from gpucheck.render import json as json_format

ERROR = (
    "E cuda_dnn.cc:361] Loaded runtime CuDNN library: 8.0.4 but source was compiled with: 8.1.0. CuDNN library needs"
)
OPEN = "E tensorflow/stream_executor/cuda/cuda_driver.cc:328] failed call to cuInit: CUDA_ERROR_NO_DEVICE: no device"
HARMLESS = "W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: Could not find TensorRT"


def log(folder: Path, *lines: str) -> str:
    path = folder / "train.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def report(*arguments: object, **changes: Any) -> dict[str, Any]:
    done = run("doctor", *arguments, "--format", "json", **changes)
    assert done.stderr == ""
    document = json.loads(done.stdout)
    fits(document, "report")
    assert document["exit_code"] == done.returncode
    return document  # type: ignore[no-any-return]


def names(document: dict[str, Any]) -> list[str]:
    return [finding["name"] for finding in document["findings"]]


def test_a_settled_cause_is_an_error_with_its_line_as_evidence(tmp_path: Path) -> None:
    path = log(tmp_path, "Epoch 1/5", HARMLESS, ERROR)
    document = report("--log", path)
    assert (document["exit_code"], names(document)[0]) == (1, "cudnn-wrong-version")
    (evidence, *_) = document["findings"][0]["evidence"]
    assert ("8.0.4" in evidence["value"], evidence["source"]) == (True, f"{path}:3")


@pytest.mark.slow
def test_what_the_log_leaves_open_is_said_with_what_decides(tmp_path: Path) -> None:
    done = run("doctor", "--log", log(tmp_path, OPEN))
    assert done.returncode == 3
    assert done.stdout.startswith("UNKNOWN")
    assert "this decides:" in " ".join(done.stdout.split())
    assert "POSSIBLE  " in done.stdout


@pytest.mark.slow
def test_harmless_lines_are_fine_and_a_log_without_a_word_is_unknown(tmp_path: Path) -> None:
    assert run("doctor", "--log", log(tmp_path, HARMLESS)).returncode == 0
    done = run("doctor", "--log", log(tmp_path, "Epoch 1/5"))
    assert (done.returncode, "holds no line that gpucheck knows" in done.stdout) == (3, True)


@pytest.mark.slow
def test_standard_input_is_a_log_and_several_logs_are_one() -> None:
    document = report("--log", "-", input=f"{HARMLESS}\n{ERROR}\n")
    assert names(document)[0] == "cudnn-wrong-version"
    assert document["facts"]["log"]["files"][0]["path"] == "-"


@pytest.mark.slow
def test_a_snapshot_and_a_log_are_judged_together(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(json_format.render_snapshot(sample.fine().snapshot))
    document = report("--log", log(tmp_path, ERROR), "--snapshot", facts)
    assert "cudnn-wrong-version" in names(document)
    assert document["facts"]["probes"]


@pytest.mark.slow
def test_a_log_of_another_machine_is_said_to_be_one(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(json_format.render_snapshot(sample.fine().snapshot))
    line = "| NVIDIA-SMI 390.12     Driver Version: 390.12    |"
    document = report("--log", log(tmp_path, line), "--snapshot", facts)
    assert "log-of-another-machine" in names(document)
    assert report("--snapshot", facts)["findings"] == [
        one for one in document["findings"] if one["name"] != "log-of-another-machine"
    ]


WRONG = [
    (["--log", "no-such-file"], "no-such-file: No such file"),
    (["--log", "/"], "Is a directory"),
    (["--log", "-", "--log", "-"], "read once"),
    (["--here"], "--here is for --log"),
    (["--log", "-", "--deep"], "only together with --here"),
    (["--log", "-", "--here", "--snapshot", "a.json"], "--here and --snapshot"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "says"), WRONG)
def test_wrong_usage_is_said(words: list[str], says: str) -> None:
    assert says in wrong(run("doctor", *words))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["markdown", "terminal"])
def test_a_hostile_line_is_text_in_every_format(tmp_path: Path, form: str) -> None:
    hostile = f"{ERROR} <script>alert(1)</script> \x1b]0;owned\x07 \u202e [bold]x[/bold] @everyone"
    done = run("doctor", "--log", log(tmp_path, hostile), "--format", form, "--verbose")
    assert done.returncode == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
    assert form == "terminal" or "<script>" not in done.stdout.replace("`", "").partition("log.")[0]


def _limited() -> None:
    """Constant memory: what a page and the rules take, not what a log has."""
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))


@pytest.mark.slow
def test_two_sparse_gigabytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.log"
    with path.open("wb") as file:
        file.write(f"{HARMLESS}\n".encode())
        file.seek(2 << 30)
        file.write(f"\n{ERROR}\n".encode())
    document = report("--log", path, preexec_fn=_limited)
    assert names(document)[0] == "cudnn-wrong-version"
    assert document["facts"]["log"]["files"][0]["bytes"] > 2 << 30


@pytest.mark.slow
@pytest.mark.parametrize("filling", [b"x", b'0123456789abcdef,\t"}{', b"\r1/60 [==>...] - loss: 0.1"])
def test_one_line_of_a_hundred_megabytes_is_read(tmp_path: Path, filling: bytes) -> None:
    path = tmp_path / "long.log"
    half = filling * ((50 << 20) // len(filling))
    path.write_bytes(half + b" " + ERROR.encode() + b" " + half)
    document = report("--log", path, preexec_fn=_limited)
    assert names(document)[0] == "cudnn-wrong-version"
    assert document["facts"]["log"]["files"][0]["lines"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("file", ["interpreter", "random"])
def test_a_file_that_is_no_text_is_read(tmp_path: Path, file: str) -> None:
    path = Path(sys.executable)
    if file == "random":
        path = tmp_path / "random"
        path.write_bytes(os.urandom(4 << 20))
    assert report("--log", path, preexec_fn=_limited)["exit_code"] in (0, 1, 3)


@pytest.mark.slow
def test_a_line_is_explained() -> None:
    done = run("explain", "W", "TF-TRT Warning:", "Could not find TensorRT")
    assert (done.returncode, done.stderr) == (0, "")
    assert "harmless" in done.stdout
    assert "known as  tensorrt-not-found" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("word", ["CUDNN_STATUS_BAD_PARAM", "cudaErrorNoDevice", "ncclSystemError", "804"])
def test_a_code_is_explained(word: str) -> None:
    done = run("explain", word)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usually" in done.stdout


@pytest.mark.slow
def test_a_finding_that_only_a_log_can_show_has_a_page() -> None:
    done = run("explain", "log-does-not-settle")
    assert (done.returncode, done.stdout.startswith("# log-does-not-settle")) == (0, True)


@pytest.mark.slow
def test_an_unknown_line_is_said_to_be_unknown() -> None:
    assert run("explain", "nothing", "of", "the kind").returncode == 3
    assert "no rule is called nothing" in wrong(run("explain", "nothing"))


WATCH = [sys.executable, "-m", "gpucheck", "watch"]


def test_a_stream_passes_through_unchanged_and_is_explained() -> None:
    data = bytes(range(256)) * 300 + f"\r\n{ERROR}\n{HARMLESS}\nno end".encode()
    done = subprocess.run(WATCH, input=data, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, data)
    assert done.stderr.startswith(b"gpucheck: cudnn-wrong-version: ")
    assert b"\x00" not in done.stderr


@pytest.mark.slow
def test_a_cause_makes_the_exit_code_only_where_that_is_asked() -> None:
    assert subprocess.run([*WATCH, "--fail"], input=f"{ERROR}\n".encode(), capture_output=True).returncode == 1
    assert subprocess.run([*WATCH, "--fail"], input=f"{OPEN}\n".encode(), capture_output=True).returncode == 0


class Watched:
    """A watch that runs while a test writes to it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(WATCH, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdin is not None
        self.stdin = self.process.stdin.fileno()

    def says(self, stream: Any, wanted: bytes) -> bytes:
        """Read until that was said."""
        said = b""
        while wanted not in said:
            assert select.select([stream], [], [], 60)[0], said
            piece = os.read(stream.fileno(), 65536)
            assert piece, said
            said += piece
        return said

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)


@pytest.mark.slow
def test_no_byte_waits_for_a_line_to_end_and_a_cause_not_for_the_stream() -> None:
    watched = Watched()
    os.write(watched.stdin, b"1/60 [=>")
    watched.says(watched.process.stdout, b"1/60 [=>")
    os.write(watched.stdin, f"\n{ERROR}\n".encode())
    watched.says(watched.process.stderr, b"cudnn-wrong-version")  # though the stream goes on
    os.write(watched.stdin, b"more")
    watched.says(watched.process.stdout, b"more")
    assert watched.end() == 0


@pytest.mark.slow
def test_ctrl_c_is_left_to_the_program() -> None:
    watched = Watched()
    os.write(watched.stdin, f"{OPEN}\n".encode())
    watched.says(watched.process.stdout, b"NO_DEVICE")
    watched.process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    os.write(watched.stdin, b"KeyboardInterrupt\n")
    watched.says(watched.process.stdout, b"KeyboardInterrupt")
    assert watched.end() == 0
    assert b"gpucheck: " in watched.process.stderr.read()  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_reader_who_leaves_ends_the_watch_and_still_gets_the_cause() -> None:
    words = f"({' '.join(WATCH)}; echo $? >&2) | head -c 10"
    data = f"{ERROR}\n".encode() + b"Epoch\n" * 100_000
    done = subprocess.run(["bash", "-c", words], input=data, capture_output=True, check=False)
    assert (len(done.stdout), done.stderr.endswith(b"\n0\n")) == (10, True)
    assert b"cudnn-wrong-version" in done.stderr


def test_a_file_given_to_explain_is_led_to_where_files_are_read(tmp_path: Path) -> None:
    assert "gpucheck doctor --log FILE" in wrong(run("explain", log(tmp_path, ERROR)))
