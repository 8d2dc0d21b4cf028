"""Have uv's own cache hold every package, unpacked, so that an install needs no network and only links.

What a plain `uv pip install` has left there is used. Nothing is written into any environment.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Union

from gpucheck.facts.plan import Package
from gpucheck.install.errors import Failed
from gpucheck.install.fetching.feed import AT_ONCE, Feed, lock_text
from gpucheck.install.fetching.fetch import PARALLEL, Fetcher, refuse_servers, total
from gpucheck.install.fetching.patience import USUAL, Patience
from gpucheck.install.fetching.wheelhouse import PART, check, clear, downloads, local, refusal
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.masking import bare
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.progress import Progress, Silent

_OLD = 14 * 86400.0  # seconds after which nobody will go on with what an interrupted run has left
_HOUR = 3600.0  # seconds that uv waits for the next byte: how long to try is decided in download.py


class Warm(NamedTuple):
    """What uv's cache holds now, and how it came there.

    lock, settings: a pylock.toml, and the settings for a uv that installs from it, offline. Both may hold the login of
    an index, which is part of the cache's key: the lock is for uv alone, not to be shown or kept. files: that were not
    there. bytes: downloaded now.
    """

    lock: str
    settings: Settings
    files: tuple[str, ...]
    bytes: int
    seconds: float


class Keys(NamedTuple):
    """What uv's cache is keyed by. indexes: file name -> index. settings: that make uv look under these."""

    indexes: dict[str, str]
    settings: Settings


def keys(packages: Sequence[Package], settings: Settings, python: str) -> Keys:
    """uv keys what it has unpacked by index, to the letter and with its login; and looks only under indexes it is told.

    What no index offers (any more) gets the folder of its address for an index, as uv would do. Offline, where uv
    may not know any more what it knew, its default index is guessed: what is looked up there has its hash checked.
    """
    given = {bare(one): one for one in reversed(settings.addresses)}
    found = origins(packages, settings, python)
    remote = [one for one in packages if local(one.url) is None]
    unknown = any(one.file not in found for one in remote)
    guess = _default(settings, python) if settings.offline and unknown else None
    known = {file: given.get(index, index) for file, index in found.items()}
    for one in remote:
        known.setdefault(one.file, guess or bare(one.url).rpartition("/")[0])
    folders = {Path(path).as_uri(): path for one in settings.find_links if (path := local(one)) and os.path.isdir(path)}
    others = dict.fromkeys(index for index in known.values() if index not in (settings.default_index, *folders))
    links = tuple(folders.values())
    return Keys(known, settings._replace(extra=tuple(others), find_links=links, no_index=False, offline=True))


def origins(packages: Sequence[Package], settings: Settings, python: str) -> dict[str, str]:
    """File name -> URL of the index that offers it, or of the folder of links, without login, as uv itself says.

    python: path of an interpreter that they are for. What no index offers with this hash is not in it. One run of uv:
    0.1 s with its cache, one or two seconds of questions without.
    """
    pins = "".join(f"{one.name}=={one.version} --hash=sha256:{one.sha256}\n" for one in packages)
    words = ["pip", "compile", "-", "--no-deps", "--no-header", "--no-annotate", "--emit-index-annotation", "--quiet"]
    words += ["--only-binary", ":all:", "--python", python, *uv.options(settings)]
    done = uv.run([*words, "--offline"], settings=settings, stdin=pins)
    if done.code and not settings.offline:
        done = uv.run(words, settings=settings, stdin=pins)
    found = dict(re.findall(r"^([A-Za-z0-9._-]+)==[^\n]*\n\s+# from (\S+)$", done.out, re.MULTILINE))
    return {one.file: found[one.name] for one in packages if one.name in found}


def _default(settings: Settings, python: str) -> Union[str, None]:
    """The index that uv asks where nothing else is said."""
    words = ["pip", "compile", "-", "--emit-index-url", "--no-header", "--quiet", "--offline", "--python", python]
    told = re.search(r"^--index-url (\S+)$", uv.run(words, settings=settings).out, re.MULTILINE)
    return settings.default_index or (told.group(1) if told else None)


