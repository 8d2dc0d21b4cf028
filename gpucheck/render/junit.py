"""JUnit's XML, for CI: every rule a test case, so that one sees what was checked, and what was not and why.

Readers differ, and this is for all of them: Jenkins shows the attribute `message`, GitLab the text of an element, so a
reason stands in both. GitLab takes cases of one class and name for one case, and history hangs on the name: it holds no
value of the machine. Where the verdict is "unknown", what kept it open is an error: a skipped case would be green.

The blocks below `tell` are those of `gpucheck.render.fleet.junit`, too. ElementTree escapes what it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gpucheck.facts.gap import Gap
from gpucheck.findings import Finding, Report, Severity
from gpucheck.render.causes import rehearsal
from gpucheck.render.formats import Asked, Named
from gpucheck.render.identity import identity
from gpucheck.render.text import plain, shorten, whole

_MOST = 2000  # characters of a message or a value


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """A suite for each report."""
    root = Element("testsuites", {"name": "gpucheck doctor"})
    for file, report in reports:
        suite_of(root, file, report, asked.strict)
    return written(root)


def suite_of(root: Element, file: str, report: Report, strict: bool) -> None:
    """A report's suite. file: that its facts are from; "": this machine. strict: warnings fail, too."""
    simulated = f"SIMULATED {plain(report.simulated)}" if report.simulated else ""
    name = " ".join(word for word in ("gpucheck doctor", simulated, shorten(plain(file))) if word)
    properties = {"verdict": report.verdict, "exit_code": str(report.exit_code(strict)), **_properties(report)}
    made = suite(root, name, properties)
    # A class is shown by all readers, also where a suite's name is not; a point would part it into packages.
    place = [word.replace(".", "_") for word in (simulated, shorten(plain(file))) if word]
    cases(made, ".".join(("gpucheck", *(place or ["doctor"]))), report, strict)
    if report.simulated:
        SubElement(made, "system-out").text = rehearsal(report)


def _properties(report: Report) -> dict[str, str]:
    facts = report.snapshot
    found = {"gpucheck_version": report.version}
    if report.simulated:
        found["simulated"] = report.simulated
    if not facts.probes:  # a log or a file was judged, and no machine
        return found
    found |= {"taken": facts.taken, **identity(facts)}
    gpus = facts.gpus
    found["gpus"] = "unknown" if isinstance(gpus, Gap) else str(len(gpus))
    found |= {f"gpu_{gpu.number}": gpu.name or "unknown" for gpu in (() if isinstance(gpus, Gap) else gpus)}
    return found


def cases(parent: Element, place: str, report: Report, strict: bool) -> None:
    """A case for each rule of a report, in a class called `place`. strict: warnings fail, too."""
    skipped = [one.name for one in report.skipped]
    found = [one.name for one in report.findings]
    for name in dict.fromkeys((*report.checked, *found, *skipped, *report.ignored)):
        made = case(parent, place, name)
        mine = [one for one in report.findings if one.name == name]
        if not any(fails(one.severity, strict) for one in mine):
            _not_judged(made, report, name, bool(mine))
        told(made, mine, strict)


def _not_judged(made: Element, report: Report, name: str, found: bool) -> None:
    """Why this rule was not, or not wholly."""
    reasons = [one for one in report.skipped if one.name == name]
    said = "; ".join(one.reason for one in reasons)
    if report.verdict == "unknown" and any(one.decisive for one in reasons):
        stopped(made, "could-not-tell", said)
    elif reasons and not found:
        left_out(made, said)
    elif name in report.ignored and not found:
        left_out(made, "ignored")


def suite(root: Element, name: str, properties: Mapping[str, str] | None = None) -> Element:
    """An empty suite. Its counts are `written`'s."""
    made = SubElement(root, "testsuite", {"name": name})
    if properties:
        each = SubElement(made, "properties")
        for key, value in properties.items():
            SubElement(each, "property", {"name": key, "value": safe(value)})
    return made


def case(parent: Element, place: str, name: str) -> Element:
    """An empty case: one that passes."""
    return SubElement(parent, "testcase", {"classname": place, "name": shorten(plain(name))})


def told(made: Element, found: Sequence[Finding], strict: bool, more: str = "") -> None:
    """What was found: a failure, where one of them fails; what does not is printed. more: last lines."""
    failing = [one for one in found if fails(one.severity, strict)]
    if failing:
        attributes = {"type": failing[0].name, "message": safe(failing[0].message)}
        SubElement(made, "failure", attributes).text = _text(failing) + more
    rest = [one for one in found if one not in failing]
    if rest:
        SubElement(made, "system-out").text = _text(rest) + ("" if failing else more)


def failed(made: Element, kind: str, reason: str) -> None:
    """It is wrong, and no rule says more."""
    SubElement(made, "failure", {"type": kind, "message": safe(reason)}).text = safe(reason)


def stopped(made: Element, kind: str, reason: str) -> None:
    """Nobody can say whether it is fine."""
    SubElement(made, "error", {"type": kind, "message": safe(reason)}).text = safe(reason)


def left_out(made: Element, reason: str) -> None:
    """It was not judged, and that does not matter much."""
    SubElement(made, "skipped", {"message": safe(reason)}).text = safe(reason)


def fails(severity: Severity, strict: bool) -> bool:
    """strict: warnings fail, too."""
    return severity is Severity.ERROR or (strict and severity is Severity.WARNING)


def written(root: Element) -> str:
    """The document, its suites counted."""
    for one in root.iter("testsuite"):
        for attribute, path in _COUNTED.items():
            one.set(attribute, str(len(one.findall(path))))
    for attribute in ("tests", "failures", "errors"):
        root.set(attribute, str(sum(int(one.get(attribute, "0")) for one in root.iter("testsuite"))))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


_COUNTED = {
    "tests": "testcase",
    "failures": "testcase/failure",
    "errors": "testcase/error",
    "skipped": "testcase/skipped",
}


def _text(found: Iterable[Finding]) -> str:
    return "\n\n".join("\n".join(_lines(one)) for one in found)


def _lines(finding: Finding) -> Iterable[str]:
    yield f"{'possible: ' if finding.remaining else ''}{plain(finding.name)}: {safe(finding.message)}"
    for one in finding.evidence:
        source = f" ({safe(one.source)})" if one.source else ""
        yield f"  {safe(one.fact)}: {safe(one.value)}{source}"
    yield from (f"    {_disarmed(whole(line))}" for line in finding.fix)
    if finding.explains:
        yield f"  explains: {', '.join(map(plain, finding.explains))}"


def safe(text: str) -> str:
    """A machine's text, for an attribute or a printed line."""
    return _disarmed(shorten(plain(text), _MOST))


def _disarmed(text: str) -> str:
    """Jenkins and GitLab fetch the file that ``[[ATTACHMENT|path]]`` in a printed text names."""
    return text.replace("[[ATTACHMENT", "[ [ATTACHMENT")
