"""A recording is made to be sent: what was planted in the machine's files must not be in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpucheck.facts.codec import encode
from gpucheck.host import sieve, spoken
from gpucheck.host.local import LocalHost
from gpucheck.host.recording import RecordingHost
from gpucheck.probes.look import look

_PLANTED = "hunter2"


def _machine(root: Path) -> dict[str, object]:
    kernel = {"argv": ["/usr/bin/python3", f"--token={_PLANTED}"], "env": {"API_KEY": _PLANTED}}
    files = {
        "home/.local/share/jupyter/kernels/k/kernel.json": json.dumps(kernel),
        "home/.keras/keras.json": json.dumps({"backend": "jax", "token": _PLANTED}),
        "var/lib/dpkg/info/libcuda1.list": "",
        "var/lib/dpkg/info/hunter2-of-my-employer.list": "",
        "var/lib/dpkg/status": "\n".join(
            f"Package: {name}\nStatus: install ok installed\nVersion: 1\n" for name in ("libcuda1", "hunter2-tool")
        ),
        "env/pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n",
        "env/bin/python3": "",
        "env/lib/python3.11/site-packages/own.pth": f"import os; os.environ['X'] = '{_PLANTED}'\n/opt/more\n",
        "usr/local/cuda-12.4/include/cuda.h": f"/* {_PLANTED} */\n#define CUDA_VERSION 12040\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environ = {"HOME": "/home", "PATH": "/env/bin", "API_TOKEN": _PLANTED, "PIP_INDEX_URL": f"https://u:{_PLANTED}@x"}
    host = RecordingHost(LocalHost(timeout=5.0, environ=environ, root=str(root)))
    look(host, "/env/bin/python3", timeout=5.0)
    return host.machine()


def test_what_was_planted_in_files_and_variables_is_not_recorded(tmp_path: Path):
    recording = _machine(tmp_path)
    assert _PLANTED not in json.dumps(recording)
    kept = json.dumps(recording)
    for needed in ("/usr/bin/python3", "CUDA_VERSION 12040", "libcuda1", "/opt/more", "jax"):
        assert needed in kept, needed


@pytest.mark.parametrize("data", [b"", b"[", b"[1]", b"[" * 100_000, b'{"argv": 3}', b'{"argv": []}', b"\xff"])
def test_rubbish_in_a_file_of_json_is_left_out_whole(data: bytes):
    assert b"\xff" not in sieve.content("/home/.keras/keras.json", data)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("fatal: cannot log in with hunter2", ""),
        ("RuntimeError: token hunter2 refused", "RuntimeError"),
        ("Fatal Python error: init_fs_encoding", "Fatal Python error: init_fs_encoding"),
        ("ModuleNotFoundError: No module named 'encodings'", "ModuleNotFoundError: No module named 'encodings'"),
        ("python: error while loading shared libraries: libpython3.11.so.1.0: cannot open shared object file", None),
        ("TOKEN=hunter2: not found", ""),
    ],
)
def test_of_a_foreign_programs_words_only_well_known_ones_are_kept(said: str, kept: str | None):
    assert spoken.kept(f"Traceback\n  File x\n{said}\n") == (said if kept is None else kept)


def test_what_an_interpreter_says_is_in_no_fact_and_no_recording(tmp_path: Path):
    liar = tmp_path / "python3"
    liar.write_text(f"#!/bin/sh\necho 'cannot log in with {_PLANTED}' >&2\nexit 1\n")
    liar.chmod(0o755)
    host = RecordingHost(LocalHost(timeout=5.0, environ={"HOME": "/nowhere", "PATH": "/usr/bin:/bin"}))
    snapshot = look(host, str(liar), timeout=5.0)
    assert _PLANTED not in json.dumps(encode(snapshot)) + json.dumps(host.machine())
