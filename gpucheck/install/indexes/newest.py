"""A TensorFlow that is newer than the table: found by one look at the index, offered as derived and untested.

uv asks the index, so that mirrors, logins and its cache count; a plan made afterwards finds the same page in there.
Nothing here makes a release a default: see resolve.choose, which takes these rows apart from its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple, Union

from gpucheck.compat.tensorflow import Release
from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Target
from gpucheck.install.errors import InstallError
from gpucheck.install.indexes import pylock
from gpucheck.install.indexes.question import Question, ask
from gpucheck.install.indexes.settings import Settings

_SOURCE = "derived from the bounds of its METADATA on the index; not tested"
# What the extra [and-cuda] asks: its lowest versions are those of the CUDA that TensorFlow was built with.
_RUNTIME, _CUDNN = "nvidia-cuda-runtime", "nvidia-cudnn"


class Newest(NamedTuple):
    """rows: none, or the newest final release. notes: why it could not be looked for."""

    rows: tuple[Release, ...]
    notes: tuple[str, ...] = ()


def newest(settings: Settings, target: Union[Target, Gap], table: Sequence[Release]) -> Newest:
    """The newest final release with a wheel for the target, if the table's rows for its system do not know it.

    Parameters
    ----------
    table: rows of one system (compat.releases.releases), of which the last final one has the bounds that nobody told.
    """
    last = next((row for row in reversed(table) if row.version.replace(".", "").isdigit()), None)
    if isinstance(target, Gap) or last is None:
        return Newest(())
    if settings.offline:
        return Newest((), ("offline: not looked whether there is a newer TensorFlow",))
    try:
        found = _pins(settings, target, (f"tensorflow>{last.version}",), "--no-deps")
        entry = found.get("tensorflow")
        if entry is None:
            return Newest(())
        return Newest((_row(settings, target, entry, last),))
    except InstallError as error:
        return Newest((), (f"not known whether there is a newer TensorFlow: {error}",))


def _row(settings: Settings, target: Target, entry: pylock.Entry, last: Release) -> Release:
    file = pylock.chosen(entry, target)
    glibc = _glibc(file.name) if file else ""
    row = Release(
        version=entry.version,
        package="tensorflow",
        pythons=f"{target.python.major}.{target.python.minor}",
        cuda="",
        cudnn="",
        capabilities=(),
        glibc=glibc,
        numpy="",
        protobuf="",
        cudnn_wheel="",
        issues="",
        source=_SOURCE,
        uploaded=file.uploaded[:10] if file else "",
    )
    if not last.cuda:
        return row  # this system's wheels are without
    extra = f"tensorflow[and-cuda]=={entry.version}"
    names = [name for name in _pins(settings, target, (extra,)) if name.startswith((_RUNTIME, _CUDNN))]
    lowest = _pins(settings, target, (extra, *names), "--resolution", "lowest-direct")
    cuda = next((one.version for name, one in lowest.items() if name.startswith(_RUNTIME)), "")
    cudnn = next((one.version for name, one in lowest.items() if name.startswith(_CUDNN)), "")
    return row._replace(
        cuda=".".join(cuda.split(".")[:2]),
        cudnn=".".join(cudnn.split(".")[:2]),
        cudnn_wheel=f">={cudnn}" if cudnn else "",
        capabilities=last.capabilities,
        issues=" ".join(one for one in last.issues.split() if one == "K10"),
        source=f"{_SOURCE}; compute capabilities as in {last.version}",
    )


def _pins(settings: Settings, target: Target, requirements: tuple[str, ...], *more: str) -> dict[str, pylock.Entry]:
    """What these requirements resolve to; {} where nothing fits.

    Raises
    ------
    InstallError: the index could not be asked.
    """
    question = Question(requirements, target, None, (), sys.executable)
    # Without --generate-hashes: an index that has none would make uv download whole wheels to learn them.
    done = ask(question, settings, "--prerelease", "disallow", "--format", "pylock.toml", *more)
    if done.code:
        from gpucheck.install.errors import NoPlan
        from gpucheck.install.indexes.complaints import understood

        trouble = understood(done.err)
        if isinstance(trouble, NoPlan):
            return {}
        raise trouble
    return {entry.name: entry for entry in pylock.parse(done.out, hashless=True).entries}


def _glibc(file: str) -> str:
    """Of a wheel's own name: the oldest that it runs on. "" without one."""
    from packaging.utils import parse_wheel_filename

    minors = []
    for tag in parse_wheel_filename(file)[3]:
        pieces = tag.platform.split("_")
        if tag.platform.startswith("manylinux_2_") and pieces[2].isdigit():
            minors.append(int(pieces[2]))
    return f"2.{min(minors)}" if minors else ""
