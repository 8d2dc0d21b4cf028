"""GitHub's workflow: annotations for the log, and a page for the step's summary (`summary`, which is for a file).

An annotation is a line ``::error title=…::…``; its escapes are those that the runner undoes (actions/runner,
src/Runner.Common/ActionCommand.cs). It shows ten of a kind and step and 4,096 characters of each, so the worst come
first, and the tenth counts those that would not be shown. The summary has them all.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Union

from gpucheck.findings import Report, Severity
from gpucheck.render import markdown
from gpucheck.render.causes import Cause, causes, decisive, rehearsal, verdict
from gpucheck.render.formats import Asked, Named
from gpucheck.render.places import place
from gpucheck.render.text import count, plain, shorten, whole

MOST_SHOWN = 10
MOST_TEXT = 4096  # characters of a message
MOST_SUMMARY = 1 << 20  # bytes of all summaries of a step

_MOST_TITLE = 200
_MOST_VALUE = 300
_MOST_LINES = 40
Kind = Literal["error", "warning", "notice"]
KINDS: tuple[Kind, ...] = ("error", "warning", "notice")
_KIND: dict[Severity, Kind] = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


class Annotation(NamedTuple):
    """place: file and line where GitHub shows it, beside the log."""

    kind: Kind
    title: str
    lines: tuple[str, ...]
    place: Union[tuple[str, int], None] = None


def tell(reports: Sequence[Named], asked: Asked) -> str:
    """The annotations, worst first, and a closing line for each report."""
    loud = [Annotation("warning", "SIMULATED", (rehearsal(report),)) for _, report in reports if report.simulated]
    every = [*loud, *(one for file, report in reports for one in annotated(report, file, asked.strict))]
    shown = {kind: [*_shown([one for one in every if one.kind == kind])] for kind in KINDS}
    lines = [*map(_command, loud), *(_command(one) for kind in KINDS for one in shown[kind] if one not in loud)]
    for file, report in reports:
        beside = f" ({plain(file)})" if file else ""
        # "##[error]" is a command wherever it stands in a line.
        lines.append(f"gpucheck: {verdict(report)}{beside}{_said(report)}".replace("##[", "## ["))
    return "\n".join(lines) + "\n"


def _said(report: Report) -> str:
    return f". {rehearsal(report)}" if report.simulated else ""


def annotated(report: Report, file: str = "", strict: bool = False) -> Iterator[Annotation]:
    """One for each cause, in the report's order. strict: a warning fails the step, so it is an error."""
    beside = f" ({file})" if file else ""
    front = "SIMULATED: " if report.simulated else ""
    for cause in causes(report):
        kind = _KIND[cause.finding.severity]
        if strict and kind == "warning":
            kind = "error"
        name = f"{'possible: ' if cause.finding.remaining else ''}{cause.finding.name}"
        yield Annotation(kind, f"{front}{name}{beside}", tuple(_lines(cause)), place(cause.finding.evidence))
    if report.verdict == "unknown":
        title = f"{front}gpucheck could not tell{beside}"
        yield Annotation("error", title, tuple(f"{one.name}: {one.reason}" for one in decisive(report)))


def _lines(cause: Cause) -> Iterator[str]:
    finding = cause.finding
    yield from (one.message for one in (finding, *cause.same))
    for one in finding.evidence:
        yield f"{one.fact}: {shorten(plain(one.value), _MOST_VALUE)}{f' ({one.source})' if one.source else ''}"
    if finding.fix:
        yield "To decide:" if finding.remaining else "Fix:"
        yield from (whole(line, 1000) for line in finding.fix)
    yield from (f"explains {one.name}: {one.message}" for one in cause.follows)
    yield f"more: gpucheck explain {finding.name}"


def _shown(found: list[Annotation]) -> Iterator[Annotation]:
    """Of one kind: as many as the runner shows, the last for those that it would not."""
    if len(found) <= MOST_SHOWN:
        yield from found
        return
    yield from found[: MOST_SHOWN - 1]
    rest = found[MOST_SHOWN - 1 :]
    names = tuple(dict.fromkeys(one.title for one in rest))
    yield Annotation(rest[0].kind, f"and {len(rest)} more", names)


def _command(one: Annotation) -> str:
    properties = f"title={property_of(shorten(plain(one.title), _MOST_TITLE))}"
    if one.place is not None and len(one.place[0]) <= _MOST_TITLE:
        properties = f"file={property_of(plain(one.place[0]))},line={one.place[1]},{properties}"
    return f"::{one.kind} {properties}::{data_of(_fit(one.lines, MOST_TEXT))}"


def _fit(lines: Sequence[str], most: int) -> str:
    """Lines as one text of at most so many characters, cut between lines where that can be."""
    kept: list[str] = []
    room = most - 40  # for the line that tells of the others
    for at, line in enumerate(lines):
        short = shorten(plain(line), most // 4)
        size = len(short.encode("utf-16-le")) // 2  # as the runner counts
        if at == _MOST_LINES or size > room:
            kept.append(f"… and {count(len(lines) - at, 'more line')}")
            break
        kept.append(short)
        room -= size + 1
    return "\n".join(kept)


def data_of(text: str) -> str:
    """The text of a command, as the runner reads it back."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_of(text: str) -> str:
    """A value in front of a command's text: ``,`` and ``:`` would end it."""
    return data_of(text).replace(":", "%3A").replace(",", "%2C")


def summary(reports: Sequence[Named], asked: Asked, most: int = MOST_SUMMARY) -> str:
    """The report as Markdown, for the file that GITHUB_STEP_SUMMARY names.

    most: bytes that there is room for; what is longer is refused whole, so then it is the annotations' text alone.
    """
    text = markdown.tell(reports, asked) + "\n"
    if len(text.encode("utf-8")) <= most:
        return text
    lines = [f"{one.kind}: {plain(one.title)}" for file, report in reports for one in annotated(report, file)]
    kept = "\n".join(markdown.fenced([shorten(line) for line in lines[:200]], "text"))
    short = f"{kept}\n\nThe report is too long for a step's summary; its log and `--format json` have more.\n"
    return short if len(short.encode("utf-8")) <= most else ""
