"""For people at a terminal: how many are fine, what differs, what was found and where, one line per distinct state."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from gpucheck.findings import Finding, Severity
from gpucheck.fleet.hostlist import folded
from gpucheck.fleet.nodes import Fleet, Group, Over, State
from gpucheck.render.causes import MARK
from gpucheck.render.fleet.words import closing, headline, share
from gpucheck.render.page import hang, painted
from gpucheck.render.text import count, plain, shorten

_STYLE = {"ok": "bold green", "warning": "bold yellow", "error": "bold red", "unknown": "bold magenta"}
_SEVERITY = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
_CASES = 3
_STATES = 20
_NAMES = 8  # words of folded names


def render(fleet: Fleet, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """verbose: every case, state and node name; else the most frequent, and how many more there are."""
    return painted(lambda console: _paint(console, fleet, verbose), width, color)


def _paint(console: Console, fleet: Fleet, verbose: bool) -> None:
    hang(console, fleet.verdict.upper(), _STYLE[fleet.verdict], headline(fleet), style="bold")
    if fleet.states:
        console.print()
        _title(console, "States")
    most = len(fleet.states) if verbose else _STATES
    for state in fleet.states[:most]:
        _state(console, state, len(fleet.nodes), verbose)
    if len(fleet.states) > most:
        rest = sum(len(one.nodes) for one in fleet.states[most:])
        hang(
            console,
            "",
            "",
            f"and {len(fleet.states) - most} more, of {rest:,} nodes (--verbose)",
            style="dim",
            column=2,
        )
    if fleet.groups:
        console.print()
        _title(console, "On nodes")
    for group in fleet.groups:
        if verbose or group.severity is not Severity.INFO:
            _group(console, group, len(fleet.nodes), verbose)
    notes = sum(one.severity is Severity.INFO for one in fleet.groups)
    if notes and not verbose:
        hang(console, "", "", f"and {count(notes, 'kind')} of notes (--verbose)", style="dim", column=2)
    if fleet.over:
        console.print()
        _title(console, "Between nodes")
    for over in fleet.over:
        _over(console, over, verbose)
    console.print()
    console.print(Text(closing(fleet), style=_STYLE[fleet.verdict]), soft_wrap=True)


def _title(console: Console, title: str) -> None:
    console.print(Text(title, style="bold"), soft_wrap=True)


def _state(console: Console, state: State, of: int, verbose: bool) -> None:
    text = f"{share(len(state.nodes), of)}  {'; '.join(state.words)}"
    text += f": {', '.join(state.findings)}" if state.findings else ""
    hang(console, f"  {state.verdict}", _STYLE[state.verdict], shorten(plain(text)))
    hang(console, "", "", _where(state.nodes, verbose), style="dim")


def _over(console: Console, over: Over, verbose: bool) -> None:
    finding = over.finding
    _heading(console, finding.severity, finding.name, plain(over.peers))
    hang(console, "", "", finding.message, indent=2, column=0)
    hang(console, "on", "dim", _where(over.nodes, verbose), indent=2)
    _evidence(console, finding, verbose)
    _fix(console, finding)


def _group(console: Console, group: Group, of: int, verbose: bool) -> None:
    _heading(console, group.severity, group.name, share(len(group.nodes), of))
    cases = group.cases if verbose else group.cases[:_CASES]
    for case in cases:
        hang(console, f"{len(case.nodes):,} ×", "dim", case.message, indent=2)
        hang(console, "", "", _where(case.nodes, verbose), indent=2, style="dim")
    if len(group.cases) > len(cases):
        hang(console, "", "", f"and {len(group.cases) - len(cases)} more forms (--verbose)", indent=2, style="dim")
    if group.severity is not Severity.INFO or verbose:
        _fix(console, group.example)
    console.print(Text.assemble(("  more       ", "dim"), f"gpucheck explain {plain(group.name)}"), soft_wrap=True)


def _heading(console: Console, severity: Severity, name: str, beside: str) -> None:
    marked = (MARK[severity].upper(), _SEVERITY[severity])
    console.print(Text.assemble(marked, "  ", (plain(name), "bold"), f"  {beside}"), soft_wrap=True)


def _evidence(console: Console, finding: Finding, verbose: bool) -> None:
    for at, one in enumerate(finding.evidence if verbose else finding.evidence[:3]):
        text = f"{plain(one.fact)}: {shorten(plain(one.value))}  ({plain(one.source)})"
        hang(console, "" if at else "evidence", "dim", text, indent=2)


def _fix(console: Console, finding: Finding) -> None:
    if finding.fix:
        console.print(Text("  fix", style="dim"), soft_wrap=True)
    for line in finding.fix:
        console.print(Text(f"    {plain(line)}", style="dim" if line.startswith("#") else "green"), soft_wrap=True)


def _where(names: tuple[str, ...], verbose: bool) -> str:
    return plain(folded(names, len(names) if verbose else _NAMES))
