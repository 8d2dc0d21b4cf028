"""What `gpucheck diff` does, once its words are understood: read, look, compare, write. No option is declared here.

Exit code: 0 no new error, 1 a new one, 3 could not tell; see Difference.exit_code.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck import __version__, api
from gpucheck.commands import arguments
from gpucheck.commands.doctor import facts_of
from gpucheck.output import WrongUsage, check_place, colored, columns, write

HERE = "this machine"


class Words(NamedTuple):
    """What was asked for. now None: this machine is looked at, and python, deep, timeout are as for doctor."""

    before: str
    now: Union[str, None] = None
    python: Union[str, None] = None
    deep: bool = False
    timeout: Union[float, None] = None
    format: str = "terminal"
    output: Union[str, None] = None
    strict: bool = False
    any_change: bool = False
    verbose: bool = False


def diff(words: Words) -> int:
    """Tell what changed between two snapshots, and which change explains the new findings."""
    from gpucheck.differing.compare import difference
    from gpucheck.render.diff.words import Asked

    limit = arguments.seconds(words.timeout, words.deep)
    if words.now is not None and (words.python is not None or words.deep or words.timeout is not None):
        raise WrongUsage("--python, --deep and --timeout look at this machine: not together with a second file")
    if words.output is not None:
        check_place(words.output)
    before = facts_of(words.before)
    if words.now is None:
        now = api.look_here(arguments.interpreter(words.python), words.deep, limit)
    else:
        now = facts_of(words.now)
    told = difference(before, now, (words.before, words.now or HERE), __version__)
    width, color = (80, False) if words.output or words.format != "terminal" else (columns(), colored())
    asked = Asked(words.strict, words.any_change, words.verbose, width, color)
    module = __import__(f"gpucheck.render.diff.{words.format}", fromlist=["render"])
    write(module.render(told, asked), words.output)
    return told.exit_code(words.strict, words.any_change)
