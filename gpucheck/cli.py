"""The commands: parse, call, print, exit. What a command needs is imported inside it, so that --help is quick.

Exit codes, the same in every format: 0 fine, 1 an error was found (with --strict a warning, too), 2 wrong usage,
3 could not tell.
"""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

if TYPE_CHECKING:
    from gpucheck.api import Report

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Does TensorFlow use the GPU here, and if not, what is the cause and the fix?",
    epilog="Exit codes: 0 fine, 1 an error was found, 2 wrong usage, 3 could not tell.",
)


class Format(str, Enum):
    """Formats of `doctor`."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


Python = Annotated[
    Optional[str],
    typer.Option(metavar="PATH", help="The Python to examine: default the active environment's, else python3 on PATH."),
]
Output = Annotated[Optional[str], typer.Option(metavar="FILE", help="Write there instead of to standard output.")]
Deep = Annotated[bool, typer.Option("--deep", help="Import TensorFlow in a child and compute on each GPU.")]
Timeout = Annotated[
    Optional[float],
    typer.Option(metavar="SECONDS", help="Time for everything together: default 10, with --deep 120."),
]


@app.callback(invoke_without_command=True)
def gpucheck(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        from gpucheck import __version__

        _deliver(f"gpucheck {__version__}\n", None)
        raise typer.Exit(0)


# Extra arguments are the second and later values of `--snapshot FILE ...` and `--ignore NAME ...`.
@app.command(context_settings={"allow_extra_args": True})
def doctor(
    context: typer.Context,
    python: Python = None,
    format: Annotated[Format, typer.Option(help="How to tell it.")] = Format.TERMINAL,
    output: Output = None,
    deep: Deep = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every copy, reading, probe and rule.")] = False,
    snapshot: Annotated[
        Optional[list[str]],
        typer.Option(metavar="FILE ...", help="Judge snapshots or recorded machines instead of this machine."),
    ] = None,
    timeout: Timeout = None,
    ignore: Annotated[Optional[list[str]], typer.Option(metavar="NAME ...", help="Leave these rules out.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A warning makes the exit code 1, too.")] = False,
    list_rules: Annotated[bool, typer.Option("--list-rules", help="List the rules and exit.")] = False,
) -> None:
    """Tell what this machine has, what is wrong, and how to fix it."""
    seconds = _seconds(timeout, deep)
    _check_output(output)
    snapshots, ignored = _sorted_out(context.args, snapshot or [], ignore or [])
    if list_rules:
        from gpucheck.render import rules

        raise typer.Exit(_deliver(rules.listing(format.value), output))
    if snapshots and (python is not None or deep):
        raise _wrong("--python and --deep look at this machine: not together with --snapshot")
    reports = _judged(snapshots, _interpreter(python), deep, seconds, ignored)
    _deliver(_rendered(reports, format, strict, verbose, output), output)
    raise typer.Exit(_worst([report.exit_code(strict) for _, report in reports]))


@app.command()
def snapshot(
    output: Output = None,
    python: Python = None,
    raw: Annotated[bool, typer.Option("--raw", help="Record the machine's answers, to be replayed elsewhere.")] = False,
    timeout: Timeout = None,
    deep: Deep = False,
) -> None:
    """Write the facts alone, as JSON, to be diagnosed elsewhere.

    Elsewhere: gpucheck doctor --snapshot FILE
    """
    from gpucheck import api
    from gpucheck.render import json

    seconds = _seconds(timeout, deep)
    _check_output(output)
    interpreter = _interpreter(python)
    if raw:
        text = json.render_machine(api.record_here(interpreter, deep, seconds))
    else:
        text = json.render_snapshot(api.look_here(interpreter, deep, seconds))
    raise typer.Exit(_deliver(text, output))


@app.command()
def explain(name: Annotated[str, typer.Argument(metavar="NAME", help="A finding's name.")]) -> None:
    """Show what a finding means, why it matters and how to fix it."""
    from gpucheck import output as out
    from gpucheck.render import rules

    rule = rules.find(name)
    if rule is None:
        like = rules.alike(name)
        hint = f"; did you mean {' or '.join(like)}?" if like else "; gpucheck doctor --list-rules lists all"
        raise _wrong(f"no rule is called {name}{hint}")
    if out.at_terminal():
        raise typer.Exit(_deliver(rules.pretty(rule, out.columns(), out.colored()), None))
    raise typer.Exit(_deliver(rules.document(rule), None))


def _seconds(timeout: Optional[float], deep: bool) -> float:
    if timeout is None:
        return 120.0 if deep else 10.0
    if not 0.1 <= timeout <= 86400:
        raise _wrong("--timeout takes seconds, 0.1 to 86400")
    return timeout


def _check_output(output: Optional[str]) -> None:
    if output is not None:
        from gpucheck.output import Unwritable, check_place

        try:
            check_place(output)
        except (Unwritable, OSError, ValueError) as error:
            raise _wrong(str(error)) from error


def _interpreter(python: Optional[str]) -> Optional[str]:
    """The path given, made absolute. A name alone is looked up on PATH by the probe; a folder is an environment."""
    if python is None:
        return None
    from gpucheck.probes.waiting import at_most

    # On a disk that does not answer, the probe (which has a deadline) tells what is wrong with it.
    found = at_most(0.2, "looking for --python", _find_interpreter, python)
    if found is None:
        raise _wrong(f"--python: no Python to run at {python}")
    return found if isinstance(found, str) else os.path.abspath(python)


def _find_interpreter(python: str) -> Optional[str]:
    import shutil

    path = os.path.abspath(python)
    if python and (os.path.isdir(path) or os.access(path, os.X_OK)):
        return path
    return python if os.sep not in python and shutil.which(python) else None


def _sorted_out(extra: list[str], snapshots: list[str], ignored: list[str]) -> tuple[list[str], list[str]]:
    """``--snapshot A B --ignore C D``: give what follows an option's first value to the option that it belongs to."""
    names: frozenset[str] = frozenset()
    if ignored:
        from gpucheck.render import rules

        names = rules.names()
    files = list(snapshots)
    for one in extra:
        if ignored and one in names:
            ignored.append(one)
        elif snapshots:
            files.append(one)
        else:
            raise _wrong(f"unexpected argument {one}")
    for one in ignored:
        if one not in names:
            raise _wrong(f"--ignore: no rule is called {one}; gpucheck doctor --list-rules lists all")
    return files, ignored


