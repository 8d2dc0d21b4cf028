"""One report of one container file: every rule on every image in it. Pure.

A rule that cannot be judged is skipped with its reason. Of a compose file's services, those that ask for no GPU and
whose image is not known leave nothing open where another service could be judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Union

from gpucheck.containers.rules.engine import RULES, Case, asks_for_gpu, documented
from gpucheck.containers.snapshot import snapshot_of
from gpucheck.containers.stack import Stack, stack
from gpucheck.facts.containers import ContainerFile, Containers, Service
from gpucheck.facts.gap import Gap, Unknown
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Finding, Report, Severity, Skipped
from gpucheck.rules.engine import Found, Rule, linked

_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_OF_HOST = ("image-host-driver-too-old",)


def judge(facts: Snapshot, ignore: Iterable[str] = ()) -> Report:
    """Judge a snapshot that holds container files; the host's facts beside them, where they were measured, count."""
    assert facts.containers is not None
    documented()
    ignored = set(ignore)
    host = None if facts.of_text_alone else facts
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    rules = [one for one in RULES.values() if one.name not in ignored and (host or one.name not in _OF_HOST)]
    for file in facts.containers.files:
        made, missed = _judged(file, host, rules)
        findings += made
        skipped += missed
    order = {name: at for at, name in enumerate(RULES)}
    ordered = sorted(linked(findings, RULES), key=lambda one: (_WEIGHT[one.severity], order[one.name]))
    return Report(
        facts.version,
        tuple(ordered),
        tuple(one.name for one in rules),
        tuple(dict.fromkeys(skipped)),
        tuple(name for name in RULES if name in ignored),
        facts,
    )


def judge_file(file: ContainerFile, version: str, host: Union[Snapshot, None], ignore: Iterable[str] = ()) -> Report:
    """Judge one file. version: gpucheck's. host: measured facts of where it is to run."""
    containers = Containers((file,))
    facts = snapshot_of(containers, version) if host is None else host._replace(containers=containers)
    return judge(facts, ignore)


def cases(file: ContainerFile, host: Union[Snapshot, None]) -> Iterator[Case]:
    """What there is to judge in a file."""
    if file.image is not None:
        yield Case(file.image.name, file.image.source, file, stack(file.image), None, host)
    for service in file.services:
        yield Case(f"service {service.name}", service.source, file, _stack(service), service, host)


def _stack(service: Service) -> Union[Stack, None, Gap]:
    image = service.image
    return image if image is None or isinstance(image, Gap) else stack(image)


def _judged(file: ContainerFile, host: Union[Snapshot, None], rules: list[Rule]) -> tuple[list[Finding], list[Skipped]]:
    findings: list[Finding] = []
    missed: list[tuple[Case, Skipped]] = []
    open_cases: set[str] = set()
    every = list(cases(file, host))
    for case in every:
        for one in rules:
            try:
                judge: Any = one.judge  # of a Case: see engine.rule
                findings += [_finding(one, each) for each in list(judge(case))]
            except Unknown as unknown:
                reason = f"{case.name}: {unknown.gap.reason}" if file.services else unknown.gap.reason
                missed.append((case, Skipped(one.name, reason, one.decisive)))
                if one.decisive:
                    open_cases.add(case.name)
    settled = [case for case in every if case.name not in open_cases]
    skipped = [
        one._replace(decisive=one.decisive and (not settled or case.service is None or asks_for_gpu(case)))
        for case, one in missed
    ]
    return findings, skipped


def _finding(one: Rule, case: Found) -> Finding:
    explains = (*one.explains, *(name for name in case.explains if name not in one.explains))
    return Finding(one.name, case.severity or one.severity, case.message, case.evidence, case.fix, explains)
