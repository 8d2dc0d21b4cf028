"""Which TensorFlow fits: from a snapshot and the tables to a choice, and every other release with all its objections.

Pure: no machine is looked at, no index is asked. What is not known objects to nothing and acquits of nothing: it is
told among the choice's reasons ("not known").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Union

from gpucheck.compat import refused
from gpucheck.compat.tensorflow import Release
from gpucheck.facts.gap import Gap, known
from gpucheck.facts.gpus import Gpu
from gpucheck.facts.plan import Candidate, Choice, Objection, Request, Route, Target
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import ComputeCapability, CudaVersion, CudnnVersion, PackageVersion
from gpucheck.install.choosing import naming, needs, reasons, unknown
from gpucheck.install.choosing.routes import routes
from gpucheck.rules import fitness
from gpucheck.rules.here import Here, here
from gpucheck.rules.presence import named

_OLDEST = ComputeCapability("0.0")
_DERIVED = Objection(
    "derived",
    "it is newer than the table: its row was derived from the index, and nobody has tested it",
    "the index's METADATA",
    "name its version to have it all the same",
)


def target(snapshot: Snapshot) -> Union[Target, Gap]:
    """The Python and system that packages are chosen for; a gap where one of them is not known."""
    at = here(snapshot)
    if isinstance(at.os, Gap):
        return at.os
    if isinstance(at.machine, Gap):
        return at.machine
    if isinstance(at.python, Gap):
        return at.python
    if at.python is None:
        return Gap("the Python does not tell its version")
    return Target(at.os, at.machine, at.libc if at.os == "linux" else None, at.python)  # type: ignore[arg-type]


def choose(snapshot: Snapshot, request: Request, derived: Sequence[Release] = ()) -> Choice:
    """The newest release that fits, with what it is asked for with, and what speaks against all the others.

    Parameters
    ----------
    snapshot: of the machine and the interpreter that it is for.
    derived: rows of releases that the index has and the table does not: never chosen unless named.

    Returns
    -------
    A choice whose `release` is None where none fits: then `candidates` say why, and `routes` what to do instead. On
    native Windows and on aarch64 a GPU that no wheel can use gets the CPU build, with its routes.
    """
    goal = target(snapshot)
    wish = reasons.goal(snapshot, request)
    bad = [refused.find(name) for name in map(_name, request.packages)]
    if isinstance(goal, Gap) or any(bad):
        said = [f"{one.name} {one.why}; instead: {one.instead}" for one in bad if one]
        return _nothing(request, goal, (), tuple(said), ())
    at = here(snapshot)
    rows = (*fitness.table(at), *derived)
    asked = naming.meant(rows, request.tensorflow)
    found = _newest(rows, asked, at, wish, request, derived)
    seen, cpu, row, judged, left_out = found
    shown = (
        *(asked if request.tensorflow else ()),
        *(one for one in reversed(rows) if not request.tensorflow or one not in asked),
    )
    candidates = tuple(Candidate(PackageVersion(one.version), judged[one]) for one in shown)
    ways = routes(snapshot, seen, wish.cpu, request, row)
    if row is None:
        return _nothing(request, goal, candidates, (*wish.reasons, *left_out), ways)
    need = needs.needs(row, seen, cpu, request)
    package = needs.package_of(row, seen, cpu, request)
    with_cuda = bool(row.cuda) and package == row.package
    why = (
        reasons.why_this(row, seen, cpu, request),
        *wish.reasons,
        *left_out,
        *reasons.about_cuda(row, cpu, wish),
        *need.reasons,
        *needs.remarks(row, seen, cpu, request),
        *reasons.about_age(row),
        *reasons.about_rivals(snapshot, package),
    )
    return Choice(
        request=request,
        target=goal,
        release=PackageVersion(row.version),
        package=package,
        requirements=tuple(need.requirements),
        exclude_newer=needs.exclude_newer(row),
        cuda=CudaVersion(row.cuda) if with_cuda else None,
        cudnn=CudnnVersion(row.cudnn) if with_cuda else None,
        brings_cuda=not cpu and fitness.brings_cuda(row),
        cures=() if cpu else tuple(cure for issue, cure in fitness.CURES.items() if issue in row.issues.split()),
        reasons=why,
        candidates=candidates,
        routes=ways,
        derived=row in derived,
    )


def explain(snapshot: Snapshot, request: Request, version: str, derived: Sequence[Release] = ()) -> Candidate:
    """Every reason against one version here; none: it fits. A minor ("2.21") means its newest patch.

    Versions that are not in the table are told as that, with the nearest ones.
    """
    text = version.strip()
    goal = target(snapshot)
    if isinstance(goal, Gap):
        return Candidate(PackageVersion(text), (Objection("target-not-known", goal.reason, "the snapshot"),))
    rows = (*fitness.table(here(snapshot)), *derived)
    row = naming.newest_patch(rows, text)
    if row is None:
        return unknown.candidate(text, goal, rows)
    choice = choose(snapshot, request._replace(tensorflow=None), derived)
    at = [one.version for one in reversed(rows)].index(row.version)
    return choice.candidates[at]


_Judged = dict[Release, tuple[Objection, ...]]
_Found = tuple[Here, bool, Union[Release, None], _Judged, tuple[str, ...]]


def _newest(
    rows: Sequence[Release],
    asked: Sequence[Release],
    at: Here,
    wish: reasons.Goal,
    request: Request,
    derived: Sequence[Release],
) -> _Found:
    """The newest that fits: all GPUs; else as many as there is a release for; else, where wheels are so, the CPU."""
    first = _judged(rows, at, wish.cpu, request, derived)
    row = _last_fitting(asked, first)
    if row is not None or wish.cpu:
        return at, wish.cpu, row, first, ()
    for gpus in _fewer(asked, at, request, derived):
        fewer = at._replace(gpus=gpus)
        judged = _judged(rows, fewer, False, request, derived)
        row = _last_fitting(asked, judged)
        if row is not None:
            left = [gpu for gpu in known(at.gpus, ()) if gpu not in gpus]
            return fewer, False, row, judged, (f"{named(*left)} cannot be used along with the rest: it is left out",)
    for row in () if request.cuda else reversed(asked):
        # Windows and aarch64: what is on the index under this name is a CPU build.
        if not row.cuda and not _judge(row, at, True, request, derived):
            return at, True, row, {**first, row: ()}, ()
    return at, False, None, first, ()


def _fewer(asked: Sequence[Release], at: Here, request: Request, derived: Sequence[Release]) -> list[tuple[Gpu, ...]]:
    """Groups of GPUs for which there may be a release, the largest first."""
    gpus = known(at.gpus, ())
    if len(gpus) < 2:
        return []
    served = tuple(
        gpu
        for gpu in gpus
        if any(not _judge(row, at._replace(gpus=(gpu,)), False, request, derived) for row in asked if row.cuda)
    )
    by_age = sorted(served, key=lambda gpu: known(gpu.compute_capability, None) or _OLDEST, reverse=True)
    return [served, *((gpu,) for gpu in by_age)] if served else []


def _judged(rows: Sequence[Release], at: Here, cpu: bool, request: Request, derived: Sequence[Release]) -> _Judged:
    return {row: _judge(row, at, cpu, request, derived) for row in rows}


def _judge(row: Release, at: Here, cpu: bool, request: Request, derived: Sequence[Release]) -> tuple[Objection, ...]:
    wanted = request.tensorflow is not None and naming.exactly((row,), request.tensorflow) is not None
    against = fitness.objections(row, at, cpu, fitness.CURES, wanted)
    return (*against, _DERIVED) if row in derived and not wanted else against


def _last_fitting(rows: Sequence[Release], judged: _Judged) -> Union[Release, None]:
    return next((row for row in reversed(rows) if not judged[row]), None)


def _nothing(
    request: Request,
    goal: Union[Target, Gap],
    candidates: tuple[Candidate, ...],
    said: tuple[str, ...],
    ways: tuple[Route, ...],
) -> Choice:
    return Choice(request, goal, None, "", (), None, None, None, False, (), said, candidates, ways)


def _name(requirement: str) -> str:
    """ "scipy" of "SciPy[x]>=1.11 ; …", normalised."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
