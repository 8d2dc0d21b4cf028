"""How a rule is declared and how all of them are judged. Pure: a snapshot in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from gpucheck.facts.gap import Unknown
from gpucheck.facts.snapshot import Snapshot
from gpucheck.findings import Evidence, Finding, Report, Severity, Skipped
from gpucheck.rules.proof import answered, outranked
from gpucheck.rules.systems import on_windows

Judge = Callable[[Snapshot], "Iterable[Found]"]


class Rule(NamedTuple):
    """One rule. `name` is its function's name in kebab-case, `documentation` its docstring.

    decisive: where it is skipped, "does TensorFlow use the GPU?" stays open and the exit code is 3.
    explains: findings that this one accounts for, where both are made.
    symptom_of: the other way round, for a rule that sees an effect and no cause: errors that account for it, ``"*"``
    for any error that is no symptom itself.
    on: the only system that has its subject; on another it is neither judged nor skipped.
    """

    name: str
    severity: Severity
    decisive: bool
    explains: tuple[str, ...]
    documentation: str
    judge: Judge
    symptom_of: tuple[str, ...] = ()
    on: Literal["", "linux", "windows"] = ""


RULES: dict[str, Rule] = {}


def rule(
    severity: Severity,
    *,
    decisive: bool = False,
    explains: tuple[str, ...] = (),
    symptom_of: tuple[str, ...] = (),
    on: Literal["", "linux", "windows"] = "",
) -> Callable[[Judge], Judge]:
    """Register a rule. It yields findings made by `found`; a `need` on a gap skips it whole.

    Registration order is the order of decisiveness within a severity: the driver before the libraries, the libraries
    before the comfort.
    """

    def register(judge: Judge) -> Judge:
        name = name_of(judge, RULES)
        RULES[name] = Rule(name, severity, decisive, explains, judge.__doc__ or "", judge, symptom_of, on)
        return judge

    return register


def name_of(judge: Callable[..., object], rules: Mapping[str, Rule]) -> str:
    """A rule's public name: its function's. Two of one name are a mistake; the same one again is none.

    A module registers its rules anew where its first import was cut off (a signal, the end of `smoke`'s time) or taken
    back (pytest's own tests of plugins do so).
    """
    name = judge.__name__.replace("_", "-")
    assert name not in rules or rules[name].judge.__module__ == judge.__module__, name
    return name


class Found(NamedTuple):
    """What a rule yields: a finding that its rule has still to put its name on.

    severity: None means the rule's own.
    """

    message: str
    evidence: tuple[Evidence, ...]
    fix: tuple[str, ...]
    severity: Severity | None
    explains: tuple[str, ...]


def found(
    message: str,
    evidence: Iterable[tuple[str, object, str]],
    fix: Iterable[str] = (),
    *,
    severity: Severity | None = None,
    explains: tuple[str, ...] = (),
) -> Found:
    """Make a finding inside a rule.

    Parameters
    ----------
    evidence: (fact, value, source) triples.
    fix: lines for a shell; prose lines start with "# ".
    severity: only where this case differs from the rule's own.
    explains: names of findings that follow from this case, beside those that always follow from the rule.
    """
    return Found(
        message,
        tuple(Evidence(fact, "none" if value is None else str(value), source) for fact, value, source in evidence),
        tuple(fix),
        severity,
        explains,
    )


def judge_all(snapshot: Snapshot, ignore: Iterable[str] = (), rules: Mapping[str, Rule] | None = None) -> Report:
    """Judge every rule.

    Parameters
    ----------
    ignore: names of rules whose findings the user does not want.
    rules: other rules than gpucheck's own.

    Returns
    -------
    The report: findings sorted by (severity, explained by another, registration), rules skipped with their reasons.
    """
    if rules is None:
        from gpucheck.rules import load

        load(_system(snapshot))
        rules = RULES
    ignored = set(ignore)
    findings: list[Finding] = []
    checked: list[str] = []
    skipped: list[Skipped] = []
    for one in rules.values():
        if one.name in ignored:
            continue
        try:
            if one.on and (one.on == "windows") is not on_windows(snapshot):
                continue
            findings.extend(_named(one, list(one.judge(snapshot))))
            checked.append(one.name)
        except Unknown as unknown:
            skipped.append(Skipped(one.name, unknown.gap.reason, one.decisive))
    findings = list(outranked(findings, snapshot))
    return Report(
        snapshot.version,
        tuple(_sorted(linked(findings, rules), tuple(rules))),
        tuple(checked),
        tuple(answered(skipped, snapshot)),
        tuple(name for name in rules if name in ignored),
        snapshot,
    )


def _system(snapshot: Snapshot) -> Literal["", "linux", "windows"]:
    try:
        return "windows" if on_windows(snapshot) else "linux"
    except Unknown:
        return ""


def _named(rule_: Rule, cases: list[Found]) -> Iterator[Finding]:
    for case in cases:
        yield Finding(
            rule_.name,
            case.severity or rule_.severity,
            case.message,
            case.evidence,
            case.fix,
            (*rule_.explains, *(name for name in case.explains if name not in rule_.explains)),
        )


def linked(findings: list[Finding], rules: Mapping[str, Rule]) -> Iterator[Finding]:
    """Keep of `explains` what was really found, and add the symptoms that an error accounts for."""
    present = {finding.name: rules[finding.name].symptom_of for finding in findings}
    for finding in findings:
        explains = [name for name in finding.explains if name in present and name != finding.name]
        if finding.severity is Severity.ERROR and not present[finding.name]:
            symptoms = (name for name, causes in present.items() if finding.name in causes or "*" in causes)
            explains += [name for name in symptoms if name not in explains]
        yield finding._replace(explains=tuple(explains))


def _sorted(findings: Iterable[Finding], names: tuple[str, ...]) -> list[Finding]:
    findings = list(findings)
    explained = {name for finding in findings for name in finding.explains}
    order = {name: at for at, name in enumerate(names)}
    weight = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
    return sorted(findings, key=lambda one: (weight[one.severity], one.name in explained, order[one.name]))
