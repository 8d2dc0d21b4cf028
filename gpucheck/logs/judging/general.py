"""Of the log itself: where it settles nothing, and where it is of another machine. `gpucheck.logs.report` yields both;
here they have their names and their documentation."""

from __future__ import annotations

from collections.abc import Iterator

from gpucheck.facts.log import Log
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import OPEN, Severity
from gpucheck.logs.judging import Place, cause
from gpucheck.rules.engine import Found


@cause(OPEN, Place.NOTHING, severity=Severity.INFO)
def log_does_not_settle(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The log leaves more than one cause, or names none.

    ## What it means
    The same line can have several causes: "no CUDA-capable device is detected" is printed where a variable hides the
    GPU, and where its device file may not be read. What remains is listed, likeliest first, as a note under the first
    one's name, with the one command or fact that decides.

    ## Why it matters
    A cause that is guessed costs hours. The exit code is 3: could not tell.

    ## How to fix
    Give the missing fact: on the machine that made the log, `gpucheck doctor --log FILE --here`; elsewhere
    `gpucheck snapshot --output facts.json` there and `gpucheck doctor --log FILE --snapshot facts.json` here.

    ## References
    docs/logs.md of gpucheck
    """
    yield from ()


@cause("log-of-another-machine", Place.NOTHING, severity=Severity.WARNING)
def log_of_another_machine(log: Log, snapshot: Snapshot) -> Iterator[Found]:
    """The log contradicts what was measured: it is of another machine or another environment, or of another time.

    ## What it means
    The log names a driver, a GPU, a system or a version that this machine does not have. What was measured is right for
    this machine; the log is right for the one that made it.

    ## Why it matters
    The facts of one machine do not settle what another one's log leaves open, so they are not used for that.

    ## How to fix
    Judge the log alone, or take the facts on the machine and with the Python that made it.

    ## References
    docs/logs.md of gpucheck
    """
    yield from ()
