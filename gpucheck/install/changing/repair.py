"""Packages whose files are missing or changed are installed again, those alone, and only if that makes them whole."""

from __future__ import annotations

import glob
import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple, Union

from gpucheck.facts.versions import PackageVersion
from gpucheck.install import cures
from gpucheck.install.changing import disk, mending, records, transaction
from gpucheck.install.changing.records import Damage
from gpucheck.install.errors import Failed
from gpucheck.install.indexes import uv
from gpucheck.install.indexes.settings import Settings
from gpucheck.install.progress import Progress

_RECEIPT = os.path.join(".gpucheck", "receipt.json")
_DEADLINE = 3600.0  # seconds: the packages may have to be fetched again
_SHOWN = 12  # lines


class State(NamedTuple):
    """What an examination found. leftovers: paths of what a killed pip moved aside. cannot: why a package cannot be
    installed again, one line each."""

    damages: tuple[Damage, ...]
    leftovers: tuple[str, ...]
    requirements: tuple[str, ...]
    cannot: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.requirements and not self.cannot and not self.leftovers


def examine(env: str, thorough: bool = False) -> State:
    """Compare what is installed in an environment with its RECORDs. Nothing is written.

    Raises
    ------
    OSError: a folder cannot be read.
    """
    folders = site_packages(env)
    damages = tuple(one for folder in folders for one in records.damaged(folder, thorough))
    leftovers = tuple(os.path.join(folder, name) for folder in folders for name in records.leftovers(folder))
    requirements, cannot = _requirements(env, folders, damages)
    return State(damages, leftovers, requirements, cannot)


def repair(
    env: str,
    settings: Settings,
    progress: Progress,
    state: State,
    thorough: bool = False,
    cured: Sequence[str] = (),
    base: Union[str, None] = None,
) -> State:
    """Install again what is damaged. Gives what is still wrong: at most what `state.cannot` named.

    Parameters
    ----------
    env: real path. state: of `examine`, made just before. thorough: as there. cured: names of cures to make again.
    base: interpreter to link to, where the environment's own does not run (see mending.py).

    Raises
    ------
    Failed: uv could not, or the files are still not right: then nothing was changed. Refused: see `transaction.begin`.
    """
    with transaction.begin(env, new=False, what="repair") as change:
        if base is not None:
            mending.mend(change.workplace, base)
        for path in state.leftovers:
            disk.remove(os.path.join(change.workplace, os.path.relpath(path, env)))
        after = heal(change, settings, progress, state, thorough)
        cures.apply(change.workplace, cured)
        change.settle()
        change.commit()
    return after


def heal(
    change: transaction.Transaction, settings: Settings, progress: Progress, state: State, thorough: bool = False
) -> State:
    """Install again what is damaged in a workplace, from uv's cache or, where that is damaged too, anew.

    Raises
    ------
    Failed: it is still not as recorded.
    """
    progress.begin("installing again what is damaged")
    install_again(change.python, settings, state.requirements)
    after = examine(change.workplace, thorough)
    if _still(after, state):
        # uv's cache may share the damaged file: what is linked into an environment is written there, too.
        progress.note("the copies in uv's cache are damaged, too: fetching the packages anew")
        with tempfile.TemporaryDirectory(prefix="uv-", dir=change.folder) as cache:
            install_again(change.python, settings._replace(cache=cache), state.requirements)
        after = examine(change.workplace, thorough)
    if wrong := _still(after, state):
        raise Failed(f"{', '.join(wrong[:_SHOWN])}: still not as recorded. Nothing was changed")
    return after


def site_packages(env: str) -> tuple[str, ...]:
    """The folders that packages are installed in, by venv's and conda's layout."""
    found = glob.glob(os.path.join(glob.escape(env), "lib*", "python*", "site-packages"))
    found += glob.glob(os.path.join(glob.escape(env), "Lib", "site-packages"))
    return tuple(dict.fromkeys(os.path.realpath(one) for one in sorted(found)))


def _still(after: State, before: State) -> list[str]:
    """What was to be whole and is not. Damage that could not be cured was there before."""
    hopeless = {one.folder for one in before.damages} - {one.folder for one in _curable(before.damages)}
    wanted = {line.split("==")[0].split(" @ ")[0] for line in before.requirements}
    return [one.name for one in after.damages if not one.whole and one.name in wanted and one.folder not in hopeless]


def _curable(damages: Sequence[Damage]) -> list[Damage]:
    """An .egg-info has no RECORD by nature: nothing is known to be wrong with it."""
    return [one for one in damages if not one.whole and not (one.folder.endswith(".egg-info") and not one.recorded)]


def install_again(python: str, settings: Settings, requirements: Sequence[str]) -> None:
    """These lines of a requirements file, and nothing that they depend on. Raises `Failed`."""
    if not requirements:
        return
    command = ["pip", "install", *uv.options(settings), "--python", python, "--no-deps", "--reinstall", "--only-binary"]
    done = uv.run(
        [*command, ":all:", "--requirements", "-"],
        settings=settings,
        deadline=_DEADLINE,
        stdin="\n".join(requirements) + "\n",
    )
    if done.code:
        lines = tuple(done.err.strip().splitlines()[-_SHOWN:])
        raise Failed("the packages could not be installed again. Nothing was changed", lines)


def _requirements(
    env: str, folders: Sequence[str], damages: Sequence[Damage]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines for uv, and why some have none."""
    hashes = _hashes(env)
    lines, cannot = [], []
    for one in _newest(_curable(damages)):
        origin = _origin(folders, one.folder)
        url = origin.get("url")
        if "dir_info" in origin or "vcs_info" in origin:
            cannot.append(f"{one.name} {one.version} was installed from {url}: install it again by hand")
        elif isinstance(url, str) and "archive_info" in origin:
            lines.append(f"{one.name} @ {url}")
        else:
            lines.append(f"{one.name}=={one.version}{hashes.get((one.name, one.version), '')}")
    there = frozenset(name for folder in folders for name in records.installed(folder))
    lines += [f"{name}=={version}{digest}" for (name, version), digest in hashes.items() if name not in there]
    return tuple(lines), tuple(cannot)


def _newest(damages: Sequence[Damage]) -> list[Damage]:
    """One of each name: an upgrade that was cut off leaves two versions, of which the newer was wanted."""
    found: dict[str, Damage] = {}
    for one in damages:
        if one.name not in found or PackageVersion(found[one.name].version) < PackageVersion(one.version):
            found[one.name] = one
    return list(found.values())


def _origin(folders: Sequence[str], info: str) -> dict[str, Any]:
    """direct_url.json (PEP 610): where a package came from that was not asked for by name."""
    for folder in folders:
        told = _read(os.path.join(folder, info, "direct_url.json"))
        if told:
            return told
    return {}


def _hashes(env: str) -> dict[tuple[str, str], str]:
    """What the receipt says was installed, as uv wants it."""
    plan = _read(os.path.join(env, _RECEIPT)).get("plan")
    packages = plan.get("packages") if isinstance(plan, dict) else None
    found: dict[tuple[str, str], str] = {}
    for one in packages if isinstance(packages, list) else ():
        if isinstance(one, dict) and isinstance(one.get("sha256"), str) and one["sha256"].isalnum():
            found[str(one.get("name")), str(one.get("version"))] = f" --hash=sha256:{one['sha256']}"
    return found


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            told: Union[Any, None] = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
