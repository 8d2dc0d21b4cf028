"""What installers, containers, the kernel, NVML, NCCL, Windows and Python print, word for word, and what it tells."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from gpucheck import api
from gpucheck.facts.log import Log

# Wording of the programs' sources and of threads (see each speaker's docstring): message, some of its values, line.
_TABLE = Path(__file__).parent / "data" / "logs" / "speakers.tsv"
SAID = [row.split("\t", 2) for row in _TABLE.read_text(encoding="utf-8").splitlines()[1:]]


@functools.cache
def _everything() -> Log:
    """All lines as one log."""
    return api.log_of("\n".join(line for _, _, line in SAID))


@pytest.mark.parametrize(("message", "values", "line"), SAID, ids=[f"{at}-{one[0]}" for at, one in enumerate(SAID)])
def test_a_line_is_known_with_its_values(message: str, values: str, line: str) -> None:
    wanted = json.loads(values).items()
    assert [clue for clue in _everything().all(message) if wanted <= dict(clue.values).items()], line


INNOCENT = (
    "Downloading data from https://example.org/mnist.npz",
    "Epoch 3/10: 1875/1875 [==============================] - 5s 3ms/step - loss: 0.0412 - accuracy: 0.9871",
    "The numpy array has the wrong shape",
    "torch is fun",
    "Collecting statistics of the data set",
    "Successfully installed all hooks",
    "The model is installed: /models/resnet",
    "tensorflow is a library with 2 parts and 3 names",
    "MiB |",
    "Python 3.14 brings a JIT",
    "NVRM: Xid error: xyz, invalid data",
    "NVRM: GPU at PCI:0000:65:00: GPU-1234",
    "nvidia-nvlink: Nvlink Core is being initialized, major device number 237",
    "Loaded module numpy from cache",
    "keras 3 is installed",
    "signal 4.2 dB, code -4",
    "sha256 of model: 9fc000001d53221225501aa",
    "optional backend not used: No module named 'tensorflow'",
    "insmod: loading module vboxdrv: Key was accepted",
    "modprobe: ERROR: could not insert 'vboxdrv': Key was rejected by service",
    "adb: No devices found",
    "modprobe: ERROR: could not insert 'nvhda': Required key not available",
    "  The result depends on numpy and more",
)


def test_innocent_lines_accuse_nobody() -> None:
    report = api.judge_logs(api.log_of("\n".join(INNOCENT)))
    assert not report.findings
    assert report.exit_code() == 3  # a log that says nothing settles nothing


HOSTILE = (
    "Could not find a version that satisfies the requirement (from versions: ",
    "is not a supported wheel on this platform",
    "Package '' requires a different Python: not in ''",
    "Successfully installed -- - a-",
    "tensorflow ==",
    "tensorflow==",
    " requires , but you have which is incompatible",
    "does not provide the extra",
    "no wheels with a matching",
    "but we only found wheels for `",
    "unsatisfied condition:",
    "nvml error:",
    "NVRM: Xid (): , ",
    "NVRM: Xid (" + "(" * 300,
    "API mismatch",
    "Unable to determine the device handle for ",
    '[WinError ] Error loading "',
    "No module named ",
    "cannot import name ",
    "/site-packages",
    "\\site-packages python3",
    "sys.executable",
    "module compiled against ABI version 0x but this version of numpy is 0x",
    "numpy.dtype size changed",
    "flags\t\t: ",
    ": installed",
    "VGA compatible controller",
    "docker run ",
    "NVIDIA_DRIVER_CAPABILITIES=",
    "NVIDIA_DRIVER_CAPABILITIES='",
)


def test_half_a_line_breaks_nothing() -> None:
    for line in HOSTILE:
        api.judge_logs(api.log_of(f"{line}\n" * 3 + line + "\u0000\u00e4" * 50))