def _judged(
    files: list[str], python: Optional[str], deep: bool, seconds: float, ignored: list[str]
) -> list[tuple[str, Report]]:
    from gpucheck import api

    if not files:
        return [("", api.judge(api.look_here(python, deep, seconds), ignored))]
    reports = []
    for file in files:
        try:
            reports.append((file, api.judge(api.read_file(file), ignored)))
        except api.BadFile as error:
            raise _wrong(f"{file}: {error}") from error
    return reports


def _rendered(
    reports: list[tuple[str, Report]], format: Format, strict: bool, verbose: bool, output: Optional[str]
) -> str:
    from gpucheck import output as out

    if format is Format.JSON:
        from gpucheck.render import json

        return json.render(reports[0][1], strict) if len(reports) == 1 else json.render_several(reports, strict)
    if format is Format.MARKDOWN:
        from gpucheck.render import markdown

        pages = [markdown.render(report, verbose) for _, report in reports]
        titles = [f"# {markdown.code(file)}\n\n" for file, _ in reports]
    else:
        from gpucheck.render import terminal
        from gpucheck.render.text import plain

        width, color = (80, False) if output else (out.columns(), out.colored())
        pages = [terminal.render(report, width, color, verbose) for _, report in reports]
        titles = [f"== {plain(file)}\n\n" for file, _ in reports]
    return pages[0] if len(pages) == 1 else "\n".join(title + page for title, page in zip(titles, pages, strict=True))


def _worst(codes: list[int]) -> int:
    return 1 if 1 in codes else max(codes)


def _deliver(text: str, output: Optional[str]) -> int:
    from gpucheck.output import Unwritable, write

    try:
        write(text, output)
    except Unwritable as error:
        raise _wrong(str(error)) from error
    return 0


def _wrong(message: str) -> typer.Exit:
    """Wrong usage: said in one line; to be raised."""
    from contextlib import suppress

    from gpucheck.render.text import ascii_only, plain

    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(ascii_only(f"gpucheck: {plain(message)}"), file=sys.stderr)
    return typer.Exit(2)


def main() -> NoReturn:
    """The command. Never returns: a thread that hangs must not keep the process."""
    import gc

    from gpucheck.output import leave

    gc.disable()  # a short life: collecting takes a twentieth of it and frees nothing that matters
    try:
        app(prog_name="gpucheck")
        code = 0
    except SystemExit as end:
        # A reader who left while --help was written comes out of typer as 1, which is a verdict here.
        gone = isinstance(end.__context__, BrokenPipeError)
        code = 0 if gone else end.code if isinstance(end.code, int) else 2 if end.code else 0
    except KeyboardInterrupt:
        code = 130
    leave(code)
