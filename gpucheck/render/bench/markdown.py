"""To paste into an issue on GitHub: the sentence and the table, the rest folded away. No value can act as Markdown."""

from __future__ import annotations

from gpucheck.facts.bench import Result
from gpucheck.render.bench.answer import Said, answer
from gpucheck.render.bench.figures import Table, batches, devices
from gpucheck.render.bench.sections import blocks
from gpucheck.render.markdown import escape, fenced
from gpucheck.render.text import plain


def render(result: Result, verbose: bool = False) -> str:
    """The result, the sentence first. verbose: every round and reading among the details."""
    lines = [_said(said) for said in answer(result)]
    if result.trials and result.trials[0].legs:
        lines.append(_table(devices(result.trials[0])))
    sweep = batches(result)
    if sweep is not None:
        lines.append(_table(sweep))
    rows = [
        f"{block.title if at == 0 else '':13} {plain(row)}"
        for block in blocks(result, verbose)
        for at, row in enumerate(block.rows)
    ]
    lines += ["<details><summary>How it was measured</summary>", "\n".join(fenced(rows, "text")), "</details>"]
    lines.append(escape(f"gpucheck {result.version}, {result.taken}"))
    return "\n\n".join(lines) + "\n"


def _said(said: Said) -> str:
    if not said.title:
        return f"- {escape(said.text)}"
    return f"**{escape(said.title)}** {escape(said.text)}"


def _table(table: Table) -> str:
    head = [column.long for column in table.columns]
    align = ["---", *(["---:"] * (len(head) - 1))]
    rows = [[escape(cell) for cell in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([escape(one) for one in head], align, *rows))
