"""What rules say: findings with evidence, gathered in a report with one verdict and one exit code."""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple, Union

from gpucheck.facts.snapshot import Snapshot

SCHEMA = "gpucheck.report/1"
OPEN = "log-does-not-settle"  # why a verdict on a log is "unknown"

Verdict = Literal["ok", "warning", "error", "unknown"]


class Severity(str, Enum):
    """error: TensorFlow uses no GPU here (or does not run). warning: it does, but not well. info: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Evidence(NamedTuple):
    """One fact that a finding rests on.

    fact: its place in the snapshot ("driver.module_version"). value: as text. source: where it was read.
    """

    fact: str
    value: str
    source: str


class Finding(NamedTuple):
    """One cause.

    name: its public name (kebab-case; `gpucheck explain NAME`). message: one sentence with this machine's values.
    fix: lines for a shell, most likely cure first; prose lines start with "# ". explains: names of findings that follow
    from this one and vanish with it. remaining: other causes that a log leaves open beside this one; empty: settled.
    """

    name: str
    severity: Severity
    message: str
    evidence: tuple[Evidence, ...]
    fix: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()


class Skipped(NamedTuple):
    """A rule that could not be judged. decisive: without it the main question stays open."""

    name: str
    reason: str
    decisive: bool


class Report(NamedTuple):
    """Everything that `gpucheck doctor` has to say.

    findings are sorted, most decisive first; checked holds the names of the rules that were judged (with or without a
    finding), skipped those that could not be; ignored those that the user waved through. simulated: the name of the
    recorded machine where this is a rehearsal (--simulate), which every format has to say loudly; "": a real look.
    """

    version: str
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    ignored: tuple[str, ...]
    snapshot: Snapshot
    simulated: str = ""

    @property
    def verdict(self) -> Verdict:
        severities = {finding.severity for finding in self.findings}
        if Severity.ERROR in severities:
            return "error"
        if any(skipped.decisive for skipped in self.skipped):
            return "unknown"
        return "warning" if Severity.WARNING in severities else "ok"

    def exit_code(self, strict: bool = False) -> int:
        """0 fine, 1 an error was found (with `strict` a warning too), 3 could not tell."""
        if strict and any(finding.severity is Severity.WARNING for finding in self.findings):
            return 1
        return {"ok": 0, "warning": 0, "error": 1, "unknown": 3}[self.verdict]

    def find(self, name: str) -> Union[Finding, None]:
        """The first finding of that name."""
        return next((finding for finding in self.findings if finding.name == name), None)
