"""What each command does, once its words are understood. No option is declared here: see options.py.

Every function gives the exit code: 0 fine, 1 an error was found (with `strict` a warning, too), 3 could not tell; 2,
wrong usage, is raised as `WrongUsage`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from gpucheck import arguments
from gpucheck.output import WrongUsage, at_terminal, check_place, colored, columns, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpucheck.api import Report
    from gpucheck.expecting.expectations import Expectations
    from gpucheck.facts.bench import Result
    from gpucheck.facts.snapshot import Snapshot


def doctor(
    python: Optional[str] = None,
    format: str = "terminal",
    output: Optional[str] = None,
    deep: bool = False,
    verbose: bool = False,
    snapshot: Sequence[str] = (),
    timeout: Optional[float] = None,
    ignore: Sequence[str] = (),
    strict: bool = False,
    list_rules: bool = False,
    log: Sequence[str] = (),
    here: bool = False,
    fix_paths: bool = False,
    yes: bool = False,
    undo: bool = False,
    simulate: Optional[str] = None,
    expect: Optional[str] = None,
    bench: Optional[str] = None,
    dockerfile: Sequence[str] = (),
) -> int:
    """Tell what this machine has, what is wrong, and how to fix it."""
    if fix_paths or yes or undo:
        from gpucheck import pathing

        arguments.only_with(fix_paths, "--fix-paths", {"--yes": yes, "--undo": undo})
        others = {"--snapshot": bool(snapshot), "--deep": deep, "--list-rules": list_rules, "--ignore": bool(ignore)}
        others |= {"--output": output is not None, "--format": format != "terminal", "--strict": strict}
        others |= {
            "--log": bool(log),
            "--here": here,
            "--simulate": simulate is not None,
            "--expect": expect is not None,
            "--bench": bench is not None,
            "--dockerfile": bool(dockerfile),
        }
        arguments.not_with("--fix-paths", others)
        return pathing.undo(yes) if undo else pathing.fix(python, timeout, yes)
    if output is not None:
        check_place(output)
    if list_rules:
        from gpucheck.render import rules

        _check_documented()
        if format not in rules.LISTINGS:
            raise WrongUsage(f"--list-rules comes as {', '.join(rules.LISTINGS)}: {format} is for what was found")
        write(rules.listing(format), output)
        return 0
    if bench is not None and format != "html":
        raise WrongUsage("--bench FILE shows a saved result on the page: with --format html")
    if dockerfile:
        from gpucheck import containing

        others = {"--python": python is not None, "--deep": deep, "--log": bool(log), "--bench": bench is not None}
        others |= {"--simulate": simulate is not None, "--expect": expect is not None}
        containing.check(dockerfile, others, here, snapshot)
        host = _host(here, snapshot, arguments.seconds(timeout, False))
        built = containing.reports(dockerfile, host, ignore)
        return _told(built, format, strict, verbose, output)
    if snapshot and (python is not None or deep):
        raise WrongUsage("--python and --deep look at this machine: not together with --snapshot")
    if simulate is not None:
        arguments.check_simulate(simulate, python, {"--deep": deep, "--snapshot": bool(snapshot), "--log": bool(log)})
    if here or log:
        arguments.check_log(log, here, snapshot, python is not None or deep)
    if log and expect is not None and not (here or snapshot):
        raise WrongUsage("--expect: a log alone does not tell what a machine has; with --here or --snapshot it may")
    timed = _timed(bench)
    wishes = _expected(expect, here or not (snapshot or log or simulate is not None))
    limit = arguments.seconds(wishes.timeout if wishes and timeout is None else timeout, deep)
    if wishes:
        ignore, strict = (*ignore, *wishes.ignore), strict or wishes.strict
    reports = _judged(log, here, snapshot, arguments.interpreter(python), deep, limit, ignore, simulate)
    if wishes:
        from gpucheck.expecting.judging import judge

        reports = [(file, judge(report, wishes, ignore)) for file, report in reports]
    return _told(reports, format, strict, verbose, output, timed)


def _told(
    reports: list[tuple[str, Report]],
    format: str,
    strict: bool,
    verbose: bool,
    output: Optional[str],
    timed: Optional[Result] = None,
) -> int:
    from gpucheck.render.json import worst

    write(_rendered(reports, format, strict, verbose, output, timed), output)
    if format == "github":
        _summarize(reports, strict, verbose)
    return worst([report.exit_code(strict) for _, report in reports])


def _host(here: bool, snapshots: Sequence[str], limit: float) -> Optional[Snapshot]:
    """The machine that container files are judged for, where one is given."""
    from gpucheck import api

    return _facts(snapshots[0]) if snapshots else api.look_here(None, False, limit) if here else None


def snapshot(
    output: Optional[str] = None,
    python: Optional[str] = None,
    raw: bool = False,
    timeout: Optional[float] = None,
    deep: bool = False,
) -> int:
    """Write the facts alone, as JSON, to be diagnosed elsewhere."""
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
    return 0


def explain(words: str) -> int:
    """Show what a finding means, why it matters and how to fix it; or what a line of a log says."""
    from gpucheck.render import rules

    _check_documented()
    rule = rules.find(words)
    if rule is not None:
        write(rules.pretty(rule, columns(), colored()) if at_terminal() else rules.document(rule), None)
        return 0
    from gpucheck import api
    from gpucheck.logs.codes import codes_in

    log = api.log_of(words)
    codes = codes_in(words, log)
    if log.clues or codes:
        from gpucheck.render import explained

        write(explained.render(api.judge_logs(log), codes, columns(), colored()), None)
        return 0
    if len(words.split()) > 1:
        write("gpucheck knows no line like this one.\n", None)
        return 3
    if os.path.isfile(words):
        raise WrongUsage(f"{words} is a file: gpucheck doctor --log FILE reads one, explain takes a line")
    like = rules.alike(words)
    hint = f"; did you mean {' or '.join(like)}?" if like else "; gpucheck doctor --list-rules lists all"
    raise WrongUsage(f"no rule is called {words}{hint}")


def _expected(file: Optional[str], project: bool) -> Optional[Expectations]:
    """project: this machine is looked at, for the project whose folder one stands in."""
    from gpucheck import expected

    if file is not None:
        return expected.of_file(file)
    return expected.of_project() if project else None


def _check_documented() -> None:
    import sys

    if sys.flags.optimize >= 2:
        raise WrongUsage("this Python runs with -OO (PYTHONOPTIMIZE=2), which leaves out what rules say of themselves")


def _judged(
    logs: Sequence[str],
    here: bool,
    files: Sequence[str],
    python: Optional[str],
    deep: bool,
    limit: float,
    ignored: Sequence[str],
    simulate: Optional[str],
) -> list[tuple[str, Report]]:
    from gpucheck import api

    if simulate is not None:
        return [("", api.rehearse(simulate, ignored))]
    if not logs:
        if not files:
            return [("", api.judge(api.look_here(python, deep, limit), ignored))]
        return [(file, api.judge(_facts(file), ignored)) for file in files]
    try:
        log = api.read_logs(logs)
    except api.BadFile as error:
        raise WrongUsage(str(error)) from error
    if files:
        return [(file, api.judge_logs(log, _facts(file), ignored)) for file in files]
    return [("", api.judge_logs(log, api.look_here(python, deep, limit) if here else None, ignored))]


def _facts(file: str) -> Snapshot:
    from gpucheck import api

    try:
        return api.read_file(file)
    except api.BadFile as error:
        raise WrongUsage(f"{file}: {error}") from error


def _timed(file: Optional[str]) -> Optional[Result]:
    """The result that `gpucheck bench --save` wrote there."""
    if file is None:
        return None
    from gpucheck import benching

    return benching.read(file)


def _rendered(
    reports: list[tuple[str, Report]],
    format: str,
    strict: bool,
    verbose: bool,
    output: Optional[str],
    bench: Optional[Result],
) -> str:
    from gpucheck.render.formats import Asked, tell

    width, color = (80, False) if output or format != "terminal" else (columns(), colored())
    return tell(format, reports, Asked(strict, verbose, width, color, bench))


def _summarize(reports: list[tuple[str, Report]], strict: bool, verbose: bool) -> None:
    """Add to the summary of GitHub's step. That it cannot be written changes no verdict."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from gpucheck.output import append, complain
    from gpucheck.render import github
    from gpucheck.render.formats import Asked

    try:
        append(path, lambda size: github.summary(reports, Asked(strict, verbose), github.MOST_SUMMARY - size))
    except (OSError, ValueError) as error:
        complain(f"GITHUB_STEP_SUMMARY: cannot write to {path}: {getattr(error, 'strerror', None) or error}")
