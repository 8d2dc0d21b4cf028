"""What `gpucheck explain` and `doctor --list-rules` do: the rules' own documentation, or a line of a log in words."""

from __future__ import annotations

import os
import sys
from typing import Optional

from gpucheck.output import WrongUsage, at_terminal, colored, columns, write


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


def list_rules(format: str, output: Optional[str]) -> int:
    """Every rule in a line."""
    from gpucheck.render import rules

    _check_documented()
    if format not in rules.LISTINGS:
        raise WrongUsage(f"--list-rules comes as {', '.join(rules.LISTINGS)}: {format} is for what was found")
    write(rules.listing(format), output)
    return 0


def _check_documented() -> None:
    if sys.flags.optimize >= 2:
        raise WrongUsage("this Python runs with -OO (PYTHONOPTIMIZE=2), which leaves out what rules say of themselves")
