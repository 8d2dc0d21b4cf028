"""How the commands that change environments speak with the user: words, questions, progress, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Optional

from gpucheck import __version__
from gpucheck.install.errors import InstallError, Refused
from gpucheck.interruption import listen
from gpucheck.output import at_terminal, colored, columns, complain, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gpucheck.install.progress import Progress

DEFAULT_ENVIRONMENT = ".venv"


class Words(NamedTuple):
    """The command line, understood. names: what stands alone, tensorflow[==VERSION]. extras: of --with, split."""

    names: tuple[str, ...] = ()
    env: Optional[str] = None
    python: Optional[str] = None
    cpu: bool = False
    extras: tuple[str, ...] = ()
    dry_run: bool = False
    explain: Optional[str] = None
    format: str = "terminal"
    output: Optional[str] = None
    lock: Optional[str] = None
    from_lock: Optional[str] = None
    wheelhouse: Optional[str] = None
    offline: bool = False
    index_urls: tuple[str, ...] = ()
    snapshot: Optional[str] = None
    yes: bool = False
    verbose: bool = False


def environment_of(words: Words) -> str:
    """The folder that is meant. An empty name (a variable that is not set) is not the usual one."""
    return DEFAULT_ENVIRONMENT if words.env is None else words.env


def told(words: Words, work: Callable[[Words], int]) -> int:
    """Do it; whatever ends it is told in one line, with what a program said under it."""
    from gpucheck.install.carrying import NotProven

    listen()
    try:
        return work(words)
    except InstallError as error:
        proof = error.proof if isinstance(error, NotProven) else None
        if words.format == "json":
            from gpucheck.render.install import json

            write(json.failed(str(error), error.lines, proof, __version__, error.exit_code), words.output)
        elif proof is not None:
            from gpucheck.render.install import outcome

            write(outcome.failed(proof, columns(), colored(), words.verbose), None)
        complain(str(error))
        for line in error.lines:
            complain(f"  {line}")
        return error.exit_code
    except KeyboardInterrupt as stop:  # not typer's to tell: it knows Ctrl-C alone
        complain("interrupted: what was not finished was taken back (gpucheck undo takes back what was)")
        return getattr(stop, "exit_code", 130)


@contextmanager
def progressing() -> Iterator[Progress]:
    from gpucheck.install.progress import Silent
    from gpucheck.render.install.progress import start

    if sys.stderr is None:
        yield Silent()
        return
    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    shown = start(sys.stderr, sys.stderr.isatty() and os.environ.get("TERM") != "dumb", color)
    try:
        yield shown
    finally:
        shown.close()


def confirmed(words: Words, question: str) -> bool:
    """Ask, where somebody is there to answer. False: nobody was asked. Raises `Refused` where the answer is no."""
    if words.yes or sys.stdin is None or not sys.stdin.isatty() or not at_terminal():
        return False
    try:
        answer = input(f"{question} [Y/n] ").strip().lower()
    except EOFError:  # Ctrl-D
        answer = "no"
    if answer not in ("", "y", "yes"):
        raise Refused("nothing was changed")
    return True


def page(words: Words) -> tuple[int, bool]:
    """The width and the colour of what is shown: as of a file, or as of this terminal."""
    return (80, False) if words.output else (columns(), colored())


def tell(lines: Sequence[str]) -> None:
    """On standard error, a line each."""
    for line in lines:
        complain(line)
