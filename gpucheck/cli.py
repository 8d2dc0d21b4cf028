"""The commands: parse, call, print, exit. What a command needs is imported inside it, so that --help is quick.

Exit codes, the same in every format: 0 fine, 1 an error was found (with --strict a warning, too), 2 wrong usage,
3 could not tell.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from gpucheck import arguments
from gpucheck.output import WrongUsage, at_terminal, check_place, colored, columns, complain, leave, write

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

        write(f"gpucheck {__version__}\n", None)
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
    from gpucheck.render.json import worst

    limit = arguments.seconds(timeout, deep)
    if output is not None:
        check_place(output)
    snapshots, ignored = arguments.sorted_out(context.args, snapshot or [], ignore or [])
    if list_rules:
        from gpucheck.render import rules

        write(rules.listing(format.value), output)
        return
    if snapshots and (python is not None or deep):
        raise WrongUsage("--python and --deep look at this machine: not together with --snapshot")
    reports = _judged(snapshots, arguments.interpreter(python), deep, limit, ignored)
    write(_rendered(reports, format, strict, verbose, output), output)
    raise typer.Exit(worst([report.exit_code(strict) for _, report in reports]))


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

    limit = arguments.seconds(timeout, deep)
    if output is not None:
        check_place(output)
    chosen = arguments.interpreter(python)
    if raw:
        text = json.render_machine(api.record_here(chosen, deep, limit))
    else:
        text = json.render_snapshot(api.look_here(chosen, deep, limit))
    write(text, output)


@app.command()
def explain(name: Annotated[str, typer.Argument(metavar="NAME", help="A finding's name.")]) -> None:
    """Show what a finding means, why it matters and how to fix it."""
    from gpucheck.render import rules

    rule = rules.find(name)
    if rule is None:
        like = rules.alike(name)
        hint = f"; did you mean {' or '.join(like)}?" if like else "; gpucheck doctor --list-rules lists all"
        raise WrongUsage(f"no rule is called {name}{hint}")
    write(rules.pretty(rule, columns(), colored()) if at_terminal() else rules.document(rule), None)


def _judged(
    files: list[str], python: Optional[str], deep: bool, limit: float, ignored: list[str]
) -> list[tuple[str, Report]]:
    from gpucheck import api

    if not files:
        return [("", api.judge(api.look_here(python, deep, limit), ignored))]
    reports = []
    for file in files:
        try:
            reports.append((file, api.judge(api.read_file(file), ignored)))
        except api.BadFile as error:
            raise WrongUsage(f"{file}: {error}") from error
    return reports


def _rendered(
    reports: list[tuple[str, Report]], format: Format, strict: bool, verbose: bool, output: Optional[str]
) -> str:
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

        width, color = (80, False) if output else (columns(), colored())
        pages = [terminal.render(report, width, color, verbose) for _, report in reports]
        titles = [f"== {plain(file)}\n\n" for file, _ in reports]
    return pages[0] if len(pages) == 1 else "\n".join(title + page for title, page in zip(titles, pages, strict=True))


def _stopped(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """The command. Never returns: a thread that hangs must not keep the process."""
    import gc
    import signal

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _stopped)  # as an exception, so that no child is left behind
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
    except WrongUsage as error:
        complain(str(error))
        code = 2
    except Exception as error:  # ours, and no help to a user as a traceback
        if os.environ.get("GPUCHECK_TRACEBACK"):
            raise
        complain(f"a fault of gpucheck: {type(error).__name__}: {error} (GPUCHECK_TRACEBACK=1 shows more)")
        code = 3
    leave(code)
