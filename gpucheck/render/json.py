"""The report for programs: one JSON document, described by report.schema.json beside this file.

It only ever grows: names that are here stay, with their meaning. ASCII only, so no terminal and no locale spoils it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gpucheck.facts.codec import encode
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import SCHEMA, Report
from gpucheck.render.formats import Asked, Named

SEVERAL = "gpucheck.reports/1"


def document(report: Report, strict: bool = False) -> dict[str, Any]:
    """The report as parsed JSON. strict: the exit code counts a warning as an error."""
    return {
        "schema": SCHEMA,
        "version": report.version,
        "simulated": encode(report.simulated or None),
        "verdict": report.verdict,
        "exit_code": report.exit_code(strict),
        "findings": encode(report.findings),
        "checked": encode(report.checked),
        "skipped": encode(report.skipped),
        "ignored": encode(report.ignored),
        "facts": encode(report.snapshot),
    }


def render(report: Report, strict: bool = False) -> str:
    """One report."""
    return text(document(report, strict))


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """One document, of one report or of several."""
    return render(reports[0][1], asked.strict) if len(reports) == 1 else render_several(reports, asked.strict)


def render_several(reports: Sequence[tuple[str, Report]], strict: bool = False) -> str:
    """Reports of several snapshots, each with the file that it comes from, still in one document."""
    found = [{"file": encode(file), **document(report, strict)} for file, report in reports]
    return text({"schema": SEVERAL, "exit_code": worst([one["exit_code"] for one in found]), "reports": found})


def worst(codes: list[int]) -> int:
    """One exit code for several: an error outweighs "could not tell", that outweighs "fine"."""
    return 1 if 1 in codes else max(codes, default=0)


def render_snapshot(snapshot: Snapshot) -> str:
    """The facts alone."""
    return text(encode(snapshot))


def render_machine(machine: dict[str, Any]) -> str:
    """A recorded machine, one path per line."""
    return text(machine)


def text(data: dict[str, Any]) -> str:
    """A document as it is written to a file."""
    # A member of the document, and of its lists and facts, per line: readable and easy to compare, and written by the
    # C encoder. `indent` takes the Python one, ten times the time of a doctor's start-up budget for large facts.
    lines = ",\n".join(f"{_dump(key)}: {_member(value)}" for key, value in data.items())
    return f"{{\n{lines}\n}}\n"


def _member(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "{\n " + ",\n ".join(f"{_dump(key)}: {_dump(each)}" for key, each in value.items()) + "\n}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n " + ",\n ".join(_dump(each) for each in value) + "\n]"
    return _dump(value)


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:  # JSON has no NaN; a wrong computation has
        return json.dumps(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value - value != 0 else value
