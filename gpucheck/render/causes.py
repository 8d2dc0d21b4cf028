"""Which findings stand on their own and which follow from another; and the verdict in words. Shared by all formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpucheck.facts.deep import Deep
from gpucheck.facts.driver import Driver
from gpucheck.facts.gap import Gap
from gpucheck.findings import OPEN, Finding, Report, Severity, Skipped
from gpucheck.render.hardware import nothing_there
from gpucheck.render.text import count, plain

# What people read; JSON and Prometheus say "info", as they always did.
MARK = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


class Branch(NamedTuple):
    """A finding and what it explains, as a tree.

    same: further cases of the same rule with the same cure (eight GPUs of a kind), which need only their message.
    """

    finding: Finding
    follows: tuple[Branch, ...]
    same: tuple[Finding, ...] = ()


class Cause(NamedTuple):
    """A branch whose followers are told flat: everything that it explains directly or through others."""

    finding: Finding
    follows: tuple[Finding, ...]
    same: tuple[Finding, ...] = ()


def causes(report: Report) -> tuple[Cause, ...]:
    """Every finding once, in the report's order, each under the first cause that accounts for it."""
    return tuple(
        Cause(one.finding, tuple(_within(one.follows)), one.same) for one in _together(_roots(report.findings))
    )


def tree(report: Report) -> tuple[Branch, ...]:
    """The same, each finding under the one that explains it directly."""
    return tuple(_gathered(one) for one in _together(_roots(report.findings)))


def _roots(findings: tuple[Finding, ...]) -> list[Branch]:
    explained = {name for finding in findings for name in finding.explains}
    seen: set[int] = set()
    found: list[Branch] = []
    # The second round is for circles: two findings that name each other must not both vanish.
    for roots in (True, False):
        for at, finding in enumerate(findings):
            if at not in seen and not (roots and finding.name in explained):
                seen.add(at)
                found.append(Branch(finding, _following(findings, finding, seen)))
    # A warning that explains an error comes where the error would stand.
    found.sort(key=lambda one: min(map(_weight, (one.finding, *_within(one.follows)))))
    return found


def _within(branches: tuple[Branch, ...]) -> Iterator[Finding]:
    for one in branches:
        yield one.finding
        yield from one.same
        yield from _within(one.follows)


def _gathered(branch: Branch) -> Branch:
    return branch._replace(follows=tuple(_gathered(one) for one in _together(list(branch.follows))))


def _together(found: list[Branch]) -> list[Branch]:
    kinds: dict[tuple[str, Severity, tuple[str, ...]], Branch] = {}
    for branch in found:
        kind = (branch.finding.name, branch.finding.severity, branch.finding.fix)
        first = kinds.get(kind)
        if first is None:
            kinds[kind] = branch
        else:
            kinds[kind] = first._replace(follows=first.follows + branch.follows, same=(*first.same, branch.finding))
    return list(kinds.values())


_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def _weight(finding: Finding) -> int:
    """What a log leaves open weighs as much as a warning."""
    return _WEIGHT[Severity.WARNING if finding.remaining else finding.severity]


def _following(findings: tuple[Finding, ...], cause: Finding, seen: set[int]) -> tuple[Branch, ...]:
    following: list[Branch] = []
    for at, finding in enumerate(findings):
        if at not in seen and finding.name in cause.explains:
            seen.add(at)
            following.append(Branch(finding, _following(findings, finding, seen)))
    return tuple(following)


def decisive(report: Report) -> tuple[Skipped, ...]:
    """The skipped rules without which the main question stays open."""
    return tuple(skipped for skipped in report.skipped if skipped.decisive)


def rehearsal(report: Report) -> str:
    """What every format of a rehearsal has to say first, one sentence or two; "" of a real look."""
    if not report.simulated:
        return ""
    name = plain(report.simulated)
    return f"SIMULATED: {name}. This is a recorded machine; nothing here is about the machine that you are on."


def headline(report: Report) -> str:
    """The verdict and what it rests on, one line: what a reader must know who reads no further."""
    if report.verdict == "unknown":
        skipped = decisive(report)[0]
        which = "" if skipped.name == OPEN else f" ({plain(skipped.name)} was not judged)"
        return f"could not tell: {plain(skipped.reason)}{which}"
    if report.verdict == "ok":
        return f"no problem found{_proof(report)}"
    first = causes(report)[0].finding
    line = f"{plain(first.name)}: {plain(first.message)}"
    return line if len(line) <= 300 else f"{line[:300].rpartition(' ')[0]} …"


def _proof(report: Report) -> str:
    if report.snapshot.containers is not None:
        from gpucheck.render.containers import named

        return f" in what the files say{'' if named(report.snapshot.containers) else ', which name no TensorFlow'}"
    if report.snapshot.of_log_alone:
        return " in what the log says"
    deep, driver, gpus = report.snapshot.deep, report.snapshot.driver, report.snapshot.gpus
    if isinstance(driver, Driver) and nothing_there(driver):
        return "; there is no NVIDIA driver here, so programs compute on the CPU"
    if isinstance(deep, Deep) and isinstance(deep.operations, tuple) and deep.operations:
        devices = sorted({operation.device for operation in deep.operations if operation.status == "ok"})
        return plain(f"; computed on {', '.join(devices)}, the numbers agree with the CPU's") if devices else ""
    number = 0 if isinstance(gpus, Gap) else len(gpus)
    return f" on {count(number, 'GPU')} by looking (--deep computes there)" if number and deep is None else ""


def verdict(report: Report) -> str:
    """The last line: the verdict and the counts it comes from."""
    said = [
        count(number, noun)
        for noun, severity in (("error", Severity.ERROR), ("warning", Severity.WARNING), ("note", Severity.INFO))
        if (number := sum(finding.severity is severity for finding in report.findings))
    ]
    judged = f"{count(len(report.checked), 'rule')} checked"
    skipped = f", {len(report.skipped)} skipped" if report.skipped else ""
    ignored = f", {len(report.ignored)} ignored" if report.ignored else ""
    return f"{report.verdict}: {', '.join(said) or 'nothing found'}; {judged}{skipped}{ignored}"
