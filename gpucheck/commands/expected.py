"""Which expectations hold: of `--expect FILE`, else of the nearest pyproject.toml that has a table [tool.gpucheck].

Loaded by every `gpucheck doctor`, so nothing but `os` is imported until such a file is there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Union

from gpucheck.output import WrongUsage, complain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpucheck.expecting.expectations import Expectations

_MOST = 1 << 20  # bytes of a file of expectations
_PATIENCE = 1.0  # seconds for a disk to answer
_PARSING = 3.0  # seconds


def of_file(path: str) -> Expectations:
    """What that file expects. Raises `WrongUsage`."""
    from gpucheck import api
    from gpucheck.probes.waiting import at_most

    def text() -> Union[str, api.BadFile, OSError, ValueError]:
        try:
            return api.read_text(path, _MOST)
        except (api.BadFile, OSError, ValueError) as error:
            return error

    found = at_most(_PATIENCE * 5, "reading it", text)
    if not isinstance(found, str):
        said = getattr(found, "strerror", None) or getattr(found, "reason", None) or found
        raise WrongUsage(f"--expect {path}: {said}")
    wishes = _read(found, path, f"--expect {path}")
    if wishes is None:
        raise WrongUsage(f"--expect {path}: it has no table [tool.gpucheck]")
    return wishes


def of_project() -> Union[Expectations, None]:
    """What the nearest [tool.gpucheck] expects, in the current folder or above it; None: there is none.

    Raises `WrongUsage` for one that cannot be understood: passed over in silence it would be an open gate.
    """
    from gpucheck.facts.gap import Gap
    from gpucheck.probes.waiting import at_most

    nearest = at_most(_PATIENCE, "looking for pyproject.toml", _nearest)
    if isinstance(nearest, Gap):
        complain(f"no [tool.gpucheck] was read: {nearest.reason}")
        return None
    for path, data in nearest:
        if len(data) > _MOST:
            raise WrongUsage(f"{path}: it names gpucheck and is larger than {_MOST >> 20} MiB")
        try:
            text = data.decode("utf-8-sig")
        except ValueError:
            raise WrongUsage(f"{path}: it names gpucheck and is no UTF-8") from None
        wishes = _read(text, path, path)
        if wishes is not None:
            return wishes
    return None


def _nearest() -> list[tuple[str, bytes]]:
    """Each pyproject.toml of the current folder and above that seems to have such a table; the nearest first."""
    found = []
    try:
        folder = os.getcwd()
    except OSError:  # it was removed
        return []
    while True:
        path = os.path.join(folder, "pyproject.toml")
        data = _bytes(path)
        if data is not None and _speaks_of_gpucheck(data):
            found.append((path, data))
        above = os.path.dirname(folder)
        if above == folder:
            return found
        folder = above


def _bytes(path: str) -> Union[bytes, None]:
    """Of a regular file; None where there is none that can be read."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        return None
    try:
        return os.read(handle, _MOST + 1)
    except OSError:  # a folder of that name
        return None
    finally:
        os.close(handle)


def _speaks_of_gpucheck(data: bytes) -> bool:
    """May it have the table? Parsing TOML costs a tenth of doctor's start-up budget, so most files are not parsed."""
    if b"gpucheck" not in data or b"tool" not in data:
        return False
    plain = b"\n" + data.removeprefix(b"\xef\xbb\xbf").translate(None, b" \t\r\"'")
    plain_tool = b"\n[tool]" in plain
    return any(plain_tool or (b"tool" in line and line[:1] in (b"[", b"t")) for line in _lines_with(b"gpucheck", plain))


def _lines_with(word: bytes, data: bytes) -> Iterator[bytes]:
    """Those lines alone: to cut a large file into its lines takes doctor longer than to look at the machine."""
    place = data.find(word)
    while place >= 0:
        end = data.find(b"\n", place)
        end = len(data) if end < 0 else end
        yield data[data.rfind(b"\n", 0, place) + 1 : end]
        place = data.find(word, end)


def _read(text: str, path: str, said: str) -> Union[Expectations, None]:
    from gpucheck.expecting.reading import BadExpectations, read
    from gpucheck.facts.gap import Gap
    from gpucheck.probes.waiting import at_most
    from gpucheck.render import rules

    def work() -> Union[Expectations, BadExpectations, None]:
        try:
            return read(text, path, rules.names)
        except BadExpectations as error:
            return error

    # A key of ten thousand parts takes the parser seconds, one of a million for ever.
    found = at_most(_PARSING, "reading it as TOML", work)
    if isinstance(found, Gap):
        raise WrongUsage(f"{said}: {found.reason}")
    if isinstance(found, BadExpectations):
        raise WrongUsage(f"{said}: {found}") from found
    return found
