"""SARIF 2.1.0, as GitHub's code scanning takes it: a result for each finding, a notification for each rule not judged.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html. What GitHub asks for beside the schema: a relative
path in every result, though a machine has none (a log has: its lines are named); one run; `primaryLocationLineHash`,
which holds no value that changes between runs; `executionSuccessful`, or it drops all results. It shows every result as
an alert, whatever its kind. So rules that were not judged are none, but for those that keep the verdict open.

The blocks below `tell` are those of `gpucheck.render.fleet.sarif`, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from gpucheck.findings import Finding, Report, Severity, Skipped
from gpucheck.render.causes import rehearsal
from gpucheck.render.formats import Asked, Named
from gpucheck.render.identity import identity
from gpucheck.render.json import worst
from gpucheck.render.places import place
from gpucheck.render.rules import clean, find, summary
from gpucheck.render.text import plain, shorten, whole

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HERE = "gpucheck/this-machine"  # no file of anybody's: where a result stands that no file shows
LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}

_RANK = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
_EXIT = {0: "fine", 1: "an error was found", 3: "could not tell"}
MOST_RESULTS = 25_000  # GitHub refuses a file with more
_MOST = 2000  # characters of a message or a value
_MOST_WORDS = 1024  # of a rule's description: GitHub's limit
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """All reports in one run: GitHub takes one of a tool."""
    results: list[dict[str, Any]] = []
    for file, report in reports:
        home = path_of(_home(file, report))
        results += [_result(one, home, rehearsal(report)) for one in report.findings]
        if report.verdict == "unknown":
            results += [_open(one, home, rehearsal(report)) for one in report.skipped if one.decisive]
    return document(reports[0][1].version, results, _invocation(reports, asked.strict))


def _home(file: str, report: Report) -> str:
    """The file where results stand that name no other."""
    if report.simulated:
        return f"SIMULATED/{report.simulated}"
    log = report.snapshot.log
    if log is None or not log.files or file:
        return file
    return "" if log.files[0].path == "-" else log.files[0].path


def _result(finding: Finding, home: str, said: str) -> dict[str, Any]:
    named = place(finding.evidence)
    where = location(path_of(named[0]), named[1]) if named else location(home)
    facts = "\n".join(one.fact for one in finding.evidence)
    text = "\n".join(line for line in (said, *_lines(finding)) if line)
    return result(finding.name, LEVEL[finding.severity], text, [where], facts)


def _lines(finding: Finding) -> Iterator[str]:
    yield _words(finding.message)
    for one in finding.evidence:
        source = f" ({_words(one.source)})" if one.source else ""
        yield f"- {_words(one.fact)}: {_words(one.value)}{source}"
    if finding.fix:
        yield "To decide:" if finding.remaining else "Fix:"
        yield from (_unlinked(whole(line)) for line in finding.fix)


def _open(skipped: Skipped, home: str, said: str) -> dict[str, Any]:
    text = "\n".join(line for line in (said, f"Could not be judged: {_words(skipped.reason)}") if line)
    return open_result(skipped.name, text, [location(home)])


def _invocation(reports: Sequence[Named], strict: bool) -> dict[str, Any]:
    code = worst([report.exit_code(strict) for _, report in reports])
    notes = [_rehearsal(report) for _, report in reports if report.simulated]
    notes += [_note(one, path_of(_home(file, report))) for file, report in reports for one in report.skipped]
    ignored = [name for _, report in reports for name in report.ignored]
    made = invocation(code, notes, ignored)
    if len(reports) == 1:
        facts = reports[0][1].snapshot
        made |= {"endTimeUtc": facts.taken} if _TIME.fullmatch(facts.taken) else {}
        made |= {"properties": identity(facts)} if facts.probes else {}
    return made


def _rehearsal(report: Report) -> dict[str, Any]:
    return {"level": "warning", "message": {"text": rehearsal(report)}}


def _note(one: Skipped, home: str) -> dict[str, Any]:
    return {
        "level": "warning" if one.decisive else "note",
        "message": {"text": f"Could not be judged: {_words(one.reason)}"},
        "associatedRule": {"id": plain(one.name)},
        "locations": [location(home)],
    }


def open_result(name: str, text: str, places: list[dict[str, Any]]) -> dict[str, Any]:
    """A rule without which the verdict stays open: SARIF's word for it, and an alert for GitHub."""
    return {**result(name, "none", text, places, "open"), "kind": "open"}


