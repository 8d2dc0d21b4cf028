"""Every machine file, looked at and judged once a session: several test modules ask the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import machines

from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Report
from gpucheck.host.recorded import RecordedHost
from gpucheck.probes.look import look
from gpucheck.rules.engine import judge_all


@cache
def machine(name: str) -> dict[str, Any]:
    return machines.load(name)


@cache
def snapshot(name: str) -> Snapshot:
    """What gpucheck sees there; with --deep where the machine has that child's answer."""
    recorded = machine(name)
    return look(RecordedHost(recorded), recorded.get("python"), deep="deep" in recorded.get("children", {}))


@cache
def report(name: str) -> Report:
    return judge_all(snapshot(name))
