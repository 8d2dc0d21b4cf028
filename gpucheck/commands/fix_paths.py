"""What `gpucheck doctor --fix-paths` does, once its words are understood: look, plan, try, show, and with --yes write.

The plan is tried before it is shown: the machine is looked at once more with the variables as they would be. What
does not cure, or breaks something else, is not offered.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Optional

from gpucheck import api
from gpucheck.commands import arguments
from gpucheck.facts.python import Python
from gpucheck.findings import Severity
from gpucheck.output import WrongUsage, write
from gpucheck.paths.plan import CannotFix, FileChange, Plan, VariableChange
from gpucheck.render.text import plain
from gpucheck.rules.recipes import quoted

if TYPE_CHECKING:
    from gpucheck.findings import Report
    from gpucheck.paths.wish import Wish

_APPLY = "gpucheck doctor --fix-paths"
_UNDO = "gpucheck doctor --fix-paths --undo"


def fix(python: Optional[str], timeout: Optional[float], yes: bool) -> int:
    """Show the change, or make it.

    Gives the exit code: 0 nothing to change, or changed; 1 shown only, or left to the user; 3 not known.
    """
    from gpucheck.paths import writer

    limit = arguments.seconds(timeout, False)
    report = api.judge(api.look_here(arguments.interpreter(python), False, limit))
    try:
        plan, wish = _plan(report)
        if not plan.changes:
            return _nothing(report, plan, wish)
        after = _try(report, wish, plan, limit)
        lines = [*_shown(plan), *_proof(after)]
        if not yes:
            chosen = "" if python is None else f" --python {quoted(python)}"
            write(_text([*lines, "", f"Nothing was changed. To make this change: {_APPLY}{chosen} --yes"]), None)
            return 1
        writer.apply(plan, writer.state_file())
    except CannotFix as error:
        raise WrongUsage(str(error)) from error
    write(_text([*lines, "", f"Done: it counts {plan.where}.", f"To take it back: {_UNDO}"]), None)
    return 0


def undo(yes: bool) -> int:
    """Show what would be taken back, or take it back. Gives the exit code: 0 done or nothing to do, 1 shown only."""
    from gpucheck.paths import state, writer
    from gpucheck.paths import undo as undoing

    place = writer.state_file()
    try:
        held = state.read(place)
        if held == state.State():
            write("gpucheck doctor --fix-paths has changed nothing here.\n", None)
            return 0
        plan = undoing.plan(held, writer.read_text, writer.read_variable)
        if not yes:
            write(_text([*_shown(plan), "", f"Nothing was changed. To take this back: {_UNDO} --yes"]), None)
            return 1
        writer.take_back(plan, place)
    except CannotFix as error:
        raise WrongUsage(str(error)) from error
    write(_text([*_shown(plan), "", "Done: open a new shell, or activate the environment again."]), None)
    return 0


def _plan(report: Report) -> tuple[Plan, Wish]:
    from gpucheck.paths.wish import wish

    wished = wish(report)
    return (_plan_windows(report, wished) if sys.platform == "win32" else _plan_linux(report, wished)), wished


def _plan_linux(report: Report, wished: Wish) -> Plan:
    from gpucheck.paths import linux, writer

    if wished.nothing:
        return Plan("", (), ())
    user = linux.User(os.path.expanduser("~"), os.environ.get("SHELL", ""))
    return linux.plan(report.snapshot, wished, user, writer.read_text)


def _plan_windows(report: Report, wished: Wish) -> Plan:
    from gpucheck.compat.registry import MACHINE_VARIABLES, USER_VARIABLES
    from gpucheck.host.winregistry import read_key
    from gpucheck.paths import windows, writer

    mine, theirs = (writer.variables(read_key(one)) for one in (USER_VARIABLES, MACHINE_VARIABLES))
    return windows.plan(report.snapshot, wished, windows.User(mine, theirs, _expand))


def _expand(text: str) -> str:
    """As Windows does it. (os.path.expandvars takes quotes and $NAMES for something, too.)"""
    import re

    return re.sub("%([^%;]+)%", lambda found: os.environ.get(found[1], found[0]), text)


def _nothing(report: Report, plan: Plan, wish: Wish) -> int:
    """No change is left to make: it is made already, or is no business of a path."""
    lines = list(plan.by_hand)
    if not wish.nothing:
        write(_text(lines or [f"The change is made already: it counts {plan.where}."]), None)
        return 1 if lines else 0
    said = {
        "ok": "Nothing to change.",
        "warning": "Nothing that a path would cure; gpucheck doctor tells what there is.",
        "error": "Nothing that a path would cure; gpucheck doctor tells the cause.",
        "unknown": "It could not be told whether a path would help; gpucheck doctor tells why.",
    }
    write(_text([*lines, said[report.verdict]]), None)
    return 3 if report.verdict == "unknown" else 0


def _try(report: Report, wish: Wish, plan: Plan, limit: float) -> Report:
    """The report on a program that is started when all is done. Raises `CannotFix` where that is not better."""
    python = report.snapshot.python
    environ = {**os.environ, **dict(plan.trial)}
    for name, value in plan.trial:
        if not value:  # empty and not set are one
            del environ[name]
    after = api.judge(api.look_here(python.executable if isinstance(python, Python) else None, False, limit, environ))
    before = {(one.name, one.message) for one in report.findings}
    stays = [one for one in after.findings if one.name in {cause.name for cause in wish.causes}]
    stays = [one for one in stays if (one.name, one.message) in before]
    worse = [one for one in after.findings if one.severity is Severity.ERROR and one.name not in _names(report)]
    for one in (*stays, *worse):
        raise CannotFix(f"no path cures this, it was tried: {one.message}")
    return after


def _names(report: Report) -> set[str]:
    return {one.name for one in report.findings}


def _proof(after: Report) -> list[str]:
    left = [one for one in after.findings if one.severity is not Severity.INFO]
    if not left:
        return ["", "Tried: with it gpucheck doctor finds nothing wrong."]
    return ["", "Tried: with it gpucheck doctor still finds:", *(f"  {one.message}" for one in left)]


def _shown(plan: Plan) -> list[str]:
    """The change, exactly."""
    lines = [*plan.what, *([f"It counts {plan.where}."] if plan.what else [])]
    for change in plan.changes:
        if isinstance(change, FileChange):
            lines += ["", *_difference(change)]
    variables = tuple(one for one in plan.changes if isinstance(one, VariableChange))
    if variables:
        from gpucheck.paths.powershell import lines as commands

        lines += ["", "In PowerShell it would be:", *(f"  {one}" for one in commands(variables))]
    return [*lines, *(("", *plan.by_hand) if plan.by_hand else ())]


def _difference(change: FileChange) -> list[str]:
    import difflib

    old = change.path if change.before is not None else "/dev/null"
    before, after = (change.before or "").splitlines(), change.after.splitlines()
    return list(difflib.unified_diff(before, after, old, change.path, n=1, lineterm=""))


def _text(lines: list[str]) -> str:
    return "".join(f"{plain(line)}\n" for line in lines)
