"""What is said of a version that the table does not know for a system: honestly, and with the nearest ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gpucheck.compat.releases import releases
from gpucheck.compat.tensorflow import NIGHTLY, Release, final
from gpucheck.facts.plan import Candidate, Objection, Target
from gpucheck.facts.versions import PackageVersion

_TABLE = "gpucheck's table of releases (2026-11-23)"


def candidate(text: str, goal: Target, rows: Sequence[Release]) -> Candidate:
    """Why there is nothing to judge."""
    version = PackageVersion(text)
    if not version.parts:
        what = f"{text!r} is no version: 2.21.0 or 2.21 is one"
        return Candidate(version, (Objection("not-a-version", what, "PEP 440"),))
    if not rows:
        what = f"TensorFlow has no wheels for {goal.os} on {goal.machine}"
        return Candidate(
            version, (Objection("no-wheel-for-architecture", what, "the wheels on the index (2026-11-23)"),)
        )
    near = nearest(version, rows)
    remedy = f"the nearest that the table knows here: {' and '.join(near)}"
    elsewhere = [row for row in releases("linux", "x86_64") if row.version == text]
    if elsewhere:
        what = f"TensorFlow {text} has no wheel for {goal.os} on {goal.machine}"
        return Candidate(
            version, (Objection("no-wheel-for-platform", what, "the wheels on the index (K21, K22)", remedy),)
        )
    if ".dev" in text or text == NIGHTLY.version:
        what = f"TensorFlow {text} is a build of one night (tf-nightly), which gpucheck neither judges nor installs"
        return Candidate(version, (Objection("nightly", what, NIGHTLY.source, remedy),))
    newest = [row for row in rows if final(row)][-1]
    what = f"the table knows no TensorFlow {text}"
    if version > PackageVersion(newest.version):
        what += f": it ends with {newest.version}"
        remedy += "; if the index has it, a newer gpucheck may know it"
    return Candidate(version, (Objection("not-in-table", what, _TABLE, remedy),))


def nearest(version: PackageVersion, rows: Sequence[Release]) -> list[str]:
    """The final releases next below and above."""
    finals = [row.version for row in rows if final(row)]
    below = [one for one in finals if PackageVersion(one) < version]
    above = [one for one in finals if PackageVersion(one) > version]
    return [*below[-1:], *above[:1]]
