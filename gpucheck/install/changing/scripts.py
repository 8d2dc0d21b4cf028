"""Programs of an environment that is built under another name than it will have: they must name the final one.

A virtual environment says ``relocatable = true`` while uv works in it, so that new scripts find Python beside
themselves, whatever the folder's name (uv reads that key in pyvenv.cfg: measured with 0.13.9, on environments of uv and
of venv). What still names the workplace after that (conda has no pyvenv.cfg, a new environment its activate scripts)
is rewritten, and its line of RECORD, too.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
from contextlib import suppress
from typing import NamedTuple, Union

from gpucheck.install.changing import disk
from gpucheck.install.errors import Failed

_CONFIG = "pyvenv.cfg"
_FOLDERS = ("bin", "Scripts", os.path.join("share", "jupyter", "kernels"))
_MOST = 4 << 20  # bytes of a text
_RELOCATABLE = re.compile(rb"(?im)^\s*relocatable\s*=\s*true\s*$")


class Config(NamedTuple):
    """What pyvenv.cfg said before."""

    path: str
    text: bytes


def let_move(workplace: str) -> Union[Config, None]:
    """Make uv write scripts that do not name the folder. None: nothing was changed. Raises OSError."""
    path = os.path.join(workplace, _CONFIG)
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    if _RELOCATABLE.search(text):
        return None
    _replace(path, text + (b"" if text.endswith(b"\n") or not text else b"\n") + b"relocatable = true\n")
    return Config(path, text)


def settle(workplace: str, final: str, config: Union[Config, None]) -> tuple[str, ...]:
    """Take `let_move` back, and let everything that names the workplace name the final folder.

    Returns
    -------
    The files that were rewritten, relative to the workplace.

    Raises
    ------
    Failed: a program names the workplace in a way that cannot be rewritten. OSError.
    """
    if config:
        _replace(config.path, config.text)
    changed = []
    old, new = os.fsencode(workplace), os.fsencode(final)
    tail = os.fsencode(os.sep.join(workplace.split(os.sep)[-2:]))
    for relative in _programs(workplace):
        path = os.path.join(workplace, relative)
        with open(path, "rb") as file:
            data = file.read(_MOST + 1)
        if old not in data:
            continue
        if len(data) > _MOST or b"\0" in data:
            raise Failed(f"{relative} names the folder it was built in, and is no text that could be corrected")
        data = data.replace(old, new)
        if tail in data:  # quoted for a shell, because of what stands before
            raise Failed(f"{relative} names the folder it was built in, in a way that cannot be corrected")
        _replace(path, data)
        changed.append(relative)
    if changed:
        _tell_records(workplace, changed)
    return tuple(changed)


def _programs(workplace: str) -> list[str]:
    """Raises OSError: a folder passed over would leave programs behind that lead nowhere."""
    found = [_CONFIG] if os.path.isfile(os.path.join(workplace, _CONFIG)) else []  # venv notes its own command there
    for top in _FOLDERS:
        if not os.path.isdir(os.path.join(workplace, top)):
            continue
        for folder, _folders, names in os.walk(os.path.join(workplace, top), onerror=_raise):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) <= _MOST:
                    found.append(os.path.relpath(path, workplace))
    return found


def _raise(error: OSError) -> None:
    raise error


def _replace(path: str, data: bytes) -> None:
    """Write a file anew, with its rights: its other names keep the old one."""
    part = f"{path}.gpucheck-part"
    try:
        with open(part, "wb") as file:
            file.write(data)
        shutil.copymode(path, part)
        disk.replace(part, path)
    except OSError:
        with suppress(OSError):
            os.unlink(part)
        raise


def _tell_records(workplace: str, changed: list[str]) -> None:
    """Correct hash and size of rewritten files in the RECORD that names them."""
    wanted = {os.path.realpath(os.path.join(workplace, one)) for one in changed}
    for folder, folders, _files in os.walk(workplace, onerror=_raise):
        if os.path.basename(folder) not in ("site-packages", "dist-packages"):
            continue
        for info in [one for one in folders if one.endswith(".dist-info")]:
            _tell_record(os.path.join(folder, info, "RECORD"), folder, wanted)
        folders.clear()


def _tell_record(record: str, site: str, wanted: set[str]) -> None:
    try:
        with open(record, encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (FileNotFoundError, ValueError):
        return
    touched = False
    for row in rows:
        if len(row) == 3 and row[0].startswith("..") and os.path.realpath(os.path.join(site, row[0])) in wanted:
            with open(os.path.join(site, row[0]), "rb") as file:
                data = file.read()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            row[1:] = [f"sha256={digest}", str(len(data))]
            touched = True
    if touched:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        _replace(record, text.getvalue().encode())
