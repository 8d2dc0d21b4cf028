"""What follows from a log: causes, one module per subject. A new module is found by itself.

A cause is a pure function over (Log, Snapshot). Its name is the finding's: the machine rule's where one says the same
(its docstring is the documentation then), else the taxonomy's, and the function's docstring documents it. Several
functions may share a name. A question is what a message leaves open: the causes that remain, and what decides. Only
what is settled is an error.

The snapshot holds what was measured, or what the log says of its machine (gpucheck.logs.snapshot); a `need` on a gap
skips the function. `gpucheck.logs.report` makes one report of all of them and of the machine's rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

from gpucheck.facts.log import Clue, Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Evidence, Severity
from gpucheck.rules.engine import RULES, Found, Rule

Judge = Callable[[Log, Snapshot], "Iterable[Found]"]
Ask = Callable[[Log, Snapshot], "Iterable[Open]"]


class Place(IntEnum):
    """The order of reading: what is settled further up is the cause of what stands below."""

    START = 1  # cuInit's error and what else the driver says
    SONAMES = 2  # libraries that did not load
    CUDNN = 3  # the pair of versions: loaded and compiled for
    DEVICE = 4  # a GPU that is there and does not serve: memory, architecture, hardware
    INSTALLER = 5  # pip, uv, conda, docker
    TRACEBACK = 6  # an import or a program that ended
    NOTHING = 7  # nothing is wrong: what the harmless and the good lines say


class Cause(NamedTuple):
    """One function that settles a cause."""

    name: str
    severity: Severity
    explains: tuple[str, ...]
    place: Place
    judge: Judge


class Open(NamedTuple):
    """What a question yields: see `left`."""

    message: str
    evidence: tuple[Evidence, ...]
    remaining: tuple[tuple[str, str], ...]  # a cause, and how one sees that it is this one; likeliest first
    decide: str  # the one command or fact that decides


class Question(NamedTuple):
    place: Place
    ask: Ask


CAUSES: list[Cause] = []
QUESTIONS: list[Question] = []


def cause(
    name: str, place: Place, *, severity: Severity = Severity.ERROR, explains: tuple[str, ...] = ()
) -> Callable[[Judge], Judge]:
    """Register a function that yields findings (made by `gpucheck.rules.engine.found`) of this name.

    explains: names of findings that follow from this one, as in `gpucheck.rules.engine.Rule`.
    """

    def register(judge: Judge) -> Judge:
        CAUSES.append(Cause(name, severity, explains, place, judge))
        return judge

    return register


def question(place: Place) -> Callable[[Ask], Ask]:
    """Register a function that yields what the log leaves open (made by `left`).

    It is closed, and not shown, where one of its remaining causes is settled by whatever function or machine rule (that
    finding gets the question's evidence, too), or an error of its place or further up in the order of reading is.
    """

    def register(ask: Ask) -> Ask:
        QUESTIONS.append(Question(place, ask))
        return ask

    return register


def left(message: str, evidence: Iterable[tuple[str, object, str]], remaining: Mapping[str, str], decide: str) -> Open:
    """Make an open question.

    Parameters
    ----------
    message: one sentence: what the log says, and that more than one cause leads to it.
    remaining: two or three names of causes, likeliest first, each with how one sees that it is this one.
    decide: the one command or fact that decides between them, as it is typed.
    """
    made = tuple(Evidence(fact, str(value), source) for fact, value, source in evidence)
    return Open(message, made, tuple(remaining.items()), decide)


def told(clue: Clue) -> tuple[str, str, str]:
    """A clue as evidence: what it is, its line, where it stands."""
    often = f", {clue.times} times" if clue.times > 1 else ""
    return f"log.{clue.message}", clue.text, f"{clue.file}:{clue.line}{often}"


def load() -> None:
    """Import every subject, which registers its causes; then put all into the order of reading, whoever came first."""
    from importlib import import_module
    from pkgutil import iter_modules

    for name in sorted(module.name for module in iter_modules(__path__)):
        import_module(f"{__name__}.{name}")
    CAUSES.sort(key=lambda one: (one.place, one.judge.__module__))
    QUESTIONS.sort(key=lambda one: (one.place, one.ask.__module__))


def documented() -> dict[str, Rule]:
    """What only a log can show, as rules, for lists and pages: their first function's docstring documents them."""
    from gpucheck.rules import load as load_rules

    load()
    load_rules()
    found: dict[str, Rule] = {}
    for one in CAUSES:
        if one.name not in RULES and one.name not in found:
            found[one.name] = Rule(one.name, one.severity, False, one.explains, one.judge.__doc__ or "", lambda _: ())
    return found


def findings_of(log: Log, snapshot: Snapshot) -> Iterator[tuple[Cause, Found]]:
    """What the causes say, in the order of reading. One that asks for an unknown fact says nothing."""
    from gpucheck.facts.gap import Unknown

    load()
    for one in CAUSES:
        try:
            yield from [(one, each) for each in one.judge(log, snapshot)]
        except Unknown:
            continue


def questions_of(log: Log, snapshot: Snapshot) -> Iterator[tuple[Place, Open]]:
    """What the log leaves open, in the order of reading."""
    from gpucheck.facts.gap import Unknown

    load()
    for one in QUESTIONS:
        try:
            yield from [(one.place, each) for each in one.ask(log, snapshot)]
        except Unknown:
            continue
