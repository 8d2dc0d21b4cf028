"""Which images the worker is told to load, decided without numpy: --data sample, full, synthetic or a path.

Reading and checking the arrays themselves is the worker's (the examined Python has numpy, gpucheck's own need not).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Literal, NamedTuple, Union

Kind = Literal["sample", "full", "synthetic", "npz", "idx"]
Sums = dict[str, str]  # name of an array -> sha256 of its bytes (uint8, C order)

SAMPLE_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sample", "mnist-3072.npz")

# Training images 5000 to 7559, the first that the 2017 tutorial trains on, and the first 512 test images.
SAMPLE: Sums = {
    "x_train": "3baf9e2cd945b65f8d1fb7168f6ec2304677e6b4fcc5e2d67695df24555d50ac",
    "y_train": "a91cbab602f6a5c3dd921e88e07039c706a7361f1ab6278f82c9f48b279160d8",
    "x_test": "80d1589bb8ec86cbe5b156dc437990d35e226cf0a5c7dc8202fc5e58124eff1d",
    "y_test": "828c90776b296fc6bbadc357389e4d66dd7819fbb1979982a700d983168da942",
}
# 60,000 and 10,000: of Keras' mnist.npz and of the original IDX files alike.
FULL: Sums = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
# Of Keras' mnist.npz. Source: keras-team/keras, keras/src/datasets/mnist.py.
FULL_FILE_SUM = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

_IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_TAKEN = "--data takes sample, full, synthetic, an .npz file, or a folder with MNIST's four IDX files"


class BadData(ValueError):
    """The images asked for are not there or not what they should be. The text tells the user which and what to do."""


class Data(NamedTuple):
    """What the worker loads.

    path: absolute: a file, for idx a folder, for a download where Keras will put it; None for synthetic images.
    sha256: what the arrays must have, None where that is not known beforehand. label: for the report, without folders.
    download: Keras is to fetch the file, which is not there.
    """

    kind: Kind
    path: Union[str, None]
    sha256: Union[Sums, None]
    label: str
    download: bool = False


def choose(asked: str, environ: Union[Mapping[str, str], None] = None) -> Data:
    """What --data asked for. environ: of the worker, which decides where Keras keeps its files.

    Raises BadData.
    """
    if asked == "sample":
        if not os.path.isfile(SAMPLE_FILE):
            raise BadData(
                f"gpucheck's own sample is missing ({SAMPLE_FILE}): install gpucheck again, or use --data full"
            )
        return Data("sample", SAMPLE_FILE, SAMPLE, "sample")
    if asked == "full":
        return _full(keras_file(os.environ if environ is None else environ))
    if asked == "synthetic":
        return Data("synthetic", None, None, "synthetic")
    return _of_path(asked)


def keras_file(environ: Mapping[str, str]) -> str:
    """Where Keras keeps MNIST. Source: keras/src/backend/config.py and keras/src/utils/file_utils.py, get_file."""
    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME") or os.path.expanduser("~")
    folder = environ.get("KERAS_HOME") or os.path.join(home, ".keras")
    return os.path.join(os.path.abspath(os.path.expanduser(folder)), "datasets", "mnist.npz")


def known(sums: Mapping[str, str]) -> Union[Literal["full", "sample"], None]:
    """Which published set has arrays with these sha256, as the worker reports them; None: another one."""
    if dict(sums) == FULL:
        return "full"
    return "sample" if dict(sums) == SAMPLE else None


def named(data: Data, sums: Mapping[str, str]) -> str:
    """The label for the report, which says of a user's own files whether they hold the known images."""
    if data.kind not in ("npz", "idx"):
        return data.label
    which = {"full": "the full MNIST", "sample": "gpucheck's sample", None: "not MNIST as published"}[known(sums)]
    return f"{data.label} ({which})"


def _full(path: str) -> Data:
    state = _look(path)
    if state is None:
        return Data("full", path, FULL, "full", download=True)
    if not stat.S_ISREG(state.st_mode):
        raise BadData(f"{path} is not a file: move it away, and Keras downloads MNIST to it")
    found = _sum(path)
    if found != FULL_FILE_SUM:
        raise BadData(
            f"{path} is damaged or not Keras' MNIST (sha256 {found[:12]}…, not {FULL_FILE_SUM[:12]}…): delete it, "
            "and Keras downloads it again; or name another file with --data PATH"
        )
    return Data("full", path, FULL, "full")


def _of_path(asked: str) -> Data:
    path = os.path.abspath(os.path.expanduser(asked)) if asked else ""
    label = os.path.basename(path).encode(errors="replace").decode(errors="replace") or "/"
    state = _look(path) if asked else None
    if state is None:
        raise BadData(f"no file or folder {_shown(asked)}: {_TAKEN}")
    if stat.S_ISDIR(state.st_mode):
        _require_idx(path)
        return Data("idx", path, None, label)
    if not stat.S_ISREG(state.st_mode):
        raise BadData(f"{_shown(asked)} is neither a file nor a folder: {_TAKEN}")
    begin = _begin(path)
    if begin[:2] == b"\x1f\x8b" or begin in (b"\x00\x00\x08\x03", b"\x00\x00\x08\x01"):
        raise BadData(f"{_shown(asked)} is a single file: name the folder with MNIST's four IDX files")
    if begin != b"PK\x03\x04":
        raise BadData(f"{_shown(asked)} is not an .npz file: {_TAKEN}")
    return Data("npz", path, None, label)


def _require_idx(folder: str) -> None:
    """Each of the four files under one of its names. Raises BadData."""
    missing = []
    for name in _IDX_NAMES:
        present = [each for each in idx_spellings(name) if _look(os.path.join(folder, each)) is not None]
        if not present:
            missing.append(name)
        elif not os.path.isfile(os.path.join(folder, present[0])):
            raise BadData(f"{present[0]} in {_shown(folder)} is not a file")
        else:
            _begin(os.path.join(folder, present[0]))
    if missing:
        raise BadData(f"the folder {_shown(folder)} lacks {', '.join(missing)} (plain or .gz): {_TAKEN}")


def idx_spellings(name: str) -> tuple[str, ...]:
    """The names of an IDX file, most usual first: some unpackers write train-images.idx3-ubyte."""
    dotted = name.replace("-idx", ".idx")
    return name, dotted, name + ".gz", dotted + ".gz"


def _look(path: str) -> Union[os.stat_result, None]:
    """What is there, if anything. Raises BadData where that cannot be learned."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # no permission, a circle of links, a name too long or with a zero byte
        raise BadData(f"cannot look at {_shown(path)}: {_reason(error)}") from error


def _begin(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(4)
    except OSError as error:
        raise BadData(f"cannot read {_shown(path)}: {_reason(error)}") from error


def _sum(path: str) -> str:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while part := stream.read(1 << 20):
                found.update(part)
    except OSError as error:
        raise BadData(f"cannot read {_shown(path)}: {_reason(error)}") from error
    return found.hexdigest()


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _shown(path: str) -> str:
    """A name on one line, whatever characters it has."""
    return repr(path if len(path) <= 200 else path[:200] + "…")
