"""A wheel made from the source of a package that is Python alone and has no wheel: what a few old TensorFlows need.

It is made once, when a plan is made, in gpucheck's cache, so that everything after that knows wheels with a hash alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from typing import Union

from gpucheck.facts.plan import Package
from gpucheck.install.errors import NoPlan, Refused
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.question import BUILDING
from gpucheck.install.indexes.settings import Settings

DEADLINE = 120.0  # seconds
_MOST = 20 << 20  # bytes of a source: the ones that are known have less than one
_EPOCH = "315532800"  # 1980: a wheel's files are stamped with it, so the same source twice gives the same hash


def built(source: Package, settings: Settings, python: str, folder: Union[str, None] = None) -> Package:
    """The wheel of a source distribution, made now or before.

    Parameters
    ----------
    source: its file and hash. python: the interpreter that runs its setup.py. folder: where wheels are kept.

    Raises
    ------
    NoPlan: it cannot be built, or is not Python alone. Refused: it could not be fetched, or has another
    hash.
    """
    folder = os.path.join(folder or _kept(), source.sha256)
    path = _wheel_in(folder)
    if path is None:
        path = _build(source, settings, python, folder)
    name = os.path.basename(path)
    if not name.endswith("-none-any.whl"):
        raise NoPlan(f"{source.file} is not Python alone: it became {name}")
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return source._replace(file=name, url=path, sha256=digest, size=os.path.getsize(path))


def _kept() -> str:
    import platformdirs

    return os.path.join(platformdirs.user_cache_dir("gpucheck", appauthor=False), "built")


def _wheel_in(folder: str) -> Union[str, None]:
    try:
        return next((os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".whl")), None)
    except OSError:
        return None


def _build(source: Package, settings: Settings, python: str, folder: str) -> str:
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    workplace = tempfile.mkdtemp(dir=os.path.dirname(folder))
    try:
        path = os.path.join(workplace, os.path.basename(source.file))
        with open(path, "wb") as file:
            file.write(_source(source, settings))
        out = os.path.join(workplace, "wheel")
        words = ["build", "--wheel", "--quiet", "--no-create-gitignore", "--out-dir", out, "--python", python]
        done = uv.run(
            [*words, *uv.options(settings), path],
            settings=settings,
            deadline=DEADLINE,
            variables={**BUILDING, "SOURCE_DATE_EPOCH": _EPOCH},
        )
        if done.code or _wheel_in(out) is None:
            raise NoPlan(f"{source.file} has no wheel and cannot be built", tuple(done.err.splitlines()[-12:]))
        try:
            os.rename(out, folder)
        except OSError:  # another gpucheck was faster
            if _wheel_in(folder) is None:
                raise
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    found = _wheel_in(folder)
    assert found is not None
    return found


def _source(source: Package, settings: Settings) -> bytes:
    """Its bytes, checked."""
    from gpucheck.install.fetching.connection import Connections
    from gpucheck.install.fetching.trouble import Trouble

    if "://" not in source.url:
        try:
            with open(source.url, "rb") as file:
                data = file.read(_MOST)
        except OSError as error:
            raise Refused(f"cannot read {source.url}: {error.strerror}") from error
    elif settings.offline:
        raise Refused(f"offline, and the source of {source.name} is needed: {source.file}")
    else:
        connections = Connections(settings)
        try:
            data = connections.get(source.url).read(_MOST)
        except (Trouble, OSError) as error:
            raise Refused(f"{source.file} could not be fetched: {error}") from error
        finally:
            connections.close()
    if hashlib.sha256(data).hexdigest() != source.sha256:
        raise Refused(f"{source.file} is not the file that the index announced: its sha256 differs")
    return data
