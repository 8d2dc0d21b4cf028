"""The commands as typer sees them: options, their help, and nothing of what they do (commands.py)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Optional

import typer

from gpucheck import arguments, commands
from gpucheck.output import write

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
    snapshots, ignored = arguments.sorted_out(context.args, snapshot or [], ignore or [])
    code = commands.doctor(python, format.value, output, deep, verbose, snapshots, timeout, ignored, strict, list_rules)
    raise typer.Exit(code)


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
    raise typer.Exit(commands.snapshot(output, python, raw, timeout, deep))


@app.command()
def explain(name: Annotated[str, typer.Argument(metavar="NAME", help="A finding's name.")]) -> None:
    """Show what a finding means, why it matters and how to fix it."""
    raise typer.Exit(commands.explain(name))
