"""A smoke test for programs: one JSON document, described by smoke.schema.json beside this file. It only ever grows."""

from __future__ import annotations

from typing import Any

from gpucheck.facts.codec import encode
from gpucheck.facts.gap import Gap
from gpucheck.render import json
from gpucheck.smoke.result import SCHEMA, Smoke

_ELSEWHERE = Gap("the facts are those of the report", "not-collected")


def document(smoke: Smoke, exit_code: int) -> dict[str, Any]:
    """exit_code: the command's, which --exit-codes and a signal change."""
    bench = None if smoke.bench is None else encode(smoke.bench._replace(facts=_ELSEWHERE))
    return {
        "schema": SCHEMA,
        "version": smoke.version,
        "simulated": smoke.simulated or None,
        "taken": smoke.taken,
        "verdict": smoke.verdict,
        "exit_code": exit_code,
        "timeout": smoke.timeout,
        "seconds": round(smoke.seconds, 3),
        "stopped": smoke.stopped,
        "parts": encode(smoke.parts),
        "report": None if smoke.report is None else json.document(smoke.report, smoke.strict),
        "bench": bench,
    }


def render(smoke: Smoke, exit_code: int) -> str:
    return json.text(document(smoke, exit_code))