def invocation(code: int, notes: list[dict[str, Any]], ignored: Iterable[str]) -> dict[str, Any]:
    """How it went: the exit code, what could not be judged, and the rules that were left out."""
    return {
        "executionSuccessful": True,
        "exitCode": code,
        "exitCodeDescription": _EXIT[code],
        "toolExecutionNotifications": notes,
        "ruleConfigurationOverrides": [
            {"descriptor": {"id": plain(name)}, "configuration": {"enabled": False}} for name in dict.fromkeys(ignored)
        ],
    }


def document(version: str, results: list[dict[str, Any]], invoked: dict[str, Any]) -> str:
    """The log: one run, and every rule that it names described. results: worst first, for there may be too many."""
    if len(results) > MOST_RESULTS:
        said = f"{len(results) - MOST_RESULTS} more results are left out: code scanning takes {MOST_RESULTS}."
        note = {"level": "warning", "message": {"text": said}}
        invoked = {**invoked, "toolExecutionNotifications": [note, *invoked["toolExecutionNotifications"]]}
        results = results[:MOST_RESULTS]
    named = [one["ruleId"] for one in results]
    named += [one["associatedRule"]["id"] for one in invoked["toolExecutionNotifications"] if "associatedRule" in one]
    named += [one["descriptor"]["id"] for one in invoked["ruleConfigurationOverrides"]]
    places = {name: at for at, name in enumerate(dict.fromkeys(named))}
    _number(results)
    run = {
        "tool": {
            "driver": {
                "name": "gpucheck",
                "version": shorten(plain(version)),
                "rules": [_rule(name) for name in places],
            }
        },
        "invocations": [invoked],
        "results": [{**one, "ruleIndex": places[one["ruleId"]]} for one in results],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(name: str) -> dict[str, Any]:
    rule = find(name)
    if rule is None:
        return {"id": name}
    short, text = summary(rule) or name, clean(rule).strip() or name
    return {
        "id": name,
        "shortDescription": {"text": shorten(short, _MOST_WORDS)},
        "fullDescription": {"text": _description(text, short)},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": LEVEL[rule.severity]},
        "properties": {"tags": ["gpu"], "precision": "high", "problem.severity": _RANK[rule.severity]},
    }


def _description(text: str, short: str) -> str:
    """The docstring's section "What it means", as one paragraph."""
    _, _, rest = text.partition("## What it means\n")
    words = " ".join(rest.partition("\n## ")[0].split()) or short
    return words if len(words) <= _MOST_WORDS else f"{words[: _MOST_WORDS - 2].rpartition(' ')[0]} …"


def result(name: str, level: str, text: str, places: list[dict[str, Any]], identity: str) -> dict[str, Any]:
    """One result. identity: what tells it from others of its rule, and is the same in the next run."""
    home = places[0]["physicalLocation"]["artifactLocation"]["uri"]
    made = {
        "ruleId": plain(name),
        "level": level,
        "message": {"text": text},
        "locations": places[:1],
        "partialFingerprints": {"primaryLocationLineHash": _mark(f"{name}\n{home}\n{identity}")},
    }
    if len(places) > 1:
        made["relatedLocations"] = [{"id": at, **one} for at, one in enumerate(places[1:], 1)]
    return made


def _mark(identity: str) -> str:
    from hashlib import sha256

    return sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _number(results: Iterable[dict[str, Any]]) -> None:
    """``hash:1``, ``hash:2``: two results of a run that nothing else tells apart."""
    seen: dict[str, int] = {}
    for one in results:
        marks = one["partialFingerprints"]
        hashed = marks["primaryLocationLineHash"]
        seen[hashed] = seen.get(hashed, 0) + 1
        marks["primaryLocationLineHash"] = f"{hashed}:{seen[hashed]}"


def location(path: str, line: int = 1, name: str = "") -> dict[str, Any]:
    """A line of a file. path: as `path_of` makes it. name: of the machine that it tells of."""
    made: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}}}
    if name:
        made["logicalLocations"] = [{"name": plain(name), "kind": "resource"}]
    return made


def path_of(file: str) -> str:
    """A relative URI: of an absolute path all but its root, for GitHub refuses any other."""
    words = shorten(plain(file), _MOST).replace("\\", "/").split("/")
    return quote("/".join(word for word in words if word not in ("", ".", "..")), safe="/-_.~") or HERE


def _words(text: str) -> str:
    return _unlinked(shorten(plain(text), _MOST))


def _unlinked(text: str) -> str:
    """In SARIF's plain text, too, ``[words](target)`` is a link."""
    return text.replace("](", "] (")
