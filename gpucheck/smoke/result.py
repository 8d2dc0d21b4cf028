"""What a smoke test knows: its parts, doctor's report, bench's result, and one verdict and exit code of them all."""

from __future__ import annotations

from typing import Literal, NamedTuple, Union

from gpucheck.facts.bench import Result
from gpucheck.findings import Report, Verdict

SCHEMA = "gpucheck.smoke/1"
OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3  # what Nagios and its kin take a plugin's exit code for

# not-run: left out on purpose, which says nothing against the machine.
Outcome = Literal["ok", "warning", "error", "unknown", "not-run"]
PartName = Literal["doctor", "operation", "bench"]
PARTS: tuple[PartName, ...] = ("doctor", "operation", "bench")


class SmokePart(NamedTuple):
    """One part. said: what came of it, a sentence."""

    name: PartName
    outcome: Outcome
    said: str
    seconds: float = 0.0


class Smoke(NamedTuple):
    """Everything that is known.

    parts: one for each of `PARTS`, in that order. report: None: it did not come so far. timeout, seconds: that were
    given, and that it took. stopped: what ended it before its time, "timeout" or a signal's name.
    """

    version: str
    taken: str  # ISO 8601, UTC
    parts: tuple[SmokePart, ...]
    report: Union[Report, None]
    bench: Union[Result, None]
    timeout: float
    seconds: float
    stopped: Union[str, None] = None
    strict: bool = False

    @property
    def simulated(self) -> str:
        return self.report.simulated if self.report else ""

    @property
    def verdict(self) -> Verdict:
        """The worst part's."""
        outcomes = {part.outcome for part in self.parts}
        if "error" in outcomes:
            return "error"
        if "unknown" in outcomes:
            return "unknown"
        return "warning" if "warning" in outcomes else "ok"

    @property
    def exit_code(self) -> int:
        """0 the GPU works, 1 it does not (with `strict`: or there is a warning), 3 could not tell."""
        if self.strict and (self.report is not None and self.report.exit_code(True) == 1):
            return 1
        return {"ok": 0, "warning": 0, "error": 1, "unknown": 3}[self.verdict]

    @property
    def nagios_code(self) -> int:
        """0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. strict: a warning is critical."""
        if self.exit_code == 1:
            return CRITICAL
        return {"ok": OK, "warning": WARNING, "error": CRITICAL, "unknown": UNKNOWN}[self.verdict]

    def part(self, name: PartName) -> SmokePart:
        return next(part for part in self.parts if part.name == name)
