"""A smoke test as JUnit's XML: doctor's rules as `doctor --format junit` has them, and a case for each other part."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from gpucheck.render import junit
from gpucheck.render.smoke.words import TITLES, closing, loud
from gpucheck.smoke.result import Smoke, SmokePart


def render(smoke: Smoke) -> str:
    """Two suites: doctor's, and the smoke test's own."""
    root = Element("testsuites", {"name": "gpucheck smoke"})
    if smoke.report is not None:
        junit.suite_of(root, "", smoke.report, smoke.strict)
    name = f"gpucheck smoke SIMULATED {smoke.simulated}" if smoke.simulated else "gpucheck smoke"
    made = junit.suite(root, name, {"verdict": smoke.verdict, "seconds": f"{smoke.seconds:.1f}"})
    for part in smoke.parts:
        if part.name != "doctor" or smoke.report is None:
            _case(made, part)
    SubElement(made, "system-out").text = junit.safe(f"{loud(smoke)} {closing(smoke)}".strip())
    return junit.written(root)


def _case(suite: Element, part: SmokePart) -> None:
    made = junit.case(suite, "gpucheck.smoke", TITLES[part.name])
    made.set("time", f"{part.seconds:.3f}")
    if part.outcome == "error":
        junit.failed(made, part.name, part.said)
    elif part.outcome == "unknown":
        junit.stopped(made, "could-not-tell", part.said)
    elif part.outcome == "not-run":
        junit.left_out(made, part.said)
    else:
        SubElement(made, "system-out").text = junit.safe(part.said)
