"""Lines that the formats of a smoke test share."""

from __future__ import annotations

from gpucheck.findings import Severity
from gpucheck.render.causes import Cause, causes, rehearsal
from gpucheck.smoke.result import Smoke

TITLES = {"doctor": "doctor", "operation": "operation on each GPU", "bench": "speed test"}


def headline(smoke: Smoke) -> str:
    """One line: the first part that is not fine, or that all are."""
    for outcome in ("error", "unknown", "warning"):
        for part in smoke.parts:
            if part.outcome == outcome:
                return f"{TITLES[part.name]}: {part.said}"
    said = [part.said for part in smoke.parts if part.outcome == "ok" and part.name != "doctor"]
    return f"the GPU works: {'; '.join(said)}" if said else "nothing wrong was found; nothing was computed"


def closing(smoke: Smoke) -> str:
    """The last line."""
    ended = {None: "", "timeout": ", when its time was over"}.get(smoke.stopped, f", ended by {smoke.stopped}")
    return f"smoke: {smoke.verdict} after {smoke.seconds:.1f} of {smoke.timeout:g} s{ended}"


def serious(smoke: Smoke) -> list[Cause]:
    """What doctor found that is more than a note."""
    if smoke.report is None:
        return []
    return [one for one in causes(smoke.report) if one.finding.severity is not Severity.INFO]


def loud(smoke: Smoke) -> str:
    """That it is a rehearsal; "" where it is not."""
    return rehearsal(smoke.report) if smoke.report else ""
