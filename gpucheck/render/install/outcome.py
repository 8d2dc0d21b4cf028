"""What came of it, in five lines: installed, proven, not proven, how to activate, how to undo. Or why it failed."""

from __future__ import annotations

from typing import NamedTuple, Union

from rich.console import Console

from gpucheck.facts.plan import Check, Plan, Proof, Receipt
from gpucheck.render.page import hang, painted
from gpucheck.render.text import count, listed

_PROVEN = 4  # names of checks in one line


class Where(NamedTuple):
    """The environment, and lines for a shell to use it and to go back."""

    folder: str
    activate: str
    undo: str


def render(receipt: Receipt, where: Where, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """The end of an installation. verbose: every check with what it saw."""
    return painted(lambda console: _paint(console, receipt, where, verbose), width, color)


def failed(proof: Proof, width: int = 80, color: bool = False, verbose: bool = False) -> str:
    """Which checks failed and on what."""

    def paint(console: Console) -> None:
        for check in proof.checks:
            if check.state == "failed" or verbose:
                _paint_check(console, check)

    return painted(paint, width, color)


def _paint(console: Console, receipt: Receipt, where: Where, verbose: bool) -> None:
    console.print()
    if verbose:
        for check in receipt.proof.checks:
            _paint_check(console, check)
        console.print()
    hang(console, "installed", "bold green", f"{installed(receipt.plan)} in {where.folder}")
    hang(console, "proven", "bold green", _proven(receipt.proof))
    hang(console, "unproven", "bold yellow", _unproven(receipt.proof))
    hang(console, "activate", "bold", where.activate)
    hang(console, "undo", "bold", where.undo)


def installed(plan: Plan) -> str:
    """``TensorFlow 2.21.0, Keras 3.15.1, CUDA 12.9.79, cuDNN 9.10.2.21: 44 packages``"""
    names = [("TensorFlow", plan.choice.package), ("Keras", "keras")]
    found = {one.name: one.version.text for one in plan.packages}
    words = [f"{title} {found[name]}" for title, name in names if name in found]
    for title, start in (("CUDA", "nvidia-cuda-runtime"), ("cuDNN", "nvidia-cudnn")):
        version: Union[str, None] = next((text for name, text in found.items() if name.startswith(start)), None)
        words += [f"{title} {version}"] if version else []
    return f"{', '.join(words) or 'nothing of TensorFlow'}: {count(len(plan.packages), 'package')}"


def _proven(proof: Proof) -> str:
    names = [check.name for check in proof.checks if check.state == "proven"]
    cured = [f"cured: {cure.what}" for cure in proof.cures]
    return "; ".join([", ".join(names) or "nothing", *cured])


def _unproven(proof: Proof) -> str:
    open_ = [f"{check.name} ({check.what.rstrip('.')})" for check in proof.checks if check.state == "unproven"]
    return listed(open_, _PROVEN) or "nothing"


_STYLE = {"proven": "green", "failed": "bold red", "unproven": "yellow", "skipped": "dim"}


def _paint_check(console: Console, check: Check) -> None:
    hang(console, check.state, _STYLE[check.state], f"{check.name}: {check.what}")
    for line in check.lines:
        hang(console, "", "", f"  {line}", style="dim")
