"""What `gpucheck fleet` does, once its words are understood: gather nodes, judge all of them, write. No option is here.

Exit code: as `doctor`'s, the worst of all: 1 an error was found, 3 a node could not be judged, 0 fine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Union

from gpucheck import __version__
from gpucheck.output import WrongUsage, check_place, colored, columns, write

if TYPE_CHECKING:
    from gpucheck.expecting.expectations import Expectations
    from gpucheck.fleet.collecting import Answer
    from gpucheck.fleet.nodes import Fleet, Node


class Words(NamedTuple):
    """What was asked for. dask, ssh, slurm: whom to ask; python, deep, timeout: as for doctor, on each of them.
    bench: seconds to measure their GPUs for; None: not at all. expect: a file that says what each of them must have.
    """

    files: tuple[str, ...] = ()
    dask: Union[str, None] = None
    ssh: Union[str, None] = None
    slurm: Union[str, None] = None
    python: Union[str, None] = None
    deep: bool = False
    timeout: float = 60.0
    every_worker: bool = False
    save: Union[str, None] = None
    format: str = "terminal"
    output: Union[str, None] = None
    ignore: tuple[str, ...] = ()
    strict: bool = False
    verbose: bool = False
    bench: Union[float, None] = None
    expect: Union[str, None] = None


def fleet(words: Words) -> int:
    """Tell what is wrong on many machines, and what differs between them."""
    from gpucheck.fleet.grouping import fleet as grouped

    _check(words)
    wishes = _expected(words.expect)
    if wishes is not None:
        ignore = (*words.ignore, *wishes.ignore)
        words = words._replace(ignore=tuple(dict.fromkeys(ignore)), strict=words.strict or wishes.strict)
    told = grouped(_nodes(words, wishes), __version__, words.ignore)
    write(rendered(told, words), words.output)
    return told.exit_code(words.strict)


def _expected(file: Union[str, None]) -> Union[Expectations, None]:
    """Of the file alone: a project's pyproject.toml is about the machine that it lies on."""
    from gpucheck.commands import expected

    return None if file is None else expected.of_file(file)


def _check(words: Words) -> None:
    asked = [name for name in ("dask", "ssh", "slurm") if getattr(words, name) is not None]
    if len(asked) > 1:
        raise WrongUsage(f"--{asked[0]} and --{asked[1]}: one way to collect at a time")
    if not asked and not words.files:
        raise WrongUsage("give snapshots or a folder of them, or whom to ask: --dask, --ssh or --slurm")
    if not asked:
        _check_files_alone(words)
    if words.output is not None:
        check_place(words.output)
    _check_names(words.ignore)


def _check_files_alone(words: Words) -> None:
    given = {
        "--python": words.python,
        "--save": words.save,
        "--bench": words.bench,
        "--deep": words.deep or None,
        "--every-worker": words.every_worker or None,
    }
    for name, value in given.items():
        if value is not None:
            raise WrongUsage(f"{name} is for machines that are asked: with --dask, --ssh or --slurm")


def _check_names(ignore: Iterable[str]) -> None:
    from gpucheck.fleet.rules import engine
    from gpucheck.render import rules

    engine.load()
    for name in ignore:
        if name not in engine.RULES and name not in rules.names():
            raise WrongUsage(
                f"--ignore: no rule is called {name}; gpucheck doctor --list-rules and docs/fleets.md list all"
            )


def _nodes(words: Words, wishes: Union[Expectations, None]) -> Iterator[Node]:
    if words.files:
        yield from _from_files(words.files, words.ignore, wishes)
    if words.dask is not None or words.ssh is not None or words.slurm is not None:
        yield from _from_answers(words, wishes)


def _from_files(files: Sequence[str], ignore: Sequence[str], wishes: Union[Expectations, None]) -> Iterator[Node]:
    from gpucheck.fleet import processes, reading

    try:
        found = reading.sources(files)
    except OSError as error:
        raise WrongUsage(f"{error.filename or files[0]}: {error.strerror or error}") from error
    if not found:
        raise WrongUsage(f"no .json file in {', '.join(files)}")
    yield from processes.judge_sources(found, ignore, wishes)


def _from_answers(words: Words, wishes: Union[Expectations, None]) -> Iterator[Node]:
    from gpucheck.fleet import collecting

    taken: set[str] = set()
    for answer in collecting.collect(
        collecting.Question(words.python, words.deep, words.timeout, words.bench),
        dask=words.dask,
        ssh=words.ssh,
        slurm=words.slurm,
        every_worker=words.every_worker,
    ):
        if words.save is not None:
            _keep(words.save, answer, taken)
        yield collecting.judged(answer, words.ignore, wishes)


def _keep(folder: str, answer: Answer, taken: set[str]) -> None:
    """An answer as a file, to be judged again or compared with later. Its name is the node's, made harmless."""
    import os

    from gpucheck.fleet.reading import file_name

    if answer.text is None:
        return
    os.makedirs(folder, exist_ok=True)
    name = plain = file_name(answer.node)
    number = 1
    while name.lower() in taken:  # a/1 and a_1
        number += 1
        name = f"{plain}-{number}"
    taken.add(name.lower())
    write(answer.text, os.path.join(folder, f"{name}.json"))
    if answer.bench is not None:
        write(answer.bench, os.path.join(folder, f"{name}.bench.json"))


def rendered(told: Fleet, words: Words) -> str:
    """In the format asked for."""
    from importlib import import_module

    if words.format == "terminal":
        from gpucheck.render.fleet import terminal

        width, color = (80, False) if words.output else (columns(), colored())
        return terminal.render(told, width, color, words.verbose)
    made = import_module(f"gpucheck.render.fleet.{words.format}").render(told, words.strict)
    assert isinstance(made, str)
    return made
