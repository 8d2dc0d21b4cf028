"""The command: understand the words, call, exit.

A plain ``gpucheck doctor --option …`` is understood here, because importing typer costs a third of doctor's start-up
budget (60 ms of CPU where an empty Python takes 12). Whatever is not plain (help, mistakes, other commands) is typer's,
so nothing is ever refused or explained here.
"""

from __future__ import annotations

import io
import os
import sys


def _own_modules_first() -> None:
    """PYTHONPATH and the current folder belong to what is examined: a json.py there must not become ours.

    They go to the end of sys.path, not away, because our own requirements may lie on them.
    """
    theirs = {"", *os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    try:  # noqa: SIM105 (contextlib may be theirs)
        theirs |= {os.path.abspath(one) for one in theirs}
    except OSError:  # the current folder was removed
        pass
    sys.path.sort(key=lambda folder: folder in theirs)


_own_modules_first()

from typing import Any, NoReturn, Union  # noqa: E402

from gpucheck.output import WrongUsage, complain, leave  # noqa: E402

FORMATS = ("terminal", "json", "markdown", "junit", "sarif", "github", "prometheus", "html")
_VALUES = {"--python", "--format", "--output", "--timeout", "--simulate", "--expect"}
_FLAGS = {"--deep", "--verbose", "--strict"}


def plain(words: list[str]) -> Union[dict[str, Any], None]:
    """The fields of `commands.doctor.Words` in a command line of it, or None: typer's."""
    if words[:1] != ["doctor"]:
        return None
    given: dict[str, Any] = {}
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        key = name[2:]
        if key in given:
            return None
        if word in _FLAGS:
            given[key] = True
        elif name in _VALUES:
            given[key] = value if equals else next(rest, "-")
            if given[key].startswith("-"):
                return None
        else:
            return None
    if given.get("format", FORMATS[0]) not in FORMATS:
        return None
    if "timeout" in given:
        try:
            given["timeout"] = float(given["timeout"])
        except ValueError:
            return None
    return given


def _run(words: list[str]) -> int:
    given = plain(words)
    if given is not None:
        from gpucheck.commands.doctor import Words, doctor

        return doctor(Words(**given))
    _print_what_can_be_printed()
    from gpucheck.options import app

    app(prog_name="gpucheck")
    return 0


def _print_what_can_be_printed() -> None:
    """typer's own words in an output that is not UTF-8 (a pipe on Windows): a help page must not fail for a sign."""
    import codecs

    from gpucheck.render.text import ascii_only

    def replaced(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        return ascii_only(error.object[error.start : error.end]), error.end

    codecs.register_error("gpucheck", replaced)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="gpucheck")


def _stopped(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """The command. Never returns: a thread that hangs must not keep the process."""
    import gc
    import signal

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _stopped)  # as an exception, so that no child is left behind
    gc.disable()  # a short life: collecting takes a twentieth of it and frees nothing that matters
    untold = ""  # why there is no answer
    try:
        code = _run(sys.argv[1:])
    except SystemExit as end:
        # A reader who left while --help was written comes out of typer as 1, which is a verdict here.
        gone = isinstance(end.__context__, BrokenPipeError)
        code = 0 if gone else end.code if isinstance(end.code, int) else 2 if end.code else 0
        wrong = getattr(end.__context__, "format_message", None)  # of what typer refuses
        untold = wrong() if wrong else f"ended by signal {code - 128}" if code > 128 else ""
    except KeyboardInterrupt as stop:
        code = getattr(stop, "exit_code", 130)
        untold = "interrupted"
    except WrongUsage as error:
        complain(str(error))
        code, untold = 2, str(error)
    except Exception as error:  # ours, and no help to a user as a traceback
        if os.environ.get("GPUCHECK_TRACEBACK"):
            raise
        untold = f"a fault of gpucheck: {type(error).__name__}: {error}"
        complain(f"{untold} (GPUCHECK_TRACEBACK=1 shows more)")
        code = 3
    if untold and _is_plugin(sys.argv[1:]):
        from gpucheck.commands.smoke import unknown

        code = unknown(untold)
    leave(code)


def _is_plugin(words: list[str]) -> bool:
    """Is it called by Nagios, for which whatever goes wrong is UNKNOWN, on standard output?"""
    said = " ".join(words).replace("=", " ")
    return words[:1] == ["smoke"] and "--exit-codes nagios" in said
