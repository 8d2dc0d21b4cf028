"""The commands that do what a plan does, without gpucheck. Pure: credentials are masked, nothing is run."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Sequence

from gpucheck.facts.gap import Gap
from gpucheck.facts.plan import Choice
from gpucheck.install.cures import REMEDIES
from gpucheck.install.indexes.masking import masked, without_name
from gpucheck.install.indexes.settings import Settings


def by_hand(choice: Choice, settings: Settings, folder: str = ".venv") -> tuple[str, ...]:
    """The commands that install the same without gpucheck, for the target's shell; credentials masked.

    pip where it can (it reads its own configuration), uv where a date bounds what is considered.
    """
    if isinstance(choice.target, Gap) or choice.release is None:
        return ()
    target = choice.target
    windows = target.os == "windows"
    minor = f"{target.python.major}.{target.python.minor}"
    places = _places(settings)
    if choice.exclude_newer:
        make = ["uv", "venv", "--python", minor, folder]
        install = ["uv", "pip", "install", "--python", folder, "--exclude-newer", choice.exclude_newer]
        index, extra = "--default-index", "--index"
    else:
        make = ["py", f"-{minor}", "-m", "venv", folder] if windows else [f"python{minor}", "-m", "venv", folder]
        own = rf"{folder}\Scripts\python" if windows else f"{folder}/bin/python"
        install = [own, "-m", "pip", "install"]
        index, extra = "--index-url", "--extra-index-url"
    named = {"index": index, "extra": extra, "links": "--find-links"}
    install += [word for kind, place in places for word in (named[kind], place)]
    install += ["--no-index"] if settings.no_index else []
    install += ["--only-binary", ":all:", *choice.requirements]
    quote = _for_windows if windows else shlex.join
    site = f"{shlex.quote(folder)}/lib/python{minor}/site-packages"
    cures = (REMEDIES[name].by_hand.format(site=site) for name in choice.cures)
    return quote(make), quote(install), *cures


def _for_windows(words: Sequence[str]) -> str:
    """For cmd and PowerShell alike: a bound's "<" would be a redirection."""
    return " ".join(f'"{word}"' if set(word) & set("<>&|^ ;,") else subprocess.list2cmdline([word]) for word in words)


def _places(settings: Settings) -> Iterable[tuple[str, str]]:
    if settings.default_index:
        yield "index", masked(without_name(settings.default_index))
    for one in settings.extra:
        yield "extra", masked(without_name(one))
    for one in settings.find_links:
        yield "links", masked(one)
