"""Known defects of releases that a small change in the environment cures, by the name that a Choice gives.

Each cure looks for the defect itself, not for a version number, makes only new paths, and never touches a file of
somebody else's. What was made is told, so that it can be taken back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Union

from gpucheck.facts.plan import Cure
from gpucheck.host.elf import read_elf
from gpucheck.install.errors import Failed

_FRAMEWORK = "tensorflow/libtensorflow_framework.so.2"
_SOLVER = "libcusolver.so.11"
_LINK = f"nvidia/cusparse/lib/{_SOLVER}"
_TARGET = f"../../cusolver/lib/{_SOLVER}"


class Remedy(NamedTuple):
    """needed, apply: get the folder with the packages. apply: gives the paths it made (or had made), relative to it.

    by_hand: the same for a shell, with {site} for that folder.
    """

    what: str
    source: str
    needed: Callable[[str], bool]
    apply: Callable[[str], tuple[str, ...]]
    by_hand: str


def _solver_is_out_of_reach(site: str) -> bool:
    """Does libtensorflow_framework look for CUDA's wheels, but not where libcusolver lies?"""
    if not os.path.isfile(f"{site}/nvidia/cusolver/lib/{_SOLVER}") or not os.path.isdir(f"{site}/nvidia/cusparse/lib"):
        return False
    runpath = _runpath(f"{site}/{_FRAMEWORK}")
    return "nvidia/cusparse/lib" in runpath and "nvidia/cusolver/lib" not in runpath


def _runpath(path: str) -> str:
    """RUNPATH or RPATH of a shared object; "" where there is none, or no such file."""
    try:
        size = os.stat(path).st_size
        with open(path, "rb") as file:

            def read(at: int, most: int) -> bytes:
                if at >= size:
                    return b""
                file.seek(at)
                return file.read(most)

            elf = read_elf(read, size)
    except (OSError, ValueError):
        return ""
    return elf.runpath or elf.rpath or ""


def _link_the_solver(site: str) -> tuple[str, ...]:
    """Raises `Failed` where something else lies in the way."""
    place = f"{site}/{_LINK}"
    try:
        os.symlink(_TARGET, place)
    except FileExistsError:
        if not _is_link_to(place, _TARGET):
            if os.path.isfile(place):  # somebody's own copy or link: the loader finds one
                return ()
            raise Failed(f"{place} is in the way: it leads nowhere, and it is not gpucheck's to remove") from None
    except OSError as error:
        raise Failed(f"{place} could not be made: {error.strerror}") from error
    return (_LINK,)


def _is_link_to(place: str, target: str) -> bool:
    return os.path.islink(place) and os.readlink(place) == target


REMEDIES: dict[str, Remedy] = {
    # TensorFlow 2.21.0, issue Q01 in compat.tensorflow. The folder of cusparse is in its RUNPATH; a link in
    # tensorflow/ itself does not help, because $ORIGIN is not (both measured over a fake driver).
    "libcusolver-beside-cusparse": Remedy(
        "a link to libcusolver.so.11 beside libcusparse, as TensorFlow 2.21.0 does not look where it lies",
        "RUNPATH of libtensorflow_framework.so.2 lacks nvidia/cusolver/lib: ELF headers of cp310, cp311, cp313",
        _solver_is_out_of_reach,
        _link_the_solver,
        f"ln -s {_TARGET} {{site}}/{_LINK}",
    ),
}


def needed(root: str, names: Sequence[str]) -> tuple[str, ...]:
    """Those of these cures whose defect is in the environment, cured already or not."""
    return tuple(name for name in names if any(REMEDIES[name].needed(site) for site in sites(root)))


def apply(root: str, names: Sequence[str]) -> tuple[Cure, ...]:
    """Cure what needs it; again, and nothing more happens.

    Parameters
    ----------
    root: the environment's folder. names: as in `Choice.cures`.

    Returns
    -------
    One for each cure that is in place now, with its paths.

    Raises
    ------
    Failed: a foreign file is in the way, or the folder is read-only. KeyError: no such cure.
    """
    done = []
    for name in names:
        remedy = REMEDIES[name]
        for site in sites(root):
            if remedy.needed(site):
                made = tuple(
                    os.path.relpath(f"{site}/{path}", root).replace(os.sep, "/") for path in remedy.apply(site)
                )
                if made:
                    done.append(Cure(name, remedy.what, made))
    return tuple(done)


def in_place(root: str, cures: Sequence[Cure]) -> bool:
    """Is everything that these cures made still there? A new version of the package beside may have taken it away."""
    return all(os.path.lexists(os.path.join(root, path)) for cure in cures for path in cure.done)


def take_back(root: str, cures: Sequence[Cure]) -> tuple[str, ...]:
    """Remove what these cures made, but only links: a file in its place is somebody else's. Gives what was removed."""
    removed = []
    for path in (path for cure in cures for path in cure.done):
        place = os.path.join(root, path)
        if os.path.islink(place) and _within(root, place):
            with suppress(FileNotFoundError):
                os.unlink(place)
                removed.append(path)
    return tuple(removed)


def _within(root: str, place: str) -> bool:
    """A receipt is a file that anybody may have written: a path in it must not lead out of the environment."""
    return os.path.realpath(os.path.dirname(place)).startswith(os.path.join(os.path.realpath(root), ""))


def sites(root: str) -> tuple[str, ...]:
    """The folders for packages below an environment."""
    folders: list[Union[str, None]] = [os.path.join(root, "Lib", "site-packages")]
    with suppress(OSError):
        lib = os.path.join(root, "lib")
        folders += [
            os.path.join(lib, name, "site-packages") for name in sorted(os.listdir(lib)) if name[:6] == "python"
        ]
    return tuple(folder for folder in folders if folder and os.path.isdir(folder))
