"""The rules' own documentation: a list of them, and one rule's docstring for a terminal or as Markdown.

What only a log can show (`gpucheck.logs.judging`) is listed and documented like them.
"""

from __future__ import annotations

from functools import cache

from gpucheck.render.causes import MARK
from gpucheck.rules.engine import RULES, Rule


@cache
def every() -> dict[str, Rule]:
    """All rules in the order in which they decide, those of logs and of what is expected last."""
    from gpucheck.containers.rules.engine import documented as on_containers
    from gpucheck.expecting.documented import documented as on_expectations
    from gpucheck.logs.judging import documented
    from gpucheck.rules import load

    load()
    return {**RULES, **documented(), **on_containers(), **on_expectations()}


def names() -> frozenset[str]:
    """The names of all rules."""
    return frozenset(every())


def find(name: str) -> Rule | None:
    """A rule by its name; ``_`` and capitals are forgiven."""
    wanted = name.strip().lower().replace("_", "-")
    return every().get(wanted) or over_many().get(wanted)


def over_many() -> dict[str, Rule]:
    """The rules of `gpucheck fleet`, by name."""
    from gpucheck.fleet.rules import engine

    engine.load()
    return engine.RULES


def alike(name: str) -> list[str]:
    """Up to three names that a mistyped one may stand for."""
    from difflib import get_close_matches

    wanted = name.strip().lower().replace("_", "-")
    known = [*every(), *over_many()]
    close = get_close_matches(wanted, known, 3, 0.6)
    return close or [one for one in known if wanted and wanted in one][:3]


def clean(rule: Rule) -> str:
    """The docstring without its indentation, Markdown."""
    first, _, rest = rule.documentation.expandtabs().strip().partition("\n")
    lines = rest.splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    text = "\n".join([first.strip(), *(_item(line[indent:].rstrip()) for line in lines)])
    return text.strip() + "\n"


def _item(line: str) -> str:
    """References stand one to a line; in Markdown they need a bullet to stay there."""
    return f"- {line}" if line.startswith(("http://", "https://")) else line


def summary(rule: Rule) -> str:
    """The docstring's first paragraph, one line."""
    return " ".join(clean(rule).split("\n\n", 1)[0].split())


def document(rule: Rule) -> str:
    """One rule's page, Markdown."""
    notes = [f"severity: {MARK[rule.severity]}"]
    if rule.decisive:
        notes.append("decisive: where it cannot be judged, the verdict is unknown")
    page = f"# {rule.name}\n\n{'; '.join(notes)}\n\n{clean(rule)}"
    if rule.explains:
        page += f"\nExplains, where both are found: {', '.join(rule.explains)}\n"
    return page


def pretty(rule: Rule, width: int, color: bool) -> str:
    """One rule's page for a terminal."""
    from io import StringIO

    from rich.console import Console
    from rich.markdown import Markdown

    page = StringIO()
    console = Console(file=page, width=width, force_terminal=color, no_color=not color, legacy_windows=False)
    console.print(Markdown(document(rule), hyperlinks=False))
    return "\n".join(line.rstrip() for line in page.getvalue().split("\n"))


LISTINGS = ("terminal", "json", "markdown")


def listing(format: str) -> str:
    """All rules in the order in which they decide, in one of the formats `LISTINGS`."""
    if format == "json":
        import json

        rows = [
            {
                "name": rule.name,
                "severity": rule.severity.value,
                "decisive": rule.decisive,
                "explains": list(rule.explains),
                "summary": summary(rule),
            }
            for rule in every().values()
        ]
        return json.dumps({"schema": "gpucheck.rules/1", "rules": rows}, indent=1) + "\n"
    if format == "markdown":
        lines = [f"| `{rule.name}` | {MARK[rule.severity]} | {summary(rule)} |" for rule in every().values()]
        return "\n".join(["| name | severity | meaning |", "| --- | --- | --- |", *lines]) + "\n"
    return "".join(f"{MARK[rule.severity]:8} {rule.name}\n           {summary(rule)}\n" for rule in every().values())
