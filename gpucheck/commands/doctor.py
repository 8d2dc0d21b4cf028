"""What `gpucheck doctor` does, once its words are understood: look or read, judge, tell. No option is declared here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Union

from gpucheck.commands import arguments
from gpucheck.output import WrongUsage, check_place, colored, columns, write

if TYPE_CHECKING:
    from gpucheck.api import Report
    from gpucheck.expecting.expectations import Expectations
    from gpucheck.facts.bench import Result
    from gpucheck.facts.snapshot import Snapshot
    from gpucheck.render.formats import Asked


class Words(NamedTuple):
    """What was asked for: the options by their names, those of several values as sequences."""

    python: Union[str, None] = None
    format: str = "terminal"
    output: Union[str, None] = None
    deep: bool = False
    verbose: bool = False
    snapshot: Sequence[str] = ()
    timeout: Union[float, None] = None
    ignore: Sequence[str] = ()
    strict: bool = False
    list_rules: bool = False
    log: Sequence[str] = ()
    here: bool = False
    fix_paths: bool = False
    yes: bool = False
    undo: bool = False
    simulate: Union[str, None] = None
    expect: Union[str, None] = None
    bench: Union[str, None] = None
    dockerfile: Sequence[str] = ()

    def given(self, *names: str) -> dict[str, bool]:
        """Option -> was it given? For those that mean nothing beside another one."""
        plain = Words()
        return {
            f"--{name.replace('_', '-')}": (getattr(self, name) or None) != (getattr(plain, name) or None)
            for name in names
        }


def doctor(words: Words) -> int:
    """Tell what this machine has, what is wrong, and how to fix it."""
    if words.fix_paths or words.yes or words.undo:
        return _fix_paths(words)
    if words.output is not None:
        check_place(words.output)
    if words.list_rules:
        from gpucheck.commands import explain

        return explain.list_rules(words.format, words.output)
    if words.bench is not None and words.format != "html":
        raise WrongUsage("--bench FILE shows a saved result on the page: with --format html")
    return _told(_of_container_files(words) if words.dockerfile else _of_machines(words), words)


def _fix_paths(words: Words) -> int:
    from gpucheck.commands import fix_paths

    arguments.only_with(words.fix_paths, "--fix-paths", {"--yes": words.yes, "--undo": words.undo})
    others = ("snapshot", "deep", "list_rules", "ignore", "output", "format", "strict", "log", "here", "simulate")
    arguments.not_with("--fix-paths", words.given(*others, "expect", "bench", "dockerfile"))
    return fix_paths.undo(words.yes) if words.undo else fix_paths.fix(words.python, words.timeout, words.yes)


class _Told(NamedTuple):
    """What is to be told: each report with the file that its facts are from, and a result of `gpucheck bench`."""

    reports: list[tuple[str, Report]]
    strict: bool
    bench: Union[Result, None] = None


def _of_container_files(words: Words) -> _Told:
    from gpucheck.commands import container_files

    others = words.given("python", "deep", "log", "bench", "simulate", "expect")
    container_files.check(words.dockerfile, others, words.here, words.snapshot)
    host = _host(words, arguments.seconds(words.timeout, False))
    return _Told(container_files.reports(words.dockerfile, host, words.ignore), words.strict)


def _host(words: Words, limit: float) -> Union[Snapshot, None]:
    """The machine that container files are judged for, where one is given."""
    from gpucheck import api

    if words.snapshot:
        return facts_of(words.snapshot[0])
    return api.look_here(None, False, limit) if words.here else None


def _of_machines(words: Words) -> _Told:
    """Of this machine, of files that hold one, of a recorded one, or of logs."""
    _check(words)
    wishes = _expected(words)
    limit = arguments.seconds(wishes.timeout if wishes and words.timeout is None else words.timeout, words.deep)
    bench = _timed(words.bench)
    if wishes is None:
        return _Told(_judged(words, arguments.interpreter(words.python), limit), words.strict, bench)
    from gpucheck.expecting.judging import judge

    wished = words._replace(ignore=(*words.ignore, *wishes.ignore), strict=words.strict or wishes.strict)
    reports = _judged(wished, arguments.interpreter(words.python), limit)
    return _Told([(file, judge(report, wishes, wished.ignore)) for file, report in reports], wished.strict, bench)


def _check(words: Words) -> None:
    looks = words.python is not None or words.deep
    if words.snapshot and looks:
        raise WrongUsage("--python and --deep look at this machine: not together with --snapshot")
    if words.simulate is not None:
        arguments.check_simulate(words.simulate, words.python, words.given("deep", "snapshot", "log"))
    if words.here or words.log:
        arguments.check_log(words.log, words.here, words.snapshot, looks)
    if words.log and words.expect is not None and not (words.here or words.snapshot):
        raise WrongUsage("--expect: a log alone does not tell what a machine has; with --here or --snapshot it may")


def _expected(words: Words) -> Union[Expectations, None]:
    """The project's hold where this machine is looked at, for the project whose folder one stands in."""
    from gpucheck.commands import expected

    if words.expect is not None:
        return expected.of_file(words.expect)
    project = words.here or not (words.snapshot or words.log or words.simulate is not None)
    return expected.of_project() if project else None


def _judged(words: Words, python: Union[str, None], limit: float) -> list[tuple[str, Report]]:
    from gpucheck import api

    if words.simulate is not None:
        return [("", api.rehearse(words.simulate, words.ignore))]
    if not words.log:
        if not words.snapshot:
            return [("", api.judge(api.look_here(python, words.deep, limit), words.ignore))]
        return [(file, api.judge(facts_of(file), words.ignore)) for file in words.snapshot]
    try:
        log = api.read_logs(words.log)
    except api.BadFile as error:
        raise WrongUsage(str(error)) from error
    if words.snapshot:
        return [(file, api.judge_logs(log, facts_of(file), words.ignore)) for file in words.snapshot]
    here = api.look_here(python, words.deep, limit) if words.here else None
    return [("", api.judge_logs(log, here, words.ignore))]


def facts_of(file: str) -> Snapshot:
    """The facts that a file holds. Raises `WrongUsage`."""
    from gpucheck import api

    try:
        return api.read_file(file)
    except api.BadFile as error:
        raise WrongUsage(f"{file}: {error}") from error


def _timed(file: Union[str, None]) -> Union[Result, None]:
    """The result that `gpucheck bench --save` wrote there."""
    if file is None:
        return None
    from gpucheck.commands import bench

    return bench.read(file)


def _told(told: _Told, words: Words) -> int:
    from gpucheck.render.formats import Asked, tell
    from gpucheck.render.json import worst

    width, color = (80, False) if words.output or words.format != "terminal" else (columns(), colored())
    asked = Asked(told.strict, words.verbose, width, color, told.bench)
    write(tell(words.format, told.reports, asked), words.output)
    if words.format == "github":
        _summarize(told.reports, asked)
    return worst([report.exit_code(told.strict) for _, report in told.reports])


def _summarize(reports: list[tuple[str, Report]], asked: Asked) -> None:
    """Add to the summary of GitHub's step. That it cannot be written changes no verdict."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from gpucheck.output import append, complain
    from gpucheck.render import github

    try:
        append(path, lambda size: github.summary(reports, asked, github.MOST_SUMMARY - size))
    except (OSError, ValueError) as error:
        complain(f"GITHUB_STEP_SUMMARY: cannot write to {path}: {getattr(error, 'strerror', None) or error}")
