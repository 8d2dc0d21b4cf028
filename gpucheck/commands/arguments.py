"""What the commands check of their arguments before any work. Nothing here looks at GPUs or prints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from gpucheck.output import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence


def seconds(timeout: Optional[float], deep: bool) -> float:
    from gpucheck.api import DEEP_SECONDS

    if timeout is None:
        return DEEP_SECONDS if deep else 10.0
    if not 0.1 <= timeout <= 86400:
        raise WrongUsage("--timeout takes seconds, 0.1 to 86400")
    return timeout


def interpreter(python: Optional[str]) -> Optional[str]:
    """The path given, made absolute. A name alone is looked up on PATH by the probe; a folder is an environment."""
    if python is None:
        return None
    from gpucheck.probes.waiting import at_most

    # On a disk that does not answer, the probe (which has a deadline) tells what is wrong with it.
    found = at_most(0.2, "looking for --python", _find_interpreter, python)
    if found is None:
        raise WrongUsage(f"--python: no Python to run at {python}")
    return found if isinstance(found, str) else python


def _find_interpreter(python: str) -> Optional[str]:
    try:
        path = os.path.abspath(python)
    except OSError:  # the current folder was removed
        return None
    if python and (os.path.isdir(path) or os.access(path, os.X_OK)):
        return path
    if os.name == "nt" and os.path.isfile(f"{path}.exe"):  # .venv\Scripts\python, as shells there take it
        return f"{path}.exe"
    if os.path.dirname(python):
        return None
    import shutil

    return python if shutil.which(python) else None


def check_log(logs: Sequence[str], here: bool, snapshots: Sequence[str], looks: bool) -> None:
    """looks: an option is given that says how to look at this machine."""
    if not logs:
        raise WrongUsage("--here is for --log FILE; without a log doctor looks at this machine anyway")
    if here and snapshots:
        raise WrongUsage("--here and --snapshot: the facts are this machine's or a file's")
    if looks and not here:
        raise WrongUsage("--python and --deep look at this machine: with --log only together with --here")
    if len([one for one in logs if one == "-"]) > 1:
        raise WrongUsage("--log -: standard input is read once")


def check_simulate(name: str, python: Optional[str], others: dict[str, bool]) -> None:
    """others: option -> was it given? They look at another machine than the recorded one."""
    from gpucheck import simulating

    for option, given in {"--python": python is not None, **others}.items():
        if given:
            raise WrongUsage(f"--simulate judges a recorded machine: not together with {option}")
    if name not in (known := sorted({*simulating.names(), *simulating.ALSO})):
        like = simulating.alike(name)
        hint = f"did you mean {' or '.join(like)}?" if like else f"there are {', '.join(known)}"
        raise WrongUsage(f"--simulate: no recorded machine is called {name}; {hint}")


def sorted_out(
    extra: list[str], snapshots: list[str], ignored: list[str], logs: list[str], dockerfiles: list[str]
) -> tuple[list[str], list[str], list[str], list[str]]:
    """``--snapshot A B --ignore C D``: give what follows an option's first value to the option that it belongs to."""
    names: frozenset[str] = frozenset()
    if ignored:
        from gpucheck.render import rules

        names = rules.names()
    files, read, built = list(snapshots), list(logs), list(dockerfiles)
    for one in extra:
        if ignored and one in names:
            ignored.append(one)
        elif (bool(snapshots) + bool(logs) + bool(dockerfiles)) > 1:
            raise WrongUsage(f"{one}: with both, say --log, --snapshot or --dockerfile before every file")
        elif dockerfiles:
            built.append(one)
        elif snapshots:
            files.append(one)
        elif logs:
            read.append(one)
        else:
            raise WrongUsage(f"unexpected argument {one}")
    for one in ignored:
        if one not in names:
            raise WrongUsage(f"--ignore: no rule is called {one}; gpucheck doctor --list-rules lists all")
    return files, ignored, read, built


MOST_BATCH = 1 << 20


def batch_sizes(text: Optional[str]) -> tuple[int, ...]:
    """``64,256,1024``, each once and in the order given; none: the network's own."""
    if text is None:
        return ()
    found = []
    for word in text.split(","):
        number = word.strip()
        if not (number.isascii() and number.isdigit() and len(number) < 8 and 1 <= int(number) <= MOST_BATCH):
            raise WrongUsage(f"--batch-size takes numbers from 1 to {MOST_BATCH}, with commas between, not {text!r}")
        found.append(int(number))
    return tuple(dict.fromkeys(found))


def measuring_time(seconds: float, option: str = "--time") -> float:
    if not 1 <= seconds <= 86400:
        raise WrongUsage(f"{option} takes seconds, 1 to 86400")
    return seconds


def positive(option: str, number: Optional[float]) -> Optional[float]:
    if number is not None and not 0 < number < 1e6:
        raise WrongUsage(f"{option} takes a number above 0")
    return number


def commas(values: Optional[list[str]]) -> tuple[str, ...]:
    """``--with a,b --with c``: each once and in the order given. Commas within brackets or bounds are no such thing."""
    found: list[str] = []
    for text in values or []:
        for word in text.split(","):
            # "keras[a,b]" and "numpy>=1,<2" hold commas of their own.
            if found and (
                found[-1].count("[") > found[-1].count("]") or word.lstrip()[:1] in ("<", ">", "=", "!", "~")
            ):
                found[-1] += f",{word}"
            elif word.strip():
                found.append(word.strip())
    return tuple(dict.fromkeys(found))


def only_with(given: bool, option: str, others: dict[str, bool]) -> None:
    """Options that mean something beside another one alone: name -> was it given?"""
    for name, used in others.items():
        if used and not given:
            raise WrongUsage(f"{name} goes with {option} only")


def not_with(option: str, others: dict[str, bool]) -> None:
    """Options that mean nothing beside another one: name -> was it given?"""
    for name, used in others.items():
        if used:
            raise WrongUsage(f"{option} changes this machine: not together with {name}")