def missing(packages: Sequence[Package], keys: Keys, python: str) -> tuple[Package, ...]:
    """Those that uv has not in its cache yet, as uv itself says. No server is asked."""
    with _scratch(keys.settings) as scratch:
        lock = _write_lock(scratch, lock_text(packages, keys.indexes))
        words = _install(lock, os.path.join(scratch, "target"), python, keys.settings)
        done = uv.run([*words, "--dry-run", "--verbose"], settings=keys.settings)
    if done.code:
        return tuple(packages)
    count = re.search(r"^Would download (\d+) package", done.err, re.MULTILINE)
    if count is None:
        return ()
    names = set(re.findall(r"Identified uncached distribution: ([a-z0-9-]+)", done.err))
    lacking = tuple(one for one in packages if one.name in names)
    # uv's words for developers are no interface: where they have changed, all may be missing.
    return lacking if len(lacking) == int(count.group(1)) else tuple(packages)


def warm(
    packages: Sequence[Package],
    settings: Settings,
    python: str,
    progress: Union[Progress, None] = None,
    *,
    folder: Union[str, None] = None,
    patience: Patience = USUAL,
    parallel: int = PARALLEL,
) -> Warm:
    """Download what uv's cache lacks, and let uv unpack it there while it comes.

    Parameters
    ----------
    python: path of an interpreter of the kind that they are for. folder: where downloads are kept until uv has them;
    None: `downloads()`. What an interrupted run leaves there is gone on with; after a good end nothing stays.

    Raises
    ------
    Refused: offline, and not all is there; the folder cannot be written to. Failed: see fetch.fetch; uv cannot unpack.
    """
    begun, progress, folder = monotonic(), progress or Silent(), folder or downloads()
    under = keys(packages, settings, python)
    lock = lock_text(packages, under.indexes)
    lacking = missing(packages, under, python)
    if not lacking:
        return Warm(lock, under.settings, (), 0, monotonic() - begun)
    if settings.offline:
        refuse_servers(lacking)
    check(lacking, folder)
    remote = [one for one in lacking if local(one.url) is None]
    progress.begin("downloading" if remote else "unpacking", total(remote) if remote else None)
    with Fetcher(folder, settings, progress, patience, parallel) as fetcher, Feed(remote, fetcher) as feed:
        _unpack(lacking, under.settings, python, fetcher, lock_text(lacking, under.indexes, feed.urls))
        came = sum(one.came for one in fetcher.downloads)
    _remove(remote, folder)
    clear(folder, _OLD)
    return Warm(lock, under.settings, tuple(one.file for one in lacking), came, monotonic() - begun)


def _unpack(packages: Sequence[Package], settings: Settings, python: str, fetcher: Fetcher, lock: str) -> None:
    """uv begins to install into a folder that is thrown away: there is no other way to have it fill its cache alone.

    It is ended when it says that everything is unpacked, before it links 25,000 files for nothing.
    """
    onto_loopback = settings._replace(
        offline=False,
        proxies=(("no", "127.0.0.1"),),
        timeout=_HOUR,
        passed=(*settings.passed, ("UV_CONCURRENT_DOWNLOADS", str(AT_ONCE))),
    )
    with _scratch(settings) as scratch:
        words = _install(_write_lock(scratch, lock), os.path.join(scratch, "target"), python, onto_loopback)
        done = uv.run(words, settings=onto_loopback, enough=lambda line: line.startswith("Prepared "))
    fetcher.check()
    if done.code:
        lines = tuple(line for line in done.err.splitlines() if line.strip())[-8:]
        raise Failed("uv could not unpack what was downloaded", lines)


def _install(lock: str, target: str, python: str, settings: Settings) -> list[str]:
    words = ["pip", "install", "--preview-features", "pylock", "--no-deps", "--link-mode", "hardlink"]
    return [*words, *uv.options(settings), "--python", python, "--target", target, "--requirements", lock]


def _write_lock(folder: str, text: str) -> str:
    path = os.path.join(folder, "pylock.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@contextmanager
def _scratch(settings: Settings) -> Iterator[str]:
    """A folder in uv's cache, named as uv names its own temporary ones, so that `uv cache prune` knows a left one."""
    folder = uv.cache(settings)
    try:
        os.makedirs(folder, exist_ok=True)
        path = tempfile.mkdtemp(prefix=".tmp", dir=folder)
    except OSError as error:
        raise refusal(error, folder) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _remove(packages: Sequence[Package], folder: str) -> None:
    for one in packages:
        with suppress(OSError):
            os.unlink(os.path.join(folder, one.sha256 + PART))
