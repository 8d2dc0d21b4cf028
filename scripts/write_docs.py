"""Write what is made: docs/rules, the JSON Schemas, the picture, README.md's help texts, and machines to rehearse on.

python scripts/write_docs.py            write
python scripts/write_docs.py --check    only tell what is not as it would be written; exit code 1 if anything is
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts")]

import machines  # noqa: E402
import schemas  # noqa: E402
import simulated  # noqa: E402

from gpucheck import api  # noqa: E402
from gpucheck.render import rules, terminal  # noqa: E402
from gpucheck.render.causes import MARK  # noqa: E402

PICTURED = "driver-upgraded-not-rebooted"
_COLUMNS = 92
_CELL = 12.2  # width of a character in rich's picture
_INDENTED = re.compile(
    r'x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="(?P<length>[\d.]+)"(?P<rest>[^>]*)>(?P<blanks>(&#160;)+)(?!<)'
)
_HELP = re.compile(r"(<!-- help: (.*?) -->\n```text\n)(.*?)(```\n)", re.DOTALL)


def rule_pages() -> dict[str, str]:
    """A page for every rule, and the list of them."""
    every = rules.every()
    names = sorted(every)
    pages = {f"docs/rules/{name}.md": rules.document(every[name]) for name in names}
    rows = [f"| [{name}]({name}.md) | {MARK[every[name].severity]} | {rules.summary(every[name])} |" for name in names]
    head = "# The rules\n\nWritten from the rules' docstrings; `gpucheck explain NAME` prints the same.\n"
    many = rules.over_many()
    pages |= {f"docs/rules/{name}.md": rules.document(rule) for name, rule in many.items()}
    over = [f"| [{name}]({name}.md) | {MARK[rule.severity]} | {rules.summary(rule)} |" for name, rule in many.items()]
    table = ["| name | severity | meaning |", "| --- | --- | --- |"]
    between = "\n## Over many machines\n\nOf [`gpucheck fleet`](../fleets.md).\n"
    lines = [head, *table, *rows, between, *table, *over, ""]
    pages["docs/rules/README.md"] = "\n".join(lines)
    return pages


def schema_files() -> dict[str, str]:
    """The schemas that lie beside the renderer, and so in the wheel."""
    made = {"report": schemas.report(), "snapshot": schemas.snapshot()}
    files = {f"gpucheck/render/{name}.schema.json": each for name, each in made.items()}
    files["gpucheck/render/bench/bench.schema.json"] = schemas.bench()
    files["gpucheck/render/smoke/smoke.schema.json"] = schemas.smoke()
    files["gpucheck/render/install/install.schema.json"] = schemas.install()
    files["gpucheck/render/fleet/fleet.schema.json"] = schemas.fleet()
    files["gpucheck/render/diff/diff.schema.json"] = schemas.diff()
    return {path: json.dumps(each, indent=1) + "\n" for path, each in files.items()}


def readme() -> str:
    """README.md with the help texts that the commands print now."""
    return _HELP.sub(lambda found: found[1] + help_text(found[2]) + found[4], (ROOT / "README.md").read_text())


def help_text(command: str) -> str:
    """What ``gpucheck … --help`` prints, 80 columns wide."""
    argv = [sys.executable, "-m", *command.split(), "--help"]
    environ = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environ, cwd=ROOT).stdout


def picture() -> tuple[str, str]:
    """The terminal's picture of a recorded machine: as text, and as SVG."""
    from rich.console import Console
    from rich.text import Text

    machine = machines.load(PICTURED)
    report = api.judge(api.read_data({"schema": "gpucheck.machine/1", **machine}))
    console = Console(record=True, width=_COLUMNS, file=StringIO(), force_terminal=True, highlight=False)
    for line in terminal.render(report, _COLUMNS, color=True).splitlines():
        text = Text.from_ansi(line)
        for at in range(0, max(1, len(text)), _COLUMNS):  # as a terminal breaks a long command
            console.print(text[at : at + _COLUMNS], soft_wrap=True)
    svg = console.export_svg(title="gpucheck doctor", clear=False, unique_id="gpucheck")
    # rich's picture fetches a font from elsewhere; the reader's own monospace will do.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return console.export_text(), _INDENTED.sub(_moved, svg)


def _moved(found: re.Match[str]) -> str:
    """A text begun at its first letter: not every viewer gives spaces in front a width."""
    blanks = len(found["blanks"]) // len("&#160;")
    start, length = float(found["x"]) + blanks * _CELL, float(found["length"]) - blanks * _CELL
    return f'x="{start:.1f}" y="{found["y"]}" textLength="{length:.1f}"{found["rest"]}>'


def wanted() -> dict[str, str]:
    """Every file that is made, with its content."""
    text, svg = picture()
    files = {**rule_pages(), **schema_files(), "README.md": readme(), "docs/images/doctor.txt": text}
    files["gpucheck/simulating/machines.json"] = simulated.text()
    # Another version of rich draws another SVG of the same text: only the text is compared.
    drawn, old = ROOT / "docs/images/doctor.svg", ROOT / "docs/images/doctor.txt"
    if not (drawn.exists() and old.exists() and old.read_text() == text):
        files["docs/images/doctor.svg"] = svg
    return files


def stale(files: dict[str, str]) -> list[str]:
    """What differs on disk, and rule pages without a rule."""
    differing = [path for path, text in files.items() if not _same(ROOT / path, text)]
    orphans = [f"docs/rules/{page.name}" for page in (ROOT / "docs/rules").glob("*.md")]
    return sorted({*differing, *(path for path in orphans if path not in files)})


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def main() -> int:
    files = wanted()
    found = stale(files)
    if "--check" in sys.argv[1:]:
        print("".join(f"{path} is not what the code says: run scripts/write_docs.py\n" for path in found), end="")
        return 1 if found else 0
    for path in found:
        target = ROOT / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path], encoding="utf-8")
        else:
            target.unlink()
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
