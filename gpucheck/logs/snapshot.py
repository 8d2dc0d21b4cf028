"""What a log says of its machine, as facts of the same types; everything else is a gap. (Being written.)"""

from __future__ import annotations

from typing import Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.log import Log
from gpucheck.facts.snapshot import SCHEMA, Snapshot
from gpucheck.findings import Finding

UNSAID = Gap("the log does not say", "not-collected")


def snapshot_of(log: Log) -> Snapshot:
    """The facts that logs give."""
    from gpucheck import __version__

    return Snapshot(SCHEMA, __version__, "", UNSAID, UNSAID, UNSAID, UNSAID, UNSAID, UNSAID, UNSAID, None, (), log)


def contradictions(log: Log, measured: Snapshot) -> Union[Finding, None]:
    """The finding that says that the log is of another machine than the one that was measured."""
    return None
